//! What is the same in every run of a plan: places, wires, models, readers.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;

use graph_model::catalog::{Behaviour, Catalog, Delivery, KindSpec};
use graph_model::document::{Document, Node};
use graph_model::expr::Expr;
use graph_model::id::{EdgeId, NodeId};
use graph_model::value::Value;
use runtime_protocol::Problem;
use smol_str::SmolStr;

use super::service::Service;
use super::source::SourceModel;
use super::stores::{Place, Store};
use super::world::VirtualWorld;
use crate::channels::{ChannelKind, Subscriber, Terms};
use crate::kind::{Build, Kind, Make};
use crate::live::flow::terms;
use crate::operator::Operator;
use crate::plan::{EdgeIndex, Head, LineIndex, NodeIndex, Plan, Role};
use crate::shared::Shared;

/// What nodes are made of and with; the same for all plans of a simulation.
pub(super) struct Stage {
    pub kinds: BTreeMap<SmolStr, Kind>,
    pub catalog: Catalog,
    pub project: PathBuf,
    pub world: Arc<VirtualWorld>,
    pub shared: Shared,
}

/// A plan with everything that its runs look up.
pub(super) struct Shape {
    pub plan: Plan,
    pub nodes: Vec<NodeShape>,
    /// By edge.
    pub targets: Vec<Target>,
    pub inboxes: Vec<InboxShape>,
    pub subs: Vec<Sub>,
    /// By line: its subscription, when it has one.
    pub sub_of: Vec<Option<usize>>,
    /// Empty; runs begin with copies.
    pub places: Vec<Place>,
    /// Names of the places that sinks write to.
    pub sinks: Arc<BTreeMap<NodeId, SmolStr>>,
    /// By place: sources that hear of what is written there.
    pub hearers: Vec<Vec<NodeIndex>>,
}

pub(super) struct NodeShape {
    pub model: Model,
    pub attempts_max: u32,
    pub pause_us: u64,
    /// How long it takes for an event; nothing when that is done at once.
    pub service: Option<Service>,
    /// Events that it handles at once at most, whoever sends them.
    pub instances_max: usize,
}

pub(super) enum Model {
    Source {
        source: SourceModel,
        delivery: Delivery,
    },
    Operator,
    Repartition {
        key: Expr,
        partitions: u32,
    },
    Sink {
        store: Store,
        place: usize,
    },
    Channel(ChannelShape),
}

pub(super) struct ChannelShape {
    pub kind: ChannelKind,
    pub terms: Terms,
    pub key: Option<Expr>,
    pub partitions: u32,
    pub readers: Vec<Subscriber>,
    /// Numbers of its subscriptions.
    pub subs: Vec<usize>,
}

/// Where an edge ends.
#[derive(Clone, Copy)]
pub(super) enum Target {
    /// At an operator of the same line.
    Op(usize),
    /// In front of a node; `first` is the inbox of its first instance.
    Inbox {
        first: usize,
        count: usize,
        lane: usize,
    },
    Channel(NodeIndex),
    /// At a request that waits for its answer.
    Reply,
}

pub(super) struct InboxShape {
    pub owner: Owner,
    /// By edge into it: whether events come along it in an order that somebody promised.
    pub lanes: Vec<bool>,
}

#[derive(Clone, Copy)]
pub(super) enum Owner {
    Line { line: LineIndex, instance: usize },
    Sink(NodeIndex),
}

/// A subscription of a channel.
pub(super) struct Sub {
    pub channel: NodeIndex,
    pub edge: EdgeIndex,
    pub reader: EdgeId,
    pub line: LineIndex,
}

impl Stage {
    pub(super) fn new(kinds: Vec<Kind>, catalog: &Catalog, project: PathBuf) -> Stage {
        Stage {
            kinds: Vec::into_iter(kinds)
                .map(|kind| (kind.spec.id.clone(), kind))
                .collect(),
            catalog: catalog.clone(),
            project,
            world: Arc::new(VirtualWorld::new(0)),
            shared: Shared::for_simulation(),
        }
    }

    pub(super) fn build<'b>(&'b self, plan: &'b Plan, node: NodeIndex) -> Build<'b> {
        let held = &plan.nodes[node];
        Build {
            id: &held.id,
            node: &held.node,
            spec: &self.kinds[&held.node.kind].spec,
            document: &plan.document,
            project: &self.project,
            world: Arc::clone(&self.world) as Arc<dyn crate::world::World>,
            shared: &self.shared,
        }
    }

    /// Makes an instance of an operator.
    pub(super) fn operator(
        &self,
        plan: &Plan,
        node: NodeIndex,
    ) -> Result<Box<dyn Operator>, Problem> {
        match &self.kinds[&plan.nodes[node].node.kind].make {
            Make::Operator(make) => make(&self.build(plan, node)),
            _ => Err(Problem::at(&plan.nodes[node].id, "it is no operator")),
        }
    }

    /// The shape of a flow; with `count`, of the same flow with so many partitions and consumers at
    /// once wherever there are several. Says everything that stands in the way.
    pub(super) fn shape(
        &self,
        document: &Arc<Document>,
        count: Option<u32>,
    ) -> Result<Shape, Vec<Problem>> {
        let document = match count {
            Some(count) => Arc::new(self.with_count(document, count)),
            None => Arc::clone(document),
        };
        let role = |kind: &str| self.kinds.get(kind).map(|kind| kind.make.role());
        let plan = crate::plan::plan(&document, &self.catalog, role)?;
        let mut shape = Shape {
            nodes: Vec::with_capacity(plan.nodes.len()),
            targets: Vec::new(),
            inboxes: Vec::new(),
            subs: Vec::new(),
            sub_of: vec![None; plan.lines.len()],
            places: Vec::new(),
            sinks: Arc::default(),
            hearers: Vec::new(),
            plan,
        };
        let mut problems = Vec::new();
        for node in 0..shape.plan.nodes.len() {
            match self.model(&mut shape, node) {
                Ok(model) => {
                    let build = self.build(&shape.plan, node);
                    let pause = build.duration("retry_pause").ok();
                    let declared = &build.node.notes.declared;
                    let instances = declared.get("instances").and_then(Value::as_i64);
                    shape.nodes.push(NodeShape {
                        attempts_max: build.whole("attempts").unwrap_or(1).max(1) as u32,
                        pause_us: pause.map_or(200_000, |pause| pause.as_micros() as u64),
                        service: Service::of(declared),
                        instances_max: instances.map_or(usize::MAX, |count| count.max(1) as usize),
                        model,
                    });
                }
                Err(problem) => problems.push(problem),
            }
        }
        if !problems.is_empty() {
            return Err(problems);
        }
        let nodes = shape.plan.nodes.iter().zip(&shape.nodes);
        let sinks = nodes.filter_map(|(node, held)| match &held.model {
            Model::Sink { place, .. } => Some((node.id.clone(), shape.places[*place].name.clone())),
            _ => None,
        });
        shape.sinks = Arc::new(sinks.collect());
        shape.hearers = (0..shape.places.len()).map(|_| Vec::new()).collect();
        for (node, held) in shape.nodes.iter().enumerate() {
            if let Model::Source { source, .. } = &held.model
                && let Some(name) = source.hears()
                && let Some(place) = shape.places.iter().position(|place| place.name == name)
            {
                shape.hearers[place].push(node);
            }
        }
        shape.connect();
        Ok(shape)
    }

    fn model(&self, shape: &mut Shape, node: NodeIndex) -> Result<Model, Problem> {
        let build = self.build(&shape.plan, node);
        Ok(match shape.plan.nodes[node].role {
            Role::Operator => {
                // What stands in the way is told before a run begins.
                let _made = self.operator(&shape.plan, node)?;
                Model::Operator
            }
            Role::Repartition => Model::Repartition {
                key: build.expr("key")?,
                partitions: build.whole("partitions")?.clamp(1, 1024) as u32,
            },
            Role::Source => Model::Source {
                source: SourceModel::of(&build)?,
                delivery: match &build.spec.behaviour {
                    Behaviour::Source { delivery, .. } => *delivery,
                    _ => Delivery::Resumable,
                },
            },
            Role::Sink => {
                let Some((store, place)) = Store::of(&build)? else {
                    let kind = &build.spec.id;
                    return Err(build.problem(format!(
                        "what a `{kind}` writes to cannot be simulated; disable the node"
                    )));
                };
                let known = shape.places.iter().position(|held| held.name == place.name);
                let place = known.unwrap_or_else(|| {
                    shape.places.push(place);
                    shape.places.len() - 1
                });
                Model::Sink { store, place }
            }
            Role::Channel(kind) => Model::Channel(ChannelShape {
                kind,
                terms: terms(kind, &build)?,
                key: match kind {
                    ChannelKind::Queue => build.optional_expr("group")?,
                    ChannelKind::Log => build.optional_expr("key")?,
                    ChannelKind::Topic => None,
                },
                partitions: match kind {
                    ChannelKind::Log => build.whole("partitions")?.clamp(1, 1024) as u32,
                    ChannelKind::Queue | ChannelKind::Topic => 1,
                },
                readers: Vec::new(),
                subs: Vec::new(),
            }),
        })
    }

    /// The flow with another number of partitions and consumers where it has several: whoever says
    /// one means one.
    fn with_count(&self, document: &Document, count: u32) -> Document {
        let mut document = document.clone();
        for node in document.nodes.values_mut() {
            let several = self
                .catalog
                .get(&node.kind)
                .and_then(|kind| several(node, kind));
            if let Some(field) = several.cloned() {
                let count = Value::from(i64::from(count.max(1)));
                Arc::make_mut(node).config.insert(field, count);
            }
        }
        document
    }
}

/// The field by which a node has several partitions or consumers at once; nothing where it has one.
pub(super) fn several<'k>(node: &Node, kind: &'k KindSpec) -> Option<&'k SmolStr> {
    let field = match &kind.behaviour {
        Behaviour::Log { partitions, .. } | Behaviour::Repartition { partitions, .. } => partitions,
        Behaviour::Queue { concurrency, .. } => concurrency,
        _ => return None,
    };
    let count = kind.config(node, field).and_then(Value::as_i64);
    (count.unwrap_or(1) > 1).then_some(field)
}

impl Shape {
    /// The operator of a line whose turn it is, of those for which events wait. One that takes time lets what
    /// it sent before go its way first.
    pub(super) fn next_op(&self, line: LineIndex, waits: impl Fn(usize) -> bool) -> Option<usize> {
        let nodes = &self.plan.lines[line].nodes;
        let mut waiting = (0..nodes.len()).filter(|op| waits(*op));
        let mut next = waiting.next()?;
        for later in waiting {
            if self.nodes[nodes[next]].service.is_none() {
                break;
            }
            next = later;
        }
        Some(next)
    }

    /// Places inboxes, wires and readers.
    fn connect(&mut self) {
        let plan = &self.plan;
        let mut first: BTreeMap<NodeIndex, (usize, usize)> = BTreeMap::new();
        for (node, held) in plan.nodes.iter().enumerate() {
            let owners: Vec<Owner> = match (held.role, held.line) {
                (Role::Sink, _) => vec![Owner::Sink(node)],
                (Role::Operator | Role::Repartition, Some(line))
                    if plan.lines[line].head == Head::Inbox(node) =>
                {
                    let instances = 0..plan.lines[line].instances as usize;
                    instances
                        .map(|instance| Owner::Line { line, instance })
                        .collect()
                }
                _ => continue,
            };
            first.insert(node, (self.inboxes.len(), owners.len()));
            let in_order = |edge: EdgeIndex| match &self.nodes[plan.edges[edge].from].model {
                Model::Channel(channel) => {
                    channel.kind != ChannelKind::Queue || channel.key.is_some()
                }
                _ => true,
            };
            let lanes: Vec<bool> = held.ins.iter().copied().map(in_order).collect();
            self.inboxes
                .extend(owners.into_iter().map(|owner| InboxShape {
                    owner,
                    lanes: lanes.clone(),
                }));
        }
        for (number, edge) in plan.edges.iter().enumerate() {
            let to = &plan.nodes[edge.to];
            let target = match to.role {
                Role::Channel(_) => Target::Channel(edge.to),
                Role::Source => Target::Reply,
                Role::Operator | Role::Repartition if edge.fused => {
                    let line = to.line.map(|line| &plan.lines[line].nodes);
                    let op = line.and_then(|nodes| nodes.iter().position(|node| *node == edge.to));
                    Target::Op(op.expect("a fused edge leads to an operator of a line"))
                }
                Role::Operator | Role::Repartition | Role::Sink => {
                    let (first, count) = first[&edge.to];
                    let lane = to.ins.iter().position(|held| *held == number);
                    Target::Inbox {
                        first,
                        count,
                        lane: lane.expect("the node lists its edges"),
                    }
                }
            };
            self.targets.push(target);
        }
        for (line, held) in plan.lines.iter().enumerate() {
            let Head::Subscription(edge) = held.head else {
                continue;
            };
            let channel = plan.edges[edge].from;
            let one_by_one = self.leads_to_transactional(edge);
            let reader = plan.edges[edge].id.clone();
            if let Model::Channel(shape) = &mut self.nodes[channel].model {
                shape.readers.push(Subscriber {
                    edge: reader.clone(),
                    one_by_one,
                });
                shape.subs.push(self.subs.len());
            }
            self.sub_of[line] = Some(self.subs.len());
            self.subs.push(Sub {
                channel,
                edge,
                reader,
                line,
            });
        }
    }

    /// Whether deliveries along an edge of a channel bring events into a transactional log.
    fn leads_to_transactional(&self, edge: EdgeIndex) -> bool {
        let mut next = vec![self.plan.edges[edge].to];
        let mut seen = BTreeSet::new();
        while let Some(node) = next.pop() {
            if !seen.insert(node) {
                continue;
            }
            match &self.nodes[node].model {
                Model::Channel(channel) if channel.terms.transactional => return true,
                Model::Channel(_) | Model::Source { .. } => {}
                Model::Operator | Model::Repartition { .. } | Model::Sink { .. } => {
                    let outs = self.plan.nodes[node].outs.iter().flatten();
                    next.extend(outs.map(|edge| self.plan.edges[*edge].to));
                }
            }
        }
        false
    }
}
