//! The page of a rule: one text for the terminal, for the documentation, and for other tools.

use std::fmt::Write;

use serde::Serialize;

use crate::catalog::Catalog;
use crate::document::Document;
use crate::validate::{Diagnostic, Fix, Rule, notation, validate};

use super::text::wrapped;

/// Everything that is to be said of a rule.
#[derive(Clone)]
pub struct Page {
    rule: &'static Rule,
    sections: Vec<Section>,
}

#[derive(Clone, Debug)]
struct Section {
    title: &'static str,
    parts: Vec<Part>,
}

#[derive(Clone, Debug)]
enum Part {
    /// Sentences and lists in Markdown.
    Prose(String),
    /// A flow in the short notation.
    Flow(String),
    /// Evidence, a sentence for each hop.
    Steps(Vec<String>),
    List(Vec<String>),
}

/// A group of rules: the first part of their codes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Family {
    pub code: &'static str,
    /// The question that its rules ask, or what they are about.
    pub title: &'static str,
    /// Words under which other tools file its findings.
    pub tags: &'static [&'static str],
}

static FAMILIES: [Family; 10] = [
    family("AUTH", "who may see or cause what", &["access", "security"]),
    family(
        "PART",
        "is the number still the number",
        &["correctness", "partitioning"],
    ),
    family(
        "DELIV",
        "how often does it happen",
        &["correctness", "delivery"],
    ),
    family(
        "ORDER",
        "in which order, and is it complete",
        &["correctness", "order"],
    ),
    family("SCHEMA", "what an event means", &["correctness", "schema"]),
    family(
        "LOOP",
        "events that trigger events",
        &["loop", "reliability"],
    ),
    family(
        "STATE",
        "what is remembered, and where",
        &["reliability", "state"],
    ),
    family("COST", "cost, limits, scale", &["cost", "performance"]),
    family("OBS", "can anyone tell", &["observability"]),
    family("STRUCT", "what cannot run as it is drawn", &["structure"]),
];

const fn family(code: &'static str, title: &'static str, tags: &'static [&'static str]) -> Family {
    Family { code, title, tags }
}

impl Family {
    /// All of them, in the order in which people read about them.
    pub fn all() -> &'static [Family] {
        &FAMILIES
    }

    /// The family of a code such as `AUTH-001`.
    pub fn of(code: &str) -> Option<&'static Family> {
        let (first, _) = code.split_once('-')?;
        FAMILIES.iter().find(|family| family.code == first)
    }
}

#[derive(Serialize)]
struct Json<'p> {
    code: &'p str,
    name: &'p str,
    family: &'p str,
    severity: &'static str,
    since: &'p str,
    summary: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    sections: Vec<JsonSection<'p>>,
}

#[derive(Serialize)]
struct JsonSection<'p> {
    title: &'p str,
    markdown: String,
}

impl Page {
    /// Puts the page together; what is said of the example comes from checking it.
    pub fn of(rule: &'static Rule) -> Page {
        let mut page = Page {
            rule,
            sections: Vec::new(),
        };
        let text = |title: &str| rule.section(title).collect::<Vec<_>>().join("\n");
        let prose = |title: &str| vec![Part::Prose(text(title))];
        let flow = |title: &str| Part::Flow(text(title));
        page.add("Why is this bad", prose("Why is this bad"));
        page.add("When is this fine", prose("When is this fine"));
        page.add("What shows it in a run", prose("Perturbation"));
        let example = Example::of(rule, &text("Example"));
        let mut shown = vec![flow("Example")];
        shown.extend(example.iter().flat_map(Example::said));
        page.add("Example", shown);
        page.add("Use instead", vec![flow("Use instead")]);
        let fixes = example.iter().flat_map(|example| &example.found.fixes);
        page.add(
            "Fixes that Weir offers",
            vec![Part::List(fixes.map(offer).collect())],
        );
        let near_miss = "This one only looks like it, and is fine:";
        page.add(
            "Near miss",
            vec![Part::Prose(near_miss.to_owned()), flow("Near miss")],
        );
        page.add("Source", prose("Source"));
        page
    }

    /// As a page of documentation.
    pub fn markdown(&self) -> String {
        let rule = self.rule;
        let mut out = format!(
            "# {}: {}\n\n{}\n\nSeverity: {}. Since version {}.\n",
            rule.code,
            rule.name,
            rule.summary(),
            rule.severity.word(),
            rule.since
        );
        for section in &self.sections {
            out.push_str(&format!(
                "\n## {}\n\n{}\n",
                section.title,
                section.markdown()
            ));
        }
        out
    }

    /// As text for a terminal.
    pub fn text(&self) -> String {
        let mut out = String::new();
        self.write_text(&mut out).expect("a string takes all text");
        out
    }

    /// As a JSON document.
    pub fn json(&self) -> String {
        let sections = self.sections.iter().map(|section| JsonSection {
            title: section.title,
            markdown: section.markdown(),
        });
        let json = json(self.rule, sections.collect());
        serde_json::to_string_pretty(&json).expect("texts become JSON")
    }

    fn add(&mut self, title: &'static str, mut parts: Vec<Part>) {
        parts.retain(|part| !part.is_empty());
        if !parts.is_empty() {
            self.sections.push(Section { title, parts });
        }
    }

    fn write_text(&self, out: &mut String) -> std::fmt::Result {
        let rule = self.rule;
        writeln!(
            out,
            "{}: {} ({}, since {})",
            rule.code,
            rule.name,
            rule.severity.word(),
            rule.since
        )?;
        out.push('\n');
        wrapped(out, "  ", "  ", &rule.summary())?;
        for section in &self.sections {
            writeln!(out, "\n{}\n", section.title)?;
            for (number, part) in section.parts.iter().enumerate() {
                if number > 0 {
                    out.push('\n');
                }
                part.write_text(out)?;
            }
        }
        Ok(())
    }
}

/// All rules by family as text for a terminal; only one family when `only` names it.
pub fn list(rules: &'static [Rule], only: Option<&Family>) -> String {
    let mut out = String::new();
    write_list(&mut out, rules, only).expect("a string takes all text");
    out
}

/// All rules, or those of a family, as a JSON array without their sections.
pub fn list_json(rules: &'static [Rule], only: Option<&Family>) -> String {
    let rules = rules.iter().filter(|rule| belongs(rule, only));
    let all: Vec<Json<'_>> = rules.map(|rule| json(rule, Vec::new())).collect();
    serde_json::to_string_pretty(&all).expect("texts become JSON")
}

fn write_list(out: &mut String, rules: &'static [Rule], only: Option<&Family>) -> std::fmt::Result {
    let families = FAMILIES.iter().map(Some).chain([None]);
    for family in families {
        let mut members = rules
            .iter()
            .filter(|rule| Family::of(rule.code) == family && belongs(rule, only))
            .peekable();
        if members.peek().is_none() {
            continue;
        }
        if !out.is_empty() {
            out.push('\n');
        }
        match family {
            Some(family) => writeln!(out, "{}: {}", family.code, family.title)?,
            None => writeln!(out, "others")?,
        }
        for rule in members {
            let head = format!("  {:<10}  {:<7}  ", rule.code, rule.severity.word());
            let below = " ".repeat(head.chars().count());
            wrapped(out, &head, &below, &rule.summary())?;
        }
    }
    Ok(())
}

fn belongs(rule: &Rule, only: Option<&Family>) -> bool {
    only.is_none_or(|only| Family::of(rule.code) == Some(only))
}

fn json<'p>(rule: &'p Rule, sections: Vec<JsonSection<'p>>) -> Json<'p> {
    Json {
        code: rule.code,
        name: rule.name,
        family: Family::of(rule.code).map_or("", |family| family.code),
        severity: rule.severity.word(),
        since: rule.since,
        summary: rule.summary(),
        sections,
    }
}

/// The example of a rule, and what is found in it.
struct Example {
    document: Document,
    found: Diagnostic,
}

impl Example {
    fn of(rule: &Rule, flow: &str) -> Option<Example> {
        let document = notation::read(flow).ok()?;
        let report = validate(&document, Catalog::bundled());
        let found = report
            .diagnostics
            .into_iter()
            .find(|found| found.code == rule.code)?;
        Some(Example { document, found })
    }

    fn said(&self) -> Vec<Part> {
        let steps = self.found.path.iter();
        vec![
            Part::Prose(format!("Weir says: {}.", self.found.message)),
            Part::Steps(steps.map(|step| step.sentence(&self.document)).collect()),
        ]
    }
}

fn offer(fix: &Fix) -> String {
    if fix.caution.is_empty() {
        fix.title.clone()
    } else {
        format!("{} ({})", fix.title, fix.caution)
    }
}

impl Section {
    fn markdown(&self) -> String {
        let parts: Vec<String> = self.parts.iter().map(Part::markdown).collect();
        parts.join("\n\n")
    }
}

impl Part {
    fn is_empty(&self) -> bool {
        match self {
            Part::Prose(text) | Part::Flow(text) => text.is_empty(),
            Part::Steps(lines) | Part::List(lines) => lines.is_empty(),
        }
    }

    fn markdown(&self) -> String {
        match self {
            Part::Prose(text) => text.clone(),
            Part::Flow(flow) => format!("```text\n{flow}\n```"),
            Part::Steps(steps) => {
                let steps = steps.iter().enumerate();
                let lines = steps.map(|(number, step)| format!("{}. {step}", number + 1));
                lines.collect::<Vec<_>>().join("\n")
            }
            Part::List(lines) => {
                let lines = lines.iter().map(|line| format!("- {line}"));
                lines.collect::<Vec<_>>().join("\n")
            }
        }
    }

    fn write_text(&self, out: &mut String) -> std::fmt::Result {
        match self {
            Part::Prose(text) => write_prose(out, text),
            Part::Flow(flow) => {
                for line in flow.lines() {
                    writeln!(out, "      {line}")?;
                }
                Ok(())
            }
            Part::Steps(steps) => {
                for (number, step) in steps.iter().enumerate() {
                    wrapped(out, &format!("  {:>2} | ", number + 1), "     | ", step)?;
                }
                Ok(())
            }
            Part::List(lines) => {
                for line in lines {
                    wrapped(out, "  - ", "    ", line)?;
                }
                Ok(())
            }
        }
    }
}

/// Paragraphs, and items of lists that start with `- `.
fn write_prose(out: &mut String, text: &str) -> std::fmt::Result {
    let mut paragraph = String::new();
    let end = |out: &mut String, paragraph: &mut String| {
        let said = std::mem::take(paragraph);
        match said.strip_prefix("- ") {
            _ if said.is_empty() => Ok(()),
            Some(item) => wrapped(out, "  - ", "    ", item),
            None => wrapped(out, "  ", "  ", &said),
        }
    };
    for line in text.lines() {
        if line.is_empty() || line.starts_with("- ") {
            end(out, &mut paragraph)?;
        }
        if line.is_empty() {
            out.push('\n');
        } else {
            paragraph.push_str(line);
            paragraph.push(' ');
        }
    }
    end(out, &mut paragraph)
}
