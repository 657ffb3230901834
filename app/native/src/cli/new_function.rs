//! `weir new-function`: a folder with a function to start from.

use std::path::{self, PathBuf};

use clap::Args;

use super::out::Out;
use super::{Stop, Verdict};

/// Make a folder with a new function
#[derive(Args)]
pub(super) struct NewFunction {
    /// The folder to make; its name becomes the name of the function
    folder: PathBuf,
    /// What to write it in: rust, c, js or python
    #[arg(long, value_name = "LANGUAGE")]
    lang: String,
    /// Take many events a call: several times as quick, without state, clock, chance and requests; in rust
    #[arg(long)]
    batched: bool,
}

impl NewFunction {
    pub(super) fn run(self, out: &Out) -> Result<Verdict, Stop> {
        let stop = |error: function_kit::Error| Stop::because(error.to_string());
        let whole = path::absolute(&self.folder).unwrap_or_else(|_| self.folder.clone());
        let name = whole.file_name().unwrap_or_default().to_string_lossy();
        let new = if self.batched {
            function_kit::new_batched
        } else {
            function_kit::new
        };
        let made = new(&self.folder, &name, &self.lang).map_err(stop)?;
        out.line(self.folder.join(made.language.entry).display())?;
        if let Err(missing) = (made.language.look)() {
            out.note(missing);
        }
        out.note(format_args!(
            "build it with: weir build {}",
            self.folder.display()
        ));
        Ok(Verdict::Well)
    }
}
