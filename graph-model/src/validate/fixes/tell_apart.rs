//! Tells fields apart that have one name and mean different things.

use smol_str::SmolStr;

use super::identify::path;
use super::{Placed, new_node, put_before};
use crate::pointer::Pointer;
use crate::validate::Fix;
use crate::validate::design::{EdgeIx, NodeIx};
use crate::validate::facts::Facts;

/// Units, each with the larger one that has so many of it.
const LARGER: [(&str, &str, u32); 16] = [
    ("cent", "EUR", 100),
    ("cents", "EUR", 100),
    ("cent", "USD", 100),
    ("cents", "USD", 100),
    ("us", "ms", 1000),
    ("ms", "s", 1000),
    ("s", "min", 60),
    ("min", "h", 60),
    ("h", "d", 24),
    ("mg", "g", 1000),
    ("g", "kg", 1000),
    ("kg", "t", 1000),
    ("mm", "m", 1000),
    ("cm", "m", 100),
    ("m", "km", 1000),
    ("Wh", "kWh", 1000),
];

/// The field on a wire gets the unit that it has on the others, where that can be computed, or another
/// name; `units` are that of the others and its own.
pub(in crate::validate) fn tell_apart(
    facts: &Facts,
    node: NodeIx,
    edge: EdgeIx,
    field: &Pointer,
    units: Option<&(SmolStr, SmolStr)>,
) -> Vec<Fix> {
    let convert = units.and_then(|(to, from)| convert(facts, node, edge, field, (from, to)));
    convert
        .into_iter()
        .chain(rename(facts, node, edge, field))
        .collect()
}

fn convert(
    facts: &Facts,
    node: NodeIx,
    edge: EdgeIx,
    field: &Pointer,
    (from, to): (&str, &str),
) -> Option<Fix> {
    let code = LARGER.iter().find_map(|(small, large, count)| {
        if (*small, *large) == (from, to) {
            Some(format!("/ {count}"))
        } else if (*small, *large) == (to, from) {
            Some(format!("* {count}"))
        } else {
            None
        }
    })?;
    let code = format!("{} |= . {code}", path(field)?);
    let design = &*facts.design;
    let feeder = design.title(design.edges[edge].from);
    let title = format!(
        "Convert `{field}` of {feeder} from {from} to {to} in front of {}",
        design.title(node)
    );
    map(facts, node, edge, title, "", code)
}

fn rename(facts: &Facts, node: NodeIx, edge: EdgeIx, field: &Pointer) -> Option<Fix> {
    let own = path(field)?;
    let design = &*facts.design;
    let from = design.edges[edge].from;
    let of = design.nodes[from].id.as_str().replace('-', "_");
    let new = format!("{own}_of_{of}");
    let title = format!(
        "Call `{field}` of {} `{}` in front of {}",
        design.title(from),
        new.trim_start_matches('.').replace('.', "/"),
        design.title(node)
    );
    let caution = "what reads the field behind it finds nothing in these events";
    let code = format!("{new} = {own} | del({own})");
    map(facts, node, edge, title, caution, code)
}

fn map(
    facts: &Facts,
    node: NodeIx,
    edge: EdgeIx,
    title: String,
    caution: &str,
    code: String,
) -> Option<Fix> {
    let design = &*facts.design;
    if design.edges[edge].resource {
        return None;
    }
    let new = new_node::map(design, code)?;
    let edges = vec![edge];
    let at = Placed { node, edges };
    Some(put_before(design, at, "convert", new, title, caution))
}
