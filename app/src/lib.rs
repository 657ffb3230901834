//! The designer as a library (egui): hosts give it a window, files and a line to an engine.

mod actions;
pub mod canvas;
mod canvas_pane;
mod day;
mod designer;
mod dialogs;
mod diff;
mod files;
mod findings;
mod follow;
mod frame;
mod graph_edits;
pub mod host;
mod keymap;
mod overlays;
mod palette;
mod panels;
mod pins;
mod plain;
mod playback;
mod preview;
mod quick_add;
pub mod remote;
mod requests;
mod session;
mod show_me;
#[cfg(test)]
mod show_me_tests;
mod showing;
mod state;
mod suggest;
pub mod theme;
mod trust;
mod view;
mod widgets;

#[cfg(test)]
mod canvas_tests;
#[cfg(test)]
mod code_tests;
#[cfg(test)]
mod declare_tests;
#[cfg(test)]
mod hazard_tests;
#[cfg(test)]
mod pictures;
#[cfg(test)]
mod playback_tests;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod trust_tests;

pub use designer::Designer;
pub use host::Host;
