//! Secrets that a node grants its function: by name, from the environment, and never shown.

use std::collections::BTreeMap;

use runtime_protocol::Problem;

use crate::kind::Build;

/// The field that lists their names.
pub(super) const FIELD: &str = "secrets";
/// Shortest secret that is looked for in what a function sends: shorter ones stand in other texts by chance.
const SOUGHT_MIN: usize = 8;

/// The secrets of a node.
#[derive(Clone, Default)]
pub(super) struct Secrets {
    by_name: BTreeMap<String, String>,
    /// The same, longest value first.
    values: Vec<(String, String)>,
}

impl Secrets {
    /// Those that a node lists: from the environment when it is `live`, made up otherwise.
    pub(super) fn of(build: &Build, live: bool) -> Result<Secrets, Problem> {
        let names = build.texts(FIELD).into_iter();
        let held = names.map(|name| {
            let name = name.trim().to_owned();
            let value = if live {
                std::env::var(&name).map_err(|_| {
                    build.problem(format!("`{FIELD}`: the environment variable `{name}` is not set; set it before you start Weir"))
                })?
            } else {
                made_up(&name)
            };
            Ok((name, value))
        });
        held.collect::<Result<_, _>>().map(Secrets::new)
    }

    fn new(by_name: BTreeMap<String, String>) -> Secrets {
        let shown = by_name.iter().filter(|(_, value)| !value.is_empty());
        let mut values: Vec<_> = shown
            .map(|(name, value)| (name.clone(), value.clone()))
            .collect();
        values.sort_by_key(|(_, value)| std::cmp::Reverse(value.len()));
        Secrets { by_name, values }
    }

    /// Whether there is none to look for.
    pub(super) fn is_empty(&self) -> bool {
        self.values.is_empty()
    }

    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.by_name.get(name).map(String::as_str)
    }

    /// A text for people, without them.
    pub(super) fn hidden(&self, text: &str) -> String {
        let mut text = text.to_owned();
        for (_, value) in &self.values {
            if text.contains(value.as_str()) {
                text = text.replace(value.as_str(), "***");
            }
        }
        text
    }

    /// The name of one that stands in a text.
    pub(super) fn found_in(&self, text: &str) -> Option<&str> {
        let mut long = self
            .values
            .iter()
            .filter(|(_, value)| value.len() >= SOUGHT_MIN);
        long.find(|(_, value)| text.contains(value.as_str()))
            .map(|(name, _)| name.as_str())
    }
}

/// Without an environment each name has its value all the same, and always the same one.
fn made_up(name: &str) -> String {
    format!("made-up-{name}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_hidden_the_longest_first() {
        let named = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        let held = [named("A", "abc"), named("B", "abcdefgh"), named("C", "")];
        let secrets = Secrets::new(held.into());
        assert_eq!(secrets.hidden("abcdefgh, abc, ab"), "***, ***, ab");
        assert_eq!(secrets.found_in("x abcdefgh x"), Some("B"));
        assert_eq!(secrets.found_in("x abc x"), None);
        assert_eq!((secrets.get("A"), secrets.get("D")), (Some("abc"), None));
    }
}
