//! Who may import whom. The table is the one of `docs/ARCHITECTURE.md`.

use std::collections::{BTreeMap, BTreeSet};

use cargo_metadata::{DependencyKind, MetadataCommand};

/// Crate, which of our crates it may import, and what must not be among its dependencies at all.
const TABLE: &[(&str, &[&str], &[&str])] = &[
    (
        "graph-model",
        &[],
        &["tokio", "wasmtime", "egui", "rusqlite", "notify"],
    ),
    (
        "runtime-protocol",
        &["graph-model"],
        &["tokio", "wasmtime", "egui", "rusqlite", "notify"],
    ),
    ("function-kit", &[], &["tokio", "wasmtime", "egui"]),
    ("runtime", &["graph-model", "runtime-protocol"], &["egui"]),
    (
        "app",
        &["graph-model", "runtime-protocol"],
        &["tokio", "wasmtime", "rusqlite"],
    ),
    (
        "desk",
        &["graph-model", "runtime", "runtime-protocol"],
        &["egui"],
    ),
    (
        "weir",
        &[
            "app",
            "desk",
            "function-kit",
            "graph-model",
            "runtime",
            "runtime-protocol",
        ],
        // A plain `cargo run` compiles no webview.
        &["tauri", "wry", "gtk", "webkit2gtk"],
    ),
    (
        "weir-desktop",
        &["desk", "graph-model", "runtime-protocol"],
        &["egui"],
    ),
    (
        "weir-web",
        &["app", "graph-model", "runtime-protocol"],
        // eframe brings tokio on desktops; nothing of that is compiled for a browser.
        &["wasmtime", "rusqlite", "notify"],
    ),
    ("weir-bundle", &[], &["tokio", "wasmtime", "egui"]),
    (
        "weir-tests",
        &["app", "graph-model", "runtime", "runtime-protocol"],
        &[],
    ),
];

#[test]
fn imports_follow_the_table() {
    let metadata = MetadataCommand::new()
        .manifest_path(weir_tests::root().join("Cargo.toml"))
        .exec()
        .expect("cargo describes the workspace");
    let ours: BTreeSet<&str> = metadata
        .workspace_packages()
        .iter()
        .map(|package| package.name.as_str())
        .collect();
    let listed: BTreeSet<&str> = TABLE.iter().map(|row| row.0).collect();
    assert_eq!(
        ours, listed,
        "each crate of the workspace has a row in the table"
    );

    // Dependencies as they are built; what only tests and build scripts use is left out.
    let names: BTreeMap<_, _> = metadata
        .packages
        .iter()
        .map(|package| (&package.id, package.name.as_str()))
        .collect();
    let resolve = metadata
        .resolve
        .as_ref()
        .expect("cargo resolves the workspace");
    let edges: BTreeMap<_, Vec<_>> = resolve
        .nodes
        .iter()
        .map(|node| {
            let built = node.deps.iter().filter(|dep| {
                dep.dep_kinds
                    .iter()
                    .any(|kind| kind.kind == DependencyKind::Normal)
            });
            (&node.id, built.map(|dep| &dep.pkg).collect())
        })
        .collect();

    let mut wrong = Vec::new();
    for package in metadata.workspace_packages() {
        let (name, may, never) = TABLE
            .iter()
            .find(|row| row.0 == package.name.as_str())
            .expect("checked above");
        for direct in &edges[&package.id] {
            let direct = names[direct];
            if ours.contains(direct) && !may.contains(&direct) {
                wrong.push(format!("{name} imports {direct}"));
            }
        }
        let mut reached = BTreeSet::new();
        let mut open = vec![&package.id];
        while let Some(id) = open.pop() {
            for next in edges.get(id).into_iter().flatten() {
                if reached.insert(*next) {
                    open.push(next);
                }
            }
        }
        for id in reached {
            if never.contains(&names[id]) {
                wrong.push(format!("{name} depends on {}", names[id]));
            }
        }
    }
    assert_eq!(wrong, [""; 0], "see the table in docs/ARCHITECTURE.md");
}
