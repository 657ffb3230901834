//! The model of views, metrics and consoles: what people look at.

use std::collections::VecDeque;

use graph_model::event::Event;
use graph_model::expr::Expr;
use graph_model::value::Value;
use runtime_protocol::Problem;
use smol_str::format_smolstr;

use super::{Content, Place, Store, Wrote};
use crate::kind::Build;
use crate::operator::Failure;
use crate::sinks::{Number, eval, eval_key};

/// Rows that somebody looks at: the newest of each key, or the newest.
pub(in crate::simulate) struct Shown {
    keep: usize,
    shows: Shows,
}

enum Shows {
    View { key: Option<Expr> },
    Metric(Number),
    Console { format: Expr },
}

/// Printed lines that a console keeps.
const PRINTED_MAX: usize = 1_000;

impl Shown {
    pub(super) fn of(build: &Build) -> Result<(Store, Place), Problem> {
        let keep = |build: &Build| -> Result<usize, Problem> {
            Ok(usize::try_from(build.whole("keep")?.max(1)).unwrap_or(usize::MAX))
        };
        let shown = match build.spec.id.as_str() {
            "metric" => Shown {
                keep: keep(build)?,
                shows: Shows::Metric(Number::new(build)?),
            },
            "console" => Shown {
                keep: PRINTED_MAX,
                shows: Shows::Console {
                    format: build.expr("format")?,
                },
            },
            _ => Shown {
                keep: keep(build)?,
                shows: Shows::View {
                    key: build.optional_expr("key")?,
                },
            },
        };
        let place = Place {
            name: format_smolstr!("{} {}", build.spec.id, build.id),
            content: Content::Shown(VecDeque::new()),
        };
        Ok((Store::Shown(shown), place))
    }

    /// How many of the newest events it shows as they are.
    pub(super) fn shows_newest(&self) -> Option<usize> {
        matches!(self.shows, Shows::View { key: None }).then_some(self.keep)
    }

    pub(super) fn write(
        &self,
        event: &Event,
        now_ms: i64,
        rows: &mut VecDeque<(Option<Value>, Value)>,
    ) -> Result<Wrote, Failure> {
        let (key, data) = match &self.shows {
            Shows::View { key } => {
                let key = key.as_ref();
                let key = key
                    .map(|key| eval_key("key", key, event, now_ms))
                    .transpose()?;
                (key, event.data.clone())
            }
            Shows::Metric(number) => {
                let (key, data) = number.of(event, now_ms)?;
                (Some(key), data)
            }
            Shows::Console { format } => (None, eval("format", format, event, now_ms)?),
        };
        let older = match &key {
            Some(key) => rows.iter().position(|(held, _)| held.as_ref() == Some(key)),
            None => None,
        };
        let mut grown = data.weight() as isize;
        let replaced = older.and_then(|older| rows.remove(older));
        rows.push_back((key, data));
        let too_old = if rows.len() > self.keep {
            rows.pop_front()
        } else {
            None
        };
        for (_, gone) in replaced.into_iter().chain(too_old) {
            grown -= gone.weight() as isize;
        }
        Ok(Wrote {
            grown,
            ..Wrote::nothing()
        })
    }
}
