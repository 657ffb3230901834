//! The model of files of lines: exports and dead letters.

use graph_model::event::Event;
use graph_model::value::Value;
use runtime_protocol::Problem;
use smol_str::format_smolstr;

use super::{Content, Place, Store, Wrote};
use crate::kind::Build;

/// Appends each event as a line.
pub(in crate::simulate) struct Lines {
    /// The whole event, not only its payload.
    whole: bool,
}

impl Lines {
    pub(super) fn of(build: &Build) -> Result<(Store, Place), Problem> {
        let whole = build.spec.id == "dead_letter" || &*build.text("content")? == "event";
        let place = Place {
            name: format_smolstr!("file {}", build.text("file")?),
            content: Content::Lines(Vec::new()),
        };
        Ok((Store::Lines(Lines { whole }), place))
    }

    pub(super) fn write(&self, event: &Event, lines: &mut Vec<Value>) -> Wrote {
        let line = if self.whole {
            event.to_cloudevent()
        } else {
            event.data.clone()
        };
        let grown = line.weight() as isize;
        lines.push(line);
        Wrote {
            grown,
            ..Wrote::nothing()
        }
    }
}
