//! Whether events of two streams with equal keys meet: where each is placed, by what, in which form.

use std::rc::Rc;

use smol_str::{SmolStr, format_smolstr};

use crate::expr::{Expr, Operand, Variable};
use crate::schema::Types;
use crate::validate::design::NodeIx;
use crate::validate::facts::delivery::Part;
use crate::validate::facts::origins::{Origin, OriginId, Origins};
use crate::validate::facts::payload::Payload;
use crate::validate::facts::{Facts, Port};

/// A key as what it is made of, in its order: the same shape of equal parts is the same value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Keyed {
    pub shape: SmolStr,
    pub parts: Vec<OriginId>,
}

/// A stream with the key by which its events are compared.
#[derive(Clone, Copy)]
pub(crate) struct Side<'p> {
    pub port: &'p Port,
    pub key: Option<&'p Expr>,
}

impl Facts {
    /// What a key at a port is made of.
    pub(crate) fn keyed(&self, key: &Expr, port: &Port) -> Keyed {
        let origins = &mut *self.origins.borrow_mut();
        let payload = &port.payload;
        let Some(form) = key.form() else {
            return Keyed {
                shape: format_smolstr!("`{}`", key.code()),
                parts: payload.key(key, origins),
            };
        };
        let parts = form.parts.iter().map(|part| match part {
            Operand::Field(field) => payload.field(field, origins),
            Operand::Context(read) if read.variable == Variable::Event => {
                payload.context(&read.pointer, origins)
            }
            Operand::Context(_) | Operand::Constant(_) => {
                origins.id(Origin::Computed(part_text(part), Vec::new()))
            }
        });
        Keyed {
            shape: form.shape.clone(),
            parts: parts.collect(),
        }
    }

    /// Whether events of two streams whose keys are equal are in the same place.
    pub(crate) fn together(&self, left: Side<'_>, right: Side<'_>) -> bool {
        let (by_left, by_right) = match (&left.port.part, &right.port.part) {
            (Part::Single, Part::Single) => return true,
            (
                Part::Hash {
                    form, count, key, ..
                },
                Part::Hash {
                    form: other,
                    count: others,
                    ..
                },
            ) if count == others => {
                // All of them under one key are in one of the places.
                if key.is_empty() && form == other {
                    return true;
                }
                (form, other)
            }
            _ => return false,
        };
        let (Some(left_key), Some(right_key)) = (left.key, right.key) else {
            return false;
        };
        let (keyed_left, keyed_right) = (
            self.keyed(left_key, left.port),
            self.keyed(right_key, right.port),
        );
        if **by_left == keyed_left && **by_right == keyed_right {
            return true;
        }
        // Placed by a part of what is compared: the same part in the same form on both sides.
        let decided = |side: Side<'_>, key: &Expr, by: &Keyed| {
            self.determines(&self.key(key, side.port), &by.parts)
        };
        by_left.shape == by_right.shape
            && by_left.parts.len() == by_right.parts.len()
            && keyed_left.shape == keyed_right.shape
            && decided(left, left_key, by_left)
            && decided(right, right_key, by_right)
            && by_left.parts.iter().zip(&by_right.parts).all(|(a, b)| {
                let at = |part: &OriginId, keyed: &Keyed| {
                    keyed.parts.iter().position(|held| held == part)
                };
                let place = at(a, &keyed_left);
                let same_events = a == b && keyed_left.parts == keyed_right.parts;
                same_events || place.is_some() && place == at(b, &keyed_right)
            })
    }

    /// Whether events with the same key are in the same place.
    pub(crate) fn in_one_place(&self, key: &[OriginId], port: &Port) -> bool {
        match &port.part {
            Part::Single => true,
            Part::Hash { key: placed, .. } => self.determines(key, placed),
            Part::Any { .. } | Part::Mixed { .. } => false,
        }
    }

    /// Where the results of a node are that keeps something for each key. Where it gets events of one
    /// key in several places, that is its own hazard; what lies behind is looked at as if it were
    /// mended.
    pub(super) fn kept_part(
        &self,
        node: NodeIx,
        expr: Option<&Expr>,
        key: &[OriginId],
        port: &Port,
    ) -> Part {
        if self.in_one_place(key, port) {
            return port.part.clone();
        }
        match expr.filter(|_| !key.is_empty()) {
            Some(expr) => Part::Hash {
                key: key.into(),
                form: Rc::new(self.keyed(expr, port)),
                count: spread(&port.part),
                by: node,
            },
            None => Part::Single,
        }
    }

    /// Where the pairs of a join are, with the same good will.
    pub(super) fn matched_part(&self, node: NodeIx, left: Side<'_>, right: Side<'_>) -> Part {
        if self.together(left, right) {
            return left.port.part.clone();
        }
        let Some(expr) = left.key else {
            return Part::Single;
        };
        let key = self.key(expr, left.port);
        if key.is_empty() {
            return Part::Single;
        }
        Part::Hash {
            key: key.into(),
            form: Rc::new(self.keyed(expr, left.port)),
            count: spread(&left.port.part).max(spread(&right.port.part)),
            by: node,
        }
    }

    /// Whether a stream is placed by the whole key, in its form.
    pub(crate) fn placed_by(&self, side: Side<'_>) -> bool {
        match (&side.port.part, side.key) {
            (Part::Hash { form, .. }, Some(key)) => **form == self.keyed(key, side.port),
            _ => false,
        }
    }

    /// The JSON types of two keys that have none in common, so that the keys are never equal.
    pub(crate) fn unlike_types(&self, left: Side<'_>, right: Side<'_>) -> Option<(Types, Types)> {
        let (left_form, right_form) = (left.key?.form()?, right.key?.form()?);
        let (ours, theirs) = (left_form.side_by_side()?, right_form.side_by_side()?);
        if left_form.is_list() != right_form.is_list() || ours.len() != theirs.len() {
            return None;
        }
        let types = |side: Side<'_>, (part, as_text): (&Operand, bool)| {
            let Operand::Field(field) = part else {
                return None;
            };
            if as_text {
                return Some(Types::STRING);
            }
            Some(self.promise(field, side.port)?.types)
        };
        let mut parts = ours.into_iter().zip(theirs);
        parts.find_map(|(a, b)| {
            let (a, b) = (types(left, a)?, types(right, b)?);
            (!a.overlaps(b)).then_some((a, b))
        })
    }
}

/// In how many places a stream is.
fn spread(part: &Part) -> i64 {
    match part {
        Part::Hash { count, .. } | Part::Any { count, .. } => *count,
        Part::Single | Part::Mixed { .. } => 1,
    }
}

fn part_text(part: &Operand) -> SmolStr {
    match part {
        Operand::Field(field) => format_smolstr!("{field}"),
        Operand::Context(read) => format_smolstr!("{read}"),
        Operand::Constant(value) => value.to_json().into(),
    }
}

/// How streams that have met at `payload` are placed, when they were placed by the same key in the
/// same form: the key as a set of origins, and its form.
pub(super) fn after_meeting(
    payload: &Payload,
    sides: &[(&Payload, &[OriginId], &Keyed)],
    origins: &mut Origins,
) -> Option<(Vec<OriginId>, Keyed)> {
    let (_, key, form) = sides[0];
    let alike = sides
        .iter()
        .all(|(_, _, side)| side.shape == form.shape && side.parts.len() == form.parts.len());
    if !alike {
        return None;
    }
    let payloads: Vec<&Payload> = sides.iter().map(|(payload, ..)| *payload).collect();
    let mut parts = Vec::with_capacity(form.parts.len());
    for (at, part) in form.parts.iter().enumerate() {
        let own = |side: usize| sides[side].2.parts[at];
        parts.push(met(payload, &payloads, *part, own, origins)?);
    }
    let mut after = Vec::with_capacity(key.len());
    for part in key {
        if sides.iter().all(|(_, other, _)| other.contains(part)) {
            after.push(*part);
            continue;
        }
        if let Some(at) = form.parts.iter().position(|held| held == part) {
            after.push(parts[at]);
            continue;
        }
        // Made of the parts by an expression that does not keep them apart.
        let Origin::Computed(code, _) = origins.get(*part) else {
            return None;
        };
        let code = code.clone();
        let by_same_code = sides.iter().all(|(_, other, _)| {
            let [other] = other else { return false };
            matches!(origins.get(*other), Origin::Computed(own, _) if *own == code)
        });
        if !by_same_code {
            return None;
        }
        let mut made_of = parts.clone();
        made_of.sort_unstable();
        made_of.dedup();
        after.push(origins.id(Origin::Computed(code, made_of)));
    }
    after.sort_unstable();
    after.dedup();
    let complete = sides.iter().all(|(_, other, _)| other.len() == key.len());
    complete.then_some((
        after,
        Keyed {
            shape: form.shape.clone(),
            parts,
        },
    ))
}

/// The same key where streams have met at `payload`, whose events had it in the same places.
pub(super) fn key_after_meeting(
    payload: &Payload,
    sides: &[(&Payload, &[OriginId])],
    origins: &mut Origins,
) -> Option<Vec<OriginId>> {
    let payloads: Vec<&Payload> = sides.iter().map(|(payload, _)| *payload).collect();
    let (first, key) = sides[0];
    let alike = sides.iter().all(|(_, other)| other.len() == key.len());
    let mut after = Vec::with_capacity(key.len());
    for part in key.iter().filter(|_| alike) {
        let place = first.place_of(*part, origins)?;
        let own = |side: usize, origins: &mut Origins| {
            let (payload, key) = sides[side];
            let own = payload.field(&place, origins);
            key.contains(&own).then_some(own)
        };
        let own: Vec<OriginId> = (0..sides.len())
            .map(|side| own(side, origins))
            .collect::<Option<_>>()?;
        after.push(met(payload, &payloads, *part, |side| own[side], origins)?);
    }
    after.sort_unstable();
    alike.then_some(after)
}

/// What the streams have in one place, after they have met.
fn met(
    payload: &Payload,
    sides: &[&Payload],
    of_first: OriginId,
    of: impl Fn(usize) -> OriginId,
    origins: &mut Origins,
) -> Option<OriginId> {
    if (0..sides.len()).all(|side| of(side) == of_first) {
        return Some(of_first);
    }
    if let Origin::Context(_, pointer) = origins.get(of_first) {
        let pointer = pointer.clone();
        let own = |side: usize| sides[side].context(&pointer, origins) == of(side);
        return (0..sides.len())
            .all(own)
            .then(|| payload.context(&pointer, origins));
    }
    let place = sides[0].place_of(of_first, origins)?;
    let own = |side: usize| sides[side].field(&place, origins) == of(side);
    (0..sides.len())
        .all(own)
        .then(|| payload.field(&place, origins))
}
