//! What the designer asks of the machine it runs on: files, dialogs, storage, window.
//!
//! The same designer runs in a native window, in a webview and in a browser; each answers in its
//! own time. So the designer asks with [`Host::ask`] and hears with [`Host::poll`], and neither
//! waits.

use smol_str::SmolStr;

/// Where a document is kept: a path natively, a name that the host understands elsewhere.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Location(pub SmolStr);

impl Location {
    pub fn new(text: impl Into<SmolStr>) -> Location {
        Location(text.into())
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The last part, for titles and lists.
    pub fn name(&self) -> &str {
        self.0
            .rsplit(['/', '\\'])
            .find(|part| !part.is_empty())
            .unwrap_or(&self.0)
    }

    /// Everything before the last part.
    pub fn folder(&self) -> &str {
        self.0[..self.0.len() - self.name().len()].trim_end_matches(['/', '\\'])
    }
}

/// What tells one state of a file from the next, such as its time of modification.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stamp(pub u64);

/// A flow that comes with Weir.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sample {
    pub location: Location,
    pub title: SmolStr,
    pub summary: SmolStr,
}

/// What the designer wants done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ask {
    /// Let the user choose a file to open. Answered by `Picked`, `Dismissed` or `NoDialog`.
    PickOpen,
    /// Let the user choose where to save. Answered by `Picked`, `Dismissed` or `NoDialog`.
    PickSave { suggested: String },
    /// Answered by `Read`.
    Read(Location),
    /// Replace the file as a whole: after a crash it holds either the old bytes or the new.
    /// Answered by `Written`.
    Write { location: Location, bytes: Vec<u8> },
    /// Tell (`Changed`) when somebody else changes this file; `None` watches nothing.
    Watch(Option<Location>),
    /// Close the window; the designer has nothing left to ask.
    Close,
}

/// What the host has to say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Told {
    Picked(Location),
    Dismissed,
    /// There is no such dialog here: the designer asks for the path itself.
    NoDialog,
    Read {
        location: Location,
        result: Result<(Vec<u8>, Stamp), String>,
    },
    Written {
        location: Location,
        result: Result<Stamp, String>,
    },
    /// The watched file has another stamp now; `None` when it is gone.
    Changed {
        location: Location,
        stamp: Option<Stamp>,
    },
    /// The user wants the window closed.
    CloseRequested,
}

/// The machine below the designer.
pub trait Host {
    fn ask(&mut self, ask: Ask);
    /// Everything that came up since the last call, oldest first.
    fn poll(&mut self) -> Vec<Told>;

    /// A small text that was stored under this name, such as settings or an autosave.
    fn stored(&self, name: &str) -> Option<String>;
    /// Stores it, or with `None` forgets it. An error says why it could not.
    fn store(&mut self, name: &str, text: Option<&str>) -> Result<(), String>;

    /// Flows that come with Weir.
    fn samples(&self) -> Vec<Sample>;
    /// The folder that relative paths of a new document start from.
    fn folder(&self) -> String;
    /// Seconds that only ever grow, for measuring.
    fn clock(&self) -> f64;
    /// Title of the window.
    fn set_title(&mut self, title: &str);
    /// Whether work would be lost if the window went away now. For hosts that cannot wait for
    /// [`Told::CloseRequested`] to be answered.
    fn set_unsaved(&mut self, _unsaved: bool) {}
    /// Entries of a folder whose names start like this, for the path prompt; folders end in `/`.
    fn complete(&self, path: &str) -> Vec<String>;
}
