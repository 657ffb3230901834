//! Actions that move things on the canvas without changing what the flow means.

use egui::Key;
use graph_model::document::Placement;
use graph_model::id::Id;

use super::{ALT, Action, CTRL, Menu, NONE, SHIFT, always, chord, key};
use crate::designer::Designer;
use crate::graph_edits;
use crate::state::placed_id;

/// Steps of the keyboard, in points.
const NUDGE: i32 = 10;
const NUDGE_LARGE: i32 = 50;

pub(super) const ACTIONS: &[Action] = &[
    Action {
        id: "arrange.auto",
        title: "Arrange automatically",
        tooltip: "Place the nodes in the order in which events go",
        menu: Menu::Arrange(0),
        keys: &[chord(ALT, Key::A, Key::A)],
        when: |designer| !designer.state.document().nodes.is_empty(),
        perform: |designer, ctx| {
            let document = designer.state.document();
            let places = graph_model::layout::layered(document, designer.state.catalog());
            let mut build = designer.state.build("Arrange automatically");
            for (id, place) in &places {
                build.place(id, place.x, place.y);
            }
            let transaction = build.finish();
            designer.edit(transaction);
            designer.canvas.zoom_to_fit();
            ctx.request_repaint();
        },
    },
    Action {
        id: "arrange.left",
        title: "Align left",
        tooltip: "Move the selection to its leftmost edge",
        menu: Menu::Arrange(1),
        keys: &[chord(ALT, Key::A, Key::L)],
        when: several,
        perform: |designer, _| {
            align(designer, "Align left", |all, at, _| {
                (all.iter().map(|(at, _)| at.0).min().unwrap_or(at.0), at.1)
            });
        },
    },
    Action {
        id: "arrange.right",
        title: "Align right",
        tooltip: "Move the selection to its rightmost edge",
        menu: Menu::Arrange(1),
        keys: &[chord(ALT, Key::A, Key::R)],
        when: several,
        perform: |designer, _| {
            align(designer, "Align right", |all, at, size| {
                let right = all.iter().map(|(at, size)| at.0 + size.0).max();
                (right.map_or(at.0, |right| right - size.0), at.1)
            });
        },
    },
    Action {
        id: "arrange.top",
        title: "Align top",
        tooltip: "Move the selection to its upper edge",
        menu: Menu::Arrange(1),
        keys: &[chord(ALT, Key::A, Key::T)],
        when: several,
        perform: |designer, _| {
            align(designer, "Align top", |all, at, _| {
                (at.0, all.iter().map(|(at, _)| at.1).min().unwrap_or(at.1))
            });
        },
    },
    Action {
        id: "arrange.bottom",
        title: "Align bottom",
        tooltip: "Move the selection to its lower edge",
        menu: Menu::Arrange(1),
        keys: &[chord(ALT, Key::A, Key::B)],
        when: several,
        perform: |designer, _| {
            align(designer, "Align bottom", |all, at, size| {
                let bottom = all.iter().map(|(at, size)| at.1 + size.1).max();
                (at.0, bottom.map_or(at.1, |bottom| bottom - size.1))
            });
        },
    },
    Action {
        id: "arrange.middle",
        title: "Align middles",
        tooltip: "Put the selection on one horizontal line",
        menu: Menu::Arrange(1),
        keys: &[chord(ALT, Key::A, Key::M)],
        when: several,
        perform: |designer, _| {
            align(designer, "Align middles", |all, at, size| {
                let sum: i32 = all.iter().map(|(at, size)| at.1 + size.1 / 2).sum();
                (at.0, sum / all.len() as i32 - size.1 / 2)
            });
        },
    },
    Action {
        id: "arrange.centre",
        title: "Align centres",
        tooltip: "Put the selection on one vertical line",
        menu: Menu::Arrange(1),
        keys: &[chord(ALT, Key::A, Key::C)],
        when: several,
        perform: |designer, _| {
            align(designer, "Align centres", |all, at, size| {
                let sum: i32 = all.iter().map(|(at, size)| at.0 + size.0 / 2).sum();
                (sum / all.len() as i32 - size.0 / 2, at.1)
            });
        },
    },
    Action {
        id: "arrange.horizontally",
        title: "Distribute horizontally",
        tooltip: "Give the selection even distances from left to right",
        menu: Menu::Arrange(2),
        keys: &[chord(ALT, Key::A, Key::H)],
        when: many,
        perform: |designer, _| distribute(designer, "Distribute horizontally", |at| &mut at.0),
    },
    Action {
        id: "arrange.vertically",
        title: "Distribute vertically",
        tooltip: "Give the selection even distances from top to bottom",
        menu: Menu::Arrange(2),
        keys: &[chord(ALT, Key::A, Key::V)],
        when: many,
        perform: |designer, _| distribute(designer, "Distribute vertically", |at| &mut at.1),
    },
    Action {
        id: "arrange.nudge_left",
        title: "Move left",
        tooltip: "Move the selection one step of the grid to the left",
        menu: Menu::Arrange(3),
        keys: &[key(CTRL, Key::ArrowLeft)],
        when: placed,
        perform: |designer, _| nudge(designer, -NUDGE, 0),
    },
    Action {
        id: "arrange.nudge_right",
        title: "Move right",
        tooltip: "Move the selection one step of the grid to the right",
        menu: Menu::Arrange(3),
        keys: &[key(CTRL, Key::ArrowRight)],
        when: placed,
        perform: |designer, _| nudge(designer, NUDGE, 0),
    },
    Action {
        id: "arrange.nudge_up",
        title: "Move up",
        tooltip: "Move the selection one step of the grid up",
        menu: Menu::Arrange(3),
        keys: &[key(CTRL, Key::ArrowUp)],
        when: placed,
        perform: |designer, _| nudge(designer, 0, -NUDGE),
    },
    Action {
        id: "arrange.nudge_down",
        title: "Move down",
        tooltip: "Move the selection one step of the grid down",
        menu: Menu::Arrange(3),
        keys: &[key(CTRL, Key::ArrowDown)],
        when: placed,
        perform: |designer, _| nudge(designer, 0, NUDGE),
    },
    Action {
        id: "arrange.jump_left",
        title: "Move far left",
        tooltip: "Move the selection five steps of the grid to the left",
        menu: Menu::Arrange(4),
        keys: &[key(SHIFT, Key::ArrowLeft)],
        when: placed,
        perform: |designer, _| nudge(designer, -NUDGE_LARGE, 0),
    },
    Action {
        id: "arrange.jump_right",
        title: "Move far right",
        tooltip: "Move the selection five steps of the grid to the right",
        menu: Menu::Arrange(4),
        keys: &[key(SHIFT, Key::ArrowRight)],
        when: placed,
        perform: |designer, _| nudge(designer, NUDGE_LARGE, 0),
    },
    Action {
        id: "arrange.jump_up",
        title: "Move far up",
        tooltip: "Move the selection five steps of the grid up",
        menu: Menu::Arrange(4),
        keys: &[key(SHIFT, Key::ArrowUp)],
        when: placed,
        perform: |designer, _| nudge(designer, 0, -NUDGE_LARGE),
    },
    Action {
        id: "arrange.jump_down",
        title: "Move far down",
        tooltip: "Move the selection five steps of the grid down",
        menu: Menu::Arrange(4),
        keys: &[key(SHIFT, Key::ArrowDown)],
        when: placed,
        perform: |designer, _| nudge(designer, 0, NUDGE_LARGE),
    },
    Action {
        id: "view.fit",
        title: "Zoom to fit",
        tooltip: "Show the whole flow",
        menu: Menu::View(0),
        keys: &[key(NONE, Key::Num1), key(CTRL, Key::Num1)],
        when: always,
        perform: |designer, _| designer.canvas.zoom_to_fit(),
    },
];

fn placed(designer: &Designer) -> bool {
    !ids(designer).is_empty()
}

fn several(designer: &Designer) -> bool {
    ids(designer).len() > 1
}

fn many(designer: &Designer) -> bool {
    ids(designer).len() > 2
}

fn ids(designer: &Designer) -> Vec<Id> {
    designer
        .state
        .selection()
        .iter()
        .filter_map(placed_id)
        .cloned()
        .collect()
}

type Point = (i32, i32);

fn spots(designer: &Designer) -> Vec<(Id, Point, Point)> {
    let document = designer.state.document();
    let catalog = designer.state.catalog();
    ids(designer)
        .into_iter()
        .filter_map(|id| {
            let place: Placement = document.layout.get(&id).copied()?;
            let size = match place.size {
                Some((width, height)) => (width as i32, height as i32),
                None => graph_edits::node_size(document, catalog, &id),
            };
            Some((id, (place.x, place.y), size))
        })
        .collect()
}

fn align(
    designer: &mut Designer,
    title: &str,
    place: impl Fn(&[(Point, Point)], Point, Point) -> Point,
) {
    let spots = spots(designer);
    let all: Vec<(Point, Point)> = spots.iter().map(|(_, at, size)| (*at, *size)).collect();
    let mut build = designer.state.build(title);
    for (id, at, size) in &spots {
        let (x, y) = place(&all, *at, *size);
        build.place(id, x, y);
    }
    let transaction = build.finish();
    designer.edit(transaction);
}

fn distribute(designer: &mut Designer, title: &str, axis: impl Fn(&mut Point) -> &mut i32) {
    let mut spots = spots(designer);
    spots.sort_by_key(|(_, at, _)| *axis(&mut at.clone()));
    let steps = spots.len() as i32 - 1;
    let [(_, first, _), .., (_, last, _)] = &mut spots[..] else {
        return;
    };
    let (start, end) = (*axis(first), *axis(last));
    let mut build = designer.state.build(title);
    for (index, (id, at, _)) in spots.iter_mut().enumerate() {
        *axis(at) = start + (end - start) * index as i32 / steps.max(1);
        build.place(id, at.0, at.1);
    }
    let transaction = build.finish();
    designer.edit(transaction);
}

fn nudge(designer: &mut Designer, dx: i32, dy: i32) {
    let ids = ids(designer);
    let transaction = graph_edits::moved(&designer.state, "Move", &ids, dx, dy);
    designer.edit(transaction);
}
