//! Functions that are tried on an event, one question at a time.

use std::collections::BTreeMap;

use graph_model::event::Event;
use graph_model::id::{Id, NodeId};
use graph_model::value::{Object, Value};
use runtime_protocol::Command;
use runtime_protocol::function::Tried;
use smol_str::SmolStr;

/// What a node of this kind would do with an event.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Question {
    pub node: NodeId,
    pub kind: SmolStr,
    pub config: Object,
    /// Schemas of the event types that the configuration names.
    pub types: BTreeMap<Id, Value>,
    pub event: Event,
}

/// A question and what came of it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Trial {
    pub question: Question,
    pub answer: Option<Result<Tried, String>>,
    /// The answer to an earlier question about the node, shown until there is one.
    before: Option<Result<Tried, String>>,
}

impl Question {
    pub(super) fn command(&self) -> Command {
        Command::Try {
            node: self.node.clone(),
            kind: self.kind.clone(),
            config: Value::from(self.config.clone()),
            types: self.types.clone(),
            event: self.event.clone(),
        }
    }
}

impl Trial {
    /// A question that follows `last`.
    pub(super) fn new(question: Question, last: Option<Trial>) -> Trial {
        let last = last.filter(|last| last.question.node == question.node);
        Trial {
            question,
            answer: None,
            before: last.and_then(|last| last.answer.or(last.before)),
        }
    }

    /// Whether nothing has come of it yet.
    pub(crate) fn is_open(&self) -> bool {
        self.answer.is_none()
    }

    /// The newest answer.
    pub(crate) fn shown(&self) -> Option<&Result<Tried, String>> {
        self.answer.as_ref().or(self.before.as_ref())
    }
}
