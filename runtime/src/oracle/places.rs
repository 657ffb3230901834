//! Places where somebody looks, and what they see there.

use std::collections::BTreeSet;

use graph_model::catalog::{Behaviour, Catalog, Family, FieldType, JqRole, KindSpec, PortRole};
use graph_model::document::{Audience, Document, Node, RowFilter};
use graph_model::event::Event;
use graph_model::expr::Expr;
use graph_model::id::NodeId;
use graph_model::value::Value;
use smol_str::{SmolStr, format_smolstr};

use super::guards::{Guard, Guarded, guards};
use super::keys;
use super::viewers::{Owners, Viewer};
use crate::simulate::{Outcome, Step, What};

/// A place with those who look there.
pub(super) struct Place {
    node: NodeId,
    /// What people call it: the node, or a copy of it.
    pub(super) title: SmolStr,
    sees: Sees,
    pub(super) viewers: Vec<Viewer>,
    /// Somebody waits for what comes: it is there to be looked at, or somebody was let in.
    pub(super) watched: bool,
    rows: Vec<RowFilter>,
    /// Guards that something passes on its way there.
    guards: Vec<Guard>,
}

/// What there is to be seen.
enum Sees {
    /// What a sink shows.
    Shown,
    /// Payloads at these steps.
    Payloads(What),
    /// Keys of events at these steps, and names that are made of them.
    Keys(What, Vec<Expr>),
}

/// Something that was to be seen at a place.
pub(super) struct Item<'o> {
    /// The number of the step.
    at: usize,
    pub(super) step: &'o Step,
    pub(super) event: &'o Event,
    pub(super) value: Value,
    /// Who owns it, as guards say.
    owners: Vec<Option<Value>>,
}

/// All places of a flow.
pub(super) fn places(document: &Document, catalog: &Catalog) -> Vec<Place> {
    let mut places = Vec::new();
    for (id, node) in document.nodes.iter().filter(|(_, node)| !node.disabled) {
        let Some(kind) = catalog.get(&node.kind) else {
            continue;
        };
        let guards = guards(document, catalog, id);
        let observed = matches!(kind.behaviour, Behaviour::Observe { .. });
        let mut add = |title: SmolStr, sees: Sees, audience: Option<&Audience>| {
            let viewers = match audience {
                Some(audience) => {
                    let roles = audience.roles.iter();
                    roles
                        .flat_map(|role| Viewer::of(document, Some(role)))
                        .collect()
                }
                None => Viewer::of(document, None),
            };
            places.push(Place {
                node: id.clone(),
                title,
                sees,
                viewers,
                watched: audience.is_some() || observed,
                rows: audience.map_or_else(Vec::new, |audience| audience.rows.clone()),
                guards: guards.clone(),
            });
        };
        let audience = node.notes.audience.as_ref();
        let is_channel = kind.family == Family::Channel;
        match &kind.behaviour {
            Behaviour::Observe { .. }
            | Behaviour::Table { .. }
            | Behaviour::Bucket { .. }
            | Behaviour::Effect { .. } => add(id.as_str().into(), Sees::Shown, audience),
            Behaviour::DeadLetter => {
                add(id.as_str().into(), Sees::Payloads(What::Written), audience);
            }
            _ if is_channel && audience.is_some() => {
                add(
                    id.as_str().into(),
                    Sees::Payloads(What::Delivered),
                    audience,
                );
            }
            _ => {}
        }
        // Whoever runs a place sees its keys in clear.
        let handed = if is_channel {
            What::Delivered
        } else {
            What::Written
        };
        let keys = keys_of(node, kind);
        if !keys.is_empty() {
            let who = node.notes.side_audiences.get(OPERATORS);
            add(
                format_smolstr!("{id}/{OPERATORS}"),
                Sees::Keys(handed, keys),
                who,
            );
        }
        for (copy, audience) in &node.notes.side_audiences {
            if let Some(sees) = copy_of(document, id, node, kind, copy) {
                add(format_smolstr!("{id}/{copy}"), sees, Some(audience));
            }
        }
    }
    places
}

/// What a side copy of a node holds.
fn copy_of(
    document: &Document,
    id: &NodeId,
    node: &Node,
    kind: &KindSpec,
    copy: &str,
) -> Option<Sees> {
    let is_channel = kind.family == Family::Channel;
    Some(match copy {
        "dead_letter" => {
            let ports = kind.outputs_of(node);
            let failed = ports.iter().find(|port| port.role == PortRole::Failed);
            let wired = failed.is_some_and(|failed| {
                let mut edges = document.edges.values();
                edges.any(|edge| edge.from.node == *id && edge.from.port == failed.name)
            });
            if wired {
                return None;
            }
            Sees::Payloads(What::GivenUp)
        }
        OPERATORS => return None,
        "readers" if kind.family == Family::Sink => Sees::Shown,
        _ if is_channel => Sees::Payloads(What::Delivered),
        _ if kind.family == Family::Source => Sees::Payloads(What::Arrived),
        _ => Sees::Payloads(What::Handled),
    })
}

/// Who runs a place.
const OPERATORS: &str = "operators";

/// Expressions whose values are no payload any more where others run the place.
fn keys_of(node: &Node, kind: &KindSpec) -> Vec<Expr> {
    let outside = kind.family == Family::Channel
        || matches!(
            kind.behaviour,
            Behaviour::Bucket { .. } | Behaviour::Effect { .. }
        );
    let fields = kind.config.iter().filter(|_| outside);
    let keys = fields.filter(|field| matches!(field.ty, FieldType::Jq { role: JqRole::Key }));
    keys.filter_map(|field| keys::expr(node, kind, &field.name))
        .collect()
}

impl Item<'_> {
    /// The number of the step at which it was to be seen.
    pub(super) fn at(&self) -> usize {
        self.at
    }
}

impl Place {
    /// Whether viewers see only what is theirs.
    pub(super) fn compares(&self) -> bool {
        !self.rows.is_empty() || !self.guards.is_empty()
    }

    /// Whether nothing but guards on the way there says who sees what.
    pub(super) fn trusts_guards(&self) -> bool {
        self.rows.is_empty() && !self.guards.is_empty()
    }

    pub(super) fn is_at(&self, node: &NodeId) -> bool {
        self.node == *node
    }

    /// Whether the node is a guard on the way there.
    pub(super) fn is_guarded_by(&self, node: &NodeId) -> bool {
        self.guards.iter().any(|guard| guard.is(node))
    }

    /// Whether the value says who sees the item.
    pub(super) fn is_named(&self, item: &Item<'_>, value: &Value) -> bool {
        let mut rows = self.rows.iter();
        rows.any(|row| row.field.get(&item.event.data) == Some(value))
    }

    /// Whether nothing but keys and names is seen here.
    pub(super) fn is_of_keys(&self) -> bool {
        matches!(self.sees, Sees::Keys(..))
    }

    /// Everything that was to be seen here in a run, whoever looked.
    pub(super) fn items<'o>(&self, run: &'o Outcome) -> Vec<Item<'o>> {
        let what = match &self.sees {
            Sees::Shown => What::Written,
            Sees::Payloads(what) | Sees::Keys(what, _) => *what,
        };
        let steps = run.trace.iter().enumerate();
        let here = steps.filter(|(_, step)| step.what == what && step.node == self.node);
        let mut items: Vec<Item<'_>> = here
            .filter_map(|(at, step)| {
                let event = step.whole.as_ref()?;
                let value = match &self.sees {
                    Sees::Shown => step.shown.clone()?,
                    Sees::Payloads(_) => event.data.clone(),
                    Sees::Keys(_, keys) => {
                        let keys = keys.iter().filter_map(|key| keys::value(key, step, event));
                        keys.collect()
                    }
                };
                Some(Item {
                    at,
                    step,
                    event,
                    value,
                    owners: Vec::new(),
                })
            })
            .collect();
        if !self.guards.is_empty() && !items.is_empty() {
            let guarded = Guarded::new(run, &self.guards);
            for item in &mut items {
                let owners = guarded.owners(item.event, item.step.fact, item.at, &self.guards);
                let owners = owners.into_iter();
                let owners = owners.zip(&self.guards);
                // What came by another way has no owner of this guard's.
                let owners = owners.filter(|(owner, guard)| guard.all || owner.is_some());
                item.owners = owners.map(|(owner, _)| owner).collect();
            }
        }
        items
    }

    /// What a viewer sees of it.
    pub(super) fn seen<'i, 'o>(
        &'i self,
        items: &'i [Item<'o>],
        viewer: &'i Viewer,
        owners: &'i Owners,
    ) -> impl Iterator<Item = &'i Item<'o>> {
        let fields: Vec<BTreeSet<&Value>> = self
            .rows
            .iter()
            .map(|row| {
                let items = items.iter();
                items
                    .filter_map(|item| row.field.get(&item.event.data))
                    .collect()
            })
            .collect();
        items.iter().filter(move |item| {
            let mut rows = self.rows.iter().zip(&fields);
            let theirs = rows.all(|(row, others)| {
                let value = row.field.get(&item.event.data);
                value.is_some_and(|value| viewer.claims(value, others, owners))
            });
            theirs
                && item.owners.iter().all(|owner| {
                    let owner = owner.as_ref();
                    owner.is_some_and(|owner| viewer.is(owner, owners))
                })
        })
    }
}
