//! Designs about how much comes: rates, durations, workers, pools, prices, budgets.

use super::code;
use super::fill::Filled;
use crate::chance::Chance;

pub(super) const ENDS: [(&str, usize); 4] =
    [("table", 3), ("effect", 3), ("http_out", 1), ("view", 1)];

pub(super) const MIDDLE: [(&str, usize); 10] = [
    ("function", 5),
    ("queue", 9),
    ("log", 7),
    ("map", 8),
    ("filter", 5),
    ("split", 3),
    ("merge", 4),
    ("aggregate", 5),
    ("fold", 3),
    ("repartition", 2),
];

/// What the whole flow may take.
pub(super) fn budgets(chance: &mut Chance) -> String {
    let mut lines = String::new();
    if chance.percent(60) {
        let calls = *chance.pick(&[1, 2, 4, 10, 40]);
        lines.push_str(&format!("budget concurrency={calls}\n"));
    }
    if chance.percent(60) {
        let cost = *chance.pick(&["0.000002", "0.00001", "0.00005"]);
        lines.push_str(&format!("budget per_event={cost}\n"));
    }
    lines
}

pub(super) fn marks(chance: &mut Chance, part: &Filled) -> String {
    let mut marks = String::new();
    let mut add = |mark: String| {
        marks.push(' ');
        marks.push_str(&mark);
    };
    match part.kind {
        "manual" | "replay" | "http" | "file_watch" => {
            let rate = *chance.pick(&["0.5", "1", "5", "20", "100"]);
            add(format!("^rate={rate}"));
        }
        // What their configuration says.
        "generator" => add("^rate=10".to_owned()),
        "schedule" => add("^rate=0.1".to_owned()),
        // Two for each, and as many as there are items, which are never more.
        "split" if part.config.contains("part: 1") => add("^gain=2".to_owned()),
        "split" => add("^gain=3".to_owned()),
        "function" => add(format!("^gain={}", code::gain(part))),
        "log" if chance.percent(20) => {
            // All may have one key.
            let takes = *chance.pick(&[2, 20, 150]);
            add(format!("^partition_rate={takes} ^hot_key=1"));
        }
        "table" if chance.percent(60) => {
            let connections = *chance.pick(&[1, 2, 5, 20]);
            add(format!("^connections={connections}"));
        }
        "aggregate" | "fold" if chance.percent(30) => add("^state_ttl=1d".to_owned()),
        _ => {}
    }
    let works = [
        "map", "function", "filter", "split", "effect", "http_out", "table", "enrich", "dedupe",
    ];
    if works.contains(&part.kind) && chance.percent(45) {
        let takes = *chance.pick(&["1ms", "5ms", "20ms", "80ms", "300ms"]);
        add(format!("^duration={takes}"));
        if chance.percent(25) {
            add(format!("^instances={}", chance.within(1, 4)));
        }
    }
    if part.kind == "function" && chance.percent(70) {
        add(format!("^pool={}", chance.within(1, 4)));
    }
    if chance.percent(40) {
        let price = *chance.pick(&[1, 2, 5, 20]);
        add(format!("^price={price}"));
    }
    marks
}
