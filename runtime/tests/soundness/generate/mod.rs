//! Random designs, grown from what is looked at backwards, so that most nodes matter. One seed, one
//! design.
//!
//! The kinds and the wires come first (`skeleton`), against the stream; then, along the stream, every
//! node gets a configuration that fits the fields which reach it (`fill`); loops are closed last.

mod code;
mod fields;
mod fill;
mod loads;
mod loops;
mod marks;
mod numbers;
mod readers;
mod shape;
mod shapes;
mod skeleton;
mod theme;
mod types;
mod window;

use std::fmt::Write;

use graph_model::document::Document;
use graph_model::validate::notation;

pub(crate) use self::theme::Theme;
use crate::chance::Chance;

/// Kinds that no design has, and why.
pub(crate) const LEFT_OUT: [(&str, &str); 1] = [(
    "script",
    "is a function that costs a thousand times what others do",
)];

/// What a design should be like.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Wish {
    /// About so many nodes.
    pub(crate) nodes: usize,
    pub(crate) loops: bool,
    pub(crate) feedback: bool,
    pub(crate) theme: Theme,
}

impl Wish {
    fn of(chance: &mut Chance, theme: Theme) -> Wish {
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
            theme,
        }
    }
}

/// The design of a seed about a theme, as text.
pub(crate) fn text(theme: Theme, seed: u64) -> String {
    let mut chance = Chance::new(seed);
    let wish = Wish::of(&mut chance, theme);
    let types = theme.types(&mut chance);
    let mut skeleton = skeleton::grow(&mut chance, wish);
    code::put_in(seed, &mut skeleton);
    let filled = fill::fill(&mut chance, &types, &mut skeleton);
    let mut text = String::new();
    for ty in &types {
        text.push_str(&ty.text);
        text.push('\n');
    }
    text.push_str(&theme.context(&mut chance, &types));
    for (number, part) in filled.iter().enumerate() {
        let marks = theme.marks(&mut chance, part) + code::marks(part);
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

/// The design of a seed about a theme.
pub(crate) fn design(theme: Theme, seed: u64) -> Document {
    let text = text(theme, seed);
    notation::read(&text)
        .unwrap_or_else(|error| panic!("seed {seed} of {theme:?}: {error}\n{text}"))
}
