//! Files of lines: appended in batches, whole batches or nothing.

use std::fs::{File, OpenOptions};
use std::io::{self, ErrorKind, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use graph_model::catalog::KindSpec;
use graph_model::value::Value;
use runtime_protocol::Problem;
use serde::Serialize;

use super::{Outcomes, dead_letter, effect, export};
use crate::kind::Build;
use crate::operator::Failure;
use crate::shared::lock;

/// A file that grows by lines. What was appended has been handed to the operating system: it
/// outlives this program, also when that is killed; after a power cut the newest lines may be missing.
pub(crate) struct LineFile {
    path: PathBuf,
    /// The path as people write it in the flow.
    shown: String,
    open: Mutex<Open>,
}

struct Open {
    file: File,
    /// The last line has no end: somebody was interrupted while writing it.
    torn: bool,
}

/// The file that `field` names; all nodes that write it in the same way share it. It is emptied
/// first when `empty` says so and this run opens it for the first time: edits empty nothing.
pub(super) fn open(build: &Build, field: &str, empty: bool) -> Result<Arc<LineFile>, Problem> {
    let path = build.path(field)?;
    let shown = build.text(field)?;
    refuse_clash(build, &path)?;
    let empty = empty && !build.shared.has_begun(&path);
    let file = build.shared.line_files.get(&path, || {
        LineFile::open(&path, &shown, empty).map_err(|error| {
            let advice = advice(&error);
            build.problem(format!("`{shown}` cannot be opened ({error}); {advice}"))
        })
    })?;
    build.shared.begin(path);
    Ok(file)
}

/// Appends one compact JSON line.
pub(super) fn write_line(lines: &mut Vec<u8>, value: &impl Serialize) -> Result<(), Failure> {
    let before = lines.len();
    serde_json::to_writer(&mut *lines, value).map_err(|error| {
        lines.truncate(before);
        Failure::invalid(format!("the event cannot be written as JSON ({error})"))
    })?;
    lines.push(b'\n');
    Ok(())
}

impl LineFile {
    pub(super) fn open(path: &Path, shown: &str, empty: bool) -> io::Result<LineFile> {
        let open = Open::new(path)?;
        let file = LineFile {
            path: path.to_path_buf(),
            shown: shown.into(),
            open: Mutex::new(open),
        };
        if empty {
            let mut open = lock(&file.open);
            open.file.set_len(0)?;
            open.torn = false;
        }
        Ok(file)
    }

    /// Appends one line for each value. Those that can be written go together or not at all.
    pub(super) fn append_each<'v, V: Serialize + 'v>(
        &self,
        values: impl IntoIterator<Item = &'v V>,
    ) -> Outcomes {
        let mut lines = Vec::new();
        let mut outcomes: Outcomes = values
            .into_iter()
            .map(|value| write_line(&mut lines, value).map(|()| None))
            .collect();
        if let Err(failure) = self.append(&lines) {
            for outcome in outcomes.iter_mut().filter(|outcome| outcome.is_ok()) {
                *outcome = Err(failure.clone());
            }
        }
        outcomes
    }

    /// Appends whole lines: all of them, or none when it fails.
    pub(super) fn append(&self, lines: &[u8]) -> Result<(), Failure> {
        let mut open = lock(&self.open);
        self.try_append(&mut open, lines).map_err(|error| {
            let advice = advice(&error);
            Failure::transient(format!(
                "`{}` cannot be written ({error}); {advice}",
                self.shown
            ))
        })
    }

    fn try_append(&self, open: &mut Open, lines: &[u8]) -> io::Result<()> {
        // Somebody may have moved or removed the file: writing on would write to nowhere.
        if !self.path.exists() {
            *open = Open::new(&self.path)?;
        }
        let mut written = 0;
        let torn = if open.torn { &b"\n"[..] } else { &[] };
        let outcome = [torn, lines]
            .into_iter()
            .try_for_each(|bytes| write_counted(&mut open.file, bytes, &mut written));
        match &outcome {
            Ok(()) => open.torn = false,
            // What was written in part goes, so that a later attempt does not repeat it.
            Err(_) if written > 0 => {
                let cut = |file: &File| file.set_len(file.metadata()?.len() - written);
                open.torn |= cut(&open.file).is_err();
            }
            Err(_) => {}
        }
        outcome
    }
}

/// Writes everything, and counts what was written also when it fails.
fn write_counted(file: &mut File, mut bytes: &[u8], written: &mut u64) -> io::Result<()> {
    while !bytes.is_empty() {
        match file.write(bytes) {
            Ok(0) => return Err(ErrorKind::WriteZero.into()),
            Ok(count) => {
                *written += count as u64;
                bytes = &bytes[count..];
            }
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

impl Open {
    fn new(path: &Path) -> io::Result<Open> {
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder)?;
        }
        let mut options = OpenOptions::new();
        let mut file = options.read(true).append(true).create(true).open(path)?;
        let torn = ends_within_a_line(&mut file)?;
        Ok(Open { file, torn })
    }
}

fn ends_within_a_line(file: &mut File) -> io::Result<bool> {
    if !file.metadata()?.is_file() || file.metadata()?.len() == 0 {
        return Ok(false);
    }
    let mut last = [0];
    file.seek(SeekFrom::End(-1))?;
    file.read_exact(&mut last)?;
    Ok(last != *b"\n")
}

/// What a person can do about it.
pub(super) fn advice(error: &io::Error) -> &'static str {
    match error.kind() {
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => "make room on the disk",
        ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem => {
            "allow writing there or choose another file"
        }
        ErrorKind::IsADirectory | ErrorKind::NotADirectory | ErrorKind::AlreadyExists => {
            "choose another file"
        }
        _ => "check the disk and the path",
    }
}

/// Nodes may share a file only when they write it in the same way.
fn refuse_clash(build: &Build, path: &Path) -> Result<(), Problem> {
    type Row = fn() -> KindSpec;
    let writers: [(Row, &str); 3] = [
        (export::spec, "file"),
        (dead_letter::spec, "file"),
        (effect::spec, "journal"),
    ];
    for (row, field) in writers {
        let spec = row();
        for (id, node) in &build.document.nodes {
            if id == build.id || node.disabled || node.kind != spec.id {
                continue;
            }
            let other = Build {
                id,
                node,
                spec: &spec,
                world: Arc::clone(&build.world),
                ..*build
            };
            let empties = |build: &Build| build.flag("truncate");
            if other.path(field).is_ok_and(|held| held == *path)
                && (node.kind != build.node.kind || empties(&other) != empties(build))
            {
                return Err(build.problem(format!(
                    "`{}` is also written by `{id}`, in another way; choose another file for one of them",
                    other.value(field).map(Value::to_text).unwrap_or_default()
                )));
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_follow_what_is_there() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("deep/er/out.jsonl");
        for (before, empty, after) in [
            ("", false, "new\n"),
            ("old\n", false, "old\nnew\n"),
            ("torn", false, "torn\nnew\n"),
            ("torn", true, "new\n"),
        ] {
            std::fs::create_dir_all(path.parent().expect("has one")).expect("a folder");
            std::fs::write(&path, before).expect("writes");
            let file = LineFile::open(&path, "out.jsonl", empty).expect("opens");
            file.append(b"new\n").expect("appends");
            assert_eq!(std::fs::read_to_string(&path).expect("reads"), after);
        }
    }

    #[test]
    fn a_removed_file_comes_back() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("sub/out.jsonl");
        let file = LineFile::open(&path, "sub/out.jsonl", false).expect("opens");
        file.append(b"1\n").expect("appends");
        std::fs::remove_dir_all(folder.path().join("sub")).expect("removes");
        file.append(b"2\n").expect("appends");
        assert_eq!(std::fs::read_to_string(&path).expect("reads"), "2\n");
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_full_disk_is_no_fault_of_the_event() {
        let file = LineFile::open(Path::new("/dev/full"), "out.jsonl", false).expect("opens");
        let failure = file.append(b"1\n").expect_err("is full");
        assert_eq!(
            failure,
            Failure::transient(
                "`out.jsonl` cannot be written (No space left on device (os error 28)); make room on the disk"
            )
        );
    }
}
