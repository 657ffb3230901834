//! The model of a table.

use std::collections::BTreeMap;

use graph_model::event::Event;
use graph_model::value::{Object, Value};
use runtime_protocol::Problem;
use smol_str::{SmolStr, format_smolstr};

use super::{Content, Heard, Place, Store, Wrote};
use crate::database::{Mode, stored};
use crate::kind::Build;
use crate::operator::Failure;
use crate::rim::Sent;
use crate::sinks::TableShape;

/// A row: its columns by name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Row {
    pub cells: Object,
}

/// A change of a row.
pub(in crate::simulate) struct RowChange {
    pub key: Value,
    pub before: Option<Object>,
    pub after: Object,
}

/// Writes each event as a row.
pub(in crate::simulate) struct Table {
    shape: TableShape,
    columns: Vec<SmolStr>,
}

/// The column of versions.
const VERSION: &str = "weir_version";
const WRITTEN: usize = 0;
const STALE: usize = 1;

/// The name of the place where the rows of a table are.
pub(in crate::simulate) fn place_of(build: &Build) -> Result<SmolStr, Problem> {
    let (database, table) = (build.text("database")?, build.text("table")?);
    Ok(format_smolstr!(
        "table {database}/{}",
        table.to_ascii_lowercase()
    ))
}

impl Table {
    pub(super) fn of(build: &Build) -> Result<(Store, Place), Problem> {
        let shape = TableShape::new(build)?;
        let columns = shape.target().columns().iter();
        let columns = columns.map(SmolStr::from).collect();
        let place = Place {
            name: place_of(build)?,
            content: Content::Rows(BTreeMap::new()),
        };
        Ok((Store::Table(Table { shape, columns }), place))
    }

    pub(super) fn write(
        &self,
        event: &Event,
        now_ms: i64,
        rows: &mut BTreeMap<Vec<Value>, Row>,
    ) -> Result<Wrote, Failure> {
        let cells = self.shape.row(event, now_ms)?;
        let mode = self.shape.target().mode();
        let mut cells = cells.iter().map(stored);
        let key: Vec<Value> = cells.by_ref().take(mode.identity().len()).collect();
        let named = self.columns[key.len()..].iter().cloned().zip(cells);
        let sent = |port| {
            let event = event.clone();
            Some(Sent { port, event })
        };
        let held = rows.get_mut(&key);
        let unchanged = |port| Wrote {
            sent: sent(port),
            ..Wrote::nothing()
        };
        let Some(held) = held else {
            let identity = mode.identity().iter().map(|name| SmolStr::new_static(name));
            let after: Object = identity.zip(key.iter().cloned()).chain(named).collect();
            let grown = Value::from(after.clone()).weight() as isize;
            let told = if key.len() == 1 {
                key[0].clone()
            } else {
                Value::from(key.clone())
            };
            rows.insert(
                key,
                Row {
                    cells: after.clone(),
                },
            );
            return Ok(Wrote {
                sent: sent(WRITTEN),
                heard: Some(Heard::Row(RowChange {
                    key: told,
                    before: None,
                    after,
                })),
                grown,
            });
        };
        if mode == Mode::Append {
            return Ok(unchanged(WRITTEN));
        }
        let named: Vec<(SmolStr, Value)> = named.collect();
        if mode == Mode::CompareAndSet
            && let Some(newest) = held.cells.get(VERSION).and_then(Value::as_i64)
            && named.first().and_then(|(_, new)| new.as_i64()) <= Some(newest)
        {
            return Ok(unchanged(STALE));
        }
        let before = held.cells.clone();
        for (name, value) in named {
            held.cells.insert(name, value);
        }
        if held.cells == before {
            return Ok(unchanged(WRITTEN));
        }
        Ok(Wrote {
            sent: sent(WRITTEN),
            heard: Some(Heard::Row(RowChange {
                key: key[0].clone(),
                before: Some(before),
                after: held.cells.clone(),
            })),
            grown: 0,
        })
    }
}
