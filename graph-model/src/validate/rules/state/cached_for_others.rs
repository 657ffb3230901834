//! STATE-002: a warm instance answers one person with what it kept of another.

use crate::catalog::Behaviour;
use crate::label::Atom;
use crate::validate::design::{CodeState, NodeIx};
use crate::validate::diagnostic::{Found, RuleFindings};
use crate::validate::facts::Facts;
use crate::validate::facts::tags::TagSet;
use crate::validate::rules::declare_rule;
use crate::validate::{Subject, fixes};

declare_rule! {
    /// Finds caches of code whose key does not say whose data is kept.
    /// ## Why is this bad
    /// The next caller gets the previous caller's answer, because both ask for the same key. It
    /// happens only while the instance is warm, so tests with one caller pass. Nobody is told,
    /// neither who saw too much nor who was seen.
    /// ## When is this fine
    /// When what is kept is the same for everybody: then the code need not read the labelled fields,
    /// and `reads` can say so.
    /// ## Perturbation
    /// Two people, one after the other, on one instance: the second one sees a value of the first.
    /// ## Example
    /// type ask(id=/id): id string, page string, owner string, account string {subject:/owner}
    /// in: manual(event_type=ask) -> show: function(component=show.wasm) ^state=cache ^cache_key=.page
    /// ## Use instead
    /// type ask(id=/id): id string, page string, owner string, account string {subject:/owner}
    /// in: manual(event_type=ask) -> show: function(component=show.wasm) ^state=cache ^cache_key=[.page,.owner]
    /// ## Near miss
    /// type ask(id=/id, depends=/account>/owner): id string, page string, owner string, account string {subject:/owner}
    /// in: manual(event_type=ask) -> short: map(expr={a: .account, p: .page}) -> show: function(component=show.wasm) ^state=cache ^cache_key=[.p,.a]
    /// ## Source
    /// A. Jangda et al.: Formal foundations of serverless computing, OOPSLA 2019 (warm instances). P. Datta
    /// et al.: Valve, WWW 2020 (flows between requests through reused containers)
    code = "STATE-002", name = "cache-answers-for-another", severity = Error, since = "0.1.0",
    check = Node(check),
}

fn check(facts: &Facts, node: NodeIx, findings: &mut RuleFindings<'_, '_>) {
    let design = &*facts.design;
    let Some((view, Behaviour::Opaque { .. })) = design.acting(node) else {
        return;
    };
    if design.code_state(node) != Some(CodeState::Cache) {
        return;
    }
    let Some(port) = facts.input(node) else {
        return;
    };
    let read = super::read_by(design, node);
    let owned: TagSet = port
        .labels
        .iter()
        .filter(|(field, _)| {
            read.is_empty()
                || read
                    .iter()
                    .any(|read| read.covers(field) || field.covers(read))
        })
        .flat_map(|(_, tags)| tags.iter())
        .filter(|tag| !facts.tags[*tag as usize].anchors.is_empty())
        .collect();
    if owned.is_empty() {
        return;
    }
    let title = design.title(node);
    let Some(code) = design.declared_text(node, "cache_key") else {
        let reason =
            format!("{title} keeps data of people in a cache; declare the key of the cache");
        findings.unchecked(Subject::Node(view.id.clone()), reason);
        return;
    };
    let Some(key) = design.compiled(code) else {
        return;
    };
    let parts = facts.key(key, port);
    let missing = owned.into_iter().find_map(|tag| {
        let anchors = &facts.tags[tag as usize].anchors;
        // Any of the owners will do: whoever is named may see it.
        let named = anchors
            .iter()
            .any(|(_, owner)| facts.determines(&parts, &[*owner]));
        (!named).then(|| (tag, anchors[0].clone()))
    });
    let Some((tag, (atom, owner))) = missing else {
        return;
    };
    let label = &facts.tags[tag as usize];
    let whose = match atom {
        Atom::Tenant(_) => "tenant",
        _ => "person",
    };
    let carries = |edge| {
        let port = facts.edge(edge);
        port.is_some_and(|port| port.labels.sets().any(|tags| tags.contains(tag)))
    };
    let way = design.trace(node, carries, |at| at == label.node);
    let cause = format!("`{}` of {} is for {}", label.field, label.ty, label.clause);
    let effect = format!("finds it again by `{code}`, whoever asks");
    let message = format!(
        "{title} keeps `{}` by `{code}`, which does not say of which {whose} it is, so the \
                 next one who asks gets it; add the owner to the key",
        label.field
    );
    findings.add(
        Found::node(&view.id, message)
            .path(design.steps((label.node, cause), &way, (node, effect)))
            .fixes(fixes::key_cache_by(facts, node, code, owner)),
    );
}
