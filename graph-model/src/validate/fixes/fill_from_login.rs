//! Lets the source say who is logged in, or compares it where both are still known.

use super::behind::{insert_behind, is_main};
use super::identify::path;
use super::{declare, fix, new_node};
use crate::catalog::Family;
use crate::pointer::Pointer;
use crate::validate::Fix;
use crate::validate::design::NodeIx;
use crate::validate::facts::Facts;
use crate::validate::facts::origins::OriginId;

/// The source fills the field on which `node` acts with who is logged in.
pub(in crate::validate) fn fill_from_login(
    facts: &Facts,
    node: NodeIx,
    acts_on: &Pointer,
    source: NodeIx,
) -> Option<Fix> {
    let design = &*facts.design;
    let kind = design.nodes[source].kind.as_ref()?;
    if kind.family != Family::Source || design.declared(source, "principal").is_some() {
        return None;
    }
    let origin = facts.field(acts_on, facts.input(node)?);
    let field = facts.place_of(origin, facts.output(source)?)?;
    let title = format!(
        "Let {} fill `{field}` with who is logged in",
        design.title(source)
    );
    let caution = "it has to know who that is, and to replace what the sender put there";
    let value = Some(field.to_string().into());
    Some(declare(
        design,
        source,
        title,
        caution,
        &[("principal", value)],
    ))
}

/// A filter right behind the source that compares the field on which `node` acts with the caller.
pub(in crate::validate) fn compare_at_source(
    facts: &Facts,
    node: NodeIx,
    acts_on: &Pointer,
    source: NodeIx,
    caller: OriginId,
) -> Option<Fix> {
    let design = &*facts.design;
    let (port, sent) = (facts.input(node)?, facts.output(source)?);
    let field = facts.place_of(facts.field(acts_on, port), sent)?;
    let caller = facts.place_of_owner(caller, sent)?;
    let test = format!("{} == {}", path(&field)?, path(&caller)?);
    let view = &design.nodes[source];
    let leaves = view.kind.as_ref()?.outputs.first()?.name.clone();
    if !view.outs.iter().any(|edge| is_main(design, *edge)) {
        return None;
    }
    let title = format!("Let only `{test}` pass behind {}", design.title(source));
    let caution = "events of callers who act for others are dropped; wire `dropped` to keep them";
    let new = new_node::filter(design, test)?;
    Some(fix(design, title, caution, |build| {
        insert_behind(design, build, (source, &leaves), &"own_only".into(), new);
    }))
}
