//! Three sentences about a witness: what comes in, what happens to it, what is wrong in the end.

use std::path::Path;

use graph_model::document::Document;
use graph_model::id::NodeId;
use graph_model::validate::Diagnostic;
use graph_model::value::Value;

use super::plural;
use crate::functions::{Act, unwritten};
use crate::oracle::Finding;
use crate::simulate::{Fact, Fault, FaultKind, Place, Point, Scenario, Sort, Step, What};

/// Facts that are told of one by one.
const FACTS_MAX: usize = 3;
/// Characters of a value.
const VALUE_MAX: usize = 120;

pub(super) fn sentences(
    found: &Diagnostic,
    document: &Document,
    scenario: &Scenario,
    finding: &Finding,
    trace: &[Step],
) -> [String; 3] {
    [
        come_in(document, &scenario.facts),
        happens(found, document, scenario, trace),
        wrong(document, finding),
    ]
}

fn come_in(document: &Document, facts: &[Fact]) -> String {
    let told = facts.iter().take(FACTS_MAX).map(|fact| {
        let source = document.node_title(&fact.source);
        let (id, data) = (&fact.event.context.id, short(&fact.event.data));
        format!("`{id}` {data} at {source}")
    });
    let told: Vec<String> = told.collect();
    let more = facts.len().saturating_sub(FACTS_MAX);
    let more = if more > 0 {
        format!(", then {more} more")
    } else {
        String::new()
    };
    match facts.len() {
        1 => format!("One fact comes in: {}.", told.join("")),
        count => format!(
            "{} come in: {}{more}.",
            plural(count, "fact"),
            told.join(", then ")
        ),
    }
}

fn happens(found: &Diagnostic, document: &Document, scenario: &Scenario, trace: &[Step]) -> String {
    let mut happens: Vec<String> = Vec::new();
    if let Some(count) = scenario.partitions {
        happens.push(match count {
            1 => "there is one of everything".to_owned(),
            _ => format!("there are {count} of everything that there may be several of"),
        });
    }
    let mut noted: Vec<&Step> = trace
        .iter()
        .filter(|step| step.what == What::Fault)
        .collect();
    for fault in scenario.faults.iter() {
        let at = struck(&fault.place, document);
        let sort = fault.kind.sort() as u16;
        let step = noted
            .iter()
            .position(|step| step.port == sort && Some(&step.node) == at.as_ref());
        let event = step.map(|step| noted.remove(step).event.clone());
        happens.push(fault_sentence(fault, document, event.as_deref()));
    }
    if happens.is_empty() {
        let what = found.path.last().map(|step| step.sentence(document));
        return match what {
            Some(what) => format!("Nothing has to go wrong: {what}."),
            None => "Nothing has to go wrong.".to_owned(),
        };
    }
    let mut said = happens.join(", and ");
    said.replace_range(..1, &said[..1].to_uppercase());
    format!("{said}.")
}

/// Says of which nodes nobody has written the code, and what stands in for it.
pub(super) fn say_unwritten(sentence: &mut String, document: &Document, project: &Path, act: Act) {
    let mut said: Vec<(&str, Vec<&str>)> = Vec::new();
    for id in unwritten(document, project) {
        let node = &document.nodes[id];
        let does = match act.of(node) {
            Act::HandOn if node.notes.declared.contains_key("reads") => {
                "what stands in for it sends on what it reads, and nothing else"
            }
            Act::HandOn => "what stands in for it sends on what it gets",
            Act::Renew => "what stands in for it makes another key when an event comes to it again",
            Act::Forget => {
                "what stands in for it answers only while its instance knows all that came before"
            }
            Act::Decide => {
                "what stands in for it accepts an event while it finds none like it where it looks"
            }
            Act::Recall => {
                "what stands in for it answers with what it kept of the first who asked by the same key"
            }
        };
        let title = document.node_title(id);
        match said.iter_mut().find(|(known, _)| *known == does) {
            Some((_, titles)) => titles.push(title),
            None => said.push((does, vec![title])),
        }
    }
    for (does, titles) in said {
        sentence.truncate(sentence.trim_end_matches('.').len());
        sentence.push_str("; ");
        sentence.push_str(&without_code(&titles));
        sentence.push_str(&format!(": {does}."));
    }
}

fn without_code(titles: &[&str]) -> String {
    let has = if titles.len() == 1 {
        "has no code yet"
    } else {
        "have no code yet"
    };
    format!("{} {has}", titles.join(" and "))
}

/// Why runs that did not show a hazard say little of it; nothing where all code is there.
pub(super) fn unseen(document: &Document, project: &Path, tried: u32) -> Option<String> {
    let nodes = unwritten(document, project).into_iter();
    let titles: Vec<&str> = nodes.map(|id| document.node_title(id)).collect();
    let runs = plural(tried as usize, "run");
    (!titles.is_empty()).then(|| {
        let no_code = without_code(&titles);
        format!("{no_code}, and {runs} with what stands in for it do not show it")
    })
}

fn fault_sentence(fault: &Fault, document: &Document, event: Option<&str>) -> String {
    let event = match event {
        Some(event) => format!("`{event}`"),
        None => format!("event {}", fault.nth + 1),
    };
    let (from, at) = match &fault.place {
        Place::Node(node) => (None, document.node_title(node).to_owned()),
        Place::Edge(edge) => match document.edges.get(edge) {
            Some(edge) => (
                Some(document.node_title(&edge.from.node).to_owned()),
                document.node_title(&edge.to.node).to_owned(),
            ),
            None => (None, edge.to_string()),
        },
    };
    let who = from.as_deref().unwrap_or(&at);
    match fault.kind {
        FaultKind::Duplicate { after_us } => match from {
            Some(from) => format!(
                "{from} hands {event} to {at} once more after {}",
                time(after_us)
            ),
            None => format!("{event} comes to {at} once more after {}", time(after_us)),
        },
        FaultKind::Replay { back: 0 } => format!("{who} sends {event} to be read once more"),
        FaultKind::Replay { back } => {
            format!("{who} goes back and sends {event} and up to {back} before it once more")
        }
        FaultKind::Lose => format!("{event} is dropped on the way to {at}"),
        FaultKind::Delay { by_us } => format!("{event} comes to {at} later by {}", time(by_us)),
        FaultKind::Late { by_us } => format!("{event} comes in at {at} later by {}", time(by_us)),
        FaultKind::Crash(point) => {
            let when = match point {
                Point::BeforeEffect => "before it has done anything with",
                Point::BeforeAck => "when it has worked and before anybody is told of",
                Point::AfterAck => "when it is done with",
            };
            format!("{at} breaks down {when} {event}")
        }
        FaultKind::Slow { times } => {
            format!("{at} takes {times} times as long from {event} on")
        }
        FaultKind::Refuse => format!("{at} can never handle {event}"),
        FaultKind::Recycle => format!("{at} begins anew after {event}, without its memory"),
        FaultKind::Clock { ms } => {
            let way = if ms < 0 { "back" } else { "ahead" };
            let by = time(ms.unsigned_abs() * 1_000);
            format!("the clock of {at} is {by} {way} from {event} on")
        }
    }
}

fn wrong(document: &Document, finding: &Finding) -> String {
    let node = NodeId::from(finding.at.as_str());
    let at = if document.nodes.contains_key(&node) {
        document.node_title(&node).to_owned()
    } else {
        format!("the {}", finding.at)
    };
    let (observed, expected) = (short(&finding.observed), short(&finding.expected));
    match (&finding.observed, &finding.expected) {
        (observed, Value::Null) if *observed != Value::Null => {
            format!(
                "In the end {at} has {}, which should not be.",
                short(observed)
            )
        }
        (Value::Null, _) => format!("In the end {at} lacks {expected}."),
        // What is right is said in words where no value is.
        (_, Value::Str(words)) if words.contains(' ') => {
            format!("In the end {at} has {observed}; right would be: {words}.")
        }
        _ => format!("In the end {at} has {observed}, and should have {expected}."),
    }
}

/// What has to go wrong, in a few words.
pub(super) fn circumstances(scenario: &Scenario) -> String {
    let mut words: Vec<String> = Vec::new();
    for sort in Sort::ALL.into_iter().chain([Sort::Refuse]) {
        let faults = scenario.faults.iter();
        let of: Vec<&Fault> = faults.filter(|fault| fault.kind.sort() == sort).collect();
        if let Some(first) = of.first() {
            let what = match sort {
                Sort::Duplicate => "a copy",
                Sort::Replay => "a replay",
                Sort::Lose => "a loss",
                Sort::Delay => "a delay",
                Sort::Late => "a late fact",
                Sort::Crash => "a crash",
                Sort::Recycle => "a new instance",
                Sort::Clock => "a wrong clock",
                Sort::Partitions => "other partitions",
                Sort::Slow => "a slow call",
                Sort::Refuse => "an event that cannot be handled",
            };
            let place = match &first.place {
                Place::Node(node) => format!("at {node}"),
                Place::Edge(edge) => format!("on {edge}"),
            };
            words.push(format!("{what} {place}"));
        }
    }
    if let Some(count) = scenario.partitions {
        words.push(plural(count as usize, "partition"));
    }
    words.join(" and ")
}

/// The node at which a fault is noted.
fn struck(place: &Place, document: &Document) -> Option<NodeId> {
    match place {
        Place::Node(node) => Some(node.clone()),
        Place::Edge(edge) => document.edges.get(edge).map(|edge| edge.to.node.clone()),
    }
}

fn short(value: &Value) -> String {
    let text = value.to_json();
    if text.chars().count() <= VALUE_MAX {
        return text;
    }
    let mut cut: String = text.chars().take(VALUE_MAX).collect();
    cut.push('…');
    cut
}

fn time(us: u64) -> String {
    match us {
        0..1_000 => format!("{us} us"),
        1_000..1_000_000 => format!("{} ms", us / 1_000),
        1_000_000..3_600_000_000 => format!("{} s", us / 1_000_000),
        _ => format!("{} h", us / 3_600_000_000),
    }
}
