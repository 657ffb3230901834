//! AUTH-006: a number over so few people that it tells about one of them.

use super::{self as auth, Leak, Seen, Why};
use crate::validate::design::NodeIx;
use crate::validate::diagnostic::{Found, RuleFindings};
use crate::validate::facts::Facts;
use crate::validate::rules::declare_rule;
use crate::validate::{Fix, Step, Subject, fixes};

declare_rule! {
    /// Finds numbers over groups of people that may be shown, but not of groups as small as these may
    /// be.
    /// ## Why is this bad
    /// A total over one person is that person's value. Folding protects people only where groups are
    /// large, and nothing here holds small ones back. The rule that lets the number out says how many
    /// people it has to be over.
    /// ## When is this fine
    /// When every group is known to be larger: then hold back the others all the same, which costs
    /// nothing.
    /// ## Perturbation
    /// A group of one person with a different secret: the number that is shown is another.
    /// ## Example
    /// role hr
    /// role staff
    /// type pay(subject=/employee): employee string {org}, team string {org}, salary number {role:hr}
    /// release totals: pay/salary aggregate 5
    /// in: manual(event_type=pay) -> sums: aggregate(group=.team, aggregates=[{"name": "total", "function": "sum", "of": ".salary"}]) -> board: view @staff
    /// ## Use instead
    /// role hr
    /// role staff
    /// type pay(subject=/employee): employee string {org}, team string {org}, salary number {role:hr}
    /// release totals: pay/salary aggregate 5
    /// in: manual(event_type=pay) -> sums: aggregate(group=.team, aggregates=[{"name": "total", "function": "sum", "of": ".salary"}, {"name": "people", "function": "count_distinct", "of": ".employee"}]) -> large: filter(when=.people >= 5) -> board: view @staff
    /// ## Near miss
    /// role hr
    /// role staff
    /// type pay(subject=/employee): employee string {org}, team string {org}, salary number {role:hr}
    /// release totals: pay/salary aggregate 5
    /// in: manual(event_type=pay) -> sums: aggregate(group=.team, aggregates=[{"name": "total", "function": "sum", "of": ".salary"}, {"name": "people", "function": "count_distinct", "of": ".employee"}])
    /// sums -> large: filter(when=.people > 4 and .total > 0) -> short: map(expr={team: .key, total}) -> board: view @staff
    /// sums -> all: view @hr
    /// ## Source
    /// L. Sweeney, k-anonymity: a model for protecting privacy, 2002
    code = "AUTH-006", name = "identifying-total", severity = Error, since = "0.1.0",
    check = Node(check),
}

fn check(facts: &Facts, node: NodeIx, findings: &mut RuleFindings<'_, '_>) {
    let design = &*facts.design;
    let Some(port) = auth::leaking(facts, node) else {
        return;
    };
    for place in auth::places(facts, node, port) {
        let mut leaks = auth::leaks(facts, port, &place);
        leaks.retain(|leak| matches!(leak.why, Why::TooFew(_)));
        let sizes = leaks.iter().filter_map(|leak| match leak.why {
            Why::TooFew(size) => Some(size),
            _ => None,
        });
        let (Some(first), Some(size)) = (leaks.first(), sizes.max()) else {
            continue;
        };
        let Some(by) = folder(facts, first) else {
            continue;
        };
        let title = place.title(design, node);
        let readers = facts.readers(place.audience);
        let fields = auth::list(&leaks);
        let single = is_single(facts, by, first);
        let groups = if single {
            "each group is one person".to_owned()
        } else {
            format!("nothing holds back groups of fewer than {size} people")
        };
        let narrow = fixes::narrow_audience(facts, node, &place);
        let hold = if place.seen == Seen::Shown || place.seen == Seen::Stored {
            fixes::hold_back(facts, node, &leaks, size)
        } else {
            None
        };
        let offers: Vec<Fix> = if single {
            narrow.into_iter().chain(hold).collect()
        } else {
            hold.into_iter().chain(narrow).collect()
        };
        let message = format!(
            "{title} shows {fields} to {readers}, who may see it only over {size} people or more, and {groups}; hold back small groups"
        );
        findings.add(
            Found::node(&design.nodes[node].id, message)
                .detail(place.side.cloned().unwrap_or_default())
                .path(path(facts, first, by, &groups, node, &readers))
                .fixes(offers),
        );
    }
}

/// The node that made the number.
fn folder(facts: &Facts, leak: &Leak) -> Option<NodeIx> {
    let fold = facts.tags[leak.tag as usize].fold.as_ref()?;
    Some(fold.by)
}

/// Whether all events of a group are of one person.
fn is_single(facts: &Facts, by: NodeIx, leak: &Leak) -> bool {
    let people = &facts.tags[leak.tag as usize].people;
    let key = facts.group_key(by);
    !people.is_empty() && facts.determines(&key, people)
}

fn path(
    facts: &Facts,
    leak: &Leak,
    by: NodeIx,
    groups: &str,
    to: NodeIx,
    readers: &str,
) -> Vec<Step> {
    let mut steps = auth::evidence(facts, leak, to, format!("shows the number to {readers}"));
    let folder = &facts.design.nodes[by].id;
    for step in steps.iter_mut().skip(1) {
        if matches!(&step.place, Subject::Port(port) if port.node == *folder) {
            step.note = format!("makes one number of a group, and {groups}");
        }
    }
    steps
}
