//! Texts of strangers, made fit to show: one short line in which nothing hides or poses as ours.

use std::fmt::Write;

/// The text on one line, shortened to about this many characters.
///
/// Letters, digits and the visible signs of ASCII stay. Everything else is written as a code: line
/// ends, other controls, marks that turn the direction of writing, what has no width, and spaces
/// that could make a text look like the end of one.
pub(crate) fn line(text: &str, max: usize) -> String {
    shown(text, max, char::is_alphanumeric)
}

/// Like [`line()`], and letters beyond ASCII are codes, too: for hosts, addresses and names of
/// variables, where a letter of another script is more likely a trick than a name.
pub(crate) fn ascii(text: &str, max: usize) -> String {
    shown(text, max, |c| c.is_ascii_alphanumeric())
}

fn shown(text: &str, max: usize, letter: fn(char) -> bool) -> String {
    let mut shown = String::new();
    let mut length = 0;
    let mut chars = text.chars().peekable();
    let mut after_space = true;
    while let Some(c) = chars.next() {
        if length >= max {
            // Counting to the end of megabytes would be for nothing.
            let rest = chars.by_ref().take(COUNTED_MAX).count() + 1;
            let more = if rest > COUNTED_MAX { "over " } else { "" };
            let rest = rest.min(COUNTED_MAX);
            // Memory suffices for a short line.
            let _fits = write!(shown, " … {more}{rest} more characters");
            break;
        }
        let before = shown.len();
        let ends = chars.peek().is_none();
        if letter(c) || c.is_ascii_graphic() || (c == ' ' && !after_space && !ends) {
            shown.push(c);
        } else {
            shown.extend(c.escape_unicode());
        }
        length += shown[before..].chars().count();
        after_space = c == ' ';
    }
    shown
}

/// Characters that were left out are counted up to here.
const COUNTED_MAX: usize = 100_000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_hides_in_a_line() {
        for (text, wanted) in [
            ("data/orders.jsonl", "data/orders.jsonl"),
            ("größe 中.txt", "größe 中.txt"),
            ("a\nIt is safe.", r"a\u{a}It is safe."),
            ("gnp.\u{202e}exe", r"gnp.\u{202e}exe"),
            ("a\u{200b}b\u{feff}\u{7}", r"a\u{200b}b\u{feff}\u{7}"),
            ("a  b ", r"a \u{20}b\u{20}"),
            (" a", r"\u{20}a"),
            ("a\u{a0}b\u{301}", r"a\u{a0}b\u{301}"),
            ("", ""),
        ] {
            assert_eq!(line(text, 100), wanted);
        }
        assert_eq!(ascii("b\u{430}nk.example", 100), r"b\u{430}nk.example");
    }

    #[test]
    fn long_texts_are_cut_and_say_so() {
        assert_eq!(line("abcdef", 3), "abc … 3 more characters");
        assert_eq!(line("abc", 3), "abc");
        let long = "x".repeat(10_000_000);
        assert_eq!(line(&long, 3), "xxx … over 100000 more characters");
        // Codes count with all their characters.
        assert!(line(&"\u{202e}".repeat(1000), 40).chars().count() < 90);
    }
}
