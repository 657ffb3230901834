//! Questions that an engine works on beside a run: tests, trials and witnesses, each with its answer.

use runtime_protocol::flow_test::TestTold;
use runtime_protocol::function::Tried;
use runtime_protocol::witness::{Play, Sighting};
use runtime_protocol::{Command, Problem};

use super::trial::{Question, Trial};
use super::{Pending, Session};
use crate::showing::Hazard;

/// Tests that are played, or were.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Tested {
    /// The revision of the document that keeps them.
    pub revision: u64,
    pub answer: Option<Result<Vec<TestTold>, String>>,
}

/// A run that is looked for because a hazard is seen in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Sought {
    pub hazard: Hazard,
    /// It was seen before: does it still happen?
    pub checks: bool,
    /// What came of it, in words.
    pub answer: Option<Result<String, String>>,
}

impl Sought {
    /// Whether nothing has come of it yet.
    pub(crate) fn is_open(&self) -> bool {
        self.answer.is_none()
    }
}

impl Session {
    /// Plays the tests of the flow, which is this revision of the document.
    pub(crate) fn test(&mut self, flow: String, revision: u64) {
        let sent = self.send(Command::Test { flow }, Pending::Tests);
        self.tested = Some(Tested {
            revision,
            answer: (!sent).then(not_asked),
        });
    }

    /// The tests that were played last, and what came of them.
    pub(crate) fn tested(&self) -> Option<&Tested> {
        self.tested.as_ref()
    }

    pub(super) fn tests_told(&mut self, answer: Result<Vec<TestTold>, String>) {
        if let Some(tested) = &mut self.tested {
            tested.answer = Some(answer);
        }
    }

    pub(crate) fn forget_tested(&mut self) {
        self.tested = None;
    }

    /// Asks what a function does with an event.
    pub(crate) fn try_out(&mut self, question: Question) {
        let sent = self.send(question.command(), Pending::Trial);
        let mut trial = Trial::new(question, self.trial.take());
        trial.answer = (!sent).then(not_asked);
        self.trial = Some(trial);
    }

    /// What was tried last.
    pub(crate) fn trial(&self) -> Option<&Trial> {
        self.trial.as_ref()
    }

    pub(super) fn tried(&mut self, answer: Result<Tried, String>) {
        if let Some(trial) = &mut self.trial {
            trial.answer = Some(answer);
        }
    }

    /// Looks for a run of the flow in which a hazard is seen happening.
    pub(crate) fn look_for(&mut self, flow: String, hazard: Hazard) {
        let command = Command::Witness {
            flow,
            code: hazard.code.clone(),
            node: hazard.at.clone(),
        };
        self.look(command, hazard, false);
    }

    /// Plays what showed a hazard on another state of the flow.
    pub(crate) fn check_fix(&mut self, flow: String, witness: String, hazard: Hazard) {
        self.look(Command::CheckFix { flow, witness }, hazard, true);
    }

    fn look(&mut self, command: Command, hazard: Hazard, checks: bool) {
        let sent = self.send(command, Pending::Witness);
        self.sought = Some(Sought {
            hazard,
            checks,
            answer: (!sent).then(not_asked),
        });
    }

    /// The run that was looked for last, and what came of it.
    pub(crate) fn sought(&self) -> Option<&Sought> {
        self.sought.as_ref()
    }

    pub(crate) fn forget_sought(&mut self) {
        self.sought = None;
    }

    /// A run that shows a hazard, and which; answered once.
    pub(crate) fn take_play(&mut self) -> Option<(Play, Hazard)> {
        let hazard = self.sought.as_ref()?.hazard.clone();
        Some((self.play.take()?, hazard))
    }

    pub(super) fn found(&mut self, result: Result<Sighting, Problem>) {
        let Some(sought) = &mut self.sought else {
            return;
        };
        let runs = |count: u32| match count {
            1 => "one run".to_owned(),
            count => format!("{count} runs"),
        };
        sought.answer = Some(match result {
            Ok(Sighting::Seen { play }) => {
                self.play = Some(*play);
                Ok(if sought.checks {
                    "It still happens.".to_owned()
                } else {
                    "seen happening".to_owned()
                })
            }
            Ok(Sighting::NotSeen { tried }) if sought.checks => {
                Ok(format!("Not seen any more in {}.", runs(tried)))
            }
            Ok(Sighting::NotSeen { tried }) => Ok(format!("not seen in {}", runs(tried))),
            Ok(Sighting::Assumed { why }) => Ok(format!("no run can show it: {why}")),
            Err(problem) => Err(problem.message),
        });
    }
}

fn not_asked<T>() -> Result<T, String> {
    Err("the engine could not be asked; the log says why".to_owned())
}
