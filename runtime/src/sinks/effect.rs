//! Effect: an action that cannot be taken back.

use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::sync::{Arc, Mutex};

use graph_model::catalog::{
    Behaviour, Family, FieldSpec, FieldType, JqRole, KindSpec, PortSpec, ReachKind,
};
use graph_model::event::{Event, rfc3339};
use graph_model::expr::Expr;
use graph_model::value::{Object, Value};
use runtime_protocol::Problem;
use rustc_hash::FxHashSet;
use sha2::{Digest, Sha256};
use smol_str::SmolStr;

use crate::catalog::with_reliability;
use crate::kind::{Build, Kind, Make};
use crate::operator::Failure;
use crate::rim::{Sent, Sink, Work};
use crate::shared::lock;
use crate::world::World;

use super::lines::{self, LineFile};
use super::{Outcomes, blocking, eval_key};

pub(crate) fn kind() -> Kind {
    Kind {
        spec: spec(),
        make: Make::Sink(make),
    }
}

/// Writes each action into a journal.
struct Effect {
    journal: Arc<Journal>,
    action: SmolStr,
    key: Option<Expr>,
    world: Arc<dyn World>,
}

/// A file of actions, and which of them were done. All nodes that use it share it.
pub(crate) struct Journal {
    lines: Arc<LineFile>,
    done: Mutex<FxHashSet<Print>>,
}

/// What stands for an action and its key: a prefix of their SHA-256.
type Print = [u8; 16];

/// Keys that a journal holds at most: some 128 MiB of memory. Beyond it no further action is done,
/// as nobody could tell whether it was done before.
const KEYS_MAX: usize = 4_000_000;

/// Longest line of a journal that is read.
const LINE_MAX: u64 = 16 << 20;

fn make(build: &Build) -> Result<Box<dyn Sink>, Problem> {
    let path = build.path("journal")?;
    let lines = lines::open(build, "journal", false)?;
    let journal = build.shared.journals.get(&path, || {
        let done = read(&path).map_err(|reason| {
            let shown = build.text("journal").unwrap_or_default();
            build.problem(format!(
                "`{shown}` is no journal ({reason}); mend it or choose another file"
            ))
        })?;
        Ok(Journal {
            lines,
            done: Mutex::new(done),
        })
    })?;
    Ok(Box::new(Effect {
        journal,
        action: build.text("action")?,
        key: build.optional_expr("key")?,
        world: Arc::clone(&build.world),
    }))
}

impl Sink for Effect {
    fn write<'a>(&'a mut self, events: &'a [Event]) -> Work<'a, Outcomes> {
        let (journal, action, key) = (
            Arc::clone(&self.journal),
            self.action.clone(),
            self.key.clone(),
        );
        let (events, now_ms) = (events.to_vec(), self.world.now_ms());
        Box::pin(blocking(events.len(), move || {
            journal.act(&action, key.as_ref(), &events, now_ms)
        }))
    }
}

impl Journal {
    /// Writes down the actions that were not done yet. All of a batch are done, or none.
    fn act(&self, action: &str, key: Option<&Expr>, events: &[Event], now_ms: i64) -> Outcomes {
        // Held to the end: nobody else may do an action between the look and the deed.
        let mut done = lock(&self.done);
        let mut fresh = FxHashSet::default();
        let mut lines = Vec::new();
        let mut act = |event: &Event| -> Result<Option<Sent>, Failure> {
            let key = key
                .map(|key| eval_key("key", key, event, now_ms))
                .transpose()?;
            if let Some(key) = &key {
                let print = print(action, key);
                if done.contains(&print) || fresh.contains(&print) {
                    return Ok(Some(Sent::first(event.clone())));
                }
                if done.len() + fresh.len() >= KEYS_MAX {
                    return Err(Failure::fatal(format!(
                        "the journal holds {KEYS_MAX} keys, as many as are remembered; start another journal"
                    )));
                }
                lines::write_line(&mut lines, &entry(action, Some(key.clone()), event, now_ms))?;
                fresh.insert(print);
            } else {
                lines::write_line(&mut lines, &entry(action, None, event, now_ms))?;
            }
            Ok(Some(Sent::first(event.clone())))
        };
        let mut outcomes: Outcomes = events.iter().map(&mut act).collect();
        match self.lines.append(&lines) {
            Ok(()) => done.extend(fresh),
            Err(failure) => {
                for outcome in outcomes.iter_mut().filter(|outcome| outcome.is_ok()) {
                    *outcome = Err(failure.clone());
                }
            }
        }
        outcomes
    }
}

fn entry(action: &str, key: Option<Value>, event: &Event, now_ms: i64) -> Value {
    let mut entry = Object::with_capacity(6);
    entry.insert("action", action);
    entry.insert("at", rfc3339(now_ms));
    entry.insert("data", event.data.clone());
    entry.insert("event", event.context.id.clone());
    entry.insert("key", key.unwrap_or_default());
    entry.insert("source", event.context.source.clone());
    Value::from(entry)
}

fn print(action: &str, key: &Value) -> Print {
    let whole = Sha256::new()
        .chain_update(action)
        .chain_update([0])
        .chain_update(key.to_json())
        .finalize();
    std::array::from_fn(|at| whole[at])
}

/// The actions of a journal that have a key. A last line that somebody was interrupted in counts
/// for nothing: its action was never acknowledged.
fn read(path: &Path) -> Result<FxHashSet<Print>, String> {
    let file = File::open(path).map_err(|error| error.to_string())?;
    let mut reader = BufReader::new(file);
    let mut done = FxHashSet::default();
    let mut line = Vec::new();
    for number in 1.. {
        line.clear();
        let size = reader.by_ref().take(LINE_MAX).read_until(b'\n', &mut line);
        if size.map_err(|error| error.to_string())? == 0 {
            break;
        }
        if line.trim_ascii().is_empty() {
            continue;
        }
        let entry = Value::parse(&line, LINE_MAX as usize).ok();
        let action = entry
            .as_ref()
            .and_then(|entry| entry.get("action")?.as_str());
        match (&entry, action) {
            (Some(entry), Some(action)) => match entry.get("key") {
                None | Some(Value::Null) => {}
                Some(key) => {
                    done.insert(print(action, key));
                }
            },
            _ if torn(&line) => {}
            _ => return Err(format!("line {number} names no action")),
        }
    }
    Ok(done)
}

/// Whether writing it was interrupted: it begins like an entry and is no JSON.
fn torn(line: &[u8]) -> bool {
    line.starts_with(b"{\"action\":") && Value::parse(line, LINE_MAX as usize).is_err()
}

pub(super) fn spec() -> KindSpec {
    KindSpec {
        id: "effect".into(),
        family: Family::Sink,
        title: "Effect".into(),
        summary: "Does something that cannot be taken back: a charge, a mail.".into(),
        doc: "Locally each action is written to a journal, one line each, so that you see what would have happened. With an idempotency key an action is done once for each key, however often it is asked for, also after a restart: the journal is read when the flow starts. It holds at most 4 million keys.".into(),
        icon: "bolt".into(),
        inputs: vec![PortSpec::data("in", "Actions to do")],
        outputs: vec![PortSpec::data("out", "Actions that were done"), PortSpec::failed("Events that were given up, with their cause")],
        config: with_reliability(vec![FieldSpec::new("action", "Action", FieldType::Text, "What is done, such as `charge card`").required(), FieldSpec::new("key", "Idempotency key", FieldType::Jq { role: JqRole::Key }, "Two requests with the same key are one action"), FieldSpec::new("journal", "Journal", FieldType::Path { folder: false }, "File inside the project that lists the actions").reaches(ReachKind::WriteFile).default_to("effects.jsonl")]),
        behaviour: Behaviour::Effect { key: "key".into() },
        resource: None,
        since: "0.1.0".into(),
    }
}

#[cfg(test)]
mod tests {
    use graph_model::value;

    use super::super::testing::{Project, event, told};
    use super::Sent;

    #[tokio::test]
    async fn an_action_is_done_once_for_each_key_also_after_a_restart() {
        let mut project = Project::new();
        let config = value!({"action": "charge", "key": ".order"});
        let events = [
            event("1", value!({"order": 7})),
            event("2", value!({"order": "7"})),
            event("3", value!({"order": 7.0})),
            event("4", value!({})),
        ];
        for _ in 0..2 {
            let mut charge = project.sink("charge", "effect", &config).expect("builds");
            let outcomes = charge.write(&events).await;
            let null =
                "Invalid: `key`: `.order` is null for this event; use a field that every event has";
            assert_eq!(told(&outcomes), ["ok", "ok", "ok", null]);
            assert_eq!(
                outcomes[2],
                Ok(Some(Sent::first(events[2].clone()))),
                "a copy is answered too"
            );
        }
        assert_eq!(
            project.text("effects.jsonl"),
            concat!(
                r#"{"action":"charge","at":"1970-01-01T00:00:01Z","data":{"order":7},"event":"1","key":7,"source":"/test"}"#,
                "\n",
                r#"{"action":"charge","at":"1970-01-01T00:00:01Z","data":{"order":"7"},"event":"2","key":"7","source":"/test"}"#,
                "\n"
            )
        );
        let other = value!({"action": "mail", "key": ".order"});
        let mut mail = project.sink("mail", "effect", &other).expect("builds");
        mail.write(&events[..1]).await;
        assert_eq!(project.text("effects.jsonl").lines().count(), 3);
    }

    #[tokio::test]
    async fn without_a_key_each_request_is_an_action() {
        let mut project = Project::new();
        let config = value!({"action": "charge"});
        let mut charge = project.sink("charge", "effect", &config).expect("builds");
        charge
            .write(&[event("1", value!(1)), event("1", value!(1))])
            .await;
        assert_eq!(project.text("effects.jsonl").lines().count(), 2);
    }

    #[tokio::test]
    async fn an_interrupted_line_is_done_again_and_other_files_are_refused() {
        let mut project = Project::new();
        let config = value!({"action": "charge", "key": ".order"});
        std::fs::write(
            project.path("effects.jsonl"),
            r#"{"action":"charge","at":"19"#,
        )
        .expect("writes");
        for _ in 0..2 {
            let mut charge = project.sink("charge", "effect", &config).expect("builds");
            let outcomes = charge.write(&[event("1", value!({"order": 7}))]).await;
            assert_eq!(told(&outcomes), ["ok"]);
        }
        assert_eq!(project.text("effects.jsonl").lines().count(), 2);
        std::fs::write(project.path("effects.jsonl"), "{\"n\":1}\n").expect("writes");
        let refused = project
            .sink("charge", "effect", &config)
            .err()
            .expect("is refused");
        assert_eq!(
            refused.message,
            "`effects.jsonl` is no journal (line 1 names no action); mend it or choose another file"
        );
    }
}
