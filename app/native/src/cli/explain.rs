//! `weir explain`: what a rule finds, why that is bad, and what ends it.

use clap::Args;
use graph_model::validate::render::{self, Family, Page};
use graph_model::validate::{Rule, lookup, rules};

use super::out::Out;
use super::{Stop, Verdict};

/// Explain a hazard, or list all that are known
#[derive(Args)]
pub(super) struct Explain {
    /// Code or name of a rule, such as `AUTH-001`, or the first part of codes, such as `AUTH`; all
    /// rules are listed when it is left out
    #[arg(value_name = "CODE")]
    rule: Option<String>,
    /// Answer in JSON
    #[arg(long)]
    json: bool,
}

impl Explain {
    pub(super) fn run(self, out: &Out) -> Result<Verdict, Stop> {
        let family = match self.rule.as_deref() {
            None => None,
            Some(word) => match family(word) {
                Some(family) => Some(family),
                None => return self.page(find(word)?, out),
            },
        };
        if self.json {
            out.line(render::list_json(rules(), family))?;
        } else {
            out.text(render::list(rules(), family))?;
        }
        Ok(Verdict::Well)
    }

    fn page(&self, rule: &'static Rule, out: &Out) -> Result<Verdict, Stop> {
        let page = Page::of(rule);
        if self.json {
            out.line(page.json())?;
        } else {
            out.text(page.text())?;
        }
        Ok(Verdict::Well)
    }
}

/// The rule of a code or a name, or why there is none.
pub(super) fn find(word: &str) -> Result<&'static Rule, Stop> {
    lookup::rule(word).ok_or_else(|| Stop::because(unknown(word)))
}

/// Says that there is no such rule, and which ones may be meant.
pub(super) fn unknown(word: &str) -> String {
    let near = lookup::near(word);
    let near: Vec<String> = near
        .iter()
        .map(|rule| format!("{} ({})", rule.code, rule.name))
        .collect();
    let next = if near.is_empty() {
        "`weir explain` lists them".to_owned()
    } else {
        format!("did you mean {}?", near.join(" or "))
    };
    format!("there is no rule `{word}`; {next}")
}

/// A family that has rules.
fn family(word: &str) -> Option<&'static Family> {
    let mut families = Family::all().iter();
    let family = families.find(|family| family.code.eq_ignore_ascii_case(word))?;
    let has_rules = rules()
        .iter()
        .any(|rule| Family::of(rule.code) == Some(family));
    has_rules.then_some(family)
}
