//! What a flow gets at outside of Weir when it runs, read off the catalog.
//!
//! Whoever is about to run a stranger's flow decides by this list. It says what the configuration
//! names; what the configuration cannot name, such as a file outside of the project, no kind gets at.

use std::collections::BTreeSet;
use std::net::{IpAddr, SocketAddr};

use smol_str::SmolStr;

use crate::catalog::{Catalog, FieldSpec, FieldType, ReachKind};
use crate::document::Document;
use crate::id::NodeId;
use crate::value::{Object, Value};

/// One thing that one node gets at.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Reach {
    pub kind: ReachKind,
    /// The address, file or variable as the flow names it; a stranger may have written anything.
    pub value: SmolStr,
    pub node: NodeId,
}

/// Everything that the flow gets at, sorted, each once.
///
/// Disabled nodes do nothing, and nodes of unknown kinds keep a flow from running, so neither count.
pub fn of(document: &Document, catalog: &Catalog) -> Vec<Reach> {
    let mut all = BTreeSet::new();
    for (id, node) in document.nodes.iter().filter(|(_, node)| !node.disabled) {
        let Some(kind) = catalog.get(&node.kind) else {
            continue;
        };
        for field in &kind.config {
            let value = kind.config(node, &field.name);
            collect(field, value, &mut |kind, value| {
                all.insert(Reach {
                    kind,
                    value,
                    node: id.clone(),
                });
            });
        }
    }
    all.into_iter().collect()
}

/// Whether an address to listen on can be reached from this machine alone. Names other than
/// `localhost` count as open to others: what they stand for is known only when they are looked up.
pub fn is_loopback(listen: &str) -> bool {
    let host = match listen.parse::<SocketAddr>() {
        Ok(address) => return address.ip().is_loopback(),
        Err(_) => listen.rsplit_once(':').map_or(listen, |(host, _)| host),
    };
    host == "localhost" || host.parse().is_ok_and(|ip: IpAddr| ip.is_loopback())
}

/// Host and port of a web address, read as a browser reads it: a name in front of an `@` is no host,
/// and `\` is `/`.
pub fn host(url: &str) -> Option<&str> {
    let (_, rest) = url.split_once(':')?;
    let rest = rest.trim_start_matches(['/', '\\']);
    let end = rest.find(['/', '\\', '?', '#']).unwrap_or(rest.len());
    let authority = &rest[..end];
    let host = authority
        .rsplit_once('@')
        .map_or(authority, |(_, host)| host);
    (!host.is_empty()).then_some(host)
}

fn collect(field: &FieldSpec, value: Option<&Value>, found: &mut dyn FnMut(ReachKind, SmolStr)) {
    let Some(value) = value else {
        return;
    };
    if let FieldType::Records { fields } = &field.ty {
        let records = value.as_array().into_iter().flatten();
        for record in records.filter_map(Value::as_object) {
            for inner in fields {
                let value = record.get(&inner.name).unwrap_or(&inner.default);
                collect(inner, Some(value), found);
            }
        }
    }
    let Some(kind) = field.reach else {
        return;
    };
    match value {
        Value::Str(text) if !text.trim().is_empty() => found(kind, text.as_str().into()),
        Value::Arr(texts) => texts
            .iter()
            .filter_map(Value::as_str)
            .for_each(|text| found(kind, text.into())),
        Value::Obj(table) => in_table(table, |text| found(kind, text.into())),
        _ => {}
    }
}

/// The environment variables that the texts of a table name as `$NAME`.
fn in_table<'t>(table: &'t Object, found: impl FnMut(&'t str)) {
    table
        .iter()
        .filter_map(|(_, text)| text.as_str())
        .flat_map(|text| text.split('$').skip(1))
        .map(|rest| {
            let end = rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '_');
            &rest[..end.unwrap_or(rest.len())]
        })
        .filter(|name| !name.is_empty() && !name.starts_with(|c: char| c.is_ascii_digit()))
        .for_each(found);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format;

    fn reaches(nodes: &str) -> Vec<String> {
        let text = format!(r#"{{"version":1,"nodes":{{{nodes}}}}}"#);
        let opened = format::open(text.as_bytes()).expect("a flow");
        of(&opened.document, Catalog::bundled())
            .into_iter()
            .map(|reach| format!("{:?} {} by {}", reach.kind, reach.value, reach.node))
            .collect()
    }

    #[test]
    fn fields_say_what_they_reach() {
        for (nodes, wanted) in [
            (r#""a": {"kind": "map"}"#, &[][..]),
            // The default of a field counts where the node has none of its own.
            (r#""a": {"kind": "http"}"#, &["Listen 127.0.0.1:8787 by a"]),
            (
                r#""a": {"kind": "http", "config": {"listen": "0.0.0.0:1", "secret": "KEY"}}"#,
                &["Listen 0.0.0.0:1 by a", "Secret KEY by a"],
            ),
            (
                r#""a": {"kind": "http", "disabled": true}, "b": {"kind": "no such kind"}"#,
                &[],
            ),
            (
                r#""a": {"kind": "http_out", "config": {"url": "https://x.example/in",
                    "headers": {"Authorization": "Bearer $TOKEN", "price": "$5 $", "again": "$TOKEN$B"}}}"#,
                &[
                    "Call https://x.example/in by a",
                    "Secret B by a",
                    "Secret TOKEN by a",
                ],
            ),
            (
                r#""a": {"kind": "function", "config": {"component": "x.wasm",
                    "hosts": ["https://api.example.com", "http://localhost:80"], "secrets": ["TOKEN"]}}"#,
                &[
                    "Call http://localhost:80 by a",
                    "Call https://api.example.com by a",
                    "Secret TOKEN by a",
                    "Component x.wasm by a",
                ],
            ),
            // A wrong value reaches nothing: the engine refuses it.
            (
                r#""a": {"kind": "export", "config": {"file": 7}}, "b": {"kind": "export", "config": {"file": " "}}"#,
                &[],
            ),
            (
                r#""b": {"kind": "table", "config": {"table": "t"}}, "a": {"kind": "function", "config": {"component": "x.wasm"}}"#,
                &["Database data.sqlite by b", "Component x.wasm by a"],
            ),
        ] {
            assert_eq!(reaches(nodes), wanted, "{nodes}");
        }
    }

    /// What a kind gets at must not depend on whether somebody remembered to say so.
    #[test]
    fn paths_addresses_and_secrets_all_declare_their_reach() {
        fn check(kind: &str, fields: &[FieldSpec]) {
            for field in fields {
                let place = format!("{kind}.{}", field.name);
                match &field.ty {
                    FieldType::Path { .. } => assert!(
                        matches!(
                            field.reach,
                            Some(
                                ReachKind::ReadFile
                                    | ReachKind::WriteFile
                                    | ReachKind::Database
                                    | ReachKind::Component
                            )
                        ),
                        "{place}"
                    ),
                    FieldType::Url => assert_eq!(field.reach, Some(ReachKind::Call), "{place}"),
                    FieldType::Secret => {
                        assert_eq!(field.reach, Some(ReachKind::Secret), "{place}");
                    }
                    FieldType::Records { fields } => check(&place, fields),
                    _ => {}
                }
            }
        }
        for kind in Catalog::bundled().iter() {
            check(&kind.id, &kind.config);
        }
    }

    #[test]
    fn hosts_are_read_as_browsers_read_them() {
        for (url, wanted) in [
            ("https://example.com", Some("example.com")),
            ("http://127.0.0.1:8080/x?y=http://z", Some("127.0.0.1:8080")),
            ("https://bank.example@evil.example/", Some("evil.example")),
            ("https://bank.example\\@evil.example/", Some("bank.example")),
            ("https:\\\\evil.example?@bank.example", Some("evil.example")),
            ("https:evil.example#@bank.example", Some("evil.example")),
            ("https://[::1]:80/", Some("[::1]:80")),
            ("https://", None),
            ("evil", None),
        ] {
            assert_eq!(host(url), wanted, "{url}");
        }
    }

    #[test]
    fn only_the_loopback_is_for_this_machine_alone() {
        for (listen, wanted) in [
            ("127.0.0.1:8787", true),
            ("localhost:1", true),
            ("[::1]:1", true),
            ("127.9.9.9:1", true),
            ("0.0.0.0:1", false),
            ("192.168.0.1:1", false),
            ("[::]:1", false),
            ("example.com:1", false),
            ("localhost.evil.example:1", false),
            ("", false),
        ] {
            assert_eq!(is_loopback(listen), wanted, "{listen}");
        }
    }
}
