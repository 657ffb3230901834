//! The model of a bucket: objects in a folder.

use std::collections::BTreeMap;

use graph_model::event::Event;
use graph_model::expr::Expr;
use graph_model::value::Value;
use runtime_protocol::Problem;
use smol_str::{SmolStr, format_smolstr};

use super::{Content, Heard, Place, Store, Wrote};
use crate::kind::Build;
use crate::operator::Failure;
use crate::rim::Sent;
use crate::sinks::{eval_key, file_name};

/// Writes each event as an object; the same name puts it in the place of the old one.
pub(in crate::simulate) struct Objects {
    name: Expr,
    /// The whole event, not only its payload.
    whole: bool,
}

/// The name of the place where the objects of a folder are.
pub(in crate::simulate) fn place_of(build: &Build) -> Result<SmolStr, Problem> {
    Ok(format_smolstr!("folder {}", build.text("folder")?))
}

impl Objects {
    pub(super) fn of(build: &Build) -> Result<(Store, Place), Problem> {
        let objects = Objects {
            name: build.expr("name")?,
            whole: &*build.text("content")? == "event",
        };
        let place = Place {
            name: place_of(build)?,
            content: Content::Objects(BTreeMap::new()),
        };
        Ok((Store::Objects(objects), place))
    }

    pub(super) fn write(
        &self,
        event: &Event,
        now_ms: i64,
        held: &mut BTreeMap<SmolStr, Value>,
    ) -> Result<Wrote, Failure> {
        let name = SmolStr::from(file_name(&eval_key("name", &self.name, event, now_ms)?)?);
        let content = if self.whole {
            event.to_cloudevent()
        } else {
            event.data.clone()
        };
        let mut grown = content.weight() as isize;
        if let Some(replaced) = held.insert(name.clone(), content.clone()) {
            grown -= replaced.weight() as isize;
        }
        Ok(Wrote {
            sent: Some(Sent::first(event.clone())),
            heard: Some(Heard::Object(name, content)),
            grown,
        })
    }
}
