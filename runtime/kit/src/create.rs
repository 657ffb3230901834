//! Makes the folder of a new function.

use std::fs;
use std::path::Path;

use crate::error::{At, Error};
use crate::folder::{FunctionFolder, MANIFEST, check_name};
use crate::languages::{self, Language};

/// The contract that each function gets a copy of.
const WIT: &str = include_str!("../../wit/function.wit");

/// What no repository should keep.
const GITIGNORE: &str = "\
# What a build makes; the component itself may well be kept, since flows run it.
/.build
/node_modules
/target
__pycache__/
";

/// Makes a folder with a function to start from, in `rust`, `c`, `js` or `python`. A folder that is there
/// has to be empty.
pub fn new(folder: &Path, name: &str, language: &str) -> Result<FunctionFolder, Error> {
    let language = languages::language(language)?;
    make(folder, name, language, language.files, "")
}

/// The same of a function that takes many events at a time, in `rust`.
pub fn new_batched(folder: &Path, name: &str, language: &str) -> Result<FunctionFolder, Error> {
    let language = languages::language(language)?;
    let files = language.batched.ok_or_else(|| {
        let known = languages::ALL.iter();
        let known = known.filter(|language| language.batched.is_some());
        Error::NoBatches {
            title: language.title,
            known: known
                .map(|language| language.id)
                .collect::<Vec<_>>()
                .join(", "),
        }
    })?;
    make(folder, name, language, files, ",\n  \"world\": \"batched\"")
}

fn make(
    folder: &Path,
    name: &str,
    language: &Language,
    files: &[(&str, &str)],
    world: &str,
) -> Result<FunctionFolder, Error> {
    check_name(name)?;
    if fs::read_dir(folder).is_ok_and(|mut entries| entries.next().is_some()) {
        return Err(Error::NotEmpty {
            folder: folder.to_owned(),
        });
    }
    let manifest = format!(
        "{{\n  \"name\": \"{name}\",\n  \"language\": \"{}\"{world}\n}}\n",
        language.id
    );
    let common = [
        (".gitignore", GITIGNORE),
        ("wit/function.wit", WIT),
        // Last, so that what is only half made is no function.
        (MANIFEST, manifest.as_str()),
    ];
    for (path, text) in files.iter().copied().chain(common) {
        let path = folder.join(path);
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent).at(parent)?;
        }
        fs::write(&path, text.replace("{{name}}", name)).at(&path)?;
    }
    FunctionFolder::open(folder)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::languages::ALL;

    #[test]
    fn every_language_makes_a_folder_that_is_a_function() {
        let parent = tempfile::tempdir().expect("a folder");
        for language in ALL {
            let folder = parent.path().join(language.id);
            let made = new(&folder, "order-tax", language.id).expect("made");
            assert_eq!(
                (made.name.as_str(), made.language.id),
                ("order-tax", language.id)
            );
            let sources = made.sources().expect("listed");
            assert!(sources.contains(&language.entry.into()), "{sources:?}");
            for path in sources {
                let text = fs::read_to_string(folder.join(&path)).expect("text");
                assert!(!text.contains("{{"), "{}: {text}", path.display());
            }
            let readme = fs::read_to_string(folder.join("README.md")).expect("a readme");
            for part in ["# order-tax", "weir build", "order-tax.wasm"] {
                assert!(readme.contains(part), "{}: {part}", language.id);
            }
            assert!(folder.join(".gitignore").exists());
        }
    }

    #[test]
    fn a_function_that_takes_many_events_at_a_time_says_so() {
        let parent = tempfile::tempdir().expect("a folder");
        let made = new_batched(&parent.path().join("a"), "tax", "rust").expect("made");
        assert_eq!(made.world, "batched");
        for path in made.sources().expect("listed") {
            let text = fs::read_to_string(made.root.join(&path)).expect("text");
            assert!(!text.contains("{{name"), "{}: {text}", path.display());
        }
        let readme = fs::read_to_string(made.root.join("README.md")).expect("a readme");
        assert!(
            readme.contains("# tax") && readme.contains("tax.wasm"),
            "{readme}"
        );
        let refused = new_batched(&parent.path().join("b"), "tax", "c").expect_err("refused");
        assert_eq!(
            refused.to_string(),
            "functions in C take one event at a time; leave out `--batched`, or choose from rust"
        );
    }

    #[test]
    fn what_is_there_is_left_alone() {
        let folder = tempfile::tempdir().expect("a folder");
        fs::write(folder.path().join("thesis.txt"), "years of work").expect("written");
        let error = new(folder.path(), "a", "c")
            .expect_err("refused")
            .to_string();
        assert!(
            error.ends_with("the folder is not empty; choose another"),
            "{error}"
        );
        let entries = fs::read_dir(folder.path()).expect("readable").count();
        assert_eq!(entries, 1);
    }

    #[test]
    fn an_empty_folder_and_one_that_is_to_be_made_will_do() {
        let folder = tempfile::tempdir().expect("a folder");
        new(folder.path(), "a", "js").expect("made");
        new(&folder.path().join("b/c"), "a", "rust").expect("made");
    }

    #[test]
    fn nothing_is_made_of_a_bad_name_or_an_unknown_language() {
        let parent = tempfile::tempdir().expect("a folder");
        let folder = parent.path().join("new");
        new(&folder, "Tax", "c").expect_err("refused");
        new(&folder, "tax", "cobol").expect_err("refused");
        assert!(!folder.exists());
    }

    #[test]
    fn other_names_of_languages_are_understood() {
        for (word, id) in [
            ("javascript", "js"),
            ("py", "python"),
            ("rs", "rust"),
            ("C", "c"),
        ] {
            assert_eq!(languages::language(word).expect("known").id, id);
        }
    }
}
