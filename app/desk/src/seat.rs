//! The engine's end of a line to a designer elsewhere: one seat for each designer.
//!
//! A seat outlives its connection for a while, so that a designer comes back to its place. It holds a
//! few frames at most: while a designer is slow, news wait where they are thinned out and counted.

use std::collections::VecDeque;

use runtime_protocol::host::{Ask, Location, Sample, Told};
use runtime_protocol::wire::{
    self, AHEAD_MAX, BadFrame, Desktop, Down, Resume, SAID_MAX, Said, Up, Welcome,
};
use runtime_protocol::{Command, Notice, Problem, Request, Role, Transport};

use crate::files::Files;

/// What waits for a frame at most; then nothing more is taken from the designer.
const TOLD_MAX: usize = SAID_MAX;

/// What a seat answers to who sits down.
#[derive(Clone, Debug, Default)]
pub struct Hospitality {
    pub role: Role,
    pub folder: String,
    pub samples: Vec<Sample>,
    pub desktop: Option<Desktop>,
    pub open: Option<Location>,
}

/// A designer's place at an engine.
pub struct Seat {
    session: String,
    hospitality: Hospitality,
    line: Box<dyn Transport + Send>,
    files: Files,
    /// What the host must do for the designer.
    asked: Vec<Ask>,
    /// Said already: a designer is expected to come back.
    welcomed: bool,
    /// How much of what the designer said is taken.
    taken: u64,
    /// What of that it has been told.
    taken_told: u64,
    /// Frames that it has not drawn, oldest first, with their numbers.
    ahead: VecDeque<(u64, Vec<u8>)>,
    number: u64,
    notices: VecDeque<Notice>,
    told: VecDeque<Told>,
}

impl Seat {
    /// `session` names it to its designer alone.
    pub fn new(
        session: String,
        hospitality: Hospitality,
        line: Box<dyn Transport + Send>,
        files: Files,
    ) -> Seat {
        Seat {
            session,
            hospitality,
            line,
            files,
            asked: Vec::new(),
            welcomed: false,
            taken: 0,
            taken_told: 0,
            ahead: VecDeque::new(),
            number: 0,
            notices: VecDeque::new(),
            told: VecDeque::new(),
        }
    }

    /// The first frames for a designer that sits down, again or for the first time.
    pub fn welcome(&mut self, resume: Option<&Resume>) -> Vec<Vec<u8>> {
        let resumed = self.welcomed && resume.is_some_and(|resume| resume.session == self.session);
        self.welcomed = true;
        if let Some(resume) = resume.filter(|_| resumed) {
            self.drawn(resume.received);
        }
        self.taken_told = self.taken;
        let welcome = Down::Welcome(Box::new(Welcome {
            session: self.session.as_str().into(),
            resumed,
            taken: self.taken,
            role: self.hospitality.role,
            folder: self.hospitality.folder.clone(),
            samples: self.hospitality.samples.clone(),
            desktop: self.hospitality.desktop.clone(),
            open: self.hospitality.open.clone(),
        }));
        let again = self.ahead.iter().map(|(_, frame)| frame.clone());
        std::iter::once(wire::encode(&welcome))
            .chain(again)
            .collect()
    }

    /// Takes a frame of the designer after its `Hello`.
    pub fn take(&mut self, bytes: &[u8]) -> Result<(), BadFrame> {
        let (first, drawn, said) = match wire::decode(bytes)? {
            Up::Say { first, drawn, said } => (first, drawn, said),
            Up::Hello { .. } => return Err(BadFrame::OutOfTurn("a second hello")),
        };
        if drawn > self.number {
            return Err(BadFrame::OutOfTurn("it draws what was not sent"));
        }
        if first > self.taken + 1 {
            return Err(BadFrame::OutOfTurn("something was left out before it"));
        }
        self.drawn(drawn);
        // What came on the connection before is not done twice.
        let known = (self.taken + 1 - first) as usize;
        for said in said.into_iter().skip(known) {
            if self.told.len() + self.notices.len() >= TOLD_MAX {
                return Err(BadFrame::OutOfTurn("more than is answered at once"));
            }
            self.taken += 1;
            match said {
                Said::Command(request) => self.command(request),
                Said::Ask(ask) => self.asked.extend(self.files.ask(ask)),
            }
        }
        Ok(())
    }

    /// What the designer asked of the host, beyond files.
    pub fn asked(&mut self) -> Vec<Ask> {
        std::mem::take(&mut self.asked)
    }

    /// Something for the designer.
    pub fn tell(&mut self, told: Told) {
        if self.told.len() < TOLD_MAX {
            self.told.push_back(told);
        }
    }

    /// Looks whether somebody changed the file that is watched.
    pub fn look_at_files(&mut self) {
        self.files.look();
    }

    /// The next frame for the designer, if there is news and it has drawn enough of what came before.
    pub fn next_frame(&mut self) -> Option<Vec<u8>> {
        if self.ahead.len() >= AHEAD_MAX {
            return None;
        }
        for notice in self.line.poll() {
            // Of snapshots only the latest matters.
            if matches!(notice, Notice::Counters { .. }) {
                self.notices
                    .retain(|held| !matches!(held, Notice::Counters { .. }));
            }
            self.notices.push_back(notice);
        }
        self.told.extend(self.files.take());
        if self.notices.is_empty() && self.told.is_empty() && self.taken == self.taken_told {
            return None;
        }
        self.number += 1;
        let (mut notices, told) = self.share();
        let mut tell = Down::Tell {
            number: self.number,
            taken: self.taken,
            notices: Vec::new(),
            told,
        };
        let frame = loop {
            if let Down::Tell { notices: held, .. } = &mut tell {
                *held = notices;
            }
            let frame = wire::encode(&tell);
            if frame.len() <= wire::FRAME_MAX {
                break frame;
            }
            let Down::Tell { notices: held, .. } = &mut tell else {
                break frame;
            };
            notices = std::mem::take(held).into_iter().map(smaller).collect();
        };
        self.taken_told = self.taken;
        self.ahead.push_back((self.number, frame.clone()));
        Some(frame)
    }

    /// Everything that waits when it is small, and one thing at a time when it may be large.
    fn share(&mut self) -> (Vec<Notice>, Vec<Told>) {
        let large = |told: &Told| matches!(told, Told::Read { .. });
        if self.told.iter().any(large) {
            return (Vec::new(), self.told.pop_front().into_iter().collect());
        }
        let mut observed = 0;
        let count = self
            .notices
            .iter()
            .take_while(|notice| {
                observed += usize::from(matches!(
                    notice,
                    Notice::Observed { .. } | Notice::Reply { .. }
                ));
                observed <= 8
            })
            .count();
        (
            self.notices
                .drain(..count.max(1).min(self.notices.len()))
                .collect(),
            std::mem::take(&mut self.told).into(),
        )
    }

    fn drawn(&mut self, number: u64) {
        while self.ahead.front().is_some_and(|(held, _)| *held <= number) {
            self.ahead.pop_front();
        }
    }

    fn command(&mut self, request: Request) {
        let id = request.id;
        let sent = if self.hospitality.role == Role::Viewer && !request.command.only_looks() {
            Err(Problem::new(
                "you look on here; ask for the operator's link to change the run",
            ))
        } else {
            self.line.send(request)
        };
        if let Err(problem) = sent {
            self.notices.push_back(Notice::Reply {
                id,
                result: Err(problem),
            });
        }
    }
}

/// The same notice with less in it; what is left out of a sample is counted.
fn smaller(notice: Notice) -> Notice {
    match notice {
        Notice::Observed {
            batch,
            mut events,
            skipped,
        } => {
            let kept = events.len() / 2;
            let left_out = events.len() - kept;
            events.truncate(kept);
            Notice::Observed {
                batch,
                events,
                skipped: skipped + left_out as u64,
            }
        }
        Notice::Reply { id, result: Ok(_) } => Notice::Reply {
            id,
            result: Err(Problem::new(format!(
                "the answer is larger than the {} bytes that the line carries; ask for less",
                wire::FRAME_MAX
            ))),
        },
        other => other,
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        // Nobody looks any more; an engine that has ended does not mind.
        drop(self.line.send(Request {
            id: 0,
            command: Command::Untap,
        }));
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use graph_model::event::{Event, EventContext};
    use graph_model::value::Value;
    use runtime_protocol::remote::{Happened, Pipe, Remote};
    use runtime_protocol::{Answer, Observed};

    use super::*;
    use crate::engines::Shown;
    use crate::files::Reach;

    /// Answers every command, and has news of its own.
    #[derive(Clone, Default)]
    struct Engine(Arc<Mutex<EngineState>>);

    #[derive(Default)]
    struct EngineState {
        commands: Vec<u64>,
        notices: Vec<Notice>,
    }

    impl Transport for Engine {
        fn send(&mut self, request: Request) -> Result<(), Problem> {
            let mut state = self.0.lock().expect("held shortly");
            if request.command == Command::Untap {
                return Ok(());
            }
            state.commands.push(request.id);
            state.notices.push(Notice::Reply {
                id: request.id,
                result: Ok(Answer::Done),
            });
            Ok(())
        }

        fn poll(&mut self) -> Vec<Notice> {
            std::mem::take(&mut self.0.lock().expect("held shortly").notices)
        }
    }

    fn observed(batch: u64, count: usize, payload: &str) -> Notice {
        let one = Observed {
            seq: batch,
            edge: "e".into(),
            at_ms: 0,
            event: Event {
                context: Arc::new(EventContext {
                    id: "e-1".into(),
                    source: "/orders".into(),
                    ..EventContext::default()
                }),
                data: Value::from(payload),
            },
        };
        Notice::Observed {
            batch,
            events: vec![one; count],
            skipped: 0,
        }
    }

    fn seat(engine: &Engine, role: Role) -> Seat {
        let folder = std::env::temp_dir();
        let files = Files::new(Reach::Folder(folder), true, Shown::default());
        let hospitality = Hospitality {
            role,
            ..Hospitality::default()
        };
        Seat::new(
            "secret".into(),
            hospitality,
            Box::new(engine.clone()),
            files,
        )
    }

    /// A connection that breaks when it is told to.
    #[derive(Default)]
    struct Wire {
        up: VecDeque<Vec<u8>>,
        happened: VecDeque<Happened>,
        /// The opening was polled.
        polled: bool,
        greeted: bool,
    }

    #[derive(Clone, Default)]
    struct WirePipe(Arc<Mutex<Wire>>);

    impl Pipe for WirePipe {
        fn send(&mut self, frame: Vec<u8>) {
            let mut wire = self.0.lock().expect("held shortly");
            if wire.polled {
                wire.up.push_back(frame);
            }
        }

        fn poll(&mut self) -> Option<Happened> {
            let mut wire = self.0.lock().expect("held shortly");
            let happened = wire.happened.pop_front();
            wire.polled |= happened == Some(Happened::Opened);
            happened
        }
    }

    impl WirePipe {
        fn open(&self) {
            let mut wire = self.0.lock().expect("held shortly");
            wire.happened.push_back(Happened::Opened);
        }

        /// What was under way either way is gone.
        fn cut(&self) {
            let mut wire = self.0.lock().expect("held shortly");
            *wire = Wire::default();
            wire.happened.push_back(Happened::Broke("cut".to_owned()));
        }

        /// Lets the seat take what came, and send what it has.
        fn carry(&self, seat: &mut Seat) {
            let mut wire = self.0.lock().expect("held shortly");
            while let Some(frame) = wire.up.pop_front() {
                let down = match wire::decode(&frame).expect("a frame") {
                    Up::Hello { resume, .. } => {
                        wire.greeted = true;
                        seat.welcome(resume.as_ref())
                    }
                    Up::Say { .. } => {
                        seat.take(&frame).expect("in turn");
                        Vec::new()
                    }
                };
                wire.happened.extend(down.into_iter().map(Happened::Frame));
            }
            if wire.greeted {
                while let Some(frame) = seat.next_frame() {
                    wire.happened.push_back(Happened::Frame(frame));
                }
            }
        }
    }

    /// A small generator of chance, so that a failure names its seed.
    struct Chance(u64);

    impl Chance {
        fn one_in(&mut self, count: u64) -> bool {
            self.0 = self
                .0
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            (self.0 >> 33).is_multiple_of(count)
        }
    }

    #[test]
    fn whatever_breaks_nothing_is_lost_and_nothing_comes_twice() {
        for seed in 0..200 {
            let mut chance = Chance(seed);
            let engine = Engine::default();
            let mut seat = seat(&engine, Role::Operator);
            let pipe = WirePipe::default();
            let mut remote = Remote::new(Box::new(pipe.clone()));
            let (mut sent, mut batches) = (0, 0);
            let mut seen = Vec::new();
            pipe.open();
            for turn in 0..400 {
                let calm = turn > 380; // at last everything arrives
                if !calm && chance.one_in(3) {
                    sent += 1;
                    let command = Command::Start;
                    remote.send(Request { id: sent, command }).expect("room");
                }
                if !calm && chance.one_in(4) {
                    batches += 1;
                    let notice = observed(batches, 1, "x");
                    engine.0.lock().expect("held shortly").notices.push(notice);
                }
                if !calm && chance.one_in(9) {
                    pipe.cut();
                    if chance.one_in(2) {
                        seen.extend(remote.poll());
                    }
                    pipe.open();
                }
                if calm || chance.one_in(2) {
                    pipe.carry(&mut seat);
                }
                if calm || chance.one_in(2) {
                    seen.extend(remote.poll());
                }
            }
            assert_eq!(
                engine.0.lock().expect("held shortly").commands,
                (1..=sent).collect::<Vec<_>>(),
                "seed {seed}: each command is done once, in order"
            );
            let replies: Vec<u64> = seen
                .iter()
                .filter_map(|notice| match notice {
                    Notice::Reply { id, result: Ok(_) } => Some(*id),
                    _ => None,
                })
                .collect();
            assert_eq!(replies, (1..=sent).collect::<Vec<_>>(), "seed {seed}");
            let news: Vec<u64> = seen
                .iter()
                .filter_map(|notice| match notice {
                    Notice::Observed { batch, .. } => Some(*batch),
                    _ => None,
                })
                .collect();
            assert_eq!(news, (1..=batches).collect::<Vec<_>>(), "seed {seed}");
        }
    }

    #[test]
    fn a_slow_designer_is_sent_two_frames_and_then_the_latest_counters() {
        let engine = Engine::default();
        let mut seat = seat(&engine, Role::Operator);
        seat.welcome(None);
        let counters = |at_ms| Notice::Counters {
            counters: runtime_protocol::Counters {
                at_ms,
                ..Default::default()
            },
        };
        let mut frames = 0;
        for at_ms in 1..=1000 {
            engine
                .0
                .lock()
                .expect("held shortly")
                .notices
                .push(counters(at_ms));
            frames += usize::from(seat.next_frame().is_some());
        }
        assert_eq!(frames, AHEAD_MAX);
        let drawn = wire::encode(&Up::Say {
            first: 1,
            drawn: 2,
            said: Vec::new(),
        });
        seat.take(&drawn).expect("in turn");
        let frame = seat.next_frame().expect("it goes on");
        let Down::Tell { notices, .. } = wire::decode(&frame).expect("a frame") else {
            panic!("news");
        };
        assert_eq!(notices, [counters(1000)]);
    }

    #[test]
    fn what_is_too_large_is_left_out_and_counted() {
        let engine = Engine::default();
        let mut seat = seat(&engine, Role::Operator);
        let large = "x".repeat(1 << 20);
        engine
            .0
            .lock()
            .expect("held shortly")
            .notices
            .push(observed(1, 100, &large));
        let frame = seat.next_frame().expect("a frame");
        assert!(frame.len() <= wire::FRAME_MAX);
        let Down::Tell { notices, .. } = wire::decode(&frame).expect("a frame") else {
            panic!("news");
        };
        match &notices[..] {
            [
                Notice::Observed {
                    events, skipped, ..
                },
            ] => {
                assert!(!events.is_empty());
                assert_eq!(events.len() as u64 + skipped, 100);
            }
            other => panic!("{} notices", other.len()),
        }
    }

    #[test]
    fn viewers_change_nothing() {
        let engine = Engine::default();
        let mut seat = seat(&engine, Role::Viewer);
        let commands = [
            Command::Deploy {
                flow: String::new(),
            },
            Command::Start,
            Command::Stop,
            Command::ReadCounters,
        ];
        let said = commands.into_iter().zip(1..);
        let frame = wire::encode(&Up::Say {
            first: 1,
            drawn: 0,
            said: said
                .map(|(command, id)| Said::Command(Request { id, command }))
                .collect(),
        });
        seat.take(&frame).expect("in turn");
        assert_eq!(engine.0.lock().expect("held shortly").commands, [4]);
        let frame = seat.next_frame().expect("a frame");
        let Down::Tell { notices, .. } = wire::decode(&frame).expect("a frame") else {
            panic!("news");
        };
        let refused = notices
            .iter()
            .filter(|notice| matches!(notice, Notice::Reply { result: Err(_), .. }));
        assert_eq!(refused.count(), 3);
    }

    #[test]
    fn frames_out_of_turn_are_refused() {
        let engine = Engine::default();
        for (first, drawn) in [(2, 0), (1, 1), (u64::MAX, 0), (1, u64::MAX)] {
            let frame = wire::encode(&Up::Say {
                first,
                drawn,
                said: Vec::new(),
            });
            let refused = seat(&engine, Role::Operator).take(&frame);
            assert!(
                matches!(refused, Err(BadFrame::OutOfTurn(_))),
                "{first} {drawn}"
            );
        }
        let hello = wire::encode(&Up::Hello {
            version: 1,
            resume: None,
        });
        assert!(seat(&engine, Role::Operator).take(&hello).is_err());
        // Numbers below what is taken were said on a connection before.
        let again = wire::encode(&Up::Say {
            first: 0,
            drawn: 0,
            said: Vec::new(),
        });
        seat(&engine, Role::Operator).take(&again).expect("known");
    }
}
