//! Takes the types out of a script: TypeScript becomes JavaScript, every character in its place.

use std::cell::RefCell;
use std::fmt;
use std::rc::Rc;

use swc_common::SourceMap;
use swc_common::errors::{DiagnosticBuilder, Emitter, Handler};
use swc_ts_fast_strip::{Mode, Options, operate};

/// A line before the script, which makes `return` fit.
const BEFORE: &str = "(function (event, emit, state, config, console, invalid, retry, fatal) {\n";
const AFTER: &str = "\n})";

/// What cannot be read, and where; both counted from 1.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct SyntaxError {
    pub(super) line: usize,
    pub(super) column: usize,
    pub(super) message: String,
}

impl fmt::Display for SyntaxError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let SyntaxError {
            line,
            column,
            message,
        } = self;
        write!(f, "line {line}:{column}: {message}")
    }
}

/// The body of a function without its types. What JavaScript has no counterpart for, such as `enum`,
/// is refused.
pub(super) fn strip_types(body: &str) -> Result<String, SyntaxError> {
    let map = Rc::new(SourceMap::default());
    let found = Rc::new(RefCell::new(None));
    let collector = Collector {
        map: Rc::clone(&map),
        lines: body.lines().map(|line| line.chars().count()).collect(),
        first: Rc::clone(&found),
    };
    let handler = Handler::with_emitter(false, false, Box::new(collector));
    let options = Options {
        module: Some(false),
        mode: Mode::StripOnly,
        ..Options::default()
    };
    let stripped = operate(&map, &handler, format!("{BEFORE}{body}{AFTER}"), options);
    let code = stripped.map_err(|error| {
        let first = found.borrow_mut().take();
        first.unwrap_or(SyntaxError {
            line: 1,
            column: 1,
            message: error.message,
        })
    })?;
    let inner = code.code.strip_prefix(BEFORE);
    let inner = inner.and_then(|code| code.strip_suffix(AFTER));
    inner.map(str::to_owned).ok_or(SyntaxError {
        line: 1,
        column: 1,
        message: "not the body of a function".to_owned(),
    })
}

/// Keeps the first error.
struct Collector {
    map: Rc<SourceMap>,
    /// Letters in each line of the script.
    lines: Vec<usize>,
    first: Rc<RefCell<Option<SyntaxError>>>,
}

impl Emitter for Collector {
    fn emit(&mut self, found: &mut DiagnosticBuilder<'_>) {
        let place = found.span.primary_span().map(|span| {
            let place = self.map.lookup_char_pos(span.lo());
            (place.line.saturating_sub(1).max(1), place.col.0 + 1)
        });
        let (line, column) = place.unwrap_or((1, 1));
        // What is missed at the end is found after it.
        let (line, column) = match self.lines.last() {
            Some(last) if line > self.lines.len() => (self.lines.len(), last + 1),
            _ => (line, column),
        };
        self.first.borrow_mut().get_or_insert_with(|| SyntaxError {
            line,
            column,
            message: found.message(),
        });
    }

    fn take_diagnostics(&mut self) -> Vec<String> {
        Vec::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_become_blanks() {
        for (script, wanted) in [
            ("return event.data", "return event.data"),
            (
                "const n: number = 1;\nreturn n as any",
                "const n         = 1;\nreturn n       ",
            ),
            (
                "type Order = { id: string };\nreturn event.data as Order",
                "                           \nreturn event.data         ",
            ),
            (
                "let a = <T,>(x: T): T => x; return a(1)!",
                "let a =     (x   )    => x; return a(1) ",
            ),
            ("// just a comment", "// just a comment"),
        ] {
            let stripped = strip_types(script).expect("is TypeScript");
            assert_eq!(
                stripped.trim_end_matches(';').trim_start_matches(';'),
                wanted,
                "{script}"
            );
        }
    }

    #[test]
    fn what_cannot_be_read_has_a_place() {
        for (script, place) in [
            ("return 1 +", (1, 11)),
            ("const a = 1;\nconst b = ;", (2, 11)),
            ("\n\nenum Size { small }", (3, 1)),
            ("import { x } from 'y'", (1, 1)),
            ("const a = 'ü'; const 2", (1, 22)),
        ] {
            let error = strip_types(script).expect_err("is no script");
            assert_eq!((error.line, error.column), place, "{script}: {error}");
        }
    }

    #[test]
    fn a_brace_too_many_is_no_way_out() {
        assert!(strip_types("} function other() {").is_err());
    }
}
