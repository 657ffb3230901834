//! What functions answer, compared by what it means.

use runtime::functions::host::{CallReport, FunctionEvent, FunctionFailure, FunctionPayload};
use serde_json::Value;

pub(crate) fn read(event: &FunctionEvent) -> Value {
    let FunctionPayload::Json(text) = &event.data else {
        panic!("{:?}", event.data)
    };
    values(text)
}

/// JSON whose numbers are told apart by their value alone, to the last bit: `1`, `1.0` and `1e0` are one, and a
/// whole number that is too large to be exact is the nearest one that is.
fn values(text: &str) -> Value {
    let mut value: Value =
        serde_json::from_str(&numbers_as_texts(text)).expect("a function writes JSON");
    restore(&mut value);
    value
}

/// Marks a number that became a text. No event of these tests holds it.
const NUMBER: char = '\u{f8ff}';

fn numbers_as_texts(text: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let length = match first {
            '"' => string_length(rest),
            '-' | '0'..='9' => rest
                .find(|c: char| !(c.is_ascii_alphanumeric() || "+-.".contains(c)))
                .unwrap_or(rest.len()),
            _ => first.len_utf8(),
        };
        let (part, behind) = rest.split_at(length);
        if first == '-' || first.is_ascii_digit() {
            let number: f64 = part.parse().expect("a number");
            out.push_str(&format!("\"{NUMBER}{}\"", number + 0.0));
        } else {
            out.push_str(part);
        }
        rest = behind;
    }
    out
}

fn string_length(text: &str) -> usize {
    let mut escaped = false;
    for (at, c) in text.char_indices().skip(1) {
        match c {
            '"' if !escaped => return at + 1,
            _ => escaped = c == '\\' && !escaped,
        }
    }
    text.len()
}

/// Numbers that are small and whole become numbers again, so that tests can write them.
fn restore(value: &mut Value) {
    match value {
        Value::Array(items) => items.iter_mut().for_each(restore),
        Value::Object(members) => members.values_mut().for_each(restore),
        Value::String(text) => {
            if let Some(number) = text.strip_prefix(NUMBER) {
                if let Ok(whole) = number.parse::<u32>() {
                    *value = whole.into();
                } else if number.len() < 6 {
                    *value = serde_json::from_str(number).expect("a number");
                }
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// What came of an order, as far as languages have to agree: not the words of their parsers.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Answer {
    Sent {
        port: String,
        event: Box<FunctionEvent>,
        data: Value,
        /// What each line says, and its fields.
        logs: Vec<(String, String)>,
    },
    Refused(String),
}

/// Why an event is refused of which a script sees the JSON value only, whatever it is.
const UNREADABLE: [&str; 3] = [
    "payload is not json; send the order as a json object",
    "payload is not a json object",
    "SyntaxError",
];

impl Answer {
    pub(crate) fn sort(&self) -> usize {
        match self {
            Answer::Sent { port, .. } => usize::from(port != "ok"),
            Answer::Refused(_) => 2,
        }
    }

    /// The answer, as far as a script can give it: its events name no source, its lines have no fields, and it
    /// is not told whether a payload is a text or the JSON of a text, nor called for JSON that cannot be read.
    pub(crate) fn as_by_script(&self) -> Answer {
        match self.clone() {
            Answer::Refused(why) if UNREADABLE.contains(&why.as_str()) => {
                Answer::Refused(UNREADABLE[0].into())
            }
            Answer::Sent {
                port,
                mut event,
                data,
                mut logs,
            } => {
                event.source.clear();
                for (_, fields) in &mut logs {
                    fields.clear();
                }
                Answer::Sent {
                    port,
                    event,
                    data,
                    logs,
                }
            }
            refused @ Answer::Refused(_) => refused,
        }
    }
}

pub(crate) fn answer(report: CallReport) -> Answer {
    let logs = report.logs.iter().map(|line| {
        (
            format!("{:?} {}", line.level, line.message),
            format!("{:?}", line.fields),
        )
    });
    let logs = logs.collect();
    match report.outcome {
        Ok(mut outcome) => {
            assert_eq!(outcome.emitted.len(), 1, "an order is answered once");
            let sent = outcome.emitted.remove(0);
            let data = read(&sent.event);
            let mut event = sent.event;
            event.data = FunctionPayload::None;
            Answer::Sent {
                port: sent.port,
                event: Box::new(event),
                data,
                logs,
            }
        }
        Err(FunctionFailure::Invalid(why)) => {
            let said = why.split(": ").next().unwrap_or_default();
            Answer::Refused(said.to_owned())
        }
        Err(other) => panic!("{other:?}"),
    }
}
