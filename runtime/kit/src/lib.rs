//! Functions in any language, from their source: makes a folder for one, builds it with the ordinary tools
//! of its language, and builds it again when its source changes.
//!
//! A build leaves `NAME.wasm` in the folder: a component for the world of `runtime/wit/function.wit`. It
//! is put there whole, and only when the build succeeded, so that whoever runs the last one is not
//! disturbed. What a build makes or installs besides stays in the folder's `.build`, apart from what the tools
//! keep for themselves, such as the packages that they fetched.

mod build;
mod component;
mod create;
mod error;
mod folder;
mod job;
mod languages;
mod tool;
mod venv;
mod watch;

pub use self::build::{Build, Built, build};
pub use self::create::{new, new_batched};
pub use self::error::Error;
pub use self::folder::{FunctionFolder, MANIFEST};
pub use self::job::Progress;
pub use self::languages::{ALL, Language, language};
pub use self::tool::{Missing, Way};
pub use self::watch::{Heard, Watch};
