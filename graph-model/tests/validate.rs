//! Promises of the validator over random flows: it is stable, its fixes can be undone, break
//! nothing, and lead to an end.

mod seed;

use graph_model::catalog::{Catalog, PortRole};
use graph_model::document::Document;
use graph_model::edit::TransactionBuilder;
use graph_model::id::PortRef;
use graph_model::validate::{Checker, Diagnostic, notation, validate};
use proptest::prelude::*;
use seed::seed;

/// Fixes after which a flow of a few nodes has to have no hazard with a fix.
const FIXES_MAX: usize = 80;

const HEAD: &str = "role finance\nrole support\nrole patients external\n\
    principal ana(patients): owner=o-1\n\
    type claim(id=/id): id string {org | subject:/owner}, owner string {org | subject:/owner}, \
    amount number? {role:finance | subject:/owner}, note string {role:support}\n";

const KINDS: [&str; 35] = [
    "replay(file=a.jsonl, event_type=claim)",
    "http(path=/a, event_type=claim)",
    "manual(event_type=claim)",
    "queue",
    "queue(group=.owner, concurrency=3)",
    "topic %dead_letter=support",
    "log(key=.id, partitions=3)",
    "log(key=.owner, partitions=2)",
    "map(expr=.)",
    "map(expr={id, owner, sum: (.amount * 2)})",
    "split(expr=[., .])",
    "filter(when=.amount > 3)",
    "dedupe(key=.id)",
    "merge",
    "repartition(key=.owner)",
    "redact(fields=[\"/note\"])",
    "guard(field=/owner, claim=owner)",
    "aggregate(group=.owner, aggregates=[{\"name\": \"sum\", \"function\": \"sum\", \"of\": \".amount\"}])",
    "function(component=f.wasm, output_type=claim)",
    "table(table=latest, key=.owner)",
    "view @finance,support",
    "view @patients",
    "effect(action=mail)",
    "dead_letter @support",
    "generator(event_type=claim) ^max_delay=1h",
    "queue(visibility=1h, concurrency=2) ^exactly_once=true",
    "log(key=.owner, partitions=2, transactional=true, max_attempts=500)",
    "map(expr=.id = $now)",
    "fold(group=.owner, step=($state // 0) + .amount)",
    "decide(group=.owner, claim=fewer_than, count=3, wait=no)",
    "version_guard(key=.id, version=.amount)",
    "aggregate(group=.owner, window=time, aggregates=[{\"name\": \"last\", \"function\": \"last\", \"of\": \".amount\"}])",
    "table(table=all, mode=append) ^duration=40s",
    "bucket(name=.id)",
    "http_out(url=https://a.example, key=.id)",
];

/// Flows of some nodes with wires from any output to any input.
fn flows() -> impl Strategy<Value = String> {
    let nodes = prop::collection::vec(0..KINDS.len(), 2..9);
    let wires = prop::collection::vec((0..9_usize, 0..3_usize, 0..9_usize), 1..14);
    (nodes, wires).prop_map(|(nodes, wires)| {
        let mut text = HEAD.to_owned();
        for (number, kind) in nodes.iter().enumerate() {
            text.extend(["n", &number.to_string(), ": ", KINDS[*kind], "\n"]);
        }
        let document = notation::read(&text).expect("the nodes read");
        for (from, port, to) in wires {
            let (from, to) = (from % nodes.len(), to % nodes.len());
            let kind = |number: usize| {
                let node = &document.nodes[format!("n{number}").as_str()];
                (
                    Catalog::bundled().get(&node.kind).expect("a known kind"),
                    node,
                )
            };
            let (source, node) = kind(from);
            let outputs = source.outputs_of(node);
            let inputs = kind(to).0.inputs.iter();
            let takes = inputs.filter(|port| port.role == PortRole::Data).count() > 0;
            if let Some(port) = outputs.get(port).filter(|_| takes) {
                let wire = format!("n{from}.{} -> n{to}\n", port.name);
                if !text.contains(&wire) {
                    text.push_str(&wire);
                }
            }
        }
        text.split_off(HEAD.len())
    })
}

fn read(flow: &str) -> Document {
    notation::read(&format!("{HEAD}{flow}")).expect("the flow reads")
}

fn check(document: &Document) -> Vec<Diagnostic> {
    validate(document, Catalog::bundled()).diagnostics
}

/// Changes one thing of a flow: a configuration, a node, a wire, or what a fix changes.
fn edit(document: &mut Document, what: u8, at: usize, other: usize) {
    let ids: Vec<_> = document.nodes.keys().cloned().collect();
    if ids.is_empty() {
        return;
    }
    let (id, to) = (&ids[at % ids.len()], &ids[other % ids.len()]);
    let mut build = TransactionBuilder::new(document, "Edit");
    match what {
        0 => {
            build.change_node(id, |node| node.title = format!("title {other}").into());
        }
        1 => {
            build.change_node(id, |node| node.disabled = !node.disabled);
        }
        2 => {
            let node = notation::read(&format!("x: {}", KINDS[(at * 9 + other) % KINDS.len()]));
            let node = node.expect("a node").nodes["x"].clone();
            let kind = node.kind.clone();
            build.change_node(id, |held| {
                if held.kind == kind {
                    held.config = node.config.clone();
                } else {
                    *held = (*node).clone();
                }
            });
        }
        3 => {
            build.remove_nodes(&[id.clone()].into());
        }
        4 => {
            let kind = |id| Catalog::bundled().get(&document.nodes[id].kind);
            let from =
                kind(id).and_then(|kind| kind.outputs_of(&document.nodes[id]).first().cloned());
            let into =
                kind(to).and_then(|kind| kind.inputs_of(&document.nodes[to]).first().cloned());
            if let (Some(from), Some(into)) = (from, into) {
                build.connect(
                    PortRef::new(id.clone(), from.name),
                    PortRef::new(to.clone(), into.name),
                );
            }
        }
        _ => {
            let found = check(document);
            let fix = found.iter().find_map(|found| found.fixes.first());
            if let Some(fix) = fix {
                fix.transaction.clone().apply(document);
            }
            return;
        }
    }
    build.finish().apply(document);
}

/// The same fields may be made in two ways of which one says less about them, and whoever relies on
/// that may be far behind.
#[test]
fn an_edit_reaches_whoever_relies_on_what_a_node_says() {
    let flow = |b: &str| {
        read(&format!(
            "in: replay(file=a.jsonl) -> work: map(expr={{a: .a, b: {b}}}) -> by_b: log(key=.b, partitions=3) \
             -> some: filter(when=.a) -> by_a: log(key=.a, partitions=3) -> latest: table(table=latest, key=.a)\n"
        ))
    };
    let (decided, free) = (flow("(.a + 1)"), flow("(if .c then 1 else 2 end)"));
    assert_ne!(check(&decided), check(&free));
    for (before, after) in [(&decided, &free), (&free, &decided)] {
        let mut checker = Checker::new(before, Catalog::bundled());
        checker.update(after);
        assert_eq!(checker.report(), validate(after, Catalog::bundled()));
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, failure_persistence: None, rng_seed: seed(), ..ProptestConfig::default() })]

    #[test]
    fn reports_are_stable_and_their_ids_unique(flow in flows()) {
        let document = read(&flow);
        let found = check(&document);
        prop_assert_eq!(&found, &check(&document));
        let mut ids: Vec<_> = found.iter().map(|found| found.id.clone()).collect();
        ids.sort();
        ids.dedup();
        prop_assert_eq!(ids.len(), found.len());
    }

    #[test]
    fn following_edits_finds_what_a_fresh_look_finds(
        flow in flows(),
        edits in prop::collection::vec((0..6_u8, 0..9_usize, 0..9_usize), 1..12),
    ) {
        let mut document = read(&flow);
        let mut checker = Checker::new(&document, Catalog::bundled());
        for (what, at, other) in edits {
            edit(&mut document, what, at, other);
            checker.update(&document);
            let fresh = validate(&document, Catalog::bundled());
            let followed = checker.report();
            prop_assert_eq!(&followed, &fresh, "after {} at {} and {}", what, at, other);
        }
    }

    #[test]
    fn fixes_can_be_undone_and_break_nothing(flow in flows()) {
        let document = read(&flow);
        for found in check(&document) {
            for fix in found.fixes {
                let mut fixed = document.clone();
                let inverse = fix.transaction.apply(&mut fixed);
                let left = check(&fixed);
                prop_assert!(
                    left.iter().all(|left| !left.code.starts_with("STRUCT")),
                    "{}: {:?}", fix.title, left
                );
                // Where several loops share nodes, ending one leaves the next.
                let others = found.code.starts_with("LOOP");
                prop_assert!(
                    others || left.iter().all(|left| left.id != found.id),
                    "{}: {}", found.id, fix.title
                );
                inverse.apply(&mut fixed);
                prop_assert_eq!(&fixed, &document);
            }
        }
    }

    #[test]
    fn first_fixes_come_to_an_end(flow in flows()) {
        let document = read(&flow);
        let mut fixed = document.clone();
        let mut applied = Vec::new();
        loop {
            let found = check(&fixed);
            let Some((id, fix)) = found
                .into_iter()
                .find_map(|found| Some((found.id, found.fixes.into_iter().next()?)))
            else {
                break;
            };
            applied.push(format!("{id}: {}", fix.title));
            prop_assert!(applied.len() < FIXES_MAX, "{}", applied.join("
"));
            fix.transaction.apply(&mut fixed);
        }
    }
}
