//! The validator and the samples: clean ones are silent, flawed ones have what they promise, and
//! their first fixes mend them.

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;

use graph_model::catalog::Catalog;
use graph_model::document::Document;
use graph_model::format;
use graph_model::validate::{Report, render, validate};

/// Steps in which applying first fixes has to end.
const FIXES_MAX: usize = 20;

/// Folders of samples: name, clean flow, flawed flow, promised codes.
fn samples() -> Vec<(String, Document, Document, BTreeSet<String>)> {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../samples");
    let mut folders: Vec<PathBuf> = fs::read_dir(&root)
        .expect("there are samples")
        .map(|entry| entry.expect("the folder can be read").path())
        .filter(|path| path.join("README.md").exists())
        .collect();
    folders.sort();
    let samples = folders.iter().map(|folder| {
        let name = folder
            .file_name()
            .expect("a folder")
            .to_string_lossy()
            .into_owned();
        let open = |file: String| {
            let bytes =
                fs::read(folder.join(&file)).unwrap_or_else(|error| panic!("{file}: {error}"));
            format::open(&bytes).expect("the sample opens").document
        };
        let clean = open(format!("{name}.flow.json"));
        let flawed = open(format!("{name}-flawed.flow.json"));
        let about = fs::read_to_string(folder.join("README.md")).expect("the sample is described");
        let (_, twin) = about
            .split_once("## The flawed twin")
            .expect("it describes its twin");
        let codes = twin
            .lines()
            .filter_map(|line| line.strip_prefix("- `")?.split('`').next())
            .map(str::to_owned)
            .collect();
        (name, clean, flawed, codes)
    });
    samples.collect()
}

fn check(document: &Document) -> Report {
    validate(document, Catalog::bundled())
}

#[test]
fn samples_are_written_canonically() {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../samples");
    for (name, clean, flawed, _) in samples() {
        for (file, document) in [(name.clone(), clean), (format!("{name}-flawed"), flawed)] {
            let path = root.join(&name).join(format!("{file}.flow.json"));
            let wanted = format::write(&document);
            if std::env::var_os("UPDATE").is_some() {
                fs::write(&path, &wanted).expect("the sample can be written");
            }
            let held = fs::read_to_string(&path).expect("the sample can be read");
            assert!(
                held == wanted,
                "{} is not canonical: run the tests with UPDATE=1",
                path.display()
            );
        }
    }
}

#[test]
fn clean_samples_are_silent() {
    for (name, clean, _, _) in samples() {
        let report = check(&clean);
        assert!(
            report.diagnostics.is_empty(),
            "{name}\n{}",
            render::text(&report, &clean)
        );
    }
}

#[test]
fn flawed_samples_have_what_they_promise() {
    for (name, _, flawed, promised) in samples() {
        let report = check(&flawed);
        let found: BTreeSet<String> = report
            .diagnostics
            .iter()
            .map(|found| found.code.to_owned())
            .collect();
        assert_eq!(
            found,
            promised,
            "{name}\n{}",
            render::text(&report, &flawed)
        );
        for found in &report.diagnostics {
            assert!(
                found.path.len() > 1,
                "{name}: {} shows how it comes about",
                found.id
            );
            assert!(
                !found.fixes.is_empty(),
                "{name}: {} can be mended",
                found.id
            );
        }
    }
}

#[test]
fn first_fixes_mend_flawed_samples() {
    for (name, _, flawed, _) in samples() {
        let mut document = flawed.clone();
        let mut steps = Vec::new();
        for _ in 0..FIXES_MAX {
            let report = check(&document);
            let Some(found) = report.diagnostics.first() else {
                break;
            };
            let fix = found
                .fixes
                .first()
                .unwrap_or_else(|| panic!("{name}: {}", found.id));
            steps.push(fix.transaction.clone().apply(&mut document));
        }
        let report = check(&document);
        assert!(
            report.diagnostics.is_empty(),
            "{name}\n{}",
            render::text(&report, &document)
        );
        let reread = format::open(format::write(&document).as_bytes()).expect("it opens");
        assert_eq!(
            reread.document, document,
            "{name}: the mended flow can be saved"
        );
        for step in steps.into_iter().rev() {
            step.apply(&mut document);
        }
        assert_eq!(document, flawed, "{name}: undone");
    }
}
