//! Layered automatic layout, left to right, and the sizes of nodes that it shares with painters.

use std::collections::{BTreeMap, BTreeSet};

use crate::catalog::{Catalog, PortRole};
use crate::document::{Document, Node, Placement};
use crate::id::Id;

/// Width of every node, in points.
pub const NODE_WIDTH: u32 = 200;
/// Height of the part of a node above its ports.
pub const NODE_HEAD: u32 = 50;
/// Height of a row of ports.
pub const PORT_ROW: u32 = 20;

/// Height of a node with this many rows of ports.
pub fn node_height(rows: u32) -> u32 {
    NODE_HEAD + rows.max(1) * PORT_ROW
}

/// Where the port of a row sits, from the top of its node.
pub fn port_y(row: u32) -> u32 {
    NODE_HEAD + row * PORT_ROW + PORT_ROW / 2 - 2
}

/// Size of a node on the canvas.
pub fn node_size(catalog: &Catalog, node: &Node) -> (u32, u32) {
    let rows = catalog.get(&node.kind).map_or(1, |kind| {
        kind.inputs_of(node).len().max(kind.outputs_of(node).len())
    });
    (NODE_WIDTH, node_height(rows as u32))
}

const ACROSS: i64 = 100;
const DOWN: i64 = 40;
const BETWEEN_PARTS: i64 = 80;
const MARGIN: i64 = 40;
const SWEEPS: usize = 8;

/// Places for all nodes, in the order of their ids: events run from left to right, parts that are
/// not connected stand below each other, the nodes of a zone stay together in each layer.
pub fn layered(document: &Document, catalog: &Catalog) -> Vec<(Id, Placement)> {
    let graph = Graph::new(document, catalog);
    let layer = graph.layers();
    let mut placed: Vec<(i64, i64)> = vec![(0, 0); graph.ids.len()];
    let mut top = MARGIN;
    for part in graph.parts() {
        let layers = graph.order(&part, &layer);
        let height = Graph::coordinates(&layers, top, &mut placed);
        top += height + BETWEEN_PARTS;
    }
    graph
        .ids
        .iter()
        .zip(placed)
        .map(|(id, (x, y))| {
            let place = Placement {
                x: snap(x),
                y: snap(y),
                size: None,
            };
            ((*id).clone(), place)
        })
        .collect()
}

struct Graph<'d> {
    ids: Vec<&'d Id>,
    heights: Vec<i64>,
    /// Number of the zone, in the order of zone ids; nodes without one stand alone.
    zones: Vec<Option<usize>>,
    out: Vec<Vec<usize>>,
    into: Vec<Vec<usize>>,
}

/// A place in a layer: a node, or a bend of an edge that crosses the layer.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Slot {
    Node(usize),
    Bend,
}

struct Layers {
    slots: Vec<Slot>,
    heights: Vec<i64>,
    zones: Vec<Option<usize>>,
    /// Slots of each layer, top to bottom.
    rows: Vec<Vec<usize>>,
    before: Vec<Vec<usize>>,
    after: Vec<Vec<usize>>,
}

impl<'d> Graph<'d> {
    fn new(document: &'d Document, catalog: &Catalog) -> Graph<'d> {
        let ids: Vec<&Id> = document.nodes.keys().collect();
        let index: BTreeMap<&Id, usize> =
            ids.iter().enumerate().map(|(at, id)| (*id, at)).collect();
        let mut zone_numbers: BTreeMap<&Id, usize> = BTreeMap::new();
        for node in document.nodes.values() {
            if let Some(zone) = &node.zone {
                let next = zone_numbers.len();
                zone_numbers.entry(zone).or_insert(next);
            }
        }
        let mut graph = Graph {
            heights: document
                .nodes
                .values()
                .map(|node| i64::from(node_size(catalog, node).1))
                .collect(),
            zones: document
                .nodes
                .values()
                .map(|node| node.zone.as_ref().map(|zone| zone_numbers[zone]))
                .collect(),
            out: vec![Vec::new(); ids.len()],
            into: vec![Vec::new(); ids.len()],
            ids,
        };
        let mut edges = BTreeSet::new();
        let mut replies = Vec::new();
        for edge in document.edges.values() {
            let (Some(from), Some(to)) = (index.get(&edge.from.node), index.get(&edge.to.node))
            else {
                continue;
            };
            let reply = catalog
                .get(&document.nodes[&edge.to.node].kind)
                .is_some_and(|kind| {
                    kind.inputs
                        .iter()
                        .any(|port| port.role == PortRole::Reply && port.name == edge.to.port)
                });
            // A reply runs back: it pulls its ends together, but not into a cycle.
            match reply {
                _ if from == to => {}
                true => replies.push((*to, *from)),
                false => {
                    edges.insert((*from, *to));
                }
            }
        }
        for (from, to) in replies {
            edges.insert((from, to));
        }
        for (from, to) in graph.without_cycles(&edges) {
            graph.out[from].push(to);
            graph.into[to].push(from);
        }
        graph
    }

    /// The edges with those turned round that close a cycle, found by walking depth first from the
    /// nodes that nothing feeds.
    fn without_cycles(&self, edges: &BTreeSet<(usize, usize)>) -> BTreeSet<(usize, usize)> {
        let count = self.ids.len();
        let mut out: Vec<Vec<usize>> = vec![Vec::new(); count];
        let mut fed = vec![false; count];
        for &(from, to) in edges {
            out[from].push(to);
            fed[to] = true;
        }
        let roots = (0..count)
            .filter(|node| !fed[*node])
            .chain((0..count).filter(|node| fed[*node]));
        let mut seen = vec![false; count];
        let mut open = vec![false; count];
        let mut turned = BTreeSet::new();
        for root in roots {
            if seen[root] {
                continue;
            }
            seen[root] = true;
            open[root] = true;
            let mut path = vec![(root, 0)];
            while let Some((node, next)) = path.last_mut() {
                if let Some(&to) = out[*node].get(*next) {
                    *next += 1;
                    if open[to] {
                        turned.insert((*node, to));
                    } else if !seen[to] {
                        seen[to] = true;
                        open[to] = true;
                        path.push((to, 0));
                    }
                } else {
                    open[*node] = false;
                    path.pop();
                }
            }
        }
        edges
            .iter()
            .map(|&(from, to)| {
                if turned.contains(&(from, to)) {
                    (to, from)
                } else {
                    (from, to)
                }
            })
            .collect()
    }

    /// Longest path from the nodes that nothing feeds; such a node itself stands right before what
    /// it feeds.
    fn layers(&self) -> Vec<usize> {
        let count = self.ids.len();
        let mut layer = vec![0; count];
        let mut waits: Vec<usize> = self.into.iter().map(Vec::len).collect();
        let mut ready: Vec<usize> = (0..count).filter(|node| waits[*node] == 0).collect();
        let mut at = 0;
        while let Some(&node) = ready.get(at) {
            at += 1;
            for &to in &self.out[node] {
                layer[to] = layer[to].max(layer[node] + 1);
                waits[to] -= 1;
                if waits[to] == 0 {
                    ready.push(to);
                }
            }
        }
        for node in 0..count {
            if self.into[node].is_empty()
                && let Some(nearest) = self.out[node].iter().map(|to| layer[*to]).min()
            {
                layer[node] = nearest - 1;
            }
        }
        layer
    }

    /// Connected parts: larger ones first, then by their first node.
    fn parts(&self) -> Vec<Vec<usize>> {
        let mut seen = vec![false; self.ids.len()];
        let mut parts = Vec::new();
        for start in 0..self.ids.len() {
            if seen[start] {
                continue;
            }
            seen[start] = true;
            let mut part = vec![start];
            let mut at = 0;
            while let Some(&node) = part.get(at) {
                at += 1;
                for &near in self.out[node].iter().chain(&self.into[node]) {
                    if !seen[near] {
                        seen[near] = true;
                        part.push(near);
                    }
                }
            }
            part.sort_unstable();
            parts.push(part);
        }
        parts.sort_by_key(|part| std::cmp::Reverse(part.len()));
        parts
    }

    /// The part in layers, with few crossings.
    fn order(&self, part: &[usize], layer: &[usize]) -> Layers {
        let first = part.iter().map(|node| layer[*node]).min().unwrap_or(0);
        let last = part.iter().map(|node| layer[*node]).max().unwrap_or(0);
        let mut layers = Layers {
            slots: Vec::new(),
            heights: Vec::new(),
            zones: Vec::new(),
            rows: vec![Vec::new(); last - first + 1],
            before: Vec::new(),
            after: Vec::new(),
        };
        let mut slot_of: BTreeMap<usize, usize> = BTreeMap::new();
        for &node in part {
            let slot = layers.add(
                Slot::Node(node),
                layer[node] - first,
                self.heights[node],
                self.zones[node],
            );
            slot_of.insert(node, slot);
        }
        for &node in part {
            for &to in &self.out[node] {
                let mut from = slot_of[&node];
                let span = layer[to] - layer[node];
                // A very long edge is drawn straight: bends would cost a slot in each layer.
                if span <= 24 {
                    let zone = (self.zones[node] == self.zones[to])
                        .then_some(self.zones[node])
                        .flatten();
                    for crossed in layer[node] + 1..layer[to] {
                        let bend = layers.add(Slot::Bend, crossed - first, 0, zone);
                        layers.join(from, bend);
                        from = bend;
                    }
                    layers.join(from, slot_of[&to]);
                }
            }
        }
        layers.reduce_crossings();
        layers
    }

    /// Places the layers from `top` down; answers their height.
    fn coordinates(layers: &Layers, top: i64, placed: &mut [(i64, i64)]) -> i64 {
        let middles = layers.middles();
        let upper = layers
            .rows
            .iter()
            .flatten()
            .map(|slot| middles[*slot] - layers.heights[*slot] / 2)
            .min()
            .unwrap_or(0);
        let mut lower = upper;
        for (column, row) in layers.rows.iter().enumerate() {
            for &slot in row {
                if let Slot::Node(node) = layers.slots[slot] {
                    let y = middles[slot] - layers.heights[slot] / 2;
                    let x = MARGIN + column as i64 * (i64::from(NODE_WIDTH) + ACROSS);
                    placed[node] = (x, top + y - upper);
                    lower = lower.max(y + layers.heights[slot]);
                }
            }
        }
        lower - upper
    }
}

impl Layers {
    fn add(&mut self, slot: Slot, row: usize, height: i64, zone: Option<usize>) -> usize {
        let index = self.slots.len();
        self.slots.push(slot);
        self.heights.push(height);
        self.zones.push(zone);
        self.before.push(Vec::new());
        self.after.push(Vec::new());
        self.rows[row].push(index);
        index
    }

    fn join(&mut self, from: usize, to: usize) {
        self.after[from].push(to);
        self.before[to].push(from);
    }

    /// Sweeps back and forth, ordering each layer by the mean place of its neighbours, and keeps the
    /// best order seen.
    fn reduce_crossings(&mut self) {
        for row in &mut self.rows {
            let mut leader = BTreeMap::new();
            for (at, slot) in row.iter().enumerate() {
                if let Some(zone) = self.zones[*slot] {
                    leader.entry(zone).or_insert(at);
                }
            }
            let mut keyed: Vec<(usize, usize)> = row
                .iter()
                .enumerate()
                .map(|(at, slot)| (self.zones[*slot].map_or(at, |zone| leader[&zone]), *slot))
                .collect();
            keyed.sort_by_key(|(place, _)| *place);
            *row = keyed.into_iter().map(|(_, slot)| slot).collect();
        }
        let mut best = self.rows.clone();
        let mut fewest = self.crossings();
        for sweep in 0..SWEEPS {
            if fewest == 0 && sweep > 1 {
                break;
            }
            let forward = sweep % 2 == 0;
            let count = self.rows.len();
            for step in 1..count {
                let (row, fixed) = if forward {
                    (step, step - 1)
                } else {
                    (count - 1 - step, count - step)
                };
                self.sort_row(row, fixed, forward);
            }
            let crossings = self.crossings();
            if crossings < fewest {
                fewest = crossings;
                best.clone_from(&self.rows);
            }
        }
        self.rows = best;
    }

    fn sort_row(&mut self, row: usize, fixed: usize, forward: bool) {
        let mut place = BTreeMap::new();
        for (at, slot) in self.rows[fixed].iter().enumerate() {
            place.insert(*slot, at);
        }
        let near = if forward { &self.before } else { &self.after };
        let wish = |at: usize, slot: usize| -> f64 {
            let places: Vec<usize> = near[slot]
                .iter()
                .filter_map(|near| place.get(near).copied())
                .collect();
            if places.is_empty() {
                at as f64
            } else {
                places.iter().sum::<usize>() as f64 / places.len() as f64
            }
        };
        let mut keyed: Vec<(f64, usize)> = self.rows[row]
            .iter()
            .enumerate()
            .map(|(at, slot)| (wish(at, *slot), *slot))
            .collect();
        // A zone stands as one block, at the mean place of its nodes.
        let mut blocks: BTreeMap<usize, (f64, f64)> = BTreeMap::new();
        for (wish, slot) in &keyed {
            if let Some(zone) = self.zones[*slot] {
                let (sum, count) = blocks.entry(zone).or_default();
                *sum += wish;
                *count += 1.0;
            }
        }
        let block = |wish: f64, slot: usize| match self.zones[slot] {
            Some(zone) => (blocks[&zone].0 / blocks[&zone].1, zone + 1),
            None => (wish, 0),
        };
        keyed.sort_by(|a, b| {
            let (a_block, b_block) = (block(a.0, a.1), block(b.0, b.1));
            a_block
                .0
                .total_cmp(&b_block.0)
                .then(a_block.1.cmp(&b_block.1))
                .then(a.0.total_cmp(&b.0))
        });
        self.rows[row] = keyed.into_iter().map(|(_, slot)| slot).collect();
    }

    /// Crossings between neighbouring layers, counted with a tree of prefix sums.
    fn crossings(&self) -> u64 {
        let mut place = vec![0; self.slots.len()];
        for row in &self.rows {
            for (at, slot) in row.iter().enumerate() {
                place[*slot] = at;
            }
        }
        let mut crossings = 0;
        for (at, row) in self.rows.iter().enumerate() {
            let width = self.rows.get(at + 1).map_or(0, Vec::len);
            let mut sums = vec![0_u64; width + 1];
            let mut seen = 0;
            for slot in row {
                let mut ends: Vec<usize> = self.after[*slot].iter().map(|to| place[*to]).collect();
                ends.sort_unstable();
                for &end in &ends {
                    let mut index = end + 1;
                    let mut not_above = 0;
                    while index > 0 {
                        not_above += sums[index];
                        index &= index - 1;
                    }
                    crossings += seen - not_above;
                }
                for end in ends {
                    seen += 1;
                    let mut index = end + 1;
                    while index <= width {
                        sums[index] += 1;
                        index += index & index.wrapping_neg();
                    }
                }
            }
        }
        crossings
    }

    /// The middle of each slot: near the middle of its neighbours, in order and without overlap.
    fn middles(&self) -> Vec<i64> {
        let mut middles = vec![0; self.slots.len()];
        for row in &self.rows {
            let mut y = 0;
            for &slot in row {
                middles[slot] = y + self.heights[slot] / 2;
                y += self.heights[slot] + self.gap(slot);
            }
        }
        for sweep in 0..SWEEPS {
            let forward = sweep % 2 == 0;
            let count = self.rows.len();
            for step in 0..count {
                let row = &self.rows[if forward { step } else { count - 1 - step }];
                let near = if forward { &self.before } else { &self.after };
                let wishes: Vec<i64> = row
                    .iter()
                    .map(|slot| median(&near[*slot], &middles).unwrap_or(middles[*slot]))
                    .collect();
                self.settle(row, &wishes, &mut middles);
            }
        }
        middles
    }

    /// Gives each slot of a row the place nearest to its wish that keeps order and distance: slots
    /// that would overlap form a block, and a block stands at the mean of its wishes.
    fn settle(&self, row: &[usize], wishes: &[i64], middles: &mut [i64]) {
        struct Block {
            first: usize,
            /// Sum of the members' wishes for the place of the block's first member.
            sum: i64,
            count: i64,
            extent: i64,
        }
        let mut blocks: Vec<Block> = Vec::new();
        for (at, wish) in wishes.iter().enumerate() {
            let mut block = Block {
                first: at,
                sum: *wish,
                count: 1,
                extent: 0,
            };
            while let Some(above) = blocks.last() {
                let apart = above.extent + self.distance(row[block.first - 1], row[block.first]);
                if block.sum.div_euclid(block.count) >= above.sum.div_euclid(above.count) + apart {
                    break;
                }
                block = Block {
                    first: above.first,
                    sum: above.sum + block.sum - apart * block.count,
                    count: above.count + block.count,
                    extent: apart + block.extent,
                };
                blocks.pop();
            }
            blocks.push(block);
        }
        for (index, block) in blocks.iter().enumerate() {
            let end = blocks.get(index + 1).map_or(row.len(), |next| next.first);
            let mut y = block.sum.div_euclid(block.count);
            for at in block.first..end {
                if at > block.first {
                    y += self.distance(row[at - 1], row[at]);
                }
                middles[row[at]] = y;
            }
        }
    }

    fn distance(&self, upper: usize, lower: usize) -> i64 {
        let border = if self.zones[upper] == self.zones[lower] {
            0
        } else {
            DOWN
        };
        i64::midpoint(self.heights[upper], self.heights[lower]) + self.gap(upper) + border
    }

    fn gap(&self, slot: usize) -> i64 {
        match self.slots[slot] {
            Slot::Node(_) => DOWN,
            Slot::Bend => DOWN / 2,
        }
    }
}

fn median(near: &[usize], middles: &[i64]) -> Option<i64> {
    let mut places: Vec<i64> = near.iter().map(|slot| middles[*slot]).collect();
    places.sort_unstable();
    let half = places.len() / 2;
    match places.len() {
        0 => None,
        count if count % 2 == 1 => Some(places[half]),
        _ => Some(i64::midpoint(places[half - 1], places[half])),
    }
}

/// The nearest point of the canvas' grid.
fn snap(value: i64) -> i32 {
    i32::try_from((value + 5).div_euclid(10) * 10).unwrap_or(i32::MAX)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::document::Edge;
    use crate::id::PortRef;

    fn flow(text: &str) -> Document {
        let mut document = Document::default();
        for wire in text.split_whitespace() {
            let chain: Vec<&str> = wire.split('>').collect();
            for name in &chain {
                let (id, zone) = name.split_once('@').unwrap_or((name, ""));
                let mut node = Node::new("map");
                node.zone = (!zone.is_empty()).then(|| zone.into());
                document
                    .nodes
                    .entry(id.into())
                    .or_insert_with(|| Arc::new(node));
            }
            for pair in chain.windows(2) {
                let end = |text: &str| Id::from(text.split('@').next().unwrap_or_default());
                let (from, to) = (end(pair[0]), end(pair[1]));
                document.edges.insert(
                    format!("{from}_{to}").into(),
                    Arc::new(Edge::new(PortRef::new(from, "out"), PortRef::new(to, "in"))),
                );
            }
        }
        document
    }

    fn places(text: &str) -> BTreeMap<String, (i32, i32)> {
        layered(&flow(text), Catalog::bundled())
            .into_iter()
            .map(|(id, place)| (id.to_string(), (place.x, place.y)))
            .collect()
    }

    fn assert_apart(document: &Document) {
        let catalog = Catalog::bundled();
        let mut rects: Vec<(i32, i32, i32)> = layered(document, catalog)
            .into_iter()
            .map(|(id, place)| {
                let (_, height) = node_size(catalog, &document.nodes[&id]);
                (place.x, place.y, place.y + height as i32)
            })
            .collect();
        rects.sort_unstable();
        for pair in rects.windows(2) {
            let ((x, _, bottom), (next_x, next_top, _)) = (pair[0], pair[1]);
            assert!(
                next_x - x >= NODE_WIDTH as i32 || bottom < next_top,
                "{pair:?}"
            );
        }
    }

    #[test]
    fn events_run_from_left_to_right() {
        let at = places("a>b>c>d a>c x>c");
        assert!(at["a"].0 < at["b"].0 && at["b"].0 < at["c"].0 && at["c"].0 < at["d"].0);
        assert_eq!(at["x"].0, at["b"].0, "a feeder stands right before");
    }

    #[test]
    fn a_chain_is_straight() {
        let at = places("a>b>c>d");
        let rows: BTreeSet<i32> = at.values().map(|(_, y)| *y).collect();
        assert_eq!(rows.len(), 1, "{at:?}");
    }

    #[test]
    fn cycles_and_loops_are_placed_too() {
        let at = places("a>b>c>b c>c>d d>a");
        assert_eq!(at.len(), 4);
        let columns: BTreeSet<i32> = at.values().map(|(x, _)| *x).collect();
        assert_eq!(columns.len(), 4, "{at:?}");
    }

    #[test]
    fn crossings_that_can_be_avoided_are() {
        let at = places("a>z b>y c>x");
        let order = |ids: [&str; 3]| ids.map(|id| at[id].1);
        let (left, right) = (order(["a", "b", "c"]), order(["z", "y", "x"]));
        for (one, two) in [(0, 1), (1, 2), (0, 2)] {
            assert_eq!(left[one] < left[two], right[one] < right[two], "{at:?}");
        }
        let at = places("s>a s>b s>c a>z b>y c>x x>t y>t z>t");
        for (one, two) in [(("a", "z"), ("b", "y")), (("b", "y"), ("c", "x"))] {
            assert_eq!(
                at[one.0].1 < at[two.0].1,
                at[one.1].1 < at[two.1].1,
                "{at:?}"
            );
        }
    }

    #[test]
    fn parts_stand_below_each_other() {
        let at = places("a>b>c lone p>q");
        assert!(at["a"].1 < at["p"].1 && at["p"].1 < at["lone"].1, "{at:?}");
        assert_apart(&flow("a>b>c lone p>q"));
    }

    #[test]
    fn zones_stay_together() {
        let at = places("s>a@one s>b@two s>c@one s>d@two s>e@one");
        let mut column: Vec<(i32, &str)> = ["a", "b", "c", "d", "e"]
            .map(|id| (at[id].1, if "ace".contains(id) { "one" } else { "two" }))
            .to_vec();
        column.sort_unstable();
        let mut zones: Vec<&str> = column.into_iter().map(|(_, zone)| zone).collect();
        zones.dedup();
        assert_eq!(zones.len(), 2, "{at:?}");
    }

    #[test]
    fn large_flows_are_quick_apart_and_always_alike() {
        let mut text = String::new();
        for node in 0..10_000_u64 {
            let mix = node.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 40;
            let to = node + 1 + mix % 40;
            text.push_str(&format!("n{node}>n{to} n{node}>n{} ", node + 1 + mix % 7));
        }
        let document = flow(&text);
        let first = layered(&document, Catalog::bundled());
        assert_eq!(first, layered(&document, Catalog::bundled()));
        assert_apart(&document);
    }

    #[test]
    fn nothing_needs_no_place() {
        assert!(layered(&Document::default(), Catalog::bundled()).is_empty());
    }
}
