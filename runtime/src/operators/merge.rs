//! Merge: several streams become one.

use graph_model::catalog::{Behaviour, Family, KindSpec, PortSpec};
use graph_model::event::Event;
use runtime_protocol::Problem;

use crate::kind::{Build, Kind, Make};
use crate::operator::{Context, Operator, Output};

pub(crate) fn kind() -> Kind {
    Kind {
        spec: spec(),
        make: Make::Operator(make),
    }
}

#[expect(clippy::unnecessary_wraps, reason = "every factory may refuse")]
fn make(_build: &Build) -> Result<Box<dyn Operator>, Problem> {
    Ok(Box::new(Merge))
}

struct Merge;

impl Operator for Merge {
    fn on_event(&mut self, event: Event, _input: usize, _ctx: &Context<'_>, out: &mut Output) {
        out.emit(0, event);
    }
}

fn spec() -> KindSpec {
    KindSpec {
        id: "merge".into(),
        family: Family::Operator,
        title: "Merge".into(),
        summary: "Joins several streams into one.".into(),
        doc: "Events pass in the order in which they arrive; between streams there is no order."
            .into(),
        icon: "merge".into(),
        inputs: vec![PortSpec::data("in", "Streams to join")],
        outputs: vec![PortSpec::data("out", "All events")],
        config: vec![],
        behaviour: Behaviour::Merge,
        resource: None,
        since: "0.1.0".into(),
    }
}

#[cfg(test)]
mod tests {
    use graph_model::value;

    use crate::operators::testing::Bench;

    #[test]
    fn everything_passes() {
        let mut bench = Bench::new("merge", value!({}));
        assert_eq!(bench.feed(value!({"n": 2})), [r#"out {"n":2}"#]);
    }
}
