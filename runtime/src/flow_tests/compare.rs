//! Compares what a sink holds with what it should hold.

use graph_model::value::Value;

use super::Expected;

/// How they differ, in words; nothing when they do not.
pub(super) fn difference(expected: &Expected, held: &[Value]) -> Option<String> {
    match expected {
        Expected::Count(count) => {
            let there = held.len() as u64;
            (there != *count).then(|| format!("holds {there} instead of {count}"))
        }
        Expected::Contains(things) => missing(things, held),
        Expected::Exactly(things) => missing(things, held).or_else(|| {
            let more = held
                .len()
                .checked_sub(things.len())
                .filter(|more| *more > 0)?;
            let of = partners(things, held);
            let other = (0..held.len()).find(|at| !of.contains(&Some(*at)))?;
            let example = held[other].to_json();
            Some(match more {
                1 => format!("holds {example}, which is not expected"),
                more => format!("holds {more} that are not expected, such as {example}"),
            })
        }),
    }
}

fn missing(things: &[Value], held: &[Value]) -> Option<String> {
    let of = partners(things, held);
    let alone = of.iter().position(Option::is_none)?;
    let count = of.iter().filter(|partner| partner.is_none()).count();
    let thing = things[alone].to_json();
    Some(match count {
        1 => format!("lacks {thing}"),
        count => format!("lacks {count}, such as {thing}"),
    })
}

/// For each expected thing one of those that are there, each taken once, so that as many as possible
/// have one (a matching by augmenting paths).
fn partners(things: &[Value], held: &[Value]) -> Vec<Option<usize>> {
    let mut taken: Vec<Option<usize>> = vec![None; held.len()];
    for thing in 0..things.len() {
        find(
            thing,
            things,
            held,
            &mut taken,
            &mut vec![false; held.len()],
        );
    }
    let mut of = vec![None; things.len()];
    for (at, thing) in taken.into_iter().enumerate() {
        if let Some(thing) = thing {
            of[thing] = Some(at);
        }
    }
    of
}

fn find(
    thing: usize,
    things: &[Value],
    held: &[Value],
    taken: &mut [Option<usize>],
    tried: &mut [bool],
) -> bool {
    for at in 0..held.len() {
        if tried[at] || !fits(&things[thing], &held[at]) {
            continue;
        }
        tried[at] = true;
        if taken[at].is_none_or(|other| find(other, things, held, taken, tried)) {
            taken[at] = Some(thing);
            return true;
        }
    }
    false
}

/// Whether a thing has at least the fields that are expected; other values have to be the same.
fn fits(expected: &Value, held: &Value) -> bool {
    match (expected, held) {
        (Value::Obj(expected), Value::Obj(held)) => expected
            .iter()
            .all(|(key, value)| held.get(key).is_some_and(|held| fits(value, held))),
        (Value::Arr(expected), Value::Arr(held)) => {
            expected.len() == held.len()
                && expected
                    .iter()
                    .zip(held.iter())
                    .all(|(one, other)| fits(one, other))
        }
        (expected, held) => expected == held,
    }
}

#[cfg(test)]
mod tests {
    use graph_model::value;

    use super::*;

    fn of(values: &[Value]) -> Vec<Value> {
        values.to_vec()
    }

    #[test]
    fn things_are_found_whatever_their_order_and_further_fields() {
        let held = of(&[value!({"id": 2, "by": "a"}), value!({"id": 1, "by": "a"})]);
        let wanted = |wanted: &[Value]| difference(&Expected::Exactly(of(wanted)), &held);
        assert_eq!(wanted(&[value!({"id": 1}), value!({"id": 2})]), None);
        // The first could take either, and leaves the second its only one.
        assert_eq!(wanted(&[value!({"by": "a"}), value!({"id": 2})]), None);
        assert_eq!(
            wanted(&[value!({"id": 1})]).as_deref(),
            Some(r#"holds {"by":"a","id":2}, which is not expected"#)
        );
        assert_eq!(
            wanted(&[value!({"id": 1}), value!({"id": 3})]).as_deref(),
            Some(r#"lacks {"id":3}"#)
        );
    }

    #[test]
    fn lists_may_be_open_and_things_be_counted() {
        let held = of(&[value!(1), value!(1)]);
        assert_eq!(
            difference(&Expected::Contains(of(&[value!(1)])), &held),
            None
        );
        assert_eq!(
            difference(
                &Expected::Contains(of(&[value!(1), value!(1), value!(1)])),
                &held
            )
            .as_deref(),
            Some("lacks 1")
        );
        assert_eq!(
            difference(&Expected::Count(0), &held).as_deref(),
            Some("holds 2 instead of 0")
        );
    }
}
