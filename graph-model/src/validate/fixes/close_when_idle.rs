//! Closes windows while nothing comes.

use std::time::Duration;

use super::fix;
use crate::units;
use crate::validate::Fix;
use crate::validate::design::NodeIx;
use crate::validate::facts::Facts;
use crate::validate::rules::order::IDLE;
use crate::value::Value;

/// The field with the length of a window.
const SIZE: &str = "size";

/// How long a silence is in milliseconds, when the window does not say how long it is itself.
const SILENCE_MS: i64 = 60_000;

/// Open windows close after a silence as long as they are, or as events may be late.
pub(in crate::validate) fn close_when_idle(facts: &Facts, node: NodeIx) -> Fix {
    let design = &*facts.design;
    let size = design.ms(node, SIZE).filter(|size| *size > 0);
    let delay = facts.input(node).and_then(|port| port.delay);
    let delay = delay.map_or(0, |(delay, _)| delay);
    let silence = size.unwrap_or(SILENCE_MS).max(delay);
    let silence = units::format_duration(Duration::from_millis(silence.unsigned_abs()));
    let title = format!(
        "Let {} close its windows when nothing comes for {silence}",
        design.title(node)
    );
    let caution = "what comes for them after such a silence is late";
    fix(design, title, caution, |build| {
        let value = Some(Value::from(silence));
        build.set_config(&design.nodes[node].id, IDLE, value);
    })
}
