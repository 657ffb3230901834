//! Table: rows in an `SQLite` database.

use graph_model::catalog::{Behaviour, Family, FieldSpec, FieldType, JqRole, KindSpec, PortSpec};
use runtime_protocol::Problem;

use crate::catalog::with_reliability;
use crate::kind::{Build, Kind, Make};
use crate::rim::Sink;

pub(crate) fn kind() -> Kind {
    Kind {
        spec: spec(),
        make: Make::Sink(make),
    }
}

fn make(build: &Build) -> Result<Box<dyn Sink>, Problem> {
    Err(build.problem("this kind cannot run yet"))
}

fn spec() -> KindSpec {
    KindSpec {
        id: "table".into(),
        family: Family::Sink,
        title: "Table".into(),
        summary: "Writes each event into a table.".into(),
        doc: "Rows are written in batches and acknowledged after the commit. `upsert` keeps one row for each key; `append` adds a row for each event and takes the same event (source and id) once.".into(),
        icon: "table".into(),
        inputs: vec![PortSpec::data("in", "Events to write")],
        outputs: vec![PortSpec::data("out", "Events that were written"), PortSpec::failed("Events that were given up, with their cause")],
        config: with_reliability(vec![FieldSpec::new("database", "Database", FieldType::Path { folder: false }, "SQLite file inside the project").default_to("data.sqlite"), FieldSpec::new("table", "Table", FieldType::Text, "Name of the table").required(), FieldSpec::new("mode", "Mode", FieldType::choice(&["upsert", "append"]), "What happens to a row that is there").default_to("upsert"), FieldSpec::new("key", "Key", FieldType::Jq { role: JqRole::Key }, "What identifies the row in `upsert` mode").default_to("$event.id"), FieldSpec::new("columns", "Columns", FieldType::JqTable { role: JqRole::Value }, "Column name and its value; the whole payload as JSON in `data` when empty")]),
        behaviour: Behaviour::Table { mode: "mode".into(), key: "key".into() },
        since: "0.1.0".into(),
    }
}
