//! Changes of the rows of a table, whoever makes them: triggers write them down, readers follow.
//!
//! A database that somebody follows has two tables more. `weir_changes` holds the changes in the
//! order in which they were committed; `weir_change_readers` says who has read how far. What all
//! readers of a table have passed goes, and so does the oldest beyond [`KEPT_MAX`].

use std::sync::Arc;

use graph_model::value::Value;
use rusqlite::{Connection, OptionalExtension, Row, Transaction, params};

use super::{Database, PAYLOAD_TYPE, quote};
use crate::operator::Failure;

/// Changes that a database keeps at most; a reader that is further behind misses the oldest.
pub(crate) const KEPT_MAX: i64 = 1_000_000;
/// Longest text of a row, in bytes.
const ROW_MAX: usize = 1 << 30;

/// One reader of the changes of a table.
pub(crate) struct Reader {
    database: Arc<Database>,
    table: String,
    /// Who reads; the same from run to run.
    name: String,
}

/// How far a reader has looked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) seq: i64,
    /// The state of all tables in which the triggers were found in order.
    schema: i64,
    pub(crate) has_table: bool,
}

/// What a look brings.
pub(crate) struct Look {
    /// Where to look next.
    pub(crate) place: Place,
    /// In the order in which they were committed.
    pub(crate) changes: Vec<Change>,
    /// Changes went before they were read.
    pub(crate) missed: bool,
}

/// One change of one row.
pub(crate) struct Change {
    pub(crate) seq: i64,
    pub(crate) at_ms: i64,
    /// `insert`, `update` or `delete`.
    pub(crate) op: String,
    pub(crate) key: Value,
    pub(crate) before: Value,
    pub(crate) after: Value,
}

impl Reader {
    pub(crate) fn new(database: Arc<Database>, table: &str, name: &str) -> Result<Reader, String> {
        let lower = table.to_ascii_lowercase();
        if lower.starts_with("sqlite_") || lower.starts_with("weir_") || table.contains('\0') {
            return Err(format!(
                "the changes of `{table}` cannot be followed; choose another table"
            ));
        }
        Ok(Reader {
            database,
            table: table.into(),
            name: name.into(),
        })
    }

    /// Takes a place among the readers. One that has none yet begins with the rows that are there, or
    /// `now`.
    pub(crate) fn begin(&self, now: bool) -> Result<(), Failure> {
        self.database
            .change(|batch| self.attach(batch, !now))
            .map(|_place| ())
    }

    /// Looks for changes behind `place`, at most `max`; the first look goes where this reader was last.
    pub(crate) fn look(
        &self,
        place: Option<Place>,
        now: bool,
        max: usize,
    ) -> Result<Look, Failure> {
        let schema = self.database.read(schema_of)?;
        let place = match place {
            Some(place) if place.schema == schema => place,
            before => {
                // Somebody may have put another table, or another file, in the place of the old one.
                let beginning = !now || before.is_some();
                let (place, end) = self
                    .database
                    .change(|batch| self.attach(batch, beginning))?;
                let looked = before.filter(|before| (place.seq..=end).contains(&before.seq));
                Place {
                    seq: looked.map_or(place.seq, |looked| looked.seq),
                    ..place
                }
            }
        };
        if !place.has_table {
            return Ok(Look {
                place,
                changes: Vec::new(),
                missed: false,
            });
        }
        self.database
            .read(|connection| self.changes(connection, place, max))
    }

    /// Everything up to `seq` is done and does not come again.
    pub(crate) fn pass(&self, seq: i64) -> Result<(), Failure> {
        self.database.change(|batch| {
            batch.execute(
                r#"UPDATE weir_change_readers SET seq = max(seq, ?3) WHERE reader = ?1 AND "table" = ?2"#,
                params![self.name, self.table, seq],
            )?;
            batch.execute(
                r#"DELETE FROM weir_changes WHERE "table" = ?1 AND seq <= (SELECT min(seq) FROM weir_change_readers WHERE "table" = ?1)"#,
                [&self.table],
            )?;
            Ok(())
        })
    }

    /// Sees to it that changes are written down. Answers the place that is noted down for this
    /// reader, and the newest one.
    fn attach(&self, batch: &Transaction<'_>, beginning: bool) -> rusqlite::Result<(Place, i64)> {
        batch.execute_batch(TABLES)?;
        let noted: Option<i64> = batch
            .query_row(
                r#"SELECT seq FROM weir_change_readers WHERE reader = ?1 AND "table" = ?2"#,
                [&self.name, &self.table],
                |row| row.get(0),
            )
            .optional()?;
        let note = |seq: i64| {
            batch.execute(
                "INSERT INTO weir_change_readers VALUES (?1, ?2, ?3)",
                params![self.name, self.table, seq],
            )
        };
        let watched;
        if noted.is_none() && beginning {
            note(end_of(batch)?)?;
            watched = watch(batch, &self.table)?;
            if watched == Watched::Already {
                note_rows(batch, &self.table, Some(&self.name))?;
            }
        } else {
            watched = watch(batch, &self.table)?;
            if noted.is_none() {
                note(end_of(batch)?)?;
            }
        }
        let seq = batch.query_row(
            r#"SELECT seq FROM weir_change_readers WHERE reader = ?1 AND "table" = ?2"#,
            [&self.name, &self.table],
            |row| row.get(0),
        )?;
        let place = Place {
            seq,
            schema: schema_of(batch)?,
            has_table: watched != Watched::NoTable,
        };
        Ok((place, end_of(batch)?))
    }

    fn changes(&self, connection: &Connection, place: Place, max: usize) -> rusqlite::Result<Look> {
        let end = end_of(connection)?;
        let mut found = connection.prepare(
            r#"SELECT seq, at_ms, op, key, before, after FROM weir_changes WHERE "table" = ?1 AND seq > ?2 AND (reader IS NULL OR reader = ?3) ORDER BY seq LIMIT ?4"#,
        )?;
        let changes = found
            .query_map(
                params![self.table, place.seq, self.name, max as i64],
                Change::read,
            )?
            .collect::<rusqlite::Result<Vec<_>>>()?;
        let seq = match changes.last() {
            Some(last) if changes.len() == max => last.seq,
            // Nothing else is there for this reader.
            _ => end,
        };
        Ok(Look {
            place: Place { seq, ..place },
            changes,
            missed: place.seq < end - KEPT_MAX,
        })
    }
}

impl Change {
    fn read(row: &Row<'_>) -> rusqlite::Result<Change> {
        let json = |at: usize| -> rusqlite::Result<Value> {
            let text = row.get_ref(at)?.as_bytes_or_null()?;
            let Some(text) = text else {
                return Ok(Value::Null);
            };
            // The triggers write JSON; what a row holds that is none, such as half a letter, is text.
            Ok(Value::parse(text, ROW_MAX)
                .unwrap_or_else(|_| Value::from(String::from_utf8_lossy(text).into_owned())))
        };
        Ok(Change {
            seq: row.get(0)?,
            at_ms: row.get(1)?,
            op: row.get(2)?,
            key: json(3)?,
            before: json(4)?,
            after: json(5)?,
        })
    }
}

/// Sees to it that the changes of a table go on being written down when its columns change, and
/// from its first row on when it is new; if somebody follows it.
pub(super) fn keep_watching(batch: &Transaction<'_>, table: &str) -> rusqlite::Result<()> {
    let is_followed = has_tables(batch)?
        && batch
            .prepare(r#"SELECT 1 FROM weir_change_readers WHERE "table" = ?"#)?
            .exists([table])?;
    if is_followed {
        watch(batch, table)?;
    }
    Ok(())
}

/// Whether changes were written down.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Watched {
    NoTable,
    /// From now on; all readers are told of the rows that were there.
    FromNow,
    Already,
}

const TABLES: &str = r#"
    CREATE TABLE IF NOT EXISTS weir_changes (
        seq INTEGER PRIMARY KEY AUTOINCREMENT,
        at_ms INTEGER NOT NULL DEFAULT (CAST(round((julianday('now') - 2440587.5) * 86400000) AS INTEGER)),
        reader TEXT,
        "table" TEXT NOT NULL COLLATE NOCASE,
        op TEXT NOT NULL,
        key TEXT,
        before TEXT,
        after TEXT
    );
    CREATE INDEX IF NOT EXISTS weir_changes_of_table ON weir_changes ("table", seq);
    CREATE TABLE IF NOT EXISTS weir_change_readers (
        reader TEXT NOT NULL,
        "table" TEXT NOT NULL COLLATE NOCASE,
        seq INTEGER NOT NULL,
        PRIMARY KEY (reader, "table")
    ) WITHOUT ROWID;
"#;

fn has_tables(connection: &Connection) -> rusqlite::Result<bool> {
    connection
        .prepare("SELECT 1 FROM sqlite_master WHERE name = 'weir_change_readers'")?
        .exists([])
}

/// Changes with every change of any table.
fn schema_of(connection: &Connection) -> rusqlite::Result<i64> {
    connection.query_row("PRAGMA schema_version", [], |row| row.get(0))
}

fn end_of(connection: &Connection) -> rusqlite::Result<i64> {
    let end = connection.query_row(
        "SELECT seq FROM sqlite_sequence WHERE name = 'weir_changes'",
        [],
        |row| row.get(0),
    );
    Ok(end.optional()?.unwrap_or(0))
}

/// Puts the triggers in order.
fn watch(batch: &Transaction<'_>, table: &str) -> rusqlite::Result<Watched> {
    let Some(columns) = Columns::of(batch, table)? else {
        return Ok(Watched::NoTable);
    };
    let mut held = 0;
    let mut stale = false;
    let triggers = columns.triggers();
    for (name, code) in &triggers {
        let text: Option<String> = batch
            .query_row(
                "SELECT sql FROM sqlite_master WHERE type = 'trigger' AND name = ?",
                [name],
                |row| row.get(0),
            )
            .optional()?;
        held += usize::from(text.is_some());
        stale |= text.as_ref() != Some(code);
    }
    if stale {
        for (name, code) in &triggers {
            let name = quote(name);
            batch.execute_batch(&format!("DROP TRIGGER IF EXISTS {name}; {code}"))?;
        }
    }
    if held == triggers.len() {
        return Ok(Watched::Already);
    }
    let is_followed = batch
        .prepare(r#"SELECT 1 FROM weir_change_readers WHERE "table" = ?"#)?
        .exists([table])?;
    if is_followed {
        note_rows(batch, table, None)?;
    }
    Ok(Watched::FromNow)
}

/// Writes the rows that are there down as inserted, for one reader or for all.
fn note_rows(batch: &Transaction<'_>, table: &str, reader: Option<&str>) -> rusqlite::Result<()> {
    let Some(columns) = Columns::of(batch, table)? else {
        return Ok(());
    };
    let name = quote(&columns.table);
    let code = format!(
        r#"INSERT INTO weir_changes (reader, "table", op, key, after) SELECT ?1, {}, 'insert', {}, {} FROM {name}"#,
        literal(&columns.table),
        columns.key(&name),
        columns.row(&name),
    );
    batch.execute(&code, [reader])?;
    Ok(())
}

/// A table as the triggers see it.
struct Columns {
    /// As its maker wrote it.
    table: String,
    all: Vec<Column>,
    /// What tells rows apart: the columns of the table sink, else the primary key, else the row id.
    key: Vec<Column>,
}

#[derive(Clone)]
struct Column {
    name: String,
    holds: Holds,
}

/// What the texts of a column may be.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Holds {
    Text,
    /// Written by the table sink: arrays and objects are JSON.
    Values,
    /// A payload as the table sink writes it.
    Json,
}

impl Columns {
    fn of(connection: &Connection, table: &str) -> rusqlite::Result<Option<Columns>> {
        let table: Option<String> = connection
            .query_row(
                "SELECT name FROM sqlite_master WHERE type IN ('table', 'view') AND name = ? COLLATE NOCASE",
                [table],
                |row| row.get(0),
            )
            .optional()?;
        let Some(table) = table else {
            return Ok(None);
        };
        let found: Vec<(String, String, i64)> = connection
            .prepare(
                "SELECT name, type, pk FROM pragma_table_xinfo(?) WHERE hidden <> 1 ORDER BY cid",
            )?
            .query_map([&table], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?
            .collect::<rusqlite::Result<_>>()?;
        let has = |name: &str| {
            found
                .iter()
                .any(|(held, ..)| held.eq_ignore_ascii_case(name))
        };
        let own: &[&str] = match () {
            () if has("weir_key") => &["weir_key"],
            () if has("weir_source") && has("weir_id") => &["weir_source", "weir_id"],
            () => &[],
        };
        let column = |(name, ty, _): &(String, String, i64)| Column {
            name: name.clone(),
            holds: match own {
                _ if ty.eq_ignore_ascii_case(PAYLOAD_TYPE) => Holds::Json,
                [] => Holds::Text,
                _ => Holds::Values,
            },
        };
        let named = |name: &str, holds| Column {
            name: name.into(),
            holds,
        };
        let mut key: Vec<_> = own.iter().map(|name| named(name, Holds::Values)).collect();
        if key.is_empty() {
            let mut primary: Vec<_> = found.iter().filter(|(_, _, place)| *place > 0).collect();
            primary.sort_by_key(|(_, _, place)| *place);
            key.extend(primary.into_iter().map(column));
        }
        if key.is_empty() {
            key.push(named("_rowid_", Holds::Text));
        }
        Ok(Some(Columns {
            all: found.iter().map(column).collect(),
            key,
            table,
        }))
    }

    /// Names and code of the triggers.
    fn triggers(&self) -> [(String, String); 3] {
        let (old_key, new_key) = (self.key("OLD"), self.key("NEW"));
        let (old, new) = (self.row("OLD"), self.row("NEW"));
        let note = |op: &str, key: &str, before: &str, after: &str, when: &str| {
            format!(
                r#"INSERT INTO weir_changes ("table", op, key, before, after) SELECT {}, '{op}', {key}, {before}, {after} WHERE {when}; "#,
                literal(&self.table)
            )
        };
        let moved = format!("{old_key} <> {new_key}");
        let changed = format!("{old_key} = {new_key} AND {old} <> {new}");
        let trigger = |op: &str, notes: &str| {
            let name = format!("weir_{op}_of_{}", self.table);
            let code = format!(
                "CREATE TRIGGER {} AFTER {} ON {} BEGIN {notes}DELETE FROM weir_changes WHERE seq <= (SELECT max(seq) FROM weir_changes) - {KEPT_MAX}; END",
                quote(&name),
                op.to_ascii_uppercase(),
                quote(&self.table),
            );
            (name, code)
        };
        [
            trigger("insert", &note("insert", &new_key, "NULL", &new, "true")),
            trigger("delete", &note("delete", &old_key, &old, "NULL", "true")),
            trigger(
                "update",
                &[
                    // A row with another key is another row.
                    note("delete", &old_key, &old, "NULL", &moved),
                    note("insert", &new_key, "NULL", &new, &moved),
                    note("update", &new_key, &old, &new, &changed),
                ]
                .concat(),
            ),
        ]
    }

    /// The key of the row that `of` names, as JSON: an array when it has several parts.
    fn key(&self, of: &str) -> String {
        match &*self.key {
            [one] => one.json(of),
            parts => {
                let parts: Vec<_> = parts.iter().map(|part| part.json(of)).collect();
                format!("'[' || {} || ']'", parts.join(" || ',' || "))
            }
        }
    }

    /// The row that `of` names, as JSON.
    fn row(&self, of: &str) -> String {
        let field = |column: &Column| {
            let name = Value::str(column.name.as_str()).to_json();
            format!("{} || {}", literal(&format!("{name}:")), column.json(of))
        };
        // In portions, as SQLite bounds how deep an expression is.
        let portions = self.all.chunks(50).map(|columns| {
            let fields: Vec<_> = columns.iter().map(field).collect();
            format!("({})", fields.join(" || ',' || "))
        });
        let portions: Vec<_> = portions.collect();
        format!("('{{' || {} || '}}')", portions.join(" || ',' || "))
    }
}

impl Column {
    /// The value as JSON, in the row that `of` names. Bytes become hexadecimal digits; a number beyond
    /// all numbers is null.
    fn json(&self, of: &str) -> String {
        let cell = format!("{of}.{}", quote(&self.name));
        let plain = format!(
            "json_quote(CASE typeof({cell}) WHEN 'blob' THEN hex({cell}) WHEN 'real' THEN iif(abs({cell}) <= 1.7976931348623157e308, {cell}, NULL) ELSE {cell} END)"
        );
        match self.holds {
            Holds::Text => plain,
            Holds::Values => format!(
                "iif(iif(typeof({cell}) = 'text' AND substr({cell}, 1, 1) IN ('[', '{{'), iif(json_valid({cell}), json({cell}) = {cell}, false), false), {cell}, {plain})"
            ),
            Holds::Json => format!("iif(json_valid({cell}), json({cell}), {plain})"),
        }
    }
}

fn literal(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}
