//! What to replace in a text, line by line, so that it becomes another one.

/// Lines of the old text, from 0 and without the last, and what stands there in the new one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Replacement<'t> {
    pub(super) first: usize,
    pub(super) end: usize,
    pub(super) lines: Vec<&'t str>,
}

/// Pairs of lines that are compared at most; what differs more is replaced in one piece.
const PAIRS_MAX: usize = 1 << 20;

/// The fewest lines that have to be replaced, from top to bottom. Lines keep their ends.
pub(super) fn replacements<'t>(old: &str, new: &'t str) -> Vec<Replacement<'t>> {
    let old: Vec<&str> = old.split_inclusive('\n').collect();
    let new: Vec<&str> = new.split_inclusive('\n').collect();
    let same = |(a, b): &(&&str, &&str)| a == b;
    let head = old.iter().zip(&new).take_while(same).count();
    let rest = old[head..].iter().rev().zip(new[head..].iter().rev());
    let tail = rest.take_while(same).count();
    let (old, new) = (&old[head..old.len() - tail], &new[head..new.len() - tail]);
    if old.is_empty() && new.is_empty() {
        return Vec::new();
    }
    if old.len().saturating_mul(new.len()) > PAIRS_MAX {
        return vec![Replacement {
            first: head,
            end: head + old.len(),
            lines: new.to_vec(),
        }];
    }
    let common = common_after(old, new);
    let width = new.len() + 1;
    let mut found: Vec<Replacement<'t>> = Vec::new();
    let (mut a, mut b) = (0, 0);
    while a < old.len() || b < new.len() {
        if a < old.len() && b < new.len() && old[a] == new[b] {
            (a, b) = (a + 1, b + 1);
            continue;
        }
        let goes_on = found.last().is_some_and(|last| last.end == head + a);
        if !goes_on {
            found.push(Replacement {
                first: head + a,
                end: head + a,
                lines: Vec::new(),
            });
        }
        let last = found.last_mut().expect("one was just put there");
        let drops = b == new.len()
            || a < old.len() && common[(a + 1) * width + b] >= common[a * width + b + 1];
        if drops {
            last.end += 1;
            a += 1;
        } else {
            last.lines.push(new[b]);
            b += 1;
        }
    }
    found
}

/// How many lines two rests have in common, in order: by `a * (new + 1) + b`.
fn common_after(old: &[&str], new: &[&str]) -> Vec<u32> {
    let width = new.len() + 1;
    let mut common = vec![0; (old.len() + 1) * width];
    for a in (0..old.len()).rev() {
        for b in (0..new.len()).rev() {
            common[a * width + b] = if old[a] == new[b] {
                common[(a + 1) * width + b + 1] + 1
            } else {
                common[(a + 1) * width + b].max(common[a * width + b + 1])
            };
        }
    }
    common
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn replaced(old: &str, found: &[Replacement<'_>]) -> String {
        let old: Vec<&str> = old.split_inclusive('\n').collect();
        let (mut text, mut at) = (String::new(), 0);
        for one in found {
            text.push_str(&old[at..one.first].concat());
            text.push_str(&one.lines.concat());
            at = one.end;
        }
        text + &old[at..].concat()
    }

    #[test]
    fn what_stays_is_not_replaced() {
        let found = replacements("a\nb\nc\nd\ne\n", "a\nB\nc\nd\nx\ne\n");
        let shape: Vec<_> = found.iter().map(|one| (one.first, one.end)).collect();
        assert_eq!(shape, [(1, 2), (4, 4)]);
        assert_eq!(found[0].lines, ["B\n"]);
        assert_eq!(replacements("a\n", "a\n"), []);
    }

    proptest! {
        #[test]
        fn replacing_gives_the_new_text(
            old in proptest::collection::vec("[ab]\n", 0..12),
            new in proptest::collection::vec("[abc]\n", 0..12),
        ) {
            let (old, new) = (old.concat(), new.concat());
            let found = replacements(&old, &new);
            prop_assert_eq!(&replaced(&old, &found), &new);
            for pair in found.windows(2) {
                prop_assert!(pair[0].end < pair[1].first, "pieces are apart");
            }
        }
    }
}
