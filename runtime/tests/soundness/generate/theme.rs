//! What designs are about: which kinds they are made of, what their types say, and which configurations
//! are drawn otherwise than usual.

use super::fields::Env;
use super::fill::Filled;
use super::types::{self, Type};
use super::{loads, marks, numbers, readers, shapes};
use crate::chance::Chance;

/// What a design is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Theme {
    /// Whatever there is.
    Plain,
    /// Who may see what.
    Readers,
    /// What numbers are made of.
    Numbers,
    /// What events look like.
    Shapes,
    /// How much comes, and what that takes.
    Loads,
}

/// Kinds with how often each is drawn.
pub(super) type Weights = [(&'static str, usize)];

/// A configuration, and what leaves by which output.
pub(super) type Drawn = (String, Vec<(&'static str, Env)>);

impl Theme {
    pub(super) fn types(self, chance: &mut Chance) -> Vec<Type> {
        match self {
            Theme::Plain | Theme::Loads => types::draw(chance),
            Theme::Readers => readers::types(chance),
            Theme::Numbers => numbers::types(chance),
            Theme::Shapes => shapes::types(chance),
        }
    }

    /// Lines beside the types and the nodes.
    pub(super) fn context(self, chance: &mut Chance, types: &[Type]) -> String {
        match self {
            Theme::Readers => format!("{}{}", marks::CONTEXT, readers::releases(chance, types)),
            Theme::Loads => format!("{}{}", marks::CONTEXT, loads::budgets(chance)),
            Theme::Plain | Theme::Numbers | Theme::Shapes => marks::CONTEXT.to_owned(),
        }
    }

    /// What is looked at more often than usual.
    pub(super) fn ends(self) -> &'static Weights {
        match self {
            Theme::Numbers => &numbers::ENDS,
            Theme::Loads => &loads::ENDS,
            Theme::Plain | Theme::Readers | Theme::Shapes => &[],
        }
    }

    /// What stands between sources and ends more often than usual.
    pub(super) fn middle(self) -> &'static Weights {
        match self {
            Theme::Plain => &[],
            Theme::Readers => &readers::MIDDLE,
            Theme::Numbers => &numbers::MIDDLE,
            Theme::Shapes => &shapes::MIDDLE,
            Theme::Loads => &loads::MIDDLE,
        }
    }

    /// A configuration that is about the theme; nothing when the usual one will do.
    pub(super) fn config(
        self,
        chance: &mut Chance,
        kind: &str,
        at: usize,
        ins: &Env,
    ) -> Option<Drawn> {
        match self {
            Theme::Plain | Theme::Loads => None,
            Theme::Readers => readers::config(chance, kind, ins),
            Theme::Numbers => numbers::config(chance, kind, ins),
            Theme::Shapes => shapes::config(chance, kind, at, ins),
        }
    }

    pub(super) fn marks(self, chance: &mut Chance, part: &Filled) -> String {
        match self {
            Theme::Readers => readers::marks(chance, part),
            Theme::Loads => loads::marks(chance, part),
            Theme::Plain | Theme::Numbers | Theme::Shapes => marks::draw(chance, part),
        }
    }
}
