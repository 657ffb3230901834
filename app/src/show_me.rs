//! Lets somebody watch a hazard happen: asks the engine for a run that has it, and plays it. Asks it for
//! what becomes of tests, too.

use egui::Context;
use graph_model::format;

use crate::designer::Designer;
use crate::showing::{Showing, Watch};
use crate::view::BottomTab;

impl Designer {
    /// Looks for a run in which a finding is seen happening.
    pub(crate) fn show_me(&mut self, finding: usize) {
        let Some(finding) = self.state.findings().get(finding) else {
            return;
        };
        let hazard = finding.hazard();
        let flow = format::write(self.state.document());
        self.session.look_for(flow, hazard);
    }

    /// Plays the tests that the flow keeps.
    pub(crate) fn run_tests(&mut self) {
        self.view.show_bottom(BottomTab::Tests);
        let flow = format::write(self.state.document());
        self.session.test(flow, self.state.revision());
    }

    /// Takes up a run that was found, and plays on.
    pub(crate) fn follow_showing(&mut self, ctx: &Context) {
        if let Some((play, hazard)) = self.session.take_play() {
            let revision = self.state.revision();
            self.showing = Some(Showing::new(play, hazard, revision, self.now));
            self.view.show_bottom(BottomTab::Witness);
        }
        let showing = self.showing.as_mut();
        if let Some(wait) = showing.and_then(|showing| showing.tick(self.now)) {
            ctx.request_repaint_after_secs(wait as f32);
        }
    }

    /// Does what somebody who watches wants.
    pub(crate) fn watch(&mut self, watch: Watch) {
        let Some(showing) = &mut self.showing else {
            return;
        };
        match watch {
            Watch::Play => showing.go_on(self.now),
            Watch::Pause => showing.pause(),
            Watch::To(seen) => {
                showing.pause();
                showing.go(seen);
            }
            Watch::Forth => showing.step(1),
            Watch::Back => showing.step(-1),
            Watch::Speed(speed) => showing.set_speed(speed),
            Watch::Side(side) => showing.watch(side),
            Watch::Check => {
                let witness = showing.play().file.clone();
                let hazard = showing.hazard().clone();
                let flow = format::write(self.state.document());
                self.session.check_fix(flow, witness, hazard);
            }
            Watch::Close => {
                self.showing = None;
                self.session.forget_sought();
                self.view.show_bottom(BottomTab::Hazards);
            }
        }
    }
}
