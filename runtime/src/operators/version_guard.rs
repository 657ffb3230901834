//! Version guard: nothing older than what has passed.

use graph_model::catalog::{Behaviour, Family, FieldSpec, FieldType, JqRole, KindSpec, PortSpec};
use graph_model::event::Event;
use graph_model::value::Value;
use runtime_protocol::Problem;

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
    /// The greatest version of each key so far.
    newest: Keyed<Value>,
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
        let (newest, _) = self.newest.touch(&key, || Value::Null);
        // Null is less than every number.
        let passes = version > *newest;
        if passes {
            *newest = version;
        }
        Ok(passes)
    }
}

fn spec() -> KindSpec {
    KindSpec {
        id: "version_guard".into(),
        family: Family::Operator,
        title: "Version guard".into(),
        summary: "Lets an event pass only when it is newer than all of its key before it.".into(),
        doc: "Remembers the greatest version of each key. An event with the same or a lesser one goes to `stale`, or nowhere when nothing is wired there; so do copies. Versions may leave gaps: what comes between is not waited for, and is stale when it comes. Put it in front of what keeps the last state of a key, such as a table.\n\nThe memory is kept for each partition and does not outlive the run: after a restart, the first event of a key passes, however old. When the memory is full, the key that was heard of longest ago is forgotten, and its next event passes. An event without a key, or whose version is no number, fails.".into(),
        icon: "version_guard".into(),
        inputs: vec![PortSpec::data("in", "Events to handle")],
        outputs: vec![PortSpec::data("out", "Events that are newer than all before"), PortSpec::data("stale", "Events that are not"), PortSpec::failed("Events without a usable key or version")],
        config: vec![FieldSpec::new("key", "Key", FieldType::Jq { role: JqRole::Key }, "Whose versions are compared, such as `.orderId`").required(), FieldSpec::new("version", "Version", FieldType::Jq { role: JqRole::Value }, "A number that grows with each change, such as `.version`").required(), FieldSpec::new("capacity", "Capacity", FieldType::Integer { min: 1, max: 100_000_000 }, "Keys that are remembered at most; the one that was heard of longest ago is forgotten first").default_to(1_000_000).advanced()],
        behaviour: Behaviour::VersionGuard { key: "key".into(), version: "version".into() },
        resource: None,
        since: "0.1.0".into(),
    }
}
