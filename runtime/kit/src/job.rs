//! A build while it runs: where it works, the programs that it starts, and what is told of them.

use std::collections::VecDeque;
use std::fs;
use std::io::{self, BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{SyncSender, sync_channel};
use std::thread;

use crate::error::{At, Error};
use crate::folder::FunctionFolder;
use crate::tool;

/// Bytes of a line that are passed on; what comes behind them is left out.
const LINE_MAX: usize = 4096;
/// Lines that wait until they are told; then the program has to.
const LINES_WAITING_MAX: usize = 256;
/// Lines of a failed program that its error keeps.
const SAID_MAX: usize = 40;

/// What is told of a build.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Progress {
    /// What is done now.
    Step(String),
    /// A line of the program that does it.
    Line(String),
}

/// One build of one function.
pub(crate) struct Job<'a> {
    pub(crate) folder: &'a FunctionFolder,
    /// Holds everything that the build makes and installs. It may serve other functions too.
    pub(crate) work: &'a Path,
    pub(crate) tell: &'a mut dyn FnMut(Progress),
}

impl Job<'_> {
    pub(crate) fn step(&mut self, what: impl Into<String>) {
        (self.tell)(Progress::Step(what.into()));
    }

    /// Runs a program and passes on what it writes.
    pub(crate) fn run(&mut self, what: &str, command: &mut Command) -> Result<(), Error> {
        self.run_keeping(what, command, &mut |line| Some(line))
    }

    /// Runs a program. What it writes to standard output goes through `keep`, which gives back what
    /// is for people.
    pub(crate) fn run_keeping(
        &mut self,
        what: &str,
        command: &mut Command,
        keep: &mut dyn FnMut(String) -> Option<String>,
    ) -> Result<(), Error> {
        let program = PathBuf::from(command.get_program());
        command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut said = VecDeque::new();
        let ended = command.spawn().and_then(|child| {
            follow(child, &mut |line| {
                let line = if line.answer {
                    keep(line.text)
                } else {
                    Some(line.text)
                };
                if let Some(line) = line {
                    if said.len() == SAID_MAX {
                        said.pop_front();
                    }
                    said.push_back(line.clone());
                    (self.tell)(Progress::Line(line));
                }
            })
        });
        let status = ended.at(&program)?;
        if status.success() {
            return Ok(());
        }
        Err(Error::Failed {
            what: what.to_owned(),
            status: match status.code() {
                Some(code) => format!("code {code}"),
                None => status.to_string(),
            },
            said: said.into(),
        })
    }

    /// A folder inside the one to work in.
    pub(crate) fn work_folder(&self, name: &str) -> Result<PathBuf, Error> {
        let path = self.work.join(name);
        fs::create_dir_all(&path).at(&path)?;
        Ok(path)
    }

    /// The places of this machine that should not be found in a component, with what to call them
    /// instead; the longest first, as the others may be part of them.
    pub(crate) fn renamed_places(&self) -> Vec<(PathBuf, String)> {
        let mut places = vec![
            (self.folder.root.clone(), format!("/{}", self.folder.name)),
            (self.folder.wit.clone(), "/wit".to_owned()),
            (self.work.to_owned(), "/build".to_owned()),
        ];
        places.extend(tool::home().map(|home| (home, "/home".to_owned())));
        places.sort_by_key(|(place, _)| std::cmp::Reverse(place.as_os_str().len()));
        places
    }
}

/// A line that a program wrote.
struct Line {
    text: String,
    /// Whether it went to standard output.
    answer: bool,
}

fn follow(mut child: Child, hear: &mut dyn FnMut(Line)) -> io::Result<ExitStatus> {
    let (sender, lines) = sync_channel(LINES_WAITING_MAX);
    let (answers, rest) = (child.stdout.take(), child.stderr.take());
    thread::scope(|scope| {
        if let Some(answers) = answers {
            let sender = sender.clone();
            scope.spawn(move || pass_on(answers, true, &sender));
        }
        if let Some(rest) = rest {
            scope.spawn(move || pass_on(rest, false, &sender));
        }
        lines.iter().for_each(hear);
    });
    child.wait()
}

fn pass_on(from: impl Read, answer: bool, to: &SyncSender<Line>) {
    let mut from = BufReader::new(from);
    let mut bytes = Vec::new();
    // A stream that breaks ends; how the program fared is told by its status.
    while from
        .read_until(b'\n', &mut bytes)
        .is_ok_and(|read| read > 0)
    {
        // Standard output is read by this program in places, so its lines are left whole.
        if !answer {
            bytes.truncate(LINE_MAX);
        }
        let text = String::from_utf8_lossy(&bytes).trim_end().to_owned();
        bytes.clear();
        if to.send(Line { text, answer }).is_err() {
            return;
        }
    }
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;
    use crate::create::new;

    fn run(script: &str) -> (Result<(), Error>, Vec<Progress>) {
        let parent = tempfile::tempdir().expect("a folder");
        let folder = new(parent.path(), "a", "c").expect("made");
        let mut told = Vec::new();
        let mut job = Job {
            folder: &folder,
            work: parent.path(),
            tell: &mut |progress| told.push(progress),
        };
        let ended = job.run("sh", Command::new("sh").args(["-c", script]));
        (ended, told)
    }

    #[test]
    fn what_a_program_writes_is_told_as_it_comes() {
        let (ended, mut told) = run("echo one; echo two >&2; printf 'three\\377'");
        ended.expect("it succeeds");
        told.sort_by_key(|line| format!("{line:?}"));
        let lines = ["one", "three\u{fffd}", "two"];
        assert_eq!(told, lines.map(|line| Progress::Line(line.into())));
    }

    #[test]
    fn a_failure_keeps_the_last_lines() {
        let (ended, _) = run("for i in $(seq 100); do echo $i; done; exit 3");
        let Err(error @ Error::Failed { .. }) = ended else {
            panic!("{ended:?}")
        };
        assert_eq!(
            error.to_string(),
            "sh ended with code 3; mend what it says and build again"
        );
        let Error::Failed { said, .. } = error else {
            unreachable!()
        };
        assert_eq!(
            (said.len(), said[0].as_str(), said[39].as_str()),
            (40, "61", "100")
        );
    }

    #[test]
    fn a_program_that_is_gone_is_named() {
        let parent = tempfile::tempdir().expect("a folder");
        let folder = new(parent.path(), "a", "c").expect("made");
        let mut job = Job {
            folder: &folder,
            work: parent.path(),
            tell: &mut |_| {},
        };
        let error = job
            .run("x", &mut Command::new("/no/such/tool"))
            .expect_err("not there")
            .to_string();
        assert!(error.starts_with("/no/such/tool: "), "{error}");
    }
}
