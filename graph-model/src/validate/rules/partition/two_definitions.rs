//! PART-005: one number is computed in two ways.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use smol_str::{SmolStr, format_smolstr};

use super::choices::{choices, exclude};
use crate::catalog::{Behaviour, FieldType, JqRole, Observation, PortRole};
use crate::document::Audience;
use crate::pointer::Pointer;
use crate::validate::design::{Design, NodeIx};
use crate::validate::diagnostic::{Found, RuleFindings};
use crate::validate::facts::definition::Definition;
use crate::validate::facts::numbers::{Column, columns, window_form};
use crate::validate::facts::origins::{Base, Origin, OriginId};
use crate::validate::facts::{Facts, Port};
use crate::validate::rules::declare_rule;
use crate::validate::{Severity, Step, fixes};

declare_rule! {
    /// Finds numbers that are shown under one name and made of other sources, by other filters, windows
    /// or functions.
    /// ## Why is this bad
    /// Anybody can add up a stream; the hard part is which events count. Where each team decides that
    /// for itself, both charts look right and disagree. Nobody owns the difference, and whoever finds
    /// it trusts neither.
    /// ## When is this fine
    /// When the numbers have names that say how they differ.
    /// ## Perturbation
    /// One event more that only one of the definitions counts: the numbers drift apart.
    /// ## Example
    /// in: manual -> all: aggregate(group=.shop, aggregates=[{"name": "best", "function": "max", "of": ".total"}]) -> sales: metric(name=best sale, value=.best, key=.key)
    /// in -> paid: filter(when=.paid) -> some: aggregate(group=.shop, aggregates=[{"name": "best", "function": "max", "of": ".total"}]) -> finance: metric(name=best sale, value=.best, key=.key)
    /// ## Use instead
    /// in: manual -> paid: filter(when=.paid) -> some: aggregate(group=.shop, aggregates=[{"name": "best", "function": "max", "of": ".total"}]) -> sales: metric(name=best sale, value=.best, key=.key)
    /// some -> finance: metric(name=best sale, value=.best, key=.key)
    /// ## Near miss
    /// in: manual -> paid: filter(when=.paid) -> some: aggregate(group=.shop, aggregates=[{"name": "best", "function": "max", "of": ".total"}]) -> sales: metric(name=best sale, value=.best, key=.key)
    /// in -> m: map(expr={ok: .paid, place: .shop, price: .total}) -> same: filter(when=.ok) -> top: aggregate(group=.place, aggregates=[{"name": "top", "function": "max", "of": ".price"}]) -> short: map(expr={place: .key, top}) -> finance: metric(name=best sale, value=.top, key=.place)
    /// ## Source
    /// T. Niemi and others: Detecting summarizability in OLAP, 2014; metric layers of business
    /// intelligence tools
    code = "PART-005", name = "two-definitions", severity = Warning, since = "0.1.0",
    check = Whole(check),
}

/// A number where somebody sees it.
pub(in crate::validate) struct Shown<'f> {
    pub node: NodeIx,
    /// As people say it.
    pub name: SmolStr,
    /// Somebody gave it its name; else it is that of the column.
    declared: bool,
    audience: Option<&'f Audience>,
    /// What the column is: the same text for the same function of the same values.
    form: String,
    /// The form in words.
    words: String,
    pub group: Option<Vec<OriginId>>,
    window: String,
    definition: Definition,
}

fn check(facts: &Facts, findings: &mut RuleFindings<'_, '_>) {
    let mut named: BTreeMap<SmolStr, Vec<Shown<'_>>> = BTreeMap::new();
    let mut columns: BTreeMap<SmolStr, Vec<Shown<'_>>> = BTreeMap::new();
    for (node, ..) in facts.design.active() {
        for shown in shown(facts, node) {
            if shown.declared {
                let name = format_smolstr!("{}", shown.name.to_lowercase());
                named.entry(name).or_default().push(shown);
            } else {
                let key = format_smolstr!("{} {} {:?}", shown.name, shown.form, shown.group);
                columns.entry(key).or_default().push(shown);
            }
        }
    }
    for same in named.values_mut().filter(|same| same.len() > 1) {
        compare(facts, same, findings, |_, _| true);
    }
    for same in columns.values_mut().filter(|same| same.len() > 1) {
        compare(facts, same, findings, |one, other| {
            let share = one
                .audience
                .zip(other.audience)
                .is_some_and(|(one, other)| {
                    one.roles.iter().any(|role| other.roles.contains(role))
                });
            // Of other events on purpose, such as those of each branch of a route.
            share && !exclude(&choices(facts, one.node), &choices(facts, other.node))
        });
    }
}

/// Compares numbers of one name with the first of them.
fn compare(
    facts: &Facts,
    same: &mut [Shown<'_>],
    findings: &mut RuleFindings<'_, '_>,
    comparable: impl Fn(&Shown<'_>, &Shown<'_>) -> bool,
) {
    let design = &*facts.design;
    same.sort_by(|a, b| design.nodes[a.node].id.cmp(&design.nodes[b.node].id));
    for shown in &mut *same {
        add_ways(facts, shown);
    }
    let Some((first, others)) = same.split_first() else {
        return;
    };
    for other in others {
        if other.node == first.node || !comparable(first, other) {
            continue;
        }
        let differences = differences(design, first, other);
        let Some(said) = differences.first() else {
            continue;
        };
        let (a, b) = (design.title(first.node), design.title(other.node));
        let name = &other.name;
        let mut path: Vec<Step> = Vec::new();
        for difference in &differences {
            for (at, note) in difference.of.iter().zip(&difference.notes) {
                path.push(Step::node(&design.nodes[*at].id, note.clone()));
            }
        }
        path.push(Step::node(
            &design.nodes[other.node].id,
            format!("calls it `{name}` as {a} does"),
        ));
        let more = match differences.len() - 1 {
            0 => String::new(),
            more => format!(", and {more} more"),
        };
        let message = format!(
            "`{name}` at {b} is not the `{name}` of {a}: {}{more}; show one of them at both, or give one another name",
            said.words
        );
        let found = Found::node(&design.nodes[other.node].id, message);
        let grave = [first, other].iter().any(|shown| {
            let external = |role| {
                let role = design.document.roles.get(role);
                role.is_some_and(|role| role.external)
            };
            shown
                .audience
                .is_some_and(|audience| audience.roles.iter().any(external))
                || is_money(facts, shown.node)
        });
        let severity = if grave {
            Severity::Error
        } else {
            Severity::Warning
        };
        let detail = if other.declared {
            SmolStr::default()
        } else {
            name.clone()
        };
        findings.add(
            found
                .detail(detail)
                .path(path)
                .severity(severity)
                .affecting([
                    design.nodes[first.node].id.clone(),
                    design.nodes[other.node].id.clone(),
                ])
                .fixes(fixes::share_definition(facts, first, other, &said.state)),
        );
    }
}

/// How two numbers differ in one respect.
struct Difference {
    /// Where each of the notes belongs.
    of: Vec<NodeIx>,
    notes: Vec<String>,
    /// For the message.
    words: String,
    /// For a name that states it.
    state: String,
}

fn differences(design: &Design, one: &Shown<'_>, other: &Shown<'_>) -> Vec<Difference> {
    let both = [one.node, other.node];
    let (a, b) = (design.title(one.node), design.title(other.node));
    let mut differences = Vec::new();
    if one.form != other.form {
        differences.push(Difference {
            of: both.to_vec(),
            notes: vec![
                format!("shows {}", one.words),
                format!("shows {}", other.words),
            ],
            words: format!("{a} shows {}, {b} {}", one.words, other.words),
            state: other.words.clone(),
        });
    }
    for (has, lacks, at) in [(one, other, a), (other, one, b)] {
        let of_other = has == other;
        let sources = has.definition.sources.difference(&lacks.definition.sources);
        let sources: Vec<&str> = sources.map(|node| design.title(*node)).collect();
        if !sources.is_empty() {
            let sources = sources.join(", ");
            differences.push(Difference {
                of: vec![has.node],
                notes: vec![format!(
                    "takes events of {sources}, which the other does not"
                )],
                words: format!("only {at} takes events of {sources}"),
                state: format!("{} {sources}", if of_other { "with" } else { "without" }),
            });
        }
        let lacked = |by: &&SmolStr| !lacks.definition.steps.contains_key(*by);
        let steps = has.definition.steps.keys().filter(lacked);
        let steps: BTreeSet<&SmolStr> = steps.map(|by| &has.definition.steps[by]).collect();
        for step in steps {
            differences.push(Difference {
                of: vec![has.node],
                notes: vec![format!("comes through {step}, the other does not")],
                words: format!("only {at} has {step}"),
                state: format!("{} {step}", if of_other { "with" } else { "without" }),
            });
        }
    }
    if one.window != other.window {
        let words = |shown: &Shown<'_>| match shown.window.as_str() {
            "" => "all time".to_owned(),
            window => window.to_owned(),
        };
        differences.push(Difference {
            of: both.to_vec(),
            notes: vec![
                format!("gathers over {}", words(one)),
                format!("gathers over {}", words(other)),
            ],
            words: format!("{a} gathers over {}, {b} over {}", words(one), words(other)),
            state: format!("over {}", words(other)),
        });
    }
    differences
}

impl PartialEq for Shown<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.node == other.node && self.name == other.name
    }
}

/// The numbers that somebody sees at a node and that have a name.
fn shown(facts: &Facts, node: NodeIx) -> Vec<Shown<'_>> {
    let design = &*facts.design;
    let Some((view, behaviour)) = design.acting(node) else {
        return Vec::new();
    };
    let metric = matches!(
        behaviour,
        Behaviour::Observe {
            observation: Observation::Metric
        }
    );
    let Some(port) = facts.input(node) else {
        return Vec::new();
    };
    let own = metric.then(|| design.text(node, "name")).flatten();
    let declared = design.declared_text(node, "metric").or(own);
    let audience = view.node.notes.audience.as_ref();
    if let Some(name) = declared {
        let mut shown = match value(design, node).filter(|_| metric) {
            Some(code) => of_expr(facts, node, port, code),
            None => of_column(facts, node, port, name),
        };
        shown.name = name.trim().into();
        shown.declared = true;
        shown.audience = audience;
        return vec![shown];
    }
    if !matches!(behaviour, Behaviour::Observe { .. }) || audience.is_none() {
        return Vec::new();
    }
    let results = facts.results_at(port).into_iter();
    let shown = results.filter_map(|(place, aggregate, column)| {
        let mut shown = result(facts, node, port, aggregate, &column);
        shown.name = place.last()?.clone();
        shown.audience = audience;
        Some(shown)
    });
    shown.collect()
}

/// The expression of the value that a node shows.
fn value(design: &Design, node: NodeIx) -> Option<&str> {
    let kind = design.nodes[node].kind.as_ref()?;
    let value = FieldType::Jq {
        role: JqRole::Value,
    };
    let mut fields = kind.config.iter().filter(|field| field.ty == value);
    design.text(node, &fields.next()?.name)
}

/// The result of an aggregate that a node shows under this name, or the events as a whole.
fn of_column<'f>(facts: &'f Facts, node: NodeIx, port: &Port, name: &str) -> Shown<'f> {
    let mut results = facts.results_at(port);
    if results.len() > 1 {
        let wanted = name.trim().to_lowercase();
        results.retain(|(place, ..)| {
            place
                .last()
                .is_some_and(|last| last.to_lowercase() == wanted)
        });
    }
    match &results[..] {
        [(_, aggregate, column)] => result(facts, node, port, *aggregate, column),
        _ => plain(node, port),
    }
}

/// The value of an expression over results.
fn of_expr<'f>(facts: &'f Facts, node: NodeIx, port: &Port, code: &str) -> Shown<'f> {
    let design = &*facts.design;
    let Some(expr) = design.compiled(code) else {
        return plain(node, port);
    };
    let keyed = facts.keyed(expr, port);
    let results = facts.results_at(port);
    let mut whole: Option<Shown<'f>> = None;
    let mut forms = Vec::new();
    for part in &keyed.parts {
        let found = results
            .iter()
            .find(|(place, ..)| facts.field(place, port) == *part);
        let Some((_, aggregate, column)) = found else {
            forms.push(format!("{part}"));
            continue;
        };
        let part = result(facts, node, port, *aggregate, column);
        forms.push(part.form.clone());
        whole = Some(match whole {
            None => part,
            Some(whole) => Shown {
                definition: whole.definition.with(&part.definition),
                ..whole
            },
        });
    }
    let mut whole = whole.unwrap_or_else(|| plain(node, port));
    if keyed.shape != "_" || forms.len() != 1 {
        whole.words = format!("`{code}`");
    }
    whole.form = format!("{} {forms:?}", keyed.shape);
    whole
}

fn plain<'f>(node: NodeIx, port: &Port) -> Shown<'f> {
    Shown {
        node,
        name: SmolStr::default(),
        declared: false,
        audience: None,
        form: String::new(),
        words: "all that arrives".to_owned(),
        group: None,
        window: String::new(),
        definition: (*port.definition).clone(),
    }
}

/// The result of an aggregate, with what chose the events in front of it, and the results behind.
fn result<'f>(
    facts: &'f Facts,
    node: NodeIx,
    port: &Port,
    aggregate: NodeIx,
    column: &Column<'_>,
) -> Shown<'f> {
    let design = &*facts.design;
    let mut shown = plain(node, port);
    let (Some(input), Some(output)) = (facts.input(aggregate), facts.output(aggregate)) else {
        return shown;
    };
    let behind = port.definition.steps.iter();
    let behind = behind.filter(|(by, _)| !output.definition.steps.contains_key(*by));
    let behind: Vec<_> = behind
        .map(|(by, text)| (by.clone(), text.clone()))
        .collect();
    shown.definition = (*input.definition).clone();
    shown.definition.steps.extend(behind);
    shown.form = facts.column_form(column, input);
    shown.words = match column.of {
        Some(of) => format!("{} of `{}`", column.function.noun(), of.code()),
        None => column.function.noun().to_owned(),
    };
    let key = super::keeper_key(design, aggregate);
    shown.group = key.map(|key| facts.key(key, input));
    shown.window = window_form(design, aggregate);
    shown
}

/// Adds the branches by which the events of a number come: a route is no step of its own.
fn add_ways(facts: &Facts, shown: &mut Shown<'_>) {
    let design = &*facts.design;
    let mut ways: BTreeMap<NodeIx, BTreeSet<&SmolStr>> = BTreeMap::new();
    let mut seen = BTreeSet::from([shown.node]);
    let mut open = VecDeque::from([shown.node]);
    while let Some(at) = open.pop_front() {
        for edge in &design.nodes[at].ins {
            let view = &design.edges[*edge];
            let routes = matches!(design.behaviour(view.from), Some(Behaviour::Route { .. }));
            if view.role == PortRole::Data && !view.resource && (routes || !view.main) {
                ways.entry(view.from)
                    .or_default()
                    .insert(&view.edge.from.port);
            }
            if seen.insert(view.from) {
                open.push_back(view.from);
            }
        }
    }
    for (node, ports) in ways {
        let view = &design.nodes[node];
        let Some(kind) = &view.kind else { continue };
        let outputs = kind.outputs_of(&view.node);
        let mut data = outputs.iter().filter(|port| port.role == PortRole::Data);
        if data.all(|port| ports.contains(&port.name)) {
            continue;
        }
        let names: Vec<&str> = ports.iter().map(|port| port.as_str()).collect();
        let names = names.join(", ");
        let by = match (design.behaviour(node), facts.input(node)) {
            (Some(Behaviour::Route { routes, .. }), Some(port)) => {
                // Routes that ask the same of the same events are the same.
                let asked = design.value(node, routes).map(ToString::to_string);
                format!("{names} {asked:?} {:?}", port.definition.sources)
            }
            _ => format!("{names} {node}"),
        };
        let text = format!("only {names} of {}", design.title(node));
        let (by, text) = (format_smolstr!("way {by}"), text.into());
        shown.definition.steps.insert(by, text);
    }
}

/// Whether the number is an amount in a unit that somebody declared.
fn is_money(facts: &Facts, node: NodeIx) -> bool {
    let Some(port) = facts.input(node) else {
        return false;
    };
    facts.results_at(port).iter().any(|(place, ..)| {
        let measure = facts.measure_at(place, port);
        measure.is_some_and(|measure| !measure.unit.is_empty())
    })
}

impl Facts {
    /// The results of aggregates that events at a port hold as they are, with their places.
    fn results_at(&self, port: &Port) -> Vec<(Pointer, NodeIx, Column<'_>)> {
        let mut results = Vec::new();
        let mut add = |place: Pointer, origin: OriginId| {
            let Origin::Field(Base::Made(node), at) = self.origin(origin) else {
                return;
            };
            let mut columns = columns(&self.design, node).into_iter();
            let own = columns.find(|column| at == Pointer::root().child(column.name.clone()));
            if let Some(column) = own {
                results.push((place, node, column));
            }
        };
        if let Base::Made(node) = port.payload.base {
            for column in columns(&self.design, node) {
                let place = Pointer::root().child(column.name);
                let origin = self.field(&place, port);
                add(place, origin);
            }
        }
        for (place, origin) in port.payload.known() {
            add(place.clone(), origin);
        }
        results
    }
}
