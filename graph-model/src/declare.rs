//! What people may declare of nodes and event types, so that the validator need not guess.
//!
//! Each row is a form field like those of the catalog. Nothing here changes how a flow runs; only
//! simulations take the time that is declared of a call.

use std::sync::LazyLock;

use crate::catalog::{Family, FieldSpec, FieldType, JqRole};

/// Something that can be declared.
#[derive(Clone, Debug)]
pub struct Declaration {
    pub field: FieldSpec,
    /// What it can be declared of.
    pub places: &'static [Place],
}

/// What a declaration is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    Node(Family),
    Type,
}

impl Place {
    pub fn is_node(self) -> bool {
        self != Place::Type
    }
}

/// Everything that can be declared, in the order of forms.
pub static DECLARATIONS: LazyLock<Vec<Declaration>> = LazyLock::new(|| {
    let mut all = load();
    all.extend(trust());
    all.extend(promises());
    all.extend(state());
    all.extend(cards());
    all.extend(types());
    all
});

/// What a flow as a whole may take: the entries of its section `budgets`, in the order of forms.
pub static BUDGETS: LazyLock<Vec<FieldSpec>> = LazyLock::new(|| {
    let row = FieldSpec::new;
    vec![
        row(
            "descendants",
            "Descendants",
            COUNT,
            "Into how many events one event from outside may be multiplied",
        ),
        row(
            "retry_factor",
            "Tries",
            COUNT,
            "How often one call may be tried at most, all who retry taken together",
        ),
        row(
            "concurrency",
            "Concurrency",
            COUNT,
            "Calls that may be under way at once, in all nodes together",
        ),
        row(
            "per_event",
            "Cost of an event",
            POSITIVE,
            "What one event from outside may cost with all that follows from it, in the currency of the prices",
        ),
        row(
            "latency",
            "Latency at most",
            FieldType::Duration,
            "How soon after an event its effects must be there, where a sink says nothing of its own",
        ),
        row(
            "payload",
            "Payload at most",
            FieldType::Bytes,
            "Largest event of a channel that says nothing of its own",
        ),
    ]
});

/// The declarations that fit a place which `fits`.
pub fn fields(fits: impl Fn(Place) -> bool) -> Vec<FieldSpec> {
    let fitting = DECLARATIONS
        .iter()
        .filter(|row| row.places.iter().any(|place| fits(*place)));
    fitting.map(|row| row.field.clone()).collect()
}

/// Everything that can be declared of nodes.
pub(crate) fn of_nodes() -> &'static [FieldSpec] {
    static FIELDS: LazyLock<Vec<FieldSpec>> = LazyLock::new(|| fields(Place::is_node));
    &FIELDS
}

const SOURCE: Place = Place::Node(Family::Source);
const CHANNEL: Place = Place::Node(Family::Channel);
const OPERATOR: Place = Place::Node(Family::Operator);
const FUNCTION: Place = Place::Node(Family::Function);
const SINK: Place = Place::Node(Family::Sink);

const POSITIVE: FieldType = FieldType::Number {
    min: 0.0,
    max: 1e15,
};
const COUNT: FieldType = FieldType::Integer {
    min: 1,
    max: 1_000_000_000,
};

fn row(name: &str, title: &str, ty: FieldType, places: &'static [Place], doc: &str) -> Declaration {
    Declaration {
        field: FieldSpec::new(name, title, ty, doc),
        places,
    }
}

/// Rates, durations, sizes, prices.
fn load() -> Vec<Declaration> {
    vec![
        row(
            "rate",
            "Rate",
            POSITIVE,
            &[SOURCE],
            "Events a second, on average",
        ),
        row(
            "peak",
            "Peak rate",
            POSITIVE,
            &[SOURCE],
            "Events a second in the busiest minute",
        ),
        row(
            "max_delay",
            "Delay at most",
            FieldType::Duration,
            &[SOURCE],
            "How long after its time an event may arrive",
        ),
        row(
            "silent",
            "May fall silent",
            FieldType::Bool,
            &[SOURCE],
            "Whether no event may come for long although all is well",
        ),
        row(
            "duration",
            "Duration",
            FieldType::Duration,
            &[FUNCTION, SINK, OPERATOR],
            "Time of one call that 99 of 100 stay below",
        ),
        row(
            "duration_mean",
            "Mean duration",
            FieldType::Duration,
            &[FUNCTION, SINK, OPERATOR],
            "Time of one call on average",
        ),
        row(
            "spread",
            "Spread of durations",
            FieldType::choice(&["fixed", "exponential", "uniform", "lognormal"]),
            &[FUNCTION, SINK, OPERATOR],
            "How the times of calls lie around their mean when the flow is simulated",
        ),
        row(
            "instances",
            "Instances",
            COUNT,
            &[FUNCTION, SINK, CHANNEL],
            "How many work at once at most",
        ),
        row(
            "batch",
            "Batch",
            COUNT,
            &[FUNCTION, SINK, CHANNEL],
            "Events that one call takes at most",
        ),
        row(
            "partial_ack",
            "Partial acknowledgement",
            FieldType::Bool,
            &[CHANNEL, FUNCTION],
            "Whether the good events of a failed batch stay done",
        ),
        row(
            "gain",
            "Gain",
            POSITIVE,
            &[FUNCTION, OPERATOR],
            "Events out for one event in, at most",
        ),
        row(
            "growth",
            "Growth",
            POSITIVE,
            &[FUNCTION, OPERATOR],
            "Size of what comes out by the size of what goes in, at most",
        ),
        row(
            "memory",
            "Memory",
            FieldType::Bytes,
            &[FUNCTION, OPERATOR],
            "Memory of one instance",
        ),
        row(
            "payload_limit",
            "Payload limit",
            FieldType::Bytes,
            &[CHANNEL, SINK],
            "Largest event that the channel takes",
        ),
        row(
            "hot_key",
            "Share of the hottest key",
            FieldType::Number { min: 0.0, max: 1.0 },
            &[CHANNEL, OPERATOR],
            "Part of all events that have the most frequent key",
        ),
        row(
            "keys",
            "Keys",
            COUNT,
            &[CHANNEL, OPERATOR],
            "How many different keys there are",
        ),
        row(
            "partition_rate",
            "Rate of a partition",
            POSITIVE,
            &[CHANNEL, SINK],
            "Events a second that one partition takes at most",
        ),
        row(
            "partitions_max",
            "Partitions at most",
            COUNT,
            &[CHANNEL],
            "How far the number of partitions may grow while it runs",
        ),
        row(
            "price",
            "Price",
            POSITIVE,
            &[SOURCE, CHANNEL, OPERATOR, FUNCTION, SINK],
            "Cost of a million events, in the currency of the budgets",
        ),
        row(
            "cold_start",
            "Cold start",
            FieldType::Duration,
            &[FUNCTION],
            "Time until a new instance answers",
        ),
        row(
            "keep_alive",
            "Kept warm for",
            FieldType::Duration,
            &[FUNCTION],
            "How long an idle instance stays",
        ),
        row(
            "provisioned",
            "Provisioned instances",
            COUNT,
            &[FUNCTION],
            "Instances that are always warm",
        ),
        row(
            "latency",
            "Latency at most",
            FieldType::Duration,
            &[SINK],
            "How soon after an event its effect must be there",
        ),
    ]
}

/// Who may send, who acts, what must be checked.
fn trust() -> Vec<Declaration> {
    vec![
        row(
            "publishers",
            "Publishers",
            FieldType::Texts,
            &[SOURCE, CHANNEL],
            "Roles that may send here; empty for everybody",
        ),
        row(
            "principal",
            "Principal",
            FieldType::Pointer,
            &[SOURCE],
            "Field that the source fills with who is logged in; senders cannot choose it",
        ),
        row(
            "acts_on",
            "Acts on",
            FieldType::Pointer,
            &[FUNCTION, SINK],
            "Field that says whose data is touched",
        ),
        row(
            "sensitive",
            "Sensitive fields",
            FieldType::Pointers,
            &[FUNCTION, SINK],
            "Fields that reach a query, template, path, amount or master record",
        ),
        row(
            "reads",
            "Reads",
            FieldType::Pointers,
            &[FUNCTION, SINK],
            "Fields that the code looks at; all of them when empty",
        ),
    ]
}

/// What must hold, and what is given up.
fn promises() -> Vec<Declaration> {
    vec![
        row(
            "retention",
            "Retention",
            FieldType::Duration,
            &[CHANNEL, SINK],
            "How long events can be read again",
        ),
        row(
            "compacted",
            "Compacted",
            FieldType::Bool,
            &[CHANNEL],
            "Whether only the last event of each key is kept",
        ),
        row(
            "may_lose",
            "May lose events",
            FieldType::Bool,
            &[SOURCE, CHANNEL, FUNCTION],
            "Whether events can vanish here without a trace, as when it answers before they are safe",
        ),
        row(
            "exactly_once",
            "Exactly once",
            FieldType::Bool,
            &[CHANNEL, SINK],
            "Whether what happens behind is claimed to happen once",
        ),
        row(
            "must_not_lose",
            "Must not lose",
            FieldType::Bool,
            &[SINK, CHANNEL],
            "Whether every event has to arrive",
        ),
        row(
            "irrevocable",
            "Cannot be taken back",
            FieldType::Bool,
            &[SINK],
            "Whether what happens here stays done",
        ),
        row(
            "invariant",
            "Invariant",
            FieldType::Jq {
                role: JqRole::Predicate,
            },
            &[SINK],
            "What is true of everything that it holds once nothing is under way, such as `.balance >= 0`; simulations and tests check it",
        ),
        row(
            "atomic",
            "Atomic group",
            FieldType::Text,
            &[SINK, CHANNEL],
            "Name of the transaction in which it is written together with others",
        ),
        row(
            "compensates",
            "Compensates",
            FieldType::Text,
            &[SINK],
            "Node whose effect this one takes back",
        ),
        row(
            "can_refuse",
            "Can refuse for good",
            FieldType::Bool,
            &[SINK],
            "Whether it may fail in a way that trying again does not mend",
        ),
        row(
            "forgets",
            "Forgets by",
            FieldType::choice(&["nothing", "deletion", "key"]),
            &[SINK, CHANNEL],
            "How the data of one person is erased: not at all, row by row, or by destroying their key",
        ),
    ]
}

/// What code remembers.
fn state() -> Vec<Declaration> {
    vec![
        row(
            "state",
            "State",
            FieldType::choice(&["none", "cache", "instance", "keyed"]),
            &[FUNCTION],
            "What the code remembers between events, and where",
        ),
        row(
            "cache_key",
            "Key of the cache",
            FieldType::Jq { role: JqRole::Key },
            &[FUNCTION],
            "By what it finds again what it remembers",
        ),
        row(
            "state_ttl",
            "Remembers for",
            FieldType::Duration,
            &[FUNCTION, OPERATOR],
            "After which time state is dropped",
        ),
        row(
            "reads_from",
            "Looks into",
            FieldType::Text,
            &[FUNCTION, OPERATOR],
            "Table or view that it decides on",
        ),
        row(
            "replayed",
            "Rebuilt by replay",
            FieldType::Bool,
            &[FUNCTION, OPERATOR],
            "Whether its state is made anew from the events",
        ),
        row(
            "snapshots",
            "Keeps snapshots",
            FieldType::Bool,
            &[FUNCTION, OPERATOR],
            "Whether a rebuild can begin at a saved state",
        ),
        row(
            "pool",
            "Connections",
            COUNT,
            &[FUNCTION],
            "Database connections that one instance opens",
        ),
        row(
            "connections",
            "Connections at most",
            COUNT,
            &[SINK],
            "Connections that the store takes",
        ),
    ]
}

/// Who looks after what.
fn cards() -> Vec<Declaration> {
    vec![
        row(
            "metric",
            "Metric",
            FieldType::Text,
            &[SINK],
            "Name of the number that is shown here",
        ),
        row(
            "owner",
            "Owner",
            FieldType::Text,
            &[SINK, CHANNEL],
            "Who answers for it",
        ),
        row(
            "definition",
            "Definition",
            FieldType::LongText,
            &[SINK],
            "What the number means",
        ),
        row(
            "freshness",
            "Freshness",
            FieldType::Duration,
            &[SINK],
            "How old the number may be",
        ),
        row(
            "watched_by",
            "Watched by",
            FieldType::Text,
            &[SINK, CHANNEL],
            "Alarm or person that notices what arrives here",
        ),
        row(
            "propagates",
            "Keeps the correlation",
            FieldType::Bool,
            &[FUNCTION, SINK, SOURCE],
            "Whether the correlation id reaches what comes behind",
        ),
    ]
}

/// What holds for all events of a type.
fn types() -> Vec<Declaration> {
    const TYPE: &[Place] = &[Place::Type];
    vec![
        row(
            "stands_for",
            "Stands for",
            FieldType::choice(&["fact", "version", "snapshot"]),
            TYPE,
            "Whether an event is something that happened, the new version of a thing, or the state of all of it",
        ),
        row(
            "owner",
            "Owner",
            FieldType::Text,
            TYPE,
            "Zone whose data it is",
        ),
        row(
            "contract",
            "Contract",
            FieldType::Bool,
            TYPE,
            "Whether it is published for others to rely on",
        ),
        row(
            "master",
            "Master data",
            FieldType::Bool,
            TYPE,
            "Whether only the owner may write it",
        ),
        row(
            "size_max",
            "Size at most",
            FieldType::Bytes,
            TYPE,
            "Largest payload",
        ),
        row(
            "erase_within",
            "Erase within",
            FieldType::Duration,
            TYPE,
            "Time in which a person's data must be gone after they ask",
        ),
        row(
            "history",
            "Older types",
            FieldType::Texts,
            TYPE,
            "Event types that this one replaced and that can still be read from logs",
        ),
        row(
            "compatibility",
            "Compatibility",
            FieldType::choice(&["none", "backward", "forward", "full"]),
            TYPE,
            "Which of new readers and old events, old readers and new events must go together",
        ),
        row(
            "correlation",
            "Correlation",
            FieldType::Pointer,
            TYPE,
            "Field that says which events belong to one case, from the first click to the last effect",
        ),
        row(
            "unique",
            "Unique fields",
            FieldType::Pointers,
            TYPE,
            "Fields that are different in every fact, besides the id",
        ),
        row(
            "spaces",
            "Numberings",
            FieldType::Table,
            TYPE,
            "By field, whose numbering an id is of: the same text is somebody else in another one",
        ),
        row(
            "clocks",
            "Time zones",
            FieldType::Table,
            TYPE,
            "By field, the zone of times that do not name their own, such as `UTC`",
        ),
        row(
            "caseless",
            "Fields without case",
            FieldType::Pointers,
            TYPE,
            "Fields in which capital and small letters mean the same",
        ),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_said_once_for_each_place() {
        for place in [SOURCE, CHANNEL, OPERATOR, FUNCTION, SINK, Place::Type] {
            let mut names: Vec<_> = fields(|held| held == place)
                .into_iter()
                .map(|field| field.name)
                .collect();
            let count = names.len();
            names.sort();
            names.dedup();
            assert_eq!(names.len(), count, "{place:?}");
        }
    }

    #[test]
    fn budgets_are_documented() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/specs/flow-format.md");
        let page = std::fs::read_to_string(path).expect("the format is described");
        for budget in BUDGETS.iter() {
            let row = format!("| `{}` | {} |", budget.name, budget.doc);
            assert!(page.contains(&row), "the page lacks: {row}");
        }
    }
}
