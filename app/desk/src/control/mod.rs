//! The line from outside to a run: a program that runs a project listens on the loopback, and leaves
//! its address and a token in the project for those who may read the user's files.

mod client;
mod server;
#[cfg(test)]
mod tests;

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Write};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

pub use client::{Line, NoLine};
pub use server::{Connect, Control, new_token};

/// Folder of a project in which Weir keeps what is its own.
const OWN_FOLDER: &str = ".weir";
/// Name of the header that carries the token.
const TOKEN_HEADER: &str = "x-weir-token";

/// What the session file holds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Session {
    version: u32,
    /// Where the run listens for commands.
    pub address: SocketAddr,
    /// 32 random bytes as hexadecimal digits.
    token: String,
    /// Number of the process that runs the project.
    pub process: u32,
}

/// Why a project cannot be taken for a run: what, where, what next.
#[derive(Debug, thiserror::Error)]
pub enum Refused {
    #[error("{}: already runs here{}; stop that run first", project.display(), of_process(*process))]
    Busy {
        project: PathBuf,
        process: Option<u32>,
    },
    #[error("{}: {error}; choose a folder that you may write to", path.display())]
    Unwritable { path: PathBuf, error: io::Error },
    #[error("no line for commands could be opened: {0}")]
    NoServer(String),
}

fn of_process(process: Option<u32>) -> String {
    process.map_or(String::new(), |process| format!(" (process {process})"))
}

fn session_path(project: &Path) -> PathBuf {
    project.join(OWN_FOLDER).join("session.json")
}

/// The session file as somebody left it; nothing when there is none that can be read.
fn read_session(project: &Path) -> Option<Session> {
    let text = fs::read(session_path(project)).ok()?;
    serde_json::from_slice(&text).ok()
}

/// Holds the project for this process: the system gives it back however the process ends.
fn take(project: &Path) -> Result<File, Refused> {
    let folder = project.join(OWN_FOLDER);
    let path = folder.join("lock");
    let opened = private_folder(&folder).and_then(|()| {
        OpenOptions::new()
            .create(true)
            .write(true)
            .truncate(false)
            .open(&path)
    });
    let unwritable = |error| Refused::Unwritable {
        path: folder.clone(),
        error,
    };
    let lock = opened.map_err(unwritable)?;
    match lock.try_lock() {
        Ok(()) => Ok(lock),
        Err(TryLockError::WouldBlock) => Err(Refused::Busy {
            project: project.to_path_buf(),
            process: read_session(project).map(|session| session.process),
        }),
        Err(TryLockError::Error(error)) => Err(unwritable(error)),
    }
}

fn private_folder(folder: &Path) -> io::Result<()> {
    if folder.is_dir() {
        return Ok(());
    }
    let mut builder = fs::DirBuilder::new();
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder)
}

/// Writes the session file so that only the user can ever read it.
fn write_session(project: &Path, session: &Session) -> Result<(), Refused> {
    let path = session_path(project);
    let text = serde_json::to_vec(session).expect("a session is plain data");
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    // A file from a run that was killed may have been made readable since.
    let written = match fs::remove_file(&path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => options
            .open(&path)
            .and_then(|mut file| file.write_all(&text)),
    };
    written.map_err(|error| Refused::Unwritable { path, error })
}
