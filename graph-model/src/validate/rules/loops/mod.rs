//! LOOP: events that trigger events. What loops look like, in words.

mod damped_loop;
mod event_storm;
mod fan_out;
mod hidden_loop;
pub(in crate::validate) mod retries;
#[cfg(test)]
mod tests;

use crate::catalog::{Behaviour, PortRole};
use crate::validate::Rule;
use crate::validate::design::{Design, EdgeIx};
use crate::validate::facts::Facts;
use crate::validate::facts::rounds::Round;
use crate::validate::{Step, Subject};

/// The rules of the family, by code.
pub(super) const RULES: &[Rule] = &[
    event_storm::RULE,
    damped_loop::RULE,
    fan_out::RULE,
    retries::RULE,
    hidden_loop::RULE,
];

/// Terms of a series that are shown.
const TERMS: i32 = 4;

/// Numbers beyond this are not shown digit by digit.
const LARGE: f64 = 1e6;

/// `lane, work`: the nodes that a way passes.
fn titles(design: &Design, way: &[EdgeIx]) -> String {
    const SHOWN: usize = 6;
    let titles: Vec<&str> = way
        .iter()
        .map(|edge| design.title(design.edges[*edge].from))
        .collect();
    match titles.len() {
        count if count > SHOWN => format!(
            "{} and {} more",
            titles[..SHOWN - 1].join(", "),
            count + 1 - SHOWN
        ),
        _ => titles.join(", "),
    }
}

/// What becomes of one event, turn by turn.
fn series(round: &Round) -> String {
    if round.guessed {
        return "one event may become several with each turn".to_owned();
    }
    if round.factor <= 1.0 + 1e-3 {
        return "one event stays on its way for ever".to_owned();
    }
    let terms: Vec<String> = (1..=TERMS)
        .map(|turn| number(round.factor.powi(turn)))
        .collect();
    format!("one event becomes {}, …", terms.join(", "))
}

/// `2`, `1.2`, `3.4e9`.
pub(in crate::validate) fn number(value: f64) -> String {
    if value >= LARGE {
        return format!("{value:.1e}");
    }
    let digits = if value >= 100.0 { 0 } else { 2 };
    let text = format!("{value:.digits$}");
    match text.split_once('.') {
        Some(_) => text.trim_end_matches('0').trim_end_matches('.').to_owned(),
        None => text,
    }
}

/// The way round with what each node does to the number of events, and how it ends.
fn round_way(facts: &Facts, round: &Round, end: &str) -> Vec<Step> {
    let design = &*facts.design;
    let mut path: Vec<Step> = round
        .way
        .iter()
        .map(|edge| {
            let view = &design.edges[*edge];
            let place = if view.resource {
                Subject::Node(design.nodes[view.from].id.clone())
            } else {
                Subject::Port(view.edge.from.clone())
            };
            Step {
                place,
                note: passing(facts, round, *edge),
            }
        })
        .collect();
    if let Some(first) = round.way.first() {
        let start = &design.nodes[design.edges[*first].from].id;
        path.push(Step::node(start, end));
    }
    path
}

/// What a node does to the number of events that leave by a wire.
fn passing(facts: &Facts, round: &Round, edge: EdgeIx) -> String {
    let design = &*facts.design;
    let view = &design.edges[edge];
    if view.resource {
        return format!("writes what {} hears of", design.title(view.to));
    }
    if view.role == PortRole::Failed {
        return "sends it back when it has failed".to_owned();
    }
    let gain = facts.gain(edge, 0);
    match design.behaviour(view.from) {
        _ if gain.is_known() && (gain.most - 1.0).abs() > f64::EPSILON => {
            format!("makes {} events of one", number(gain.most))
        }
        Some(Behaviour::Split { .. } | Behaviour::Join { .. }) => {
            "may make several events of one".to_owned()
        }
        Some(Behaviour::Opaque { .. }) => "makes another event of it".to_owned(),
        _ if round.hopes.contains(&edge) => "may let every one of them pass".to_owned(),
        Some(Behaviour::Filter { .. } | Behaviour::Route { .. }) => {
            "lets pass again what it has let pass before".to_owned()
        }
        _ => "sends it on".to_owned(),
    }
}

/// What the loop rests on that the design does not say.
fn assumed(facts: &Facts, round: &Round) -> Option<String> {
    let design = &*facts.design;
    let code = round.way.iter().find(|edge| {
        let from = design.edges[**edge].from;
        matches!(design.behaviour(from), Some(Behaviour::Opaque { .. }))
            && facts.declared_gain(from).is_none()
    })?;
    let title = design.title(design.edges[*code].from);
    Some(format!(
        "{title} sends an event for each that it gets; declare its gain if it does not"
    ))
}
