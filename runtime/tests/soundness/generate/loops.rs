//! Loops, and wires for what failed, in a design that is filled in.

use super::fields::{Env, Sort};
use super::fill::Filled;
use super::skeleton::{Part, Skeleton, Wire};
use crate::chance::Chance;

/// Leads away what some nodes give up.
pub(super) fn keep_failures(
    chance: &mut Chance,
    skeleton: &mut Skeleton,
    filled: &mut Vec<Filled>,
) {
    const FAIL: [&str; 8] = [
        "log",
        "queue",
        "topic",
        "map",
        "table",
        "effect",
        "aggregate",
        "join",
    ];
    let mut kept = None;
    for at in 0..skeleton.parts.len() {
        if !FAIL.contains(&skeleton.parts[at].kind) || !chance.percent(15) {
            continue;
        }
        let to = *kept.get_or_insert_with(|| {
            let at = skeleton.parts.len();
            add(
                skeleton,
                filled,
                "dead_letter",
                format!("file=d{at}.jsonl"),
                Env::default(),
            )
        });
        skeleton.wires.push(wire(at, "failed", to));
    }
}

/// Leads something of what comes out back to where it came from.
pub(super) fn close(chance: &mut Chance, skeleton: &mut Skeleton, filled: &mut Vec<Filled>) {
    let wish = skeleton.wish.expect("a skeleton was wished for");
    if !wish.loops {
        return;
    }
    let count = skeleton.parts.len();
    let heads: Vec<usize> = (0..count)
        .filter(|at| !filled[*at].ins.fields.is_empty())
        .filter(|at| {
            let one_input = !["join", "enrich", "decide"].contains(&filled[*at].kind);
            one_input
                && skeleton
                    .behind(*at)
                    .iter()
                    .any(|to| sends(filled, *to) && to != at)
        })
        .collect();
    if heads.is_empty() {
        return;
    }
    let head = *chance.pick(&heads);
    let behind = skeleton.behind(head);
    let tails: Vec<usize> = behind
        .into_iter()
        .filter(|at| sends(filled, *at) && *at != head)
        .collect();
    let tail = *chance.pick(&tails);
    let (port, env) = chance.pick(&filled[tail].outs).clone();
    let expr = back(chance, &filled[head].ins, &env);
    let map = add(skeleton, filled, "map", format!("expr={expr}"), env);
    skeleton.wires.push(wire(tail, port, map));
    // Most count their rounds: what nothing ends is cut by the first fix.
    let last = match chance.below(8) {
        0 => map,
        1..7 => {
            let hops = add(
                skeleton,
                filled,
                "filter",
                format!("when=(.hops // 0) < {}", chance.within(1, 4)),
                Env::default(),
            );
            skeleton.wires.push(wire(map, "out", hops));
            hops
        }
        _ => {
            let lane = add(skeleton, filled, "queue", String::new(), Env::default());
            skeleton.wires.push(wire(map, "out", lane));
            lane
        }
    };
    skeleton.wires.push(wire(last, "out", head));
}

fn sends(filled: &[Filled], at: usize) -> bool {
    !filled[at].outs.is_empty()
}

/// What makes an event of the kind that goes in of one that comes out.
fn back(chance: &mut Chance, wanted: &Env, held: &Env) -> String {
    let mut made = vec!["hops: ((.hops // 0) + 1)".to_owned()];
    for field in &wanted.fields {
        let name = field.path.trim_start_matches('.');
        if !name.chars().all(|c| c.is_ascii_alphanumeric()) || name.is_empty() {
            continue;
        }
        let same = held.fields.contains(field).then(|| field.path.clone());
        let like = held.any(chance, &[field.sort]).map(|field| field.path);
        let else_ = match field.sort {
            Sort::Number | Sort::Version => "1",
            Sort::Flag => "false",
            Sort::Items => "[]",
            Sort::State => "\"new\"",
            Sort::Id | Sort::Key | Sort::Other => "\"c1\"",
        };
        let value = same.or(like).unwrap_or_else(|| else_.to_owned());
        made.push(format!("{name}: {value}"));
    }
    format!("{{{}}}", made.join(", "))
}

fn add(
    skeleton: &mut Skeleton,
    filled: &mut Vec<Filled>,
    kind: &'static str,
    config: String,
    ins: Env,
) -> usize {
    skeleton.parts.push(Part { kind, hears: None });
    filled.push(Filled {
        kind,
        config,
        outs: Vec::new(),
        ins,
    });
    filled.len() - 1
}

fn wire(from: usize, port: &str, to: usize) -> Wire {
    Wire {
        from,
        port: port.to_owned(),
        to,
        input: "in",
        lossy: false,
    }
}
