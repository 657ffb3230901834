//! What the tests of the whole product share: the repository, its files and its samples.

use std::fs;
use std::path::{Path, PathBuf};

/// The root of the repository.
pub fn root() -> PathBuf {
    let tests = Path::new(env!("CARGO_MANIFEST_DIR"));
    tests
        .parent()
        .expect("the tests lie in the repository")
        .to_path_buf()
}

/// Every file of the repository that is not a build result, by its path from the root, sorted.
pub fn files() -> Vec<PathBuf> {
    const SKIPPED: [&str; 5] = [".git", "target", "node_modules", ".weir", ".build"];
    fn walk(folder: &Path, found: &mut Vec<PathBuf>) {
        let entries = fs::read_dir(folder).expect("the folder can be read");
        for entry in entries {
            let entry = entry.expect("the folder can be read");
            let name = entry.file_name();
            let path = entry.path();
            let skipped = SKIPPED.iter().any(|skipped| *skipped == name);
            if path.is_dir() && !skipped {
                walk(&path, found);
            } else if path.is_file() && !skipped {
                found.push(path);
            }
        }
    }
    let root = root();
    let mut found = Vec::new();
    walk(&root, &mut found);
    found.sort();
    found
        .iter()
        .map(|path| {
            path.strip_prefix(&root)
                .expect("the walk began at the root")
                .to_path_buf()
        })
        .collect()
}

/// The text of a file, by its path from the root.
pub fn read(path: impl AsRef<Path>) -> String {
    let path = root().join(path);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// A registered sample.
#[derive(Clone, Debug)]
pub struct Sample {
    pub name: String,
    /// Paths in its folder that come with the program.
    pub files: Vec<String>,
}

/// The samples that `samples/index.json` registers.
pub fn samples() -> Vec<Sample> {
    let index: serde_json::Value =
        serde_json::from_str(&read("samples/index.json")).expect("samples/index.json is JSON");
    let text = |value: &serde_json::Value| value.as_str().expect("a text").to_owned();
    let list = |value: &serde_json::Value| value.as_array().expect("a list").clone();
    list(&index["samples"])
        .iter()
        .map(|sample| Sample {
            name: text(&sample["name"]),
            files: list(&sample["files"]).iter().map(text).collect(),
        })
        .collect()
}

impl Sample {
    /// Its flow, by the path from the root.
    pub fn flow(&self) -> PathBuf {
        Path::new("samples")
            .join(&self.name)
            .join(format!("{}.flow.json", self.name))
    }

    /// Its flow with hazards, by the path from the root.
    pub fn flawed(&self) -> PathBuf {
        Path::new("samples")
            .join(&self.name)
            .join(format!("{}-flawed.flow.json", self.name))
    }

    /// The hazards that its description promises of the flawed flow, sorted.
    pub fn promised(&self) -> Vec<String> {
        let description = read(Path::new("samples").join(&self.name).join("README.md"));
        let (_, flawed) = description
            .split_once("## The flawed twin")
            .unwrap_or_else(|| panic!("{} describes its flawed twin", self.name));
        let mut codes: Vec<String> = flawed
            .lines()
            .filter_map(|line| line.strip_prefix("- `")?.split('`').next())
            .map(str::to_owned)
            .collect();
        codes.sort();
        codes
    }
}
