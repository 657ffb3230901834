//! Lines that functions wrote to the log, until somebody takes them.

use std::collections::VecDeque;
use std::sync::Mutex;

use graph_model::id::NodeId;
use runtime_protocol::function::{LogLevel, LogLine};

use super::host;
use crate::shared::lock;

/// Lines that wait at most; the oldest go first and are counted.
const LINES_MAX: usize = 1_000;
/// Letters of a line that are kept.
const LETTERS_MAX: usize = 1_000;

/// The log of an engine's functions.
#[derive(Debug, Default)]
pub(crate) struct Logs(Mutex<Held>);

#[derive(Debug, Default)]
struct Held {
    lines: VecDeque<LogLine>,
    skipped: u64,
}

impl Logs {
    /// Adds the lines of a call; `dropped` more had passed its limit.
    pub(super) fn add(&self, node: &NodeId, lines: Vec<host::LogLine>, dropped: u32) {
        if lines.is_empty() && dropped == 0 {
            return;
        }
        let mut held = lock(&self.0);
        held.skipped += u64::from(dropped);
        for line in lines {
            if held.lines.len() >= LINES_MAX {
                held.lines.pop_front();
                held.skipped += 1;
            }
            held.lines.push_back(told(node, &line));
        }
    }

    /// All that came since the last look, and how many were left out.
    pub(crate) fn take(&self) -> (Vec<LogLine>, u64) {
        let mut held = lock(&self.0);
        let skipped = std::mem::take(&mut held.skipped);
        (held.lines.drain(..).collect(), skipped)
    }
}

/// A line as people see it.
pub(super) fn told(node: &NodeId, line: &host::LogLine) -> LogLine {
    let mut message: String = line.message.chars().take(LETTERS_MAX).collect();
    for (name, value) in &line.fields {
        message.push_str(&format!(" {name}={value}"));
    }
    LogLine {
        node: node.clone(),
        level: match line.level {
            host::LogLevel::Trace => LogLevel::Trace,
            host::LogLevel::Debug => LogLevel::Debug,
            host::LogLevel::Info => LogLevel::Info,
            host::LogLevel::Warn => LogLevel::Warn,
            host::LogLevel::Error => LogLevel::Error,
        },
        message,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_wait_until_they_are_taken_and_the_oldest_go_first() {
        let logs = Logs::default();
        let line = |number: usize| host::LogLine {
            level: host::LogLevel::Info,
            message: format!("line {number}"),
            fields: vec![("k".into(), "v".into())],
        };
        logs.add(&"n".into(), (0..LINES_MAX + 5).map(line).collect(), 2);
        let (lines, skipped) = logs.take();
        assert_eq!((lines.len(), skipped), (LINES_MAX, 7));
        assert_eq!(lines[0].message, "line 5 k=v");
        assert_eq!(logs.take(), (Vec::new(), 0));
    }
}
