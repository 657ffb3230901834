//! A report as text for a terminal.

use std::collections::BTreeSet;
use std::fmt::Write;

use crate::document::{Acceptance, Document};
use crate::validate::{Diagnostic, Report, Severity, Subject, Unchecked};

use super::{Checked, Places};

/// Columns after which sentences go on in the next line.
pub(super) const WIDTH: usize = 96;

/// Places that a rule could not decide on which are listed; the others are counted.
const UNCHECKED_MAX: usize = 8;

/// Accepted hazards that are listed; the others are counted.
const ACCEPTED_MAX: usize = 8;

/// The report of one flow with evidence, lesson and fixes; the last lines sum it up.
pub fn text(report: &Report, document: &Document) -> String {
    text_all(&[Checked {
        file: "",
        path: "",
        text: "",
        document,
        report,
        known: None,
        confirmed: None,
    }])
}

/// The reports of flows: what counts first, then what was known or not checked, then the sum.
pub fn text_all(flows: &[Checked<'_>]) -> String {
    let mut out = String::new();
    // Writing to a string does not fail.
    write_all(&mut out, flows).expect("a string takes all text");
    out
}

/// How much was found, in one line.
pub fn summary(flows: &[Checked<'_>]) -> String {
    let mut parts = Vec::new();
    for (severity, one, many) in [
        (Severity::Error, "error", "errors"),
        (Severity::Warning, "warning", "warnings"),
        (Severity::Info, "note", "notes"),
    ] {
        let found = flows.iter().flat_map(Checked::new_findings);
        match found.filter(|found| found.severity == severity).count() {
            0 => {}
            1 => parts.push(format!("1 {one}")),
            count => parts.push(format!("{count} {many}")),
        }
    }
    let known = flows.iter().map(Checked::known_count).sum::<usize>();
    let accepted = flows
        .iter()
        .map(|flow| flow.report.accepted.len())
        .sum::<usize>();
    let unchecked = flows
        .iter()
        .map(|flow| flow.report.unchecked.len())
        .sum::<usize>();
    if parts.is_empty() {
        let what = if known > 0 { "no new" } else { "no" };
        parts.push(format!("{what} hazards found"));
    }
    for (count, what) in [
        (known, "known before"),
        (accepted, "accepted"),
        (unchecked, "not checked"),
    ] {
        if count > 0 {
            parts.push(format!("{count} {what}"));
        }
    }
    let mut said = parts.join(", ");
    if flows.len() > 1 {
        write!(said, " in {} flows", flows.len()).expect("a string takes all text");
    }
    said
}

fn write_all(out: &mut String, flows: &[Checked<'_>]) -> std::fmt::Result {
    for flow in flows {
        let places = Places::of(flow.text);
        for found in flow.new_findings() {
            write_one(out, found, flow, &places)?;
            out.push('\n');
        }
    }
    let before = out.len();
    for flow in flows {
        let known = flow.report.diagnostics.iter();
        for found in known.filter(|found| flow.knows(found)) {
            let said = format!(
                "{}[{}]: {}{}",
                found.severity.word(),
                found.code,
                of(flow),
                found.message
            );
            paragraph(out, "known ", &said)?;
        }
    }
    let accepted = flows.iter();
    let accepted: Vec<_> = accepted
        .flat_map(|flow| flow.report.accepted.iter().map(move |one| (flow, one)))
        .collect();
    for (flow, (found, why)) in accepted.iter().take(ACCEPTED_MAX) {
        let said = format!(
            "{}[{}]: {}{}{}",
            found.severity.word(),
            found.code,
            of(flow),
            found.message,
            decision(why)
        );
        paragraph(out, "accepted ", &said)?;
    }
    if accepted.len() > ACCEPTED_MAX {
        let more = accepted.len() - ACCEPTED_MAX;
        writeln!(out, "accepted: {more} more, which `--format json` lists")?;
    }
    let unchecked: Vec<(&Checked<'_>, &Unchecked)> = flows
        .iter()
        .flat_map(|flow| flow.report.unchecked.iter().map(move |one| (flow, one)))
        .collect();
    for (flow, one) in unchecked.iter().take(UNCHECKED_MAX) {
        let at = place(&one.subject, flow.document);
        let said = format!("{} at {}{at}: {}", one.code, of(flow), one.reason);
        paragraph(out, "not checked: ", &said)?;
    }
    if unchecked.len() > UNCHECKED_MAX {
        let more = unchecked.len() - UNCHECKED_MAX;
        writeln!(out, "not checked: {more} more, which `--format json` lists")?;
    }
    if out.len() > before {
        out.push('\n');
    }
    writeln!(out, "{}", summary(flows))?;
    let codes: BTreeSet<&str> = flows
        .iter()
        .flat_map(|flow| flow.new_findings().map(|found| found.code))
        .collect();
    match codes.into_iter().collect::<Vec<_>>().as_slice() {
        [] => Ok(()),
        [code] => writeln!(out, "weir explain {code} says more"),
        codes => paragraph(
            out,
            "",
            &format!("weir explain CODE says more on {}", codes.join(", ")),
        ),
    }
}

/// Why a hazard was accepted, who did it, and until when.
fn decision(why: &Acceptance) -> String {
    let reason = (!why.reason.is_empty()).then(|| why.reason.to_string());
    let by = (!why.by.is_empty()).then(|| format!("by {}", why.by));
    let until = why.until.as_ref().map(|day| format!("until {day}"));
    let parts: Vec<String> = [reason, by, until].into_iter().flatten().collect();
    if parts.is_empty() {
        return String::new();
    }
    format!(" ({})", parts.join("; "))
}

fn write_one(
    out: &mut String,
    one: &Diagnostic,
    flow: &Checked<'_>,
    places: &Places,
) -> std::fmt::Result {
    let document = flow.document;
    let severity = one.severity.word();
    writeln!(out, "{severity}[{}]: {}", one.code, one.message)?;
    let at = place(&one.subject, document);
    match places.find(&one.subject) {
        Some(region) => writeln!(
            out,
            "  --> {}:{}:{} {at}",
            flow.path, region.line, region.column
        )?,
        None => writeln!(out, "  --> {}{at}", of(flow))?,
    }
    if !one.path.is_empty() {
        writeln!(out, "   |")?;
    }
    for (number, step) in one.path.iter().enumerate() {
        let head = format!("{:>2} | ", number + 1);
        wrapped(out, &head, "   | ", &step.sentence(document))?;
    }
    writeln!(out, "   |")?;
    if !one.affected.is_empty() {
        let titles = one.affected.iter().map(|id| document.node_title(id));
        note(out, "seen at", &titles.collect::<Vec<_>>().join(", "))?;
    }
    if let Some(assumed) = &one.assumed {
        note(out, "assumed", assumed)?;
    }
    if let Some(confirmation) = flow.confirmation(one) {
        note(out, "run", &confirmation.line())?;
        if let Some(end) = confirmation.end() {
            note(out, "seen", end)?;
        }
    }
    for also in &one.consequences {
        note(out, "also", &format!("{} {}", also.code, also.message))?;
    }
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

/// The file in front of a place or a message; nothing for a flow that is not in one.
fn of(flow: &Checked<'_>) -> String {
    match flow.path {
        "" => String::new(),
        path => format!("{path}: "),
    }
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
    paragraph(out, &format!("   = {head}: "), said)
}

/// Words behind a head; further lines start below the first word.
fn paragraph(out: &mut String, head: &str, said: &str) -> std::fmt::Result {
    let below = " ".repeat(head.chars().count());
    wrapped(out, head, &below, said)
}

/// Words in lines that are no wider than [`WIDTH`], the first behind `head`, the others behind
/// `below`. What stands between backticks is not torn apart.
pub(super) fn wrapped(out: &mut String, head: &str, below: &str, said: &str) -> std::fmt::Result {
    out.write_str(head)?;
    let mut column = head.chars().count();
    let mut first = true;
    for word in words(said) {
        let width = word.chars().count();
        if first {
            column += width;
        } else if column + 1 + width > WIDTH {
            write!(out, "\n{below}")?;
            column = below.chars().count() + width;
        } else {
            out.push(' ');
            column += 1 + width;
        }
        out.push_str(word);
        first = false;
    }
    out.push('\n');
    Ok(())
}

/// Split at spaces, but not between backticks.
fn words(said: &str) -> impl Iterator<Item = &str> {
    let paired = said.matches('`').count().is_multiple_of(2);
    let mut quoted = false;
    said.split(move |char: char| {
        quoted ^= paired && char == '`';
        !quoted && char.is_whitespace()
    })
    .filter(|word| !word.is_empty())
}
