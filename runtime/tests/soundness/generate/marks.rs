//! Annotations of nodes: who looks, how late, how fast, what must hold.

use super::fill::Filled;
use crate::chance::Chance;

/// Roles and people of every design.
pub(super) const CONTEXT: &str = "\
role finance
role support
role shoppers external
principal mia(finance): customer=c1, tenant=t1
principal ben(shoppers): customer=c1, tenant=t1
principal cal(shoppers): customer=c2, tenant=t2
";

pub(super) fn draw(chance: &mut Chance, part: &Filled) -> String {
    let mut marks = String::new();
    let mut add = |mark: &str| {
        marks.push(' ');
        marks.push_str(mark);
    };
    match part.kind {
        "view" | "metric" | "console" | "export" | "dead_letter" if chance.percent(50) => {
            let who = ["@finance", "@support", "@finance,support", "@shoppers"];
            add(chance.pick::<&str>(&who));
        }
        "manual" | "replay" | "http" | "generator" => {
            if chance.percent(15) {
                add(chance.pick::<&str>(&["^max_delay=1s", "^max_delay=1m", "^max_delay=1h"]));
            }
            if chance.percent(15) {
                add(chance.pick::<&str>(&["^rate=1", "^rate=20", "^rate=200"]));
            }
        }
        "log" if chance.percent(10) => add("^retention=7d"),
        _ => {}
    }
    match part.kind {
        "table" | "effect" | "http_out" if chance.percent(10) => add("^must_not_lose=true"),
        "effect" | "http_out" if chance.percent(10) => add("^duration=200ms"),
        _ => {}
    }
    marks
}
