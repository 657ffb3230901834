//! One frame of the canvas: widgets, shapes and tessellation, without a graphics card.
//!
//! The promise: 1,000 visible nodes in less than 8 ms on one core.

use std::collections::{BTreeMap, BTreeSet};

use app::canvas::{self, CanvasInput, CanvasView};
use app::theme;
use divan::Bencher;
use egui::{Context, RawInput, Rect, pos2, vec2};
use graph_model::catalog::Catalog;
use graph_model::document::{Document, Node};
use graph_model::edit::TransactionBuilder;
use graph_model::id::PortRef;
use runtime_protocol::RunState;

fn main() {
    divan::main();
}

/// A grid of nodes, each joined with the one right of it and the one below that.
fn flow(columns: i32, rows: i32) -> Document {
    let mut document = Document::default();
    let mut build = TransactionBuilder::new(&document, "Fill");
    let name = |column: i32, row: i32| format!("filter_{column}_{row}");
    for row in 0..rows {
        for column in 0..columns {
            let node = Node::new("filter").with("when", format!(".total > {row}"));
            build.add_node(
                &name(column, row).into(),
                node,
                Some((column * 300, row * 160)),
            );
        }
    }
    for row in 0..rows {
        for column in 0..columns - 1 {
            let from = PortRef::new(name(column, row), "out");
            build.connect(from, PortRef::new(name(column + 1, row), "in"));
            if row + 1 < rows {
                let from = PortRef::new(name(column, row), "dropped");
                build.connect(from, PortRef::new(name(column + 1, row + 1), "in"));
            }
        }
    }
    build.finish().apply(&mut document);
    document
}

/// Frames of a flow on a screen; the view moves a little from each to the next.
fn frames(bencher: Bencher<'_, '_>, columns: i32, rows: i32, screen: egui::Vec2, zoom: f32) {
    let document = flow(columns, rows);
    let ctx = Context::default();
    ctx.enable_accesskit();
    theme::install(&ctx);
    let mut view = CanvasView::default();
    let mut frame = |number: u32| {
        let raw = RawInput {
            screen_rect: Some(Rect::from_min_size(pos2(0.0, 0.0), screen)),
            time: Some(f64::from(number) / 60.0),
            ..RawInput::default()
        };
        let mut full = ctx.run_ui(raw, |ui| {
            view.read(&document, 1, Catalog::bundled());
            if number < 3 {
                view.camera.zoom = zoom;
                view.camera.offset = vec2(10.0, 10.0);
            }
            view.camera.offset.x += if number.is_multiple_of(2) { 3.0 } else { -3.0 };
            let input = CanvasInput {
                document: &document,
                revision: 1,
                catalog: Catalog::bundled(),
                selection: &BTreeSet::new(),
                hazards: &BTreeMap::new(),
                counters: None,
                rates: None,
                run: RunState::Stopped,
                highlight: &BTreeSet::new(),
                tapped: &BTreeSet::new(),
                known: None,
                flow: None,
                changed: &BTreeSet::new(),
                ghost: None,
                incoming: false,
                keyboard: true,
                animate: true,
                default_capacity: 1024,
                tokens: theme::current(ui.ctx()),
            };
            divan::black_box(canvas::show(ui, &input, &mut view));
        });
        divan::black_box(ctx.tessellate(full.shapes, full.pixels_per_point));
        full.textures_delta.clear();
    };
    for number in 0..4 {
        frame(number);
    }
    let mut number = 4;
    bencher.bench_local(|| {
        number += 1;
        frame(number);
    });
}

#[divan::bench]
fn a_thousand_visible(bencher: Bencher<'_, '_>) {
    // A wide screen: 40 by 25 cards, each with its title.
    frames(bencher, 40, 25, vec2(3000.0, 1000.0), 0.24);
}

#[divan::bench]
fn a_thousand_visible_as_blocks(bencher: Bencher<'_, '_>) {
    frames(bencher, 40, 25, vec2(1280.0, 800.0), 0.1);
}

#[divan::bench]
fn a_screenful_of_ten_thousand(bencher: Bencher<'_, '_>) {
    frames(bencher, 100, 100, vec2(1920.0, 1080.0), 0.8);
}
