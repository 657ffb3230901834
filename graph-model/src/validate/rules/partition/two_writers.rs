//! PART-009: several nodes, or instances of one, overwrite the same values of the same row.

use std::collections::BTreeSet;

use smol_str::SmolStr;

use super::choices::{Choice, by_what_stays, choices, exclude};
use crate::catalog::Behaviour;
use crate::validate::design::{Design, NodeIx, Sharers};
use crate::validate::diagnostic::{Found, RuleFindings};
use crate::validate::facts::Facts;
use crate::validate::facts::delivery::{Mode, Part};
use crate::validate::facts::origins::Origin;
use crate::validate::rules::declare_rule;
use crate::validate::rules::delivery::{placing, way_from};
use crate::validate::{Step, fixes};

declare_rule! {
    /// Finds nodes that overwrite the same columns of the same rows, and code that reads a row and
    /// writes it back in several instances.
    /// ## Why is this bad
    /// If two components own a value, nobody does: the slower one silently undoes what the faster one
    /// wrote. Both are right for themselves, and each passes its tests. What is lost was acknowledged,
    /// so nobody sends it again.
    /// ## When is this fine
    /// When the writers never speak of the same row: say so by filters in front of them, or by keys
    /// that differ.
    /// ## Perturbation
    /// Other timing: two updates of one row, interleaved the other way, leave other values.
    /// ## Example
    /// orders: manual -> save: table(table=orders, key=.id, columns={"status": ".status", "total": ".total"})
    /// parcels: manual -> ship: table(table=orders, key=.order, columns={"status": ".status"})
    /// ## Use instead
    /// orders: manual -> save: table(table=orders, key=.id, columns={"status": ".status", "total": ".total"})
    /// parcels: manual -> ship: table(table=orders, key=.order, columns={"parcel": ".status"})
    /// ## Near miss
    /// orders: manual -> eu: filter(when=.region == "eu") -> save: table(table=orders, key=[.region, .id], columns={"status": ".status"})
    /// orders -> us: filter(when=.region == "us") -> m: map(expr={place: .region, nr: .id, status}) -> ship: table(table=orders, key=[.place, .nr], columns={"status": ".status"})
    /// ## Source
    /// M. Thompson: Single Writer Principle, 2011
    code = "PART-009", name = "two-writers", severity = Error, since = "0.1.0",
    check = Whole(check),
}

fn check(facts: &Facts, findings: &mut RuleFindings<'_, '_>) {
    for (_, sharers) in facts.design.resources() {
        check_writers(facts, sharers, findings);
    }
    for (node, _, behaviour) in facts.design.active() {
        if let Behaviour::Opaque { .. } = behaviour {
            check_instances(facts, node, findings);
        }
    }
}

fn check_writers(facts: &Facts, sharers: &Sharers, findings: &mut RuleFindings<'_, '_>) {
    let design = &*facts.design;
    let mut writers: Vec<NodeIx> = (sharers.writers.iter().copied())
        .filter(|writer| design.overwrites(*writer) && facts.input(*writer).is_some())
        .collect();
    if writers.len() < 2 {
        return;
    }
    writers.sort_by(|a, b| design.nodes[*a].id.cmp(&design.nodes[*b].id));
    for (number, &writer) in writers.iter().enumerate() {
        let mut others = writers[..number].iter().copied();
        let Some(other) = others.find(|other| contested(facts, *other, writer)) else {
            continue;
        };
        let shared = shared(design, other, writer);
        let what = match shared.first() {
            Some(_) => listed(&shared),
            None => "whole rows".to_owned(),
        };
        let (a, b) = (design.title(other), design.title(writer));
        let key = |node| key_text(design, node).unwrap_or("null");
        let step = |node: NodeIx, note: String| Step::node(&design.nodes[node].id, note);
        let path = vec![
            step(other, format!("writes {what} of the row `{}`", key(other))),
            step(
                writer,
                format!(
                    "writes {what} of the row `{}`, at its own pace, so an older value may win over a newer one",
                    key(writer)
                ),
            ),
        ];
        let all: Vec<NodeIx> = (writers.iter().copied())
            .filter(|one| *one != writer && contested(facts, *one, writer))
            .collect();
        let message = format!(
            "{a} and {b} both write {what} of {}, and nothing says which value is newer; let one of them own it",
            table(design, writer)
        );
        findings.add(
            Found::node(&design.nodes[writer].id, message)
                .path(path)
                .affecting([other, writer].map(|node| design.nodes[node].id.clone()))
                .fixes(fixes::own_values(facts, writer, &all)),
        );
    }
}

/// Whether two writers of one table may undo each other.
fn contested(facts: &Facts, one: NodeIx, other: NodeIx) -> bool {
    let design = &*facts.design;
    let both_guarded = design.guards_versions(one) && design.guards_versions(other);
    let apart =
        || apart_by_key(facts, one, other) || exclude(&chosen(facts, one), &chosen(facts, other));
    !both_guarded && overlap(design, one, other) && !apart()
}

/// What chose the events of a writer. Where those are versions of things, a thing may be chosen in one
/// version and not in the next, so only what the key of its row decides keeps others away from it.
fn chosen(facts: &Facts, writer: NodeIx) -> Vec<Choice> {
    let all = choices(facts, writer);
    let Some(port) = facts.input(writer) else {
        return all;
    };
    if !matches!(port.mode, Mode::Upsert(_) | Mode::Snapshot) {
        return all;
    }
    let key = key_text(&facts.design, writer).and_then(|key| facts.design.compiled(key));
    let key = key.map(|key| facts.key(key, port)).unwrap_or_default();
    if facts.identifies(&key, port) {
        // Each version has a row of its own.
        return all;
    }
    by_what_stays(all, |origin| facts.determines(&key, &[origin]))
}

/// Whether two writers have columns in common; none means the payload as a whole.
fn overlap(design: &Design, one: NodeIx, other: NodeIx) -> bool {
    let whole = |node| design.columns(node).is_empty();
    whole(one) && whole(other) || !shared(design, one, other).is_empty()
}

fn shared(design: &Design, one: NodeIx, other: NodeIx) -> Vec<SmolStr> {
    let columns = |node| -> BTreeSet<SmolStr> {
        let columns = design.columns(node).into_iter();
        columns.map(|(name, _)| name.clone()).collect()
    };
    (columns(one).intersection(&columns(other)))
        .cloned()
        .collect()
}

/// Whether the keys of two writers are never equal.
fn apart_by_key(facts: &Facts, one: NodeIx, other: NodeIx) -> bool {
    let design = &*facts.design;
    let key = |node: NodeIx| {
        let port = facts.input(node)?;
        let key = design.compiled(key_text(design, node)?)?;
        Some((facts.keyed(key, port), port))
    };
    let (Some((one, from)), Some((other, also))) = (key(one), key(other)) else {
        return false;
    };
    // What is known at the start of a key is another text or another element.
    let start = |shape: &str| {
        let end = shape.find("\\(").into_iter().chain(shape.find('_')).min();
        let known = end.map_or(shape, |end| &shape[..end]).to_owned();
        (known, end.is_none())
    };
    let ((a, whole_a), (b, whole_b)) = (start(&one.shape), start(&other.shape));
    let alike = a.chars().next() == b.chars().next() && a.starts_with(['"', '[']);
    let prefix = a.starts_with(&b) && !whole_b || b.starts_with(&a) && !whole_a;
    if alike && a != b && !prefix {
        return true;
    }
    // Ids that different nodes give are different.
    let made_apart = from.payload.context != also.payload.context;
    let is_context = |parts: &[u32]| {
        let is = |part: &u32| matches!(facts.origin(*part), Origin::Context(..));
        !parts.is_empty() && parts.iter().all(is)
    };
    made_apart && is_context(&one.parts) && is_context(&other.parts)
}

/// Code that decides by the rows that it writes has to be alone with each of them.
fn check_instances(facts: &Facts, node: NodeIx, findings: &mut RuleFindings<'_, '_>) {
    let design = &*facts.design;
    let (Some(read), Some(port)) = (design.declared_text(node, "reads_from"), facts.input(node))
    else {
        return;
    };
    let instances = design.declared_number(node, "instances").unwrap_or(1.0);
    let (by, how) = match &port.part {
        Part::Any { count, by } => (
            *by,
            format!("hands events {} to {count} instances", placing(design, *by)),
        ),
        Part::Single if instances > 1.0 => (
            node,
            format!("takes any event in any of {instances} instances"),
        ),
        _ => return,
    };
    let Some(writer) = writes_back(facts, node, read) else {
        return;
    };
    let (title, table) = (design.title(node), table(design, writer));
    let effect =
        format!("reads a row of {table} and writes it back, while another instance does the same");
    let message = format!(
        "{title} reads {table} and writes it back in several instances, so one undoes what the other wrote; bring the events of a row to one place"
    );
    findings.add(
        Found::node(&design.nodes[node].id, message)
            .assuming("that what it writes depends on what it has read")
            .path(way_from(facts, by, how, node, effect))
            .affecting([design.nodes[writer].id.clone()])
            .fixes(fixes::place_rows(facts, node, writer)),
    );
}

/// Steps from code to the table that it reads.
const BACK_MAX: usize = 64;

/// The table that a node reads, when what it sends is written there without a comparison.
fn writes_back(facts: &Facts, node: NodeIx, read: &str) -> Option<NodeIx> {
    let design = &*facts.design;
    let (mut open, mut seen) = (vec![node], BTreeSet::new());
    while let Some(at) = open.pop().filter(|_| seen.len() < BACK_MAX) {
        for edge in &design.nodes[at].outs {
            let view = &design.edges[*edge];
            if view.resource || !seen.insert(view.to) {
                continue;
            }
            let named = design.nodes[view.to].id.as_str() == read
                || design.title(view.to) == read
                || table(design, view.to) == read;
            if named && design.overwrites(view.to) && !design.guards_versions(view.to) {
                return Some(view.to);
            }
            open.push(view.to);
        }
    }
    None
}

/// The name of the table that a node writes.
fn table(design: &Design, node: NodeIx) -> &str {
    let kind = design.nodes[node].kind.as_ref();
    let resource = kind.and_then(|kind| kind.resource.as_ref());
    let field = resource.and_then(|resource| resource.named_by.last());
    field
        .and_then(|field| design.text(node, field))
        .unwrap_or_else(|| design.title(node))
}

fn key_text(design: &Design, node: NodeIx) -> Option<&str> {
    match design.behaviour(node)? {
        Behaviour::Table { key, .. } => design.text(node, key),
        _ => None,
    }
}

fn listed(names: &[SmolStr]) -> String {
    let names: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
    match &names[..] {
        [] => String::new(),
        [one] => one.clone(),
        [first @ .., last] => format!("{} and {last}", first.join(", ")),
    }
}

impl Design {
    /// Whether a table writes only what is newer than what it has.
    fn guards_versions(&self, node: NodeIx) -> bool {
        match self.behaviour(node) {
            Some(Behaviour::Table { mode, .. }) => self.text(node, mode) == Some("compare_and_set"),
            _ => false,
        }
    }
}
