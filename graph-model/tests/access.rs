//! Silence about access is kept: where nothing is found, what people see does not depend on what they
//! may not read.
//!
//! Random flows are run by a small interpreter, twice: the second time with other secrets. Whoever sees
//! a difference must have been warned of.

mod seed;

use std::collections::{BTreeMap, BTreeSet};

use graph_model::catalog::{Catalog, PortRole};
use graph_model::document::{Audience, Document, Node};
use graph_model::expr::{Env, Expr};
use graph_model::id::NodeId;
use graph_model::pointer::Pointer;
use graph_model::validate::{Diagnostic, Subject, notation, validate};
use graph_model::value;
use graph_model::value::Value;
use proptest::prelude::*;
use seed::seed;

const HEAD: &str = "role finance\nrole support\nrole patients external\n\
    principal ana(patients): who=p-1\n\
    type claim(id=/id, subject=/owner): id string {org | subject:/owner}, owner string {org | subject:/owner}, \
    amount number {role:finance | subject:/owner}, note string {role:support | subject:/owner}, kind string {org | subject:/owner}\n\
    s0: manual(event_type=claim)\ns1: manual(event_type=claim)\n";

const KINDS: [&str; 34] = [
    "map(expr=.)",
    "map(expr={id, owner, amount})",
    "map(expr={amount, kind})",
    "map(expr={owner, sum: (.amount * 2), kind})",
    "map(expr={who: .owner, note, amount})",
    "map(expr=del(.owner))",
    "map(expr=.note = .kind)",
    "map(expr=.kind = .note)",
    "map(expr={id, big: (if .amount > 3 then 1 else 2 end)})",
    "map(expr=select(.amount > 3) | {id, kind})",
    "map(expr={kind})",
    "split(expr=[., .])",
    "split(expr=[{id, owner}, {amount}])",
    "filter(when=.amount > 3)",
    "filter(when=.kind == \"a\")",
    "filter(when=.note == \"x\" and .kind == \"a\")",
    "route(routes={\"a\": \".kind == \\\"a\\\"\", \"b\": \".amount > 3\"})",
    "redact(fields=[\"/note\"])",
    "redact(fields=[\"/amount\"])",
    "redact(fields=[\"/owner\"])",
    "redact(fields=[\"/note\"], how=hash, secret=KEY)",
    "merge",
    "queue(group=.owner)",
    "topic",
    "dedupe(key=.kind)",
    "dedupe(key=.id)",
    "guard(field=/owner, claim=who)",
    "guard(field=/who, claim=who)",
    "aggregate(group=.owner, aggregates=[{\"name\": \"sum\", \"function\": \"sum\", \"of\": \".amount\"}])",
    "aggregate(group=.kind, aggregates=[{\"name\": \"n\", \"function\": \"count\"}, {\"name\": \"last\", \"function\": \"last\", \"of\": \".note\"}])",
    "aggregate(group=[.owner, .kind], aggregates=[{\"name\": \"n\", \"function\": \"count\"}])",
    "aggregate(aggregates=[{\"name\": \"n\", \"function\": \"count\"}])",
    "map(expr={n})",
    "map(expr={key, sum})",
];

const SINKS: [&str; 9] = [
    "view @finance",
    "view @support",
    "view @finance,support",
    "view",
    "view @patients",
    "view @patients[who = /owner]",
    "view @patients[who = /who]",
    "view @patients[who = /key]",
    "table(table=t, key=.id, columns={\"k\": \".kind\", \"a\": \".amount\"}) @finance",
];

/// An event on its way: what it holds, and the owners that viewers must be.
#[derive(Clone)]
struct Event {
    data: Value,
    guards: Vec<Value>,
}

type Wire = (usize, usize, usize);

/// Flows whose wires lead from earlier nodes to later ones.
fn flows() -> impl Strategy<Value = String> {
    let nodes = prop::collection::vec(0..KINDS.len(), 1..6);
    let sinks = prop::collection::vec(0..SINKS.len(), 1..4);
    let wires = prop::collection::vec((0..9_usize, 0..3_usize, 0..9_usize), 0..5);
    (nodes, sinks, wires).prop_map(|(nodes, sinks, wires)| flow(&nodes, &sinks, &wires))
}

fn flow(nodes: &[usize], sinks: &[usize], wires: &[Wire]) -> String {
    let mut names = vec!["s0".to_owned(), "s1".to_owned()];
    let mut text = HEAD.to_owned();
    for (number, kind) in nodes.iter().enumerate() {
        text.push_str(&format!("n{number}: {}\n", KINDS[*kind]));
        names.push(format!("n{number}"));
    }
    for (number, kind) in sinks.iter().enumerate() {
        text.push_str(&format!("v{number}: {}\n", SINKS[*kind]));
        names.push(format!("v{number}"));
    }
    let document = notation::read(&text).expect("the nodes read");
    let inner = 2 + nodes.len();
    // Every node has something to do.
    let chain = (2..names.len()).map(|to| {
        let from = if to >= inner { inner - 1 } else { to - 1 };
        (if to == 2 { 0 } else { from }, to * 7 % 3, to)
    });
    let wires = wires.iter().map(|(from, port, to)| {
        let from = from % inner;
        (from, *port, (from + 1 + to).clamp(2, names.len() - 1))
    });
    for (from, port, to) in chain.chain(wires) {
        let node = &document.nodes[names[from].as_str()];
        let kind = Catalog::bundled().get(&node.kind).expect("a known kind");
        let mut outputs = kind.outputs_of(node);
        outputs.retain(|output| output.role == PortRole::Data);
        let output = &outputs[port % outputs.len()];
        let wire = format!("{}.{} -> {}\n", names[from], output.name, names[to]);
        if from < to && !text.contains(&wire) {
            text.push_str(&wire);
        }
    }
    text
}

/// What each node sends by each port, and what arrives at each.
fn run(document: &Document, facts: &[Value]) -> BTreeMap<NodeId, Vec<Event>> {
    let mut sent: BTreeMap<(NodeId, String), Vec<Event>> = BTreeMap::new();
    let mut arrived = BTreeMap::new();
    let mut order: Vec<&NodeId> = document.nodes.keys().collect();
    let rank = |id: &NodeId| {
        ["s", "n", "v"]
            .iter()
            .position(|kind| id.as_str().starts_with(kind))
    };
    order.sort_by_key(|id| (rank(id), (*id).clone()));
    for id in order {
        let node = &document.nodes[id];
        let mut events = Vec::new();
        for edge in document.edges.values().filter(|edge| edge.to.node == *id) {
            let from = (edge.from.node.clone(), edge.from.port.to_string());
            events.extend(sent.get(&from).into_iter().flatten().cloned());
        }
        if &*node.kind == "manual" {
            events = facts
                .iter()
                .map(|data| Event {
                    data: data.clone(),
                    guards: Vec::new(),
                })
                .collect();
        }
        for (port, event) in step(node, &events) {
            sent.entry((id.clone(), port)).or_default().push(event);
        }
        arrived.insert(id.clone(), events);
    }
    arrived
}

fn expr(code: &str) -> Expr {
    Expr::compile(code).expect("the expressions are right")
}

fn eval(code: &str, data: &Value) -> Option<Value> {
    expr(code).eval(data, &Env::empty()).ok()
}

fn holds(code: &str, data: &Value) -> bool {
    expr(code).test(data, &Env::empty()).unwrap_or(false)
}

fn text<'n>(node: &'n Node, field: &str) -> &'n str {
    node.config_str(field).unwrap_or("null")
}

fn list<'n>(node: &'n Node, field: &str) -> &'n [Value] {
    node.config
        .get(field)
        .and_then(Value::as_array)
        .unwrap_or_default()
}

fn step(node: &Node, events: &[Event]) -> Vec<(String, Event)> {
    let mut out = Vec::new();
    let mut seen: BTreeSet<String> = BTreeSet::new();
    let mut groups: BTreeMap<String, Vec<&Event>> = BTreeMap::new();
    for event in events {
        let mut send = |port: &str, data: Value| {
            let event = Event {
                data,
                guards: event.guards.clone(),
            };
            out.push((port.to_owned(), event));
        };
        let data = &event.data;
        match &*node.kind {
            "map" => {
                if let Some(made) = eval(text(node, "expr"), data) {
                    send("out", made);
                }
            }
            "split" => {
                let made = eval(text(node, "expr"), data);
                for item in made.as_ref().and_then(Value::as_array).unwrap_or_default() {
                    send("out", item.clone());
                }
            }
            "filter" => {
                let port = if holds(text(node, "when"), data) {
                    "out"
                } else {
                    "dropped"
                };
                send(port, data.clone());
            }
            "route" => {
                let routes = node.config.get("routes").and_then(Value::as_object);
                let routes = routes.expect("there are routes");
                let mut taken = routes
                    .iter()
                    .filter(|(_, code)| holds(code.as_str().expect("a predicate"), data));
                let port = taken.next().map_or("otherwise", |(name, _)| name.as_str());
                send(port, data.clone());
            }
            "redact" => {
                let mut data = data.clone();
                for field in list(node, "fields") {
                    let field =
                        Pointer::parse(field.as_str().expect("a pointer")).expect("a pointer");
                    let gone = field.remove(&mut data);
                    if let (Some(gone), "hash") = (gone, text(node, "how")) {
                        field.set(&mut data, format!("hash of {}", gone.to_json()).into());
                    }
                }
                send("out", data);
            }
            "dedupe" => {
                let key = eval(text(node, "key"), data).map(|key| key.to_json());
                let new = seen.insert(key.unwrap_or_default());
                send(if new { "out" } else { "repeated" }, data.clone());
            }
            "guard" => {
                let field = Pointer::parse(text(node, "field")).expect("a pointer");
                match field.get(data).filter(|owner| owner.as_str().is_some()) {
                    Some(owner) => {
                        let mut event = event.clone();
                        event.guards.push(owner.clone());
                        out.push(("out".to_owned(), event));
                    }
                    None => send("stopped", data.clone()),
                }
            }
            "aggregate" => {
                let key = eval(text(node, "group"), data);
                let key = key.map(|key| key.to_json()).unwrap_or_default();
                groups.entry(key).or_default().push(event);
            }
            _ => send("out", data.clone()),
        }
    }
    for (key, events) in groups {
        let key = Value::parse(key.as_bytes(), 1 << 16).expect("a key");
        let mut result = value!({"key": (key)});
        for column in list(node, "aggregates") {
            let of = column.get("of").and_then(Value::as_str).unwrap_or("null");
            let values: Vec<Value> = events
                .iter()
                .filter_map(|event| eval(of, &event.data))
                .collect();
            let function = column.get("function").and_then(Value::as_str);
            let made = match function {
                Some("sum") => values.iter().filter_map(Value::as_f64).sum::<f64>().into(),
                Some("last") => values.last().cloned().unwrap_or_default(),
                _ => (events.len() as i64).into(),
            };
            let name = column.get("name").and_then(Value::as_str).expect("a name");
            Pointer::root().child(name).set(&mut result, made);
        }
        // Who may see a result is not said by what its events were guarded by.
        out.push((
            "out".to_owned(),
            Event {
                data: result,
                guards: Vec::new(),
            },
        ));
    }
    out
}

/// What somebody with this role, who is `who`, sees of the events at a node.
fn seen(node: &Node, audience: &Audience, events: &[Event], who: Option<&str>) -> Vec<String> {
    let is_viewer = |owner: Option<&Value>| {
        let owner = owner.and_then(Value::as_str);
        owner.is_some() && owner == who
    };
    let shown = events.iter().filter(|event| {
        let mut guards = event.guards.iter();
        guards.all(|owner| is_viewer(Some(owner)))
            && audience
                .rows
                .iter()
                .all(|row| is_viewer(row.field.get(&event.data)))
    });
    let columns = node.config.get("columns").and_then(Value::as_object);
    let mut all: Vec<String> = shown
        .map(|event| match columns {
            Some(columns) => columns
                .values()
                .chain(node.config.get("key"))
                .map(|code| eval(code.as_str().expect("a column"), &event.data))
                .map(|value| value.unwrap_or_default().to_json())
                .collect(),
            None => event.data.to_json(),
        })
        .collect();
    all.sort();
    all
}

/// Claims of some people; `secret` changes what these viewers may not read.
fn claims(secret: u8, role: &str) -> Vec<Value> {
    let mut all = Vec::new();
    for number in 0..5_u8 {
        let owner = ["p-1", "p-1", "p-2", "p-3", "p-2"][usize::from(number)];
        let bit = |shift: u8| secret >> ((number + shift) % 8) & 1;
        let hidden = |field: &str| match role {
            "finance" => field == "note",
            "support" => field == "amount",
            "patients" => owner != "p-1",
            _ => field == "note" || field == "amount",
        };
        let change = |field: &str, shift: u8| hidden(field) && bit(shift) == 1;
        let amount = if change("amount", 0) {
            9
        } else {
            i64::from(number) + 1
        };
        let note = if change("note", 1) { "y" } else { "x" };
        let kind = if change("kind", 2) {
            "b"
        } else {
            ["a", "b"][usize::from(number % 2)]
        };
        let owner = if change("owner", 3) { "p-4" } else { owner };
        let id = if change("id", 4) {
            format!("other-{number}")
        } else {
            format!("c-{number}")
        };
        all.push(value!({
            "id": (id.as_str()), "owner": (owner), "amount": (amount), "note": (note), "kind": (kind),
        }));
    }
    all
}

/// Nodes that somebody was warned of, with whatever is said about access.
fn warned(found: &[Diagnostic]) -> BTreeSet<NodeId> {
    let access = found.iter().filter(|found| found.code.starts_with("AUTH"));
    access
        .flat_map(|found| {
            let subject = match &found.subject {
                Subject::Node(id) => Some(id.clone()),
                _ => None,
            };
            subject.into_iter().chain(found.affected.iter().cloned())
        })
        .collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, rng_seed: seed(), ..ProptestConfig::default() })]

    #[test]
    fn whoever_may_not_read_a_secret_sees_nothing_of_it(flow in flows(), secrets in prop::collection::vec(1..=255_u8, 4)) {
        let document = notation::read(&flow).expect("the flow reads");
        let found = validate(&document, Catalog::bundled()).diagnostics;
        let warned = warned(&found);
        for (id, node) in document.nodes.iter().filter(|(id, _)| id.as_str().starts_with('v')) {
            if warned.contains(id) {
                continue;
            }
            let everybody = Audience { roles: vec!["anybody".into()], rows: Vec::new() };
            let audience = node.notes.audience.as_ref().unwrap_or(&everybody);
            for role in &audience.roles {
                let who = (role.as_str() == "patients").then_some("p-1");
                let usual = run(&document, &claims(0, role.as_str()));
                for secret in &secrets {
                    let other = run(&document, &claims(*secret, role.as_str()));
                    prop_assert_eq!(
                        seen(node, audience, &usual[id], who),
                        seen(node, audience, &other[id], who),
                        "{} at {} in\n{}\n{:?}", role, id, flow, found.iter().map(|found| found.id.clone()).collect::<Vec<_>>()
                    );
                }
            }
        }
    }
}
