//! Fold: a state for each group, which every event moves on.

use std::sync::Arc;

use graph_model::catalog::{Behaviour, Family, FieldSpec, FieldType, JqRole, KindSpec, PortSpec};
use graph_model::event::Event;
use graph_model::value;
use graph_model::value::Value;
use runtime_protocol::Problem;
use rustc_hash::FxHashMap;
use smol_str::{SmolStr, format_smolstr};

use crate::kind::{Build, Kind, Make};
use crate::operator::{Context, Failure, Operator, Output};
use crate::operators::expression::Expression;
use crate::operators::result::{result, result_id};

pub(crate) fn kind() -> Kind {
    Kind {
        spec: spec(),
        make: Make::Operator(make),
    }
}

fn make(build: &Build) -> Result<Box<dyn Operator>, Problem> {
    Ok(Box::new(Fold {
        node: SmolStr::from(build.id.as_str()),
        group: Expression::of_optional(build, "group")?,
        initial: build.value("initial").cloned().unwrap_or_default(),
        step: Expression::of_field(build, "step")?,
        groups_max: build.whole("groups")? as usize,
        groups: FxHashMap::default(),
    }))
}

struct Fold {
    node: SmolStr,
    group: Option<Expression>,
    initial: Value,
    step: Expression,
    groups_max: usize,
    groups: FxHashMap<Value, Group>,
}

struct Group {
    state: Value,
    /// Events that were folded.
    seen: u64,
}

impl Operator for Fold {
    fn on_event(&mut self, event: Event, _input: usize, ctx: &Context<'_>, out: &mut Output) {
        match self.fold(&event, ctx) {
            Ok(result) => out.emit(0, result),
            Err(failure) => out.fail(event, failure),
        }
    }
}

/// Type of the events that folds send.
const RESULT_TYPE: SmolStr = SmolStr::new_static("fold");

impl Fold {
    fn fold(&mut self, event: &Event, ctx: &Context<'_>) -> Result<Event, Failure> {
        let group = self.group.as_ref();
        let key = group.map_or(Ok(Value::Null), |group| group.value(event, ctx))?;
        let held = self.groups.get(&key);
        if held.is_none() && self.groups.len() >= self.groups_max {
            let limit = self.groups_max;
            return Err(Failure::transient(format_smolstr!(
                "all {limit} groups are taken; raise `groups`, or group by less"
            )));
        }
        let before = held.map_or(&self.initial, |group| &group.state);
        let state = self.step.next(event, before, ctx)?;
        let group = self.groups.entry(key.clone()).or_insert(Group {
            state: Value::Null,
            seen: 0,
        });
        group.state = state.clone();
        group.seen += 1;
        let id = result_id(&self.node, &key, group.seen, ctx);
        let data = value!({"key": key, "state": state});
        let cause = Arc::clone(&event.context);
        Ok(result(
            &self.node,
            RESULT_TYPE,
            &cause,
            id,
            cause.time_ms,
            data,
        ))
    }
}

fn spec() -> KindSpec {
    KindSpec {
        id: "fold".into(),
        family: Family::Operator,
        title: "Fold".into(),
        summary: "Moves the state of a group on with each event, and sends it.".into(),
        doc: "A jq expression makes the next state of a group from the event (`.`) and the state so far (`$state`): a running balance, a state machine, the last value of each field. After every event the node sends the `key` and the new `state`, an update of the one before. Events are folded in the order in which they arrive, late ones and copies like all others.\n\nAn event that the expression cannot handle fails, and leaves the state as it was; so does one of a further group when there are `groups` already. A state may be as large as a result of an expression. States are kept for each partition and do not outlive the run: after a restart every group begins with `initial`.".into(),
        icon: "fold".into(),
        inputs: vec![PortSpec::data("in", "Events to handle")],
        outputs: vec![PortSpec::data("out", "The state after each event"), PortSpec::failed("Events that could not be folded")],
        config: vec![FieldSpec::new("group", "Group by", FieldType::Jq { role: JqRole::Key }, "Events with the same key have a state together; empty folds all into one"), FieldSpec::new("initial", "First state", FieldType::Json, "The state of a group before its first event"), FieldSpec::new("step", "Next state", FieldType::Jq { role: JqRole::Step }, "Such as `($state // 0) + .amount`").required(), FieldSpec::new("groups", "Groups", FieldType::Integer { min: 1, max: 1_000_000_000 }, "Groups that are held at most; events of further ones fail").default_to(10_000_000).advanced()],
        behaviour: Behaviour::Fold { group: "group".into(), step: "step".into(), initial: "initial".into() },
        resource: None,
        since: "0.1.0".into(),
    }
}

#[cfg(test)]
mod tests {
    use graph_model::event::extension;

    use super::*;
    use crate::delivery::Share;
    use crate::operators::testing::{Bench, event};

    #[test]
    fn each_event_moves_the_state_of_its_group_on() {
        let config = value!({"group": ".k", "initial": 10, "step": "$state + .v"});
        let mut bench = Bench::new("fold", config);
        for (data, line) in [
            (value!({"k": "a", "v": 1}), r#"out {"key":"a","state":11}"#),
            (value!({"k": "b", "v": 5}), r#"out {"key":"b","state":15}"#),
            (
                value!({"k": "a", "v": "x"}),
                "failed Invalid: `step`: cannot calculate 11 + \"x\"",
            ),
            (value!({"k": "a", "v": 2}), r#"out {"key":"a","state":13}"#),
            (value!({"v": 2}), r#"out {"key":null,"state":12}"#),
        ] {
            assert_eq!(bench.feed(data), [line]);
        }
        assert_eq!(bench.end(), [""; 0]);
    }

    #[test]
    fn a_state_may_be_a_machine() {
        let step = r#"
            if $state == null and .is == "placed" then "open"
            elif $state == "open" and .is == "paid" then "paid"
            else error("\(.is) when \($state)") end"#;
        let mut bench = Bench::new("fold", value!({"step": step}));
        for (is, line) in [
            ("placed", r#"out {"key":null,"state":"open"}"#),
            ("placed", "failed Invalid: `step`: placed when open"),
            ("paid", r#"out {"key":null,"state":"paid"}"#),
        ] {
            assert_eq!(bench.feed(value!({"is": is})), [line]);
        }
    }

    #[test]
    fn fields_of_the_state_can_be_read_alone() {
        let config = value!({"initial": {"n": 0}, "step": "{n: ($state.n + 1), id: $event.id}"});
        let mut bench = Bench::new("fold", config);
        bench.feed(value!(null));
        assert_eq!(
            bench.feed(value!(null)),
            [r#"out {"key":null,"state":{"id":"e2","n":2}}"#]
        );
    }

    #[test]
    fn results_say_who_and_why_they_are() {
        let mut bench = Bench::new("fold", value!({"group": ".", "step": "1"}));
        bench.feed(value!("a"));
        let output = bench.handle(event("e2", 70, value!("a")), &Share::none());
        let context = &output.emitted[0].1.context;
        assert_eq!((&*context.id, &*context.source), ("node/a/2", "node"));
        assert_eq!((&*context.ty, context.time_ms), ("fold", 70));
        assert_eq!(context.extensions[extension::CAUSATION], "e2");
    }

    #[test]
    fn there_is_room_for_so_many_groups_only() {
        let config = value!({"group": ".", "step": "($state // 0) + 1", "groups": 1});
        let mut bench = Bench::new("fold", config);
        for (key, line) in [
            ("a", r#"out {"key":"a","state":1}"#),
            (
                "b",
                "failed Transient: all 1 groups are taken; raise `groups`, or group by less",
            ),
            ("a", r#"out {"key":"a","state":2}"#),
        ] {
            assert_eq!(bench.feed(value!(key)), [line]);
        }
    }

    #[test]
    fn only_a_step_sees_the_state() {
        let config = value!({"group": "$state", "step": "1"});
        assert!(Bench::refusal("fold", config).contains("1:1:"));
        let mut bench = Bench::new("fold", value!({"step": "[$state, $now]"}));
        bench.now_ms = 2_500;
        assert_eq!(
            bench.feed(value!({})),
            [r#"out {"key":null,"state":[null,2.5]}"#]
        );
    }
}
