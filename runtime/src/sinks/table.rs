//! Table: rows in an `SQLite` database.

use std::sync::Arc;

use graph_model::catalog::{
    Access, Behaviour, Family, FieldSpec, FieldType, JqRole, KindSpec, PortSpec, ReachKind,
    Resource,
};
use graph_model::event::Event;
use graph_model::expr::Expr;
use graph_model::value::Value;
use runtime_protocol::Problem;

use crate::catalog::with_reliability;
use crate::database::{self, Database, Mode, Put, Target};
use crate::kind::{Build, Kind, Make};
use crate::operator::Failure;
use crate::rim::{Sent, Sink, Work};
use crate::world::World;

use super::{Outcomes, blocking, broken_off, eval, eval_key};

pub(crate) fn kind() -> Kind {
    Kind {
        spec: spec(),
        make: Make::Sink(make),
    }
}

/// Number of the port for rows that were written.
const WRITTEN: usize = 0;
/// Number of the port for rows that came too late.
const STALE: usize = 1;

/// Writes each event as a row.
struct Table {
    database: Arc<Database>,
    shape: Arc<Shape>,
    world: Arc<dyn World>,
}

/// How an event becomes a row.
pub(crate) struct Shape {
    target: Target,
    /// What identifies the row; source and id of the event in `append` mode.
    key: Option<Expr>,
    /// Which of two rows with the same key is newer, in `compare_and_set` mode.
    version: Option<Expr>,
    /// By column; none stands for the whole payload.
    columns: Vec<(String, Expr)>,
}

fn make(build: &Build) -> Result<Box<dyn Sink>, Problem> {
    Ok(Box::new(Table {
        shape: Arc::new(Shape::new(build)?),
        database: database::open(build, "database")?,
        world: Arc::clone(&build.world),
    }))
}

impl Sink for Table {
    fn write<'a>(&'a mut self, events: &'a [Event]) -> Work<'a, Outcomes> {
        let (database, shape) = (Arc::clone(&self.database), Arc::clone(&self.shape));
        let (events, now_ms) = (events.to_vec(), self.world.now_ms());
        Box::pin(blocking(events.len(), move || {
            let mut rows = Vec::with_capacity(events.len());
            let shaped: Vec<_> = events
                .iter()
                .map(|event| shape.row(event, now_ms).map(|row| rows.push(row)))
                .collect();
            let mut written = database.write(&shape.target, &rows).into_iter();
            let outcomes = shaped.into_iter().zip(events).map(|(shaped, event)| {
                shaped?;
                let put = written.next().expect("each row has an outcome")?;
                let port = match put {
                    Put::Written => WRITTEN,
                    Put::Stale => STALE,
                };
                Ok(Some(Sent { port, event }))
            });
            outcomes.collect()
        }))
    }

    fn close(&mut self) -> Work<'_, Result<(), Failure>> {
        let database = Arc::clone(&self.database);
        Box::pin(async move {
            let settled = tokio::task::spawn_blocking(move || database.settle()).await;
            settled.unwrap_or_else(|error| Err(broken_off(&error)))
        })
    }
}

impl Shape {
    pub(crate) fn new(build: &Build) -> Result<Shape, Problem> {
        let mode = match &*build.text("mode")? {
            "upsert" => Mode::Upsert,
            "append" => Mode::Append,
            "compare_and_set" => Mode::CompareAndSet,
            other => {
                return Err(build.problem(format!(
                    "`mode` = `{other}` is not known; choose `upsert`, `append` or `compare_and_set`"
                )));
            }
        };
        let key = match mode {
            Mode::Upsert | Mode::CompareAndSet => Some(build.expr("key")?),
            Mode::Append => None,
        };
        let version = match mode {
            Mode::CompareAndSet => Some(build.expr("version")?),
            Mode::Upsert | Mode::Append => None,
        };
        let columns = build
            .table("columns")
            .into_iter()
            .map(|(name, code)| {
                let field = format!("columns.{name}");
                let expr = build.compile(&field, &code)?;
                Ok((field, expr))
            })
            .collect::<Result<Vec<_>, Problem>>()?;
        let names = columns.iter().map(|(field, _)| &field["columns.".len()..]);
        let target = Target::new(&build.text("table")?, mode, names)
            .map_err(|error| build.problem(error))?;
        Ok(Shape {
            target,
            key,
            version,
            columns,
        })
    }

    pub(crate) fn target(&self) -> &Target {
        &self.target
    }

    /// A value for each column of the target.
    pub(crate) fn row(&self, event: &Event, now_ms: i64) -> Result<Vec<Value>, Failure> {
        let mut row = Vec::with_capacity(self.columns.len() + 2);
        match &self.key {
            Some(key) => row.push(eval_key("key", key, event, now_ms)?),
            None => row.extend([
                Value::str(event.context.source.clone()),
                Value::str(event.context.id.clone()),
            ]),
        }
        if let Some(version) = &self.version {
            row.push(eval_version(version, event, now_ms)?);
        }
        for (field, expr) in &self.columns {
            row.push(eval(field, expr, event, now_ms)?);
        }
        if self.columns.is_empty() {
            row.push(Value::from(event.data.to_json()));
        }
        Ok(row)
    }
}

/// Versions are compared, so they are of one sort.
fn eval_version(version: &Expr, event: &Event, now_ms: i64) -> Result<Value, Failure> {
    let whole = eval("version", version, event, now_ms)?.as_i64();
    whole.map(Value::from).ok_or_else(|| {
        Failure::invalid(format!(
            "`version`: `{version}` is no whole number for this event; use a field that holds one in every event"
        ))
    })
}

fn spec() -> KindSpec {
    KindSpec {
        id: "table".into(),
        family: Family::Sink,
        title: "Table".into(),
        summary: "Writes each event into a table.".into(),
        doc: "Rows are written in batches and acknowledged after the commit. `upsert` keeps one row for each key; `append` adds a row for each event and takes the same event (source and id) once. `compare_and_set` keeps one row for each key, too, and writes a row only when its `version` is greater than the stored one (or none is stored); what comes too late leaves by `stale` and changes nothing, so neither copies nor swapped events do harm. The table and its columns are made when they are missed; the columns `weir_key`, or `weir_source` and `weir_id`, tell rows apart, and `weir_version` holds the version. Booleans become 0 and 1, arrays and objects JSON text. A row that the table refuses is given up, the others of its batch are written. Committed rows outlive the program, also when it is killed; after a power cut the newest may be missing.".into(),
        icon: "table".into(),
        inputs: vec![PortSpec::data("in", "Events to write")],
        outputs: vec![PortSpec::data("out", "Events that were written"), PortSpec::data("stale", "In `compare_and_set` mode, events whose version is not greater than the stored one"), PortSpec::failed("Events that were given up, with their cause")],
        config: with_reliability(vec![FieldSpec::new("database", "Database", FieldType::Path { folder: false }, "SQLite file inside the project").reaches(ReachKind::Database).default_to("data.sqlite"), FieldSpec::new("table", "Table", FieldType::Text, "Name of the table").required(), FieldSpec::new("mode", "Mode", FieldType::choice(&["upsert", "append", "compare_and_set"]), "What happens to a row that is there").default_to("upsert"), FieldSpec::new("key", "Key", FieldType::Jq { role: JqRole::Key }, "What identifies the row in `upsert` and `compare_and_set` mode").default_to("$event.id"), FieldSpec::new("version", "Version", FieldType::Jq { role: JqRole::Value }, "Whole number in `compare_and_set` mode: a row is written only when it is greater than the stored one"), FieldSpec::new("columns", "Columns", FieldType::JqTable { role: JqRole::Value }, "Column name and its value; the whole payload as JSON in `data` when empty")]),
        behaviour: Behaviour::Table { mode: "mode".into(), key: "key".into(), version: "version".into() },
        resource: Some(Resource { sort: "table".into(), named_by: vec!["database".into(), "table".into()], access: Access::Writes }),
        since: "0.1.0".into(),
    }
}

#[cfg(test)]
mod tests {
    use graph_model::value;
    use rusqlite::Connection;

    use super::super::testing::{Project, event, json, told};
    use super::*;

    /// All rows, each as its values in the order of the columns.
    fn rows(project: &Project, query: &str) -> Vec<String> {
        let connection = Connection::open(project.path("data.sqlite")).expect("opens");
        let mut statement = connection.prepare(query).expect("a query");
        let width = statement.column_count();
        let rows = statement.query_map([], |row| {
            let cells = (0..width).map(|at| row.get::<_, rusqlite::types::Value>(at));
            Ok(format!("{:?}", cells.collect::<Result<Vec<_>, _>>()?))
        });
        rows.expect("runs").collect::<Result<_, _>>().expect("rows")
    }

    fn named(texts: &[(&str, &str)]) -> Vec<Event> {
        texts
            .iter()
            .map(|(id, text)| event(id, json(text)))
            .collect()
    }

    #[tokio::test]
    async fn upsert_keeps_one_row_for_each_key() {
        let mut project = Project::new();
        let config = value!({"table": "t", "key": ".k", "columns": {"n": ".n", "k": ".k"}});
        let mut table = project.sink("t", "table", &config).expect("builds");
        let events = named(&[
            ("1", r#"{"k":1,"n":1}"#),
            ("2", r#"{"k":"1","n":2.5}"#),
            ("3", r#"{"n":3}"#),
            ("4", r#"{"k":1.0,"n":[1,{"b":2,"a":true}]}"#),
            ("5", r#"{"k":"x\"'","n":true}"#),
            ("6", r#"{"k":"null","n":null}"#),
        ]);
        let outcomes = table.write(&events).await;
        let null = "Invalid: `key`: `.k` is null for this event; use a field that every event has";
        assert_eq!(told(&outcomes), ["ok", "ok", null, "ok", "ok", "ok"]);
        assert_eq!(outcomes[0], Ok(Some(Sent::first(events[0].clone()))));
        assert_eq!(
            rows(&project, "SELECT weir_key, n, k FROM t ORDER BY rowid"),
            [
                r#"[Integer(1), Text("[1,{\"a\":true,\"b\":2}]"), Integer(1)]"#,
                r#"[Text("1"), Real(2.5), Text("1")]"#,
                r#"[Text("x\"'"), Integer(1), Text("x\"'")]"#,
                r#"[Text("null"), Null, Text("null")]"#,
            ]
        );
    }

    #[tokio::test]
    async fn append_takes_an_event_once() {
        let mut project = Project::new();
        let config = value!({"table": "a \"b\"", "mode": "append"});
        let mut table = project.sink("t", "table", &config).expect("builds");
        let events = named(&[("1", "{}"), ("2", "[1]"), ("1", "\"again\"")]);
        for _ in 0..2 {
            assert_eq!(told(&table.write(&events).await), ["ok", "ok", "ok"]);
        }
        assert_eq!(
            rows(
                &project,
                r#"SELECT weir_source, weir_id, data FROM "a ""b""""#
            ),
            [
                r#"[Text("/test"), Text("1"), Text("{}")]"#,
                r#"[Text("/test"), Text("2"), Text("[1]")]"#,
            ]
        );
    }

    #[tokio::test]
    async fn compare_and_set_takes_greater_versions_alone() {
        let mut project = Project::new();
        Connection::open(project.path("data.sqlite"))
            .and_then(|held| {
                held.execute_batch("CREATE TABLE t (weir_key, n); INSERT INTO t VALUES ('b', 9)")
            })
            .expect("a row without a version");
        let config = value!({"table": "t", "mode": "compare_and_set", "key": ".k", "version": ".v", "columns": {"n": ".n"}});
        let mut table = project.sink("t", "table", &config).expect("builds");
        let events = named(&[
            ("1", r#"{"k":"a","v":2,"n":2}"#),
            ("2", r#"{"k":"a","v":1,"n":1}"#),
            ("3", r#"{"k":"a","v":2,"n":0}"#),
            ("4", r#"{"k":"b","v":-3.0,"n":1}"#),
            ("5", r#"{"k":"a","v":10,"n":10}"#),
            ("6", r#"{"k":"a","v":"11","n":11}"#),
            ("7", r#"{"k":"a","v":11.5,"n":12}"#),
        ]);
        let outcomes = table.write(&events).await;
        let ports: Vec<_> = outcomes[..5]
            .iter()
            .map(|outcome| {
                outcome
                    .as_ref()
                    .ok()
                    .and_then(Option::as_ref)
                    .map(|sent| sent.port)
            })
            .collect();
        assert_eq!(ports, [0, 1, 1, 0, 0].map(Some));
        let no_number = "Invalid: `version`: `.v` is no whole number for this event; use a field that holds one in every event";
        assert_eq!(told(&outcomes)[5..], [no_number, no_number]);
        assert_eq!(
            rows(
                &project,
                "SELECT weir_key, weir_version, n FROM t ORDER BY weir_key"
            ),
            [
                r#"[Text("a"), Integer(10), Integer(10)]"#,
                r#"[Text("b"), Integer(-3), Integer(1)]"#,
            ]
        );
        let ports = table.write(&events[..1]).await;
        assert!(matches!(&ports[..], [Ok(Some(Sent { port: STALE, .. }))]));
    }

    #[tokio::test]
    async fn tables_grow_by_columns_and_are_shared() {
        let mut project = Project::new();
        Connection::open(project.path("data.sqlite"))
            .and_then(|held| held.execute_batch("CREATE TABLE t (Old); INSERT INTO t VALUES (0)"))
            .expect("a table of somebody else");
        let one = value!({"table": "t", "columns": {"old": ".n"}});
        let two = value!({"table": "t", "columns": {"new": ".n"}});
        let mut one = project.sink("one", "table", &one).expect("builds");
        let mut two = project.sink("two", "table", &two).expect("builds");
        assert_eq!(
            told(&one.write(&named(&[("1", r#"{"n":1}"#)])).await),
            ["ok"]
        );
        assert_eq!(
            told(&two.write(&named(&[("1", r#"{"n":2}"#)])).await),
            ["ok"]
        );
        assert_eq!(
            rows(&project, "SELECT * FROM t"),
            [
                "[Integer(0), Null, Null]",
                r#"[Integer(1), Text("1"), Integer(2)]"#
            ]
        );
    }

    #[tokio::test]
    async fn columns_that_cannot_be_added_are_the_fault_of_the_node() {
        let mut project = Project::new();
        Connection::open(project.path("data.sqlite"))
            .and_then(|held| {
                held.execute_batch("CREATE TABLE t (n INTEGER NOT NULL CHECK (n < 10)) STRICT")
            })
            .expect("a strict table");
        let config = value!({"table": "t", "columns": {"n": ".n"}});
        let mut table = project.sink("t", "table", &config).expect("builds");
        let outcomes = table.write(&named(&[("1", "{}")])).await;
        assert!(
            told(&outcomes)[0].starts_with("Fatal: `data.sqlite` cannot be written (error in"),
            "columns without a type do not fit into a strict table: {outcomes:?}"
        );
    }

    #[tokio::test]
    async fn constraints_cost_only_their_row() {
        let mut project = Project::new();
        Connection::open(project.path("data.sqlite"))
            .and_then(|held| {
                held.execute_batch(
                    "CREATE TABLE t (weir_key ANY, n INTEGER NOT NULL CHECK (n < 10)) STRICT",
                )
            })
            .expect("a strict table");
        let config = value!({"table": "t", "columns": {"n": ".n"}});
        let mut table = project.sink("t", "table", &config).expect("builds");
        let events = named(&[
            ("1", r#"{"n":1}"#),
            ("2", r#"{"n":"text"}"#),
            ("3", "{}"),
            ("4", r#"{"n":10}"#),
            ("5", r#"{"n":5}"#),
        ]);
        let refused = |why: &str| {
            format!(
                "Invalid: the table `t` refuses the row ({why}); change the columns of the node or of the table"
            )
        };
        assert_eq!(
            told(&table.write(&events).await),
            [
                "ok".into(),
                refused("cannot store TEXT value in INTEGER column t.n"),
                refused("NOT NULL constraint failed: t.n"),
                refused("CHECK constraint failed: n < 10"),
                "ok".into(),
            ]
        );
        assert_eq!(
            rows(&project, "SELECT n FROM t"),
            ["[Integer(1)]", "[Integer(5)]"]
        );
    }

    #[tokio::test]
    async fn a_batch_that_the_table_undoes_goes_on_without_the_row() {
        let mut project = Project::new();
        Connection::open(project.path("data.sqlite"))
            .and_then(|held| held.execute_batch("CREATE TABLE t (n UNIQUE ON CONFLICT ROLLBACK)"))
            .expect("a harsh table");
        let config = value!({"table": "t", "columns": {"n": ".n"}});
        let mut table = project.sink("t", "table", &config).expect("builds");
        let events = named(&[
            ("1", r#"{"n":1}"#),
            ("2", r#"{"n":1}"#),
            ("3", r#"{"n":3}"#),
        ]);
        let told = told(&table.write(&events).await);
        assert!(
            told[0].starts_with("Transient: the table undid"),
            "{told:?}"
        );
        assert!(
            told[1].starts_with("Invalid: the table `t` refuses"),
            "{told:?}"
        );
        assert_eq!(told[2], told[0]);
        let rest = [events[0].clone(), events[2].clone()];
        assert!(table.write(&rest).await.iter().all(Result::is_ok));
    }

    #[tokio::test]
    async fn tables_and_files_that_go_come_back() {
        let mut project = Project::new();
        let config = value!({"table": "t", "columns": {"n": ".n"}});
        let mut table = project.sink("t", "table", &config).expect("builds");
        let events = named(&[("1", r#"{"n":1}"#)]);
        assert_eq!(told(&table.write(&events).await), ["ok"]);
        table.close().await.expect("settles");
        Connection::open(project.path("data.sqlite"))
            .and_then(|held| held.execute_batch("DROP TABLE t"))
            .expect("drops");
        let gone = "Transient: `data.sqlite` cannot be written (no such table: t";
        assert!(told(&table.write(&events).await)[0].starts_with(gone));
        assert_eq!(told(&table.write(&events).await), ["ok"]);
        std::fs::remove_file(project.path("data.sqlite")).expect("removes");
        assert_eq!(told(&table.write(&events).await), ["ok"]);
        assert_eq!(rows(&project, "SELECT n FROM t"), ["[Integer(1)]"]);
    }

    #[tokio::test]
    async fn a_locked_or_full_database_is_no_fault_of_the_event() {
        let mut project = Project::new();
        let config = value!({"table": "t"});
        let mut table = project.sink("t", "table", &config).expect("builds");
        let small = named(&[("1", "1")]);
        assert_eq!(told(&table.write(&small).await), ["ok"]);
        let other = Connection::open(project.path("data.sqlite")).expect("opens");
        other.execute_batch("BEGIN IMMEDIATE").expect("locks");
        assert_eq!(
            told(&table.write(&small).await),
            [
                "Transient: `data.sqlite` cannot be written (database is locked); let the other program that writes to it finish"
            ]
        );
        other.execute_batch("COMMIT").expect("unlocks");
        assert_eq!(told(&table.write(&small).await), ["ok"]);
    }

    #[test]
    fn what_cannot_work_is_refused() {
        let mut project = Project::new();
        std::fs::write(
            project.path("text.sqlite"),
            "no database, but long enough to be read as one".repeat(20),
        )
        .expect("writes");
        std::fs::create_dir(project.path("folder")).expect("a folder");
        for (config, message) in [
            (value!({"table": "sqlite_x"}), "is no name for a table"),
            (
                value!({"table": "t", "mode": "?"}),
                "choose `upsert`, `append` or `compare_and_set`",
            ),
            (
                value!({"table": "t", "mode": "compare_and_set"}),
                "`version` is empty; fill it in",
            ),
            (
                value!({"table": "t", "columns": {"a": ".", "A": "."}}),
                "the column `a` is there twice",
            ),
            (
                value!({"table": "t", "columns": {"Weir_Key": "."}}),
                "is there twice",
            ),
            (
                value!({"table": "t", "columns": {"a": ".a |"}}),
                "`columns.a`: 1:",
            ),
            (
                value!({"table": "t", "database": "text.sqlite"}),
                "(file is not a database); choose another file or mend this one",
            ),
            (
                value!({"table": "t", "database": "folder"}),
                "allow writing there or choose another file",
            ),
            (
                value!({"table": "t", "database": "text.sqlite/x"}),
                "allow writing there or choose another file",
            ),
        ] {
            let said = project
                .sink("t", "table", &config)
                .err()
                .map(|problem| problem.message);
            let said = said.unwrap_or_default();
            assert!(said.contains(message), "{config}: {said}");
        }
    }
}
