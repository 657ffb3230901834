//! Command line and native window of Weir.
fn main() {}
