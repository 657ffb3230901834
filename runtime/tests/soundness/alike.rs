//! When two places hold the same for whoever looks at them, although not entry by entry.

use std::collections::{BTreeMap, BTreeSet};

use graph_model::document::Document;
use graph_model::id::NodeId;
use graph_model::value::{Object, Value};
use runtime::oracle::Finding;
use runtime::simulate::{Content, Outcome};

use crate::exempt::{Upstream, place_of};

/// What was given up may be given up again, or only in the run: that is no state of the flow, and
/// losses have an oracle of their own. Who reads lines of a file may read one again: nobody promises
/// that exports hold each line once, nor that people see each result of so many events once. Names that were
/// made are compared by what they name.
pub(crate) fn is_tolerated(
    found: &Finding,
    run: &Outcome,
    reference: &Outcome,
    document: &Document,
) -> bool {
    let sinks = document.nodes.iter().filter(|(id, node)| {
        place_of(id, node).is_some_and(|place| found.at == place) || found.at == id.as_str()
    });
    let sinks: Vec<&NodeId> = sinks.map(|(id, _)| id).collect();
    if sinks
        .iter()
        .any(|id| document.nodes[*id].kind == "dead_letter")
    {
        return true;
    }
    let places = run
        .stores
        .get(&found.at)
        .zip(reference.stores.get(&found.at));
    let Some((held, meant)) = places else {
        return false;
    };
    let again = match meant {
        Content::Lines(lines) => found.expected == Value::Null && lines.contains(&found.observed),
        _ => false,
    };
    let called = |content| placeless(content, document);
    again
        || agree(held, meant, objects)
        || agree(held, meant, settled)
        || agree(held, meant, called)
        || counts(&sinks, document) && agree(held, meant, shown)
}

fn agree<'c, T: PartialEq>(
    held: &'c Content,
    meant: &'c Content,
    of: impl Fn(&'c Content) -> Option<T>,
) -> bool {
    of(held).is_some_and(|held| of(meant) == Some(held))
}

/// Whether results of so many events each come to one of these.
fn counts(sinks: &[&NodeId], document: &Document) -> bool {
    let upstream = Upstream::of(document);
    let mut before = sinks.iter().flat_map(|sink| upstream.before(sink));
    before.any(|id| document.nodes[id].config_str("window") == Some("count"))
}

/// Objects, whatever they are called.
fn objects(content: &Content) -> Option<Vec<Value>> {
    let Content::Objects(objects) = content else {
        return None;
    };
    let mut held: Vec<Value> = objects.values().cloned().collect();
    held.sort();
    Some(held)
}

/// What people look at without a key, however often and in whatever order.
fn shown(content: &Content) -> Option<BTreeSet<&Value>> {
    match content {
        Content::Shown(rows) if rows.iter().all(|(key, _)| key.is_none()) => {
            Some(rows.iter().map(|(_, row)| row).collect())
        }
        _ => None,
    }
}

/// What people look at, with results called after their node alone, and not after the instance as well. By a
/// key the order says nothing.
fn placeless(content: &Content, document: &Document) -> Option<Vec<Value>> {
    let (mut rows, by_key): (Vec<Value>, bool) = match content {
        Content::Shown(rows) => {
            let by_key = rows.iter().all(|(key, _)| key.is_some());
            let rows = rows.iter().map(|(_, row)| renamed(row, document));
            (rows.collect(), by_key)
        }
        Content::Lines(lines) => {
            let lines = lines.iter().map(|line| renamed(line, document));
            (lines.collect(), false)
        }
        _ => return None,
    };
    if by_key {
        rows.sort();
    }
    Some(rows)
}

fn renamed(value: &Value, document: &Document) -> Value {
    match value {
        Value::Str(text) => {
            let of_node = without_instance(text, document).map(Value::from);
            of_node.unwrap_or_else(|| value.clone())
        }
        Value::Arr(items) => {
            let items = items.iter().map(|item| renamed(item, document));
            items.collect::<Vec<Value>>().into()
        }
        Value::Obj(object) => {
            let fields = object.iter();
            let fields = fields.map(|(name, item)| (name.clone(), renamed(item, document)));
            fields.collect::<Object>().into()
        }
        _ => value.clone(),
    }
}

/// `n5/o0` for `n5.0/o0`.
fn without_instance(id: &str, document: &Document) -> Option<String> {
    let (maker, rest) = id.split_once('/')?;
    let (node, instance) = maker.rsplit_once('.')?;
    let is_number = instance.bytes().all(|byte| byte.is_ascii_digit());
    let known = is_number && document.nodes.contains_key(&NodeId::new(node));
    known.then(|| format!("{node}/{rest}"))
}

/// What is sure of a place: of deeds with a key that they were done, whichever event asked first; of what
/// people look at without a key the last result of each thing, where all are results; of changes that were
/// written down the last of each row, as nobody promises that lines come once.
fn settled(content: &Content) -> Option<BTreeMap<Value, Value>> {
    let mut sure = BTreeMap::new();
    match content {
        Content::Done(done) => {
            for deed in done.list() {
                let key = Value::from(vec![deed.action.clone().into(), deed.key.clone()?]);
                sure.insert(key, Value::Null);
            }
        }
        Content::Shown(rows) if rows.iter().all(|(key, _)| key.is_none()) => {
            let rows = rows.iter().map(|(_, row)| row);
            for row in rows {
                let key = Value::from(vec![
                    row.get("key")?.clone(),
                    row.get("from").cloned().unwrap_or_default(),
                ]);
                sure.insert(key, row.clone());
            }
        }
        Content::Lines(lines) if lines.iter().all(|line| line.get("op").is_some()) => {
            for line in lines {
                sure.insert(line.get("key")?.clone(), line.get("after").cloned()?);
            }
        }
        _ => return None,
    }
    Some(sure)
}
