//! `weir open`: the designer.

use std::path::{Path, PathBuf};

use clap::Args;

use super::{Stop, Verdict};
use crate::window;
use desk::flow_file::{self, NoFlow};
use desk::samples;

/// Open the designer
#[derive(Args, Default)]
pub(super) struct Open {
    /// A flow, a folder with one, or the name of a sample [default: hello]
    file: Option<PathBuf>,
}

impl Open {
    pub(super) fn run(self) -> Result<Verdict, Stop> {
        let file = match self.file {
            None => copy_of(samples::first())?,
            Some(place) => find(&place)?,
        };
        show(window::What::Flow(file))
    }
}

/// Opens the window and stays until it is closed.
pub(super) fn show(what: window::What) -> Result<Verdict, Stop> {
    if !has_display() {
        return Err(Stop::because(
            "there is no display here; set DISPLAY or WAYLAND_DISPLAY, or use `weir run` and `weir check`",
        ));
    }
    window::open(what).map_err(|error| {
        Stop::because(format!(
            "the window could not be opened: {error}; see that the display is there"
        ))
    })?;
    Ok(Verdict::Well)
}

/// Elsewhere than on these systems there always is one.
fn has_display() -> bool {
    let named = |name| std::env::var_os(name).is_some_and(|value| !value.is_empty());
    cfg!(any(windows, target_os = "macos")) || named("DISPLAY") || named("WAYLAND_DISPLAY")
}

pub(super) fn find(place: &Path) -> Result<PathBuf, Stop> {
    match flow_file::find(place) {
        Err(NoFlow::Missing(_)) if let Some(sample) = sample(place) => copy_of(sample),
        other => Ok(other?),
    }
}

fn sample(place: &Path) -> Option<&'static samples::Bundled> {
    samples::find(place.to_str()?)
}

/// The user's own copy, so that what comes with the program stays as it is.
fn copy_of(sample: &samples::Bundled) -> Result<PathBuf, Stop> {
    let place = sample
        .place()
        .ok_or_else(|| Stop::because("no folder for your samples is known; set HOME"))?;
    samples::unpack_if_one(&place).map_err(|error| {
        Stop::because(format!(
            "{}: the sample could not be written: {error}",
            place.display()
        ))
    })?;
    Ok(place)
}
