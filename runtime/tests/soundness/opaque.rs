//! Stand-ins for compiled functions: rules know nothing of them but what is declared, and they make the
//! worst of it. The ids of what they send are made of that of the event, as the sandbox makes them.

use std::collections::BTreeMap;

use graph_model::event::Event;
use graph_model::value::{Object, Value};
use runtime::kind::{Build, Kind, Make};
use runtime::operator::{Context, Failure, FailureClass, Operator, Output};
use runtime_protocol::Problem;
use smol_str::{SmolStr, format_smolstr};

/// What code does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Code {
    /// Sends what it got.
    Same,
    /// Makes one text and one number of all that it got.
    Mixed,
    /// Reads nothing but the field `id`.
    Named,
    /// Sends two events for one.
    Twice,
    /// Sends some on, which depends on all that it got.
    Some,
    /// Refuses some.
    Picky,
    /// Numbers events, each instance for itself, and a copy as the event before: rules ask of code whether the
    /// order matters to it, and not whether it knows copies.
    Counted,
}

impl Code {
    pub(crate) const ALL: [Code; 7] = [
        Code::Same,
        Code::Mixed,
        Code::Named,
        Code::Twice,
        Code::Some,
        Code::Picky,
        Code::Counted,
    ];

    /// What its component is called.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Code::Same => "same",
            Code::Mixed => "mixed",
            Code::Named => "named",
            Code::Twice => "twice",
            Code::Some => "some",
            Code::Picky => "picky",
            Code::Counted => "counted",
        }
    }
}

/// All kinds, with code that needs no component.
pub(crate) fn kinds() -> Vec<Kind> {
    let mut kinds = runtime::catalog::kinds();
    for kind in kinds.iter_mut().filter(|kind| kind.spec.id == "function") {
        kind.make = Make::Operator(make);
    }
    kinds
}

fn make(build: &Build) -> Result<Box<dyn Operator>, Problem> {
    let component = build.text("component")?;
    let name = component.strip_suffix(".wasm").unwrap_or(&component);
    let known = Code::ALL.into_iter().find(|code| code.name() == name);
    let code = known.ok_or_else(|| build.problem(format!("nobody knows what {name} does")))?;
    Ok(Box::new(Opaque {
        node: build.id.as_str().into(),
        code,
        numbers: BTreeMap::new(),
    }))
}

struct Opaque {
    node: SmolStr,
    code: Code,
    /// By the id of each event.
    numbers: BTreeMap<SmolStr, i64>,
}

impl Operator for Opaque {
    fn on_event(&mut self, event: Event, _input: usize, _ctx: &Context<'_>, out: &mut Output) {
        let node = &self.node;
        let mut send = |number: usize, data: Value| {
            let id = format_smolstr!("{}/{node}.{number}", event.context.id);
            out.emit(0, event.derive(id, data));
        };
        let id = event.data.get("id").cloned().unwrap_or_default();
        let (text, number) = told(&event.data);
        let chosen = text.bytes().map(u64::from).sum::<u64>() % 2 == 0;
        match self.code {
            Code::Some if !chosen => {}
            Code::Picky if !chosen => {
                let class = FailureClass::Invalid;
                let message = "the function refused the event: it is odd".into();
                out.fail(event, Failure { class, message });
            }
            Code::Same | Code::Some | Code::Picky => send(0, event.data.clone()),
            Code::Mixed => send(
                0,
                object([("id", id), ("text", text.into()), ("number", number)]),
            ),
            Code::Named => send(0, object([("id", id)])),
            Code::Twice => {
                for part in 1..=2 {
                    let mut data = event.data.as_object().cloned().unwrap_or_default();
                    data.insert("part", Value::Int(part));
                    send(part as usize, data.into());
                }
            }
            Code::Counted => {
                let next = 1 + self.numbers.len() as i64;
                let known = self.numbers.entry(event.context.id.clone());
                let number = Value::Int(*known.or_insert(next));
                send(0, object([("id", id), ("number", number)]));
            }
        }
    }
}

fn object<const N: usize>(fields: [(&'static str, Value); N]) -> Value {
    let mut object = Object::with_capacity(N);
    for (name, value) in fields {
        object.insert(name, value);
    }
    object.into()
}

/// All texts of a payload as one, and the sum of its numbers.
fn told(data: &Value) -> (String, Value) {
    let (mut text, mut sum, mut open) = (String::new(), 0, vec![data]);
    while let Some(value) = open.pop() {
        match value {
            Value::Str(held) => text.push_str(held),
            Value::Int(number) => sum += number,
            Value::Arr(items) => open.extend(items.iter()),
            Value::Obj(object) => open.extend(object.values()),
            Value::Bool(held) => sum += i64::from(*held),
            Value::Null | Value::Float(_) => {}
        }
    }
    (text, Value::Int(sum))
}
