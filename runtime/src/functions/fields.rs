//! What a node says of its code beside the code: what it may use, what it may reach, how much of all.

use std::collections::BTreeSet;
use std::time::Duration;

use graph_model::catalog::{FieldSpec, FieldType, ReachKind};
use graph_model::units;
use runtime_protocol::Problem;

use super::host::{Capability, Limits};
use super::requests;
use crate::kind::Build;

/// Longest `wall_limit`: while a call lasts, an edit of the flow waits for it.
const WALL_MAX: Duration = Duration::from_mins(5);

/// What a call may use, and how long an instance lives: fields of every kind that runs code.
pub(super) fn limit_fields() -> Vec<FieldSpec> {
    let defaults = Limits::default();
    let mebibytes = |bytes: u64| format!("{} MiB", bytes >> 20);
    let kibibytes = |bytes: u64| format!("{} KiB", bytes >> 10);
    let whole = FieldType::Integer {
        min: 0,
        max: i64::from(u32::MAX),
    };
    let row = |name: &str, title: &str, ty: FieldType, doc: &str| {
        FieldSpec::new(name, title, ty, doc).advanced()
    };
    vec![
        row(
            "may_use",
            "May use",
            FieldType::Texts,
            "What its code may ask of the engine, among `output`, `logging`, `config`, `state`, `clock`, `random`, `secrets` and `http`; all that it imports when nothing is said",
        ),
        row(
            "time_limit",
            "Time limit",
            FieldType::Duration,
            "How long a call may work, without what it waits for",
        )
        .default_to("1s"),
        row(
            "memory_limit",
            "Memory limit",
            FieldType::Bytes,
            "Largest memory",
        )
        .default_to(mebibytes(defaults.memory_bytes_max)),
        row(
            "events_limit",
            "Events limit",
            whole.clone(),
            "Events that a call may send",
        )
        .default_to(i64::from(defaults.events_max)),
        row(
            "output_limit",
            "Output limit",
            FieldType::Bytes,
            "Bytes that a call may send",
        )
        .default_to(mebibytes(defaults.output_bytes_max)),
        row(
            "state_limit",
            "State limit",
            FieldType::Bytes,
            "Bytes that a call may remember",
        )
        .default_to(mebibytes(defaults.state_bytes_max)),
        row(
            "log_limit",
            "Log limit",
            FieldType::Bytes,
            "Bytes that a call may write to the log",
        )
        .default_to(kibibytes(defaults.log_bytes_max)),
        row(
            "calls_limit",
            "Calls limit",
            whole.clone(),
            "How often a call may ask the engine for something",
        )
        .default_to(i64::from(defaults.host_calls_max)),
        row(
            "keep_state",
            "Keep state",
            FieldType::Bool,
            "What it remembers outlives the run, in the folder `.weir` of the project",
        )
        .default_to(true),
        row(
            "fresh",
            "Fresh instance",
            FieldType::Bool,
            "A new instance for each event: slower, and nothing is carried over",
        )
        .default_to(false),
        row(
            "recycle",
            "Recycle after",
            whole,
            "Events after which a new instance takes over; 0 for never",
        )
        .default_to(0),
    ]
}

/// What a function may reach outside, and how far: fields of the kinds whose code can ask for it.
pub(super) fn outside_fields() -> Vec<FieldSpec> {
    let defaults = Limits::default();
    let row = FieldSpec::new;
    vec![
        row(
            "secrets",
            "Secrets",
            FieldType::Texts,
            "Environment variables that the function may read with `secrets.get`",
        )
        .reaches(ReachKind::Secret)
        .advanced(),
        row(
            requests::FIELD,
            "Hosts",
            FieldType::Texts,
            "Hosts that the function may send requests to with `http.send`, such as `https://api.example.com`",
        )
        .reaches(ReachKind::Call)
        .advanced(),
        row(
            "wall_limit",
            "Waiting limit",
            FieldType::Duration,
            "Longest call with all that it waits for, at most 5 minutes",
        )
        .default_to("10s")
        .advanced(),
        row(
            "requests_limit",
            "Requests limit",
            FieldType::Integer {
                min: 0,
                max: 10_000,
            },
            "Requests that a call may send",
        )
        .default_to(i64::from(defaults.requests_max))
        .advanced(),
        row(
            "answer_limit",
            "Answer limit",
            FieldType::Bytes,
            "Largest answer to a request",
        )
        .default_to("1 MiB")
        .advanced(),
    ]
}

/// The limits of a node.
pub(super) fn limits(build: &Build) -> Result<Limits, Problem> {
    let millis = |time: Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX).max(1);
    let mut limits = Limits {
        time_millis_max: millis(build.duration("time_limit")?),
        memory_bytes_max: build.bytes("memory_limit")?,
        events_max: small(build.whole("events_limit")?),
        output_bytes_max: build.bytes("output_limit")?,
        state_bytes_max: build.bytes("state_limit")?,
        log_bytes_max: build.bytes("log_limit")?,
        host_calls_max: small(build.whole("calls_limit")?),
        ..Limits::default()
    };
    if build.spec.field("wall_limit").is_some() {
        let wall = build.duration("wall_limit")?;
        if wall > WALL_MAX {
            return Err(build.problem(format!(
                "`wall_limit` = `{}` is out of bounds; choose at most {}",
                units::format_duration(wall),
                units::format_duration(WALL_MAX)
            )));
        }
        limits.wall_millis_max = millis(wall);
        limits.requests_max = small(build.whole("requests_limit")?);
        limits.answer_bytes_max = build.bytes("answer_limit")?;
    } else {
        // It waits for nobody.
        limits.wall_millis_max = limits.time_millis_max.saturating_add(1);
    }
    Ok(limits)
}

/// What the node lets its code ask of the engine; all that it imports when nothing is said.
pub(super) fn granted(build: &Build) -> Result<Option<BTreeSet<Capability>>, Problem> {
    let names = build.texts("may_use");
    if names.is_empty() {
        return Ok(None);
    }
    let all = names.iter().map(|name| {
        Capability::named(name.trim()).ok_or_else(|| {
            let known: Vec<&str> = Capability::ALL.iter().map(|held| held.as_str()).collect();
            build.problem(format!(
                "`may_use`: there is nothing called `{name}`; choose among {}",
                known.join(", ")
            ))
        })
    });
    all.collect::<Result<_, _>>().map(Some)
}

pub(super) fn small(number: u64) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}
