//! What the validator may assume of a kind: its transfer of facts, in terms of config fields.
//!
//! A behaviour names the *config fields* that hold its parameters, so that two kinds which behave
//! alike share one transfer function and a new kind is analysed without touching the validator.

use serde::{Deserialize, Serialize};
use smol_str::SmolStr;

/// How facts pass through a node. `SmolStr`s are names of config fields unless said otherwise.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "does")]
pub enum Behaviour {
    /// Brings events in from outside. `ty` names the event type they have.
    Source {
        ty: SmolStr,
        delivery: Delivery,
        keyed_by_id: bool,
    },
    /// Competing consumers, redelivery, no order. `fifo` names a key field when order per group is
    /// kept, `concurrency` how many instances work behind it.
    Queue {
        fifo: Option<SmolStr>,
        concurrency: SmolStr,
    },
    /// One independent copy for each subscription.
    Topic,
    /// Partitioned by a key, ordered within a partition, resumed from an offset. `transactional` (a
    /// flag): what a delivery sends here can be read only once that is settled well.
    Log {
        key: SmolStr,
        partitions: SmolStr,
        transactional: SmolStr,
    },
    /// One event in, one out; the expression makes the new payload.
    Map { expr: SmolStr },
    /// Lets an event pass when the predicate holds.
    Filter { predicate: SmolStr },
    /// One output port per entry of a table of predicates, and one for the rest (a port name).
    Route { routes: SmolStr, otherwise: SmolStr },
    /// One event in, any number out: the elements of the expression's result.
    Split { expr: SmolStr },
    /// Several streams become one.
    Merge,
    /// Moves events to the partition of their key.
    Repartition { key: SmolStr, partitions: SmolStr },
    /// Drops events whose key was seen before.
    Dedupe { key: SmolStr, ttl: SmolStr },
    /// Folds events of a group into one result per window. `aggregates` is a list of records with
    /// the fields `name`, `function` and `of`.
    Aggregate {
        group: SmolStr,
        aggregates: SmolStr,
        window: SmolStr,
    },
    /// Removes or replaces fields (a list of pointers). `how` is `remove`, `mask` or `hash`; a hash can
    /// be guessed, so it keeps the label.
    Redact { fields: SmolStr, how: SmolStr },
    /// Lets an event pass only when the viewer's claim equals a field of it.
    Guard { field: SmolStr, claim: SmolStr },
    /// Adapts one event type to another by a mapping. `target` names the event type that comes out.
    Mediate { expr: SmolStr, target: SmolStr },
    /// Code that cannot be looked into. `ty` names the event type that its ordinary outputs have, `types`
    /// those of single ports (a table by port). What the code sends has that shape: the engine takes
    /// nothing else of it. `uses` names a list of what the code may ask of the engine, which gives it
    /// nothing else; `fresh` a flag: each event gets an instance of its own. `hosts` names a list of those
    /// that it may send requests to.
    Opaque {
        ty: Option<SmolStr>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        types: Option<SmolStr>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        uses: Option<SmolStr>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        fresh: Option<SmolStr>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        hosts: Option<SmolStr>,
    },
    /// Keyed rows. `mode` is `upsert`, `append` or `compare_and_set`; `key` and `version` are
    /// expressions. `compare_and_set` writes a row only when its version is greater than the stored one.
    Table {
        mode: SmolStr,
        key: SmolStr,
        version: SmolStr,
    },
    /// Something that somebody looks at or reads.
    Observe { observation: Observation },
    /// A call that cannot be taken back. `key` is the idempotency key, when there is one.
    Effect { key: SmolStr },
    /// Where given-up events are kept.
    DeadLetter,
    /// Matches events of the first input with events of the second whose key is the same. `left`,
    /// `right`: their keys; `within`: how far apart in time; `unique`: which side has each key once
    /// (`none`, `left`, `right` or `both`). Makes `{left, right}`.
    Join {
        left: SmolStr,
        right: SmolStr,
        within: SmolStr,
        unique: SmolStr,
    },
    /// Adds to events of the first input, in the field `into`, the row of the second input that has
    /// their key. `key`, `row_key`: the keys; `as_of`: whether the row that held at the event's time is
    /// taken (a flag).
    Enrich {
        key: SmolStr,
        row_key: SmolStr,
        into: SmolStr,
        as_of: SmolStr,
    },
    /// Folds the events of a group by an expression over `$state` and the event, and sends the new
    /// state as `{key, state}`.
    Fold {
        group: SmolStr,
        step: SmolStr,
        initial: SmolStr,
    },
    /// Counts the events of a group and sends what that means, once. `claim` is `at_least`,
    /// `fewer_than` or `absent`; `wait` is `no`, `window` or `seal`; an event of the second input seals
    /// the group of its `seal_key`.
    Decide {
        group: SmolStr,
        seal_key: SmolStr,
        claim: SmolStr,
        wait: SmolStr,
    },
    /// Sends the events of a key in the order of their versions; waits for gaps.
    Resequence { key: SmolStr, version: SmolStr },
    /// Lets an event pass only when it is newer than all of its key before it.
    VersionGuard { key: SmolStr, version: SmolStr },
    /// Lets events pass that have the shape of the event type that `ty` names.
    Validate { ty: SmolStr },
    /// Replaces fields (a list of pointers) by tokens: the same value gives the same token.
    Tokenise { fields: SmolStr },
    /// Writes objects that are never changed; `name` is an expression.
    Bucket { name: SmolStr },
    /// Sends each change of the rows of a table, as `{op, key, before, after}`.
    Changes { ty: SmolStr },
}

/// What a source promises about its deliveries.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Delivery {
    /// The outside may send the same fact again.
    CallerRetries,
    /// Read in order from a place that can be read again after a restart.
    Resumable,
    /// Made here, once.
    Once,
}

/// What kind of place somebody looks at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Observation {
    View,
    Export,
    Console,
    /// A number that people decide by.
    Metric,
}
