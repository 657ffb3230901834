//! The validator takes any document whatever: it answers, soon, and does not panic.

mod seed;

use std::sync::Arc;

use graph_model::catalog::Catalog;
use graph_model::document::{
    Acceptance, Adds, Annotations, Assumption, Audience, Dependency, Document, Edge, EventType,
    Measure, Node, Principal, Role, RowFilter, Section, WhenFull,
};
use graph_model::format;
use graph_model::id::PortRef;
use graph_model::label::{Clause, Label};
use graph_model::pointer::Pointer;
use graph_model::validate::{Checker, render, validate};
use graph_model::value::Value;
use proptest::prelude::*;
use seed::seed;

/// Values that no form would give, and some that one would.
const VALUES: [&str; 40] = [
    "null",
    "true",
    "-1",
    "0",
    "1e308",
    "9223372036854775807",
    "\"\"",
    "\".\"",
    "\"..\"",
    "\".a\"",
    "\".a.b.c\"",
    "\"[.a, .b]\"",
    "\"{a, b: .c}\"",
    "\"del(.a)\"",
    "\".a < 5\"",
    "\".a = .a + 1\"",
    "\"$now\"",
    "\"$state\"",
    "\"$event.id\"",
    "\".[\"",
    "\"if .a then .b else .c end\"",
    "\"/a\"",
    "\"/a/b/~1~0\"",
    "\"//\"",
    "\"30s\"",
    "\"-3s\"",
    "\"99999999d\"",
    "\"64 KiB\"",
    "\"time\"",
    "\"count\"",
    "\"upsert\"",
    "\"order\"",
    "\"nobody\"",
    "[]",
    "[\"/a\", 3, null]",
    "[{\"name\": \"s\", \"function\": \"sum\", \"of\": \".a\"}]",
    "[{\"name\": 4}]",
    "{}",
    "{\"a\": \".a > 1\", \"b\": 3}",
    "{\"s\": \".s\"}",
];

const NAMES: [&str; 12] = [
    "a", "b", "order", "finance", "in", "out", "failed", "left", "rows", "seal", "", "x y.z",
];

const POINTERS: [&str; 8] = ["", "/a", "/a/b", "/b", "/id", "/0", "/a/*", "/~1"];

fn value() -> impl Strategy<Value = Value> {
    (0..VALUES.len()).prop_map(|at| {
        Value::parse(VALUES[at].as_bytes(), 1 << 16).expect("the values of the list are JSON")
    })
}

fn name() -> impl Strategy<Value = &'static str> {
    (0..NAMES.len()).prop_map(|at| NAMES[at])
}

fn pointer() -> impl Strategy<Value = Pointer> {
    (0..POINTERS.len()).prop_map(|at| Pointer::parse(POINTERS[at]).expect("pointers"))
}

fn audience() -> impl Strategy<Value = Audience> {
    let rows = prop::collection::vec((name(), pointer()), 0..2);
    (prop::collection::vec(name(), 0..3), rows).prop_map(|(roles, rows)| Audience {
        roles: roles.into_iter().map(Into::into).collect(),
        rows: rows
            .into_iter()
            .map(|(claim, field)| RowFilter {
                claim: claim.into(),
                field,
            })
            .collect(),
    })
}

fn notes() -> impl Strategy<Value = Annotations> {
    let declared = prop::collection::vec((0..200_usize, value()), 0..4);
    (
        prop::option::of(audience()),
        prop::option::of(audience()),
        prop::option::of(name()),
        declared,
        prop::option::of(name()),
    )
        .prop_map(|(audience, side, runs_as, declared, assumed)| {
            let all = &graph_model::declare::DECLARATIONS;
            let mut notes = Annotations {
                audience,
                runs_as: runs_as.map(Into::into),
                ..Annotations::default()
            };
            if let Some(side) = side {
                notes.side_audiences.insert("dead_letter".into(), side);
            }
            for (at, value) in declared {
                let name = all[at % all.len()].field.name.clone();
                notes.declared.insert(name, value);
            }
            if let Some(assumed) = assumed {
                notes
                    .assumptions
                    .insert(assumed.into(), Assumption::default());
                notes
                    .accepted
                    .insert("AUTH-001".into(), Acceptance::default());
            }
            notes
        })
}

fn node() -> impl Strategy<Value = Node> {
    let config = prop::collection::vec((0..20_usize, value()), 0..7);
    (0..60_usize, config, notes(), any::<bool>(), any::<bool>()).prop_map(
        |(kind, config, notes, on, more)| {
            let kinds: Vec<_> = Catalog::bundled().iter().collect();
            let mut node = Node::new(
                kinds
                    .get(kind)
                    .map_or("unheard_of", |kind| kind.id.as_str()),
            );
            for (at, value) in config {
                if let Some(kind) = kinds.get(kind).filter(|kind| !kind.config.is_empty()) {
                    let field = &kind.config[at % kind.config.len()];
                    node.config.insert(field.name.clone(), value);
                }
            }
            node.notes = notes;
            node.disabled = !on && !more;
            node
        },
    )
}

fn event_type() -> impl Strategy<Value = EventType> {
    let labels = prop::collection::vec((pointer(), 0..5_usize), 0..4);
    let fields = prop::collection::vec(prop::option::of(pointer()), 5);
    let declared = prop::collection::vec((0..200_usize, value()), 0..4);
    (value(), labels, fields, pointer(), declared).prop_map(
        |(schema, labels, fields, at, declared)| {
            let clauses = [
                "org",
                "role:finance",
                "subject:/a",
                "tenant:/a/b | role:b",
                "role:x",
            ];
            let all = &graph_model::declare::DECLARATIONS;
            EventType {
                schema,
                labels: labels
                    .into_iter()
                    .map(|(field, clause)| {
                        let clause = Clause::parse(clauses[clause]).expect("a clause");
                        (field, Label::from_iter([clause]))
                    })
                    .collect(),
                subject: fields[0].clone(),
                tenant: fields[1].clone(),
                id: fields[2].clone(),
                time: fields[3].clone(),
                version: fields[4].clone(),
                measures: [(
                    at.clone(),
                    Measure {
                        adds: Adds::Never,
                        unit: "EUR".into(),
                    },
                )]
                .into(),
                depends: vec![Dependency {
                    from: vec![at.clone()],
                    to: vec![at],
                }],
                declared: declared
                    .into_iter()
                    .map(|(at, value)| (all[at % all.len()].field.name.clone(), value))
                    .collect(),
                ..EventType::default()
            }
        },
    )
}

fn documents() -> impl Strategy<Value = Document> {
    let wires = prop::collection::vec(
        (
            0..12_usize,
            0..6_usize,
            0..12_usize,
            0..3_usize,
            any::<bool>(),
        ),
        0..24,
    );
    (
        prop::collection::vec(node(), 0..12),
        wires,
        prop::collection::vec((name(), event_type()), 0..3),
        prop::collection::vec((0..5_usize, name(), value()), 0..4),
        prop::collection::vec((name(), name(), value()), 0..3),
    )
        .prop_map(|(nodes, wires, types, entries, people)| {
            let mut document = Document::default();
            for (number, node) in nodes.iter().enumerate() {
                document
                    .nodes
                    .insert(format!("n{number}").into(), Arc::new(node.clone()));
            }
            for (number, (from, out, to, into, lossy)) in wires.into_iter().enumerate() {
                let port = |node: usize, at: usize, output: bool| {
                    let kind = Catalog::bundled().get(&nodes.get(node)?.kind)?;
                    let ports = if output {
                        kind.outputs_of(&nodes[node])
                    } else {
                        kind.inputs_of(&nodes[node])
                    };
                    ports.get(at).map(|port| port.name.clone())
                };
                let mut edge = Edge::new(
                    PortRef::new(
                        format!("n{from}"),
                        port(from, out, true).unwrap_or("out".into()),
                    ),
                    PortRef::new(
                        format!("n{to}"),
                        port(to, into, false).unwrap_or("in".into()),
                    ),
                );
                if lossy {
                    edge.when_full = WhenFull::DropOldest;
                }
                document
                    .edges
                    .insert(format!("e{number}").into(), edge.into());
            }
            for (name, ty) in types {
                document.types.insert(name.into(), ty.into());
            }
            for (section, name, value) in entries {
                let section = Section::ALL[section];
                document
                    .sections
                    .entry(section)
                    .or_default()
                    .insert(name.into(), value);
            }
            for (name, role, claim) in people {
                document.roles.insert(
                    role.into(),
                    Arc::new(Role {
                        external: name == "a",
                        ..Role::default()
                    }),
                );
                let mut principal = Principal {
                    roles: vec![role.into()],
                    ..Principal::default()
                };
                principal.claims.insert("owner", claim);
                principal
                    .grants
                    .extend(["send n1".into(), "*".into(), name.into()]);
                document.principals.insert(name.into(), principal.into());
            }
            document
        })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, rng_seed: seed(), ..ProptestConfig::default() })]

    #[test]
    fn any_document_is_checked(first in documents(), second in documents()) {
        let report = validate(&first, Catalog::bundled());
        render::text(&report, &first);
        render::json(&report);
        for found in &report.diagnostics {
            for fix in &found.fixes {
                let mut fixed = first.clone();
                let inverse = fix.transaction.clone().apply(&mut fixed);
                inverse.apply(&mut fixed);
                prop_assert_eq!(&fixed, &first, "{}: {}", found.id, fix.title);
            }
        }
        let mut checker = Checker::new(&first, Catalog::bundled());
        checker.update(&second);
        prop_assert_eq!(checker.report(), validate(&second, Catalog::bundled()));
        for (id, node) in &second.nodes {
            for port in ["in", "out", "left", "failed"] {
                checker.port_facts(&PortRef::new(id.clone(), port));
            }
            prop_assert!(!node.kind.is_empty());
        }
        for ty in second.types.keys() {
            checker.field_flow(ty, &Pointer::root());
        }
        // What was found can be saved with the document.
        let reread = format::open(format::write(&second).as_bytes());
        prop_assert!(reread.is_ok());
    }
}
