//! What runs, on top of what is drawn: pulses along wires, rates, load of wires, the paused look.

use std::collections::BTreeMap;

use egui::{Align2, Rect, Shape, Stroke, StrokeKind, pos2, vec2};
use graph_model::id::EdgeId;
use runtime_protocol::{Counters, EdgeCount, RunState};
use smol_str::SmolStr;

use super::CanvasInput;
use super::paint::{Brush, brief};
use super::scene::{EdgeShape, Scene, sample};
use super::text::Style;
use crate::theme::size;

/// Pulses that move at the same time; further events show in the counts only.
const PULSES_MAX: usize = 60;
/// Pulses that one snapshot starts on one wire.
const PULSES_A_WIRE: u64 = 3;
/// Seconds that a pulse takes along its wire.
const PULSE_SECONDS: f64 = 0.7;
/// Seconds between two pulses of one wire.
const PULSE_GAP: f64 = 0.14;
/// Seconds from one picture of moving pulses to the next.
const PULSE_FRAME: f32 = 1.0 / 40.0;

/// Magnification from which wires say how much goes along them.
const ZOOM_CHIP: f32 = 0.36;

/// What was seen of the run so far.
#[derive(Default)]
pub(super) struct Live {
    at_ms: Option<u64>,
    passed: BTreeMap<EdgeId, u64>,
    pulses: Vec<Pulse>,
}

struct Pulse {
    edge: EdgeId,
    /// Time at which it leaves its port, in seconds.
    start: f64,
}

impl Live {
    /// Takes in the last snapshot; every event since the one before may become a pulse.
    pub(super) fn follow(&mut self, counters: Option<&Counters>, animate: bool, now: f64) {
        self.pulses
            .retain(|pulse| now < pulse.start + PULSE_SECONDS);
        let Some(counters) = counters else {
            *self = Live::default();
            return;
        };
        if !animate {
            self.pulses.clear();
        }
        if self.at_ms == Some(counters.at_ms) {
            return;
        }
        let known = self.at_ms.is_some();
        self.at_ms = Some(counters.at_ms);
        for (edge, count) in &counters.edges {
            let before = self.passed.insert(edge.clone(), count.passed);
            let new = count.passed.saturating_sub(before.unwrap_or(0));
            if !animate || !known {
                continue;
            }
            for number in 0..new.min(PULSES_A_WIRE) {
                if self.pulses.len() < PULSES_MAX {
                    self.pulses.push(Pulse {
                        edge: edge.clone(),
                        start: now + number as f64 * PULSE_GAP,
                    });
                }
            }
        }
    }

    /// Draws the pulses that are under way.
    pub(super) fn draw(&self, brush: &mut Brush<'_>, scene: &Scene, now: f64) {
        if self.pulses.is_empty() {
            return;
        }
        brush.painter.ctx().request_repaint_after_secs(PULSE_FRAME);
        let color = brush.tokens.pulse;
        let radius = (4.0 * brush.camera.zoom).clamp(2.0, 7.0);
        for pulse in &self.pulses {
            let Some(edge) = scene.edge(&pulse.edge) else {
                continue;
            };
            let t = ((now - pulse.start) / PULSE_SECONDS) as f32;
            if !(0.0..=1.0).contains(&t) {
                continue;
            }
            let eased = t * t * (3.0 - 2.0 * t);
            let at = brush.place(sample(scene.edges[edge].curve(), eased));
            if brush.canvas.contains(at) {
                let halo = color.gamma_multiply(0.25);
                brush
                    .shapes
                    .push(Shape::circle_filled(at, radius * 1.9, halo));
                brush.shapes.push(Shape::circle_filled(at, radius, color));
            }
        }
    }

    #[cfg(test)]
    fn moving(&self) -> usize {
        self.pulses.len()
    }
}

/// The rate of a wire, and how full it is, on its middle.
pub(super) fn chip(brush: &mut Brush<'_>, input: &CanvasInput<'_>, edge: &EdgeShape) {
    if brush.camera.zoom < ZOOM_CHIP {
        return;
    }
    let Some(count) = input
        .counters
        .and_then(|counters| counters.edges.get(&edge.id))
    else {
        return;
    };
    if count.passed == 0 && count.waiting == 0 {
        return;
    }
    let rate = input
        .rates
        .and_then(|rates| rates.get(&edge.id))
        .copied()
        .unwrap_or_default();
    let at = brush.place(sample(edge.curve(), 0.5));
    if !brush.canvas.contains(at) {
        return;
    }
    let text: SmolStr = if rate > 0.0 {
        per_second(rate).into()
    } else {
        brief(count.passed).into()
    };
    let tokens = brush.tokens;
    let unit = brush.camera.zoom;
    let style = Style::line(((size::SMALL - 1.0) * unit.min(1.4)).max(8.5), 90.0);
    let galley = brush.texts.get(brush.painter, &text, style);
    let room = Rect::from_center_size(at, galley.size() + vec2(8.0, 3.0) * unit);
    let load = count.waiting as f32 / edge.capacity.unwrap_or(input.default_capacity).max(1) as f32;
    let line = if load > 0.85 || count.dropped > 0 {
        tokens.error
    } else if load > 0.6 {
        tokens.warning
    } else {
        tokens.line
    };
    let corner = (room.height() / 2.0) as u8;
    brush
        .shapes
        .push(Shape::rect_filled(room, corner, tokens.panel));
    brush.shapes.push(Shape::rect_stroke(
        room,
        corner,
        Stroke::new(1.0, line),
        StrokeKind::Inside,
    ));
    let ink = if rate > 0.0 {
        tokens.text
    } else {
        tokens.muted
    };
    let corner = room.center() - galley.size() / 2.0;
    brush.shapes.push(Shape::galley(corner, galley, ink));
    if count.waiting > 0 {
        bar(brush, room, load);
        let text: SmolStr = format!("{} waiting", brief(count.waiting)).into();
        let at = pos2(room.center().x, room.max.y + 7.0 * unit);
        brush.text(at, Align2::CENTER_TOP, &text, style, tokens.muted);
    }
}

/// A bar below a chip: how much of the wire's room is taken.
fn bar(brush: &mut Brush<'_>, chip: Rect, load: f32) {
    let tokens = brush.tokens;
    let height = (3.0 * brush.camera.zoom).max(2.0);
    let room = Rect::from_min_size(
        chip.left_bottom() + vec2(0.0, 2.0 * brush.camera.zoom),
        vec2(chip.width(), height),
    );
    let color = if load > 0.85 {
        tokens.error
    } else if load > 0.6 {
        tokens.warning
    } else {
        tokens.ok
    };
    let mut taken = room;
    taken.max.x = room.min.x + (room.width() * load.clamp(0.0, 1.0)).max(height);
    brush.shapes.push(Shape::rect_filled(room, 2, tokens.line));
    brush.shapes.push(Shape::rect_filled(taken, 2, color));
}

/// Exact numbers of a wire, for the pointer that rests on it.
pub(super) fn exact(count: &EdgeCount, capacity: u32) -> String {
    let mut text = format!(
        "{} passed, {} of {capacity} waiting",
        count.passed, count.waiting
    );
    if count.dropped > 0 {
        text = format!("{text}, {} dropped", count.dropped);
    }
    text
}

/// Around the canvas: nothing moves now.
pub(super) fn frame(brush: &mut Brush<'_>, run: RunState) {
    let (text, color) = match run {
        RunState::Paused => ("paused", brush.tokens.warning),
        RunState::Draining => ("finishing what is under way", brush.tokens.info),
        RunState::Stopped | RunState::Running => return,
    };
    brush.shapes.push(Shape::rect_stroke(
        brush.canvas.shrink(1.0),
        0,
        Stroke::new(2.0, color),
        StrokeKind::Inside,
    ));
    let at = brush.canvas.center_top() + vec2(0.0, 20.0);
    brush.plate(at, &SmolStr::new_static(text), color, color);
}

/// `0.4/s`, `12/s`, `3.1k/s`.
fn per_second(rate: f64) -> String {
    if rate < 9.95 {
        format!("{rate:.1}/s")
    } else {
        format!("{}/s", brief(rate.round() as u64))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counters(at_ms: u64, passed: u64, edges: usize) -> Counters {
        let count = EdgeCount {
            passed,
            ..EdgeCount::default()
        };
        Counters {
            at_ms,
            edges: (0..edges)
                .map(|edge| (EdgeId::new(format!("e{edge}")), count))
                .collect(),
            ..Counters::default()
        }
    }

    #[test]
    fn events_become_few_pulses_that_end() {
        let mut live = Live::default();
        live.follow(Some(&counters(0, 0, 1)), true, 0.0);
        live.follow(Some(&counters(100, 2, 1)), true, 0.1);
        assert_eq!(live.moving(), 2);
        live.follow(Some(&counters(100, 2, 1)), true, 0.2);
        assert_eq!(live.moving(), 2, "one snapshot counts once");
        live.follow(Some(&counters(200, 5_000, 1)), true, 0.3);
        assert_eq!(live.moving(), 5);
        live.follow(Some(&counters(200, 5_000, 1)), true, 9.0);
        assert_eq!(live.moving(), 0);
        live.follow(Some(&counters(300, 9_000, 500)), true, 9.1);
        assert_eq!(live.moving(), PULSES_MAX);
    }

    #[test]
    fn nothing_moves_when_stillness_is_wanted() {
        let mut live = Live::default();
        live.follow(Some(&counters(0, 0, 1)), false, 0.0);
        live.follow(Some(&counters(100, 9, 1)), false, 0.1);
        assert_eq!(live.moving(), 0);
    }

    #[test]
    fn rates_are_short() {
        for (rate, expected) in [(0.42, "0.4/s"), (9.96, "10/s"), (3_140.0, "3.1k/s")] {
            assert_eq!(per_second(rate), expected);
        }
    }
}
