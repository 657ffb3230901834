//! The document: everything a flow is, apart from what its kinds mean.
//!
//! A document may be wrong in any way a person can draw; what is wrong becomes diagnostics. It
//! changes only through [`crate::edit`].

use std::collections::BTreeMap;
use std::sync::Arc;

use smol_str::SmolStr;

use crate::id::{EdgeId, Id, NodeId, PortRef};
use crate::label::Label;
use crate::pointer::Pointer;
use crate::value::{Object, Value};

/// A whole flow. Entries are shared, so that a clone costs a walk over the maps and no copies.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Document {
    pub meta: Meta,
    pub nodes: BTreeMap<NodeId, Arc<Node>>,
    pub edges: BTreeMap<EdgeId, Arc<Edge>>,
    /// Trust domains, teams, accounts: frames on the canvas, borders for the validator.
    pub zones: BTreeMap<Id, Arc<Zone>>,
    /// What people are, such as `finance`.
    pub roles: BTreeMap<Id, Arc<Role>>,
    /// Who acts or looks: people and service identities.
    pub principals: BTreeMap<Id, Arc<Principal>>,
    /// Event types: shape, labels, identifying fields.
    pub types: BTreeMap<Id, Arc<EventType>>,
    pub notes: BTreeMap<Id, Arc<Note>>,
    /// Positions of nodes, zones and notes, by id. Never changes what the flow means.
    pub layout: BTreeMap<Id, Placement>,
    /// Sections that are kept as they are written.
    pub sections: BTreeMap<Section, BTreeMap<Id, Value>>,
}

/// Title, description, and the fields of the file that this version does not know.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Meta {
    pub title: SmolStr,
    pub description: SmolStr,
    pub extra: Object,
}

/// A source, channel, operator, function or sink.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Node {
    /// Id of its row in the catalog.
    pub kind: SmolStr,
    /// What people read on it; the id when empty.
    pub title: SmolStr,
    pub zone: Option<Id>,
    /// Values of the fields that the kind's catalog row lists.
    pub config: Object,
    /// A disabled node lets nothing through.
    pub disabled: bool,
    pub notes: Annotations,
    pub extra: Object,
}

/// A wire from an output port to an input port.
#[derive(Clone, Debug, PartialEq)]
pub struct Edge {
    pub from: PortRef,
    pub to: PortRef,
    /// Events that wait on it at most; the engine's default when absent.
    pub capacity: Option<u32>,
    pub when_full: WhenFull,
    pub notes: Annotations,
    pub extra: Object,
}

/// What happens to an event that finds its edge full.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum WhenFull {
    /// The sender waits.
    #[default]
    Block,
    /// The oldest waiting event is dropped and counted.
    DropOldest,
    /// The event goes to the flow's dead letters with its cause.
    DeadLetter,
}

/// What people say about a node or an edge, for the validator and for those who read it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Annotations {
    /// Who sees what arrives here.
    pub audience: Option<Audience>,
    /// Who sees the side copies that a node keeps: `dead_letter`, `trace`, `log`, `replay`.
    pub side_audiences: BTreeMap<SmolStr, Audience>,
    /// The principal that the node acts as.
    pub runs_as: Option<Id>,
    /// Claims that every run tests, such as `commutative`.
    pub assumptions: BTreeMap<SmolStr, Assumption>,
    /// What the validator is told and cannot know, by the names of [`crate::declare::DECLARATIONS`]:
    /// rates, durations, sizes, promises.
    pub declared: Object,
    /// Hazards accepted here, by code.
    pub accepted: BTreeMap<SmolStr, Acceptance>,
}

/// Who sees a payload, and which rows of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Audience {
    /// Any of these roles.
    pub roles: Vec<Id>,
    /// Comparisons that each shown event must pass: claim of the viewer = field of the event.
    pub rows: Vec<RowFilter>,
}

/// A viewer sees an event only when this claim of theirs equals this field of the event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RowFilter {
    pub claim: SmolStr,
    pub field: Pointer,
}

/// A human claim and why it should hold.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Assumption {
    pub reason: SmolStr,
    pub extra: Object,
}

/// A hazard that somebody decided to live with.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Acceptance {
    pub reason: SmolStr,
    /// Who decided it, as people call them; empty when nobody says.
    pub by: SmolStr,
    /// Day (RFC 3339 date) from which the hazard is shown again.
    pub until: Option<SmolStr>,
    pub extra: Object,
}

#[derive(Clone, Debug, Default, PartialEq)]
pub struct Zone {
    pub title: SmolStr,
    /// `trust`, `team` or `account`.
    pub purpose: SmolStr,
    pub extra: Object,
}

#[derive(Clone, Debug, Default, PartialEq)]
pub struct Role {
    pub title: SmolStr,
    /// Outside the organisation: `org` does not cover it.
    pub external: bool,
    pub extra: Object,
}

#[derive(Clone, Debug, Default, PartialEq)]
pub struct Principal {
    pub title: SmolStr,
    pub roles: Vec<Id>,
    /// Facts about the principal that row filters compare, such as `patient_id`.
    pub claims: Object,
    /// What it may do, as `VERB NODE`: `send` to a channel, `write` or `read` a store, `call` an
    /// effect; `*` stands for every node. Nothing is known when there are none.
    pub grants: Vec<SmolStr>,
    pub extra: Object,
}

/// What an event of this type looks like and what its fields mean.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct EventType {
    pub title: SmolStr,
    /// JSON Schema of the payload; `null` when unknown.
    pub schema: Value,
    pub labels: BTreeMap<Pointer, Label>,
    pub subject: Option<Pointer>,
    pub tenant: Option<Pointer>,
    /// Fields that identify the fact, its time and its version; the `CloudEvents` context otherwise.
    pub id: Option<Pointer>,
    pub time: Option<Pointer>,
    pub version: Option<Pointer>,
    /// What numbers measure, by field.
    pub measures: BTreeMap<Pointer, Measure>,
    /// Fields that decide others wherever events of this type are.
    pub depends: Vec<Dependency>,
    /// What the validator is told of all events of the type; see [`crate::declare`].
    pub declared: Object,
    /// Hazards of the type accepted, by code.
    pub accepted: BTreeMap<SmolStr, Acceptance>,
    pub extra: Object,
}

/// What a number measures and along which axes it adds up.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Measure {
    pub adds: Adds,
    /// Such as `EUR`, `cent` or `ms`; empty when unknown.
    pub unit: SmolStr,
}

/// Whether sums of a number mean anything.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Adds {
    /// Nobody said.
    #[default]
    Unknown,
    /// Over all events: amounts, counts.
    Always,
    /// Over places, not over time: balances, stock.
    NotOverTime,
    /// Never: prices, ratios, temperatures.
    Never,
}

/// Equal values of all of `from` mean equal values of `to`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dependency {
    pub from: Vec<Pointer>,
    pub to: Vec<Pointer>,
}

impl EventType {
    /// What one event says, as it is declared: `fact`, `version` or `snapshot`.
    pub fn stands_for(&self) -> Option<&str> {
        self.declared.get("stands_for").and_then(Value::as_str)
    }
}

impl Adds {
    /// As the file spells it, with what it stands for.
    pub const WORDS: [(&'static str, Adds); 4] = [
        ("unknown", Adds::Unknown),
        ("always", Adds::Always),
        ("not_over_time", Adds::NotOverTime),
        ("never", Adds::Never),
    ];

    pub fn parse(word: &str) -> Option<Adds> {
        let named = |(held, adds)| (held == word).then_some(adds);
        Adds::WORDS.into_iter().find_map(named)
    }

    pub fn word(self) -> &'static str {
        let held = Adds::WORDS.iter().find(|(_, adds)| *adds == self);
        held.map_or("unknown", |(word, _)| word)
    }
}

#[derive(Clone, Debug, Default, PartialEq)]
pub struct Note {
    pub text: SmolStr,
    pub extra: Object,
}

/// Where something stands on the canvas, in points. Sizes belong to zones and notes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Placement {
    pub x: i32,
    pub y: i32,
    pub size: Option<(u32, u32)>,
}

/// Sections of the file whose entries the model keeps as plain values.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Section {
    /// Rules by which labels may be lowered.
    Releases,
    Providers,
    Budgets,
    Workloads,
    Tests,
}

impl Section {
    pub const ALL: [Section; 5] = [
        Section::Releases,
        Section::Providers,
        Section::Budgets,
        Section::Workloads,
        Section::Tests,
    ];

    /// Its key in the file.
    pub fn key(self) -> &'static str {
        match self {
            Section::Releases => "releases",
            Section::Providers => "providers",
            Section::Budgets => "budgets",
            Section::Workloads => "workloads",
            Section::Tests => "tests",
        }
    }
}

impl Document {
    /// The title that people read on a node.
    pub fn node_title<'d>(&'d self, id: &'d NodeId) -> &'d str {
        match self.nodes.get(id) {
            Some(node) if !node.title.is_empty() => &node.title,
            _ => id.as_str(),
        }
    }

    /// Edges that start or end at the node, in the order of their ids.
    pub fn edges_of<'d>(
        &'d self,
        node: &'d NodeId,
    ) -> impl Iterator<Item = (&'d EdgeId, &'d Arc<Edge>)> {
        self.edges
            .iter()
            .filter(move |(_, edge)| edge.from.node == *node || edge.to.node == *node)
    }
}

impl Node {
    pub fn new(kind: impl Into<SmolStr>) -> Node {
        Node {
            kind: kind.into(),
            ..Node::default()
        }
    }

    /// The node with one more config field.
    #[must_use]
    pub fn with(mut self, field: &str, value: impl Into<Value>) -> Node {
        self.config.insert(field, value);
        self
    }

    pub fn config_str(&self, field: &str) -> Option<&str> {
        self.config.get(field).and_then(Value::as_str)
    }
}

impl Edge {
    pub fn new(from: PortRef, to: PortRef) -> Edge {
        Edge {
            from,
            to,
            capacity: None,
            when_full: WhenFull::Block,
            notes: Annotations::default(),
            extra: Object::new(),
        }
    }
}
