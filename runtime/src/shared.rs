//! What the nodes of one engine share: listeners, the function host, view contents.

/// Handles that outlive a single node; made once for each engine.
#[derive(Default)]
pub struct Shared {}
