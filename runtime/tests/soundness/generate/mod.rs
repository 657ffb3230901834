//! Random designs, grown from what is looked at backwards, so that most nodes matter. One seed, one
//! design.
//!
//! The kinds and the wires come first (`skeleton`), against the stream; then, along the stream, every
//! node gets a configuration that fits the fields which reach it (`fill`); loops are closed last.

mod fields;
mod fill;
mod loops;
mod marks;
mod shape;
mod skeleton;
mod types;
mod window;

use std::fmt::Write;

use graph_model::document::Document;
use graph_model::validate::notation;

use crate::chance::Chance;

/// Kinds that no design has, and why.
pub(crate) const LEFT_OUT: [(&str, &str); 1] =
    [("function", "needs a compiled component beside the flow")];

/// What a design should be like.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Wish {
    /// About so many nodes.
    pub(crate) nodes: usize,
    pub(crate) loops: bool,
    pub(crate) feedback: bool,
}

impl Wish {
    fn of(chance: &mut Chance) -> Wish {
        Wish {
            nodes: 3
                + chance.below(10)
                + if chance.percent(30) {
                    chance.below(12)
                } else {
                    0
                },
            // Not all of them can be closed, and fixes open some.
            loops: chance.percent(85),
            feedback: chance.percent(30),
        }
    }
}

/// The design of a seed, as text.
pub(crate) fn text(seed: u64) -> String {
    let mut chance = Chance::new(seed);
    let wish = Wish::of(&mut chance);
    let types = types::draw(&mut chance);
    let mut skeleton = skeleton::grow(&mut chance, wish);
    let filled = fill::fill(&mut chance, &types, &mut skeleton);
    let mut text = String::new();
    for ty in &types {
        text.push_str(&ty.text);
        text.push('\n');
    }
    text.push_str(marks::CONTEXT);
    for (number, part) in filled.iter().enumerate() {
        let marks = marks::draw(&mut chance, part);
        let kind = part.kind;
        let config = &part.config;
        writeln!(text, "n{number}: {kind}({config}){marks}").expect("a string takes all text");
    }
    for wire in &skeleton.wires {
        let arrow = if wire.lossy { "->?" } else { "->" };
        let (from, port, input, to) = (wire.from, &wire.port, wire.input, wire.to);
        writeln!(text, "n{from}.{port} {arrow} .{input} n{to}").expect("a string takes all text");
    }
    text
}

/// The design of a seed.
pub(crate) fn design(seed: u64) -> Document {
    let text = text(seed);
    notation::read(&text).unwrap_or_else(|error| panic!("seed {seed}: {error}\n{text}"))
}
