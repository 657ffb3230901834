//! The folder of a function, as its `function.json` describes it.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use crate::error::{At, Error};
use crate::languages::{self, Language};

/// The file that makes a folder the folder of a function.
pub const MANIFEST: &str = "function.json";

/// Folders that hold what tools made, not what people wrote.
const MADE: [&str; 6] = [
    ".build",
    "build",
    "node_modules",
    "target",
    "venv",
    "__pycache__",
];

/// Files of a folder at most: more than that is not the source of one function.
const SOURCES_MAX: usize = 20_000;

/// The folder of a function.
#[derive(Debug, Clone)]
pub struct FunctionFolder {
    /// The folder itself, by its whole path.
    pub root: PathBuf,
    /// What its component is called.
    pub name: String,
    /// What it is written in.
    pub language: &'static Language,
    /// The folder with the contract.
    pub(crate) wit: PathBuf,
    /// The world of the contract that it is built for.
    pub(crate) world: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Manifest {
    name: String,
    language: String,
    /// Where the contract is, from the folder; its own copy when left out.
    #[serde(default = "own_copy")]
    wit: PathBuf,
    /// Which world of the contract it is built for; the one without secrets and requests when left out.
    #[serde(default = "plain_world")]
    world: String,
}

fn plain_world() -> String {
    "function".to_owned()
}

fn own_copy() -> PathBuf {
    "wit".into()
}

impl FunctionFolder {
    /// Reads what the folder says of itself.
    pub fn open(folder: &Path) -> Result<FunctionFolder, Error> {
        let path = folder.join(MANIFEST);
        let text = match fs::read_to_string(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Err(Error::NoFunction {
                    folder: folder.to_owned(),
                });
            }
            read => read.at(&path)?,
        };
        let manifest: Manifest =
            serde_json::from_str(&text).map_err(|error| Error::BadManifest {
                path: path.clone(),
                why: error.to_string(),
            })?;
        check_name(&manifest.name)?;
        let root = whole(folder)?;
        let wit = root.join(&manifest.wit);
        Ok(FunctionFolder {
            language: languages::language(&manifest.language)?,
            wit: whole(&wit)?,
            name: manifest.name,
            world: manifest.world,
            root,
        })
    }

    /// Where a build leaves its component.
    pub fn component(&self) -> PathBuf {
        self.root.join(format!("{}.wasm", self.name))
    }

    /// Everything that people wrote, by its path from the root, in order.
    pub(crate) fn sources(&self) -> Result<Vec<PathBuf>, Error> {
        let mut found = Vec::new();
        let mut open = vec![PathBuf::new()];
        while let Some(below) = open.pop() {
            let folder = self.root.join(&below);
            for entry in fs::read_dir(&folder).at(&folder)? {
                let entry = entry.at(&folder)?;
                let path = below.join(entry.file_name());
                if !FunctionFolder::is_source(&path) {
                    continue;
                }
                // What a link leads to is not followed: it may lead round in a circle.
                let kind = entry.file_type().at(&folder)?;
                if kind.is_dir() {
                    open.push(path);
                } else if kind.is_file() {
                    found.push(path);
                }
                if found.len() + open.len() > SOURCES_MAX {
                    return Err(Error::NoComponent {
                        why: format!(
                            "{} holds more than {SOURCES_MAX} files; keep a function in a folder of its own",
                            self.root.display()
                        ),
                    });
                }
            }
        }
        found.sort();
        Ok(found)
    }

    /// Whether people wrote what stands there, rather than tools.
    pub(crate) fn is_source(below: &Path) -> bool {
        let made = below.iter().any(|part| {
            let part = part.to_string_lossy();
            part.starts_with('.') || MADE.contains(&part.as_ref())
        });
        let left = ["wasm", "part"];
        !made
            && below
                .extension()
                .is_none_or(|ending| left.iter().all(|left| ending != *left))
    }
}

/// Refuses a name that a file system, a registry or a compiler would stumble over.
pub(crate) fn check_name(name: &str) -> Result<(), Error> {
    let why = if name.is_empty() {
        "it is empty"
    } else if name.len() > 64 {
        "it has more than 64 letters"
    } else if !name.starts_with(|first: char| first.is_ascii_lowercase()) {
        "it does not begin with a small letter"
    } else if !name
        .chars()
        .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-')
    {
        "it has other characters than small letters, digits and hyphens"
    } else if name.ends_with('-') || name.contains("--") {
        "it has a hyphen without a word behind it"
    } else if ["aux", "con", "nul", "prn"].contains(&name) {
        "Windows keeps it for itself"
    } else {
        return Ok(());
    };
    Err(Error::BadName {
        name: name.to_owned(),
        why,
    })
}

/// The path from the root of the file system, so that it means the same to a tool that runs elsewhere.
pub(crate) fn whole(path: &Path) -> Result<PathBuf, Error> {
    fs::canonicalize(path).at(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder(manifest: &str) -> (tempfile::TempDir, Result<FunctionFolder, Error>) {
        let folder = tempfile::tempdir().expect("a folder");
        fs::create_dir(folder.path().join("wit")).expect("made");
        fs::write(folder.path().join(MANIFEST), manifest).expect("written");
        let opened = FunctionFolder::open(folder.path());
        (folder, opened)
    }

    #[test]
    fn a_folder_says_what_it_is() {
        let (kept, opened) = folder(r#"{"name": "order-tax", "language": "c"}"#);
        let opened = opened.expect("a function");
        assert_eq!(
            (opened.name.as_str(), opened.language.id),
            ("order-tax", "c")
        );
        assert_eq!(
            opened.component(),
            whole(kept.path()).expect("there").join("order-tax.wasm")
        );
        assert_eq!(opened.world, "function");
        let larger = r#"{"name": "a", "language": "c", "world": "connected"}"#;
        assert_eq!(folder(larger).1.expect("a function").world, "connected");
    }

    #[test]
    fn what_a_folder_cannot_say_is_told() {
        let refused = |manifest| folder(manifest).1.expect_err("refused").to_string();
        assert!(refused("{").contains("function.json: EOF while parsing"));
        assert!(refused(r#"{"name": "a"}"#).contains("missing field `language`"));
        assert!(refused(r#"{"name": "a", "language": "c", "x": 1}"#).contains("unknown field"));
        assert_eq!(
            refused(r#"{"name": "a", "language": "cobol"}"#),
            "functions cannot be made in `cobol`; choose from rust, c, js, python"
        );
        assert!(refused(r#"{"name": "../a", "language": "c"}"#).starts_with("`../a` is no name"));
        let empty = tempfile::tempdir().expect("a folder");
        let error = FunctionFolder::open(empty.path()).expect_err("refused");
        assert!(error.to_string().contains("there is no `function.json`"));
    }

    #[test]
    fn names_are_those_that_every_tool_takes() {
        for name in ["a", "order-tax", "v2", "a1-b2"] {
            check_name(name).expect(name);
        }
        for name in [
            "", "Order", "1st", "-a", "a-", "a--b", "a_b", "a b", "a/b", "..", "é", "con",
        ] {
            check_name(name).expect_err(name);
        }
        check_name(&"a".repeat(65)).expect_err("too long");
    }

    #[test]
    fn sources_are_what_people_wrote() {
        let (kept, opened) = folder(r#"{"name": "a", "language": "c"}"#);
        for path in [
            "src/deep/b.c",
            "src/a.c",
            "a.wasm",
            ".build/x.c",
            "node_modules/x/index.js",
            "target/debug/x",
            ".gitignore",
        ] {
            let path = kept.path().join(path);
            fs::create_dir_all(path.parent().expect("in a folder")).expect("made");
            fs::write(path, "").expect("written");
        }
        let sources = opened.expect("a function").sources().expect("listed");
        let sources: Vec<_> = sources.iter().map(|path| path.to_string_lossy()).collect();
        assert_eq!(sources, ["function.json", "src/a.c", "src/deep/b.c"]);
    }
}
