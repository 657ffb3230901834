//! What a field of an event was before a node made the event of another one.

use crate::catalog::{Behaviour, PortRole};
use crate::expr::{Analysis, Env, Expr, covers, related, tail};
use crate::pointer::Pointer;
use crate::validate::design::{Design, EdgeIx, NodeIx};
use crate::validate::facts::payload::placed;
use crate::value::{Object, Value};

/// The column in which a table that keeps one row for each key has that key.
pub(super) const KEY_COLUMN: &str = "weir_key";

/// What a field was in the event that came in.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Was {
    /// The same value, in this field.
    Same(Pointer),
    /// The same value in this field where that is a number, or a number otherwise.
    Number(Pointer),
    /// A smaller number in this field.
    Less(Pointer),
    /// A greater number in this field.
    More(Pointer),
    /// This value, whatever came in.
    Constant(Value),
    /// Nobody knows.
    Lost,
}

/// Where a field comes from, and by which input it has to come; any when none is named.
pub(super) struct Origin {
    pub was: Was,
    pub input: Option<usize>,
}

impl From<Was> for Origin {
    fn from(was: Was) -> Origin {
        Origin { was, input: None }
    }
}

/// Whether the events on a wire are in all fields what came in.
pub(super) fn passes(design: &Design, edge: EdgeIx) -> bool {
    let view = &design.edges[edge];
    if view.resource {
        return false;
    }
    is_aside(design, edge)
        || match design.behaviour(view.from) {
            Some(
                Behaviour::Queue { .. }
                | Behaviour::Topic
                | Behaviour::Log { .. }
                | Behaviour::Filter { .. }
                | Behaviour::Route { .. }
                | Behaviour::Merge
                | Behaviour::Repartition { .. }
                | Behaviour::Dedupe { .. }
                | Behaviour::Guard { .. }
                | Behaviour::Table { .. }
                | Behaviour::Observe { .. }
                | Behaviour::Effect { .. }
                | Behaviour::DeadLetter
                | Behaviour::Resequence { .. }
                | Behaviour::VersionGuard { .. }
                | Behaviour::Validate { .. }
                | Behaviour::Bucket { .. },
            ) => true,
            Some(
                Behaviour::Source { .. }
                | Behaviour::Changes { .. }
                | Behaviour::Map { .. }
                | Behaviour::Mediate { .. }
                | Behaviour::Split { .. }
                | Behaviour::Redact { .. }
                | Behaviour::Tokenise { .. }
                | Behaviour::Enrich { .. }
                | Behaviour::Join { .. }
                | Behaviour::Aggregate { .. }
                | Behaviour::Fold { .. }
                | Behaviour::Decide { .. }
                | Behaviour::Opaque { .. },
            )
            | None => false,
        }
}

/// What a field of the events on a wire was in what came to the node that the wire leaves. Several
/// answers when it may be any of them.
pub(super) fn before(design: &Design, edge: EdgeIx, place: &Pointer) -> Vec<Origin> {
    let view = &design.edges[edge];
    let node = view.from;
    let Some(behaviour) = design.behaviour(node) else {
        return vec![Was::Lost.into()];
    };
    if view.resource {
        return vec![stored(design, node, behaviour, place)];
    }
    let same = || vec![Was::Same(place.clone()).into()];
    if passes(design, edge) {
        return same();
    }
    match behaviour {
        Behaviour::Map { expr } | Behaviour::Mediate { expr, .. } => {
            through(design.expr(node, expr), false, place)
        }
        Behaviour::Split { expr } => through(design.expr(node, expr), true, place),
        Behaviour::Redact { fields, .. } | Behaviour::Tokenise { fields } => {
            let fields = design.value(node, fields).and_then(Value::as_array);
            let mut gone = fields.unwrap_or_default().iter().filter_map(|field| {
                let field = Pointer::parse(field.as_str()?).ok()?;
                related(&field, place).then_some(())
            });
            match gone.next() {
                Some(()) => vec![Was::Lost.into()],
                None => same(),
            }
        }
        Behaviour::Enrich { into, .. } => {
            let added = Pointer::root().child(design.text(node, into).unwrap_or("row"));
            let was = if related(&added, place) {
                Was::Lost
            } else {
                Was::Same(place.clone())
            };
            vec![Origin {
                was,
                input: Some(0),
            }]
        }
        Behaviour::Join { .. } => {
            let sides = ["left", "right"];
            let came = sides.iter().enumerate().find_map(|(input, side)| {
                let of_side = Pointer::root().child(*side).strip_from(place)?;
                Some(Origin {
                    was: Was::Same(of_side),
                    input: Some(input),
                })
            });
            vec![came.unwrap_or_else(|| Was::Lost.into())]
        }
        Behaviour::Aggregate { group, .. } | Behaviour::Fold { group, .. } => {
            of_group(design.expr(node, group), 0, place)
        }
        Behaviour::Decide {
            group, seal_key, ..
        } => {
            let group = design.expr(node, group);
            let sealed = design.expr(node, seal_key).or(group);
            let mut origins = of_group(group, 0, place);
            origins.extend(of_group(sealed, 1, place));
            origins
        }
        Behaviour::Changes { .. } => {
            let row = Pointer::root().child("after").strip_from(place);
            let row = row.or_else(|| {
                let below = Pointer::root().child("key").strip_from(place)?;
                Some(Pointer::root().child(KEY_COLUMN).join(&below))
            });
            vec![row.map_or(Was::Lost, Was::Same).into()]
        }
        _ => vec![Was::Lost.into()],
    }
}

/// A field of the result of a group, whose key is that of what came by the input.
fn of_group(key: Option<&Expr>, input: usize, place: &Pointer) -> Vec<Origin> {
    let of_key = Pointer::root().child("key").strip_from(place);
    let origins = match (of_key, key) {
        (Some(of_key), Some(key)) => through(Some(key), false, &of_key),
        _ => vec![Was::Lost.into()],
    };
    let by_input = |origin| Origin {
        input: Some(input),
        ..origin
    };
    origins.into_iter().map(by_input).collect()
}

/// Whether the events on the wire have the context of those that came in.
pub(super) fn keeps_context(design: &Design, edge: EdgeIx) -> bool {
    let view = &design.edges[edge];
    let makes_new = matches!(
        design.behaviour(view.from),
        None | Some(
            Behaviour::Split { .. }
                | Behaviour::Opaque { .. }
                | Behaviour::Aggregate { .. }
                | Behaviour::Fold { .. }
                | Behaviour::Decide { .. }
                | Behaviour::Join { .. }
                | Behaviour::Source { .. }
                | Behaviour::Changes { .. }
        )
    );
    !view.resource && (is_aside(design, edge) || !makes_new)
}

/// Whether what came in leaves by the wire as it is.
fn is_aside(design: &Design, edge: EdgeIx) -> bool {
    let view = &design.edges[edge];
    match design.behaviour(view.from) {
        Some(Behaviour::Source { .. } | Behaviour::Changes { .. }) => false,
        // What a join found no partner for leaves in the shape of a pair, as an event of its own.
        Some(Behaviour::Opaque { .. } | Behaviour::Join { .. }) => view.role == PortRole::Failed,
        _ => view.role == PortRole::Failed || !view.main,
    }
}

/// A column of a row that was written: what its expression makes of the event.
fn stored(design: &Design, node: NodeIx, behaviour: &Behaviour, place: &Pointer) -> Origin {
    let Behaviour::Table { key, .. } = behaviour else {
        return Was::Lost.into();
    };
    let columns = design.columns(node);
    let Some((name, below)) = place.tokens().split_first() else {
        return Was::Lost.into();
    };
    let below: Pointer = below.iter().cloned().collect();
    if name == KEY_COLUMN {
        let key = design.expr(node, key).filter(|_| design.overwrites(node));
        return only(through(key, false, &below));
    }
    if columns.is_empty() {
        let was = if name == "data" {
            Was::Same(below)
        } else {
            Was::Lost
        };
        return was.into();
    }
    let expr = columns
        .into_iter()
        .find_map(|(column, expr)| expr.filter(|_| column == name));
    only(through(expr, false, &below))
}

/// The one answer that there is.
fn only(mut answers: Vec<Origin>) -> Origin {
    match (answers.pop(), answers.is_empty()) {
        (Some(one), true) => one,
        _ => Was::Lost.into(),
    }
}

/// What a field of the result was in the event; `elements` when each element is an event.
fn through(expr: Option<&Expr>, elements: bool, place: &Pointer) -> Vec<Origin> {
    let Some(expr) = expr else {
        return vec![Was::Lost.into()];
    };
    let analysis = expr.analysis();
    let mut rows = analysis.outputs.iter().filter_map(|row| {
        let at = placed(&row.pointer, elements)?;
        // An array itself is no part of its elements.
        let beside = elements && row.pointer.is_root();
        (!beside && related(&at, place)).then_some((row, at))
    });
    let row = rows.next();
    if rows.next().is_some() {
        return vec![Was::Lost.into()];
    }
    let Some((row, at)) = row else {
        return vec![left_alone(analysis, elements, place).into()];
    };
    let below = covers(&at, place).then(|| tail(&at, place)).flatten();
    let Some(below) = below else {
        return vec![Was::Lost.into()];
    };
    if let Some(copy) = row.copy.as_ref().filter(|_| row.ctl.is_empty()) {
        return vec![Was::Same(copy.join(&below)).into()];
    }
    if row.deps.is_empty() && row.ctl.is_empty() && !row.nondet {
        let inputs = [Value::Null, Value::from(Object::new())];
        let made = inputs
            .iter()
            .find_map(|input| expr.eval(input, &Env::empty()).ok());
        let values = made.map(|made| at_all(&made, &row.pointer.join(&below)));
        return match values {
            Some(values) if !values.is_empty() => values
                .into_iter()
                .map(|value| Was::Constant(value).into())
                .collect(),
            _ => vec![Was::Lost.into()],
        };
    }
    let was = Some(row).filter(|row| below.is_root() && !row.nondet);
    let was = was.and_then(|row| {
        let field = row.deps.fields.first()?;
        let mut sources = row.deps.fields.iter().chain(&row.deps.shapes);
        let mut deciders = row.ctl.fields.iter().chain(&row.ctl.shapes);
        let own = |source: &Pointer| source == field || source.is_root();
        let alone = sources.all(own)
            && deciders.all(own)
            && row.deps.context.is_empty()
            && row.ctl.context.is_empty()
            && !field.is_root()
            && !field.tokens().iter().any(|token| token == "*");
        alone.then(|| counted(expr, field, &row.pointer)).flatten()
    });
    vec![was.unwrap_or(Was::Lost).into()]
}

/// A field that the expression leaves at its place.
fn left_alone(analysis: &Analysis, elements: bool, place: &Pointer) -> Was {
    let rest = analysis.rest.as_ref();
    let stays = rest.is_some_and(|rest| {
        !elements && rest.ctl.is_empty() && !rest.except.iter().any(|except| related(except, place))
    });
    if stays {
        Was::Same(place.clone())
    } else {
        Was::Lost
    }
}

/// Whether the output is always greater, or always smaller, than the field that alone decides it.
fn counted(expr: &Expr, field: &Pointer, output: &Pointer) -> Option<Was> {
    const SAMPLES: [f64; 6] = [0.0, 1.0, 2.0, 7.5, 100.0, 1e6];
    let (mut grows, mut shrinks, mut stays) = (true, true, true);
    for from in SAMPLES {
        let mut input = Value::from(Object::new());
        field.set(&mut input, Value::Float(from));
        let made = expr.eval(&input, &Env::empty()).ok()?;
        let all = at_all(&made, output);
        if all.is_empty() {
            return None;
        }
        for to in all {
            let to = to.as_f64()?;
            grows &= to > from;
            shrinks &= to < from;
            stays &= (to - from).abs() <= f64::EPSILON * from;
        }
    }
    if grows {
        Some(Was::Less(field.clone()))
    } else if shrinks {
        Some(Was::More(field.clone()))
    } else {
        stays.then(|| Was::Number(field.clone()))
    }
}

/// The values at a place of a result, `*` standing for each element of an array.
fn at_all(value: &Value, place: &Pointer) -> Vec<Value> {
    let mut held = vec![value.clone()];
    for token in place.tokens() {
        let mut next = Vec::new();
        for value in held {
            match value.as_array() {
                Some(items) if token == "*" => next.extend(items.iter().cloned()),
                _ => next.push(value.get(token).cloned().unwrap_or_default()),
            }
        }
        held = next;
    }
    held
}
