//! The designer and what runs: deployed from here, or made to run by others; events that are sent in.

use std::collections::BTreeSet;

use graph_model::format;
use graph_model::id::NodeId;
use graph_model::value::Value;
use runtime_protocol::{Line, Problem, RunState, Target};

use super::Designer;
use crate::canvas::intent::Item;
use crate::dialogs::Dialog;
use crate::playback::Playback;
use crate::session::TroubleKind;

impl Designer {
    /// Tells once that the line to the engine has ended.
    pub(super) fn follow_line(&mut self) {
        let ended = match self.session.line() {
            Line::Ended { why } => Some(why),
            Line::Up | Line::Down { .. } => None,
        };
        if let Some(why) = &ended
            && !self.line_ended
        {
            self.dialog = Some(Dialog::Failed {
                title: "The line to the engine has ended".to_owned(),
                message: why.clone(),
                place: String::new(),
            });
        }
        self.line_ended = ended.is_some();
    }

    /// Somebody else changed what runs: who looks on follows, who operates is told.
    pub(super) fn follow_others(&mut self) {
        if !self.session.active() {
            self.others_flow = None;
        }
        let Some(text) = self.session.take_others_flow() else {
            return;
        };
        if self.session.looks_on() {
            self.others_flow = Some(text);
            self.show_running();
        } else if text == format::write(self.state.document()) {
            self.others_flow = None;
            self.runs_as_shown();
        } else {
            self.others_flow = Some(text);
            if !self.state.document().nodes.is_empty() {
                self.log(
                    "another designer changed what runs; see it with Run, Show the flow that runs"
                        .to_owned(),
                );
            }
        }
    }

    pub(super) fn runs_as_shown(&mut self) {
        self.deployed_nodes = self.state.document().nodes.clone();
        self.session.runs(self.state.revision());
    }

    /// Shows the flow that somebody else made the one that runs.
    pub(crate) fn show_running(&mut self) {
        let Some(text) = self.others_flow.take() else {
            return;
        };
        let Ok(opened) = format::open(text.as_bytes()) else {
            self.log(
                "what runs cannot be shown here: it is in a newer format; update Weir".to_owned(),
            );
            return;
        };
        let saved = self.session.looks_on();
        self.state.replace(opened.document, saved);
        self.follow_replaced();
        self.runs_as_shown();
    }

    /// Runs the flow, or deploys what changed when it runs already.
    pub(crate) fn run(&mut self) {
        self.state.end_typing();
        if self.session.plays() {
            self.play();
            return;
        }
        if let Some(problem) = self.blocker() {
            self.view.show_bottom(crate::view::BottomTab::Log);
            self.session.report(TroubleKind::Failure, problem);
            return;
        }
        if self.may_deploy(true) {
            self.deploy();
        }
    }

    /// Plays the recorded run: from the start, or on from where it waits.
    fn play(&mut self) {
        let waits = self.session.state() == RunState::Paused;
        if waits && !self.session.undeployed(self.state.revision()) {
            self.session.resume();
        } else {
            self.deploy();
        }
    }

    /// The open flow is the one of this recorded run.
    pub(crate) fn show_recorded(&mut self, playback: Playback) {
        self.deployed_nodes = self.state.document().nodes.clone();
        self.session.show_recorded(playback, self.state.revision());
    }

    pub(crate) fn deploy(&mut self) {
        if !self.session.plays() {
            self.deployed_nodes = self.state.document().nodes.clone();
        }
        let flow = format::write(self.state.document());
        self.session.run(flow, self.state.revision());
    }

    /// Why this state of the document cannot run at all.
    pub(super) fn blocker(&self) -> Option<Problem> {
        let document = self.state.document();
        if document.nodes.is_empty() {
            return Some(Problem::new(
                "nothing to run: the flow has no nodes; add a source first",
            ));
        }
        document.nodes.iter().find_map(|(id, node)| {
            let Some(kind) = self.state.catalog().get(&node.kind) else {
                return Some(Problem::at(
                    id,
                    format!("the kind `{}` is not known; choose another node", node.kind),
                ));
            };
            crate::panels::form::first_problem(kind, node).map(|text| Problem::at(id, text))
        })
    }

    /// Nodes that differ from what runs.
    pub(crate) fn changed_nodes(&self) -> BTreeSet<NodeId> {
        if !self.session.undeployed(self.state.revision()) {
            return BTreeSet::new();
        }
        self.state
            .document()
            .nodes
            .iter()
            .filter(|(id, node)| self.deployed_nodes.get(*id) != Some(*node))
            .map(|(id, _)| id.clone())
            .collect()
    }

    /// Where an event that the user writes would go.
    pub(crate) fn inject_target(&self) -> Option<Target> {
        match self.state.sole()? {
            Item::Node(id) => {
                let node = self.state.document().nodes.get(id)?;
                let kind = self.state.catalog().get(&node.kind)?;
                if kind.family == graph_model::catalog::Family::Source {
                    return Some(Target::Source(id.clone()));
                }
                let edge = self
                    .state
                    .document()
                    .edges
                    .iter()
                    .find(|(_, edge)| edge.to.node == *id)?;
                Some(Target::Edge(edge.0.clone()))
            }
            Item::Edge(id) => Some(Target::Edge(id.clone())),
            _ => None,
        }
    }

    pub(crate) fn open_inject(&mut self) {
        if let Some(target) = self.inject_target() {
            let data = self.sample_payload(&target);
            self.dialog = Some(Dialog::inject(target, &data, None));
        }
    }

    /// A payload to start from: the last event seen there, or what the node sends by itself.
    pub(super) fn sample_payload(&self, target: &Target) -> Value {
        let seen = match target {
            Target::Edge(edge) => self.session.last_event(&[edge]),
            Target::Source(node) => {
                let edges: Vec<_> = self
                    .state
                    .document()
                    .edges
                    .iter()
                    .filter(|(_, edge)| edge.from.node == *node)
                    .map(|(id, _)| id)
                    .collect();
                self.session.last_event(&edges)
            }
        };
        if let Some(seen) = seen {
            return seen.event.data.clone();
        }
        match target {
            Target::Source(node) => self
                .state
                .document()
                .nodes
                .get(node)
                .and_then(|node| node.config.get("data"))
                .cloned()
                .unwrap_or_else(|| graph_model::value!({})),
            Target::Edge(_) => graph_model::value!({}),
        }
    }
}
