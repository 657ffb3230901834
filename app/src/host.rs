//! What the designer asks of the machine it runs on: files, dialogs, storage, window.
//!
//! The same designer runs in a native window, in a webview and in a browser; each answers in its
//! own time. So the designer asks with [`Host::ask`] and hears with [`Host::poll`], and neither
//! waits.

pub use runtime_protocol::host::{Ask, Contents, Location, Sample, Stamp, Told};

/// The machine below the designer.
pub trait Host {
    fn ask(&mut self, ask: Ask);
    /// Everything that came up since the last call, oldest first.
    fn poll(&mut self) -> Vec<Told>;

    /// A small text that was stored under this name by `Ask::Store`, such as settings or an autosave;
    /// nothing as long as it is not known.
    fn stored(&self, name: &str) -> Option<String>;
    /// Whether what was stored is known by now. A machine elsewhere takes a moment to say.
    fn ready(&self) -> bool {
        true
    }
    /// Whether the desktop shows the menus, and the window needs none.
    fn shows_menus(&self) -> bool {
        false
    }

    /// Flows that come with Weir.
    fn samples(&self) -> Vec<Sample>;
    /// The folder that relative paths of a new document start from.
    fn folder(&self) -> String;
    /// Seconds that only ever grow, for measuring.
    fn clock(&self) -> f64;
    /// The day of the calendar that it is in UTC, such as `2027-01-31`: the same for everybody.
    fn today(&self) -> String;
}
