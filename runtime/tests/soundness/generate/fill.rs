//! Configurations that fit the fields which reach each node, along the stream.

use super::fields::{Env, Sort, field};
use super::shape::{
    below, effect_key, mapped, pointer, predicate, quoted, remake, splitted, thing,
};
use super::skeleton::{Skeleton, Wire};
use super::theme::Theme;
use super::types::Type;
use super::{code, loops, window};
use crate::chance::Chance;

#[derive(Default)]
pub(super) struct Filled {
    pub(super) kind: &'static str,
    pub(super) config: String,
    /// What leaves by which output.
    pub(super) outs: Vec<(&'static str, Env)>,
    /// What comes in.
    pub(super) ins: Env,
}

/// Fills in every part, and closes loops.
pub(super) fn fill(chance: &mut Chance, types: &[Type], skeleton: &mut Skeleton) -> Vec<Filled> {
    let theme = skeleton.wish.map_or(Theme::Plain, |wish| wish.theme);
    let mut filled: Vec<Filled> = skeleton.parts.iter().map(|_| Filled::default()).collect();
    for at in skeleton.along() {
        let wires = &skeleton.wires;
        let side = |input: &str| {
            let wires = wires.iter();
            let wires = wires.filter(|wire| wire.to == at && wire.input == input);
            let envs: Vec<&Env> = wires.map(|wire| out_of(&filled, wire)).collect();
            Env::meet(&envs)
        };
        let counts = ["resequence", "version_guard"].contains(&skeleton.parts[at].kind);
        if counts && thing(chance, &side("in")).is_none() {
            // Nobody counts versions here.
            skeleton.parts[at].kind = "merge";
        }
        let part = &skeleton.parts[at];
        let heard = skeleton.parts.iter().any(|other| other.hears == Some(at));
        let one = Node {
            at,
            kind: part.kind,
            hears: part.hears,
            heard,
            types,
            theme,
        };
        let (first, second) = match part.kind {
            "join" => (side("left"), side("right")),
            "enrich" => (side("in"), side("rows")),
            "decide" => (side("in"), side("seal")),
            _ => (side("in"), Env::default()),
        };
        let seals = skeleton
            .wires
            .iter()
            .any(|wire| wire.to == at && wire.input == "seal");
        let (config, outs) = one.draw(chance, &first, &second, seals);
        filled[at] = Filled {
            kind: part.kind,
            config,
            outs,
            ins: first,
        };
        for wire in skeleton.wires.iter_mut().filter(|wire| wire.from == at) {
            let outs = &filled[at].outs;
            let main = outs.len() == 1 || chance.percent(75);
            let port = if main { outs[0].0 } else { chance.pick(outs).0 };
            port.clone_into(&mut wire.port);
        }
    }
    loops::keep_failures(chance, skeleton, &mut filled);
    loops::close(chance, skeleton, &mut filled);
    filled
}

fn out_of<'f>(filled: &'f [Filled], wire: &Wire) -> &'f Env {
    let mut outs = filled[wire.from].outs.iter();
    let found = outs.find(|(port, _)| *port == wire.port);
    &found.expect("a wire leaves by an output that is known").1
}

/// A node that is to be configured.
struct Node<'t> {
    at: usize,
    kind: &'static str,
    hears: Option<usize>,
    heard: bool,
    types: &'t [Type],
    theme: Theme,
}

type Drawn = (String, Vec<(&'static str, Env)>);

impl Node<'_> {
    fn draw(&self, chance: &mut Chance, ins: &Env, second: &Env, seals: bool) -> Drawn {
        let at = self.at;
        if !self.heard
            && let Some(drawn) = self.theme.config(chance, self.kind, at, ins)
        {
            return drawn;
        }
        let same = |config: String| (config, vec![("out", ins.clone())]);
        let with = |config: String, other: &'static str| {
            (config, vec![("out", ins.clone()), (other, ins.clone())])
        };
        match self.kind {
            "manual" | "replay" | "http" | "generator" | "schedule" | "file_watch" => {
                self.source(chance)
            }
            "table_changes" => {
                let fields = vec![
                    field("key", Sort::Key),
                    field("after.n", Sort::Number),
                    field("after.s", Sort::Key),
                ];
                let stored = self.hears.expect("it hears of a table");
                (format!("table=t{stored}"), vec![("out", Env::of(fields))])
            }
            "map" => mapped(chance, ins),
            "function" => code::draw(chance, ins),
            "mediate" => (format!("expr={}", remake(ins)), vec![("out", ins.clone())]),
            "filter" => with(format!("when={}", predicate(chance, ins)), "dropped"),
            "route" => {
                let (one, other) = (predicate(chance, ins), predicate(chance, ins));
                let ways = [("big", one), ("rest", other)];
                let ways: Vec<String> = ways
                    .iter()
                    .map(|(name, when)| format!("{}: {}", quoted(name), quoted(when)))
                    .collect();
                let config = format!("routes={{{}}}", ways.join(", "));
                let outs = ["big", "rest", "otherwise"].map(|port| (port, ins.clone()));
                (config, outs.to_vec())
            }
            "split" => splitted(chance, ins),
            "merge" | "topic" => same(String::new()),
            "repartition" => {
                let partitions = chance.within(1, 6);
                same(format!("key={}, partitions={partitions}", ins.key(chance)))
            }
            "log" => {
                let key = if chance.percent(85) {
                    format!("key={}, ", ins.key(chance))
                } else {
                    String::new()
                };
                let whole = if chance.percent(10) {
                    ", transactional=true"
                } else {
                    ""
                };
                same(format!("{key}partitions={}{whole}", chance.within(1, 6)))
            }
            "queue" => {
                let group = if chance.percent(30) {
                    format!(", group={}", ins.key(chance))
                } else {
                    String::new()
                };
                same(format!("concurrency={}{group}", chance.within(1, 4)))
            }
            "dedupe" => {
                let config = match chance.below(4) {
                    0 => String::new(),
                    1 => format!("key={}", ins.key(chance)),
                    _ => format!("key={}", ins.id(chance)),
                };
                let ttl = *chance.pick(&["", "", "", "2d", "7d"]);
                let config = match (config.is_empty(), ttl) {
                    (_, "") => config,
                    (true, ttl) => format!("ttl={ttl}"),
                    (false, ttl) => format!("{config}, ttl={ttl}"),
                };
                with(config, "repeated")
            }
            "aggregate" => window::aggregate(chance, ins),
            "decide" => window::decide(chance, ins, second, seals),
            "fold" => window::fold(chance, ins),
            "enrich" => {
                let row_key = second.key(chance);
                let as_of = if chance.percent(40) {
                    ", as_of=true"
                } else {
                    ""
                };
                let config = format!("key={}, row_key={row_key}{as_of}", ins.key(chance));
                let mut fields = ins.fields.clone();
                fields.extend(below("row", second));
                (
                    config,
                    vec![("out", Env::of(fields)), ("missing", ins.clone())],
                )
            }
            "join" => {
                let unique = *chance.pick(&["none", "none", "left", "right", "both"]);
                let within = *chance.pick(&["1m", "1h", "7d"]);
                let (left, right) = (ins.key(chance), second.key(chance));
                let config =
                    format!("left_key={left}, right_key={right}, within={within}, unique={unique}");
                let fields = [below("left", ins), below("right", second)].concat();
                let env = Env::of(fields);
                (config, vec![("out", env.clone()), ("unmatched", env)])
            }
            "resequence" | "version_guard" => {
                let other = if self.kind == "resequence" {
                    "late"
                } else {
                    "stale"
                };
                let (id, version) = thing(chance, ins).expect("it was made a merge otherwise");
                with(format!("key={id}, version={version}"), other)
            }
            "validate" => {
                let ty = ins.ty.unwrap_or(0);
                with(format!("event_type={}", self.types[ty].name), "invalid")
            }
            "guard" => {
                let key = ins.any(chance, &[Sort::Key, Sort::Id]);
                let owner = key.map_or("/customer".to_owned(), |field| pointer(&field));
                with(format!("field={owner}, claim=customer"), "stopped")
            }
            "redact" => {
                let how = *chance.pick(&["remove", "mask"]);
                let hidden = ins.any(chance, &[Sort::Other, Sort::Number, Sort::State, Sort::Key]);
                let path = hidden.as_ref().map_or("/mail".to_owned(), pointer);
                let mut env = ins.clone();
                env.fields.retain(|held| Some(held) != hidden.as_ref());
                env.ty = None;
                (
                    format!("fields=[{}], how={how}", quoted(&path)),
                    vec![("out", env)],
                )
            }
            "tokenise" => {
                let hidden = ins.any(chance, &[Sort::Other, Sort::Key, Sort::Id]);
                let path = hidden.as_ref().map_or("/mail".to_owned(), pointer);
                let mut env = ins.clone();
                env.ty = None;
                // A variable that is set wherever tests run.
                let config = format!("fields=[{}], secret=PATH", quoted(&path));
                (config, vec![("out", env)])
            }
            "table" => self.table(chance, ins),
            "bucket" => same(format!("folder=f{at}, name={}", ins.id(chance))),
            "effect" => {
                let key = effect_key(chance, ins);
                same(format!("action=act{at}, journal=j{at}.jsonl{key}"))
            }
            "http_out" => {
                let key = effect_key(chance, ins);
                (
                    format!("url=http://localhost/{at}{key}"),
                    vec![("out", Env::default())],
                )
            }
            "view" => {
                let key = chance.percent(60);
                let config = if key {
                    format!("key={}", ins.key(chance))
                } else {
                    String::new()
                };
                (config, Vec::new())
            }
            "metric" => {
                let value = ins.number(chance).unwrap_or_else(|| "(1)".to_owned());
                let key = if chance.percent(70) {
                    format!(", key={}", ins.key(chance))
                } else {
                    String::new()
                };
                (format!("name=m{at}, value={value}{key}"), Vec::new())
            }
            "export" => (format!("file=e{at}.jsonl"), Vec::new()),
            "dead_letter" => (format!("file=d{at}.jsonl"), Vec::new()),
            _ => (String::new(), Vec::new()),
        }
    }

    fn source(&self, chance: &mut Chance) -> Drawn {
        let at = self.at;
        let ty = chance.below(self.types.len() + 1);
        let known = self.types.get(ty);
        let named = known.map_or(String::new(), |ty| format!("event_type={}", ty.name));
        let more = match self.kind {
            "replay" => format!("file=r{at}.jsonl"),
            "http" => format!("path=/p{at}"),
            "schedule" => "every=10s".to_owned(),
            "file_watch" => match self.hears {
                Some(stored) => format!("folder=f{stored}"),
                None => format!("folder=i{at}"),
            },
            "generator" => "rate=10, count=10".to_owned(),
            _ => String::new(),
        };
        let parts: Vec<String> = [named, more]
            .into_iter()
            .filter(|part| !part.is_empty())
            .collect();
        let env = match known {
            Some(held) => held.env.clone(),
            // Nobody says what comes; expressions read it all the same.
            None => Env::of(vec![
                field("k", Sort::Key),
                field("v", Sort::Number),
                field("w", Sort::Number),
            ]),
        };
        (parts.join(", "), vec![("out", env)])
    }

    fn table(&self, chance: &mut Chance, ins: &Env) -> Drawn {
        let at = self.at;
        let versions = thing(chance, ins);
        let guarded = if versions.is_some() { 3 } else { 0 };
        let modes = [("upsert", 6), ("append", 2), ("compare_and_set", guarded)];
        let mode = chance.weighted(&modes);
        let mut config = format!("table=t{at}, mode={mode}");
        if let (Some((id, version)), "compare_and_set") = (&versions, mode) {
            config.push_str(&format!(", key={id}, version={version}"));
        } else if mode != "append" {
            config.push_str(&format!(", key={}", ins.key(chance)));
        }
        if self.heard || chance.percent(40) {
            let number = ins.number(chance).unwrap_or_else(|| "(1)".to_owned());
            let key = ins.any(chance, &[Sort::Key, Sort::State]);
            let key = key.map_or_else(|| "(\"x\")".to_owned(), |field| field.path);
            let columns = format!("{{\"n\": {}, \"s\": {}}}", quoted(&number), quoted(&key));
            config.push_str(&format!(", columns={columns}"));
        }
        let stale = mode == "compare_and_set";
        let mut outs = vec![("out", ins.clone())];
        outs.extend(stale.then(|| ("stale", ins.clone())));
        (config, outs)
    }
}
