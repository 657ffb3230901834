//! `weir schema`: the published JSON Schemas.

use clap::{Args, ValueEnum};
use graph_model::catalog::Catalog;
use graph_model::format;

use super::out::Out;
use super::{Stop, Verdict};

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
}

impl Schema {
    pub(super) fn run(self, out: &Out) -> Result<Verdict, Stop> {
        match self.of {
            Of::Flow => out.line(format::json_schema(Catalog::bundled()).to_json_pretty())?,
        }
        Ok(Verdict::Well)
    }
}
