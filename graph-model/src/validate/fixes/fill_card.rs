//! Fills the card of a number from what the flow says of it.

use smol_str::SmolStr;

use super::declare;
use crate::catalog::{Behaviour, Observation};
use crate::id::Id;
use crate::pointer::Pointer;
use crate::units;
use crate::validate::Fix;
use crate::validate::design::{Design, NodeIx};
use crate::validate::facts::Facts;
use crate::validate::facts::numbers::columns;
use crate::validate::facts::origins::{Base, Origin};
use crate::value::Value;

/// The `missing` entries of a card; `None` where the flow does not say enough for all of them.
pub(in crate::validate) fn fill_card(
    facts: &Facts,
    node: NodeIx,
    missing: &[&str],
    numbers: &[NodeIx],
) -> Option<Fix> {
    let design = &*facts.design;
    let entries = missing.iter().map(|name| {
        let text = match *name {
            "owner" => owner(design, node, numbers),
            "definition" => definition(facts, node),
            _ => freshness(facts, node, numbers),
        };
        Some((*name, Some(Value::from(text?))))
    });
    let entries: Vec<(&str, Option<Value>)> = entries.collect::<Option<_>>()?;
    let title = format!("Fill the card of {}", design.title(node));
    let caution = "read what it says and correct it: it is what the flow does, not what was meant";
    Some(declare(design, node, title, caution, &entries))
}

/// Whoever looks at it, or else owns the other numbers.
fn owner(design: &Design, node: NodeIx, numbers: &[NodeIx]) -> Option<String> {
    let audience = design.nodes[node].node.notes.audience.as_ref();
    let roles = audience.into_iter().flat_map(|audience| &audience.roles);
    let inside = roles.map(Id::as_str).find(|role| {
        let declared = design.document.roles.get(*role);
        declared.is_some_and(|role| !role.external)
    });
    let others = numbers.iter();
    inside
        .or_else(|| {
            others
                .filter_map(|other| design.declared_text(*other, "owner"))
                .min()
        })
        .map(str::to_owned)
}

/// What the flow computes.
fn definition(facts: &Facts, node: NodeIx) -> Option<String> {
    let design = &*facts.design;
    let port = facts.input(node)?;
    let mut sources: Vec<&str> = port
        .definition
        .sources
        .iter()
        .map(|source| design.title(*source))
        .collect();
    if sources.is_empty() {
        return None;
    }
    sources.sort_unstable();
    let mut text = match folding(facts, node) {
        Some((aggregate, name)) => {
            let column = columns(design, aggregate)
                .into_iter()
                .find(|column| column.name == name)?;
            let mut text = column.function.noun().to_owned();
            if let Some(of) = column.of {
                text.push_str(&format!(" of `{}`", of.code()));
            }
            text
        }
        None => "a value".to_owned(),
    };
    text.push_str(&format!(" of the events of {}", sources.join(" and ")));
    for step in port.definition.steps.values() {
        text.push_str(&format!("; {step}"));
    }
    Some(text)
}

/// The aggregate whose result a node shows, and the name of the result.
fn folding(facts: &Facts, node: NodeIx) -> Option<(NodeIx, SmolStr)> {
    let design = &*facts.design;
    let port = facts.input(node)?;
    let metric = matches!(
        design.behaviour(node)?,
        Behaviour::Observe {
            observation: Observation::Metric
        }
    );
    let field = if metric {
        let expr = design.expr(node, "value")?;
        let rows = expr.analysis().outputs.iter();
        let mut whole = rows.filter(|row| row.pointer.is_root());
        whole.find_map(|row| row.copy.clone())?
    } else {
        let Base::Made(aggregate) = port.payload.base else {
            return None;
        };
        let mut columns = columns(design, aggregate).into_iter();
        Pointer::root().child(columns.next()?.name)
    };
    match facts.origin(facts.field(&field, port)) {
        Origin::Field(Base::Made(aggregate), place) => {
            let mut columns = columns(design, aggregate).into_iter();
            let held = columns.find(|column| place == Pointer::root().child(column.name.clone()));
            held.map(|column| (aggregate, column.name))
        }
        _ => None,
    }
}

/// As fresh as its window, as it has to be there, or as the other numbers.
fn freshness(facts: &Facts, node: NodeIx, numbers: &[NodeIx]) -> Option<String> {
    let design = &*facts.design;
    let window = folding(facts, node).and_then(|(aggregate, _)| {
        let timed = design.compares_times(aggregate);
        timed.then(|| design.ms(aggregate, "size")).flatten()
    });
    let text = |ms: i64| {
        let duration = std::time::Duration::from_millis(ms.max(0).unsigned_abs());
        units::format_duration(duration)
    };
    let limit = window
        .or_else(|| design.declared_ms(node, "latency"))
        .or_else(|| design.budget_ms("latency"));
    limit.map(text).or_else(|| {
        let others = numbers.iter();
        let said = others.filter_map(|other| design.declared_text(*other, "freshness"));
        said.min().map(str::to_owned)
    })
}
