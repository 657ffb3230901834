//! Tools from `PyPI`, in a virtual environment of the build.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::error::{At, Error};
use crate::job::Job;
use crate::tool::{self, Missing};

/// What a folder asks pip for.
const REQUIREMENTS: &str = "requirements.txt";

/// A virtual environment.
pub(crate) struct Venv {
    root: PathBuf,
}

impl Venv {
    /// The environment with what the folder's `requirements.txt` asks for; makes it when it is not there, or
    /// holds something else.
    pub(crate) fn ready(job: &mut Job<'_>) -> Result<Venv, Error> {
        let requirements = job.folder.root.join(REQUIREMENTS);
        let wanted = fs::read_to_string(&requirements).at(&requirements)?;
        let venv = Venv {
            root: job.work.join("venv"),
        };
        // Written last: an environment without it was left half made.
        let stamp = venv.root.join(REQUIREMENTS);
        if fs::read_to_string(&stamp).is_ok_and(|installed| installed == wanted) {
            return Ok(venv);
        }
        look()?;
        let python = tool::python().ok_or_else(no_python)?;
        job.step(format!("installing {} from PyPI", listed(&wanted)));
        if !venv.program("pip").is_file() {
            let mut make = Command::new(python);
            make.args(["-m", "venv"]).arg(&venv.root);
            job.run("python -m venv", &mut make)?;
        }
        let mut install = venv.command("python");
        install
            .args([
                "-m",
                "pip",
                "install",
                "--quiet",
                "--disable-pip-version-check",
            ])
            .arg("--requirement")
            .arg(&requirements);
        job.run("pip install", &mut install)?;
        fs::write(&stamp, wanted).at(&stamp)?;
        Ok(venv)
    }

    /// A program of the environment, which finds the others of it.
    pub(crate) fn command(&self, program: &str) -> Command {
        let mut command = Command::new(self.program(program));
        command
            .env("VIRTUAL_ENV", &self.root)
            .env_remove("PYTHONHOME");
        let path = env::var_os("PATH").unwrap_or_default();
        let paths = std::iter::once(self.programs()).chain(env::split_paths(&path));
        if let Ok(path) = env::join_paths(paths) {
            command.env("PATH", path);
        }
        command
    }

    fn program(&self, program: &str) -> PathBuf {
        let ending = if cfg!(windows) { ".exe" } else { "" };
        self.programs().join(format!("{program}{ending}"))
    }

    fn programs(&self) -> PathBuf {
        self.root
            .join(if cfg!(windows) { "Scripts" } else { "bin" })
    }
}

/// Whether there is a Python that can make an environment.
pub(crate) fn look() -> Result<(), Missing> {
    let python = tool::python().ok_or_else(no_python)?;
    if can_make(&python) {
        Ok(())
    } else {
        Err(no_venv())
    }
}

fn can_make(python: &Path) -> bool {
    tool::succeeds(Command::new(python).args(["-c", "import ensurepip, venv"]))
}

fn no_python() -> Missing {
    Missing::new(
        "Python 3.10 or later",
        &[
            ("on Debian", "apt-get install python3 python3-venv"),
            ("elsewhere", "https://python.org"),
        ],
    )
}

fn no_venv() -> Missing {
    Missing::new(
        "Python's module `venv`",
        &[
            ("on Debian", "apt-get install python3-venv"),
            ("elsewhere", "a Python from https://python.org has it"),
        ],
    )
}

/// What is asked for, for people.
fn listed(requirements: &str) -> String {
    let lines = requirements
        .lines()
        .map(|line| line.split('#').next().unwrap_or_default().trim());
    let wanted: Vec<_> = lines.filter(|line| !line.is_empty()).collect();
    wanted.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requirements_are_told_without_their_comments() {
        let text = "# tools\ncomponentize-py==0.25.1\n\nattrs # for data\n";
        assert_eq!(listed(text), "componentize-py==0.25.1, attrs");
    }

    #[test]
    fn what_is_missing_says_what_to_install() {
        assert!(no_python().to_string().contains("apt-get install python3 "));
        assert!(
            no_venv()
                .to_string()
                .contains("apt-get install python3-venv")
        );
    }
}
