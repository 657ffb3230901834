//! What every sample gets at, as a list that is read when it changes; `UPDATE=1` writes it.

use std::fs;
use std::path::PathBuf;

use graph_model::catalog::Catalog;
use graph_model::{format, reach};

#[test]
fn samples_reach_what_their_list_says() {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../samples");
    let mut flows: Vec<PathBuf> = fs::read_dir(&root)
        .expect("there are samples")
        .map(|entry| entry.expect("the folder can be read").path())
        .filter(|path| path.join("README.md").exists())
        .flat_map(|folder| fs::read_dir(folder).expect("the folder can be read"))
        .map(|entry| entry.expect("the folder can be read").path())
        .filter(|path| path.to_string_lossy().ends_with(".flow.json"))
        .collect();
    flows.sort();
    let mut wanted = String::new();
    for path in flows {
        let name = path.file_name().expect("a file").to_string_lossy();
        let bytes = fs::read(&path).expect("the sample can be read");
        let document = format::open(&bytes).expect("the sample opens").document;
        wanted.push_str(&format!("{name}\n"));
        for reach in reach::of(&document, Catalog::bundled()) {
            let kind = serde_json::to_value(reach.kind).expect("a word");
            let kind = kind.as_str().expect("a word");
            wanted.push_str(&format!("  {kind} {} by {}\n", reach.value, reach.node));
        }
    }
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/reach.txt");
    if std::env::var_os("UPDATE").is_some() {
        fs::write(path, &wanted).expect("the list can be written");
    }
    let held = fs::read_to_string(path).unwrap_or_default();
    assert!(
        held == wanted,
        "graph-model/tests/reach.txt is stale: run the tests with UPDATE=1 and read the difference"
    );
}
