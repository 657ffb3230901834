//! The bundled samples on virtual time.

use std::path::PathBuf;

use super::*;

/// Flows of the samples and their folders.
fn samples() -> Vec<(PathBuf, Arc<Document>)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../samples");
    let mut found = Vec::new();
    for folder in std::fs::read_dir(root)
        .expect("samples are there")
        .flatten()
    {
        let files = std::fs::read_dir(folder.path()).into_iter().flatten();
        for file in files.flatten() {
            let path = file.path();
            if path.to_string_lossy().ends_with(".flow.json") {
                let text = std::fs::read(&path).expect("a flow");
                let opened = graph_model::format::open(&text).expect("a flow");
                found.push((path, Arc::new(opened.document)));
            }
        }
    }
    found.sort_by(|one, other| one.0.cmp(&other.0));
    found
}

/// What identifies the steps of each sample, with a seed and what goes wrong by it, on every machine and
/// in every build.
#[test]
fn every_sample_runs_alike_everywhere() {
    let catalog = crate::catalog::catalog();
    let mut lines = String::new();
    for (path, document) in samples() {
        let project = path.parent().expect("a folder");
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let name = name.trim_end_matches(".flow.json");
        let mut scenario = Scenario::default();
        scenario.limits.duration_us = 5_000_000;
        scenario.limits.steps_max = 20_000;
        let made = Simulation::new(&document, &catalog, project, &scenario);
        let mut simulation = made.unwrap_or_else(|problems| panic!("{name}: {problems:?}"));
        let admitted = Fault::admitted(&document, &catalog);
        for seed in 0..4 {
            scenario.seed = seed;
            scenario.go_wrong(&admitted, if seed == 0 { 0 } else { 3 }, 20);
            simulation.reset(&scenario).expect("it is prepared again");
            let hash = simulation.run().hash;
            lines += &format!("{name} {seed} {hash}\n");
        }
    }
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/simulate/tests/traces.txt");
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(&file, &lines).expect("writes");
    }
    let known = std::fs::read_to_string(&file).unwrap_or_default();
    let differing: Vec<&str> = lines
        .lines()
        .filter(|line| !known.lines().any(|held| held == *line))
        .collect();
    assert!(
        differing.is_empty() && known.lines().count() == lines.lines().count(),
        "runs differ from {}; when they should, rewrite it with UPDATE=1: {differing:#?}",
        file.display()
    );
}

#[test]
fn every_sample_runs_twice_alike() {
    let catalog = crate::catalog::catalog();
    let samples = samples();
    assert!(samples.len() >= 12, "{}", samples.len());
    for (path, document) in samples {
        let project = path.parent().expect("a folder");
        let mut scenario = Scenario::default();
        scenario.limits.duration_us = 5_000_000;
        scenario.limits.steps_max = 20_000;
        let admitted = Fault::admitted(&document, &catalog);
        scenario.faults = Fault::choose(&admitted, 3, 5, 20).into();
        let runs = [0, 1].map(|_| {
            let made = Simulation::new(&document, &catalog, project, &scenario);
            made.unwrap_or_else(|problems| panic!("{}: {problems:?}", path.display()))
                .run()
        });
        let is_flawed = path.to_string_lossy().contains("-flawed");
        assert!(
            is_flawed || runs[0].ended.is_complete(),
            "{}: {}",
            path.display(),
            runs[0].ended
        );
        assert_eq!(runs[0].hash, runs[1].hash, "{}", path.display());
        assert_eq!(runs[0].stores, runs[1].stores, "{}", path.display());
        let webhooks = path.to_string_lossy().contains("webhooks");
        assert_eq!(
            runs[0].steps == 0,
            webhooks,
            "only requests bring it to life"
        );
    }
}
