//! What can go wrong with the folder of a function: what, where, what next.

use std::io;
use std::path::{Path, PathBuf};

use thiserror::Error;

use crate::tool::Missing;

/// Why a function could not be made or built.
#[derive(Debug, Error)]
pub enum Error {
    /// A name that one of the tools would stumble over.
    #[error("`{name}` is no name for a function: {why}; choose one such as `order-tax`")]
    BadName {
        /// The name.
        name: String,
        /// What is wrong with it.
        why: &'static str,
    },
    /// A language that has no file in `languages`.
    #[error("functions cannot be made in `{language}`; choose from {known}")]
    UnknownLanguage {
        /// What was asked for.
        language: String,
        /// All that there are.
        known: String,
    },
    /// A language without functions that take many events at a time.
    #[error(
        "functions in {title} take one event at a time; leave out `--batched`, or choose from {known}"
    )]
    NoBatches {
        /// The language.
        title: &'static str,
        /// Those that have them.
        known: String,
    },
    /// Something is there already.
    #[error("{}: the folder is not empty; choose another", folder.display())]
    NotEmpty {
        /// The folder.
        folder: PathBuf,
    },
    /// A folder that is not a function's.
    #[error(
        "{}: there is no `function.json`; name the folder of a function, or make one with `weir new-function`",
        folder.display()
    )]
    NoFunction {
        /// The folder.
        folder: PathBuf,
    },
    /// `function.json` does not say what it should.
    #[error("{}: {why}; write {{\"name\": \"order-tax\", \"language\": \"rust\"}}", path.display())]
    BadManifest {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// The machine lacks a tool.
    #[error(transparent)]
    Missing(#[from] Missing),
    /// The language's build did not accept the source.
    #[error("{what} ended with {status}; mend what it says and build again")]
    Failed {
        /// What was run.
        what: String,
        /// How it ended.
        status: String,
        /// The last lines that it wrote.
        said: Vec<String>,
    },
    /// The build came to an end, but not to a component.
    #[error("the build did not make a component: {why}")]
    NoComponent {
        /// What is wrong, and what to do.
        why: String,
    },
    /// Somebody else is at it.
    #[error("{}: another build runs in this folder; wait for it", folder.display())]
    Busy {
        /// The folder.
        folder: PathBuf,
    },
    /// The machine does not tell of changes.
    #[error("{}: changes cannot be watched: {why}; build by hand", folder.display())]
    Unwatched {
        /// The folder.
        folder: PathBuf,
        /// What the machine says.
        why: String,
    },
    /// A file could not be read or written.
    #[error("{}: {error}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the machine says.
        #[source]
        error: io::Error,
    },
}

/// Names the file in an error of the machine.
pub(crate) trait At<T> {
    fn at(self, path: &Path) -> Result<T, Error>;
}

impl<T> At<T> for io::Result<T> {
    fn at(self, path: &Path) -> Result<T, Error> {
        self.map_err(|error| Error::Io {
            path: path.to_owned(),
            error,
        })
    }
}
