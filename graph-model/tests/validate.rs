//! Promises of the validator over random flows: it is stable, its fixes can be undone, break
//! nothing, and lead to an end.

mod seed;

use graph_model::catalog::{Catalog, PortRole};
use graph_model::document::{Document, Section, WhenFull};
use graph_model::edit::{Edit, TransactionBuilder};
use graph_model::id::{Id, PortRef};
use graph_model::validate::{Checker, Diagnostic, notation, rules, validate};
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

/// What people may say of a node.
const MARKS: [&str; 22] = [
    "",
    "@finance",
    "@patients[owner = /owner]",
    "@finance %readers=support",
    "%operators=support",
    "%dead_letter=finance",
    "&ana",
    "~idempotent",
    "~commutative",
    "~ordered",
    "~closed",
    "^max_delay=1h",
    "^may_lose=true",
    "^must_not_lose=true",
    "^exactly_once=true",
    "^duration=40s",
    "^retention=7d",
    "^gain=3",
    "^rate=100",
    "^replayed=true",
    "^atomic=x",
    "!DELIV-001",
];

/// What may be said of the events.
const TYPES: [&str; 7] = [
    "",
    "type claim: id string",
    "type claim(id=/id): id string {org}, owner string, amount number?",
    "type claim(id=/id, version=/amount): id string {org}, owner string {role:finance}, amount number",
    "type claim(id=/id, stands_for=version): id string, owner string {org | subject:/owner}, amount number",
    "type claim(stands_for=snapshot): id string, owner string, amount number {role:support}",
    "type claim(id=/id, time=/at, depends=/id>/owner): id string {org | tenant:/owner}, owner string, at string, amount number",
];

/// Who is who, and what is allowed.
const POLICIES: [&str; 5] = [
    "",
    "role finance\nrole support external\nrole patients",
    "role finance\nrole patients external\nprincipal ana(patients): owner=o-2\nprincipal bob(finance)",
    "role finance\nrole support\nrole patients external\nrelease totals: claim/amount aggregate 5",
    "budget descendants=2\nbudget retry_factor=3\nrole support\nprincipal ana(support)",
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

/// Sections of a rule's page that hold flows.
const EXAMPLES: [&str; 3] = ["Example", "Use instead", "Near miss"];

/// Sorts of edits that [`edit`] knows.
const EDITS: u8 = 14;

/// Changes one thing of a flow: a configuration, a node, a wire, what is said of them, of event types and
/// of people, or what a fix changes.
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
        5 => {
            let found = check(document);
            let fix = found.iter().find_map(|found| found.fixes.first());
            if let Some(fix) = fix {
                fix.transaction.clone().apply(document);
            }
            return;
        }
        6 => {
            build.rename_id(id, &format!("m{other}").into());
        }
        7..=9 => {
            let edges: Vec<_> = document.edges.keys().collect();
            if let Some(edge) = edges.get(at % edges.len().max(1)) {
                rewire(document, &mut build, edge, what, (to, other));
            }
        }
        10 | 11 => {
            let mark = MARKS[(at * 9 + other) % MARKS.len()];
            let marked = notation::read(&format!("x: view {mark}")).expect("a mark");
            let notes = marked.nodes["x"].notes.clone();
            build.change_node(id, |node| node.notes = notes);
        }
        12 => {
            let said = notation::read(TYPES[(at + other) % TYPES.len()]).expect("types");
            let ty = said.types.get("claim").cloned();
            build.edit(Edit::Type("claim".into(), ty));
        }
        _ => {
            let said = notation::read(POLICIES[(at + other) % POLICIES.len()]).expect("policies");
            for id in document.roles.keys().chain(said.roles.keys()) {
                build.edit(Edit::Role(id.clone(), said.roles.get(id).cloned()));
            }
            for id in document.principals.keys().chain(said.principals.keys()) {
                let principal = said.principals.get(id).cloned();
                build.edit(Edit::Principal(id.clone(), principal));
            }
            for section in [Section::Releases, Section::Budgets] {
                let of = |document: &Document| document.sections.get(&section).cloned();
                let (held, said) = (of(document), of(&said));
                let ids = [&held, &said].into_iter().flatten();
                for id in ids.flat_map(|entries| entries.keys()) {
                    let entry = said.as_ref().and_then(|said| said.get(id).cloned());
                    build.edit(Edit::Entry(section, id.clone(), entry));
                }
            }
        }
    }
    build.finish().apply(document);
}

/// Takes a wire out, lets it start or end elsewhere, or lets it drop what is too much.
fn rewire(
    document: &Document,
    build: &mut TransactionBuilder<'_>,
    edge: &Id,
    what: u8,
    (node, port): (&Id, usize),
) {
    let held = &document.nodes[node];
    let kind = Catalog::bundled().get(&held.kind);
    let ports = |output: bool| match kind {
        Some(kind) if output => kind.outputs_of(held),
        Some(kind) => kind.inputs_of(held),
        None => Vec::new(),
    };
    let end = |output: bool| {
        let ports = ports(output);
        let port = ports.get(port % ports.len().max(1))?;
        Some(PortRef::new(node.clone(), port.name.clone()))
    };
    match (what, port % 3) {
        (7, 0) => {
            build.remove_edge(edge);
        }
        (7, _) => {
            build.change_edge(edge, |edge| {
                edge.when_full = match edge.when_full {
                    WhenFull::Block => WhenFull::DropOldest,
                    WhenFull::DropOldest | WhenFull::DeadLetter => WhenFull::Block,
                };
            });
        }
        (8, _) => {
            if let Some(from) = end(true) {
                build.change_edge(edge, |edge| edge.from = from);
            }
        }
        _ => {
            if let Some(to) = end(false) {
                build.change_edge(edge, |edge| edge.to = to);
            }
        }
    }
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
        edits in prop::collection::vec((0..EDITS, 0..9_usize, 0..9_usize), 1..12),
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

    /// The examples of the rules have what their rules look at, which random flows seldom do.
    #[test]
    fn examples_that_are_edited_are_followed(
        rule in 0..rules().len(),
        section in 0..EXAMPLES.len(),
        edits in prop::collection::vec((0..EDITS, 0..9_usize, 0..9_usize), 1..8),
    ) {
        let lines: Vec<&str> = rules()[rule].section(EXAMPLES[section]).collect();
        let mut document = notation::read(&lines.join("\n")).expect("examples read");
        let mut checker = Checker::new(&document, Catalog::bundled());
        for (what, at, other) in edits {
            edit(&mut document, what, at, other);
            checker.update(&document);
            let fresh = validate(&document, Catalog::bundled());
            prop_assert_eq!(&checker.report(), &fresh, "after {} at {} and {}", what, at, other);
            let back = checker.report().diagnostics.into_iter().flat_map(|found| found.fixes);
            for fix in back {
                let mut fixed = document.clone();
                fix.transaction.apply(&mut fixed).apply(&mut fixed);
                prop_assert_eq!(&fixed, &document, "{}", fix.title);
            }
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
