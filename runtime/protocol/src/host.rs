//! What a designer and the machine below it say to each other: files, dialogs, samples.
//!
//! That machine may be the one of the window, or the one at the other end of a line; each answers in
//! its own time.

use serde::{Deserialize, Serialize};
use smol_str::SmolStr;

/// Where a document is kept: a path natively, a name that the host understands elsewhere.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
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
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Stamp(pub u64);

/// A flow that comes with Weir.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sample {
    pub location: Location,
    pub title: SmolStr,
    pub summary: SmolStr,
}

/// What the designer wants done.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Ask {
    /// Let the user choose a file to open. Answered by `Picked`, `Dismissed` or `NoDialog`.
    PickOpen,
    /// Let the user choose where to save. Answered by `Picked`, `Dismissed` or `NoDialog`.
    PickSave { suggested: String },
    /// Answered by `Read`.
    Read(Location),
    /// Replace the file as a whole: after a crash it holds either the old bytes or the new.
    /// Answered by `Written`.
    Write {
        location: Location,
        #[serde(with = "bytes")]
        bytes: Vec<u8>,
    },
    /// Tell (`Changed`) when somebody else changes this file; `None` watches nothing.
    Watch(Option<Location>),
    /// Name what a path that somebody types could become. Answered by `Completed`.
    Complete(String),
    /// Keep a small text, or with `None` forget it. Answered by `NotStored` when that fails.
    Store { name: String, text: Option<String> },
    /// Name the document in the title of the window; whether work would be lost if it went away now.
    Title { title: String, unsaved: bool },
    /// Show these in the menu bar of the desktop, where it has one.
    Menus(Vec<Menu>),
    /// Show a page in the user's browser.
    OpenLink(String),
    /// Close the window; the designer has nothing left to ask.
    Close,
}

/// A menu of the menu bar.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Menu {
    pub title: String,
    /// Groups with a line between them.
    pub groups: Vec<Vec<MenuItem>>,
}

/// A line of a menu, and what it does.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MenuItem {
    pub title: String,
    /// What the host then tells.
    pub told: Told,
}

/// What the host has to say.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Told {
    Picked(Location),
    Dismissed,
    /// There is no such dialog here: the designer asks for the path itself.
    NoDialog,
    Read {
        location: Location,
        result: Result<Contents, String>,
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
    /// Entries of a folder that go on from the path; folders end in `/`.
    Completed {
        path: String,
        entries: Vec<String>,
    },
    NotStored {
        name: String,
        why: String,
    },
    /// Somebody wants this flow opened: by a link, a second start, a file dropped on the window.
    Open(Location),
    /// Somebody wants this action done, as by a menu of the desktop.
    Do(String),
    /// The user wants the window closed.
    CloseRequested,
}

/// A file as it was read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Contents {
    #[serde(with = "bytes")]
    pub bytes: Vec<u8>,
    pub stamp: Stamp,
}

/// Bytes as bytes, not as a list of numbers.
mod bytes {
    use serde::de::{self, Deserializer, SeqAccess, Visitor};
    use serde::ser::Serializer;

    pub(super) fn serialize<S: Serializer>(bytes: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(bytes)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Vec<u8>, D::Error> {
        deserializer.deserialize_byte_buf(Bytes)
    }

    struct Bytes;

    impl<'de> Visitor<'de> for Bytes {
        type Value = Vec<u8>;

        fn expecting(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            formatter.write_str("bytes")
        }

        fn visit_bytes<E: de::Error>(self, bytes: &[u8]) -> Result<Vec<u8>, E> {
            Ok(bytes.to_vec())
        }

        fn visit_byte_buf<E: de::Error>(self, bytes: Vec<u8>) -> Result<Vec<u8>, E> {
            Ok(bytes)
        }

        /// As text formats write them.
        fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Vec<u8>, A::Error> {
            let mut bytes = Vec::new();
            while let Some(byte) = seq.next_element()? {
                bytes.push(byte);
            }
            Ok(bytes)
        }
    }
}
