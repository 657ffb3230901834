//! Order in the house: files say their duty, nothing is orphaned, links lead somewhere.

use std::collections::BTreeSet;
use std::path::Path;

use weir_tests::{files, read, root, samples};

fn ends_with(path: &Path, endings: &[&str]) -> bool {
    let name = path.to_string_lossy();
    endings.iter().any(|ending| name.ends_with(ending))
}

#[test]
fn every_source_file_says_its_duty_in_its_first_line() {
    let silent: Vec<_> = files()
        .into_iter()
        .filter(|path| ends_with(path, &[".rs"]))
        .filter(|path| !read(path).starts_with("//! "))
        .collect();
    assert!(silent.is_empty(), "{silent:?}");
}

#[test]
fn every_sample_is_registered_with_all_its_files() {
    let registered = samples();
    let names: BTreeSet<&str> = registered
        .iter()
        .map(|sample| sample.name.as_str())
        .collect();
    let mut folders = BTreeSet::new();
    for entry in std::fs::read_dir(root().join("samples")).expect("samples can be read") {
        let entry = entry.expect("samples can be read");
        let name = entry.file_name().to_string_lossy().into_owned();
        if entry.path().is_dir() && name != "functions" {
            folders.insert(name);
        }
    }
    let named: BTreeSet<String> = names.iter().map(|name| (*name).to_owned()).collect();
    assert_eq!(
        named, folders,
        "samples/index.json lists every folder of samples"
    );

    for sample in registered {
        let folder = Path::new("samples").join(&sample.name);
        // Golden results are for tests; databases and journals are what a run left here.
        let kept: BTreeSet<String> = files()
            .iter()
            .filter_map(|path| path.strip_prefix(&folder).ok())
            .filter(|path| !path.starts_with("golden"))
            .filter(|path| path.components().count() > 1 || is_part_of_a_sample(path))
            .map(|path| path.to_string_lossy().into_owned())
            .collect();
        let listed: BTreeSet<String> = sample.files.iter().cloned().collect();
        assert_eq!(
            listed, kept,
            "{}: `files` in samples/index.json",
            sample.name
        );
    }
}

fn is_part_of_a_sample(path: &Path) -> bool {
    ends_with(path, &[".flow.json", ".run.jsonl", "README.md", ".wasm"])
}

#[test]
fn components_in_samples_are_the_ones_that_were_built() {
    for (copy, built) in [
        (
            "orders/order-tax.wasm",
            "functions/order-tax/order-tax.wasm",
        ),
        (
            "sensor-etl/severity-js.wasm",
            "functions/severity-js/severity-js.wasm",
        ),
    ] {
        let bytes = |path| std::fs::read(root().join("samples").join(path)).expect("it is there");
        assert!(
            bytes(copy) == bytes(built),
            "copy samples/{built} to samples/{copy}"
        );
    }
}

#[test]
fn nothing_names_a_machine() {
    let places: Vec<String> = ["work/", "root/", "home/user", "tmp/bash"]
        .iter()
        .map(|place| format!("/{place}"))
        .collect();
    let mut found = Vec::new();
    for path in files() {
        if !ends_with(&path, &[".rs", ".md", ".toml", ".json", ".sh", ".jsonl"])
            && !path.starts_with(".ci")
        {
            continue;
        }
        // `/work` counts only where a path begins, not inside a longer one.
        for (number, line) in read(&path).lines().enumerate() {
            let begins = |place: &String| {
                line.match_indices(place.as_str()).any(|(at, _)| {
                    !line[..at].ends_with(|c: char| c.is_alphanumeric() || "._-/}".contains(c))
                })
            };
            if places.iter().any(begins) {
                found.push(format!("{}:{}: {line}", path.display(), number + 1));
            }
        }
    }
    assert_eq!(found, [""; 0]);
}

#[test]
fn links_in_documents_lead_somewhere() {
    let mut broken = Vec::new();
    for path in files() {
        if !ends_with(&path, &[".md"]) {
            continue;
        }
        let text = read(&path);
        for (at, _) in text.match_indices("](") {
            let target = text[at + 2..].split([')', '#']).next().unwrap_or_default();
            if target.is_empty() || target.contains("://") || target.starts_with("mailto:") {
                continue;
            }
            let folder = path.parent().unwrap_or(Path::new(""));
            if !root().join(folder).join(target).exists() {
                broken.push(format!("{}: {target}", path.display()));
            }
        }
    }
    assert_eq!(broken, [""; 0]);
}

#[test]
fn the_architecture_names_every_crate() {
    let text = read("docs/ARCHITECTURE.md");
    for path in files() {
        if path.file_name() == Some("Cargo.toml".as_ref())
            && !path.starts_with("samples")
            && !path.to_string_lossy().contains("fixtures")
            && let Some(folder) = path
                .parent()
                .filter(|folder| !folder.as_os_str().is_empty())
        {
            let folder = format!("`{}", folder.display());
            assert!(
                text.contains(&folder),
                "docs/ARCHITECTURE.md does not name {folder}`"
            );
        }
    }
}
