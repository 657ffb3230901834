//! What is known of the events at a port, in words, and where a field goes.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use crate::id::{Id, PortRef};
use crate::label::{Atom, Clause};
use crate::pointer::Pointer;
use crate::units;
use crate::validate::Checker;
use crate::validate::design::{Design, NodeIx};
use crate::validate::facts::delivery::{Copies, Losing, Loss, Mode, Order, Part};
use crate::validate::facts::labels::Sort;
use crate::validate::facts::origins::OriginId;
use crate::validate::facts::tags::TagSet;
use crate::validate::facts::{Facts, Port};

/// Fields that one sentence lists; the others are counted.
const FIELDS_MAX: usize = 6;

/// One thing that is known of the events at a port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Known {
    /// What it is about, such as `Order`.
    pub topic: &'static str,
    /// A clause without a full stop, such as `as they happened, for each /customer`.
    pub text: String,
}

/// A place on the way of a field.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Passage {
    /// The output that the field leaves by.
    pub port: PortRef,
    /// What holds it there, or is made of it.
    pub fields: Vec<Pointer>,
}

impl Checker {
    /// What is known of the events that pass a port, whether it is an input or an output. Empty when
    /// nothing is wired there or nothing arrives.
    pub fn port_facts(&self, at: &PortRef) -> Vec<Known> {
        let facts = self.facts();
        let design = &facts.design;
        let Some(node) = design.find(&at.node) else {
            return Vec::new();
        };
        let view = &design.nodes[node];
        let leaves = view.outs.iter().find(|edge| {
            let view = &design.edges[**edge];
            !view.resource && view.edge.from.port == at.port
        });
        if let Some(edge) = leaves {
            return facts
                .edge(*edge)
                .map_or_else(Vec::new, |port| known(facts, port));
        }
        let input = view
            .kind
            .as_ref()
            .and_then(|kind| kind.inputs.iter().position(|port| port.name == at.port));
        let port = match input {
            Some(0) => facts.input(node),
            Some(_) => facts.second(node),
            None => facts.output(node),
        };
        port.map_or_else(Vec::new, |port| known(facts, port))
    }

    /// Where a field of an event type goes: every output at which it leaves, or something made of it.
    pub fn field_flow(&self, ty: &Id, field: &Pointer) -> Vec<Passage> {
        let held = &self.facts().design.document;
        let Some(declared) = held.types.get(ty) else {
            return Vec::new();
        };
        // A label that nobody else has follows the field like any other label.
        let mark = Clause::from_iter([Atom::Role(Id::new("\u{0}followed"))]);
        let mut marked = (**declared).clone();
        marked
            .labels
            .entry(field.clone())
            .or_default()
            .0
            .insert(mark.clone());
        let mut document = held.clone();
        document.types.insert(ty.clone(), Arc::new(marked));
        let facts = Facts::of(Design::new(&document, self.catalog()));
        let followed: TagSet = (0..)
            .zip(&facts.tags)
            .filter(|(_, tag)| *tag.clause == mark)
            .map(|(number, _)| number)
            .collect();
        let mut passages = BTreeSet::new();
        for (number, edge) in facts.design.edges.iter().enumerate() {
            let Some(port) = facts.edge(number) else {
                continue;
            };
            let fields: Vec<Pointer> = port
                .labels
                .iter()
                .filter(|(_, tags)| !tags.is_disjoint(&followed))
                .map(|(field, _)| field.clone())
                .collect();
            if !fields.is_empty() {
                let port = edge.edge.from.clone();
                passages.insert(Passage { port, fields });
            }
        }
        passages.into_iter().collect()
    }
}

fn known(facts: &Facts, port: &Port) -> Vec<Known> {
    let design = &facts.design;
    let mut all = Vec::new();
    let mut say = |topic, text: String| all.push(Known { topic, text });
    if let Some(ty) = &port.payload.ty {
        say("Type", format!("`{ty}`"));
    }
    say("Order", order(facts, port));
    say("Copies", copies(facts, port));
    say("Place", place(facts, port));
    match &port.mode {
        Mode::Append => {}
        Mode::Upsert(key) if key.is_empty() => say("Stands for", "a new version of a thing".into()),
        Mode::Upsert(key) => say(
            "Stands for",
            format!("the newest state of each {}", names(facts, port, key)),
        ),
        Mode::Snapshot => say("Stands for", "the state of everything".into()),
        Mode::Mixed => say("Stands for", "things that do not add up".into()),
    }
    match port.losing {
        None => {}
        Some(Losing::Node(node)) => {
            say("Loss", format!("{} may lose events", design.title(node)));
        }
        Some(Losing::Wire { from, to }) => say(
            "Loss",
            format!(
                "the wire from {} to {} drops the oldest when it is full",
                design.title(from),
                design.title(to)
            ),
        ),
    }
    if let Some((ms, node)) = port.delay {
        let length = Duration::from_millis(u64::try_from(ms).unwrap_or(0));
        let length = units::format_duration(length);
        say(
            "Delay",
            format!("up to {length} late, from {}", design.title(node)),
        );
    }
    let readers = port.labels.iter().filter(|(_, tags)| !tags.is_empty());
    let readers: Vec<String> = readers
        .map(|(field, tags)| {
            let clauses: BTreeSet<String> = tags
                .iter()
                .map(|tag| facts.tags[tag as usize].clause.to_string())
                .collect();
            let clauses: Vec<String> = clauses.into_iter().collect();
            format!("`{}` for {}", shown(field), clauses.join(" and "))
        })
        .collect();
    if !readers.is_empty() {
        say("Readers", listed(&readers));
    }
    if !port.presence.is_empty() {
        let fields: BTreeSet<String> = port
            .presence
            .iter()
            .map(|tag| {
                let tag = &facts.tags[tag as usize];
                format!("`{}` of {}", shown(&tag.field), tag.ty)
            })
            .collect();
        let fields: Vec<String> = fields.into_iter().collect();
        say(
            "Tells",
            format!("that it comes tells of {}", listed(&fields)),
        );
    }
    let strange: Vec<String> = port
        .taint
        .iter()
        .filter(|(_, tags)| {
            let mut tags = tags.iter();
            tags.any(|tag| facts.tags[tag as usize].sort == Sort::Unchecked)
        })
        .map(|(field, _)| format!("`{}`", shown(field)))
        .collect();
    if !strange.is_empty() {
        say(
            "Trust",
            format!("{} as strangers sent it", listed(&strange)),
        );
    }
    if !port.guards.is_empty() {
        let guards: BTreeSet<String> = port
            .guards
            .keys()
            .map(|(origin, claim)| format!("{claim} is {}", names(facts, port, &[*origin])))
            .collect();
        let guards: Vec<String> = guards.into_iter().collect();
        say(
            "Shown",
            format!("only to viewers whose {}", listed(&guards)),
        );
    }
    let from: BTreeSet<&str> = port
        .definition
        .sources
        .iter()
        .map(|node| design.title(*node))
        .collect();
    let from: Vec<String> = from.into_iter().map(str::to_owned).collect();
    let steps: Vec<String> = port
        .definition
        .steps
        .values()
        .map(ToString::to_string)
        .collect();
    let mut made = format!("of {}", listed(&from));
    if !steps.is_empty() {
        made = format!("{made}: {}", listed(&steps));
    }
    say("Made", made);
    if let Some(bytes) = port.size {
        say("Size", format!("{bytes} bytes at most"));
    }
    all
}

fn order(facts: &Facts, port: &Port) -> String {
    let title = |node: NodeIx| facts.design.title(node);
    match &port.order {
        Order::Total => "as they happened".into(),
        Order::PerKey(key) => format!("as they happened, for each {}", names(facts, port, key)),
        Order::Lost(node, loss) => {
            let node = title(*node);
            match loss {
                Loss::Source => format!("any, as {node} is sent them"),
                Loss::Channel => format!("any, since {node} delivers in any order"),
                Loss::Meeting => format!("any, since streams meet at {node}"),
                Loss::Instances => format!("any, since several work side by side behind {node}"),
                Loss::Names => format!("any, since {node} reads files by their names"),
                Loss::Retry => format!("any, since {node} takes up again what was given up"),
                Loss::Code => format!("unknown, since {node} may change what the order was by"),
            }
        }
    }
}

fn copies(facts: &Facts, port: &Port) -> String {
    match port.copies {
        Copies::No => "each event once".into(),
        Copies::Suffix(node) => format!(
            "after a restart {} sends the last ones again, in order",
            facts.design.title(node)
        ),
        Copies::Any(node) => format!("{} may send an event again", facts.design.title(node)),
    }
}

fn place(facts: &Facts, port: &Port) -> String {
    match &port.part {
        Part::Single => "all in one place".into(),
        Part::Hash { key, count, by, .. } => format!(
            "in {count} partitions by {}, since {}",
            names(facts, port, key),
            facts.design.title(*by)
        ),
        Part::Any { count, by } => format!(
            "any of {count} instances, since {}",
            facts.design.title(*by)
        ),
        Part::Mixed { at } => format!(
            "streams that meet at {} are placed differently",
            facts.design.title(*at)
        ),
    }
}

/// Origins by the fields that hold them here, or by where they come from.
fn names(facts: &Facts, port: &Port, origins: &[OriginId]) -> String {
    let names: Vec<String> = origins
        .iter()
        .map(|origin| match facts.place_of(*origin, port) {
            Some(field) => format!("`{}`", shown(&field)),
            None => facts.origin_name(*origin),
        })
        .collect();
    listed(&names)
}

fn shown(field: &Pointer) -> String {
    if field.is_root() {
        "the whole event".into()
    } else {
        field.to_string()
    }
}

fn listed(items: &[String]) -> String {
    let more = items.len().saturating_sub(FIELDS_MAX);
    let mut text = items[..items.len() - more].join(", ");
    if more > 0 {
        text.push_str(&format!(" and {more} more"));
    }
    text
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::*;
    use crate::catalog::Catalog;
    use crate::validate::notation;

    fn checker(flow: &str) -> Checker {
        let document = notation::read(flow).unwrap_or_else(|error| panic!("{error}"));
        Checker::new(&document, Catalog::bundled())
    }

    const FLOW: &str = "role finance\n\
        type order(id=/id): id string, customer string, total number {role:finance}\n\
        in: http(path=/a, event_type=order) -> lane: log(key=.customer, partitions=4) -> \
        big: filter(when=.total > 100) -> name: map(expr={who: .customer, twice: (.total * 2)}) -> out: view @finance";

    #[test]
    fn a_port_is_explained_in_words() {
        let facts = checker(FLOW).port_facts(&PortRef::new("name", "out"));
        let lines: Vec<String> = facts
            .iter()
            .map(|known| format!("{}: {}", known.topic, known.text))
            .collect();
        expect![[r"
            Order: any, as in is sent them
            Copies: in may send an event again
            Place: in 4 partitions by `/who`, since lane
            Readers: `/twice` for role:finance
            Tells: that it comes tells of `/total` of order
            Trust: `/twice`, `/who` as strangers sent it
            Made: of in: filter `.total > 100`
        "]]
        .assert_eq(&(lines.join("\n") + "\n"));
    }

    #[test]
    fn a_field_is_followed_through_renames_and_sums() {
        let flow = checker(FLOW).field_flow(&"order".into(), &Pointer::root().child("total"));
        let ways: Vec<String> = flow
            .iter()
            .map(|passage| format!("{} {}", passage.port, shown(&passage.fields[0])))
            .collect();
        assert_eq!(
            ways,
            [
                "big.out /total",
                "in.out /total",
                "lane.out /total",
                "name.out /twice"
            ]
        );
    }

    #[test]
    fn where_nothing_arrives_nothing_is_known() {
        let checker = checker("spare: map(expr=.)");
        for port in ["spare.in", "spare.out", "nobody.in"] {
            let port = PortRef::parse(port).expect("a port");
            assert_eq!(checker.port_facts(&port), []);
        }
    }
}
