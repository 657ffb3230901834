//! Colours for code: what is a word of the language, a text, a number, a comment.

use std::ops::Range;

use egui::text::{LayoutJob, TextFormat};
use egui::{Color32, FontId};

use crate::theme::Tokens;

/// Languages that people write in fields.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Language {
    Jq,
    TypeScript,
}

/// What a piece of code is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Piece {
    Plain,
    /// A word of the language.
    Keyword,
    /// What the surroundings give, such as `event` or `$event`.
    Given,
    Text,
    Number,
    Comment,
}

const TYPESCRIPT: &[&str] = &[
    "as",
    "async",
    "await",
    "break",
    "case",
    "catch",
    "class",
    "const",
    "continue",
    "debugger",
    "default",
    "delete",
    "do",
    "else",
    "extends",
    "false",
    "finally",
    "for",
    "function",
    "if",
    "in",
    "instanceof",
    "interface",
    "let",
    "new",
    "null",
    "of",
    "return",
    "satisfies",
    "static",
    "super",
    "switch",
    "this",
    "throw",
    "true",
    "try",
    "type",
    "typeof",
    "undefined",
    "var",
    "void",
    "while",
    "yield",
];
const TYPESCRIPT_GIVEN: &[&str] = &[
    "event", "emit", "state", "config", "console", "invalid", "retry", "fatal",
];
const JQ: &[&str] = &[
    "and", "as", "catch", "def", "elif", "else", "empty", "end", "error", "false", "foreach", "if",
    "label", "not", "null", "or", "reduce", "then", "true", "try",
];

/// The code as it is drawn.
pub(crate) fn layout(code: &str, language: Language, font: &FontId, tokens: &Tokens) -> LayoutJob {
    let mut job = LayoutJob::default();
    for (range, piece) in pieces(code, language) {
        let format = TextFormat::simple(font.clone(), color(piece, tokens));
        job.append(&code[range], 0.0, format);
    }
    job
}

fn color(piece: Piece, tokens: &Tokens) -> Color32 {
    match piece {
        Piece::Plain => tokens.text,
        Piece::Keyword => tokens.accent,
        Piece::Given => tokens.function,
        Piece::Text => tokens.ok,
        Piece::Number => tokens.operator,
        Piece::Comment => tokens.muted,
    }
}

/// The whole code in pieces, one after the other.
fn pieces(code: &str, language: Language) -> Vec<(Range<usize>, Piece)> {
    let mut found: Vec<(Range<usize>, Piece)> = Vec::new();
    let mut at = 0;
    while at < code.len() {
        let (length, piece) = next(&code[at..], language);
        match found.last_mut() {
            Some((range, last)) if *last == piece => range.end = at + length,
            _ => found.push((at..at + length, piece)),
        }
        at += length;
    }
    found
}

/// The first piece of what is left, which is not empty, and its bytes.
fn next(rest: &str, language: Language) -> (usize, Piece) {
    let first = rest.chars().next().unwrap_or(' ');
    let line = || rest.find('\n').unwrap_or(rest.len());
    match language {
        Language::TypeScript if rest.starts_with("//") => return (line(), Piece::Comment),
        Language::TypeScript if rest.starts_with("/*") => {
            let end = rest.find("*/").map_or(rest.len(), |end| end + 2);
            return (end, Piece::Comment);
        }
        Language::Jq if first == '#' => return (line(), Piece::Comment),
        _ => {}
    }
    match first {
        '"' => (text(rest, '"'), Piece::Text),
        '\'' | '`' if language == Language::TypeScript => (text(rest, first), Piece::Text),
        '0'..='9' => {
            let number = |letter: char| letter.is_ascii_alphanumeric() || ".+_".contains(letter);
            (while_in(rest, number), Piece::Number)
        }
        '$' if language == Language::Jq => (1 + while_in(&rest[1..], is_letter), Piece::Given),
        '.' if language == Language::Jq => {
            // A path: its names are no words of the language.
            (
                1 + while_in(&rest[1..], |letter| is_letter(letter) || letter == '.'),
                Piece::Plain,
            )
        }
        '.' => (1 + while_in(&rest[1..], is_letter), Piece::Plain),
        letter if is_letter(letter) => {
            let length = while_in(rest, is_letter);
            (length, word(&rest[..length], language))
        }
        other => (other.len_utf8(), Piece::Plain),
    }
}

fn word(word: &str, language: Language) -> Piece {
    let (keywords, given): (&[&str], &[&str]) = match language {
        Language::TypeScript => (TYPESCRIPT, TYPESCRIPT_GIVEN),
        Language::Jq => (JQ, &[]),
    };
    if keywords.contains(&word) {
        Piece::Keyword
    } else if given.contains(&word) {
        Piece::Given
    } else {
        Piece::Plain
    }
}

fn is_letter(letter: char) -> bool {
    letter.is_alphanumeric() || letter == '_' || letter == '$'
}

fn while_in(rest: &str, belongs: impl Fn(char) -> bool) -> usize {
    rest.find(|letter| !belongs(letter)).unwrap_or(rest.len())
}

/// Bytes of a text with its quotes; one without an end goes to the end of the line, or in backticks
/// of the code.
fn text(rest: &str, quote: char) -> usize {
    let mut escaped = false;
    for (at, letter) in rest.char_indices().skip(1) {
        match letter {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '\n' if quote != '`' => return at,
            _ if letter == quote => return at + letter.len_utf8(),
            _ => {}
        }
    }
    rest.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(code: &str, language: Language) -> String {
        let told = pieces(code, language).into_iter().map(|(range, piece)| {
            let mark = match piece {
                Piece::Plain => "",
                Piece::Keyword => "k",
                Piece::Given => "g",
                Piece::Text => "t",
                Piece::Number => "n",
                Piece::Comment => "c",
            };
            format!("{mark}[{}]", &code[range])
        });
        told.collect()
    }

    #[test]
    fn code_is_told_apart() {
        for (language, code, wanted) in [
            (
                Language::TypeScript,
                "const a = 'x'",
                "k[const][ a = ]t['x']",
            ),
            (
                Language::TypeScript,
                "return event.type // why",
                "k[return][ ]g[event][.type ]c[// why]",
            ),
            (
                Language::TypeScript,
                "`a\nb` + 1.5e3",
                "t[`a\nb`][ + ]n[1.5e3]",
            ),
            (Language::TypeScript, r#""a\"b" x"#, r#"t["a\"b"][ x]"#),
            (Language::TypeScript, "'open\nlet", "t['open][\n]k[let]"),
            (Language::TypeScript, "/* a */ if", "c[/* a */][ ]k[if]"),
            (
                Language::Jq,
                "if .if then $event else 1 end # x",
                "k[if][ .if ]k[then][ ]g[$event][ ]k[else][ ]n[1][ ]k[end][ ]c[# x]",
            ),
            (Language::Jq, ".a.b | \"grüße\"", "[.a.b | ]t[\"grüße\"]"),
        ] {
            assert_eq!(told(code, language), wanted);
        }
    }

    #[test]
    fn nothing_of_any_code_is_lost() {
        for code in [
            "",
            "🎈",
            "'",
            "`",
            "/*",
            "$",
            ".",
            "a.🎈.b 'ü",
            "\\",
            "\"\\",
        ] {
            for language in [Language::Jq, Language::TypeScript] {
                let whole: String = pieces(code, language)
                    .into_iter()
                    .map(|(range, _)| &code[range])
                    .collect();
                assert_eq!(whole, code);
            }
        }
    }
}
