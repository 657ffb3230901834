//! Models of what sinks write to: the same meaning as the real ones, in memory.

mod effect;
mod lines;
mod objects;
mod shown;
mod table;

use graph_model::event::Event;
use graph_model::value::{Object, Value};
use runtime_protocol::Problem;
use smol_str::SmolStr;

pub use self::effect::{Deeds, Done};
pub(super) use self::objects::place_of as folder_place;
pub use self::table::Row;
pub(super) use self::table::{RowChange, place_of as table_place};

use crate::kind::Build;
use crate::operator::Failure;
use crate::rim::Sent;

/// What a place holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Content {
    /// Rows of a table by what identifies them: the key, or source and id.
    Rows(std::collections::BTreeMap<Vec<Value>, Row>),
    /// What a view, a metric or a console shows, newest last: key and payload.
    Shown(std::collections::VecDeque<(Option<Value>, Value)>),
    /// Lines of a file.
    Lines(Vec<Value>),
    /// Actions that were done, in their order.
    Done(Deeds),
    /// Objects of a folder by their names.
    Objects(std::collections::BTreeMap<SmolStr, Value>),
}

/// Somewhere that sinks write to; several may write to the same.
pub(super) struct Place {
    /// Sort and name.
    pub name: SmolStr,
    pub content: Content,
}

/// How a sink writes.
pub(super) enum Store {
    Table(table::Table),
    Shown(shown::Shown),
    Lines(lines::Lines),
    Effect(effect::Effect),
    Objects(objects::Objects),
}

/// What a write did to a place, for those who hear of it.
pub(super) enum Heard {
    Row(RowChange),
    /// Name and bytes of an object.
    Object(SmolStr, Value),
}

/// What came of a write.
pub(super) struct Wrote {
    pub sent: Option<Sent>,
    pub heard: Option<Heard>,
    /// Bytes that the place holds more, roughly; fewer when what was written replaces more.
    pub grown: isize,
}

impl Store {
    /// The store of a sink and the place that it writes to. An unknown kind of sink has none.
    pub(super) fn of(build: &Build) -> Result<Option<(Store, Place)>, Problem> {
        Ok(Some(match build.spec.id.as_str() {
            "table" => table::Table::of(build)?,
            "view" | "metric" | "console" => shown::Shown::of(build)?,
            "export" | "dead_letter" => lines::Lines::of(build)?,
            "effect" | "http_out" => effect::Effect::of(build)?,
            "bucket" => objects::Objects::of(build)?,
            _ => return Ok(None),
        }))
    }

    /// How many events it shows, if those are the newest ones as they are.
    pub(super) fn shows_newest(&self) -> Option<usize> {
        match self {
            Store::Shown(shown) => shown.shows_newest(),
            _ => None,
        }
    }

    pub(super) fn write(
        &self,
        event: &Event,
        now_ms: i64,
        content: &mut Content,
    ) -> Result<Wrote, Failure> {
        match (self, content) {
            (Store::Table(table), Content::Rows(rows)) => table.write(event, now_ms, rows),
            (Store::Shown(shown), Content::Shown(rows)) => shown.write(event, now_ms, rows),
            (Store::Lines(file), Content::Lines(lines)) => Ok(file.write(event, lines)),
            (Store::Effect(effect), Content::Done(done)) => effect.write(event, now_ms, done),
            (Store::Objects(folder), Content::Objects(held)) => folder.write(event, now_ms, held),
            _ => Err(Failure::fatal(
                "two sinks write to the same place in different ways; give one another place",
            )),
        }
    }
}

impl Content {
    /// How many things it holds.
    pub fn len(&self) -> usize {
        match self {
            Content::Rows(rows) => rows.len(),
            Content::Shown(rows) => rows.len(),
            Content::Lines(lines) => lines.len(),
            Content::Done(done) => done.list().len(),
            Content::Objects(objects) => objects.len(),
        }
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// What somebody finds there in the end: rows, lines, payloads of actions and objects; of a view the
    /// last of each key.
    pub fn things(&self) -> Vec<Value> {
        match self {
            Content::Shown(rows) => {
                let mut last: Vec<(&Option<Value>, &Value)> = Vec::new();
                for (key, data) in rows {
                    match last
                        .iter_mut()
                        .find(|(held, _)| key.is_some() && *held == key)
                    {
                        Some((_, held)) => *held = data,
                        None => last.push((key, data)),
                    }
                }
                last.into_iter().map(|(_, data)| data.clone()).collect()
            }
            Content::Done(done) => done.list().iter().map(|done| done.data.clone()).collect(),
            Content::Objects(objects) => objects.values().cloned().collect(),
            Content::Rows(_) | Content::Lines(_) => {
                let all = self.to_value();
                all.as_array().unwrap_or_default().to_vec()
            }
        }
    }

    /// What the last write made seen; nothing where it changed nothing.
    pub(super) fn shown(&self, wrote: &Wrote) -> Option<Value> {
        match (self, &wrote.heard) {
            (_, Some(Heard::Row(change))) => Some(change.after.clone().into()),
            (_, Some(Heard::Object(_, content))) => Some(content.clone()),
            (Content::Shown(rows), None) => rows.back().map(|(_, data)| data.clone()),
            (Content::Lines(lines), None) => lines.last().cloned(),
            (Content::Done(done), None) if wrote.grown > 0 => {
                done.list().last().map(|deed| deed.data.clone())
            }
            (Content::Rows(_) | Content::Objects(_) | Content::Done(_), None) => None,
        }
    }

    /// Everything as JSON, in a fixed order.
    pub fn to_value(&self) -> Value {
        match self {
            Content::Rows(rows) => rows
                .values()
                .map(|row| Value::from(row.cells.clone()))
                .collect(),
            Content::Shown(rows) => rows.iter().map(|(_, data)| data.clone()).collect(),
            Content::Lines(lines) => Value::from(lines.clone()),
            Content::Done(done) => done.list().iter().map(Done::to_value).collect(),
            Content::Objects(objects) => {
                let objects = objects.iter();
                let object: Object = objects
                    .map(|(name, content)| (name.clone(), content.clone()))
                    .collect();
                Value::from(object)
            }
        }
    }
}

impl Wrote {
    fn nothing() -> Wrote {
        Wrote {
            sent: None,
            heard: None,
            grown: 0,
        }
    }
}
