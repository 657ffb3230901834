//! Guard: each viewer sees their own rows.

use graph_model::catalog::{Behaviour, Family, FieldSpec, FieldType, KindSpec, PortSpec};
use graph_model::event::Event;
use graph_model::pointer::Pointer;
use graph_model::value::Value;
use runtime_protocol::Problem;

use crate::kind::{Build, Kind, Make};
use crate::operator::{Context, Operator, Output};

pub(crate) fn kind() -> Kind {
    Kind {
        spec: spec(),
        make: Make::Operator(make),
    }
}

fn make(build: &Build) -> Result<Box<dyn Operator>, Problem> {
    // The claim is compared where events are shown; here it only has to be there.
    build.text("claim")?;
    Ok(Box::new(Guard {
        field: build.pointer("field")?,
    }))
}

struct Guard {
    field: Pointer,
}

impl Operator for Guard {
    fn on_event(&mut self, event: Event, _input: usize, _ctx: &Context<'_>, out: &mut Output) {
        let owner = self.field.get(&event.data);
        out.emit(
            if owner.is_some_and(is_owner) {
                OUT
            } else {
                STOPPED
            },
            event,
        );
    }
}

const OUT: u16 = 0;
const STOPPED: u16 = 1;

/// Whether a claim could ever name this one and nobody else.
fn is_owner(value: &Value) -> bool {
    match value {
        Value::Str(text) => !text.trim().is_empty(),
        Value::Int(_) => true,
        Value::Float(number) => number.is_finite(),
        Value::Null | Value::Bool(_) | Value::Arr(_) | Value::Obj(_) => false,
    }
}

fn spec() -> KindSpec {
    KindSpec {
        id: "guard".into(),
        family: Family::Operator,
        title: "Guard".into(),
        summary: "Ties each event to the viewers who own it.".into(),
        doc: "Behind it an event is shown only to viewers whose claim equals the field. While events flow there is no viewer: those with an owner pass, and the claim is compared wherever they are shown. Events without an owner are stopped; an owner is a number or a text that is not empty.".into(),
        icon: "guard".into(),
        inputs: vec![PortSpec::data("in", "Events to handle")],
        outputs: vec![PortSpec::data("out", "Events with an owner"), PortSpec::data("stopped", "Events without one")],
        config: vec![FieldSpec::new("field", "Owner field", FieldType::Pointer, "Field that names the owner, such as `/patient_id`").required(), FieldSpec::new("claim", "Claim", FieldType::Text, "What the viewer must have equal to it, such as `patient_id`").required()],
        behaviour: Behaviour::Guard { field: "field".into(), claim: "claim".into() },
        resource: None,
        since: "0.1.0".into(),
    }
}

#[cfg(test)]
mod tests {
    use graph_model::value;

    use crate::operators::testing::Bench;

    #[test]
    fn only_events_with_an_owner_pass() {
        let config = value!({"field": "/patient/id", "claim": "patient_id"});
        let mut bench = Bench::new("guard", config);
        for (id, port) in [
            (value!("p-1"), "out"),
            (value!(7), "out"),
            (value!(""), "stopped"),
            (value!(null), "stopped"),
            (value!(true), "stopped"),
            (value!(["p-1"]), "stopped"),
        ] {
            let data = value!({"patient": {"id": id}});
            assert_eq!(bench.feed(data.clone()), [format!("{port} {data}")]);
        }
        assert_eq!(
            bench.feed(value!({"patient": 1})),
            [r#"stopped {"patient":1}"#]
        );
    }

    #[test]
    fn a_guard_without_a_claim_guards_nothing() {
        assert_eq!(
            Bench::refusal("guard", value!({"field": "/id"})),
            "`claim` is empty; fill it in"
        );
    }
}
