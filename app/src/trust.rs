//! Which flows run without being asked about, and the question that comes before the others run.
//!
//! Opening never runs anything. A flow of a stranger that gets at something outside of Weir is asked
//! about before it runs, and again when an edit lets the running flow get at more.

use std::collections::BTreeSet;

use egui::{Context, Key, RichText, Ui};
use graph_model::catalog::ReachKind;
use graph_model::reach::{self, Reach};
use runtime_protocol::RunState;
use smol_str::SmolStr;

use crate::designer::Designer;
use crate::host::{Location, Sample};
use crate::plain;
use crate::theme;

/// Trusted flows that are remembered; the one that ran longest ago is asked about again.
pub(crate) const TRUSTED_MAX: usize = 200;
/// Values of one kind that the question shows.
const VALUES_MAX: usize = 50;
/// Characters of a value that the question shows.
const VALUE_MAX: usize = 90;
/// Characters of a name that the question shows.
const NAME_MAX: usize = 60;

/// What may run.
#[derive(Debug, Default)]
pub(crate) struct Trust {
    /// Flows that run without being asked about, the latest first.
    places: Vec<Location>,
    /// The open document was made here.
    pub made_here: bool,
    /// What the flow that runs was allowed to get at.
    allowed: BTreeSet<Reach>,
    /// What was refused to the flow that runs; asking again with every edit would be a nuisance.
    refused: BTreeSet<Reach>,
}

/// The question whether a flow may run.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Question {
    /// Name of the flow, fit to show.
    name: String,
    /// It runs already, and an edit lets it get at more.
    more: bool,
    groups: Vec<Group>,
    /// None of it starts a program.
    no_program: bool,
    reach: BTreeSet<Reach>,
}

/// Things of one kind.
#[derive(Clone, Debug, PartialEq)]
struct Group {
    title: String,
    lines: Vec<Line>,
    left_out: usize,
}

/// One thing that is got at.
#[derive(Clone, Debug, PartialEq)]
struct Line {
    what: String,
    /// What there is to know about it; often nothing.
    about: String,
    /// The nodes that get at it.
    nodes: String,
}

/// Answers to the question, in the order of its buttons.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Consent {
    Always,
    Once,
    Never,
}

impl Trust {
    /// These were trusted in an earlier run.
    pub(crate) fn recall(&mut self, places: &[SmolStr]) {
        self.places = Trust::new(places).places;
    }

    pub(crate) fn new(places: &[SmolStr]) -> Trust {
        Trust {
            places: places
                .iter()
                .take(TRUSTED_MAX)
                .cloned()
                .map(Location)
                .collect(),
            made_here: true,
            ..Trust::default()
        }
    }

    pub(crate) fn places(&self) -> impl Iterator<Item = &SmolStr> {
        self.places.iter().map(|place| &place.0)
    }

    /// From now on the flow in this place runs without being asked about.
    pub(crate) fn remember(&mut self, place: &Location) {
        self.places.retain(|other| other != place);
        self.places.insert(0, place.clone());
        self.places.truncate(TRUSTED_MAX);
    }

    pub(crate) fn forget_all(&mut self) {
        self.places.clear();
    }

    pub(crate) fn remembers_any(&self) -> bool {
        !self.places.is_empty()
    }

    /// Another document is open now.
    pub(crate) fn opened(&mut self, made_here: bool) {
        self.made_here = made_here;
        self.allowed.clear();
        self.refused.clear();
    }
}

impl Designer {
    /// Whether the open flow runs without being asked about.
    pub(crate) fn trusted(&self) -> bool {
        let place = self.files.location.as_ref();
        self.trust.made_here
            || place.is_some_and(|place| {
                let of_sample = |sample: &Sample| sample.location.folder() == place.folder();
                self.trust.places.contains(place) || self.host.samples().iter().any(of_sample)
            })
    }

    /// Whether the flow may be deployed as it is now. Otherwise the question is open, or was
    /// answered before: then only who asks for the run `by_hand` is asked again.
    pub(crate) fn may_deploy(&mut self, by_hand: bool) -> bool {
        if self.session.plays() || self.trusted() {
            return true;
        }
        let reach: BTreeSet<Reach> = reach::of(self.state.document(), self.state.catalog())
            .into_iter()
            .collect();
        let more = matches!(self.session.state(), RunState::Running | RunState::Paused);
        let fresh: BTreeSet<Reach> = if more {
            reach.difference(&self.trust.allowed).cloned().collect()
        } else {
            reach.clone()
        };
        if fresh.is_empty() {
            return true;
        }
        if by_hand || !fresh.is_subset(&self.trust.refused) {
            let question = self.question(&fresh, more, reach);
            self.dialog = Some(crate::dialogs::Dialog::Trust(question));
        }
        false
    }

    fn question(&self, fresh: &BTreeSet<Reach>, more: bool, reach: BTreeSet<Reach>) -> Question {
        Question {
            name: plain::line(self.files.name(), NAME_MAX),
            more,
            groups: groups(fresh),
            no_program: reach.iter().all(|reach| reach.kind != ReachKind::Program),
            reach,
        }
    }

    /// Does what the user decided.
    pub(crate) fn take_consent(&mut self, consent: Consent, question: Question) {
        match consent {
            Consent::Never => {
                self.trust.refused = question.reach;
                self.session.hold_deploy();
                self.say(if question.more {
                    "not deployed; the flow runs on as it was".to_owned()
                } else {
                    "not run".to_owned()
                });
                return;
            }
            Consent::Once => {}
            Consent::Always => {
                match self.files.location.clone() {
                    Some(place) => self.trust.remember(&place),
                    None => self.trust.made_here = true,
                }
                self.keep_settings();
            }
        }
        self.trust.allowed = question.reach;
        self.trust.refused.clear();
        self.deploy();
    }
}

/// The reach by kinds, as people read it.
fn groups(reach: &BTreeSet<Reach>) -> Vec<Group> {
    let mut groups: Vec<(ReachKind, Group)> = Vec::new();
    let mut last: Option<&str> = None;
    // Sorted by kind and value: what several nodes get at stands together.
    for one in reach {
        let node = plain::line(one.node.as_str(), NAME_MAX);
        if groups.last().is_none_or(|(kind, _)| *kind != one.kind) {
            last = None;
            let group = Group {
                title: title(one.kind).to_owned(),
                lines: Vec::new(),
                left_out: 0,
            };
            groups.push((one.kind, group));
        }
        let Some((_, group)) = groups.last_mut() else {
            continue;
        };
        let again = last == Some(one.value.as_str());
        last = Some(&one.value);
        if again {
            if let Some(line) = group.lines.last_mut()
                && group.left_out == 0
                && line.nodes.chars().count() < NAME_MAX
            {
                line.nodes.push_str(", ");
                line.nodes.push_str(&node);
            }
        } else if group.lines.len() < VALUES_MAX {
            let (what, about) = said(one.kind, &one.value);
            group.lines.push(Line {
                what,
                about,
                nodes: node,
            });
        } else {
            group.left_out += 1;
        }
    }
    groups.into_iter().map(|(_, group)| group).collect()
}

fn title(kind: ReachKind) -> &'static str {
    match kind {
        ReachKind::Program => "Starts programs",
        ReachKind::Call => "Sends to addresses",
        ReachKind::Listen => "Listens for requests",
        ReachKind::Secret => "Reads environment variables, which may hold secrets",
        ReachKind::WriteFile => "Writes files in its folder",
        ReachKind::Database => "Writes databases in its folder",
        ReachKind::ReadFile => "Reads files in its folder",
        ReachKind::Component => {
            "Runs code in a sandbox, without access to files, nor to hosts but those listed here"
        }
    }
}

/// One value, as people read it, and what there is to know about it.
fn said(kind: ReachKind, value: &str) -> (String, String) {
    let ascii = plain::ascii(value, VALUE_MAX);
    match kind {
        // The host counts; what stands around it in an address may pose as one.
        ReachKind::Call => match reach::host(value) {
            Some(host) => (plain::ascii(host, VALUE_MAX), ascii),
            None => (ascii, String::new()),
        },
        ReachKind::Listen if reach::is_loopback(value) => {
            (ascii, "for this computer only".to_owned())
        }
        ReachKind::Listen => (ascii, "open to other computers".to_owned()),
        ReachKind::Secret => (ascii, String::new()),
        _ => (plain::line(value, VALUE_MAX), String::new()),
    }
}

/// Draws the question; answers what was decided.
pub(crate) fn body(ui: &mut Ui, question: &Question, first: bool) -> Option<Consent> {
    ui.label(if question.more {
        format!(
            "{} was not made here. As it is now it would also get at this, outside of Weir:",
            question.name
        )
    } else {
        format!(
            "{} was not made here. While it runs, it gets at this, outside of Weir:",
            question.name
        )
    });
    let max = (ui.ctx().content_rect().height() - 260.0).clamp(80.0, 420.0);
    egui::ScrollArea::vertical()
        .max_height(max)
        .auto_shrink([false, true])
        .show(ui, |ui| {
            ui.spacing_mut().item_spacing.y = 0.0;
            // Nothing in the list takes the keyboard, so the keys scroll it from anywhere.
            for (key, by) in [(Key::PageDown, -max), (Key::PageUp, max)] {
                if ui.input(|input| input.key_pressed(key)) {
                    ui.scroll_with_delta(egui::vec2(0.0, by));
                }
            }
            for group in &question.groups {
                ui.add_space(theme::space::M);
                ui.label(RichText::new(&group.title).strong());
                for line in &group.lines {
                    ui.horizontal_wrapped(|ui| {
                        ui.add_space(theme::space::L);
                        ui.label(RichText::new(&line.what).monospace());
                        if !line.about.is_empty() {
                            ui.label(&line.about);
                        }
                        ui.label(RichText::new(format!("by {}", line.nodes)).small().weak());
                    });
                }
                if group.left_out > 0 {
                    ui.horizontal(|ui| {
                        ui.add_space(theme::space::L);
                        ui.label(RichText::new(format!("and {} more", group.left_out)).weak());
                    });
                }
            }
        });
    if question.no_program {
        ui.label(RichText::new("It starts no other program.").weak());
    }
    choice(ui, first)
}

/// The buttons. Enter gives the careful answer: it may still be down from the key that runs a flow.
fn choice(ui: &mut Ui, first: bool) -> Option<Consent> {
    ui.add_space(theme::space::S);
    let mut chosen = None;
    ui.horizontal(|ui| {
        for (title, about, consent) in [
            (
                "Run it",
                "and do not ask again for this flow",
                Consent::Always,
            ),
            ("Run once", "and ask again next time", Consent::Once),
            ("Cancel", "nothing runs", Consent::Never),
        ] {
            let response = ui.button(title).on_hover_text(about);
            if first && consent == Consent::Never {
                response.request_focus();
            }
            if response.clicked() {
                chosen = Some(consent);
            }
        }
    });
    chosen
}

/// Asks again about every flow that was not made in this session.
pub(crate) fn forget(designer: &mut Designer, _: &Context) {
    designer.trust.forget_all();
    designer.keep_settings();
    designer.say("flows are asked about again before they reach outside".to_owned());
}
