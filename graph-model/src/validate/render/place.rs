//! Where in the text of a flow its nodes, edges and types stand.

use std::collections::BTreeMap;

use smol_str::SmolStr;

use crate::validate::Subject;

/// A part of one line, counted in characters from 1; the end is behind the last one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Region {
    pub line: usize,
    pub column: usize,
    pub end_column: usize,
}

/// The places of the keys of `/nodes`, `/edges` and `/types` in a JSON text.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Places {
    keys: BTreeMap<(&'static str, SmolStr), Region>,
}

/// The sections of a flow whose entries have a place.
const SECTIONS: [&str; 3] = ["nodes", "edges", "types"];

impl Places {
    /// Finds them in a text that a document was read from. Of a key that is there twice, the last one
    /// counts, as it does for the document.
    pub fn of(text: &str) -> Places {
        let mut keys = BTreeMap::new();
        let mut section = None;
        each_key(text, |depth, raw, region| match depth {
            1 => {
                section = SECTIONS.into_iter().find(|known| unquoted(raw) == *known);
                keys.retain(|(of, _), _| Some(*of) != section);
            }
            2 => {
                if let Some(section) = section {
                    keys.insert((section, unquoted(raw)), region);
                }
            }
            _ => {}
        });
        Places { keys }
    }

    /// The key of what a diagnostic is about; of a port that of its node.
    pub fn find(&self, subject: &Subject) -> Option<Region> {
        let (section, id) = match subject {
            Subject::Node(id) => ("nodes", id),
            Subject::Port(port) => ("nodes", &port.node),
            Subject::Edge(id) => ("edges", id),
            Subject::Type(id) => ("types", id),
        };
        self.keys.get(&(section, id.as_str().into())).copied()
    }
}

/// Calls with each key of each object: how deep it is, the key in its quotes, and where.
fn each_key(text: &str, mut seen: impl FnMut(usize, &str, Region)) {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let (mut line, mut column, mut depth) = (1, 0, 0_usize);
    // A string that is a key when a colon follows; where it starts, where it is.
    let mut string: Option<(usize, Region)> = None;
    let mut last: Option<(&str, Region)> = None;
    let mut escaped = false;
    for (at, char) in text.char_indices() {
        column += 1;
        if let Some((start, region)) = string {
            match char {
                _ if escaped => escaped = false,
                '\\' => escaped = true,
                '"' => {
                    string = None;
                    let region = Region {
                        end_column: column + 1,
                        ..region
                    };
                    last = Some((&text[start..=at], region));
                }
                _ => {}
            }
            continue;
        }
        match char {
            '"' => {
                let region = Region {
                    line,
                    column,
                    end_column: column,
                };
                string = Some((at, region));
            }
            '{' | '[' => depth += 1,
            '}' | ']' => depth = depth.saturating_sub(1),
            ':' => {
                if let Some((raw, region)) = last.take() {
                    seen(depth, raw, region);
                }
            }
            '\n' => (line, column) = (line + 1, 0),
            _ => {}
        }
        if !char.is_ascii_whitespace() && char != '"' {
            last = None;
        }
    }
}

/// The text of a JSON string.
fn unquoted(raw: &str) -> SmolStr {
    serde_json::from_str(raw).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format;
    use crate::id::{Id, PortRef};
    use crate::validate::notation;

    fn at(text: &str, subject: &Subject) -> Option<(usize, usize, usize)> {
        let region = Places::of(text).find(subject)?;
        Some((region.line, region.column, region.end_column))
    }

    #[test]
    fn every_entry_of_a_canonical_text_is_found() {
        let document = notation::read(
            "type order: id string {org}\nin: manual(event_type=order) -> lane: queue -> out: view",
        )
        .expect("reads");
        let text = format::write(&document);
        let lines: Vec<&str> = text.lines().collect();
        let nodes = document.nodes.keys().cloned().map(Subject::Node);
        let edges = document.edges.keys().cloned().map(Subject::Edge);
        let types = document.types.keys().cloned().map(Subject::Type);
        let mut found = 0;
        for subject in nodes.chain(edges).chain(types) {
            let (line, column, end) = at(&text, &subject).expect("it has a place");
            let quoted = format!("\"{}\"", subject.text());
            assert_eq!(lines[line - 1][column - 1..end - 1], quoted);
            found += 1;
        }
        assert_eq!(found, 6);
    }

    #[test]
    fn strings_that_look_like_keys_do_not_count() {
        let text = r#"{"version": 1, "note": "\"nodes\": {\"a\": 1}",
  "extra": {"nodes": {"a": {}}, "a": 1},
  "edges" : { "nodes": {} },
  "nodes": {"ä\"}": {"title": "\\"}, "\u0061"
    :{"config": {"b": {}, "edges": ["a", "x"]}}}}"#;
        let node = |id: &str| Subject::Node(Id::new(id));
        assert_eq!(at(text, &node("a")), Some((4, 38, 46)));
        assert_eq!(at(text, &node("ä\"}")), Some((4, 13, 19)));
        assert_eq!(
            at(text, &Subject::Port(PortRef::new("a", "out"))),
            Some((4, 38, 46))
        );
        assert_eq!(
            at(text, &Subject::Edge(Id::new("nodes"))),
            Some((3, 15, 22))
        );
        for missing in ["b", "x", "nodes", "title", "config"] {
            assert_eq!(at(text, &node(missing)), None, "{missing}");
        }
        assert_eq!(at(text, &Subject::Edge(Id::new("a"))), None);
    }

    #[test]
    fn the_last_of_two_counts_as_in_the_document() {
        let text =
            "\u{feff}{\"version\":1,\n\"nodes\":{\"a\":{}},\n\"nodes\":{\"b\":{},\n\"b\":{}}}";
        let document = format::open(text.as_bytes()).expect("opens").document;
        assert_eq!(
            document.nodes.keys().map(Id::as_str).collect::<Vec<_>>(),
            ["b"]
        );
        assert_eq!(at(text, &Subject::Node(Id::new("b"))), Some((4, 1, 4)));
        assert_eq!(at(text, &Subject::Node(Id::new("a"))), None);
        for broken in ["", "{", "\"", "{\"nodes\":{\"a", "]]}:", "{\"nodes\":\"\\"] {
            assert_eq!(Places::of(broken), Places::default(), "{broken}");
        }
    }
}
