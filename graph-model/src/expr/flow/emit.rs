//! Reads off what a flow says of the outputs of an expression.

use std::collections::BTreeSet;

use super::known::{ANY, Body, Known, Place};
use crate::expr::analysis::{Analysis, OutputFlow, Rest, Sources};
use crate::pointer::Pointer;

/// Writes the rows for an output.
pub(in crate::expr) fn emit(out: &Known, presence: &Sources, into: &mut Analysis) {
    rows(out, &Pointer::root(), presence, true, into);
    into.outputs.sort_by(|a, b| a.pointer.cmp(&b.pointer));
}

/// What stays of the event where something is the event with other fields.
fn rest_of(known: &Known) -> Option<Rest> {
    let is_event = |place: &Place| place.variable.is_none() && place.pointer.is_root();
    let except = match &known.body {
        Body::Copy(place) if is_event(place) => BTreeSet::new(),
        Body::Record {
            base: Some(base),
            fields,
        } if is_event(base) => {
            let names = fields.keys().cloned();
            names.map(|name| Pointer::root().child(name)).collect()
        }
        _ => return None,
    };
    Some(Rest {
        except,
        ctl: known.ctl.clone(),
    })
}

/// `aligned` while all that lies around is a record over the event at the same place.
fn rows(out: &Known, at: &Pointer, above: &Sources, aligned: bool, into: &mut Analysis) {
    let ctl = above.clone().with(&out.ctl);
    let row = |deps: Sources| OutputFlow {
        pointer: at.clone(),
        deps,
        ctl: ctl.clone(),
        copy: None,
        injective: false,
        nondet: out.unsettled(),
    };
    let same = |place: &Place| aligned && place.variable.is_none() && place.pointer == *at;
    match &out.body {
        Body::Absent => {
            if !ctl.is_empty() {
                into.outputs.push(row(Sources::default()));
            }
        }
        Body::Const(_) => into.outputs.push(row(Sources::default())),
        Body::Copy(place) if same(place) && at.is_root() => {
            into.rest = Some(Rest {
                ctl,
                ..Rest::default()
            });
        }
        Body::Copy(place) => {
            let copy = place.variable.is_none().then(|| place.pointer.clone());
            into.outputs.push(OutputFlow {
                copy,
                injective: true,
                ..row(place.sources())
            });
        }
        Body::Record { base, fields } => {
            let aligned = base.as_ref().is_some_and(same);
            match base {
                Some(_) if aligned && at.is_root() => {
                    into.rest = Some(Rest {
                        ctl: ctl.clone(),
                        ..Rest::default()
                    });
                }
                Some(_) if aligned => {}
                Some(base) => into.outputs.push(row(base.sources())),
                None if fields.is_empty() => into.outputs.push(row(Sources::default())),
                None => {}
            }
            for (key, field) in fields {
                let below = at.child(key.clone());
                let inner = |base: &Option<Place>| {
                    base.as_ref()
                        .is_some_and(|base| base.variable.is_none() && base.pointer == below)
                };
                let deeper = matches!(&field.body, Body::Record { base, .. } if inner(base));
                if let (true, false, Some(rest)) = (aligned, deeper, &mut into.rest) {
                    rest.except.insert(below.clone());
                }
                rows(field, &below, &ctl, aligned, into);
            }
        }
        Body::Array { each, shape } => {
            if !shape.is_empty() || each.is_none() {
                into.outputs.push(row(shape.clone()));
            }
            if let Some(each) = each {
                if at.is_root() {
                    into.rest_of_each = rest_of(each);
                }
                rows(each, &at.child(ANY), &ctl, false, into);
            }
        }
        Body::Made { of, injective } => {
            into.outputs.push(OutputFlow {
                injective: *injective,
                ..row(of.clone())
            });
        }
    }
}
