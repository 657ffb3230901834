//! Refuses what is too large to be read, before anything recurses over it, and says what cannot be read.

use jaq_core::load;
use jaq_core::load::lex::{Expect as Wanted, StrPart, Tok, Token};
use jaq_core::load::parse::{BinaryOp, Expect, Pattern as ParsedPattern, Term};
use jaq_core::path::Part;

use crate::expr::ExprError;
use crate::expr::bounds::{NESTING_MAX, OPERATORS_MAX, TERMS_MAX};

/// Refuses brackets nested too deep before the parser, which recurses, meets them.
pub(super) fn check_nesting(code: &str) -> Result<(), ExprError> {
    // Open brackets and quotes; a bracket above a quote is an interpolation.
    let mut open = Vec::new();
    let mut letters = code.bytes().enumerate();
    while let Some((at, letter)) = letters.next() {
        let in_text = open.last() == Some(&b'"');
        match letter {
            b'"' if in_text => {
                open.pop();
            }
            b'\\' if in_text => {
                if let Some((_, b'(')) = letters.next() {
                    open.push(b'(');
                }
            }
            _ if in_text => {}
            b'"' | b'(' | b'[' | b'{' => open.push(letter),
            b')' | b']' | b'}' => {
                open.pop();
            }
            b'#' => while letters.next().is_some_and(|(_, letter)| letter != b'\n') {},
            _ => {}
        }
        if open.len() > NESTING_MAX {
            let message = format!("brackets are nested more than {NESTING_MAX} deep");
            let end = at + 1;
            return Err(ExprError::new(
                code,
                at..end,
                message,
                "split the expression over several nodes",
            ));
        }
    }
    Ok(())
}

/// Refuses more operators and keywords than [`OPERATORS_MAX`]: each may nest the tree one deeper.
pub(super) fn check_operators(
    code: &str,
    tokens: &[Token<&str>],
    left: &mut usize,
) -> Result<(), ExprError> {
    for Token(text, token) in tokens {
        let counts = match token {
            Tok::Sym => !text.starts_with('.') && !matches!(*text, ";" | ":" | ")" | "]" | "}"),
            Tok::Word => {
                matches!(
                    *text,
                    "if" | "try"
                        | "reduce"
                        | "foreach"
                        | "def"
                        | "as"
                        | "label"
                        | "and"
                        | "or"
                        | "elif"
                )
            }
            _ => false,
        };
        if counts {
            *left = left.checked_sub(1).ok_or_else(|| {
                let message =
                    format!("the expression has more than {OPERATORS_MAX} operators and keywords");
                ExprError::new(
                    code,
                    load::span(code, text),
                    message,
                    "split it over several nodes",
                )
            })?;
        }
        match token {
            Tok::Block(below) => check_operators(code, below, left)?,
            Tok::Str(parts) => {
                for part in parts {
                    if let StrPart::Term(Token(_, Tok::Block(below))) = part {
                        check_operators(code, below, left)?;
                    }
                }
            }
            _ => {}
        }
    }
    Ok(())
}

/// Refuses terms nested more than [`TERMS_MAX`] deep, before anything recurses over them.
pub(super) fn check_depth(code: &str, term: &Term<&str>) -> Result<(), ExprError> {
    let mut open = vec![(term, 1)];
    while let Some((term, depth)) = open.pop() {
        if depth > TERMS_MAX {
            let message = format!("the expression is nested more than {TERMS_MAX} deep");
            return Err(ExprError::new(
                code,
                0..code.len(),
                message,
                "split it over several nodes",
            ));
        }
        open.extend(below(term).into_iter().map(|term| (term, depth + 1)));
    }
    Ok(())
}

fn below<'t>(term: &'t Term<&'t str>) -> Vec<&'t Term<&'t str>> {
    fn in_pattern<'t>(pattern: &'t ParsedPattern<&'t str>, into: &mut Vec<&'t Term<&'t str>>) {
        match pattern {
            ParsedPattern::Var(_) => {}
            ParsedPattern::Arr(items) => items.iter().for_each(|item| in_pattern(item, into)),
            ParsedPattern::Obj(entries) => {
                for (key, below) in entries {
                    into.push(key);
                    in_pattern(below, into);
                }
            }
        }
    }
    let mut terms = Vec::new();
    match term {
        Term::Id
        | Term::Recurse
        | Term::Num(_)
        | Term::Arr(None)
        | Term::Break(_)
        | Term::Var(_) => {}
        Term::Str(_, parts) => terms.extend(parts.iter().filter_map(|part| match part {
            StrPart::Term(term) => Some(term),
            StrPart::Str(_) | StrPart::Char(_) => None,
        })),
        Term::Arr(Some(of)) | Term::Neg(of) | Term::Label(_, of) => terms.push(of),
        Term::Obj(entries) => {
            terms.extend(
                entries
                    .iter()
                    .flat_map(|(key, value)| [key].into_iter().chain(value)),
            );
        }
        Term::BinOp(left, op, right) => {
            terms.extend([&**left, &**right]);
            if let BinaryOp::Pipe(Some(pattern)) = op {
                in_pattern(pattern, &mut terms);
            }
        }
        Term::Fold(_, source, pattern, args) => {
            terms.push(source);
            in_pattern(pattern, &mut terms);
            terms.extend(args);
        }
        Term::TryCatch(body, catch) => {
            terms.push(body);
            terms.extend(catch.as_deref());
        }
        Term::IfThenElse(branches, otherwise) => {
            terms.extend(branches.iter().flat_map(|(test, then)| [test, then]));
            terms.extend(otherwise.as_deref());
        }
        Term::Def(defs, body) => {
            terms.extend(defs.iter().map(|def| &def.body));
            terms.push(body);
        }
        Term::Call(_, args) => terms.extend(args),
        Term::Path(head, path) => {
            terms.push(head);
            for (part, _) in &path.0 {
                match part {
                    Part::Index(index) => terms.push(index),
                    Part::Range(from, to) => terms.extend(from.iter().chain(to)),
                }
            }
        }
    }
    terms
}

pub(super) fn unreadable(code: &str, errors: &[(Wanted<&str>, &str)]) -> ExprError {
    let Some((wanted, rest)) = errors.first() else {
        return ExprError::new(code, 0..code.len(), "cannot be read", "");
    };
    let start = load::span(code, rest).start;
    let next = rest.chars().next();
    let span = start..start + next.map_or(0, char::len_utf8);
    let message = match wanted {
        Wanted::Delim(open) => format!("`{open}` is not closed"),
        Wanted::Escape => "unknown escape in a text".into(),
        Wanted::Unicode => "expected four hexadecimal digits of a character".into(),
        Wanted::Digit => "expected a digit".into(),
        Wanted::Ident => "expected a name".into(),
        _ => match next {
            Some(next) => format!("`{next}` has no meaning here"),
            None => "the expression ends too early".into(),
        },
    };
    let hint = match (wanted, next) {
        (Wanted::Token, Some('&')) => "write `and`",
        (Wanted::Token, Some('!')) => "write `… | not`",
        (Wanted::Token, Some('\'')) => "texts stand in double quotes",
        (Wanted::Delim(_), _) => "close it, or remove the opening one",
        _ => "",
    };
    ExprError::new(code, span, message, hint)
}

pub(super) fn unexpected(code: &str, errors: &[(Expect<&str>, Option<&Token<&str>>)]) -> ExprError {
    let Some((expect, found)) = errors.first() else {
        return ExprError::new(code, 0..code.len(), "cannot be read", "");
    };
    if code.trim().is_empty() {
        return ExprError::new(
            code,
            0..code.len(),
            "the expression is empty",
            "write `.` for the whole event",
        );
    }
    let wanted = match expect {
        Expect::Nothing => "an operator or the end".into(),
        Expect::Term => "a value or a path".into(),
        Expect::Just("") => "the end".into(),
        Expect::Just(word) => format!("`{word}`"),
        other => format!("a {}", other.as_str()),
    };
    let (span, found) = match found {
        Some(Token(text, _)) => {
            let span = load::span(code, text);
            let shown: String = text.chars().take(20).collect();
            (span, format!("found `{shown}`"))
        }
        None => (code.len()..code.len(), "the expression ends".into()),
    };
    let hint = match (expect, code.get(span.clone())) {
        (_, Some("===" | "=")) => "compare with `==`",
        (_, Some("||")) => "write `or`",
        (_, Some("import" | "include")) => {
            "modules cannot be loaded; write the definition in place"
        }
        (Expect::ElseOrEnd, _) => "close `if` with `end`",
        _ => "",
    };
    ExprError::new(code, span, format!("expected {wanted}, {found}"), hint)
}
