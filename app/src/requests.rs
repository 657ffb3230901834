//! What panels ask for while they are drawn; done after the frame, so that nothing changes under
//! their hands.

use std::collections::BTreeSet;

use graph_model::edit::Transaction;
use graph_model::id::{Id, NodeId};
use graph_model::pointer::Pointer;
use graph_model::value::Value;
use runtime_protocol::Target;
use smol_str::SmolStr;

use crate::canvas::intent::{Item, QuickAddFrom};
use crate::session::trial::Question;
use crate::showing::Watch;
use crate::state::Preview;

/// One wish of a panel.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Request {
    /// Perform the action of this name.
    Do(&'static str),
    /// Change the document.
    Edit(Transaction),
    /// Change the document as part of typing into a field.
    Type(egui::Id, Transaction),
    Select(BTreeSet<Item>),
    /// Select it and bring it into view.
    Reveal(Item),
    /// Show an event type in its panel.
    ShowType(Id),
    /// Make a path stand out on the canvas.
    Highlight(BTreeSet<Item>),
    /// Add a node of this kind, joined with what is given.
    Add {
        kind: SmolStr,
        at: Option<(i32, i32)>,
        from: QuickAddFrom,
    },
    /// Colour where this field of a type goes, or end that.
    Follow(Option<(Id, Pointer)>),
    Preview(Option<Preview>),
    /// Make the change of a preview.
    Fix(Preview),
    Copy(String),
    /// Open the editor for an event that is sent in.
    EditEvent {
        target: Target,
        data: Value,
        ty: Option<SmolStr>,
    },
    ReadView(NodeId),
    ReadDeadLetters,
    /// Remember who decides things here.
    CallMe(SmolStr),
    /// A line for the status bar.
    Say(String),
    ClearLog,
    /// Go to this moment of the recorded run, in milliseconds.
    Seek(f64),
    /// Play the recorded run this fast.
    Speed(f64),
    /// Play the tests that the flow keeps.
    RunTests,
    /// Ask what a function does with an event.
    Try(Box<Question>),
    /// Look for a run in which this finding is seen happening.
    ShowMe(usize),
    /// What to do with the run that shows a hazard.
    Watch(Watch),
}

/// Wishes in the order in which they came up.
pub(crate) type Requests = Vec<Request>;
