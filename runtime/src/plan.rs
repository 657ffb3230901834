//! Lowers a document to a plan: which operators run together, and where events wait between them.
//!
//! A *line* is a run of operators without anything to wait for between them: a source and what
//! follows it, a channel's subscription and what follows it, or what follows a meeting of lines.
//! Events pass through a line in one call. Between lines they wait: in the inbox of an operator or
//! a sink, or in a channel.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use graph_model::catalog::{Behaviour, Catalog, KindSpec, PortRole};
use graph_model::document::{Document, Node, WhenFull};
use graph_model::graph::FlowGraph;
use graph_model::id::{EdgeId, NodeId, PortRef};
use graph_model::value::Value;
use runtime_protocol::Problem;

use crate::channels::ChannelKind;

/// Events that wait on an edge at most, when the edge does not say.
pub const EDGE_CAPACITY: u32 = 1024;

/// Place of a node in [`Plan::nodes`].
pub type NodeIndex = usize;
/// Place of an edge in [`Plan::edges`].
pub type EdgeIndex = usize;
/// Place of a line in [`Plan::lines`].
pub type LineIndex = usize;

/// A flow, ready to be built.
#[derive(Debug)]
pub struct Plan {
    pub document: Arc<Document>,
    pub nodes: Vec<PlanNode>,
    pub edges: Vec<PlanEdge>,
    /// Upstream lines come first, as far as there are no loops.
    pub lines: Vec<PlanLine>,
}

#[derive(Debug)]
pub struct PlanNode {
    pub id: NodeId,
    pub node: Arc<Node>,
    pub role: Role,
    /// Edges into it, in the order of their ids.
    pub ins: Vec<EdgeIndex>,
    /// Edges out of each output port, by the number of the port.
    pub outs: Vec<Vec<EdgeIndex>>,
    /// Number of the port that given-up events leave by.
    pub failed: Option<usize>,
    /// The line in which an operator runs, or that a source begins.
    pub line: Option<LineIndex>,
}

#[derive(Debug)]
pub struct PlanEdge {
    pub id: EdgeId,
    pub from: NodeIndex,
    pub to: NodeIndex,
    /// Number of the input port.
    pub input: u16,
    pub capacity: u32,
    pub when_full: WhenFull,
    /// Part of a loop: waiting for room could last for ever, so a full one gives the event up.
    pub looping: bool,
    /// Events go on in the same call.
    pub fused: bool,
}

/// What the engine needs to know of a kind to place a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    Source,
    Channel(ChannelKind),
    Operator,
    Repartition,
    Sink,
}

#[derive(Debug)]
pub struct PlanLine {
    pub head: Head,
    /// Its operators, upstream first.
    pub nodes: Vec<NodeIndex>,
    pub instances: u32,
}

/// Where the events of a line come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Head {
    Source(NodeIndex),
    /// The deliveries of a channel along this edge.
    Subscription(EdgeIndex),
    /// The inbox of the line's first operator.
    Inbox(NodeIndex),
}

/// Makes the plan of a document, or says everything that stands in the way.
pub fn plan(
    document: &Arc<Document>,
    catalog: &Catalog,
    role: impl Fn(&str) -> Option<Role>,
) -> Result<Plan, Vec<Problem>> {
    let mut problems = Vec::new();
    let mut nodes = Vec::new();
    let mut index = BTreeMap::new();
    let mut specs: Vec<&KindSpec> = Vec::new();
    for (id, node) in document.nodes.iter().filter(|(_, node)| !node.disabled) {
        let (Some(spec), Some(role)) = (catalog.get(&node.kind), role(&node.kind)) else {
            let message = format!("the kind `{}` is not known; choose another", node.kind);
            problems.push(Problem::at(id, message));
            continue;
        };
        let outputs = spec.outputs_of(node);
        index.insert(id.clone(), nodes.len());
        specs.push(spec);
        nodes.push(PlanNode {
            id: id.clone(),
            node: Arc::clone(node),
            role,
            ins: Vec::new(),
            outs: vec![Vec::new(); outputs.len()],
            failed: outputs
                .iter()
                .position(|port| port.role == PortRole::Failed),
            line: None,
        });
    }

    let graph = FlowGraph::new(document, catalog);
    let loops = loops(&graph);
    let mut edges: Vec<PlanEdge> = Vec::new();
    for (id, edge) in &document.edges {
        let (Some(&from), Some(&to)) = (index.get(&edge.from.node), index.get(&edge.to.node))
        else {
            for end in [&edge.from, &edge.to] {
                if !document.nodes.contains_key(&end.node) {
                    problems.push(loose(id, end));
                }
            }
            continue; // an end is disabled or already reported
        };
        let outputs = specs[from].outputs_of(&nodes[from].node);
        let inputs = specs[to].inputs_of(&nodes[to].node);
        let output = outputs.iter().position(|port| port.name == edge.from.port);
        let input = inputs.iter().position(|port| port.name == edge.to.port);
        let (Some(output), Some(input)) = (output, input) else {
            let end = if output.is_none() {
                &edge.from
            } else {
                &edge.to
            };
            problems.push(loose(id, end));
            continue;
        };
        nodes[from].outs[output].push(edges.len());
        nodes[to].ins.push(edges.len());
        let same_loop = match (loops.get(&edge.from.node), loops.get(&edge.to.node)) {
            (Some(from), Some(to)) => from == to,
            _ => false,
        };
        edges.push(PlanEdge {
            id: id.clone(),
            from,
            to,
            input: input as u16,
            capacity: edge.capacity.unwrap_or(EDGE_CAPACITY).max(1),
            when_full: edge.when_full,
            looping: same_loop,
            fused: false,
        });
    }
    if !problems.is_empty() {
        return Err(problems);
    }

    let order: Vec<NodeIndex> = graph
        .components()
        .into_iter()
        .flatten()
        .filter_map(|id| index.get(&id).copied())
        .collect();
    let mut plan = Plan {
        document: Arc::clone(document),
        nodes,
        edges,
        lines: Vec::new(),
    };
    let waits: Vec<bool> = (plan.nodes.iter().zip(&specs))
        .map(|(node, spec)| waits(spec, &node.node))
        .collect();
    place(&mut plan, &order, &waits);
    count_instances(&mut plan, &specs);
    Ok(plan)
}

impl Plan {
    /// Whether a node of another plan has the same code and configuration, so that what it holds
    /// may be kept.
    pub fn same_node(&self, other: &Plan, id: &NodeId, catalog: &Catalog) -> bool {
        let (Some(mine), Some(theirs)) =
            (self.document.nodes.get(id), other.document.nodes.get(id))
        else {
            return false;
        };
        mine.kind == theirs.kind
            && mine.config == theirs.config
            && mine.disabled == theirs.disabled
            && self.types_of(mine, catalog) == other.types_of(theirs, catalog)
    }

    fn types_of<'p>(&'p self, node: &'p Node, catalog: &'p Catalog) -> Vec<Option<&'p Value>> {
        let named = catalog.get(&node.kind).into_iter();
        let named = named.flat_map(|kind| kind.types_of(node));
        named
            .map(|(_, ty)| self.document.types.get(ty).map(|ty| &ty.schema))
            .collect()
    }
}

/// Numbers the loops, and says in which one a node is.
fn loops(graph: &FlowGraph) -> BTreeMap<NodeId, usize> {
    let cyclic = graph.cyclic();
    let components = graph.components().into_iter().enumerate();
    components
        .flat_map(|(number, component)| component.into_iter().map(move |id| (id, number)))
        .filter(|(id, _)| cyclic.contains(id))
        .collect()
}

fn loose(edge: &EdgeId, end: &PortRef) -> Problem {
    Problem::new(format!(
        "the wire {edge} ends at {end}, which is not there; remove the wire or connect it again"
    ))
}

/// Puts every operator into a line.
fn place(plan: &mut Plan, order: &[NodeIndex], waits: &[bool]) {
    let mut subscriptions: BTreeMap<EdgeIndex, LineIndex> = BTreeMap::new();
    for &node in order {
        match plan.nodes[node].role {
            Role::Source => begin(plan, Head::Source(node), node),
            Role::Channel(_) => {
                let failed = plan.nodes[node].failed;
                let wires: Vec<EdgeIndex> = (plan.nodes[node].outs.iter().enumerate())
                    .filter(|(port, _)| Some(*port) != failed)
                    .flat_map(|(_, edges)| edges.iter().copied())
                    .collect();
                for edge in wires {
                    subscriptions.insert(edge, plan.lines.len());
                    plan.lines.push(PlanLine {
                        head: Head::Subscription(edge),
                        nodes: Vec::new(),
                        instances: 1,
                    });
                }
            }
            Role::Operator | Role::Repartition => {
                let before: BTreeSet<Option<LineIndex>> = (plan.nodes[node].ins.iter())
                    .map(|edge| {
                        let from = &plan.nodes[plan.edges[*edge].from];
                        match from.role {
                            _ if plan.edges[*edge].looping => None,
                            Role::Channel(_) => subscriptions.get(edge).copied(),
                            Role::Source | Role::Operator => from.line,
                            Role::Repartition | Role::Sink => None,
                        }
                    })
                    .collect();
                match before.first() {
                    Some(Some(line)) if before.len() == 1 && !waits[node] => {
                        for edge in &plan.nodes[node].ins {
                            plan.edges[*edge].fused = true;
                        }
                        plan.lines[*line].nodes.push(node);
                        plan.nodes[node].line = Some(*line);
                    }
                    _ => begin(plan, Head::Inbox(node), node),
                }
            }
            Role::Sink => {}
        }
    }
}

/// Whether a node waits for others while it handles an event. What is in front of it does not wait with
/// it: it begins a line of its own.
fn waits(spec: &KindSpec, node: &Node) -> bool {
    let Behaviour::Opaque {
        hosts: Some(hosts), ..
    } = &spec.behaviour
    else {
        return false;
    };
    let hosts = spec.config(node, hosts).and_then(Value::as_array);
    hosts.is_some_and(|hosts| !hosts.is_empty())
}

fn begin(plan: &mut Plan, head: Head, node: NodeIndex) {
    plan.nodes[node].line = Some(plan.lines.len());
    plan.lines.push(PlanLine {
        head,
        nodes: vec![node],
        instances: 1,
    });
}

/// Sizes the lines: behind a partitioned place there is an instance for each partition.
fn count_instances(plan: &mut Plan, specs: &[&KindSpec]) {
    let number = |node: NodeIndex, field: &str, plan: &Plan| {
        let value = specs[node].config(&plan.nodes[node].node, field);
        value
            .and_then(Value::as_i64)
            .map_or(1, |count| count.clamp(1, 1024) as u32)
    };
    let subscriptions: BTreeMap<EdgeIndex, LineIndex> = (plan.lines.iter().enumerate())
        .filter_map(|(number, line)| match line.head {
            Head::Subscription(edge) => Some((edge, number)),
            Head::Source(_) | Head::Inbox(_) => None,
        })
        .collect();
    // What stands in front of an inbox, and brings its own number.
    let feeder = |edge: EdgeIndex, plan: &Plan| -> Option<LineIndex> {
        let from = plan.edges[edge].from;
        match plan.nodes[from].role {
            Role::Repartition => None,
            Role::Channel(_) => subscriptions.get(&edge).copied(),
            _ => plan.nodes[from].line,
        }
    };
    let mut fed: Vec<Vec<LineIndex>> = vec![Vec::new(); plan.lines.len()];
    for (number, line) in plan.lines.iter().enumerate() {
        let Head::Inbox(node) = line.head else {
            continue;
        };
        for edge in &plan.nodes[node].ins {
            if let Some(feeder) = feeder(*edge, plan) {
                fed[feeder].push(number);
            }
        }
    }
    // Lines of a loop may come before what feeds them, and numbers only grow, to the largest that is said.
    let mut due: VecDeque<LineIndex> = (0..plan.lines.len()).collect();
    while let Some(line) = due.pop_front() {
        let instances = match plan.lines[line].head {
            Head::Source(_) => 1,
            Head::Subscription(edge) => {
                let channel = plan.edges[edge].from;
                match plan.nodes[channel].role {
                    Role::Channel(ChannelKind::Log) => number(channel, "partitions", plan),
                    Role::Channel(ChannelKind::Queue) => number(channel, "concurrency", plan),
                    _ => 1,
                }
            }
            Head::Inbox(node) => {
                let counts = plan.nodes[node].ins.iter().map(|edge| {
                    let from = plan.edges[*edge].from;
                    if plan.nodes[from].role == Role::Repartition {
                        return number(from, "partitions", plan);
                    }
                    feeder(*edge, plan).map_or(1, |line| plan.lines[line].instances)
                });
                counts.max().unwrap_or(1)
            }
        };
        if std::mem::replace(&mut plan.lines[line].instances, instances) != instances {
            due.extend(&fed[line]);
        }
    }
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::*;

    fn shape(wires: &str) -> String {
        let catalog = crate::catalog::catalog();
        let mut document = Document::default();
        let mut ends = |end: &str| {
            let (kind, port) = end.split_once('.').expect("written kind.port");
            let id = NodeId::from(kind);
            let kind = kind.trim_end_matches(|c: char| c.is_ascii_digit());
            let mut node = Node::new(kind);
            if kind == "route" {
                node.config
                    .insert("routes", graph_model::value!({"a": "true", "b": "true"}));
            }
            if kind == "log" || kind == "repartition" {
                node.config.insert("partitions", 3_i64);
            }
            document
                .nodes
                .entry(id.clone())
                .or_insert_with(|| Arc::new(node));
            PortRef::new(id, port)
        };
        let mut edges = Vec::new();
        for wire in wires.split(", ") {
            let (from, to) = wire.split_once(" -> ").expect("written from -> to");
            edges.push((ends(from), ends(to)));
        }
        for (number, (from, to)) in edges.into_iter().enumerate() {
            let edge = graph_model::document::Edge::new(from, to);
            document
                .edges
                .insert(format!("e{number}").into(), Arc::new(edge));
        }
        let kinds = crate::catalog::kinds();
        let role = |kind: &str| {
            kinds
                .iter()
                .find(|row| row.spec.id == kind)
                .map(|row| row.make.role())
        };
        match plan(&Arc::new(document), &catalog, role) {
            Ok(plan) => {
                let lines = plan.lines.iter().map(|line| {
                    let head = match line.head {
                        Head::Source(_) => "source".to_owned(),
                        Head::Subscription(edge) => {
                            format!("{}>", plan.nodes[plan.edges[edge].from].id)
                        }
                        Head::Inbox(_) => "inbox".to_owned(),
                    };
                    let nodes = line.nodes.iter().map(|node| plan.nodes[*node].id.as_str());
                    let nodes: String = nodes.map(|id| format!(" {id}")).collect();
                    format!("{head} x{}{nodes}\n", line.instances)
                });
                lines.collect()
            }
            Err(problems) => problems
                .iter()
                .map(|problem| format!("{problem}\n"))
                .collect(),
        }
    }

    #[test]
    fn operators_share_a_line_until_lines_meet() {
        let table: &[(&str, Expect)] = &[
            (
                "manual.out -> map.in, map.out -> filter.in, filter.out -> view.in",
                expect![[r"
                source x1 manual map filter
            "]],
            ),
            // Both branches come from one line, so their meeting belongs to it as well.
            (
                "manual.out -> route.in, route.a -> map1.in, route.b -> map2.in, map1.out -> merge.in, map2.out -> merge.in",
                expect![[r"
                source x1 manual route map1 map2 merge
            "]],
            ),
            (
                "manual1.out -> merge.in, manual2.out -> merge.in, merge.out -> map.in",
                expect![[r"
                source x1 manual2
                source x1 manual1
                inbox x1 merge map
            "]],
            ),
            (
                "manual.out -> log.in, log.out -> map1.in, log.out -> map2.in, map1.out -> aggregate.in",
                expect![[r"
                source x1 manual
                log> x3 map1 aggregate
                log> x3 map2
            "]],
            ),
            (
                "manual.out -> map1.in, map1.out -> repartition.in, repartition.out -> map2.in",
                expect![[r"
                source x1 manual map1 repartition
                inbox x3 map2
            "]],
            ),
            // Where partitions meet, each meets its like.
            (
                "manual1.out -> log1.in, manual2.out -> log2.in, log1.out -> join.left, log2.out -> join.right, join.out -> map.in",
                expect![[r"
                source x1 manual2
                source x1 manual1
                log2> x3
                log1> x3
                inbox x3 join map
            "]],
            ),
            (
                "manual1.out -> log.in, manual2.out -> repartition.in, log.out -> map.in, map.out -> join.left, repartition.out -> join.right",
                expect![[r"
                source x1 manual2 repartition
                source x1 manual1
                log> x3 map
                inbox x3 join
            "]],
            ),
            (
                "manual.out -> log.in, log.out -> map1.in, log.out -> map2.in, map1.out -> join.left, map2.out -> join.right",
                expect![[r"
                source x1 manual
                log> x3 map1
                log> x3 map2
                inbox x3 join
            "]],
            ),
            // A loop is cut where it comes back.
            (
                "manual.out -> map1.in, map1.out -> map2.in, map2.out -> map1.in",
                expect![[r"
                source x1 manual
                inbox x1 map1
                inbox x1 map2
            "]],
            ),
        ];
        for (wires, shape_wanted) in table {
            shape_wanted.assert_eq(&shape(wires));
        }
    }

    #[test]
    fn everything_wrong_is_said_at_once() {
        expect![[r"
            nonsense: the kind `nonsense` is not known; choose another
            the wire e1 ends at map.side, which is not there; remove the wire or connect it again
        "]]
        .assert_eq(&shape("manual.out -> nonsense.in, map.side -> view.in"));
    }
}
