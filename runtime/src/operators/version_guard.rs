//! Version guard: nothing older than what has passed.

use std::cmp::Ordering;

use graph_model::catalog::{Behaviour, Family, FieldSpec, FieldType, JqRole, KindSpec, PortSpec};
use graph_model::event::Event;
use graph_model::value::Value;
use runtime_protocol::Problem;

use crate::delivery::{Share, Standing, Watch};
use crate::kind::{Build, Kind, Make};
use crate::operator::{Context, Failure, Operator, Output};
use crate::operators::expression::Expression;
use crate::operators::keyed::Keyed;

pub(crate) fn kind() -> Kind {
    Kind {
        spec: spec(),
        make: Make::Operator(make),
    }
}

fn make(build: &Build) -> Result<Box<dyn Operator>, Problem> {
    Ok(Box::new(VersionGuard {
        key: Expression::of_field(build, "key")?,
        version: Expression::of_field(build, "version")?,
        newest: Keyed::new(build.whole("capacity")? as usize),
    }))
}

struct VersionGuard {
    key: Expression,
    version: Expression,
    newest: Keyed<Newest>,
}

/// The greatest version of a key so far.
struct Newest {
    version: Value,
    /// The delivery that brought it, until it is known to be safe.
    watch: Option<Watch>,
}

impl Operator for VersionGuard {
    fn on_event(&mut self, event: Event, _input: usize, ctx: &Context<'_>, out: &mut Output) {
        match self.passes(&event, ctx) {
            Ok(true) => out.emit(OUT, event),
            Ok(false) => out.emit(STALE, event),
            Err(failure) => out.fail(event, failure),
        }
    }
}

const OUT: u16 = 0;
const STALE: u16 = 1;

impl VersionGuard {
    fn passes(&mut self, event: &Event, ctx: &Context<'_>) -> Result<bool, Failure> {
        let key = self.key.key(event, ctx)?;
        let version = self.version.number(event, ctx)?;
        let (newest, _) = self.newest.touch(&key, || Newest {
            version: Value::Null, // less than every number
            watch: None,
        });
        let passes = match version.cmp(&newest.version) {
            Ordering::Greater => true,
            Ordering::Equal => newest.comes_again(ctx.share),
            Ordering::Less => false,
        };
        if passes {
            newest.version = version;
            newest.watch = ctx.share.and_then(Share::watch);
        }
        Ok(passes)
    }
}

impl Newest {
    /// Whether an event of the same version comes because the first was given up. While that is
    /// under way, the copy shares its outcome.
    fn comes_again(&mut self, copy: Option<&Share>) -> bool {
        match self.watch.as_ref().map(Watch::standing) {
            Some(Standing::GivenUp) => return true,
            Some(Standing::UnderWay(first)) => {
                if let Some(copy) = copy {
                    first.lead(copy);
                }
            }
            Some(Standing::Safe) => self.watch = None,
            None => {}
        }
        false
    }
}

fn spec() -> KindSpec {
    KindSpec {
        id: "version_guard".into(),
        family: Family::Operator,
        title: "Version guard".into(),
        summary: "Lets an event pass only when it is newer than all of its key before it.".into(),
        doc: "Remembers the greatest version of each key. An event with the same or a lesser one goes to `stale`, or nowhere when nothing is wired there. A copy of an event that is still under way shares its outcome; one that comes again because it was given up passes again. Versions may leave gaps: what comes between is not waited for, and is stale when it comes. Put it in front of what keeps the last state of a key, such as a table.\n\nThe memory is kept for each partition and does not outlive the run: after a restart, the first event of a key passes, however old. When the memory is full, the key that was heard of longest ago is forgotten, and its next event passes. An event without a key, or whose version is no number, fails.".into(),
        icon: "version_guard".into(),
        inputs: vec![PortSpec::data("in", "Events to handle")],
        outputs: vec![PortSpec::data("out", "Events that are newer than all before"), PortSpec::data("stale", "Events that are not"), PortSpec::failed("Events without a usable key or version")],
        config: vec![FieldSpec::new("key", "Key", FieldType::Jq { role: JqRole::Key }, "Whose versions are compared, such as `.orderId`").required(), FieldSpec::new("version", "Version", FieldType::Jq { role: JqRole::Value }, "A number that grows with each change, such as `.version`").required(), FieldSpec::new("capacity", "Capacity", FieldType::Integer { min: 1, max: 100_000_000 }, "Keys that are remembered at most; the one that was heard of longest ago is forgotten first").default_to(1_000_000).advanced()],
        behaviour: Behaviour::VersionGuard { key: "key".into(), version: "version".into() },
        resource: None,
        since: "0.1.0".into(),
    }
}

#[cfg(test)]
mod tests {
    use graph_model::value;

    use super::*;
    use crate::operators::testing::{Bench, delivery, event};

    fn guard(more: &Value) -> Bench {
        let mut config = value!({"key": ".k", "version": ".v"});
        if let (Value::Obj(config), Some(more)) = (&mut config, more.as_object()) {
            let config = std::sync::Arc::make_mut(config);
            for (field, value) in more.iter() {
                config.insert(field.clone(), value.clone());
            }
        }
        Bench::new("version_guard", config)
    }

    #[test]
    fn only_what_is_newer_passes() {
        let mut bench = guard(&value!({}));
        for (key, version, port) in [
            ("a", value!(2), "out"),
            ("a", value!(1), "stale"),
            ("a", value!(2), "stale"),
            ("b", value!(1), "out"),
            ("a", value!(2.5), "out"),
            ("a", value!(7), "out"),
            ("a", value!(-1), "stale"),
        ] {
            let data = value!({"k": key, "v": (version)});
            let line = format!("{port} {data}");
            assert_eq!(bench.feed(data), [line]);
        }
    }

    #[test]
    fn events_without_a_key_or_version_fail() {
        let mut bench = guard(&value!({}));
        for (data, line) in [
            (
                value!({"v": 1}),
                "failed Invalid: `key`: the key is null; events without one pass elsewhere",
            ),
            (
                value!({"k": "a", "v": "1"}),
                "failed Invalid: `version`: expected a number, found a string",
            ),
            (value!({"k": "a", "v": 1}), r#"out {"k":"a","v":1}"#),
        ] {
            assert_eq!(bench.feed(data), [line]);
        }
    }

    #[test]
    fn the_key_that_was_heard_of_longest_ago_is_forgotten() {
        let mut bench = guard(&value!({"capacity": 2}));
        for (key, port) in [
            ("a", "out"),
            ("b", "out"),
            ("a", "stale"),
            ("c", "out"),
            ("b", "out"),
            ("c", "stale"),
        ] {
            let lines = bench.feed(value!({"k": key, "v": 1}));
            assert_eq!(lines, [format!(r#"{port} {{"k":"{key}","v":1}}"#)]);
        }
    }

    #[test]
    fn what_was_given_up_may_come_again() {
        let mut bench = guard(&value!({}));
        let mut port = |share: &Share| {
            let output = bench.handle(event("e", 0, value!({"k": 1, "v": 1})), share);
            output.emitted[0].0
        };
        let (first, first_heard) = delivery();
        let (copy, copy_heard) = delivery();
        assert_eq!(port(&first), OUT);
        assert_eq!(port(&copy), STALE);
        drop(copy);
        assert!(
            copy_heard.try_recv().is_err(),
            "the copy waits for the first"
        );
        assert!(first.give_up(&Failure::transient("disk full")));
        drop(first);
        assert_eq!(first_heard.try_recv(), Ok(false));
        assert_eq!(copy_heard.try_recv(), Ok(false));
        let (again, again_heard) = delivery();
        assert_eq!(port(&again), OUT);
        drop(again);
        assert_eq!(again_heard.try_recv(), Ok(true));
        assert_eq!(port(&Share::none()), STALE, "it is safe");
    }
}
