//! A hazard that is shown happening: the run that has it, or the one that it should have been, step by
//! step.

use std::collections::BTreeSet;

use graph_model::document::Document;
use runtime_protocol::Counters;
use runtime_protocol::witness::{Play, PlayStep, PlayWhat};
use smol_str::SmolStr;

use crate::canvas::intent::Item;

/// How fast it can be played.
pub(crate) const SPEEDS: [f64; 4] = [0.5, 1.0, 2.0, 4.0];

/// Seconds that a step stays before the next one.
const STEP_SECONDS: f64 = 0.8;
/// The same of steps in which nothing moves.
const QUIET_SECONDS: f64 = 0.2;

/// A hazard by which it is asked for again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Hazard {
    pub code: SmolStr,
    /// The node, wire or event type that it is about.
    pub at: Option<SmolStr>,
}

/// Which of the two runs is watched.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Side {
    /// The one with the hazard.
    #[default]
    Happens,
    /// The same facts with nothing going wrong.
    Should,
}

/// A wish of whoever watches.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Watch {
    Play,
    Pause,
    /// So many steps are seen.
    To(usize),
    Forth,
    Back,
    Speed(f64),
    Side(Side),
    /// Play the same facts and faults on the flow as it is now.
    Check,
    Close,
}

pub(crate) struct Showing {
    play: Play,
    hazard: Hazard,
    /// The revision of the document that has the hazard.
    revision: u64,
    side: Side,
    /// Steps that are seen.
    seen: usize,
    speed: f64,
    /// Time of the next step while it plays, in seconds.
    next_at: Option<f64>,
    counters: Counters,
}

impl Showing {
    /// It begins to play at this time.
    pub(crate) fn new(play: Play, hazard: Hazard, revision: u64, now: f64) -> Showing {
        let mut showing = Showing {
            play,
            hazard,
            revision,
            side: Side::default(),
            seen: 0,
            speed: 1.0,
            next_at: Some(now + STEP_SECONDS),
            counters: Counters::default(),
        };
        showing.go(0);
        showing
    }

    pub(crate) fn play(&self) -> &Play {
        &self.play
    }

    pub(crate) fn hazard(&self) -> &Hazard {
        &self.hazard
    }

    pub(crate) fn revision(&self) -> u64 {
        self.revision
    }

    pub(crate) fn side(&self) -> Side {
        self.side
    }

    pub(crate) fn speed(&self) -> f64 {
        self.speed
    }

    pub(crate) fn plays(&self) -> bool {
        self.next_at.is_some()
    }

    /// Steps of the run that is watched.
    pub(crate) fn steps(&self) -> &[PlayStep] {
        match self.side {
            Side::Happens => &self.play.run,
            Side::Should => &self.play.reference,
        }
    }

    /// How many of them are seen.
    pub(crate) fn seen(&self) -> usize {
        self.seen
    }

    /// Whether this step of the run that is watched decides.
    pub(crate) fn decides(&self, step: usize) -> bool {
        self.side == Side::Happens && self.play.deciding == Some(step)
    }

    /// What has passed on wires up to the last step that is seen.
    pub(crate) fn counters(&self) -> &Counters {
        &self.counters
    }

    /// Where the last step that is seen takes place.
    pub(crate) fn items(&self) -> BTreeSet<Item> {
        let last = self.seen.checked_sub(1).map(|last| &self.steps()[last]);
        let edges = last.iter().flat_map(|step| &step.edges).cloned();
        let edges: Vec<Item> = edges.map(Item::Edge).collect();
        let node = last.map(|step| Item::Node(step.node.clone()));
        node.into_iter().chain(edges).collect()
    }

    /// The time of this frame; answers when to look again, while it plays.
    pub(crate) fn tick(&mut self, now: f64) -> Option<f64> {
        let next_at = self.next_at?;
        if now >= next_at {
            self.go(self.seen + 1);
            let quiet = self
                .seen
                .checked_sub(1)
                .is_some_and(|last| is_quiet(self.steps()[last].what));
            let pause = if quiet { QUIET_SECONDS } else { STEP_SECONDS };
            let ends = self.seen == self.steps().len();
            self.next_at = (!ends).then_some(now + pause / self.speed);
        }
        self.next_at.map(|next_at| (next_at - now).max(0.0))
    }

    /// Plays on, from the start when it is at its end.
    pub(crate) fn go_on(&mut self, now: f64) {
        if self.seen == self.steps().len() {
            self.go(0);
        }
        self.next_at = Some(now + STEP_SECONDS / self.speed);
    }

    pub(crate) fn pause(&mut self) {
        self.next_at = None;
    }

    /// So many steps are seen.
    pub(crate) fn go(&mut self, seen: usize) {
        self.seen = seen.min(self.steps().len());
        let mut counters = Counters {
            // Whatever is shown next is another moment.
            at_ms: self.counters.at_ms + 1,
            ..Counters::default()
        };
        for step in &self.steps()[..self.seen] {
            for edge in &step.edges {
                counters.edges.entry(edge.clone()).or_default().passed += 1;
            }
        }
        self.counters = counters;
    }

    /// Goes so many steps forth or back, and waits there.
    pub(crate) fn step(&mut self, by: isize) {
        self.pause();
        self.go(self.seen.saturating_add_signed(by));
    }

    pub(crate) fn set_speed(&mut self, speed: f64) {
        self.speed = speed.clamp(SPEEDS[0], SPEEDS[SPEEDS.len() - 1]);
    }

    /// Watches the other run, up to the same time.
    pub(crate) fn watch(&mut self, side: Side) {
        if self.side == side {
            return;
        }
        let last = self
            .seen
            .checked_sub(1)
            .map(|last| self.steps()[last].at_us);
        self.side = side;
        let until = last.map_or(0, |last| {
            self.steps().partition_point(|step| step.at_us <= last)
        });
        self.go(until);
    }
}

/// Whether nothing can be seen moving in such a step.
fn is_quiet(what: PlayWhat) -> bool {
    matches!(what, PlayWhat::Acked | PlayWhat::Handled)
}

/// A step in words.
pub(crate) fn words(document: &Document, step: &PlayStep) -> String {
    let node = document.node_title(&step.node);
    let event = match step.event.as_str() {
        "" => "an event",
        event => event,
    };
    let port = step.port.as_deref().unwrap_or("out");
    match step.what {
        PlayWhat::Arrived => format!("{event} comes in at {node}"),
        PlayWhat::Handled => format!("{node} takes {event}"),
        PlayWhat::Emitted => format!("{node} sends {event} by {port}"),
        PlayWhat::Delivered => format!("{node} hands {event} out"),
        PlayWhat::Acked => format!("{node} hears that {event} is done"),
        PlayWhat::Nacked => format!("{node} hears that {event} failed"),
        PlayWhat::Written => format!("{event} is written at {node}"),
        PlayWhat::GivenUp => format!("{node} gives {event} up"),
        PlayWhat::Dropped => format!("{event} is dropped, as there is no room behind {node}"),
        PlayWhat::Fault => {
            let fault = step.fault.as_deref().unwrap_or("fault");
            format!("{fault}: {event} at {node}")
        }
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use graph_model::value;

    use super::*;

    fn step(what: PlayWhat, node: &str, edges: &[&str]) -> PlayStep {
        PlayStep {
            at_us: 0,
            what,
            node: node.into(),
            port: None,
            edges: edges.iter().map(|edge| (*edge).into()).collect(),
            event: "o-1".into(),
            fact: Some(0),
            data: Some(value!({"order": 1})),
            fault: None,
        }
    }

    /// An event that a queue hands to a charge twice.
    pub(crate) fn twice() -> Play {
        let at = |at_us, step: PlayStep| PlayStep { at_us, ..step };
        let once = |at_us| {
            vec![
                at(
                    at_us,
                    step(PlayWhat::Delivered, "lane", &["lane_out_to_charge"]),
                ),
                at(at_us, step(PlayWhat::Written, "charge", &[])),
            ]
        };
        let start = vec![
            step(PlayWhat::Arrived, "in", &[]),
            step(PlayWhat::Emitted, "in", &["in_out_to_lane"]),
        ];
        let reference = [start.clone(), once(1_000)].concat();
        let fault = PlayStep {
            fault: Some("duplicate".into()),
            ..at(1_000, step(PlayWhat::Fault, "charge", &[]))
        };
        let run = [start, vec![fault], once(1_000), once(5_000)].concat();
        Play {
            code: "DELIV-001".into(),
            oracle: "X1".into(),
            watches: "effects that happen twice".to_owned(),
            explanation: vec![
                "One order comes in.".to_owned(),
                "The queue delivers it twice.".to_owned(),
                "The card is charged twice.".to_owned(),
            ],
            faults: "1 duplicate".to_owned(),
            run,
            reference,
            left_out: 0,
            deciding: Some(6),
            at: "charge".into(),
            nodes: vec!["charge".into()],
            observed: value!([{"order": 1}, {"order": 1}]),
            expected: value!([{"order": 1}]),
            file: "{}\n".to_owned(),
        }
    }

    fn showing() -> Showing {
        let hazard = Hazard {
            code: "DELIV-001".into(),
            at: Some("charge".into()),
        };
        Showing::new(twice(), hazard, 0, 0.0)
    }

    #[test]
    fn it_plays_to_its_end_and_from_the_start_again() {
        let mut showing = showing();
        let mut now = 0.0;
        while let Some(wait) = showing.tick(now) {
            now += wait + 0.001;
            assert!(now < 60.0, "it ends");
        }
        assert_eq!(showing.seen(), 7);
        let passed = |showing: &Showing| {
            showing
                .counters()
                .edges
                .get("lane_out_to_charge")
                .map(|edge| edge.passed)
        };
        assert_eq!(passed(&showing), Some(2));
        assert!(showing.decides(6));
        showing.go_on(now);
        assert_eq!((showing.seen(), passed(&showing)), (0, None));
    }

    #[test]
    fn one_goes_back_and_forth_and_to_the_other_run() {
        let mut showing = showing();
        showing.step(3);
        showing.step(-1);
        assert!(!showing.plays());
        assert_eq!(showing.seen(), 2);
        let items = [Item::Edge("in_out_to_lane".into()), Item::Node("in".into())];
        assert_eq!(showing.items(), items.into());
        let before = showing.counters().at_ms;
        showing.watch(Side::Should);
        assert_eq!((showing.steps().len(), showing.seen()), (4, 2));
        assert!(showing.counters().at_ms > before, "it is another moment");
        showing.step(-9);
        assert_eq!((showing.seen(), showing.items()), (0, BTreeSet::new()));
    }
}
