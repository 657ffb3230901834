//! What a change does to a flow: what comes, what goes, what becomes different; to draw and in words.

use std::collections::BTreeMap;

use graph_model::document::{Document, Section};
use graph_model::id::Id;

use crate::actions::count;
use crate::canvas::Mark;
use crate::canvas::intent::Item;

/// Names that a sentence lists; the others are counted.
const NAMES_MAX: usize = 3;

/// The difference of two documents.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Diff {
    /// What of it stands on the canvas.
    pub marks: BTreeMap<Item, Mark>,
    /// All of it, such as `adds Guard and 1 wire; changes 1 wire`.
    pub words: String,
}

pub(crate) fn diff(before: &Document, after: &Document) -> Diff {
    let mut marks = BTreeMap::new();
    let mut drawn = |item: Item, mark: Option<Mark>| {
        if let Some(mark) = mark {
            marks.insert(item, mark);
        }
    };
    for (id, mark) in compared(&before.nodes, &after.nodes) {
        drawn(Item::Node(id), mark);
    }
    for (id, mark) in compared(&before.edges, &after.edges) {
        drawn(Item::Edge(id), mark);
    }
    for (id, mark) in compared(&before.zones, &after.zones) {
        drawn(Item::Zone(id), mark);
    }
    for (id, mark) in compared(&before.notes, &after.notes) {
        drawn(Item::Note(id), mark);
    }
    for (id, mark) in compared(&before.layout, &after.layout) {
        let moved = mark == Some(Mark::Changed);
        if moved && after.nodes.contains_key(&id) {
            let item = Item::Node(id);
            marks.entry(item).or_insert(Mark::Changed);
        }
    }
    let around = around(before, after);
    let said = [
        ("adds", Mark::Added),
        ("removes", Mark::Removed),
        ("changes", Mark::Changed),
    ];
    let said = said.into_iter().filter_map(|(verb, mark)| {
        let names = names(before, after, &marks, &around, mark);
        (!names.is_empty()).then(|| format!("{verb} {}", listed(&names)))
    });
    let said: Vec<String> = said.collect();
    Diff {
        words: if said.is_empty() {
            "changes nothing".to_owned()
        } else {
            said.join("; ")
        },
        marks,
    }
}

/// What became of each entry; nothing for those that stayed.
fn compared<T: PartialEq>(
    before: &BTreeMap<Id, T>,
    after: &BTreeMap<Id, T>,
) -> Vec<(Id, Option<Mark>)> {
    let gone = before
        .keys()
        .filter(|id| !after.contains_key(*id))
        .map(|id| (id.clone(), Some(Mark::Removed)));
    let there = after.iter().map(|(id, entry)| {
        let mark = match before.get(id) {
            None => Some(Mark::Added),
            Some(old) if old != entry => Some(Mark::Changed),
            Some(_) => None,
        };
        (id.clone(), mark)
    });
    gone.chain(there).collect()
}

/// What is not drawn: types, people, rules.
fn around(before: &Document, after: &Document) -> Vec<(String, Mark)> {
    let mut around = Vec::new();
    let mut add = |what: &str, found: Vec<(Id, Option<Mark>)>| {
        for (id, mark) in found {
            around.extend(mark.map(|mark| (format!("the {what} {id}"), mark)));
        }
    };
    add("event type", compared(&before.types, &after.types));
    add("role", compared(&before.roles, &after.roles));
    add("principal", compared(&before.principals, &after.principals));
    let nothing = BTreeMap::new();
    for (section, what) in [
        (Section::Releases, "release rule"),
        (Section::Providers, "provider"),
        (Section::Budgets, "budget"),
        (Section::Workloads, "workload"),
        (Section::Tests, "test"),
    ] {
        let [before, after] =
            [before, after].map(|document| document.sections.get(&section).unwrap_or(&nothing));
        add(what, compared(before, after));
    }
    if before.meta != after.meta {
        around.push(("what the flow is called".to_owned(), Mark::Changed));
    }
    around
}

fn names(
    before: &Document,
    after: &Document,
    marks: &BTreeMap<Item, Mark>,
    around: &[(String, Mark)],
    mark: Mark,
) -> Vec<String> {
    let document = if mark == Mark::Removed { before } else { after };
    let marked = marks.iter().filter(|(_, held)| **held == mark);
    let mut names = Vec::new();
    let (mut wires, mut frames) = (0, 0);
    for (item, _) in marked {
        match item {
            Item::Node(id) => names.push(document.node_title(id).to_owned()),
            Item::Edge(_) => wires += 1,
            Item::Zone(_) | Item::Note(_) => frames += 1,
        }
    }
    let more = names.len().saturating_sub(NAMES_MAX);
    if more > 0 {
        names.truncate(NAMES_MAX);
        names.push(count(more, "more node"));
    }
    if wires > 0 {
        names.push(count(wires, "wire"));
    }
    if frames > 0 {
        names.push(count(frames, "frame"));
    }
    let held = around.iter().filter(|(_, held)| *held == mark);
    names.extend(held.map(|(what, _)| what.clone()));
    names
}

fn listed(names: &[String]) -> String {
    match names {
        [] => String::new(),
        [name] => name.clone(),
        [first @ .., last] => format!("{} and {last}", first.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use graph_model::validate::notation::read;

    use super::*;

    fn words(before: &str, after: &str) -> String {
        let [before, after] = [before, after].map(|flow| read(flow).expect("a flow"));
        diff(&before, &after).words
    }

    #[test]
    fn a_change_is_told_in_a_sentence() {
        let flow = "in: manual -> out: view";
        for (after, expected) in [
            (flow, "changes nothing"),
            (
                "in: manual -> pass: map(expr=.) -> out: view",
                "adds pass and 2 wires; removes 1 wire",
            ),
            ("in: manual -> out: view @finance", "changes out"),
            (
                "role finance\nin: manual -> out: view",
                "adds the role finance",
            ),
            ("in: manual", "removes out and 1 wire"),
        ] {
            assert_eq!(words(flow, after), expected, "{after}");
        }
    }

    #[test]
    fn what_moves_is_different() {
        let before = read("in: manual").expect("a flow");
        let place = |x| graph_model::document::Placement {
            x,
            y: 0,
            size: None,
        };
        let placed = |x| {
            let mut document = before.clone();
            document.layout.insert("in".into(), place(x));
            document
        };
        let marks = diff(&placed(0), &placed(80)).marks;
        assert_eq!(marks.get(&Item::Node("in".into())), Some(&Mark::Changed));
        assert!(
            diff(&before, &placed(0)).marks.is_empty(),
            "a place of its own moves nothing"
        );
    }
}
