//! Finds the fewest places at which a redaction keeps a field from all who may not see it, and from
//! nobody who may.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use super::redact_fields::fields_with;
use crate::catalog::{Behaviour, FieldSpec, FieldType, JqRole};
use crate::expr::{Expr, related};
use crate::pointer::Pointer;
use crate::validate::design::{EdgeIx, NodeIx};
use crate::validate::facts::tags::TagSet;
use crate::validate::facts::{Facts, pointers};
use crate::validate::rules::auth::{Place, places, refusal};
use crate::value::{Object, Value};

/// Nodes that one search looks at; beyond it, the redaction goes right in front of the node.
const NODES_MAX: usize = 512;

/// Capacity of a node that cannot be cut.
const ENDLESS: usize = usize::MAX / 2;

/// Nodes in front of which to redact.
pub(super) struct Cut {
    pub at: Vec<NodeIx>,
    /// Some node behind computes with the field.
    pub starves: bool,
}

/// Where to redact so that nothing with the tags comes to the node. Of several ways the one that is
/// nearest to those who look.
pub(super) fn cut(facts: &Facts, to: NodeIx, tags: &TagSet) -> Option<Cut> {
    let region = Region::of(facts, to, tags);
    for starves in [false, true] {
        if let Some(at) = region.cut(!starves) {
            return Some(Cut { at, starves });
        }
    }
    None
}

/// Wires by which the tags arrive at a node, as far as somebody drew them.
pub(super) fn wires(facts: &Facts, node: NodeIx, tags: &TagSet) -> Vec<EdgeIx> {
    let ins = facts.design.nodes[node].ins.iter().copied();
    ins.filter(|edge| !facts.design.edges[*edge].resource && carries(facts, *edge, tags))
        .collect()
}

fn carries(facts: &Facts, edge: EdgeIx, tags: &TagSet) -> bool {
    let port = facts.edge(edge);
    port.is_some_and(|port| port.labels.sets().any(|held| !held.is_disjoint(tags)))
}

/// The nodes that the tags come to.
struct Region<'f> {
    facts: &'f Facts,
    tags: &'f TagSet,
    to: NodeIx,
    nodes: Vec<NodeIx>,
    number: BTreeMap<NodeIx, usize>,
    sources: Vec<NodeIx>,
}

impl<'f> Region<'f> {
    fn of(facts: &'f Facts, to: NodeIx, tags: &'f TagSet) -> Region<'f> {
        let mut sources: Vec<NodeIx> = tags
            .iter()
            .map(|tag| {
                let tag = &facts.tags[tag as usize];
                tag.fold.as_ref().map_or(tag.node, |fold| fold.by)
            })
            .collect();
        sources.sort_by(|a, b| facts.design.nodes[*a].id.cmp(&facts.design.nodes[*b].id));
        sources.dedup();
        let mut region = Region {
            facts,
            tags,
            to,
            nodes: Vec::new(),
            number: BTreeMap::new(),
            sources,
        };
        let mut open = VecDeque::from(region.sources.clone());
        while let Some(node) = open.pop_front() {
            if region.number.contains_key(&node) {
                continue;
            }
            region.number.insert(node, region.nodes.len());
            region.nodes.push(node);
            if region.nodes.len() > NODES_MAX {
                region.nodes = vec![to];
                region.number = BTreeMap::from([(to, 0)]);
                region.sources.clear();
                return region;
            }
            open.extend(region.next(node));
        }
        region
    }

    fn next(&self, node: NodeIx) -> impl Iterator<Item = NodeIx> {
        let outs = self.facts.design.nodes[node].outs.iter();
        outs.filter(|edge| carries(self.facts, **edge, self.tags))
            .map(|edge| self.facts.design.edges[*edge].to)
    }

    fn before(&self, node: NodeIx) -> impl Iterator<Item = NodeIx> {
        let ins = self.facts.design.nodes[node].ins.iter();
        ins.filter(|edge| carries(self.facts, **edge, self.tags))
            .map(|edge| self.facts.design.edges[*edge].from)
            .filter(|from| self.number.contains_key(from))
    }

    /// Nodes in front of which to redact; none when that would take the field from somebody who may
    /// see it, or, when `spare` is set, from a node that computes with it.
    fn cut(&self, spare: bool) -> Option<Vec<NodeIx>> {
        let needed = self.needed(spare);
        let allowed = |node: NodeIx| {
            !needed.contains(&node)
                && !self.sources.contains(&node)
                && fields_with(self.facts, node, self.tags).is_some()
                && self.at_one_port(node)
        };
        let ends = self.nodes.iter().copied();
        let ends: Vec<NodeIx> = ends
            .filter(|node| *node == self.to || self.looks(*node).is_some() && allowed(*node))
            .collect();
        if self.sources.is_empty() || ends.len() <= 1 && allowed(self.to) {
            return allowed(self.to).then(|| vec![self.to]);
        }
        let mut flow = Flow::new(self.nodes.len());
        for (number, node) in self.nodes.iter().enumerate() {
            flow.allow(number, if allowed(*node) { 1 } else { ENDLESS });
            for next in self.next(*node) {
                flow.connect(number, self.number[&next]);
            }
        }
        let numbers = |nodes: &[NodeIx]| -> Vec<usize> {
            nodes.iter().map(|node| self.number[node]).collect()
        };
        let cut = flow.cut(&numbers(&self.sources), &numbers(&ends))?;
        let cut: BTreeSet<NodeIx> = cut.into_iter().map(|number| self.nodes[number]).collect();
        let mut at = Vec::new();
        let mut seen = BTreeSet::from([self.to]);
        let mut open = VecDeque::from([self.to]);
        while let Some(node) = open.pop_front() {
            if cut.contains(&node) {
                at.push(node);
                continue;
            }
            open.extend(self.before(node).filter(|from| seen.insert(*from)));
        }
        at.sort_by(|a, b| {
            let nodes = &self.facts.design.nodes;
            nodes[*a].id.cmp(&nodes[*b].id)
        });
        (!at.is_empty()).then_some(at)
    }

    /// Whether the tags come by wires that somebody drew, and all to one input.
    fn at_one_port(&self, node: NodeIx) -> bool {
        let design = &self.facts.design;
        let ins = design.nodes[node].ins.iter();
        let mut carrying = ins.filter(|edge| carries(self.facts, **edge, self.tags));
        let mut inputs = BTreeSet::new();
        carrying.all(|edge| {
            let view = &design.edges[*edge];
            inputs.insert(view.input);
            !view.resource && inputs.len() == 1
        })
    }

    /// Nodes from which the field still comes to somebody who may see it, or to a use of it.
    fn needed(&self, spare: bool) -> BTreeSet<NodeIx> {
        let at = self.nodes.iter().copied();
        let here = at.filter(|node| {
            self.looks(*node) == Some(true)
                || spare && *node != self.to && uses(self.facts, *node, self.tags)
        });
        let mut needed: BTreeSet<NodeIx> = here.collect();
        let mut open: Vec<NodeIx> = needed.iter().copied().collect();
        while let Some(node) = open.pop() {
            open.extend(self.before(node).filter(|from| needed.insert(*from)));
        }
        needed
    }

    /// Whether somebody looks at the field at a node; whether some of them may.
    fn looks(&self, node: NodeIx) -> Option<bool> {
        let port = self.facts.input(node)?;
        let mut looks = None;
        for Place {
            shown, audience, ..
        } in places(self.facts, node, port)
        {
            for tag in &(&shown.all() & self.tags) {
                let may = refusal(self.facts, port, tag, audience).is_none();
                looks = Some(looks == Some(true) || may);
            }
        }
        looks
    }
}

/// Whether a node does something else with tagged fields than to pass them on.
fn uses(facts: &Facts, node: NodeIx, tags: &TagSet) -> bool {
    let design = &*facts.design;
    let Some((view, behaviour)) = design.acting(node) else {
        return false;
    };
    let Some(fields) = fields_with(facts, node, tags) else {
        return true;
    };
    if let Behaviour::Opaque { .. } = behaviour {
        let reads = pointers(design.declared(node, "reads"));
        let read = |field: &Pointer| reads.iter().any(|read| related(read, field));
        return reads.is_empty() || fields.iter().any(read);
    }
    // What is shown or sent without it is what was asked for.
    if !matches!(
        behaviour,
        Behaviour::Observe { .. }
            | Behaviour::Table { .. }
            | Behaviour::Bucket { .. }
            | Behaviour::Effect { .. }
            | Behaviour::Redact { .. }
            | Behaviour::Tokenise { .. }
    ) {
        let config = view.kind.iter().flat_map(|kind| &kind.config);
        for field in config {
            let value = design.value(node, &field.name);
            if value.is_some_and(|value| computes(facts, field, value, &fields)) {
                return true;
            }
        }
    }
    false
}

fn computes(facts: &Facts, spec: &FieldSpec, value: &Value, fields: &BTreeSet<Pointer>) -> bool {
    let compiled = |value: &Value| value.as_str().and_then(|code| facts.design.compiled(code));
    let reads = |expr: &Expr| {
        let reads = &expr.analysis().reads;
        fields.iter().any(|field| reads.touched_by(field, false))
    };
    match &spec.ty {
        FieldType::Jq {
            role: JqRole::Mapping,
        } => compiled(value).is_some_and(|expr| {
            let rows = expr.analysis().outputs.iter();
            rows.filter(|row| row.copy.is_none()).any(|row| {
                fields.iter().any(|field| {
                    row.deps.touched_by(field, false) || row.ctl.touched_by(field, false)
                })
            })
        }),
        FieldType::Jq { .. } => compiled(value).is_some_and(reads),
        FieldType::JqTable { .. } => {
            let table = value.as_object().into_iter().flat_map(Object::values);
            table.filter_map(compiled).any(reads)
        }
        FieldType::Pointer => value
            .as_str()
            .and_then(|text| Pointer::parse(text).ok())
            .is_some_and(|own| fields.iter().any(|field| related(&own, field))),
        FieldType::Records { fields: specs } => {
            let records = value.as_array().unwrap_or_default().iter();
            records.filter_map(Value::as_object).any(|record| {
                specs.iter().any(|spec| {
                    let value = record.get(&spec.name);
                    value.is_some_and(|value| computes(facts, spec, value, fields))
                })
            })
        }
        _ => false,
    }
}

/// A network whose nodes have capacities; each is two, with the capacity between them.
struct Flow {
    /// Where each leads, and what still fits; the next one leads back.
    arcs: Vec<(usize, usize)>,
    out: Vec<Vec<usize>>,
}

impl Flow {
    fn new(nodes: usize) -> Flow {
        Flow {
            arcs: Vec::new(),
            out: vec![Vec::new(); 2 * nodes + 2],
        }
    }

    fn arc(&mut self, from: usize, to: usize, room: usize) {
        self.out[from].push(self.arcs.len());
        self.arcs.push((to, room));
        self.out[to].push(self.arcs.len());
        self.arcs.push((from, 0));
    }

    fn allow(&mut self, node: usize, room: usize) {
        self.arc(2 * node, 2 * node + 1, room);
    }

    fn connect(&mut self, from: usize, to: usize) {
        self.arc(2 * from + 1, 2 * to, ENDLESS);
    }

    /// The fewest nodes without which nothing comes from the sources to the ends, as near to the
    /// ends as they can be; none when something comes there all the same.
    fn cut(mut self, sources: &[usize], ends: &[usize]) -> Option<Vec<usize>> {
        let (start, end) = (self.out.len() - 2, self.out.len() - 1);
        for source in sources {
            self.arc(start, 2 * source + 1, ENDLESS);
        }
        for node in ends {
            self.arc(2 * node + 1, end, ENDLESS);
        }
        for _ in 0..=ends.len() {
            let Some(way) = self.way(start, end) else {
                return Some(self.nearest(end));
            };
            let room = way.iter().map(|arc| self.arcs[*arc].1).min().unwrap_or(0);
            if room >= ENDLESS {
                return None;
            }
            for arc in way {
                self.arcs[arc].1 -= room;
                self.arcs[arc ^ 1].1 += room;
            }
        }
        None
    }

    /// Arcs from one place to another on which there is room.
    fn way(&self, start: usize, end: usize) -> Option<Vec<usize>> {
        let mut by = vec![None; self.out.len()];
        let mut open = VecDeque::from([start]);
        while let Some(at) = open.pop_front() {
            if at == end {
                break;
            }
            for arc in &self.out[at] {
                let (to, room) = self.arcs[*arc];
                if room > 0 && to != start && by[to].is_none() {
                    by[to] = Some(*arc);
                    open.push_back(to);
                }
            }
        }
        let mut way = Vec::new();
        let mut at = end;
        while at != start {
            let arc = by[at]?;
            way.push(arc);
            at = self.arcs[arc ^ 1].0;
        }
        Some(way)
    }

    /// Full nodes from behind which the end can still be reached.
    fn nearest(&self, end: usize) -> Vec<usize> {
        let mut reaches = vec![false; self.out.len()];
        reaches[end] = true;
        let mut open = VecDeque::from([end]);
        while let Some(at) = open.pop_front() {
            for arc in &self.out[at] {
                // The arc back says how much fits from there to here.
                let (from, _) = self.arcs[*arc];
                if self.arcs[arc ^ 1].1 > 0 && !reaches[from] {
                    reaches[from] = true;
                    open.push_back(from);
                }
            }
        }
        let nodes = (self.out.len() - 2) / 2;
        (0..nodes)
            .filter(|node| reaches[2 * node + 1] && !reaches[2 * node])
            .collect()
    }
}
