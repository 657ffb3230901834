//! A recorded run in place of an engine.

use runtime_protocol::RunState;

use super::Session;
use crate::playback::Playback;

impl Session {
    /// Whether a recorded run is shown in place of an engine.
    pub(crate) fn plays(&self) -> bool {
        self.playback.is_some()
    }

    pub(crate) fn playback(&self) -> Option<&Playback> {
        self.playback.as_ref()
    }

    /// Shows a recorded run, whose flow is this revision of the document, in place of the engine.
    pub(crate) fn show_recorded(&mut self, playback: Playback, revision: u64) {
        self.engine_state = self.state;
        self.state = RunState::Stopped;
        self.playback = Some(playback);
        self.recorded = revision;
        self.addresses.clear();
        self.changed_at = None;
        self.forget_run();
    }

    /// Gives the engine its place back; answers whether a recorded run was shown.
    pub(crate) fn close_recorded(&mut self) -> bool {
        if self.playback.take().is_none() {
            return false;
        }
        self.state = self.engine_state;
        self.changed_at = None;
        self.credit_due = None;
        self.forget_run();
        true
    }

    /// The time of this frame, for what plays by it.
    pub(crate) fn tick(&mut self, now: f64) {
        if let Some(playback) = &mut self.playback {
            playback.tick(now);
        }
    }

    /// Goes to a moment of the recorded run.
    pub(crate) fn seek(&mut self, to_ms: f64) {
        self.jump(|playback| playback.seek(to_ms));
    }

    /// Goes back to before the last event of the recorded run.
    pub(crate) fn step_back(&mut self) {
        self.jump(Playback::step_back);
    }

    pub(crate) fn set_speed(&mut self, speed: f64) {
        if let Some(playback) = &mut self.playback {
            playback.set_speed(speed);
        }
    }

    fn jump(&mut self, jump: impl FnOnce(&mut Playback)) {
        let Some(playback) = &mut self.playback else {
            return;
        };
        jump(playback);
        let rows = std::mem::take(&mut self.views);
        self.forget_run();
        // Rows that are shown stay until they were read again.
        self.views = rows;
        if self.state == RunState::Stopped {
            self.deployed = Some(self.recorded);
        }
        self.poll();
    }
}
