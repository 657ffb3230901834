//! Undo and redo, with gestures that count as one step however many changes they made.

use std::collections::VecDeque;

use crate::document::Document;
use crate::edit::{Touched, Transaction};

/// Steps that are remembered; older ones can no longer be undone.
const STEPS_MAX: usize = 10_000;

/// What was done to a document, and what was undone again.
#[derive(Clone, Debug, Default)]
pub struct History {
    undo: VecDeque<Transaction>,
    redo: Vec<Transaction>,
    gesture: Option<Transaction>,
    /// Length of `undo` when the document was last saved; nothing once that state is out of reach.
    saved_at: Option<usize>,
    saving: Option<Saving>,
}

/// A state whose saving is under way.
#[derive(Clone, Debug)]
struct Saving {
    /// Length of `undo` in that state; nothing once it is out of reach.
    at: Option<usize>,
}

impl History {
    /// The history of a document that is as its file says.
    pub fn saved() -> History {
        History {
            saved_at: Some(0),
            ..History::default()
        }
    }

    /// Does a transaction; it can be undone on its own, or with the gesture that is under way.
    pub fn apply(&mut self, document: &mut Document, transaction: Transaction) -> Touched {
        let touched = transaction.touched();
        if transaction.is_empty() {
            return touched;
        }
        let inverse = transaction.apply(document);
        if let Some(gesture) = &mut self.gesture {
            let mut edits = inverse.edits;
            edits.append(&mut gesture.edits);
            gesture.edits = edits;
        } else {
            self.push(inverse);
        }
        touched
    }

    /// From here to [`History::end_gesture`] everything is one step, such as a drag of the mouse.
    pub fn begin_gesture(&mut self, title: impl Into<String>) {
        if self.gesture.is_none() {
            self.gesture = Some(Transaction::new(title, Vec::new()));
        }
    }

    pub fn end_gesture(&mut self) {
        if let Some(gesture) = self.gesture.take()
            && !gesture.is_empty()
        {
            self.push(gesture);
        }
    }

    /// Takes back what the gesture did so far.
    pub fn cancel_gesture(&mut self, document: &mut Document) -> Option<Touched> {
        let gesture = self.gesture.take()?;
        let touched = gesture.touched();
        gesture.apply(document);
        Some(touched)
    }

    pub fn undo(&mut self, document: &mut Document) -> Option<Touched> {
        self.end_gesture();
        let step = self.undo.pop_back()?;
        let touched = step.touched();
        self.redo.push(step.apply(document));
        Some(touched)
    }

    pub fn redo(&mut self, document: &mut Document) -> Option<Touched> {
        self.end_gesture();
        let step = self.redo.pop()?;
        let touched = step.touched();
        self.undo.push_back(step.apply(document));
        Some(touched)
    }

    /// Title of the step that undo would take back.
    pub fn undo_title(&self) -> Option<&str> {
        self.gesture
            .as_ref()
            .or_else(|| self.undo.back())
            .map(|step| step.title.as_str())
    }

    /// Title of the step that redo would do again.
    pub fn redo_title(&self) -> Option<&str> {
        self.redo.last().map(|step| step.title.as_str())
    }

    /// The state of now is about to be saved.
    pub fn begin_save(&mut self) {
        self.end_gesture();
        self.saving = Some(Saving {
            at: Some(self.undo.len()),
        });
    }

    /// The state of [`History::begin_save`] is saved, whatever happened meanwhile; or it could not be.
    pub fn end_save(&mut self, saved: bool) {
        if let Some(saving) = self.saving.take()
            && saved
        {
            self.saved_at = saving.at;
        }
    }

    /// Whether the document differs from what was last saved.
    pub fn dirty(&self) -> bool {
        self.gesture
            .as_ref()
            .is_some_and(|gesture| !gesture.is_empty())
            || self.saved_at != Some(self.undo.len())
    }

    /// The states that the history knows by their place in it.
    fn kept(&mut self) -> impl Iterator<Item = &mut Option<usize>> {
        let saving = self.saving.iter_mut().map(|saving| &mut saving.at);
        saving.chain([&mut self.saved_at])
    }

    fn push(&mut self, inverse: Transaction) {
        let length = self.undo.len();
        for kept in self.kept() {
            if kept.is_some_and(|at| at > length) {
                // That state was among the redo steps that are forgotten now.
                *kept = None;
            }
        }
        self.redo.clear();
        self.undo.push_back(inverse);
        if self.undo.len() > STEPS_MAX {
            self.undo.pop_front();
            for kept in self.kept() {
                *kept = kept.and_then(|at| at.checked_sub(1));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::edit::Edit;

    fn step(document: &mut Document, history: &mut History, title: &str) {
        let mut meta = document.meta.clone();
        meta.title = title.into();
        let edits = vec![Edit::Meta(Box::new(meta))];
        history.apply(document, Transaction::new(title, edits));
    }

    #[test]
    fn what_was_saved_is_what_was_there_when_saving_began() {
        let (mut document, mut history) = (Document::default(), History::saved());
        step(&mut document, &mut history, "one");
        history.begin_save();
        history.undo(&mut document);
        history.end_save(true);
        assert!(history.dirty(), "the file holds what was undone");
        history.redo(&mut document);
        assert!(!history.dirty());

        history.undo(&mut document);
        history.begin_save();
        history.end_save(false);
        assert!(history.dirty(), "it could not be saved");

        history.redo(&mut document);
        history.begin_save();
        history.undo(&mut document);
        step(&mut document, &mut history, "another");
        history.end_save(true);
        assert!(history.dirty(), "what was saved is out of reach");
    }
}
