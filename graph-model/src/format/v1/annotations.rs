//! What stands beside the configuration of nodes and edges: who may see, what is assumed, declared and accepted.

use std::collections::BTreeMap;
use std::sync::Arc;

use smol_str::SmolStr;

use super::fields::{Fields, merge, put_ids, put_object, put_text};
use crate::document::{Acceptance, Annotations, Assumption, Audience, RowFilter};
use crate::id::Id;
use crate::pointer::Pointer;
use crate::value::{Object, Value};

pub(super) fn read_annotations(fields: &mut Fields) -> Annotations {
    Annotations {
        audience: fields.nested("audience", read_audience),
        side_audiences: fields
            .entries("side_audiences", |fields| Some(read_audience(fields)))
            .into_iter()
            .map(|(name, audience)| (SmolStr::from(name.as_str()), Arc::unwrap_or_clone(audience)))
            .collect(),
        runs_as: fields.optional_text("runs_as").map(Id::new),
        assumptions: fields
            .entries("assumptions", |fields| {
                Some(Assumption {
                    reason: fields.text("reason"),
                    extra: fields.rest(),
                })
            })
            .into_iter()
            .map(|(name, claim)| (SmolStr::from(name.as_str()), Arc::unwrap_or_clone(claim)))
            .collect(),
        declared: fields.object("declared"),
        accepted: read_accepted(fields),
    }
}

pub(super) fn read_accepted(fields: &mut Fields) -> BTreeMap<SmolStr, Acceptance> {
    let accepted = fields.entries("accepted", |fields| {
        Some(Acceptance {
            reason: fields.text("reason"),
            by: fields.text("by"),
            until: fields.optional_text("until"),
            extra: fields.rest(),
        })
    });
    let by_code = |(code, acceptance): (Id, _)| {
        let code = SmolStr::from(code.as_str());
        (code, Arc::unwrap_or_clone(acceptance))
    };
    accepted.into_iter().map(by_code).collect()
}

pub(super) fn write_annotations(out: &mut Object, notes: &Annotations) {
    if let Some(audience) = &notes.audience {
        out.insert("audience", write_audience(audience));
    }
    let sides: Object = notes
        .side_audiences
        .iter()
        .map(|(name, audience)| (name.clone(), write_audience(audience)))
        .collect();
    merge(out, "side_audiences", sides);
    if let Some(principal) = &notes.runs_as {
        out.insert("runs_as", principal.as_str());
    }
    let assumptions: Object = notes
        .assumptions
        .iter()
        .map(|(name, claim)| {
            let mut entry = claim.extra.clone();
            put_text(&mut entry, "reason", &claim.reason);
            (name.clone(), entry)
        })
        .collect();
    merge(out, "assumptions", assumptions);
    put_object(out, "declared", &notes.declared);
    write_accepted(out, &notes.accepted);
}

pub(super) fn write_accepted(out: &mut Object, accepted: &BTreeMap<SmolStr, Acceptance>) {
    let entry = |(code, acceptance): (&SmolStr, &Acceptance)| {
        let mut entry = acceptance.extra.clone();
        put_text(&mut entry, "reason", &acceptance.reason);
        put_text(&mut entry, "by", &acceptance.by);
        if let Some(until) = &acceptance.until {
            entry.insert("until", until.clone());
        }
        (code.clone(), entry)
    };
    merge(out, "accepted", accepted.iter().map(entry).collect());
}

pub(super) fn read_audience(fields: &mut Fields) -> Audience {
    Audience {
        roles: fields.texts("roles").into_iter().map(Id::new).collect(),
        rows: fields
            .texts("rows")
            .into_iter()
            .filter_map(|text| {
                if let Some((claim, Ok(field))) = text
                    .split_once('=')
                    .map(|(claim, field)| (claim.trim(), Pointer::parse(field.trim())))
                {
                    Some(RowFilter {
                        claim: claim.into(),
                        field,
                    })
                } else {
                    fields.note(
                        "rows",
                        format!("a row filter is written `claim = /field`, found `{text}`"),
                    );
                    None
                }
            })
            .collect(),
    }
}

pub(super) fn write_audience(audience: &Audience) -> Object {
    let mut out = Object::new();
    put_ids(&mut out, "roles", &audience.roles);
    let rows: Vec<Value> = audience
        .rows
        .iter()
        .map(|row| format!("{} = {}", row.claim, row.field).into())
        .collect();
    if !rows.is_empty() {
        out.insert("rows", rows);
    }
    out
}
