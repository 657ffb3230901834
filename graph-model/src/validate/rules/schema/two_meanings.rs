//! SCHEMA-005: fields of one name that mean different things are taken for one.

use std::collections::BTreeSet;

use smol_str::SmolStr;

use crate::catalog::{Behaviour, Observation};
use crate::expr::{Analysis, Expr, Operand, related};
use crate::id::Id;
use crate::pointer::Pointer;
use crate::validate::design::{EdgeIx, NodeIx};
use crate::validate::diagnostic::{Found, RuleFindings};
use crate::validate::facts::{Facts, Port};
use crate::validate::rules::declare_rule;
use crate::validate::{Step, fixes};
use crate::value::Value;

declare_rule! {
    /// Finds streams and keys that are brought together although their types say that a field is in
    /// another unit, time zone, numbering or set of words; and what is read as such, and written as
    /// the other.
    /// ## Why is this bad
    /// Two fields are called amount, and one of them is in cents. Nothing fails where the streams meet,
    /// as both are numbers of the same name. Every sum, comparison and match behind it is wrong, and
    /// looks right.
    /// ## When is this fine
    /// When whoever reads the field looks at the event type first.
    /// ## Perturbation
    /// The same fact by the other stream: the result is another one.
    /// ## Example
    /// type sale(id=/sale): sale string, amount number <always EUR>
    /// type refund(id=/refund): refund string, amount number <always cent>
    /// a: manual(event_type=sale) -> sum: aggregate(window=time, aggregates=[{"name": "total", "function": "sum", "of": ".amount"}]) -> out: view
    /// b: manual(event_type=refund) -> sum
    /// ## Use instead
    /// type sale(id=/sale): sale string, amount number <always EUR>
    /// type refund(id=/refund): refund string, amount number <always cent>
    /// a: manual(event_type=sale) -> sum: aggregate(window=time, aggregates=[{"name": "total", "function": "sum", "of": ".amount"}]) -> out: view
    /// b: manual(event_type=refund) -> euro: map(expr=.amount |= . / 100) -> sum
    /// ## Near miss
    /// type sale(id=/sale, spaces={"/customer":"crm"}): sale string, customer string, amount number <always EUR>, kind web|shop
    /// type refund(id=/refund, spaces={"/who":"crm","/customer":"billing"}): refund string, who string, customer string, amount number <always cent>, kind other|more
    /// a: manual(event_type=sale) -> all: merge -> .left both: join(left_key=.customer, right_key=.c) -> out: view
    /// b: manual(event_type=refund) -> m: map(expr={c: .who, cents: .amount}) -> .right both
    /// b -> n: map(expr={sale: .refund, cents: .amount, customer: .who}) -> all
    /// a -> log: console
    /// b -> log
    /// ## Source
    /// Mars Climate Orbiter Mishap Investigation Board: Phase I report, 1999; A. Kennedy: Types for
    /// units-of-measure, 2009
    code = "SCHEMA-005", name = "two-meanings", severity = Warning, since = "0.1.0",
    check = Node(check),
}

/// What the type of a field says that its values mean.
struct Meaning {
    maker: NodeIx,
    ty: Id,
    place: Pointer,
    unit: SmolStr,
    space: SmolStr,
    clock: SmolStr,
    words: Vec<Value>,
}

/// How two meanings differ, in words for each.
struct Difference {
    first: String,
    second: String,
    units: Option<(SmolStr, SmolStr)>,
}

fn check(facts: &Facts, node: NodeIx, findings: &mut RuleFindings<'_, '_>) {
    let design = &*facts.design;
    let Some((view, behaviour)) = design.acting(node) else {
        return;
    };
    // What people read there is not computed with.
    let only_read = matches!(
        behaviour,
        Behaviour::DeadLetter
            | Behaviour::Observe {
                observation: Observation::Console
            }
    );
    if view.ins.len() > 1 && !only_read {
        for input in 0..2 {
            meets(facts, node, input, findings);
        }
    }
    match behaviour {
        Behaviour::Source { ty, .. } | Behaviour::Changes { ty } => {
            hears(facts, node, ty, findings);
        }
        Behaviour::Validate { .. } | Behaviour::Mediate { .. } => renames(facts, node, findings),
        _ => {}
    }
    let (Behaviour::Join { left, right, .. }
    | Behaviour::Enrich {
        key: left,
        row_key: right,
        ..
    }) = behaviour
    else {
        return;
    };
    let keys = (design.expr(node, left), design.expr(node, right));
    let ports = (facts.input(node), facts.second(node));
    let ((Some(left), Some(right)), (Some(first), Some(second))) = (keys, ports) else {
        return;
    };
    let (Some(left), Some(right)) = (left.form(), right.form()) else {
        return;
    };
    for pair in left.parts.iter().zip(&right.parts) {
        let (Operand::Field(a), Operand::Field(b)) = pair else {
            continue;
        };
        let (Some(one), Some(other)) = (meaning(facts, a, first), meaning(facts, b, second)) else {
            continue;
        };
        if let Some(difference) = difference(&one, &other) {
            let title = design.title(node);
            let message = format!(
                "{title} matches `{a}`, {}, with `{b}`, {}, so what is equal is not the same; translate one of them in front of it",
                difference.first, difference.second
            );
            let effect = format!("matches `{a}` with `{b}`");
            findings.add(
                Found::node(&view.id, message)
                    .detail(format!("{a} {b}"))
                    .path(path(facts, (&one, &other), &difference, node, effect)),
            );
        }
    }
}

/// Compares what streams that meet at an input mean by their fields.
fn meets(facts: &Facts, node: NodeIx, input: usize, findings: &mut RuleFindings<'_, '_>) {
    let design = &*facts.design;
    let ins = design.nodes[node].ins.iter().copied();
    let sides = ins.filter(|edge| design.edges[*edge].input == input && !design.is_failure(*edge));
    let sides: Vec<(EdgeIx, &Port)> = sides
        .filter_map(|edge| Some((edge, facts.edge(edge)?)))
        .collect();
    let Some(((_, first), others)) = sides.split_first() else {
        return;
    };
    let alike = others.iter().all(|(_, port)| port.payload == first.payload);
    if alike || !facts.meanings_told() {
        return;
    }
    let all: BTreeSet<Pointer> = sides
        .iter()
        .flat_map(|(_, port)| fields(facts, port))
        .collect();
    for field in all {
        // Some say nothing of it, such as what comes round.
        let mut told = sides
            .iter()
            .filter_map(|(edge, port)| Some((edge, meaning(facts, &field, port)?)));
        let Some((_, one)) = told.next() else {
            continue;
        };
        for (edge, other) in told {
            let Some(difference) = difference(&one, &other) else {
                continue;
            };
            let (title, id) = (design.title(node), &design.nodes[node].id);
            let message = format!(
                "{title} takes `{field}` of {}, {}, and of {}, {}, for one field; convert one of them in front of it, or call it something else",
                one.ty, difference.first, other.ty, difference.second
            );
            let effect = format!("takes both for one `{field}`");
            let fixes = fixes::tell_apart(facts, node, *edge, &field, difference.units.as_ref());
            findings.add(
                Found::node(id, message)
                    .detail(field.to_string())
                    .path(path(facts, (&one, &other), &difference, node, effect))
                    .fixes(fixes),
            );
        }
    }
}

/// Compares what is written where a source listens with what its event type says of it.
fn hears(facts: &Facts, node: NodeIx, ty: &SmolStr, findings: &mut RuleFindings<'_, '_>) {
    let design = &*facts.design;
    let view = &design.nodes[node];
    let says = design.text(node, ty).is_some() && facts.meanings_told();
    let ports = (facts.input(node), facts.output(node));
    let (Some(kind), (Some(written), Some(read)), true) = (&view.kind, ports, says) else {
        return;
    };
    // A change of a row tells the row, and not an event.
    let rows = matches!(design.behaviour(node), Some(Behaviour::Changes { .. }));
    for field in fields(facts, read) {
        let place = match field.tokens() {
            [side, below @ ..] if rows && (side == "before" || side == "after") => {
                below.iter().cloned().collect()
            }
            _ if rows => continue,
            _ => field.clone(),
        };
        let Some((one, other)) = meaning(facts, &place, written).zip(meaning(facts, &field, read))
        else {
            continue;
        };
        let Some(difference) = difference(&one, &other) else {
            continue;
        };
        let title = design.title(node);
        let message = format!(
            "{title} reads `{field}` as {}, {}, but what is written there is of {}, {}; say what it is, or convert it behind {title}",
            other.ty, difference.second, one.ty, difference.first
        );
        let effect = format!("reads one as the other `{field}`");
        let declared = kind.config.iter().find(|config| config.name == *ty);
        let fixes = declared.map(|declared| fixes::clear_field(design, node, declared));
        findings.add(
            Found::node(&view.id, message)
                .detail(field.to_string())
                .path(path(facts, (&one, &other), &difference, node, effect))
                .fixes(fixes),
        );
    }
}

/// Compares what comes to a node with the event type that it gives to it.
fn renames(facts: &Facts, node: NodeIx, findings: &mut RuleFindings<'_, '_>) {
    let design = &*facts.design;
    let ports = facts.input(node).zip(facts.output(node));
    let Some((before, after)) = ports.filter(|_| facts.meanings_told()) else {
        return;
    };
    let copies = facts.mapping(node).map(Expr::analysis);
    for field in fields(facts, after) {
        let Some(place) = copies.map_or(Some(field.clone()), |copies| copied(copies, &field))
        else {
            continue;
        };
        let Some((mut one, other)) =
            meaning(facts, &place, before).zip(meaning(facts, &field, after))
        else {
            continue;
        };
        // Whether the words fit is checked.
        one.words.clear();
        let Some(difference) = difference(&one, &other) else {
            continue;
        };
        let (title, id) = (design.title(node), &design.nodes[node].id);
        let message = format!(
            "{title} takes `{place}` of {}, {}, for `{field}` of {}, {}; convert it in front of it, or call it something else",
            one.ty, difference.first, other.ty, difference.second
        );
        let cause = format!("sends `{}` {}", one.place, difference.first);
        let effect = format!("takes it for `{field}` {}", difference.second);
        let mut ins = design.nodes[node].ins.iter().copied();
        let alone = ins.next().filter(|_| ins.next().is_none());
        let units = difference
            .units
            .as_ref()
            .map(|(from, to)| (to.clone(), from.clone()));
        let fixes = alone.map_or_else(Vec::new, |edge| {
            fixes::tell_apart(facts, node, edge, &place, units.as_ref())
        });
        findings.add(
            Found::node(id, message)
                .detail(field.to_string())
                .path(vec![
                    Step::node(&design.nodes[one.maker].id, cause),
                    Step::node(id, effect),
                ])
                .fixes(fixes),
        );
    }
}

/// The field that an expression passes on at a place as it is.
fn copied(analysis: &Analysis, field: &Pointer) -> Option<Pointer> {
    let mut rows = analysis
        .outputs
        .iter()
        .filter(|row| related(&row.pointer, field));
    match (rows.next(), &analysis.rest) {
        (Some(row), _) if row.pointer == *field => row.copy.clone(),
        (None, Some(rest)) if !rest.except.iter().any(|other| related(other, field)) => {
            Some(field.clone())
        }
        _ => None,
    }
}

/// Both senders, and the node that takes one for the other.
fn path(
    facts: &Facts,
    (one, other): (&Meaning, &Meaning),
    difference: &Difference,
    node: NodeIx,
    effect: String,
) -> Vec<Step> {
    let id = |node: NodeIx| &facts.design.nodes[node].id;
    let sends = |meaning: &Meaning, words: &str| {
        let note = format!("sends `{}` {words}", meaning.place);
        Step::node(id(meaning.maker), note)
    };
    vec![
        sends(one, &difference.first),
        sends(other, &difference.second),
        Step::node(id(node), effect),
    ]
}

/// Fields at a port whose event types may say what they mean.
fn fields(facts: &Facts, port: &Port) -> Vec<Pointer> {
    let mut fields: Vec<Pointer> = port
        .payload
        .known()
        .map(|(field, _)| field.clone())
        .collect();
    let base = facts.sent_as(port.payload.base);
    let ty = port
        .payload
        .ty
        .as_ref()
        .or_else(|| base?.payload.ty.as_ref());
    if let Some(schema) = ty.and_then(|ty| facts.schema(ty.as_str())) {
        fields.extend(schema.fields().into_iter().map(|field| field.pointer));
    }
    if let Some(ty) = ty.and_then(|ty| facts.design.document.types.get(ty)) {
        fields.extend(ty.measures.keys().cloned());
    }
    fields.sort_unstable();
    fields.dedup();
    fields
}

/// What the type that first promises a field says of its values.
fn meaning(facts: &Facts, field: &Pointer, port: &Port) -> Option<Meaning> {
    let promised = facts.promise(field, port)?;
    let (maker, id, place) = promised.by.into_iter().next()?;
    let ty = facts.design.document.types.get(&id)?;
    let said = |name: &str| {
        let table = ty.declared.get(name).and_then(Value::as_object);
        let said = table.and_then(|table| table.get(&place.to_string()));
        SmolStr::from(said.and_then(Value::as_str).unwrap_or_default().trim())
    };
    let (space, clock) = (said("spaces"), said("clocks"));
    let measure = ty.measures.get(&place);
    let schema = facts.schema(id.as_str());
    let words = schema.as_ref().and_then(|schema| schema.values(&place));
    Some(Meaning {
        maker,
        unit: measure
            .map(|measure| measure.unit.clone())
            .unwrap_or_default(),
        space,
        clock,
        words: words.unwrap_or_default().to_vec(),
        ty: id,
        place,
    })
}

/// How two meanings differ; what is not said differs from nothing.
fn difference(one: &Meaning, other: &Meaning) -> Option<Difference> {
    let differ = |a: &SmolStr, b: &SmolStr| !a.is_empty() && !b.is_empty() && a != b;
    let said = |words: &dyn Fn(&Meaning) -> String, units| Difference {
        first: words(one),
        second: words(other),
        units,
    };
    if differ(&one.unit, &other.unit) {
        let units = Some((one.unit.clone(), other.unit.clone()));
        return Some(said(&|meaning| format!("in {}", meaning.unit), units));
    }
    if differ(&one.space, &other.space) {
        let words = |meaning: &Meaning| format!("in the numbering of {}", meaning.space);
        return Some(said(&words, None));
    }
    if differ(&one.clock, &other.clock) {
        let words = |meaning: &Meaning| format!("in the time of {}", meaning.clock);
        return Some(said(&words, None));
    }
    // A single word tells the type of the event.
    let lists = one.words.len() > 1 && other.words.len() > 1;
    let shared = one.words.iter().any(|word| other.words.contains(word));
    if lists && !shared {
        let words = |meaning: &Meaning| {
            let first: Vec<String> = meaning.words.iter().take(3).map(Value::to_json).collect();
            format!("such as {}", first.join(", "))
        };
        return Some(said(&words, None));
    }
    None
}
