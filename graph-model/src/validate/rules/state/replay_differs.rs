//! STATE-006: what is rebuilt from events comes out differently.

use smol_str::SmolStr;

use super::{looks_into, noticed_effect};
use crate::catalog::{Behaviour, FieldType, JqRole};
use crate::expr::Variable;
use crate::validate::design::{Design, NodeIx};
use crate::validate::diagnostic::{Found, RuleFindings};
use crate::validate::facts::Facts;
use crate::validate::rules::declare_rule;
use crate::validate::rules::delivery::way_from;
use crate::validate::{Step, Subject, fixes};

declare_rule! {
    /// Finds state that is rebuilt from events by code that asks for the time, looks elsewhere, or
    /// acts.
    /// ## Why is this bad
    /// Rebuilding the past must not ask what time it is now, nor look into a table of today, nor send
    /// the mail again. What comes out is another state than the one that people have seen. It is
    /// noticed on the day of the rebuild, when nothing else is left to compare with.
    /// ## When is this fine
    /// When the state is never rebuilt: then take the declaration back.
    /// ## Perturbation
    /// Two replays of the same events: the states differ, or an effect happens again.
    /// ## Example
    /// in: manual -> sum: fold(group=.account, initial={}, step={last: $now, total: (($state.total // 0) + .amount)}) -> out: view
    /// ## Use instead
    /// in: manual -> sum: fold(group=.account, initial={}, step={last: $event.time, total: (($state.total // 0) + .amount)}) -> out: view
    /// ## Near miss
    /// in: manual -> seen: map(expr=.seen = $now) -> kept: log(key=.account) -> once: dedupe(key=$event.id) -> sum: fold(group=.account, initial={}, step={last: .seen, total: (($state.total // 0) + .amount)}) -> out: view
    /// ## Source
    /// Microsoft: Azure Durable Functions, orchestrator code constraints (no clock, no random numbers, no
    /// calls of one's own in code that is replayed)
    code = "STATE-006", name = "replay-differs", severity = Error, since = "0.1.0",
    check = Node(check),
}

fn check(facts: &Facts, node: NodeIx, findings: &mut RuleFindings<'_, '_>) {
    let design = &*facts.design;
    let Some((view, behaviour)) = design.acting(node) else {
        return;
    };
    let replayed = design.declared_flag(node, "replayed");
    let folds = matches!(behaviour, Behaviour::Fold { .. });
    if !replayed && !folds {
        return;
    }
    let title = design.title(node);
    let subject = || Subject::Node(view.id.clone());
    if let Some((field, code)) = asks_for_the_time(design, node) {
        let sources = facts
            .input(node)
            .map(|port| port.definition.sources.clone());
        let source = sources.into_iter().flatten().next();
        let effect = format!("makes another state of it with each replay, by `{code}`");
        let path = match source {
            Some(source) => way_from(
                facts,
                source,
                "sends an event once".to_owned(),
                node,
                effect,
            ),
            None => vec![Step::node(&view.id, effect)],
        };
        let message = format!(
            "{title} rebuilds its state by `{code}`, which differs with each replay; take the time from \
             the event"
        );
        let spec = view.kind.as_ref().and_then(|kind| kind.field(&field));
        findings.add(
            Found::at(subject(), message)
                .path(path)
                .fixes(spec.and_then(|spec| fixes::use_event_time(design, node, spec))),
        );
        return;
    }
    if !replayed {
        return;
    }
    if let Some(read) = looks_into(design, node) {
        let store = design.title(read);
        let message = format!(
            "{title} is rebuilt by replay and looks into {store}, which holds what is true today; let \
             the events carry what it needs"
        );
        let path = vec![
            Step::node(&design.nodes[read].id, "changes as time goes by"),
            Step::node(
                &view.id,
                "finds something else there when events are replayed",
            ),
        ];
        findings.add(
            Found::at(subject(), message)
                .path(path)
                .fixes(fixes::decide_on_own_state(design, node)),
        );
        return;
    }
    let Some((effect, way)) = noticed_effect(facts, node) else {
        return;
    };
    let Some(Behaviour::Effect { key }) = design.behaviour(effect) else {
        return;
    };
    let name = design.title(effect);
    let message = format!(
        "{title} is rebuilt by replay, and {name} then happens again; give {name} the id of the event as \
         its key"
    );
    let cause = "sends everything again when it is rebuilt".to_owned();
    let again = "does it again, because no key says that it was done".to_owned();
    findings.add(
        Found::at(subject(), message)
            .path(design.steps((node, cause), &way, (effect, again)))
            .fixes(fixes::identify_effect(facts, effect, key))
            .affecting([design.nodes[effect].id.clone()]),
    );
}

/// The config field whose expression depends on when it is evaluated.
fn asks_for_the_time(design: &Design, node: NodeIx) -> Option<(SmolStr, String)> {
    let kind = design.nodes[node].kind.as_ref()?;
    kind.config.iter().find_map(|field| {
        let folds = matches!(
            field.ty,
            FieldType::Jq {
                role: JqRole::Step
                    | JqRole::Key
                    | JqRole::Mapping
                    | JqRole::Predicate
                    | JqRole::Value
            }
        );
        let expr = design.expr(node, &field.name).filter(|_| folds)?;
        let varies = expr.variables().contains(&Variable::Now)
            || expr.analysis().outputs.iter().any(|row| row.nondet);
        varies.then(|| (field.name.clone(), expr.code().to_owned()))
    })
}
