//! Places where somebody looks at what arrives at a node, and what they see there.

use std::borrow::Cow;

use smol_str::SmolStr;

use crate::catalog::{Behaviour, FieldType, JqRole, PortRole};
use crate::document::Audience;
use crate::expr::{Sources, related};
use crate::pointer::Pointer;
use crate::validate::design::{Design, NodeIx};
use crate::validate::facts::labels::Labels;
use crate::validate::facts::owners::reads_id;
use crate::validate::facts::tags::TagSet;
use crate::validate::facts::{Facts, Port, pointers};
use crate::value::Object;

/// Name of the side audience that reads a store or a channel itself, past everything that shows it.
const READERS: &str = "readers";

/// Name of the side audience that runs a channel or an effect, and sees its keys and names.
pub(in crate::validate) static OPERATORS: SmolStr = SmolStr::new_static("operators");

/// How somebody comes to see what arrives at a node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::validate) enum Seen {
    /// It is there to be seen.
    Shown,
    /// They read the store or the channel itself.
    Stored,
    /// The node keeps given-up events.
    GivenUp,
    /// They run the channel, and see its keys.
    Run,
    /// A copy beside the main way, by its name.
    Copy(SmolStr),
}

/// A place where somebody looks.
#[derive(Clone, Debug)]
pub(in crate::validate) struct Place<'f> {
    pub seen: Seen,
    /// Its side audience is declared by this name; otherwise it is that of the node.
    pub side: Option<&'f SmolStr>,
    /// Nobody named means everybody inside.
    pub audience: Option<&'f Audience>,
    /// Labels of the fields that are seen.
    pub shown: Cow<'f, Labels>,
}

impl Place<'_> {
    /// What people call it.
    pub(in crate::validate) fn title(&self, design: &Design, node: NodeIx) -> String {
        let title = design.title(node);
        match &self.seen {
            Seen::Shown | Seen::GivenUp | Seen::Stored => title.to_owned(),
            Seen::Run => format!("the keys of {title}"),
            Seen::Copy(name) => format!("the {} of {title}", name.replace('_', " ")),
        }
    }
}

/// All places where somebody looks at what arrives at a node.
pub(in crate::validate) fn places<'f>(
    facts: &'f Facts,
    node: NodeIx,
    port: &'f Port,
) -> Vec<Place<'f>> {
    let mut places: Vec<Place<'_>> = main_place(facts, node, port).into_iter().collect();
    let Some((view, behaviour)) = facts.design.acting(node) else {
        return places;
    };
    // A wire takes the given-up events away: what it leads to is looked at instead.
    let wired = view
        .outs
        .iter()
        .any(|edge| facts.design.edges[*edge].role == PortRole::Failed);
    for (side, audience) in &view.node.notes.side_audiences {
        let seen = match side.as_str() {
            side if side == OPERATORS => continue,
            "dead_letter" if wired => continue,
            READERS if is_store(behaviour) || is_channel(behaviour) => Seen::Stored,
            _ => Seen::Copy(side.clone()),
        };
        // Whoever reads a store finds there what it keeps, and no more.
        let shown = if seen == Seen::Stored && is_store(behaviour) {
            shown(facts, node, port)
        } else {
            Cow::Borrowed(&*port.labels)
        };
        places.push(Place {
            seen,
            side: Some(side),
            audience: Some(audience),
            shown,
        });
    }
    places
}

/// The place that the audience of a node is about.
pub(in crate::validate) fn main_place<'f>(
    facts: &'f Facts,
    node: NodeIx,
    port: &'f Port,
) -> Option<Place<'f>> {
    let (view, behaviour) = facts.design.acting(node)?;
    let audience = view.node.notes.audience.as_ref();
    let seen = match behaviour {
        Behaviour::Observe { .. }
        | Behaviour::Table { .. }
        | Behaviour::Bucket { .. }
        | Behaviour::Effect { .. } => Seen::Shown,
        // Whoever answers its requests may have been told all that it has read.
        Behaviour::Opaque { .. } if facts.design.calls_out(node) => Seen::Shown,
        Behaviour::DeadLetter => Seen::GivenUp,
        // Who sees what is on a channel is only a question when somebody is let in.
        _ if is_channel(behaviour) && audience.is_some() => Seen::Stored,
        _ => return None,
    };
    let shown = match seen {
        Seen::Shown => shown(facts, node, port),
        _ => Cow::Borrowed(&*port.labels),
    };
    Some(Place {
        seen,
        side: None,
        audience,
        shown,
    })
}

/// The same where the node is there to show what arrives.
pub(super) fn shown_place<'f>(facts: &'f Facts, node: NodeIx, port: &'f Port) -> Option<Place<'f>> {
    main_place(facts, node, port).filter(|place| place.seen == Seen::Shown)
}

fn is_store(behaviour: &Behaviour) -> bool {
    matches!(
        behaviour,
        Behaviour::Table { .. } | Behaviour::Bucket { .. } | Behaviour::Observe { .. }
    )
}

pub(in crate::validate) fn is_channel(behaviour: &Behaviour) -> bool {
    matches!(
        behaviour,
        Behaviour::Topic | Behaviour::Queue { .. } | Behaviour::Log { .. }
    )
}

/// Labels of the fields that are read, and of the id of the event as if it were one.
pub(super) fn with_ids(port: &Port, read: &[&Sources]) -> Labels {
    let mut shown = port.labels.read_by(read.iter().copied());
    if read.iter().any(|sources| reads_id(sources)) {
        shown.add(Pointer::root().child(CONTEXT).child("id"), &port.named);
    }
    shown
}

/// Where what is no payload stands among fields.
pub(in crate::validate) const CONTEXT: &str = "$event";

/// What a node shows of what arrives: all of it, or what its columns or its mapping take.
fn shown<'f>(facts: &'f Facts, node: NodeIx, port: &'f Port) -> Cow<'f, Labels> {
    let design = &*facts.design;
    let Some(kind) = &design.nodes[node].kind else {
        return Cow::default();
    };
    if facts.is_opaque(node) {
        let read = pointers(design.declared(node, "reads"));
        return if read.is_empty() {
            Cow::Borrowed(&*port.labels)
        } else {
            let labels = port.labels.iter();
            let read = |at: &Pointer| read.iter().any(|field| related(field, at));
            let labels = labels.filter(|(at, _)| read(at));
            Cow::Owned(
                labels
                    .map(|(at, tags)| (at.clone(), tags.clone()))
                    .collect(),
            )
        };
    }
    let mut read: Vec<&Sources> = Vec::new();
    let mut taken = TagSet::default();
    let observed = matches!(kind.behaviour, Behaviour::Observe { .. });
    let mut chooses = false;
    for field in &kind.config {
        match field.ty {
            FieldType::JqTable {
                role: JqRole::Value,
            } => {
                let table = design.value(node, &field.name);
                let table = table.and_then(|value| value.as_object());
                for code in table.into_iter().flat_map(Object::values) {
                    chooses = true;
                    if let Some(expr) = code.as_str().and_then(|code| design.compiled(code)) {
                        read.push(&expr.analysis().reads);
                    }
                }
            }
            FieldType::Jq {
                role: JqRole::Mapping,
            } => {
                if let Some(expr) = design.expr(node, &field.name) {
                    chooses = true;
                    taken.join(&port.labels.through(expr.analysis(), false).all());
                }
            }
            FieldType::Jq {
                role: role @ (JqRole::Key | JqRole::Value),
            } => {
                if let Some(expr) = design.expr(node, &field.name) {
                    // A number that is watched is all that is seen of the event.
                    chooses |= role == JqRole::Value && observed;
                    read.push(&expr.analysis().reads);
                }
            }
            _ => {}
        }
    }
    // Rows of events that are not written over tell the id of each.
    let table = matches!(kind.behaviour, Behaviour::Table { .. });
    let ids = table && !design.overwrites(node) && !port.named.is_empty();
    let with_id = |mut labels: Labels| {
        labels.add(Pointer::root().child(CONTEXT).child("id"), &port.named);
        labels
    };
    if !chooses && ids {
        return Cow::Owned(with_id((*port.labels).clone()));
    }
    if !chooses {
        return Cow::Borrowed(&*port.labels);
    }
    let mut shown = with_ids(port, &read);
    if !taken.is_empty() {
        shown.join(&port.labels.only(&taken));
    }
    Cow::Owned(if ids { with_id(shown) } else { shown })
}
