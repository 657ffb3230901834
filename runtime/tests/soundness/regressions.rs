//! Designs that broke a promise once: they are made silent and keep it, or no rule is silent any more.

use std::fs;
use std::path::PathBuf;
use std::sync::Arc;

use graph_model::validate::notation;

use crate::attack::attack;
use crate::family::ALL;
use crate::machine::WHOLE;
use crate::repair::repair;

/// Workloads of each design.
const WORKLOADS: u64 = 6;

/// Runs of each workload.
const RUNS: u64 = 24;

#[test]
fn what_was_wrong_once_is_wrong_no_more() {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/soundness/regressions");
    let mut files: Vec<PathBuf> = fs::read_dir(root)
        .expect("there are designs")
        .map(|entry| entry.expect("the folder can be read").path())
        .collect();
    files.sort();
    assert!(!files.is_empty());
    let mut wrong = Vec::new();
    for file in files {
        let text = fs::read_to_string(&file).expect("a text");
        let name = file.file_stem().expect("a name").to_string_lossy();
        let promise = text
            .lines()
            .find_map(|line| line.strip_prefix("# promise: "));
        let family = ALL.iter().find(|family| Some(family.name) == promise);
        let family = family.unwrap_or_else(|| panic!("{name} names a promise"));
        let document = notation::read(&text).unwrap_or_else(|error| panic!("{name}: {error}"));
        // What nothing mends is reported, or it is asked for more, and that is enough.
        let Ok(document) = repair(document, family, &WHOLE).document else {
            continue;
        };
        if family.asks(&document).is_some() {
            continue;
        }
        let document = Arc::new(document);
        for seed in 0..WORKLOADS {
            let family = family.of(seed);
            let facts = family.facts(&document, seed);
            let attacked = attack(&document, &facts, &WHOLE, &family, RUNS);
            assert_eq!(attacked.refused, None, "{name}");
            if let Some(violation) = attacked.violation {
                wrong.push(format!("{name}, workload {seed}: {}", violation.what));
                break;
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
