//! Takes the time from the event instead of the clock.

use super::fix;
use crate::expr::Expr;
use crate::validate::Fix;
use crate::validate::design::{Design, NodeIx};

/// What `$now` says of the event at hand: seconds.
const EVENT_SECONDS: &str = "($event.time | fromdateiso8601)";

pub(in crate::validate) fn use_event_time(
    design: &Design,
    node: NodeIx,
    field: &str,
) -> Option<Fix> {
    let code = design.text(node, field)?;
    let replaced = replace_word(code, "$now", EVENT_SECONDS);
    let steady = Expr::compile(&replaced).ok()?;
    if replaced == code || steady.analysis().outputs.iter().any(|row| row.nondet) {
        return None;
    }
    let title = format!(
        "Let {} take the time of the event instead of the clock",
        design.title(node)
    );
    let caution = "an event that comes late then counts as when it happened";
    Some(fix(design, title, caution, |build| {
        build.set_config(&design.nodes[node].id, field, Some(replaced.into()));
    }))
}

/// Replaces a word where no letter follows it.
fn replace_word(text: &str, word: &str, by: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find(word) {
        let (before, after) = rest.split_at(at);
        let after = &after[word.len()..];
        out.push_str(before);
        let goes_on = after.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '_');
        out.push_str(if goes_on { word } else { by });
        rest = after;
    }
    out.push_str(rest);
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::expr::{Env, Variable};
    use crate::value;
    use crate::value::Value;

    #[test]
    fn the_time_of_an_event_is_as_good_as_the_clock() {
        let code = replace_word("{a: $now, b: $nowhere}", "$now", EVENT_SECONDS);
        assert_eq!(code, format!("{{a: {EVENT_SECONDS}, b: $nowhere}}"));
        let expr = Expr::compile(EVENT_SECONDS).expect("it compiles");
        for (time, seconds) in [
            ("2026-01-01T00:00:00Z", 1_767_225_600.0),
            ("2026-01-01T00:00:00.500Z", 1_767_225_600.5),
        ] {
            let event = |variable| (variable == Variable::Event).then(|| value!({"time": (time)}));
            let made = expr
                .eval(&Value::Null, &Env::new(&event))
                .expect("it evaluates");
            assert_eq!(made.as_f64(), Some(seconds), "{time}");
        }
    }
}
