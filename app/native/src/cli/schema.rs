//! `weir schema`: the published JSON Schemas.

use clap::{Args, ValueEnum};
use graph_model::catalog::Catalog;
use graph_model::format;
use graph_model::validate::render;

use super::out::Out;
use super::{Stop, Verdict};

/// The published schema of the answers of `weir run --json`.
const RUN: &str = include_str!("../../../../assets/schema/run.v1.schema.json");

/// The published schema of files of witnesses.
const WITNESS: &str = include_str!("../../../../assets/schema/witness.v1.schema.json");

/// Print the JSON Schema of flow files, or of what a command answers
#[derive(Args)]
pub(super) struct Schema {
    /// What the schema describes
    #[arg(value_enum, default_value_t = Of::Flow)]
    of: Of,
}

#[derive(Clone, Copy, ValueEnum)]
enum Of {
    /// Flow files
    Flow,
    /// What `weir check --format json` answers
    Check,
    /// Each line that `weir run --json` answers
    Run,
    /// Files that `weir witness` writes
    Witness,
}

impl Schema {
    pub(super) fn run(self, out: &Out) -> Result<Verdict, Stop> {
        let schema = match self.of {
            Of::Flow => format::json_schema(Catalog::bundled()).to_json_pretty(),
            Of::Check => render::json_schema().to_json_pretty(),
            Of::Run => RUN.trim_end().to_owned(),
            Of::Witness => WITNESS.trim_end().to_owned(),
        };
        out.line(schema)?;
        Ok(Verdict::Well)
    }
}
