//! Builds a function, and leaves its component where flows look for it.

use std::fs::{self, File, TryLockError};
use std::path::{Path, PathBuf};

use crate::component;
use crate::error::{At, Error};
use crate::folder::{FunctionFolder, whole};
use crate::job::{Job, Progress};
use crate::tool;

/// What a build left.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Built {
    /// The component.
    pub component: PathBuf,
    /// Its size.
    pub bytes: u64,
    /// Whether it is another than the one that was there.
    pub changed: bool,
    /// Places of this machine that its text names, where the tools offer no way to leave them out.
    pub names: Vec<String>,
}

/// Builds the function of a folder, by the ordinary ways of its language. Takes seconds, or minutes where
/// tools are fetched first; the last good component stays until then, and if it fails.
pub fn build(folder: &Path, tell: &mut dyn FnMut(Progress)) -> Result<Built, Error> {
    Build::of(folder)?.run(tell)
}

/// A build whose places are chosen.
#[derive(Debug, Clone)]
pub struct Build {
    folder: FunctionFolder,
    work: PathBuf,
    output: PathBuf,
}

impl Build {
    /// Of the function in this folder, in the ordinary places.
    pub fn of(folder: &Path) -> Result<Build, Error> {
        let folder = FunctionFolder::open(folder)?;
        Ok(Build {
            work: folder.root.join(".build"),
            output: folder.component(),
            folder,
        })
    }

    /// Works in this folder, which keeps the installed tools for the next time and for other functions.
    #[must_use]
    pub fn work_in(mut self, work: &Path) -> Build {
        work.clone_into(&mut self.work);
        self
    }

    /// Leaves the component in this file.
    #[must_use]
    pub fn output(mut self, output: &Path) -> Build {
        output.clone_into(&mut self.output);
        self
    }

    /// Which function it is of.
    pub fn folder(&self) -> &FunctionFolder {
        &self.folder
    }

    /// Builds.
    pub fn run(&self, tell: &mut dyn FnMut(Progress)) -> Result<Built, Error> {
        (self.folder.language.look)()?;
        fs::create_dir_all(&self.work).at(&self.work)?;
        let work = whole(&self.work)?;
        let lock = work.join("lock");
        let lock = File::create(&lock).at(&lock)?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(Error::Busy { folder: work }),
            Err(TryLockError::Error(error)) => return Err(error).at(&work),
        }
        let mut job = Job {
            folder: &self.folder,
            work: &work,
            tell,
        };
        let component = (self.folder.language.compile)(&mut job)?;
        component::check(&component)?;
        let home = tool::home();
        let places = [&self.folder.root, &work].into_iter().chain(&home);
        Ok(Built {
            changed: component::put(&self.output, &component)?,
            component: self.output.clone(),
            bytes: component.len() as u64,
            names: component::named(&component, places.filter_map(|place| place.to_str())),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::create::new;
    use crate::languages::Language;

    static FAKE: Language = Language {
        id: "fake",
        title: "Fake",
        names: &[],
        entry: "source",
        files: &[],
        batched: None,
        look: || Ok(()),
        compile: |job| {
            job.step("copying");
            let source = job.folder.root.join("source");
            component::read(&source)
        },
    };

    /// A component with something to call, and a text in it.
    fn sound(text: &str) -> Vec<u8> {
        let mut component = wat::parse_str(
            r#"(component
                (core module $code (func (export "handle")))
                (core instance $code (instantiate $code))
                (func (export "handle") (canon lift (core func $code "handle"))))"#,
        )
        .expect("the text is valid");
        // A custom section; its length and that of its name fit in a byte each.
        let length = u8::try_from(text.len() + 2)
            .ok()
            .filter(|length| *length < 0x80);
        component.extend([0, length.expect("a short text"), 1, b'x']);
        component.extend(text.as_bytes());
        component
    }

    fn function() -> (tempfile::TempDir, Build) {
        let folder = tempfile::tempdir().expect("a folder");
        new(folder.path(), "a", "c").expect("made");
        let mut build = Build::of(folder.path()).expect("a function");
        build.folder.language = &FAKE;
        (folder, build)
    }

    #[test]
    fn only_a_good_build_replaces_the_last_component() {
        let (folder, build) = function();
        let source = folder.path().join("source");
        let component = folder.path().join("a.wasm");
        let good = sound("good");
        fs::write(&source, &good).expect("written");
        let mut told = Vec::new();
        let built = build
            .run(&mut |progress| told.push(progress))
            .expect("built");
        assert_eq!(told, [Progress::Step("copying".into())]);
        assert!(built.changed && built.names.is_empty());
        assert_eq!(fs::read(&component).expect("left"), good);

        fs::write(&source, "spoilt").expect("written");
        build.run(&mut |_| {}).expect_err("no component");
        fs::remove_file(&source).expect("removed");
        build.run(&mut |_| {}).expect_err("nothing made");
        assert_eq!(fs::read(&component).expect("left"), good);
    }

    #[test]
    fn the_same_component_is_not_written_again() {
        let (folder, build) = function();
        fs::write(folder.path().join("source"), sound("")).expect("written");
        assert!(build.run(&mut |_| {}).expect("built").changed);
        assert!(!build.run(&mut |_| {}).expect("built").changed);
    }

    #[test]
    fn a_component_that_names_this_machine_says_so() {
        let (folder, build) = function();
        let root = whole(folder.path()).expect("there");
        let component = sound(&root.join("source").to_string_lossy());
        fs::write(folder.path().join("source"), component).expect("written");
        let built = build.run(&mut |_| {}).expect("built");
        assert!(built.names.contains(&root.to_string_lossy().into_owned()));
    }

    #[test]
    fn places_can_be_chosen() {
        let (folder, build) = function();
        fs::write(folder.path().join("source"), sound("")).expect("written");
        let other = tempfile::tempdir().expect("a folder");
        let output = other.path().join("b.wasm");
        let built = build.work_in(&other.path().join("work")).output(&output);
        assert_eq!(built.run(&mut |_| {}).expect("built").component, output);
        assert!(output.exists() && !folder.path().join(".build").exists());
    }

    #[test]
    fn two_builds_do_not_get_into_each_others_way() {
        let (folder, build) = function();
        let work = folder.path().join(".build");
        fs::create_dir(&work).expect("made");
        let held = File::create(work.join("lock")).expect("made");
        held.lock().expect("locked");
        let error = build.run(&mut |_| {}).expect_err("busy").to_string();
        assert!(error.contains("another build runs"), "{error}");
    }
}
