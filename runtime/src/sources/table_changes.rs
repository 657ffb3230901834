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
    // Before anything flows that may change the table. What stands in the way is told by the first look.
    let _place = reader.begin(now);
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
        while !rest.is_empty() {
            let outcomes = self.deliver(feed, &rest).await?;
            let safe = outcomes
                .iter()
                .take_while(|outcome| outcome.is_ok())
                .count();
            if safe == rest.len() {
                return Ok(());
            }
            if let Some((seq, _)) = rest.drain(..safe).next_back() {
                self.pass(feed, seq).await;
            }
            let Some(Err(failure)) = outcomes.get(safe).cloned() else {
                return Err(Stopped);
            };
            tries = if safe == 0 { tries + 1 } else { 1 };
            if failure.class == FailureClass::Invalid || tries >= TRIES_MAX {
                tries = 0;
                if let Some((_, event)) = rest.pop_front() {
                    let kept = feed.line.unreadable(event, failure).await;
                    kept.map_err(|_closed| Stopped)?;
                }
                let mut later = outcomes[safe + 1..].iter();
                rest.retain(|_| later.next().is_none_or(Result::is_err));
            } else {
                pause(feed, PAUSE * (1 << (tries - 1))).await?;
            }
        }
        Ok(())
    }

    /// Hands changes in once; answers what became of each. They are fewer when the source is told to
    /// stop.
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
        let mut outcomes = Vec::with_capacity(waiting.len());
        {
            let mut settled = std::pin::pin!(async {
                for told in waiting {
                    outcomes.push(match told.await {
                        Ok(Settled::Safe | Settled::Reply(_)) => Ok(()),
                        Ok(Settled::GivenUp(failure)) => Err(failure),
                        Err(_gone) => Err(Failure::transient("the flow was stopped")),
                    });
                }
            });
            if unless_stopped(feed, &mut settled).await.is_none() {
                // What is under way is often settled in a moment; the rest comes again.
                let _late = tokio::time::timeout(LEAVE_WAIT, settled).await;
            }
        }
        Ok(outcomes)
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
        doc: "An event is `{op, key, before, after}`: `op` is `insert`, `update` or `delete`, `key` is what the table sink wrote as the key (else the primary key, else the row id), `before` and `after` are whole rows, null where there is none. Changes come in the order of their commits, whoever made them, also while the flow did not run: triggers write them into the table `weir_changes` of the same database. A column that somebody adds or renames is told of from the next look on; to drop one, drop the triggers `weir_insert_of_…`, `weir_update_of_…` and `weir_delete_of_…` first, they come back. An update that changes nothing is no change, and one that changes the key is a `delete` and an `insert`; a row that `REPLACE` removes is not told of. A change is done when its delivery is settled; then the node's place in the database moves on, so that a restart goes on there and the last changes may come again. After five deliveries a change is given up. JSON that the table sink wrote comes out as JSON, bytes as hexadecimal digits. The node waits for a table that is not there; rows of a table that came later are changes. Changes that all readers have passed are removed. A database keeps a million: who is further behind misses the oldest and is told so.".into(),
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
    use std::sync::atomic::{AtomicU32, Ordering};

    use graph_model::document::Document;
    use graph_model::id::NodeId;
    use graph_model::value;
    use rusqlite::Connection;
    use tempfile::TempDir;

    use super::*;
    use crate::shared::Shared;
    use crate::sources::testing::{TestFlow, make, make_in, node, refusal};

    fn run_in(project: &TempDir, code: &str) {
        let connection = Connection::open(project.path().join("data.sqlite")).expect("opens");
        connection.execute_batch(code).expect("runs");
    }

    fn count(project: &TempDir, query: &str) -> i64 {
        let connection = Connection::open(project.path().join("data.sqlite")).expect("opens");
        let count = connection.query_row(query, [], |row| row.get(0));
        count.expect("a number")
    }

    fn project(code: &str) -> TempDir {
        let project = tempfile::tempdir().expect("a folder");
        run_in(&project, code);
        project
    }

    type Running = tokio::task::JoinHandle<Result<(), Problem>>;

    fn start(project: &TempDir, config: &str) -> (Arc<TestFlow>, Running) {
        let flow = TestFlow::new();
        let source = make(&kind(), config, project.path()).expect("it is made");
        (Arc::clone(&flow), tokio::spawn(source.run(flow.feed())))
    }

    /// Runs the node `n` on the table until the flow has got `events`, does `then`, and waits for more.
    async fn follow(
        project: &TempDir,
        table: &str,
        from: &str,
        events: &[usize],
        then: &[&str],
    ) -> Arc<TestFlow> {
        let config = value!({"table": (table), "from": (from), "poll": "5ms"});
        let (flow, running) = start(project, &config.to_json());
        flow.until(|got| got.caught_up).await;
        flow.until(|got| got.events.len() == events[0]).await;
        for (code, events) in then.iter().zip(&events[1..]) {
            run_in(project, code);
            flow.until(|got| got.events.len() >= *events).await;
        }
        flow.stop();
        assert_eq!(running.await.expect("it ends"), Ok(()));
        assert_eq!(flow.look(|got| got.events.len()), events[events.len() - 1]);
        flow
    }

    /// Each event as its operation, key and new row.
    fn told(flow: &TestFlow) -> Vec<String> {
        flow.look(|got| {
            let events = got.events.iter();
            let told = events.map(|event| {
                let field =
                    |name: &str| event.data.get(name).map(Value::to_text).unwrap_or_default();
                format!("{} {} {}", field("op"), field("key"), field("after"))
            });
            told.collect()
        })
    }

    #[tokio::test]
    async fn changes_of_anybody_come_in_order() {
        let project =
            project("CREATE TABLE t (id INTEGER PRIMARY KEY, name); INSERT INTO t VALUES (1, 'a')");
        let code = "INSERT INTO t VALUES (2, 'b''\"'); UPDATE t SET name = 1.5 WHERE id = 1; UPDATE t SET name = name; UPDATE t SET id = 3 WHERE id = 2; DELETE FROM t WHERE id = 1";
        let flow = follow(&project, "t", "now", &[0, 5], &[code]).await;
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
            let context = &got.events[1].context;
            assert_eq!(
                (&*context.id, context.subject.as_deref()),
                ("data.sqlite/t/2", Some("1"))
            );
            assert_eq!((&*context.source, &*context.ty), ("n", "table_changes"));
            let age_ms =
                crate::world::World::now_ms(&crate::world::SystemWorld::new()) - context.time_ms;
            assert!((0..60_000).contains(&age_ms), "{age_ms}");
        });
        assert_eq!(
            count(&project, "SELECT count(*) FROM weir_changes"),
            0,
            "what was read goes"
        );
    }

    #[tokio::test]
    async fn a_run_goes_on_where_the_last_one_ended() {
        let project = project("CREATE TABLE t (id PRIMARY KEY); INSERT INTO t VALUES (1)");
        let flow = follow(
            &project,
            "t",
            "beginning",
            &[1, 2],
            &["INSERT INTO t VALUES (2)"],
        )
        .await;
        assert_eq!(
            told(&flow),
            [r#"insert 1 {"id":1}"#, r#"insert 2 {"id":2}"#]
        );
        run_in(
            &project,
            "INSERT INTO t VALUES (3); DELETE FROM t WHERE id = 1",
        );
        for _ in 0..2 {
            let flow = follow(
                &project,
                "T",
                "beginning",
                &[2, 2],
                &["UPDATE t SET id = id"],
            )
            .await;
            assert_eq!(told(&flow), [r#"insert 3 {"id":3}"#, "delete 1 null"]);
            assert_eq!(flow.ids(), ["data.sqlite/T/3", "data.sqlite/T/4"]);
            run_in(
                &project,
                "UPDATE weir_change_readers SET seq = 2; INSERT INTO weir_changes SELECT 3, 0, NULL, 't', 'insert', '3', NULL, '{\"id\":3}' UNION SELECT 4, 0, NULL, 't', 'delete', '1', NULL, NULL",
            );
        }
    }

    #[tokio::test]
    async fn a_table_that_is_not_there_is_waited_for() {
        let project = tempfile::tempdir().expect("a folder");
        let flow = follow(
            &project,
            "t",
            "now",
            &[0, 2, 3, 4],
            &[
                "CREATE TABLE t (a, b, PRIMARY KEY (b, a)) WITHOUT ROWID; INSERT INTO t VALUES (1, 'x'), (2, 'y')",
                "INSERT INTO t VALUES (3, 'z')",
                "DROP TABLE t; CREATE TABLE t (c); INSERT INTO t VALUES (4)",
            ],
        )
        .await;
        assert_eq!(
            told(&flow),
            [
                r#"insert ["x",1] {"a":1,"b":"x"}"#,
                r#"insert ["y",2] {"a":2,"b":"y"}"#,
                r#"insert ["z",3] {"a":3,"b":"z"}"#,
                r#"insert 1 {"c":4}"#,
            ]
        );
    }

    #[tokio::test]
    async fn a_file_that_is_gone_begins_anew() {
        let project = project("CREATE TABLE t (id PRIMARY KEY); INSERT INTO t VALUES (1), (2)");
        let (flow, running) = start(&project, r#"{"table": "t", "from": "now", "poll": "5ms"}"#);
        flow.until(|got| got.caught_up).await;
        let file = project.path().join("data.sqlite");
        for name in ["data.sqlite-wal", "data.sqlite-shm", "data.sqlite"] {
            std::fs::remove_file(project.path().join(name)).expect("it goes");
        }
        while !file.exists() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        run_in(
            &project,
            "CREATE TABLE t (id PRIMARY KEY); INSERT INTO t VALUES (3)",
        );
        flow.until(|got| got.events.len() == 1).await;
        assert_eq!(told(&flow), [r#"insert 3 {"id":3}"#]);
        flow.stop();
        assert_eq!(running.await.expect("it ends"), Ok(()));
    }

    #[tokio::test]
    async fn columns_may_come_and_go() {
        let project = project("CREATE TABLE t (a, b)");
        let (flow, running) = start(&project, r#"{"table": "t", "from": "now", "poll": "5ms"}"#);
        flow.until(|got| got.caught_up).await;
        for (number, (code, column)) in [("ADD c", "c"), ("RENAME a TO d", "d")].iter().enumerate()
        {
            run_in(&project, &format!("ALTER TABLE t {code}"));
            let known = format!(
                "SELECT count(*) FROM sqlite_master WHERE type = 'trigger' AND sql LIKE '%\"{column}\":%'"
            );
            while count(&project, &known) < 3 {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
            run_in(&project, "INSERT INTO t DEFAULT VALUES");
            flow.until(|got| got.events.len() == number + 1).await;
        }
        assert_eq!(
            told(&flow),
            [
                r#"insert 1 {"a":null,"b":null,"c":null}"#,
                r#"insert 2 {"b":null,"c":null,"d":null}"#,
            ]
        );
        flow.stop();
        assert_eq!(running.await.expect("it ends"), Ok(()));
    }

    #[tokio::test]
    async fn every_value_becomes_json() {
        let columns: Vec<String> = (0..200).map(|n| format!("c{n}")).collect();
        let project = project(&format!(
            r#"CREATE TABLE "a 'b' ""c""" (" ""x"" '" , big, infinite, bytes, text, looks, none);
               CREATE TABLE wide ({})"#,
            columns.join(", ")
        ));
        let flow = follow(
            &project,
            "a 'b' \"c\"",
            "now",
            &[0, 1],
            &[r#"INSERT INTO "a 'b' ""c""" VALUES (1, 9223372036854775807, 9e999, x'00FF', 'ä' || char(10) || '\', '[1]', NULL)"#],
        )
        .await;
        assert_eq!(
            told(&flow),
            [
                r#"insert 1 {" \"x\" '":1,"big":9223372036854775807,"bytes":"00FF","infinite":null,"looks":"[1]","none":null,"text":"ä\n\\"}"#
            ]
        );
        let flow = follow(
            &project,
            "wide",
            "now",
            &[0, 1],
            &["INSERT INTO wide (c0, c199) VALUES (1, 2)"],
        )
        .await;
        flow.look(|got| {
            let row = got.events[0]
                .data
                .get("after")
                .and_then(Value::as_object)
                .expect("a row");
            assert_eq!((row.len(), row.get("c199")), (200, Some(&value!(2))));
        });
    }

    #[tokio::test]
    async fn readers_do_not_hold_each_other_up() {
        let project = project("CREATE TABLE t (id PRIMARY KEY); CREATE TABLE u (id PRIMARY KEY)");
        follow(&project, "u", "now", &[0], &[]).await;
        follow(&project, "t", "now", &[0], &[]).await;
        run_in(
            &project,
            "INSERT INTO weir_change_readers VALUES ('other', 't', 0)",
        );
        let code = "INSERT INTO u VALUES (1); INSERT INTO t VALUES (1)";
        let flow = follow(&project, "t", "now", &[0, 1], &[code]).await;
        assert_eq!(flow.ids(), ["data.sqlite/t/2"]);
        assert_eq!(
            count(&project, "SELECT count(*) FROM weir_changes"),
            2,
            "others have yet to read"
        );
        run_in(
            &project,
            "DELETE FROM weir_change_readers WHERE reader = 'other'",
        );
        let flow = follow(&project, "t", "now", &[0, 1], &["INSERT INTO t VALUES (2)"]).await;
        assert_eq!(flow.ids(), ["data.sqlite/t/3"]);
        assert_eq!(count(&project, "SELECT max(seq) FROM weir_changes"), 1);
    }

    #[tokio::test]
    async fn a_new_reader_may_begin_with_the_rows_although_others_read_already() {
        let project = project("CREATE TABLE t (id PRIMARY KEY)");
        follow(&project, "t", "now", &[0, 1], &["INSERT INTO t VALUES (1)"]).await;
        run_in(&project, "UPDATE weir_change_readers SET reader = 'other'");
        let flow = follow(&project, "t", "beginning", &[1], &[]).await;
        assert_eq!(told(&flow), [r#"insert 1 {"id":1}"#]);
        let others = "SELECT count(*) FROM weir_changes WHERE reader IS NOT 'n'";
        assert_eq!(count(&project, others), 0, "nobody else is told again");
    }

    #[tokio::test]
    async fn who_is_too_far_behind_is_told() {
        let project = project("CREATE TABLE t (id PRIMARY KEY)");
        follow(&project, "t", "now", &[0, 1], &["INSERT INTO t VALUES (1)"]).await;
        run_in(
            &project,
            "INSERT INTO t VALUES (2); UPDATE sqlite_sequence SET seq = 2000000 WHERE name = 'weir_changes'; INSERT INTO t VALUES (3)",
        );
        let flow = follow(&project, "t", "now", &[1], &[]).await;
        assert_eq!(told(&flow), [r#"insert 3 {"id":3}"#]);
        flow.look(|got| {
            assert!(
                got.troubles[0].starts_with("`data.sqlite/t` changed more than 1000000 times"),
                "{:?}",
                got.troubles
            );
            assert_eq!(got.troubles.len(), 1);
        });
    }

    #[tokio::test]
    async fn what_fails_comes_again_in_order_and_is_given_up_in_the_end() {
        static TRIES: AtomicU32 = AtomicU32::new(0);
        let project = project("CREATE TABLE t (id PRIMARY KEY)");
        let flow = TestFlow::answering(|event| {
            let key = event.data.get("key").and_then(Value::as_i64);
            Some(match key {
                Some(2) if TRIES.fetch_add(1, Ordering::Relaxed) == 0 => {
                    Settled::GivenUp(Failure::transient("down"))
                }
                Some(4) => Settled::GivenUp(Failure::invalid("no")),
                _ => Settled::Safe,
            })
        });
        let config = r#"{"table": "t", "from": "beginning", "poll": "5ms"}"#;
        run_in(&project, "INSERT INTO t VALUES (1), (2), (3), (4), (5)");
        let source = make(&kind(), config, project.path()).expect("it is made");
        let running = tokio::spawn(source.run(flow.feed()));
        flow.until(|got| got.caught_up).await;
        let keys: Vec<_> = told(&flow)
            .iter()
            .map(|told| told[7..8].to_owned())
            .collect();
        assert_eq!(keys.concat(), "123452345");
        flow.look(|got| {
            let (event, reason) = &got.unreadable[0];
            assert_eq!((&*event.context.id, &**reason), ("data.sqlite/t/4", "no"));
            assert_eq!(got.unreadable.len(), 1);
        });
        assert_eq!(count(&project, "SELECT seq FROM weir_change_readers"), 5);
        flow.stop();
        assert_eq!(running.await.expect("it ends"), Ok(()));
    }

    #[tokio::test]
    async fn what_was_not_settled_comes_again_after_a_restart() {
        let project = project("CREATE TABLE t (id PRIMARY KEY); INSERT INTO t VALUES (1), (2)");
        let flow = TestFlow::answering(|event| {
            (event.data.get("key") == Some(&value!(1))).then_some(Settled::Safe)
        });
        let config = r#"{"table": "t", "from": "beginning", "poll": "5ms"}"#;
        let source = make(&kind(), config, project.path()).expect("it is made");
        let running = tokio::spawn(source.run(flow.feed()));
        flow.until(|got| got.events.len() == 2).await;
        flow.stop();
        assert_eq!(running.await.expect("it ends"), Ok(()));
        let again = follow(&project, "t", "beginning", &[1], &[]).await;
        assert_eq!(again.ids(), flow.ids()[1..]);
    }

    #[tokio::test]
    async fn a_rebuilt_node_goes_on_where_the_old_one_was() {
        let project = project("CREATE TABLE t (id PRIMARY KEY)");
        let (shared, mut document) = (Shared::default(), Document::default());
        let (id, config) = (NodeId::from("n"), r#"{"table": "t", "poll": "5ms"}"#);
        let node = Arc::new(node(&kind(), config));
        document.nodes.insert(id.clone(), node);
        let build = || make_in(&kind(), &document, &id, project.path(), &shared);
        let (old, new) = (TestFlow::new(), TestFlow::new());
        let first = tokio::spawn(build().expect("it is made").run(old.feed()));
        run_in(&project, "INSERT INTO t VALUES (1)");
        old.until(|got| got.events.len() == 1).await;
        let next = tokio::spawn(build().expect("it is made again").run(new.feed()));
        run_in(&project, "INSERT INTO t VALUES (2)");
        old.until(|got| got.events.len() == 2).await;
        old.stop();
        run_in(&project, "INSERT INTO t VALUES (3)");
        new.until(|got| got.events.len() == 1).await;
        assert_eq!(told(&new), [r#"insert 3 {"id":3}"#]);
        new.stop();
        for running in [first, next] {
            assert_eq!(running.await.expect("it ends"), Ok(()));
        }
    }

    #[tokio::test]
    async fn what_cannot_be_followed_is_said_once() {
        let project = project("CREATE TABLE t (id); CREATE VIEW v AS SELECT * FROM t");
        let flow = TestFlow::new();
        let config = r#"{"table": "v", "poll": "1ms"}"#;
        let source = make(&kind(), config, project.path()).expect("it is made");
        let running = tokio::spawn(source.run(flow.feed()));
        flow.until(|got| !got.troubles.is_empty()).await;
        tokio::time::sleep(Duration::from_millis(20)).await;
        flow.stop();
        assert_eq!(running.await.expect("it ends"), Ok(()));
        flow.look(|got| {
            let said = "`data.sqlite` cannot be followed (cannot create AFTER trigger on view: v";
            assert!(got.troubles[0].starts_with(said), "{:?}", got.troubles);
            assert_eq!(got.troubles.len(), 1);
        });
        for (config, wanted) in [
            (
                r#"{"table": "Weir_Changes"}"#,
                "cannot be followed; choose another table",
            ),
            (
                r#"{"table": "t", "from": "then"}"#,
                "choose `beginning` or `now`",
            ),
            (
                r#"{"table": "t", "database": "../d"}"#,
                "leaves the project folder",
            ),
            (
                r#"{"table": "t", "poll": "soon"}"#,
                "`poll` = `soon` is no duration",
            ),
        ] {
            let message = refusal(make(&kind(), config, project.path()));
            assert!(message.contains(wanted), "{message}");
        }
    }
}
