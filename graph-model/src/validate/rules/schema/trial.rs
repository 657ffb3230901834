//! What expressions make of events that their type allows: each field as it may be, tried out.

use std::collections::BTreeMap;

use smol_str::SmolStr;

use super::unmet_need::{COMPUTES, Need};
use crate::catalog::{Behaviour, FieldType, JqRole, Observation};
use crate::expr::{Env, EvalError, Expr, Variable};
use crate::pointer::Pointer;
use crate::schema::Types;
use crate::validate::design::NodeIx;
use crate::validate::facts::{Facts, Port};
use crate::value;
use crate::value::{Object, Value};

/// Types with values, any of which will do: what a text says is between writer and reader.
const SAMPLES: [(Types, fn() -> Value); 9] = [
    (Types::STRING, || Value::from("1")),
    (Types::STRING, || Value::from("2026-01-01T00:00:00Z")),
    (Types::STRING, || Value::from("x")),
    (Types::STRING, || Value::from("{}")),
    (Types::NUMBER, || Value::Int(1)),
    (Types::BOOLEAN, || Value::Bool(true)),
    (Types::ARRAY, || Value::Arr(Vec::new().into())),
    (Types::OBJECT, || Object::new().into()),
    (Types::NULL, || Value::Null),
];

/// What the types of the fields are that an expression reads.
type Fields = BTreeMap<Pointer, (Types, bool)>;

/// Fields that one of the node's expressions fails on, or makes nonsense of, as their types allow them.
pub(super) fn needs(facts: &Facts, node: NodeIx, port: &Port) -> Vec<Need> {
    let mut needs = Vec::new();
    for (expr, role) in exprs(facts, node) {
        needs.extend(needs_of(expr, role, &fields(facts, expr, port)));
    }
    needs
}

/// What becomes of the value of an expression.
#[derive(Clone, Copy, PartialEq)]
enum Becomes {
    Anything,
    Number,
    /// A key; that it is there is another rule's matter.
    Key,
}

/// The expressions of a node that look at its first input.
fn exprs(facts: &Facts, node: NodeIx) -> Vec<(&Expr, Becomes)> {
    let design = &*facts.design;
    let Some((view, behaviour)) = design.acting(node) else {
        return Vec::new();
    };
    if matches!(
        behaviour,
        Behaviour::Join { .. } | Behaviour::Enrich { .. } | Behaviour::Decide { .. }
    ) {
        return Vec::new();
    }
    let metric = matches!(
        behaviour,
        Behaviour::Observe {
            observation: Observation::Metric
        }
    );
    let mut exprs = Vec::new();
    for field in view.kind.iter().flat_map(|kind| &kind.config) {
        match field.ty {
            FieldType::Jq { role } => {
                let becomes = match role {
                    JqRole::Value if metric => Becomes::Number,
                    JqRole::Key => Becomes::Key,
                    _ => Becomes::Anything,
                };
                exprs.extend(design.expr(node, &field.name).map(|expr| (expr, becomes)));
            }
            FieldType::JqTable { .. } => {
                let table = design.value(node, &field.name).and_then(Value::as_object);
                let codes = table.into_iter().flat_map(Object::values);
                let codes = codes.filter_map(|code| design.compiled(code.as_str()?));
                exprs.extend(codes.map(|expr| (expr, Becomes::Anything)));
            }
            _ => {}
        }
    }
    exprs
}

/// The fields that an expression reads, as far as their types are known.
fn fields(facts: &Facts, expr: &Expr, port: &Port) -> Fields {
    let reads = &expr.analysis().reads;
    let mut fields = Fields::new();
    for read in reads.fields.iter().chain(&reads.shapes) {
        let tokens = read.tokens();
        let end = tokens.iter().position(|token| token == "*");
        let field: Pointer = tokens[..end.unwrap_or(tokens.len())]
            .iter()
            .cloned()
            .collect();
        if field.is_root() {
            continue;
        }
        // What nobody knows anything of is not tried.
        let promised = facts.promise(&field, port);
        let Some(promised) = promised.filter(|promised| promised.types != Types::ANY) else {
            continue;
        };
        let mut types = promised.types;
        if port.present.contains(&facts.field(&field, port)) {
            types = types.without(Types::NULL);
        }
        fields.insert(field, (types, promised.optional));
    }
    // What is read within another field that is read as a whole is not tried on its own, and nothing
    // through which the way only leads.
    let all = fields.clone();
    fields.retain(|field, _| {
        let mut others = all.keys().filter(|other| *other != field);
        !others.any(|other| {
            let whole = reads.fields.contains(other);
            whole && other.covers(field) || !reads.fields.contains(field) && field.covers(other)
        })
    });
    fields
}

fn needs_of(expr: &Expr, becomes: Becomes, fields: &Fields) -> Vec<Need> {
    let mut event = Value::from(Object::new());
    for (field, (types, _)) in fields {
        if let Some(value) = sample(*types) {
            field.set(&mut event, value);
        }
    }
    let usual = works(expr, becomes, &event);
    let mut needs = Vec::new();
    for (field, (types, optional)) in fields {
        let with = |value: Option<Value>| {
            let mut event = event.clone();
            match value {
                Some(value) => field.set(&mut event, value),
                None => _ = field.remove(&mut event),
            }
            works(expr, becomes, &event)
        };
        let mut taken = Types::NONE;
        for (ty, value) in SAMPLES {
            if with(Some(value())) {
                taken = taken | ty;
            }
        }
        let spares = !*optional || with(None);
        let excess = types.without(taken) != Types::NONE;
        // Where nothing usual works either, the field is to blame only if it could be mended.
        if (excess || !spares) && (usual || taken != Types::NONE) {
            needs.push(Need {
                field: field.clone(),
                types: taken,
                spares,
                purpose: SmolStr::new_static(COMPUTES),
            });
        }
    }
    if usual && needs.is_empty() {
        // Alternatives bridge the lack of one, and not of all.
        let mut bare = event;
        let lacking = fields.iter().filter(|(_, (_, optional))| *optional);
        let lacking: Vec<&Pointer> = lacking.map(|(field, _)| field).collect();
        for field in &lacking {
            _ = field.remove(&mut bare);
        }
        if !works(expr, becomes, &bare) {
            needs.extend(lacking.first().map(|field| Need {
                field: (*field).clone(),
                types: Types::ANY,
                spares: false,
                purpose: SmolStr::new_static(COMPUTES),
            }));
        }
    }
    needs
}

/// A value of one of the types.
fn sample(types: Types) -> Option<Value> {
    let mut samples = SAMPLES.iter();
    let (_, value) = samples.find(|(ty, _)| types.overlaps(*ty))?;
    Some(value())
}

/// Whether an expression makes sense of an event.
fn works(expr: &Expr, becomes: Becomes, event: &Value) -> bool {
    let context = |variable: Variable| match variable {
        Variable::Event => Some(value!({
            "id": "e", "source": "/s", "type": "t", "subject": "x", "time": "2026-01-01T00:00:00Z",
            "time_ms": 1, "partition": 0
        })),
        Variable::Now => Some(Value::Int(1)),
        Variable::State | Variable::Viewer => None,
    };
    match expr.eval(event, &Env::new(&context)) {
        Ok(made) => {
            let fits = becomes != Becomes::Number || made.as_f64().is_some();
            fits && !holds_nothing(&made)
        }
        Err(EvalError::NoOutput) => true,
        Err(_) => false,
    }
}

/// A text in which somebody put nothing.
fn holds_nothing(value: &Value) -> bool {
    match value {
        Value::Str(text) => text.contains("null"),
        Value::Arr(items) => items.iter().any(holds_nothing),
        Value::Obj(object) => object.values().any(holds_nothing),
        _ => false,
    }
}
