//! What functions cost, side by side: measured in this run.

use egui::{Grid, Rect, RichText, ScrollArea, Sense, Ui, pos2, vec2};
use graph_model::id::NodeId;
use runtime_protocol::function::{DOUBLINGS, FunctionCost, Spread};

use super::{Model, abilities};
use crate::canvas::intent::Item;
use crate::requests::{Request, Requests};
use crate::theme;
use crate::widgets::{hint, quiet_link};

const HEADS: [(&str, &str); 10] = [
    ("Function", ""),
    ("calls", "How often it was called"),
    (
        "typical",
        "Half of the calls on a warm instance took no longer",
    ),
    (
        "slowest 1 %",
        "One in a hundred calls on a warm instance took longer",
    ),
    (
        "first call",
        "Half of the calls on a new instance took no longer",
    ),
    ("start", "Half of the instances were there within this time"),
    (
        "load",
        "Once: compiling, or fetching compiled code, and linking",
    ),
    ("memory", "The most that an instance had"),
    (
        "spread",
        "Calls on a warm instance: each bar takes twice as long as the one before it, from 1 µs on",
    ),
    (
        "asks for",
        "What its code imports, so all that it can do; some languages import everything",
    ),
];

pub(super) fn show(ui: &mut Ui, model: &Model<'_>, out: &mut Requests) {
    hint(
        ui,
        "Measured in this run. A fresh instance for each event costs its start and a first call every time.",
    );
    ui.add_space(theme::space::S);
    let scroll = ScrollArea::both()
        .id_salt("costs")
        .auto_shrink([false, false]);
    scroll.show(ui, |ui| {
        let grid = Grid::new("costs").striped(true).min_col_width(56.0);
        grid.spacing(vec2(theme::space::L, theme::space::S))
            .show(ui, |ui| {
                for (head, told) in HEADS {
                    let head = ui.label(RichText::new(head).small().weak());
                    if !told.is_empty() {
                        head.on_hover_text(told);
                    }
                }
                ui.end_row();
                for (node, cost) in model.session.function_costs() {
                    row(ui, model, node, cost, out);
                    ui.end_row();
                }
            });
    });
}

/// How many functions were called in this run.
pub(super) fn count(model: &Model<'_>) -> usize {
    model.session.function_costs().len()
}

fn row(ui: &mut Ui, model: &Model<'_>, node: &NodeId, cost: &FunctionCost, out: &mut Requests) {
    let title = model.state.document().node_title(node);
    if quiet_link(ui, title).clicked() {
        out.push(Request::Reveal(Item::Node(node.clone())));
    }
    let calls = cost.first.count + cost.warm.count;
    let failed = match cost.failed {
        0 => String::new(),
        failed => format!(", {failed} failed"),
    };
    let mono = |text: String| RichText::new(text).monospace();
    ui.label(mono(format!("{calls}{failed}")));
    ui.label(mono(told(&cost.warm, cost.warm.p50_ns)));
    ui.label(mono(told(&cost.warm, cost.warm.p99_ns)));
    ui.label(mono(told(&cost.first, cost.first.p50_ns)));
    ui.label(mono(told(&cost.start, cost.start.p50_ns)));
    let load = ui.label(mono(time((cost.compile_us + cost.load_us) * 1_000)));
    let compiled = if cost.cached {
        "compiled code came from the cache in"
    } else {
        "compiled in"
    };
    load.on_hover_text(format!(
        "{compiled} {}, the rest took {}",
        time(cost.compile_us * 1_000),
        time(cost.load_us * 1_000)
    ));
    ui.label(mono(format!(
        "{:.1} MiB",
        cost.peak_bytes as f64 / f64::from(1 << 20)
    )));
    bars(ui, &cost.warm);
    ui.label(abilities::words(cost.imports.iter().map(|name| &**name)));
}

/// A histogram as small bars.
fn bars(ui: &mut Ui, spread: &Spread) {
    const BAR: f32 = 5.0;
    const HEIGHT: f32 = 18.0;
    let size = vec2(BAR * DOUBLINGS as f32, HEIGHT);
    let (rect, response) = ui.allocate_exact_size(size, Sense::hover());
    let tokens = theme::current(ui.ctx());
    let most = spread.doubling.iter().copied().max().unwrap_or(0).max(1);
    for (step, count) in spread
        .doubling
        .iter()
        .enumerate()
        .filter(|(_, count)| **count > 0)
    {
        let height = (*count as f32 / most as f32 * HEIGHT).max(1.5);
        let left = rect.left() + BAR * step as f32;
        let min = pos2(left, rect.bottom() - height);
        let bar = Rect::from_min_size(min, vec2(BAR - 1.0, height));
        ui.painter().rect_filled(bar, 0.0, tokens.function);
    }
    let base = rect.bottom() + 1.0;
    let line = egui::Stroke::new(1.0, tokens.line);
    ui.painter().hline(rect.x_range(), base, line);
    let told = spread
        .doubling
        .iter()
        .enumerate()
        .filter(|(_, count)| **count > 0);
    let told = told.map(|(step, count)| format!("up to {}: {count}", time(1_000 << step)));
    let told: Vec<String> = told.collect();
    if !told.is_empty() {
        response.on_hover_text(told.join("\n"));
    }
}

fn told(spread: &Spread, ns: u64) -> String {
    if spread.count == 0 {
        "–".to_owned()
    } else {
        time(ns)
    }
}

/// Nanoseconds, in the unit that reads best.
fn time(ns: u64) -> String {
    let us = ns as f64 / 1_000.0;
    if us < 1_000.0 {
        format!("{us:.1} µs")
    } else if us < 1_000_000.0 {
        format!("{:.1} ms", us / 1_000.0)
    } else {
        format!("{:.1} s", us / 1_000_000.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_have_the_unit_that_reads_best() {
        for (ns, text) in [
            (900, "0.9 µs"),
            (11_840, "11.8 µs"),
            (2_400_000, "2.4 ms"),
            (3_000_000_000, "3.0 s"),
        ] {
            assert_eq!(time(ns), text);
        }
    }
}
