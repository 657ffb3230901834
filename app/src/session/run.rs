//! What a person asks of a run: start, pause, stop, send something in, look at rows.

use graph_model::id::NodeId;
use graph_model::value::Value;
use runtime_protocol::{Command, RunState, Target};
use smol_str::SmolStr;

use super::{Pending, Session};

/// Rows that are asked of a view, and dead letters that are asked for.
const ROWS_MAX: u32 = 200;
/// Seconds without a change of the document after which it is deployed.
const DEPLOY_PAUSE: f64 = 0.15;

impl Session {
    /// Whether the engine runs another state of the document than this one.
    pub(crate) fn undeployed(&self, revision: u64) -> bool {
        self.active() && self.deployed != Some(revision)
    }

    /// Makes the flow run: deploys it, and starts it when it stands still.
    pub(crate) fn run(&mut self, flow: String, revision: u64) {
        // Another flow may still be finishing: its engine is not the one of this flow.
        let then_start = matches!(self.state, RunState::Stopped | RunState::Draining);
        if then_start {
            self.forget_run();
        }
        self.changed_at = None;
        self.send(
            Command::Deploy { flow },
            Pending::Deploy {
                revision,
                then_start,
            },
        );
    }

    pub(crate) fn pause(&mut self) {
        self.send(Command::Pause, Pending::Quiet);
    }

    pub(crate) fn resume(&mut self) {
        self.send(Command::Resume, Pending::Quiet);
    }

    /// Lets one event be handled: by the node, or by whichever is next.
    pub(crate) fn step(&mut self, node: Option<NodeId>) {
        self.send(Command::Step { node }, Pending::Quiet);
    }

    pub(crate) fn stop(&mut self) {
        self.changed_at = None;
        self.send(Command::Stop, Pending::Quiet);
    }

    /// Ends the run before the window closes.
    pub(crate) fn stop_if_active(&mut self) {
        if self.active() {
            self.stop();
        }
    }

    pub(crate) fn inject(&mut self, target: Target, data: Value, ty: Option<SmolStr>) {
        self.send(
            Command::Inject {
                target,
                data,
                ty,
                id: None,
            },
            Pending::Inject,
        );
    }

    pub(crate) fn read_view(&mut self, node: &NodeId) {
        let pending = Pending::View(node.clone());
        if !self.pending.values().any(|other| *other == pending) {
            self.send(
                Command::ReadView {
                    node: node.clone(),
                    limit: ROWS_MAX,
                },
                pending,
            );
        }
    }

    pub(crate) fn read_dead_letters(&mut self) {
        if !self
            .pending
            .values()
            .any(|other| *other == Pending::DeadLetters)
        {
            self.send(
                Command::ReadDeadLetters { limit: ROWS_MAX },
                Pending::DeadLetters,
            );
        }
    }

    /// The document became another; when a flow runs it is deployed after a short rest.
    pub(crate) fn document_changed(&mut self, now: f64) {
        if self.active() {
            self.changed_at = Some(now);
        }
    }

    /// Seconds until the changed document is due to be deployed.
    pub(crate) fn deploy_due_in(&self, now: f64) -> Option<f64> {
        let changed_at = self.changed_at?;
        self.active()
            .then(|| (changed_at + DEPLOY_PAUSE - now).max(0.0))
    }

    /// Waits with deploying until the next change: this state of the document cannot run.
    pub(crate) fn hold_deploy(&mut self) {
        self.changed_at = None;
    }
}
