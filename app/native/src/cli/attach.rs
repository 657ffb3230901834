//! `weir attach`: the native designer on an engine elsewhere.

use clap::Args;

use super::{Stop, Verdict, open};
use crate::window::What;

/// Open the designer on a project that `weir serve` serves
#[derive(Args)]
pub(super) struct Attach {
    /// The link that `weir serve` printed, with its token
    url: String,
}

impl Attach {
    pub(super) fn run(self) -> Result<Verdict, Stop> {
        let address = crate::pipe::Address::parse(&self.url).map_err(Stop::because)?;
        open::show(What::Engine(address))
    }
}
