//! The open document and everything that follows from it: history, selection, findings.
//!
//! The document changes here and nowhere else. View state (selection, what is previewed) lives
//! beside it and never reaches the file.

use std::collections::BTreeSet;

use graph_model::catalog::Catalog;
use graph_model::document::Document;
use graph_model::edit::{History, Transaction, TransactionBuilder};
use graph_model::id::{Id, NodeId};
use graph_model::validate::Checker;

use crate::canvas::intent::Item;
use crate::findings::{self, Finding, Findings};
use crate::graph_edits;

/// Checking that takes longer than this waits until the document rests, in seconds.
const CHECK_BUDGET: f64 = 0.005;
/// How long the document must rest before a slow check, in seconds.
const CHECK_PAUSE: f64 = 0.25;

/// The open document with its history and what was found in it.
pub(crate) struct State {
    document: Document,
    history: History,
    catalog: &'static Catalog,
    /// Counts up with every change of the document.
    revision: u64,
    /// Stays with the document, so that a check costs what an edit changed.
    checker: Checker,
    findings: Findings,
    /// The day that the findings are of.
    today: String,
    /// The revision that the findings are of.
    checked: u64,
    checks: u64,
    check_seconds: f64,
    changed_at: f64,
    selection: BTreeSet<Item>,
    /// The form field whose typing is one step of the history.
    typing: Option<egui::Id>,
    preview: Option<Preview>,
    /// The file is not what it was when the history was last marked as saved.
    unsaved: bool,
}

/// A fix that is shown before it is made.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Preview {
    /// Which hazard it ends, and how manieth of its fixes it is.
    pub finding: usize,
    pub fix: usize,
    /// What it would do, as the user reads it.
    pub title: String,
    /// What to know before applying it; empty when it is safe.
    pub caution: String,
    pub transaction: Transaction,
}

impl State {
    pub(crate) fn new(catalog: &'static Catalog) -> State {
        let document = Document::default();
        let mut state = State {
            checker: Checker::new(&document, catalog),
            document,
            history: History::saved(),
            catalog,
            revision: 0,
            findings: Findings::default(),
            today: String::new(),
            checked: 0,
            checks: 0,
            check_seconds: 0.0,
            changed_at: 0.0,
            selection: BTreeSet::new(),
            typing: None,
            preview: None,
            unsaved: false,
        };
        state.check();
        state
    }

    pub(crate) fn document(&self) -> &Document {
        &self.document
    }

    pub(crate) fn history(&self) -> &History {
        &self.history
    }

    pub(crate) fn catalog(&self) -> &'static Catalog {
        self.catalog
    }

    pub(crate) fn revision(&self) -> u64 {
        self.revision
    }

    /// What was found in the document, as of its last check.
    pub(crate) fn findings(&self) -> &[Finding] {
        &self.findings.open
    }

    /// What the validator knows, as of the last check.
    pub(crate) fn checker(&self) -> &Checker {
        &self.checker
    }

    /// Everything that the last check said.
    pub(crate) fn report(&self) -> &Findings {
        &self.findings
    }

    /// The day that it is, such as `2027-01-31`.
    pub(crate) fn today(&self) -> &str {
        &self.today
    }

    /// Another day has come: what was accepted until then is found again.
    pub(crate) fn set_today(&mut self, today: String) {
        if self.today != today {
            self.today = today;
            self.check();
        }
    }

    /// Another number whenever there are other findings.
    pub(crate) fn checks(&self) -> u64 {
        self.checks
    }

    /// Whether the findings are those of the document as it is.
    pub(crate) fn findings_current(&self) -> bool {
        self.checked == self.revision
    }

    pub(crate) fn selection(&self) -> &BTreeSet<Item> {
        &self.selection
    }

    pub(crate) fn preview(&self) -> Option<&Preview> {
        self.preview.as_ref()
    }

    pub(crate) fn set_preview(&mut self, preview: Option<Preview>) {
        self.preview = preview;
    }

    /// A fix of a finding, to be shown before it is made.
    pub(crate) fn preview_of(&self, finding: usize, fix: usize) -> Option<Preview> {
        let offer = self.findings.open.get(finding)?.fixes.get(fix)?;
        Some(Preview {
            finding,
            fix,
            title: offer.title.clone(),
            caution: offer.caution.clone(),
            transaction: graph_edits::settled(self, offer.transaction.clone()),
        })
    }

    /// Another document takes the place of this one; nothing of the old one can be undone.
    pub(crate) fn open(&mut self, document: Document, saved: bool) {
        self.document = document;
        self.history = History::saved();
        self.selection.clear();
        self.typing = None;
        self.preview = None;
        self.unsaved = !saved;
        self.changed(0.0);
        self.check();
    }

    /// Shows another state of what is the same work still; the history before it ends.
    pub(crate) fn replace(&mut self, document: Document, saved: bool) {
        let selection = std::mem::take(&mut self.selection);
        self.open(document, saved);
        self.selection = selection;
        self.prune_selection();
    }

    /// Makes a change that is undone on its own.
    pub(crate) fn apply(&mut self, transaction: Transaction, now: f64) {
        self.end_typing();
        self.apply_in_gesture(transaction, now);
    }

    /// Makes a change that is part of what goes on in a form field: one step however many
    /// keystrokes it takes.
    pub(crate) fn apply_typed(&mut self, field: egui::Id, transaction: Transaction, now: f64) {
        if transaction.is_empty() {
            return;
        }
        if self.typing != Some(field) {
            self.end_typing();
            self.history.begin_gesture(transaction.title.clone());
            self.typing = Some(field);
        }
        self.apply_in_gesture(transaction, now);
    }

    /// What was typed so far is one step.
    pub(crate) fn end_typing(&mut self) {
        if self.typing.take().is_some() {
            self.history.end_gesture();
        }
    }

    /// The form field that is being typed into.
    pub(crate) fn typing(&self) -> Option<egui::Id> {
        self.typing
    }

    fn apply_in_gesture(&mut self, transaction: Transaction, now: f64) {
        if transaction.is_empty() {
            return;
        }
        self.preview = None;
        self.history.apply(&mut self.document, transaction);
        self.changed(now);
    }

    /// Takes the last step back; answers its title.
    pub(crate) fn undo(&mut self, now: f64) -> Option<String> {
        self.end_typing();
        let title = self.history.undo_title().map(str::to_owned);
        self.history.undo(&mut self.document)?;
        self.preview = None;
        self.changed(now);
        title
    }

    /// Does the step again that was taken back last; answers its title.
    pub(crate) fn redo(&mut self, now: f64) -> Option<String> {
        self.end_typing();
        let title = self.history.redo_title().map(str::to_owned);
        self.history.redo(&mut self.document)?;
        self.preview = None;
        self.changed(now);
        title
    }

    /// The document of now is about to be saved.
    pub(crate) fn begin_save(&mut self) {
        self.end_typing();
        self.history.begin_save();
    }

    /// That document is saved, whatever was changed meanwhile; or it could not be.
    pub(crate) fn end_save(&mut self, saved: bool) {
        self.history.end_save(saved);
        self.unsaved &= !saved;
    }

    /// The document differs from its file though nothing was changed here.
    pub(crate) fn mark_unsaved(&mut self) {
        self.unsaved = true;
    }

    /// Whether the document differs from its file.
    pub(crate) fn dirty(&self) -> bool {
        self.unsaved || self.history.dirty()
    }

    /// A change to fill in, under the title that undo will show.
    pub(crate) fn build(&self, title: impl Into<String>) -> TransactionBuilder<'_> {
        TransactionBuilder::new(&self.document, title)
    }

    pub(crate) fn select(&mut self, items: BTreeSet<Item>) {
        self.selection = items;
        self.prune_selection();
    }

    pub(crate) fn select_nodes(&mut self, nodes: impl IntoIterator<Item = NodeId>) {
        self.select(nodes.into_iter().map(Item::Node).collect());
    }

    pub(crate) fn selected_nodes(&self) -> BTreeSet<NodeId> {
        self.selection
            .iter()
            .filter_map(|item| match item {
                Item::Node(id) => Some(id.clone()),
                _ => None,
            })
            .collect()
    }

    /// The one selected thing, when there is exactly one.
    pub(crate) fn sole(&self) -> Option<&Item> {
        let mut items = self.selection.iter();
        items.next().filter(|_| items.next().is_none())
    }

    /// Whether what the item names is in the document.
    pub(crate) fn contains(&self, item: &Item) -> bool {
        match item {
            Item::Node(id) => self.document.nodes.contains_key(id),
            Item::Edge(id) => self.document.edges.contains_key(id),
            Item::Zone(id) => self.document.zones.contains_key(id),
            Item::Note(id) => self.document.notes.contains_key(id),
        }
    }

    /// Checks the document when it changed and checking is due; answers in how many seconds it
    /// will be due otherwise. A check that was slow last time waits for a rest.
    pub(crate) fn check_if_due(&mut self, now: f64, clock: impl Fn() -> f64) -> Option<f64> {
        if self.findings_current() {
            return None;
        }
        let due_in = self.changed_at + CHECK_PAUSE - now;
        if self.check_seconds > CHECK_BUDGET && due_in > 0.0 {
            return Some(due_in);
        }
        let start = clock();
        self.check();
        self.check_seconds = clock() - start;
        None
    }

    /// Checks now.
    pub(crate) fn check(&mut self) {
        self.checker.update(&self.document);
        self.findings = findings::read(&self.document, self.checker.report(), &self.today);
        self.checked = self.revision;
        self.checks += 1;
    }

    /// Says what the validator would have said.
    #[cfg(test)]
    pub(crate) fn tell(&mut self, findings: Findings) {
        self.findings = findings;
        self.checks += 1;
    }

    fn changed(&mut self, now: f64) {
        self.revision += 1;
        self.changed_at = now;
        self.prune_selection();
    }

    fn prune_selection(&mut self) {
        let mut selection = std::mem::take(&mut self.selection);
        selection.retain(|item| self.contains(item));
        self.selection = selection;
    }
}

/// The id of the entry in the document's layout that places the item.
pub(crate) fn placed_id(item: &Item) -> Option<&Id> {
    match item {
        Item::Node(id) | Item::Zone(id) | Item::Note(id) => Some(id),
        Item::Edge(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use graph_model::document::Node;

    use super::*;

    #[test]
    fn typing_into_one_field_is_one_step() {
        let mut state = State::new(Catalog::bundled());
        let mut build = state.build("Add a filter");
        build.add_node(&"filter".into(), Node::new("filter"), None);
        let step = build.finish();
        state.apply(step, 0.0);
        let field = egui::Id::unique("when");
        for text in [".", ".a", ".ab"] {
            let mut build = state.build("Change the condition");
            build.set_config(&"filter".into(), "when", Some(text.into()));
            let step = build.finish();
            state.apply_typed(field, step, 0.0);
        }
        assert_eq!(state.undo(0.0).as_deref(), Some("Change the condition"));
        assert_eq!(state.document().nodes["filter"].config_str("when"), None);
        assert_eq!(state.undo(0.0).as_deref(), Some("Add a filter"));
        assert!(state.document().nodes.is_empty());
        assert!(!state.dirty());
    }

    #[test]
    fn what_is_gone_is_not_selected() {
        let mut state = State::new(Catalog::bundled());
        let mut build = state.build("Add");
        build.add_node(&"a".into(), Node::new("map"), None);
        let step = build.finish();
        state.apply(step, 0.0);
        state.select_nodes(["a".into(), "b".into()]);
        assert_eq!(state.selection().len(), 1);
        state.undo(0.0);
        assert!(state.selection().is_empty());
    }
}
