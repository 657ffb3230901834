//! The kinds of a design and its wires, grown against the stream from what is looked at.

use std::collections::BTreeSet;

use super::Wish;
use crate::chance::Chance;

#[derive(Default)]
pub(super) struct Skeleton {
    pub(super) parts: Vec<Part>,
    pub(super) wires: Vec<Wire>,
    pub(super) wish: Option<Wish>,
}

pub(super) struct Part {
    pub(super) kind: &'static str,
    /// The part whose store it hears of.
    pub(super) hears: Option<usize>,
}

pub(super) struct Wire {
    pub(super) from: usize,
    /// Filled in along the stream.
    pub(super) port: String,
    pub(super) to: usize,
    pub(super) input: &'static str,
    pub(super) lossy: bool,
}

/// An input that nothing feeds yet.
struct Open {
    to: usize,
    input: &'static str,
}

const ENDS: [(&str, usize); 9] = [
    ("view", 5),
    ("table", 5),
    ("metric", 2),
    ("effect", 4),
    ("export", 2),
    ("console", 1),
    ("http_out", 1),
    ("bucket", 2),
    ("dead_letter", 1),
];

const SOURCES: [(&str, usize); 6] = [
    ("manual", 3),
    ("replay", 5),
    ("http", 4),
    ("generator", 1),
    ("schedule", 1),
    ("file_watch", 1),
];

const MIDDLE: [(&str, usize); 26] = [
    ("map", 5),
    ("filter", 4),
    ("route", 2),
    ("split", 2),
    ("merge", 4),
    ("repartition", 3),
    ("dedupe", 4),
    ("aggregate", 6),
    ("decide", 2),
    ("enrich", 3),
    ("fold", 3),
    ("join", 3),
    ("resequence", 9),
    ("version_guard", 2),
    ("validate", 1),
    ("mediate", 1),
    ("guard", 1),
    ("redact", 1),
    ("tokenise", 1),
    ("log", 6),
    ("queue", 4),
    ("topic", 2),
    ("table", 2),
    ("bucket", 1),
    ("effect", 1),
    ("http_out", 1),
];

pub(super) fn grow(chance: &mut Chance, wish: Wish) -> Skeleton {
    let mut grown = Skeleton {
        wish: Some(wish),
        ..Skeleton::default()
    };
    let mut open = Vec::new();
    for _ in 0..=chance.skewed(3) {
        let themed = wish.theme.ends();
        let kind = if !themed.is_empty() && chance.percent(60) {
            chance.weighted(themed)
        } else {
            chance.weighted(&ENDS)
        };
        add(&mut grown, &mut open, chance, kind);
    }
    while !open.is_empty() {
        let at = chance.below(open.len());
        let Open { to, input } = open.swap_remove(at);
        let left = wish.nodes.saturating_sub(grown.parts.len() + open.len());
        let from = feed(&mut grown, &mut open, chance, to, left, wish);
        // Who only looks may do without some of it.
        let looks = ["view", "metric", "console", "export"].contains(&grown.parts[to].kind);
        let lossy = chance.percent(if looks { 60 } else { 1 });
        grown.wires.push(Wire {
            from,
            port: String::new(),
            to,
            input,
            lossy,
        });
    }
    grown
}

/// The part that feeds an open input: one that is there, or a new one.
fn feed(
    grown: &mut Skeleton,
    open: &mut Vec<Open>,
    chance: &mut Chance,
    to: usize,
    left: usize,
    wish: Wish,
) -> usize {
    let behind = grown.behind(to);
    if chance.percent(18) {
        let sends = |part: &usize| {
            let wired = |wire: &Wire| wire.from == *part && wire.to == to;
            !behind.contains(part)
                && !grown.wires.iter().any(wired)
                && !["view", "metric", "console", "export", "dead_letter"]
                    .contains(&grown.parts[*part].kind)
        };
        let fitting: Vec<usize> = (0..grown.parts.len()).filter(sends).collect();
        if !fitting.is_empty() {
            return *chance.pick(&fitting);
        }
    }
    if wish.feedback && chance.percent(30) {
        let stores = |part: &usize| {
            let kind = grown.parts[*part].kind;
            kind == "table" || kind == "bucket"
        };
        let stores: Vec<usize> = (0..grown.parts.len()).filter(stores).collect();
        let stored = if stores.is_empty() {
            let kind = chance.weighted(&[("table", 4), ("bucket", 1)]);
            add(grown, open, chance, kind)
        } else {
            *chance.pick(&stores)
        };
        let kind = if grown.parts[stored].kind == "table" {
            "table_changes"
        } else {
            "file_watch"
        };
        let hearer = add(grown, open, chance, kind);
        grown.parts[hearer].hears = Some(stored);
        return hearer;
    }
    if left == 0 || chance.percent(12) {
        let kind = chance.weighted(&SOURCES);
        return add(grown, open, chance, kind);
    }
    let themed = wish.theme.middle();
    let kind = if !themed.is_empty() && chance.percent(60) {
        chance.weighted(themed)
    } else {
        chance.weighted(&MIDDLE)
    };
    add(grown, open, chance, kind)
}

fn add(
    grown: &mut Skeleton,
    open: &mut Vec<Open>,
    chance: &mut Chance,
    kind: &'static str,
) -> usize {
    let to = grown.parts.len();
    grown.parts.push(Part { kind, hears: None });
    let inputs: &[&str] = match kind {
        "manual" | "replay" | "http" | "generator" | "schedule" | "file_watch"
        | "table_changes" => &[],
        "join" => &["left", "right"],
        "enrich" => &["in", "rows"],
        "decide" if chance.percent(50) => &["in", "seal"],
        "merge" => &["in", "in"],
        "log" | "queue" | "table" if chance.percent(20) => &["in", "in"],
        _ => &["in"],
    };
    open.extend(inputs.iter().map(|input| Open { to, input }));
    to
}

impl Skeleton {
    /// What is fed by a part, the part included; through stores as well.
    pub(super) fn behind(&self, part: usize) -> BTreeSet<usize> {
        let (mut open, mut seen) = (vec![part], BTreeSet::from([part]));
        while let Some(at) = open.pop() {
            let wired = self.wires.iter().filter(|wire| wire.from == at);
            let wired = wired.map(|wire| wire.to);
            let parts = self.parts.iter().enumerate();
            let hearing = parts.filter(|(_, part)| part.hears == Some(at));
            for next in wired.chain(hearing.map(|(part, _)| part)) {
                if seen.insert(next) {
                    open.push(next);
                }
            }
        }
        seen
    }

    /// Every part after those that feed it by wires.
    pub(super) fn along(&self) -> Vec<usize> {
        let mut done = Vec::new();
        while done.len() < self.parts.len() {
            let ready = (0..self.parts.len()).find(|part| {
                let mut ins = self.wires.iter().filter(|wire| wire.to == *part);
                !done.contains(part) && ins.all(|wire| done.contains(&wire.from))
            });
            done.push(ready.expect("wires that were grown close no loop"));
        }
        done
    }
}
