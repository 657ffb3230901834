//! A report as text for a terminal.

use std::fmt::Write;

use crate::document::Document;
use crate::validate::{Diagnostic, Report, Severity, Subject};

/// Columns after which sentences go on in the next line.
const WIDTH: usize = 96;

/// The report with evidence, lesson and fixes; the last line sums it up.
pub fn text(report: &Report, document: &Document) -> String {
    let mut out = String::new();
    for diagnostic in &report.diagnostics {
        // Writing to a string does not fail.
        write_one(&mut out, diagnostic, document).expect("a string takes all text");
        out.push('\n');
    }
    out.push_str(&summary(report));
    out.push('\n');
    out
}

fn write_one(out: &mut String, one: &Diagnostic, document: &Document) -> std::fmt::Result {
    let severity = one.severity.word();
    writeln!(out, "{severity}[{}]: {}", one.code, one.message)?;
    writeln!(out, "  --> {}", place(&one.subject, document))?;
    let width = one
        .path
        .iter()
        .map(|step| step.place.text().chars().count())
        .max()
        .unwrap_or(0);
    if !one.path.is_empty() {
        writeln!(out, "   |")?;
    }
    for (number, step) in one.path.iter().enumerate() {
        writeln!(
            out,
            "{:>2} | {:width$}  {}",
            number + 1,
            step.place.text(),
            step.note
        )?;
    }
    writeln!(out, "   |")?;
    note(out, "why", &one.lesson)?;
    for (number, fix) in one.fixes.iter().enumerate() {
        let mut said = fix.title.clone();
        if !fix.caution.is_empty() {
            write!(said, " ({})", fix.caution)?;
        }
        note(out, if number == 0 { "fix" } else { "or " }, &said)?;
    }
    Ok(())
}

fn place(subject: &Subject, document: &Document) -> String {
    let (word, text) = (subject.word(), subject.text());
    match subject {
        Subject::Node(id) if document.node_title(id) != id.as_str() => {
            format!("{word} {text} ({})", document.node_title(id))
        }
        _ => format!("{word} {text}"),
    }
}

fn note(out: &mut String, head: &str, said: &str) -> std::fmt::Result {
    write!(out, "   = {head}:")?;
    let start = 8 + head.len() - 3;
    let mut column = start;
    for word in said.split(' ') {
        if column + 1 + word.chars().count() > WIDTH {
            write!(out, "\n{:start$}", "")?;
            column = start;
        }
        write!(out, " {word}")?;
        column += 1 + word.chars().count();
    }
    writeln!(out)
}

fn summary(report: &Report) -> String {
    let mut parts = Vec::new();
    for (severity, one, many) in [
        (Severity::Error, "error", "errors"),
        (Severity::Warning, "warning", "warnings"),
        (Severity::Info, "note", "notes"),
    ] {
        match report.count(severity) {
            0 => {}
            1 => parts.push(format!("1 {one}")),
            count => parts.push(format!("{count} {many}")),
        }
    }
    if parts.is_empty() {
        parts.push("no hazards found".to_owned());
    }
    if !report.accepted.is_empty() {
        parts.push(format!("{} accepted", report.accepted.len()));
    }
    parts.join(", ")
}
