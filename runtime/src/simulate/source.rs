//! Sources in a simulation: what they bring of their own, and what they hear of stores.

use std::collections::VecDeque;

use graph_model::event::Event;
use runtime_protocol::Problem;
use smol_str::{SmolStr, format_smolstr};

use super::run::Root;
use super::stores::{folder_place, table_place};
use crate::kind::Build;
use crate::sources::{Files, Generator, Record, Schedule, Stamp};
use crate::sources::{generator, replay_records, schedule};
use crate::world::World;

/// Pause between two events of a source that goes as fast as the flow takes them.
pub(super) const GAP_US: u64 = 100;

/// What a source brings.
pub(super) enum SourceModel {
    /// Only what a scenario gives it.
    Given,
    Records {
        records: Vec<Record>,
        gap_us: u64,
        /// Why a file could not be read.
        trouble: Option<String>,
        files: Option<(Files, SmolStr)>,
    },
    Generator(Generator),
    Schedule(Schedule),
    Changes {
        /// Database and table as people write them.
        name: SmolStr,
        place: SmolStr,
        stamp: Stamp,
        poll_us: u64,
    },
}

/// A source in a run.
#[derive(Default)]
pub(super) struct SourceRun {
    /// Events of its own so far.
    pub(super) made: u64,
    /// When the next of them is due.
    pub(super) due_us: u64,
    pub(super) generator: Option<Generator>,
    /// Events that follow from what was written to a store, with the fact behind them.
    pub(super) heard: VecDeque<(Event, Root)>,
    pub(super) seq: u64,
    /// Whether a change is under way, or the source looks soon anyway.
    pub(super) waiting: bool,
    pub(super) tries: u32,
    /// It has broken down, and will read again from this event on.
    pub(super) resumes_at: Option<usize>,
    /// What came in, in its order; kept where it may come once more.
    pub(super) sent: Vec<(Event, Root)>,
}

impl SourceModel {
    pub(super) fn of(build: &Build) -> Result<SourceModel, Problem> {
        Ok(match build.spec.id.as_str() {
            "generator" => SourceModel::Generator(generator(build)?),
            "schedule" => SourceModel::Schedule(schedule(build)?),
            "replay" => {
                let (records, trouble) = match replay_records(build)?.read(&*build.world) {
                    Ok(records) => (records, None),
                    Err(error) => (Vec::new(), Some(error.to_string())),
                };
                SourceModel::Records {
                    records,
                    gap_us: gap_us(build.number("rate")?),
                    trouble: trouble.map(|error| {
                        format!("its file cannot be read ({error}); put it into the project folder")
                    }),
                    files: None,
                }
            }
            "file_watch" => {
                let files = Files::of(build)?;
                let (records, trouble) = match read_folder(&files, &*build.world) {
                    Ok(records) => (records, None),
                    Err(error) => (Vec::new(), Some(error.to_string())),
                };
                SourceModel::Records {
                    records,
                    gap_us: GAP_US,
                    trouble: trouble
                        .map(|error| format!("its folder cannot be read ({error}); put it back")),
                    files: Some((files, folder_place(build)?)),
                }
            }
            "table_changes" => SourceModel::Changes {
                name: format_smolstr!("{}/{}", build.text("database")?, build.text("table")?),
                place: table_place(build)?,
                stamp: Stamp::of(build),
                poll_us: build.duration("poll")?.as_micros().max(1_000) as u64,
            },
            _ => SourceModel::Given,
        })
    }

    /// The place whose writes it hears of.
    pub(super) fn hears(&self) -> Option<&str> {
        match self {
            SourceModel::Records {
                files: Some((_, place)),
                ..
            }
            | SourceModel::Changes { place, .. } => Some(place),
            _ => None,
        }
    }
}

/// Pause between two events at so many a second.
pub(super) fn gap_us(rate: f64) -> u64 {
    if rate > 0.0 {
        (1e6 / rate) as u64
    } else {
        GAP_US
    }
}

fn read_folder(files: &Files, world: &dyn World) -> std::io::Result<Vec<Record>> {
    let mut names = Vec::new();
    for entry in std::fs::read_dir(&files.path)? {
        let entry = entry?;
        if entry.metadata()?.is_file() {
            names.push(entry.file_name().to_string_lossy().into_owned());
        }
    }
    names.sort();
    let mut records = Vec::new();
    for file in names.iter().filter_map(|name| files.file(name)) {
        records.extend(file.read(world)?);
    }
    Ok(records)
}
