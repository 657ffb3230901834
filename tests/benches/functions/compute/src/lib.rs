//! The computation of bench A as a function: what `.v2 = .value * 1.1 | .big = (.value >= 90)` is as a map.

#[path = "../../../../../runtime/kit/src/languages/rust/frame.rs.in"]
mod frame;

use serde::{Deserialize, Serialize};

use crate::frame::{Event, Failure, Out};

wit_bindgen::generate!({ path: "../../../../runtime/wit", world: "batched" });

#[derive(Deserialize)]
struct Made<'a> {
    id: u64,
    key: &'a str,
    t0: u64,
    value: f64,
}

#[derive(Serialize)]
struct Computed<'a> {
    big: bool,
    id: u64,
    key: &'a str,
    t0: u64,
    v2: f64,
    value: f64,
}

fn handle(event: &Event<'_>, out: &mut Out<'_>) -> Result<(), Failure> {
    let Made { id, key, t0, value } = event.data()?;
    out.send("ok", &Computed { big: value >= 90.0, id, key, t0, v2: value * 1.1, value })
}
