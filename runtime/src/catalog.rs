//! The catalog of the kinds that this engine runs, gathered from the files of the kinds.

use graph_model::catalog::{Catalog, FieldSpec, FieldType};

use crate::kind::Kind;
use crate::{channels, functions, operators, sinks, sources};

/// The catalog rows of every kind of this engine.
pub fn catalog() -> Catalog {
    Catalog::new(kinds().into_iter().map(|kind| kind.spec))
}

/// Every kind of this engine: catalog row and code.
pub fn kinds() -> Vec<Kind> {
    let rooms = [
        sources::kinds(),
        channels::kinds(),
        operators::kinds(),
        functions::kinds(),
        sinks::kinds(),
    ];
    rooms.into_iter().flatten().collect()
}

/// Adds the fields that every kind with a fallible action has.
pub(crate) fn with_reliability(mut fields: Vec<FieldSpec>) -> Vec<FieldSpec> {
    fields.push(
        FieldSpec::new(
            "attempts",
            "Attempts",
            FieldType::Integer { min: 1, max: 100 },
            "Tries before the event is given up here",
        )
        .default_to(3)
        .advanced(),
    );
    fields.push(
        FieldSpec::new(
            "retry_pause",
            "Retry pause",
            FieldType::Duration,
            "Pause before the second try; doubled each time, at most 30 s",
        )
        .default_to("200ms")
        .advanced(),
    );
    fields
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bundled_catalog_is_current() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../assets/catalog.json");
        let wanted =
            serde_json::to_string_pretty(&catalog()).expect("the catalog serialises") + "\n";
        if std::env::var_os("UPDATE").is_some() {
            std::fs::write(path, &wanted).expect("the catalog can be written");
        }
        let bundled = std::fs::read_to_string(path).unwrap_or_default();
        assert!(
            bundled == wanted,
            "assets/catalog.json is stale: run the tests with UPDATE=1"
        );
        assert_eq!(
            serde_json::from_str::<Catalog>(&bundled).expect("reads back"),
            catalog()
        );
    }

    #[test]
    fn rows_are_complete() {
        for kind in catalog().iter() {
            let id = &kind.id;
            assert!(
                kind.summary.ends_with('.') && !kind.doc.is_empty(),
                "{id} explains itself"
            );
            let mut names: Vec<_> = kind.config.iter().map(|field| &field.name).collect();
            names.sort();
            names.dedup();
            assert_eq!(names.len(), kind.config.len(), "{id} names each field once");
            for port in kind.inputs.iter().chain(&kind.outputs) {
                assert!(!port.doc.is_empty(), "{id}.{} is explained", port.name);
                if let Some(field) = &port.each {
                    assert!(kind.field(field).is_some(), "{id} has the field {field}");
                }
            }
        }
    }
}
