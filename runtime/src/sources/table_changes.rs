//! Every change of the rows of a table, as events.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use graph_model::catalog::{
    Access, Behaviour, Family, FieldSpec, FieldType, KindSpec, PortSpec, ReachKind, Resource,
};
use graph_model::event::Event;
use graph_model::value::{Object, Value};
use runtime_protocol::Problem;
use smol_str::{SmolStr, format_smolstr};
use tokio::sync::{Mutex, oneshot};

use super::stamp::Stamp;
use super::{BATCH_MAX, unless_stopped};
use crate::database::{self, Change, Look, Place, Reader};
use crate::kind::{Build, Kind, Make};
use crate::operator::{Failure, FailureClass};
use crate::rim::{Feed, Inbound, Settled, Source, Work};
use crate::shared::Writes;

pub(crate) fn kind() -> Kind {
    Kind {
        spec: spec(),
        make: Make::Source(make),
    }
}

/// Deliveries before a change is given up.
const TRIES_MAX: u32 = 5;
/// Pause before the second delivery; doubled each time.
const PAUSE: Duration = Duration::from_millis(500);
/// How long a source that is told to stop waits for what it handed in.
const LEAVE_WAIT: Duration = Duration::from_secs(2);
/// A reader of a quiet table notes down that it passed so many changes of others.
const PASSED_MAX: i64 = 10_000;

fn make(build: &Build) -> Result<Box<dyn Source>, Problem> {
    let now = match &*build.text("from")? {
        "beginning" => false,
        "now" => true,
        other => {
            return Err(build.problem(format!(
                "`from` = `{other}` is not known; choose `beginning` or `now`"
            )));
        }
    };
    let (path, table) = (build.path("database")?, build.text("table")?);
    let database = database::open(build, "database")?;
    let writes = Arc::clone(&database.writes);
    let reader =
        Reader::new(database, &table, build.id.as_str()).map_err(|error| build.problem(error))?;
    let turn = path.join(table.as_str()).join(build.id.as_str());
    Ok(Box::new(TableChanges {
        reader: Arc::new(reader),
        name: format_smolstr!("{}/{table}", build.text("database")?),
        now,
        writes,
        poll: build.duration("poll")?.max(Duration::from_millis(1)),
        stamp: Stamp::of(build),
        turn: build.shared.turns.get(&turn, || Ok(Turn::default()))?,
    }))
}

/// Held by the one instance of a node that reads: the next one waits until it has left.
#[derive(Default)]
pub(crate) struct Turn(Mutex<()>);

struct TableChanges {
    reader: Arc<Reader>,
    /// Database and table as people write them.
    name: SmolStr,
    /// Rows that are there at the first look are no changes.
    now: bool,
    poll: Duration,
    stamp: Stamp,
    turn: Arc<Turn>,
    /// What the flow itself writes to the database.
    writes: Arc<Writes>,
}

/// The source is told to stop.
struct Stopped;

impl Source for TableChanges {
    fn run(self: Box<Self>, feed: Feed) -> Work<'static, Result<(), Problem>> {
        Box::pin(async move {
            if let Some(_turn) = unless_stopped(&feed, self.turn.0.lock()).await {
                let Err(Stopped) = self.follow(&feed).await;
            }
            Ok(())
        })
    }
}

impl TableChanges {
    async fn follow(&self, feed: &Feed) -> Result<std::convert::Infallible, Stopped> {
        let mut place: Option<Place> = None;
        let mut passed = 0;
        let mut told = None;
        loop {
            let written = self.writes.number();
            match self.look(place).await {
                Ok(Look {
                    place: next,
                    changes,
                    missed,
                }) => {
                    told = None;
                    if missed {
                        feed.line.trouble(format!(
                            "`{}` changed more than {} times while nobody read, and the oldest changes are lost; compare what follows from them with the table",
                            self.name,
                            database::KEPT_MAX
                        ));
                    }
                    let more = changes.len() == BATCH_MAX;
                    let any = !changes.is_empty();
                    let events = changes.into_iter().map(|change| self.event(change));
                    self.hand_in(feed, events.collect()).await?;
                    place = Some(next);
                    if any || next.seq - passed >= PASSED_MAX {
                        passed = next.seq;
                        self.pass(feed, next.seq).await;
                    }
                    if more {
                        continue;
                    }
                    let writes = Arc::clone(&self.writes);
                    let still = move || writes.number() == written;
                    feed.line.caught_up_while(Box::new(still));
                }
                Err(failure) => {
                    if told.as_ref() != Some(&failure.message) {
                        feed.line.trouble(failure.message.to_string());
                        told = Some(failure.message);
                    }
                }
            }
            pause(feed, self.poll).await?;
        }
    }

    async fn look(&self, place: Option<Place>) -> Result<Look, Failure> {
        let (reader, now) = (Arc::clone(&self.reader), self.now);
        off_the_runtime(move || reader.look(place, now, BATCH_MAX)).await
    }

    /// Notes down that everything up to `seq` is done.
    async fn pass(&self, feed: &Feed, seq: i64) {
        let reader = Arc::clone(&self.reader);
        if let Err(failure) = off_the_runtime(move || reader.pass(seq)).await {
            feed.line.trouble(format!(
                "{failure}; changes that were handed in may come again after a restart"
            ));
        }
    }

    /// Hands changes in, in order, until each is safe or given up. After a failure it goes on from the
    /// change that failed, so that no later one of the same row overtakes it.
    async fn hand_in(&self, feed: &Feed, events: Vec<(i64, Event)>) -> Result<(), Stopped> {
        let mut rest = VecDeque::from(events);
        let mut tries = 0;
        while let Some(first) = rest.front().map(|(seq, _)| *seq) {
            let outcomes = self.deliver(feed, &rest).await?;
            let Some(at) = outcomes.iter().position(Result::is_err) else {
                return Ok(());
            };
            let failure = outcomes[at].clone().expect_err("it is the failed one");
            tries = if at == 0 { tries + 1 } else { 1 };
            rest.drain(..at);
            if at > 0 {
                self.pass(feed, first).await;
            }
            if failure.class == FailureClass::Invalid || tries >= TRIES_MAX {
                tries = 0;
                if let Some((_, event)) = rest.pop_front() {
                    let kept = feed.line.unreadable(event, failure).await;
                    kept.map_err(|_closed| Stopped)?;
                }
                let mut later = outcomes[at + 1..].iter();
                rest.retain(|_| later.next().is_some_and(Result::is_err));
            } else {
                pause(feed, PAUSE * (1 << (tries - 1))).await?;
            }
        }
        Ok(())
    }

    /// Hands changes in once; answers what became of each.
    async fn deliver(
        &self,
        feed: &Feed,
        events: &VecDeque<(i64, Event)>,
    ) -> Result<Vec<Result<(), Failure>>, Stopped> {
        let mut waiting = Vec::with_capacity(events.len());
        let mut inbound = Vec::with_capacity(events.len());
        for (_, event) in events {
            let (settled, told) = oneshot::channel();
            waiting.push(told);
            inbound.push(Inbound {
                settled: Some(settled),
                ..Inbound::new(event.clone())
            });
        }
        let pushed = unless_stopped(feed, feed.line.push(inbound)).await;
        if !matches!(pushed, Some(Ok(()))) {
            return Err(Stopped);
        }
        let outcomes = async {
            let mut outcomes = Vec::with_capacity(waiting.len());
            for told in waiting {
                outcomes.push(match told.await {
                    Ok(Settled::Safe | Settled::Reply(_)) => Ok(()),
                    Ok(Settled::GivenUp(failure)) => Err(failure),
                    Err(_) => Err(Failure::transient("the flow was stopped")),
                });
            }
            outcomes
        };
        tokio::pin!(outcomes);
        match unless_stopped(feed, &mut outcomes).await {
            Some(outcomes) => Ok(outcomes),
            None => tokio::time::timeout(LEAVE_WAIT, outcomes)
                .await
                .map_err(|_| Stopped),
        }
    }

    fn event(&self, change: Change) -> (i64, Event) {
        let Change {
            seq,
            at_ms,
            op,
            key,
            before,
            after,
        } = change;
        let subject = match &key {
            Value::Null => None,
            key => Some(key.to_text()),
        };
        let mut data = Object::with_capacity(4);
        data.insert("after", after);
        data.insert("before", before);
        data.insert("key", key);
        data.insert("op", op);
        let id = format_smolstr!("{}/{seq}", self.name);
        let mut event = self.stamp.event(id, at_ms, Value::from(data));
        Arc::make_mut(&mut event.context).subject = subject;
        (seq, event)
    }
}

async fn pause(feed: &Feed, pause: Duration) -> Result<(), Stopped> {
    unless_stopped(feed, tokio::time::sleep(pause))
        .await
        .ok_or(Stopped)
}

/// Does work on files where waiting holds nobody up.
async fn off_the_runtime<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Failure> + Send + 'static,
) -> Result<T, Failure> {
    let done = tokio::task::spawn_blocking(work).await;
    done.unwrap_or_else(|error| {
        Err(Failure::fatal(format!(
            "reading broke off ({error}); please report it"
        )))
    })
}

fn spec() -> KindSpec {
    KindSpec {
        id: "table_changes".into(),
        family: Family::Source,
        title: "Table changes".into(),
        summary: "Sends every change of the rows of a table.".into(),
        doc: "An event is `{op, key, before, after}`: `op` is `insert`, `update` or `delete`, `key` is what the table sink wrote as the key (else the primary key, else the row id), `before` and `after` are whole rows, null where there is none. Changes come in the order of their commits, whoever made them, also while the flow did not run: triggers write them into the table `weir_changes` of the same database. An update that changes nothing is no change, and one that changes the key is a `delete` and an `insert`; a row that `REPLACE` removes is not told of. A change is done when its delivery is settled; then the node's place in the database moves on, so that a restart goes on there and the last changes may come again. After five deliveries a change is given up. JSON that the table sink wrote comes out as JSON, bytes as hexadecimal digits. The node waits for a table that is not there; rows of a table that came later are changes. Changes that all readers have passed are removed. A database keeps a million: who is further behind misses the oldest and is told so.".into(),
        icon: "changes".into(),
        inputs: vec![],
        outputs: vec![PortSpec::data("out", "One event for each change"), PortSpec::failed("Changes that were given up, with their cause")],
        config: vec![FieldSpec::new("database", "Database", FieldType::Path { folder: false }, "SQLite file inside the project").reaches(ReachKind::Database).default_to("data.sqlite"), FieldSpec::new("table", "Table", FieldType::Text, "Name of the table").required(), FieldSpec::new("event_type", "Event type", FieldType::EventType, "Type of the events, declared in the document"), FieldSpec::new("from", "From", FieldType::choice(&["beginning", "now"]), "Where it begins when it runs for the first time: with the rows that are there, as inserted, or with the next change").default_to("now"), FieldSpec::new("poll", "Poll", FieldType::Duration, "Pause between two looks").default_to("200ms").advanced()],
        behaviour: Behaviour::Changes { ty: "event_type".into() },
        resource: Some(Resource { sort: "table".into(), named_by: vec!["database".into(), "table".into()], access: Access::Hears }),
        since: "0.1.0".into(),
    }
}

#[cfg(test)]
mod tests {
    use rusqlite::Connection;
    use tempfile::TempDir;

    use super::*;
    use crate::sources::testing::{TestFlow, make};

    fn run_in(project: &TempDir, code: &str) {
        let connection = Connection::open(project.path().join("data.sqlite")).expect("opens");
        connection.execute_batch(code).expect("runs");
    }

    fn project(code: &str) -> TempDir {
        let project = tempfile::tempdir().expect("a folder");
        run_in(&project, code);
        project
    }

    fn source(project: &TempDir, from: &str) -> Box<dyn Source> {
        let config = format!(r#"{{"table": "t", "from": "{from}", "poll": "5ms"}}"#);
        make(&kind(), &config, project.path()).expect("it is made")
    }

    #[tokio::test]
    async fn changes_of_anybody_come_in_order() {
        let project =
            project("CREATE TABLE t (id INTEGER PRIMARY KEY, name); INSERT INTO t VALUES (1, 'a')");
        let flow = TestFlow::new();
        let running = tokio::spawn(source(&project, "now").run(flow.feed()));
        flow.until(|got| got.caught_up).await;
        run_in(
            &project,
            "INSERT INTO t VALUES (2, 'b''\"'); UPDATE t SET name = 1.5 WHERE id = 1; UPDATE t SET name = name; UPDATE t SET id = 3 WHERE id = 2; DELETE FROM t WHERE id = 1",
        );
        flow.until(|got| got.events.len() == 5).await;
        assert_eq!(
            flow.payloads(),
            [
                r#"{"after":{"id":2,"name":"b'\""},"before":null,"key":2,"op":"insert"}"#,
                r#"{"after":{"id":1,"name":1.5},"before":{"id":1,"name":"a"},"key":1,"op":"update"}"#,
                r#"{"after":null,"before":{"id":2,"name":"b'\""},"key":2,"op":"delete"}"#,
                r#"{"after":{"id":3,"name":"b'\""},"before":null,"key":3,"op":"insert"}"#,
                r#"{"after":null,"before":{"id":1,"name":1.5},"key":1,"op":"delete"}"#,
            ]
        );
        flow.look(|got| {
            assert_eq!(got.events[0].context.id, "data.sqlite/t/1");
            assert_eq!(got.events[0].context.subject.as_deref(), Some("2"));
        });
        flow.stop();
        assert_eq!(running.await.expect("it ends"), Ok(()));
    }
}
