//! `SQLite` files: one connection each, tables that grow by columns, batches as transactions.

mod changes;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use graph_model::value::Value;
use runtime_protocol::Problem;
use rusqlite::types::{ToSql, ToSqlOutput, ValueRef};
use rusqlite::{Connection, ErrorCode, OpenFlags, Statement, Transaction, TransactionBehavior};

pub(crate) use changes::{Change, KEPT_MAX, Look, Place, Reader};

use crate::kind::Build;
use crate::operator::{Failure, FailureClass};
use crate::shared::{Writes, lock};

/// The column of versions.
const VERSION: &str = "weir_version";
/// The type that a column for whole payloads is declared with. To `SQLite` it is text.
const PAYLOAD_TYPE: &str = "JSON TEXT";
/// Longest wait for another program that writes to the same file.
const BUSY: Duration = Duration::from_secs(2);

/// A database file. All nodes that use it share its connection, as `SQLite` has one writer at a time.
pub(crate) struct Database {
    path: PathBuf,
    /// The path as people write it in the flow.
    shown: String,
    open: Mutex<Option<Open>>,
    /// Of table sinks.
    pub(crate) writes: Arc<Writes>,
}

struct Open {
    connection: Connection,
    /// Insert statements whose tables have all that they need.
    ready: BTreeSet<String>,
}

/// Where rows go: a table, and how its rows are told apart.
#[derive(Debug)]
pub(crate) struct Target {
    table: String,
    /// The identifying columns come first, then the version, then those that the flow names.
    columns: Vec<String>,
    /// The last column holds the whole payload.
    holds_payload: bool,
    mode: Mode,
    insert: String,
}

/// What happens to a row that is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    /// The new one takes its place.
    Upsert,
    /// The old one stays.
    Append,
    /// The new one takes its place when its version is greater.
    CompareAndSet,
}

/// What became of a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Put {
    Written,
    /// Its version is not greater than that of the row that is there.
    Stale,
}

impl Mode {
    /// Columns that Weir adds to tell rows apart.
    pub(crate) fn identity(self) -> &'static [&'static str] {
        match self {
            Mode::Upsert | Mode::CompareAndSet => &["weir_key"],
            Mode::Append => &["weir_source", "weir_id"],
        }
    }

    /// Columns that Weir writes besides those that the flow names.
    fn own(self) -> &'static [&'static str] {
        match self {
            Mode::CompareAndSet => &["weir_key", VERSION],
            Mode::Upsert | Mode::Append => self.identity(),
        }
    }
}

/// The database that `field` names; all nodes that use it share it.
pub(crate) fn open(build: &Build, field: &str) -> Result<Arc<Database>, Problem> {
    let path = build.path(field)?;
    let shown = build.text(field)?;
    build.shared.databases.get(&path, || {
        Database::open(&path, &shown).map_err(|failure| build.problem(failure.message))
    })
}

impl Target {
    /// The whole payload goes into `data` when no columns are named. Refuses names that no table can
    /// have.
    pub(crate) fn new<'c>(
        table: &str,
        mode: Mode,
        names: impl IntoIterator<Item = &'c str>,
    ) -> Result<Target, String> {
        let reserved = table.to_ascii_lowercase().starts_with("sqlite_");
        if reserved || table.contains('\0') {
            return Err(format!("`{table}` is no name for a table; choose another"));
        }
        let (identity, own) = (mode.identity(), mode.own());
        let mut columns: Vec<String> = own.iter().map(|&name| name.to_owned()).collect();
        for name in names {
            if name.is_empty() || name.contains('\0') {
                return Err(format!("`{name}` is no name for a column; choose another"));
            }
            if columns.iter().any(|held| held.eq_ignore_ascii_case(name)) {
                return Err(format!(
                    "the column `{name}` is there twice (SQLite sees no case, and Weir writes {} itself); choose another name",
                    own.join(" and ")
                ));
            }
            columns.push(name.into());
        }
        let holds_payload = columns.len() == own.len();
        if holds_payload {
            columns.push("data".into());
        }
        let places = vec!["?"; columns.len()].join(", ");
        let sets = || {
            let named = columns[identity.len()..].iter().map(|name| quote(name));
            let sets = named.map(|name| format!("{name} = excluded.{name}"));
            sets.collect::<Vec<_>>().join(", ")
        };
        let on_conflict = match mode {
            Mode::Append => "NOTHING".to_owned(),
            Mode::Upsert => format!("UPDATE SET {}", sets()),
            // A row without a version was written in another mode, or by somebody else.
            Mode::CompareAndSet => format!(
                "UPDATE SET {} WHERE {table}.{VERSION} IS NULL OR excluded.{VERSION} > {table}.{VERSION}",
                sets(),
                table = quote(table),
            ),
        };
        let insert = format!(
            "INSERT INTO {} ({}) VALUES ({places}) ON CONFLICT ({}) DO {on_conflict}",
            quote(table),
            quote_all(&columns),
            quote_all(identity),
        );
        Ok(Target {
            table: table.into(),
            columns,
            holds_payload,
            mode,
            insert,
        })
    }
}

impl Target {
    /// The identifying columns come first, then the version, then those that the flow names.
    pub(crate) fn columns(&self) -> &[String] {
        &self.columns
    }

    pub(crate) fn mode(&self) -> Mode {
        self.mode
    }
}

/// A value as a table gives it back.
pub(crate) fn stored(value: &Value) -> Value {
    match value {
        Value::Bool(flag) => Value::Int((*flag).into()),
        Value::Float(number) if !number.is_finite() => Value::Null,
        Value::Float(_) => value.as_i64().map_or_else(|| value.clone(), Value::Int),
        Value::Arr(_) | Value::Obj(_) => Value::from(value.to_json()),
        other => other.clone(),
    }
}

impl Database {
    pub(crate) fn open(path: &Path, shown: &str) -> Result<Database, Failure> {
        let database = Database {
            path: path.to_path_buf(),
            shown: shown.into(),
            open: Mutex::default(),
            writes: Arc::default(),
        };
        let opened = Open::new(path).map_err(|error| database.failure("written", &error))?;
        *lock(&database.open) = Some(opened);
        Ok(database)
    }

    /// Writes rows in one transaction; answers one outcome for each, in order. A row holds a value
    /// for each column of the target. One that the table refuses is left out, the others are written.
    pub(crate) fn write(&self, target: &Target, rows: &[Vec<Value>]) -> Vec<Result<Put, Failure>> {
        let mut open = lock(&self.open);
        match self.try_write(&mut open, target, rows) {
            Ok(outcomes) => outcomes,
            Err(error) => {
                let mut failure = self.failure("written", &error);
                // The table was fine before, so somebody has changed it: look again.
                let was_ready = open
                    .as_mut()
                    .is_some_and(|open| open.ready.remove(&target.insert));
                if was_ready {
                    failure.class = FailureClass::Transient;
                }
                vec![Err(failure); rows.len()]
            }
        }
    }

    /// Looks into the database; nobody changes it meanwhile.
    pub(crate) fn read<T>(
        &self,
        look: impl FnOnce(&Connection) -> rusqlite::Result<T>,
    ) -> Result<T, Failure> {
        self.transact(TransactionBehavior::Deferred, |batch| look(batch))
    }

    /// Changes the database, as a whole or not at all.
    pub(crate) fn change<T>(
        &self,
        change: impl FnOnce(&Transaction<'_>) -> rusqlite::Result<T>,
    ) -> Result<T, Failure> {
        self.transact(TransactionBehavior::Immediate, change)
    }

    fn transact<T>(
        &self,
        behavior: TransactionBehavior,
        work: impl FnOnce(&Transaction<'_>) -> rusqlite::Result<T>,
    ) -> Result<T, Failure> {
        let mut open = lock(&self.open);
        let transact = || {
            let Open { connection, .. } = self.reopen(&mut open)?;
            let batch = connection.transaction_with_behavior(behavior)?;
            let answer = work(&batch)?;
            batch.commit()?;
            Ok(answer)
        };
        transact().map_err(|error| self.failure("followed", &error))
    }

    /// Moves everything into the file itself, so that a copy of that alone is complete.
    pub(crate) fn settle(&self) -> Result<(), Failure> {
        let open = lock(&self.open);
        let Some(open) = open.as_ref() else {
            return Ok(());
        };
        // Others may be reading: then it is done as far as it can be, which is no error.
        let settled = open
            .connection
            .query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()));
        settled.map_err(|error| self.failure("written", &error))
    }

    fn try_write(
        &self,
        open: &mut Option<Open>,
        target: &Target,
        rows: &[Vec<Value>],
    ) -> rusqlite::Result<Vec<Result<Put, Failure>>> {
        let Open { connection, ready } = self.reopen(open)?;
        let batch = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        if !ready.contains(&target.insert) {
            prepare_table(&batch, target)?;
        }
        let mut insert = batch.prepare(&target.insert)?;
        let mut outcomes = Vec::with_capacity(rows.len());
        for row in rows {
            match insert_row(&mut insert, row) {
                Ok(changed) => outcomes.push(Ok(match target.mode {
                    Mode::CompareAndSet if changed == 0 => Put::Stale,
                    _ => Put::Written,
                })),
                Err(error) if fault_of_row(&error) => {
                    outcomes.push(Err(Failure::invalid(format!(
                        "the table `{}` refuses the row ({error}); change the columns of the node or of the table",
                        target.table
                    ))));
                    // Mostly the statement alone is undone, but a table may ask for more.
                    if batch.is_autocommit() {
                        return Ok(undone(outcomes, rows.len()));
                    }
                }
                Err(error) => return Err(error),
            }
        }
        drop(insert);
        batch.commit()?;
        self.writes.add();
        ready.insert(target.insert.clone());
        Ok(outcomes)
    }

    /// The connection, also when somebody has moved or removed the file: going on with the old one
    /// would write to nowhere.
    fn reopen<'o>(&self, open: &'o mut Option<Open>) -> rusqlite::Result<&'o mut Open> {
        if open.is_none() || !self.path.exists() {
            *open = Some(Open::new(&self.path)?);
        }
        Ok(open.as_mut().expect("opened above"))
    }

    /// `what` cannot be done.
    fn failure(&self, what: &str, error: &rusqlite::Error) -> Failure {
        use ErrorCode::{
            CannotOpen, DatabaseBusy, DatabaseCorrupt, DatabaseLocked, DiskFull, NotADatabase,
            PermissionDenied, ReadOnly, SystemIoFailure,
        };
        let (class, advice) = match error.sqlite_error_code() {
            Some(DiskFull) => (FailureClass::Transient, "make room on the disk"),
            Some(DatabaseBusy | DatabaseLocked) => (
                FailureClass::Transient,
                "let the other program that writes to it finish",
            ),
            Some(ReadOnly | PermissionDenied | CannotOpen) => (
                FailureClass::Transient,
                "allow writing there or choose another file",
            ),
            Some(SystemIoFailure) => (FailureClass::Transient, "check the disk"),
            Some(NotADatabase | DatabaseCorrupt) => {
                (FailureClass::Fatal, "choose another file or mend this one")
            }
            _ => (FailureClass::Fatal, "change the node or the table"),
        };
        Failure {
            class,
            message: format!("`{}` cannot be {what} ({error}); {advice}", self.shown).into(),
        }
    }
}

impl Open {
    fn new(path: &Path) -> rusqlite::Result<Open> {
        if let Some(folder) = path.parent() {
            // What stands in the way is told by the opening itself.
            let _made = std::fs::create_dir_all(folder);
        }
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE
            | OpenFlags::SQLITE_OPEN_CREATE
            | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(path, flags)?;
        connection.busy_timeout(BUSY)?;
        connection.pragma_update(None, "journal_mode", "WAL")?;
        // A committed row is with the operating system and outlives this program, also when that is
        // killed. `FULL` would wait for the disk at every batch to outlive a power cut as well: too
        // dear for a flow whose sources can mostly be read again.
        connection.pragma_update(None, "synchronous", "NORMAL")?;
        connection.pragma_update(None, "trusted_schema", false)?;
        Ok(Open {
            connection,
            ready: BTreeSet::new(),
        })
    }
}

fn prepare_table(batch: &Transaction<'_>, target: &Target) -> rusqlite::Result<()> {
    let Target {
        table,
        columns,
        mode,
        ..
    } = target;
    let identity = mode.identity();
    let quoted = quote(table);
    // Columns without a type keep numbers and texts as they come.
    let mut declared: Vec<String> = columns.iter().map(|name| quote(name)).collect();
    if let Some(payload) = declared.last_mut().filter(|_| target.holds_payload) {
        payload.push(' ');
        payload.push_str(PAYLOAD_TYPE);
    }
    batch.execute_batch(&format!(
        "CREATE TABLE IF NOT EXISTS {quoted} ({})",
        declared.join(", ")
    ))?;
    let held: Vec<String> = batch
        .prepare("SELECT name FROM pragma_table_xinfo(?)")?
        .query_map([table], |row| row.get(0))?
        .collect::<rusqlite::Result<_>>()?;
    for (column, declared) in columns.iter().zip(&declared) {
        if !held.iter().any(|held| held.eq_ignore_ascii_case(column)) {
            batch.execute_batch(&format!("ALTER TABLE {quoted} ADD COLUMN {declared}"))?;
        }
    }
    batch.execute_batch(&format!(
        "CREATE UNIQUE INDEX IF NOT EXISTS {} ON {quoted} ({})",
        quote(&format!("{}_of_{table}", identity.join("_"))),
        quote_all(identity),
    ))?;
    changes::keep_watching(batch, table)
}

/// Answers how many rows were written.
fn insert_row(insert: &mut Statement<'_>, row: &[Value]) -> rusqlite::Result<usize> {
    for (place, value) in row.iter().enumerate() {
        insert.raw_bind_parameter(place + 1, Cell(value))?;
    }
    insert.raw_execute()
}

/// The outcomes of a batch that the table undid because of the last row that was tried.
fn undone(mut outcomes: Vec<Result<Put, Failure>>, count: usize) -> Vec<Result<Put, Failure>> {
    outcomes.resize(count, Ok(Put::Written));
    for outcome in outcomes.iter_mut().filter(|outcome| outcome.is_ok()) {
        *outcome = Err(Failure::transient(
            "the table undid the whole batch because of one row; it is tried again without that",
        ));
    }
    outcomes
}

fn fault_of_row(error: &rusqlite::Error) -> bool {
    matches!(
        error.sqlite_error_code(),
        Some(ErrorCode::ConstraintViolation | ErrorCode::TypeMismatch | ErrorCode::TooBig)
    )
}

/// A value as `SQLite` stores it: booleans as 0 and 1, arrays and objects as JSON text, whole
/// numbers as whole numbers however they were computed.
struct Cell<'v>(&'v Value);

impl ToSql for Cell<'_> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        let value = match self.0 {
            Value::Null => ValueRef::Null,
            Value::Bool(flag) => ValueRef::Integer((*flag).into()),
            Value::Int(number) => ValueRef::Integer(*number),
            Value::Float(number) if !number.is_finite() => ValueRef::Null,
            Value::Float(number) => match self.0.as_i64() {
                Some(whole) => ValueRef::Integer(whole),
                None => ValueRef::Real(*number),
            },
            Value::Str(text) => ValueRef::Text(text.as_bytes()),
            Value::Arr(_) | Value::Obj(_) => return Ok(ToSqlOutput::from(self.0.to_json())),
        };
        Ok(ToSqlOutput::Borrowed(value))
    }
}

fn quote(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

fn quote_all(names: &[impl AsRef<str>]) -> String {
    let quoted: Vec<_> = names.iter().map(|name| quote(name.as_ref())).collect();
    quoted.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_disk_undoes_the_whole_batch() {
        let folder = tempfile::tempdir().expect("a folder");
        let database = Database::open(&folder.path().join("d.sqlite"), "d.sqlite").expect("opens");
        let target = Target::new("t", Mode::Upsert, ["text"]).expect("a target");
        let row = |key: i64, size: usize| vec![Value::from(key), Value::from("x".repeat(size))];
        assert_eq!(database.write(&target, &[row(1, 1)]), [Ok(Put::Written)]);
        let pragma = |code: &str| {
            let open = lock(&database.open);
            let open = open.as_ref().expect("is open");
            open.connection
                .query_row(code, [], |row| row.get::<_, i64>(0))
                .expect("runs")
        };
        pragma("PRAGMA max_page_count = 10");
        let failure = Failure::transient(
            "`d.sqlite` cannot be written (database or disk is full); make room on the disk",
        );
        assert_eq!(
            database.write(&target, &[row(2, 1), row(3, 100_000)]),
            [Err(failure.clone()), Err(failure)]
        );
        assert_eq!(pragma("SELECT count(*) FROM t"), 1);
        pragma("PRAGMA max_page_count = 1000");
        assert_eq!(
            database.write(&target, &[row(2, 1), row(3, 100_000)]),
            [Ok(Put::Written), Ok(Put::Written)]
        );
        assert_eq!(pragma("SELECT count(*) FROM t"), 3);
    }
}
