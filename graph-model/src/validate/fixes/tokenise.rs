//! Puts tokens in the place of values.

use std::collections::BTreeSet;

use super::{Placed, fix, insert_before, kind_that};
use crate::catalog::{Behaviour, FieldType};
use crate::document::Node;
use crate::pointer::Pointer;
use crate::validate::Fix;
use crate::validate::design::NodeIx;
use crate::validate::facts::Facts;
use crate::validate::rules::auth::{Leak, words};
use crate::value::Value;

/// Name of the variable that holds the secret of new tokens.
const SECRET: &str = "TOKEN_SECRET";

/// `None` where no rule of the document lets a token be seen by more people than the value.
pub(in crate::validate) fn tokenise(facts: &Facts, node: NodeIx, leaks: &[Leak]) -> Option<Fix> {
    if leaks.iter().any(Leak::is_of_context) {
        return None;
    }
    let design = &*facts.design;
    let fields: BTreeSet<Pointer> = leaks.iter().map(|leak| leak.field.clone()).collect();
    let kind = kind_that(design, |does| matches!(does, Behaviour::Tokenise { .. }))?;
    let Behaviour::Tokenise { fields: config } = &kind.behaviour else {
        return None;
    };
    let released = |leak: &Leak| {
        let tag = &facts.tags[leak.tag as usize];
        let mut releases = facts.releases().iter();
        releases.any(|release| {
            release.lets_go(tag, "tokenise") && release.allows(&design.document, None)
        })
    };
    let edges = design.nodes[node].ins.clone();
    let drawn = edges.iter().all(|edge| !design.edges[*edge].resource);
    if !drawn || fields.iter().any(Pointer::is_root) || !leaks.iter().all(released) {
        return None;
    }
    let value: Value = fields.iter().map(ToString::to_string).collect();
    let mut new = Node::new(kind.id.clone()).with(config, value);
    let secrets = kind.config.iter();
    for secret in secrets.filter(|field| field.ty == FieldType::Secret && field.required) {
        new = new.with(&secret.name, SECRET);
    }
    let title = format!(
        "Put tokens for {} before {}",
        words(fields.iter()),
        design.title(node)
    );
    let caution = "the values are gone behind it; the variable TOKEN_SECRET has to hold a secret";
    Some(fix(design, title, caution, |build| {
        insert_before(design, build, Placed { node, edges }, &"tokens".into(), new);
    }))
}
