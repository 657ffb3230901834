//! What shapes promise about the fields below them.

use super::{Others, Shape, Types};

/// What a schema promises about one field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Promise {
    /// Kinds of values that may be there.
    pub types: Types,
    /// The field may be missing.
    pub optional: bool,
}

/// What is known about one field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Declared {
    Promised(Promise),
    /// The schema lists the fields beside it but not this one.
    NotListed,
    /// The schema says nothing about this place.
    Unknown,
}

/// One step down: what is promised of `token` below what `above` promises.
pub(super) fn step<'s>(
    shapes: &[&'s Shape],
    token: &str,
    above: Promise,
) -> (Declared, Vec<&'s Shape>) {
    let mut below: Vec<&Shape> = Vec::new();
    let element = token == "*" || token.bytes().all(|byte| byte.is_ascii_digit());
    if element && above.types.overlaps(Types::ARRAY) {
        for shape in shapes {
            below.extend(shape.items.as_deref());
        }
        if below.is_empty() {
            return (Declared::Unknown, below);
        }
        let parts: Vec<&Shape> = below.iter().flat_map(|shape| shape.parts()).collect();
        let types = intersect(&below);
        return (
            Declared::Promised(Promise {
                types,
                optional: true,
            }),
            parts,
        );
    }
    let mut required = false;
    let mut listing = false;
    for shape in shapes {
        required |= shape.required.contains(token);
        listing |= !shape.properties.is_empty() || shape.others == Others::Refused;
        match (shape.properties.get(token), &shape.others) {
            (Some(property), _) => below.push(property),
            (None, Others::Welcome(others)) => below.push(others),
            _ => {}
        }
    }
    // Alternatives: what all of them say holds, what one leaves out may be missing.
    let groups: Vec<&Vec<Shape>> = shapes.iter().flat_map(|shape| &shape.any_of).collect();
    let mut alternatives: Option<Promise> = None;
    for group in groups {
        for shape in group {
            let own = Promise {
                types: shape.own_types(),
                optional: false,
            };
            let (found, _) = step(&shape.parts(), token, own);
            let found = match found {
                Declared::Promised(promise) => promise,
                Declared::NotListed => {
                    listing = true;
                    Promise {
                        types: Types::NONE,
                        optional: true,
                    }
                }
                Declared::Unknown => return (Declared::Unknown, Vec::new()),
            };
            alternatives = Some(alternatives.map_or(found, |so_far| Promise {
                types: so_far.types | found.types,
                optional: so_far.optional || found.optional,
            }));
        }
    }
    let not_an_object = !above.types.has(Types::OBJECT) || above.types != Types::OBJECT;
    match (below.is_empty(), alternatives) {
        (true, Some(promise)) if promise.types != Types::NONE => {
            let optional = (promise.optional && !required) || above.optional || not_an_object;
            (
                Declared::Promised(Promise {
                    types: promise.types,
                    optional,
                }),
                Vec::new(),
            )
        }
        (true, _) if required => (
            Declared::Promised(Promise {
                types: Types::ANY,
                optional: above.optional || not_an_object,
            }),
            Vec::new(),
        ),
        (true, _) if listing && above.types.overlaps(Types::OBJECT) => (Declared::NotListed, below),
        (true, _) if !above.types.overlaps(Types::OBJECT) => (Declared::NotListed, below),
        (true, _) => (Declared::Unknown, below),
        (false, _) => {
            let parts: Vec<&Shape> = below.iter().flat_map(|shape| shape.parts()).collect();
            let optional =
                !required || above.optional || (above.types != Types::ANY && not_an_object);
            (
                Declared::Promised(Promise {
                    types: intersect(&below),
                    optional,
                }),
                parts,
            )
        }
    }
}

fn intersect(shapes: &[&Shape]) -> Types {
    shapes
        .iter()
        .fold(Types::ANY, |types, shape| types & shape.own_types())
}
