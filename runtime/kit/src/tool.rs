//! The tools of a language: how they are looked for, and what to do when they are not there.

use std::env;
use std::fmt;
use std::path::PathBuf;
use std::process::{Command, Stdio};

/// A tool that a build needs and this machine lacks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Missing {
    /// What it is called.
    pub tool: &'static str,
    /// Ways to get it.
    pub ways: Vec<Way>,
}

/// One way to get a tool.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Way {
    /// For whom, such as `on Debian`.
    pub on: &'static str,
    /// What to type, or where to go.
    pub how: String,
}

impl Missing {
    pub(crate) fn new(tool: &'static str, ways: &[(&'static str, &str)]) -> Missing {
        let ways = ways.iter().map(|(on, how)| Way {
            on,
            how: (*how).to_owned(),
        });
        Missing {
            tool,
            ways: ways.collect(),
        }
    }
}

impl fmt::Display for Missing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} is missing; install it", self.tool)?;
        for (index, way) in self.ways.iter().enumerate() {
            let or = if index == 0 { "" } else { ", or" };
            write!(f, "{or} {}: {}", way.on, way.how)?;
        }
        Ok(())
    }
}

impl std::error::Error for Missing {}

/// A program, where the machine's search path leads to it.
pub(crate) fn find(program: &str) -> Option<PathBuf> {
    find_in(env::split_paths(&env::var_os("PATH")?), program)
}

fn find_in(folders: impl Iterator<Item = PathBuf>, program: &str) -> Option<PathBuf> {
    // On Windows programs have an ending, and scripts another one.
    let endings: &[&str] = if cfg!(windows) {
        &[".exe", ".cmd"]
    } else {
        &[""]
    };
    folders
        .flat_map(|folder| {
            endings
                .iter()
                .map(move |ending| folder.join(format!("{program}{ending}")))
        })
        .find(|path| path.is_file())
}

/// Python 3, under the name that it has here.
pub(crate) fn python() -> Option<PathBuf> {
    ["python3", "python"]
        .into_iter()
        .filter_map(find)
        .find(|python| {
            let mut command = Command::new(python);
            command.args(["-c", "import sys; sys.exit(sys.version_info < (3, 10))"]);
            succeeds(&mut command)
        })
}

/// What a program answers, if it succeeds.
pub(crate) fn answer(command: &mut Command) -> Option<String> {
    let output = command.stdin(Stdio::null()).output().ok()?;
    let text = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    output.status.success().then_some(text)
}

/// Whether a program succeeds.
pub(crate) fn succeeds(command: &mut Command) -> bool {
    answer(command).is_some()
}

/// The folder of the person who builds.
pub(crate) fn home() -> Option<PathBuf> {
    let home = env::var_os("HOME").or_else(|| env::var_os("USERPROFILE"))?;
    Some(PathBuf::from(home)).filter(|home| home.parent().is_some())
}

/// Where cargo keeps what it fetched.
pub(crate) fn cargo_home() -> Option<PathBuf> {
    env::var_os("CARGO_HOME")
        .map(PathBuf::from)
        .or_else(|| Some(home()?.join(".cargo")))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn what_is_missing_says_how_to_get_it() {
        let missing = Missing::new(
            "npm",
            &[
                ("on Debian", "apt-get install npm"),
                ("elsewhere", "https://nodejs.org"),
            ],
        );
        assert_eq!(
            missing.to_string(),
            "npm is missing; install it on Debian: apt-get install npm, or elsewhere: https://nodejs.org"
        );
    }

    #[test]
    fn a_program_is_found_in_the_first_folder_that_has_it() {
        let parent = tempfile::tempdir().expect("a folder");
        let ending = if cfg!(windows) { ".exe" } else { "" };
        let folders = ["a", "b", "c"].map(|name| parent.path().join(name));
        for folder in &folders[1..] {
            fs::create_dir(folder).expect("made");
            fs::write(folder.join(format!("tool{ending}")), "").expect("written");
        }
        let find = |program| find_in(folders.iter().cloned(), program);
        assert_eq!(find("tool"), Some(folders[1].join(format!("tool{ending}"))));
        assert_eq!(find("other"), None);
    }
}
