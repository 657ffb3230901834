//! A validator that stays with a document while it is edited: what an edit cannot change is kept.
//!
//! Facts are computed anew in the forward slice of the edit and no further than they change; rules
//! look again at that slice, and at every node that has a finding, so that evidence and fixes always
//! speak of the document as it is. They do so when somebody asks for the report.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;
use std::sync::Arc;

use crate::catalog::Catalog;
use crate::document::Document;
use crate::id::Id;
use crate::validate::design::{Design, NodeIx};
use crate::validate::diagnostic::{Findings, fold};
use crate::validate::facts::Facts;
use crate::validate::rules::{Check, rules};
use crate::validate::{Report, Rule};

/// The facts of a document, and what the rules found.
pub struct Checker {
    catalog: Catalog,
    facts: Facts,
    /// By node; those without findings are not there.
    found: BTreeMap<NodeIx, Report>,
    /// Of the rules that look at the whole.
    whole: Report,
    /// Nodes that rules have to look at; nothing when the report speaks of the document as it is.
    open: Option<BTreeSet<NodeIx>>,
}

impl Checker {
    /// Solves for the facts of a document.
    pub fn new(document: &Document, catalog: &Catalog) -> Checker {
        Checker::of(Design::new(document, catalog), catalog.clone())
    }

    /// Solves for all facts anew, of a document that was read before; benches ask how long it takes.
    #[doc(hidden)]
    pub fn solve(self) -> Checker {
        let catalog = self.catalog;
        let Ok(design) = Rc::try_unwrap(self.facts.design) else {
            unreachable!("nobody else keeps the design");
        };
        Checker::of(design, catalog)
    }

    fn of(design: Design, catalog: Catalog) -> Checker {
        let facts = Facts::of(design);
        Checker {
            catalog,
            open: Some((0..facts.design.nodes.len()).collect()),
            facts,
            found: BTreeMap::new(),
            whole: Report::default(),
        }
    }

    /// Follows the document to its present state.
    pub fn update(&mut self, document: &Document) {
        let held = &self.facts.design.document;
        let around = held.roles != document.roles
            || held.principals != document.principals
            || held.types != document.types
            || held.zones != document.zones
            || held.sections != document.sections;
        if around {
            *self = Checker::new(document, &self.catalog);
            return;
        }
        let nodes = changed(&held.nodes, &document.nodes);
        let edges = changed(&held.edges, &document.edges);
        if nodes.is_empty() && edges.is_empty() && held.layout == document.layout {
            return;
        }
        let again = self.facts.follow(document, &nodes, &edges);
        let open = self.open.get_or_insert_default();
        open.extend(again);
        open.extend(self.found.keys());
    }

    /// Everything that was found, the gravest first.
    pub fn report(&mut self) -> Report {
        self.look();
        let mut report = self.whole.clone();
        for found in self.found.values() {
            report.diagnostics.extend(found.diagnostics.iter().cloned());
            report.accepted.extend(found.accepted.iter().cloned());
            report.unchecked.extend(found.unchecked.iter().cloned());
        }
        fold(&mut report);
        report
    }

    pub(crate) fn into_report(mut self) -> Report {
        self.look();
        let mut report = self.whole;
        for found in self.found.into_values() {
            report.diagnostics.extend(found.diagnostics);
            report.accepted.extend(found.accepted);
            report.unchecked.extend(found.unchecked);
        }
        fold(&mut report);
        report
    }

    pub(crate) fn facts(&self) -> &Facts {
        &self.facts
    }

    pub(crate) fn catalog(&self) -> &Catalog {
        &self.catalog
    }

    /// Asks the rules about the open nodes, and about the whole.
    fn look(&mut self) {
        let Some(nodes) = self.open.take() else {
            return;
        };
        let document = &self.facts.design.document;
        for node in nodes {
            let mut findings = Findings::new(document);
            if !self.facts.design.nodes[node].gone {
                for (rule, check) in node_rules() {
                    check(&self.facts, node, &mut findings.of(rule));
                }
            }
            let report = findings.finish();
            if report == Report::default() {
                self.found.remove(&node);
            } else {
                self.found.insert(node, report);
            }
        }
        let mut findings = Findings::new(document);
        for rule in rules() {
            if let Check::Whole(check) = rule.check {
                check(&self.facts, &mut findings.of(rule));
            }
        }
        self.whole = findings.finish();
    }
}

type NodeCheck = fn(&Facts, NodeIx, &mut crate::validate::diagnostic::RuleFindings<'_, '_>);

fn node_rules() -> impl Iterator<Item = (&'static Rule, NodeCheck)> {
    rules().iter().filter_map(|rule| match rule.check {
        Check::Node(check) => Some((rule, check)),
        Check::Whole(_) => None,
    })
}

/// Ids of entries that are not the same in both.
fn changed<T: PartialEq>(old: &BTreeMap<Id, Arc<T>>, new: &BTreeMap<Id, Arc<T>>) -> BTreeSet<Id> {
    let mut changed = BTreeSet::new();
    let (mut olds, mut news) = (old.iter().peekable(), new.iter().peekable());
    loop {
        match (olds.peek(), news.peek()) {
            (None, None) => return changed,
            (Some((id, _)), None) => {
                changed.insert((*id).clone());
                olds.next();
            }
            (None, Some((id, _))) => {
                changed.insert((*id).clone());
                news.next();
            }
            (Some((old_id, old)), Some((new_id, new))) => match old_id.cmp(new_id) {
                std::cmp::Ordering::Less => {
                    changed.insert((*old_id).clone());
                    olds.next();
                }
                std::cmp::Ordering::Greater => {
                    changed.insert((*new_id).clone());
                    news.next();
                }
                std::cmp::Ordering::Equal => {
                    if !Arc::ptr_eq(old, new) && old != new {
                        changed.insert((*new_id).clone());
                    }
                    olds.next();
                    news.next();
                }
            },
        }
    }
}
