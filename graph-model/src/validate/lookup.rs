//! Finding a rule by what somebody typed.

use crate::validate::{Rule, rules};

/// Rules that are suggested at most.
const NEAR_MAX: usize = 3;

/// The rule of a code or a name, in any case.
pub fn rule(word: &str) -> Option<&'static Rule> {
    let word = word.to_lowercase();
    rules().iter().find(|rule| words(rule).contains(&word))
}

/// Rules whose code or name is much like the word, the most alike first.
pub fn near(word: &str) -> Vec<&'static Rule> {
    let word = word.to_lowercase();
    let limit = (word.chars().count() / 3).max(1);
    let mut near: Vec<(usize, &Rule)> = rules()
        .iter()
        .filter_map(|rule| {
            let distances = words(rule).map(|other| {
                // Who remembers a part of a name remembers the rule.
                if word.len() > 3 && other.contains(&word) {
                    0
                } else {
                    distance(&word, &other)
                }
            });
            let closest = distances.into_iter().min()?;
            (closest <= limit).then_some((closest, rule))
        })
        .collect();
    near.sort_by_key(|(distance, rule)| (*distance, rule.code));
    near.truncate(NEAR_MAX);
    near.into_iter().map(|(_, rule)| rule).collect()
}

fn words(rule: &Rule) -> [String; 2] {
    [rule.code.to_lowercase(), rule.name.to_lowercase()]
}

/// How many characters to insert, remove or change to get from one word to the other.
fn distance(from: &str, to: &str) -> usize {
    let to: Vec<char> = to.chars().collect();
    let mut row: Vec<usize> = (0..=to.len()).collect();
    for (i, a) in from.chars().enumerate() {
        let mut above_left = row[0];
        row[0] = i + 1;
        for (j, b) in to.iter().enumerate() {
            let above = row[j + 1];
            row[j + 1] = (above_left + usize::from(a != *b))
                .min(above + 1)
                .min(row[j] + 1);
            above_left = above;
        }
    }
    row[to.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_are_found_by_code_and_name() {
        for word in ["AUTH-001", "auth-001", "unreadable-field-shown"] {
            assert_eq!(rule(word).map(|rule| rule.code), Some("AUTH-001"), "{word}");
        }
        assert!(rule("AUTH").is_none() && rule("").is_none());
    }

    #[test]
    fn mistyped_words_have_neighbours() {
        for (word, wanted) in [
            ("AUTH-0001", "AUTH-001"),
            ("atuh-001", "AUTH-001"),
            ("unreadable-feild-shown", "AUTH-001"),
            ("event-strom", "LOOP-001"),
            ("storm", "LOOP-001"),
        ] {
            let near = near(word);
            assert_eq!(near.first().map(|rule| rule.code), Some(wanted), "{word}");
            assert!(near.len() <= NEAR_MAX);
        }
        assert!(near("teleport").is_empty() && near("").is_empty());
    }

    #[test]
    fn distances_are_counted_in_characters() {
        for (from, to, wanted) in [
            ("", "", 0),
            ("", "ab", 2),
            ("äb", "ab", 1),
            ("abc", "acb", 2),
        ] {
            assert_eq!(distance(from, to), wanted, "{from} {to}");
            assert_eq!(distance(to, from), wanted, "{to} {from}");
        }
    }
}
