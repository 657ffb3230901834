//! What is known of a value: where its parts come from, and what decides them.

use std::collections::{BTreeMap, BTreeSet};

use smol_str::SmolStr;

use crate::expr::Variable;
use crate::expr::analysis::{ContextRead, Sources};
use crate::pointer::Pointer;
use crate::value::Value;

/// What is known of a value.
#[derive(Clone, Debug, PartialEq)]
pub(in crate::expr) struct Known {
    pub(super) body: Body,
    /// What decides which of several values it is.
    pub(super) ctl: Sources,
    pub(super) nondet: bool,
}

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Body {
    Const(Value),
    /// A part of the event or of a variable as it stands there.
    Copy(Place),
    /// An object with these fields, the others as they are in `base`. The field `*` stands for
    /// every element that has no entry of its own.
    Record {
        base: Option<Place>,
        fields: BTreeMap<SmolStr, Known>,
    },
    Array {
        each: Option<Box<Known>>,
        shape: Sources,
    },
    /// Made of these in some way.
    Made {
        of: Sources,
        injective: bool,
    },
    /// A field that is not there.
    Absent,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Place {
    /// The event, when there is none.
    pub(super) variable: Option<Variable>,
    pub(super) pointer: Pointer,
}

pub(super) const ANY: &str = "*";

/// Most parts that are told apart in one value.
const PARTS_MAX: usize = 500;

impl Place {
    pub(super) fn below(&self, key: &str) -> Place {
        Place {
            variable: self.variable,
            pointer: self.pointer.child(key),
        }
    }

    /// Whether it is an object or null, whatever the event.
    pub(super) fn is_object(&self) -> bool {
        matches!(self.variable, Some(Variable::Event | Variable::Viewer)) && self.pointer.is_root()
    }

    pub(super) fn sources(&self) -> Sources {
        let mut sources = Sources::default();
        match self.variable {
            None => sources.add_field(self.pointer.clone()),
            Some(variable) => {
                sources.context.insert(ContextRead {
                    variable,
                    pointer: self.pointer.clone(),
                });
            }
        }
        sources
    }

    pub(super) fn shape(&self) -> Sources {
        let mut sources = Sources::default();
        match self.variable {
            None => {
                sources.shapes.insert(self.pointer.clone());
            }
            Some(_) => return self.sources(),
        }
        sources
    }
}

impl Known {
    pub(super) fn plain(body: Body) -> Known {
        Known {
            body,
            ctl: Sources::default(),
            nondet: false,
        }
    }

    pub(super) fn constant(value: Value) -> Known {
        Known::plain(Body::Const(value))
    }

    pub(super) fn made(of: Sources) -> Known {
        Known::plain(Body::Made {
            of,
            injective: false,
        })
    }

    /// Made of all of these.
    pub(super) fn mixed<'k>(parts: impl IntoIterator<Item = &'k Known>) -> Known {
        let mut all = Known::made(Sources::default());
        for part in parts {
            all.nondet |= part.unsettled();
            if let Body::Made { of, .. } = &mut all.body {
                of.extend(&part.content());
            }
            all.ctl.extend(&part.ctl);
        }
        all
    }

    /// This, or less about it where it has too many parts.
    pub(super) fn bounded(self) -> Known {
        fn parts(known: &Known) -> usize {
            1 + match &known.body {
                Body::Record { fields, .. } => fields.values().map(parts).sum(),
                Body::Array { each, .. } => each.as_deref().map_or(0, parts),
                _ => 0,
            }
        }
        if parts(&self) > PARTS_MAX {
            Known::mixed([&self])
        } else {
            self
        }
    }

    pub(super) fn decided_by(mut self, ctl: &Sources) -> Known {
        self.ctl.extend(ctl);
        self
    }

    pub(super) fn and_nondet(mut self, nondet: bool) -> Known {
        self.nondet |= nondet;
        self
    }

    /// Everything that the value depends on.
    pub(in crate::expr) fn everything(&self) -> Sources {
        self.content().with(&self.ctl)
    }

    /// What it is made of, without what decides at the top.
    pub(super) fn content(&self) -> Sources {
        match &self.body {
            Body::Const(_) | Body::Absent => Sources::default(),
            Body::Copy(place) => place.sources(),
            Body::Record { base, fields } => {
                let base = base.as_ref().map(Place::sources).unwrap_or_default();
                fields
                    .values()
                    .fold(base, |all, field| all.with(&field.everything()))
            }
            Body::Array { each, shape } => each
                .iter()
                .fold(shape.clone(), |all, each| all.with(&each.everything())),
            Body::Made { of, .. } => of.clone(),
        }
    }

    /// What decides its type, its keys or its length, and its value when it is a scalar.
    pub(super) fn shape(&self) -> Sources {
        let shape = match &self.body {
            Body::Const(_) | Body::Absent => Sources::default(),
            Body::Copy(place) => place.shape(),
            Body::Record { base, fields } => {
                let base = base.as_ref().map(Place::shape).unwrap_or_default();
                fields
                    .values()
                    .fold(base, |all, field| all.with(&field.ctl))
            }
            Body::Array { shape, .. } => shape.clone(),
            Body::Made { of, .. } => of.clone(),
        };
        shape.with(&self.ctl)
    }

    pub(super) fn unsettled(&self) -> bool {
        self.nondet
            || match &self.body {
                Body::Record { fields, .. } => fields.values().any(Known::unsettled),
                Body::Array { each, .. } => each.as_ref().is_some_and(|each| each.unsettled()),
                _ => false,
            }
    }

    pub(super) fn injective(&self) -> bool {
        match &self.body {
            Body::Copy(_) => true,
            Body::Made { injective, .. } => *injective,
            _ => false,
        }
    }

    /// The field `key`; what is not there is null.
    pub(super) fn member(&self, key: &str) -> Known {
        let member = match &self.body {
            Body::Const(value) => Known::constant(value.get(key).cloned().unwrap_or_default()),
            Body::Absent => Known::constant(Value::Null),
            Body::Copy(place) => Known::plain(Body::Copy(place.below(key))),
            Body::Record { base, fields } => match (fields.get(key), base) {
                (
                    Some(Known {
                        body: Body::Absent,
                        ctl,
                        ..
                    }),
                    _,
                ) => Known::constant(Value::Null).decided_by(ctl),
                (Some(field), _) => field.clone(),
                (None, base) => {
                    let held = match base {
                        Some(base) => Known::plain(Body::Copy(base.below(key))),
                        None => Known::constant(Value::Null),
                    };
                    match fields.get(ANY) {
                        Some(any) => join(&held, any, &Sources::default()),
                        None => held,
                    }
                }
            },
            Body::Array { .. } | Body::Made { .. } => return Known::mixed([self]),
        };
        member.decided_by(&self.ctl).and_nondet(self.nondet)
    }

    /// Any of its elements; nothing when it has none.
    pub(super) fn element(&self) -> Option<Known> {
        let element = match &self.body {
            Body::Const(Value::Arr(items)) if items.is_empty() => return None,
            Body::Const(_) => Known::mixed([self]),
            Body::Absent => return None,
            Body::Copy(place) => Known::plain(Body::Copy(place.below(ANY))),
            Body::Record { base, fields } => {
                let base = base
                    .as_ref()
                    .map(|base| Known::plain(Body::Copy(base.below(ANY))));
                let present = fields
                    .values()
                    .filter(|field| field.body != Body::Absent)
                    .cloned();
                let mut all = base.into_iter().chain(present);
                let first = all.next()?;
                all.fold(first, |all, field| join(&all, &field, &Sources::default()))
            }
            Body::Array { each, .. } => (**each.as_ref()?).clone(),
            Body::Made { .. } => return Some(Known::mixed([self])),
        };
        Some(element.decided_by(&self.ctl).and_nondet(self.nondet))
    }

    /// This with another field `key`.
    pub(super) fn put(self, key: &SmolStr, new: Known) -> Known {
        if key == ANY {
            return Known::mixed([&self, &new]);
        }
        let (base, mut fields) = match self.body {
            Body::Copy(place) => (Some(place), BTreeMap::new()),
            Body::Record { base, fields } => (base, fields),
            Body::Const(Value::Null) | Body::Absent => (None, BTreeMap::new()),
            Body::Const(Value::Obj(object)) => (None, constants(&object)),
            _ => return Known::mixed([&self, &new]),
        };
        fields.insert(key.clone(), new);
        Known {
            body: Body::Record { base, fields },
            ctl: self.ctl,
            nondet: self.nondet,
        }
        .bounded()
    }

    /// This with some of its elements changed.
    pub(super) fn put_any(self, change: &mut dyn FnMut(&Known) -> Known, all: bool) -> Known {
        let mut change = |held: &Known| {
            let new = change(held);
            if all {
                new
            } else {
                join(held, &new, &Sources::default())
            }
        };
        let body = match self.body {
            Body::Copy(place) => {
                // Which elements there are lies with what was there before.
                let new =
                    change(&Known::plain(Body::Copy(place.below(ANY)))).decided_by(&place.shape());
                let mut new_fields = BTreeMap::new();
                new_fields.insert(SmolStr::new_static(ANY), new);
                Body::Record {
                    base: Some(place),
                    fields: new_fields,
                }
            }
            Body::Record { base, mut fields } => {
                for field in fields
                    .values_mut()
                    .filter(|field| field.body != Body::Absent)
                {
                    *field = change(field);
                }
                if let (Some(base), None) = (&base, fields.get(ANY)) {
                    let new = change(&Known::plain(Body::Copy(base.below(ANY))))
                        .decided_by(&base.shape());
                    fields.insert(ANY.into(), new);
                }
                Body::Record { base, fields }
            }
            Body::Array { each, shape } => Body::Array {
                each: each.map(|each| Box::new(change(&each))),
                shape,
            },
            body => {
                let held = Known {
                    body,
                    ctl: self.ctl,
                    nondet: self.nondet,
                };
                let element = Known::mixed([&held]);
                let new = change(&element);
                return Known::mixed([&held, &new]);
            }
        };
        Known {
            body,
            ctl: self.ctl,
            nondet: self.nondet,
        }
    }
}

pub(super) fn constants(object: &crate::value::Object) -> BTreeMap<SmolStr, Known> {
    object
        .iter()
        .map(|(key, value)| (key.clone(), Known::constant(value.clone())))
        .collect()
}

/// One or the other, as `ctl` decides.
pub(super) fn join(left: &Known, right: &Known, ctl: &Sources) -> Known {
    if left == right {
        return left.clone();
    }
    let parts = |known: &Known| match &known.body {
        Body::Copy(place) => Some((Some(place.clone()), BTreeMap::new())),
        Body::Record { base, fields } => Some((base.clone(), fields.clone())),
        Body::Const(Value::Obj(object)) => Some((None, constants(object))),
        _ => None,
    };
    let both_ctl = left.ctl.clone().with(&right.ctl);
    let nondet = left.nondet || right.nondet;
    if let (Some((a, left_fields)), Some((b, right_fields))) = (parts(left), parts(right))
        && a == b
    {
        let mut fields = BTreeMap::new();
        let keys: BTreeSet<_> = left_fields.keys().chain(right_fields.keys()).collect();
        for key in keys {
            let there = |fields: &BTreeMap<SmolStr, Known>| match (fields.get(key), &a) {
                (Some(field), _) => field.clone(),
                (None, _) if fields.contains_key(ANY) => {
                    Known::mixed(fields.get(ANY).into_iter().chain([&a.as_ref().map_or_else(
                        || Known::plain(Body::Absent),
                        |base| Known::plain(Body::Copy(base.below(key))),
                    )]))
                }
                (None, Some(base)) => Known::plain(Body::Copy(base.below(key))),
                (None, None) => Known::plain(Body::Absent),
            };
            let (one, other) = (there(&left_fields), there(&right_fields));
            fields.insert(key.clone(), join(&one, &other, ctl));
        }
        return Known {
            body: Body::Record { base: a, fields },
            ctl: both_ctl,
            nondet,
        };
    }
    if let (Body::Array { each: a, shape: sa }, Body::Array { each: b, shape: sb }) =
        (&left.body, &right.body)
    {
        let each = match (a, b) {
            (Some(a), Some(b)) => Some(Box::new(join(a, b, ctl))),
            (one, other) => one.clone().or_else(|| other.clone()),
        };
        let shape = sa.clone().with(sb).with(ctl);
        return Known {
            body: Body::Array { each, shape },
            ctl: both_ctl,
            nondet,
        };
    }
    Known::mixed([left, right]).decided_by(ctl)
}
