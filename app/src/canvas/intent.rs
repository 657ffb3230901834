//! What people ask of the canvas: it reports intents, it never changes the document.

use std::collections::BTreeSet;

use egui::Pos2;
use graph_model::document::Placement;
use graph_model::id::{EdgeId, Id, NodeId, PortRef};

/// Something that can be selected, marked or focused.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Item {
    Node(NodeId),
    Edge(EdgeId),
    Zone(Id),
    Note(Id),
}

/// A wish of the person at the canvas. Places are in document points, `Pos2` in screen points.
#[derive(Clone, Debug, PartialEq)]
pub enum Intent {
    Select {
        items: BTreeSet<Item>,
        mode: SelectMode,
    },
    /// Nodes, zones and notes move. `dx` and `dy` count from the start of the gesture; until `done`
    /// the canvas itself draws them moved and the document should not change.
    MoveBy {
        ids: BTreeSet<Id>,
        dx: i32,
        dy: i32,
        done: bool,
    },
    /// Copies of nodes, `dx` and `dy` away from them.
    Duplicate {
        ids: BTreeSet<Id>,
        dx: i32,
        dy: i32,
    },
    /// From an output to an input: the canvas has checked that it may be.
    Connect {
        from: PortRef,
        to: PortRef,
    },
    /// One end of an edge goes to another port.
    Reconnect {
        edge: EdgeId,
        end: End,
        to: PortRef,
    },
    /// A connection that may not be; the reason was shown at the pointer.
    RefusedConnect {
        reason: String,
    },
    /// A node was moved by `dx`, `dy` onto a wire, to be put between its ends.
    DropOnWire {
        node: NodeId,
        edge: EdgeId,
        dx: i32,
        dy: i32,
    },
    QuickAdd {
        at: (i32, i32),
        from: QuickAddFrom,
    },
    DeleteSelection {
        /// Join what fed a deleted node with what it fed.
        reconnect: bool,
    },
    OpenEditor {
        node: NodeId,
    },
    SliceEdges {
        edges: BTreeSet<EdgeId>,
    },
    ContextMenu {
        /// Where the menu should open, on the screen.
        screen: Pos2,
        /// The same place in the document.
        at: (i32, i32),
        target: Target,
    },
    /// A zone or a note got another frame.
    Resize {
        id: Id,
        to: Placement,
    },
    /// The run mark of a source was used.
    InjectFrom {
        source: NodeId,
    },
    /// The pointer rests on a port, or left it.
    HoverPort {
        port: Option<PortRef>,
    },
    /// The keyboard leaves the canvas (F6, or Shift+F6 backwards).
    Leave {
        backward: bool,
    },
}

/// How a selection changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SelectMode {
    Replace,
    Add,
    /// What was selected is not any more, and the other way round.
    Toggle,
}

/// An end of an edge.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    From,
    To,
}

/// What the new node should be joined with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum QuickAddFrom {
    Nothing,
    /// An output asks for something to feed, an input for something that feeds it.
    Port(PortRef, PortSide),
    /// Between the ends of this edge.
    Edge(EdgeId),
}

/// The side of a node on which a port sits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum PortSide {
    Input,
    Output,
}

impl PortSide {
    pub(crate) fn other(self) -> PortSide {
        match self {
            PortSide::Input => PortSide::Output,
            PortSide::Output => PortSide::Input,
        }
    }
}

/// What a context menu is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    Canvas,
    Item(Item),
    Port(PortRef, PortSide),
}
