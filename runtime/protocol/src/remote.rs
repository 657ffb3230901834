//! The designer's end of a line to an engine elsewhere, whatever carries its frames.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::rc::Rc;

use crate::host::{Ask, Location, Told};
use crate::wire::{self, AHEAD_MAX, Down, Resume, SAID_MAX, Said, Up, Welcome};
use crate::{Line, Notice, Problem, Request, Role, Transport};

/// Carries frames, and connects again by itself when the connection breaks.
pub trait Pipe {
    /// Sends a frame on the connection whose opening was polled last; when that has ended, the frame
    /// goes nowhere.
    fn send(&mut self, frame: Vec<u8>);
    /// The next thing that happened.
    fn poll(&mut self) -> Option<Happened>;
}

/// What happens to a pipe.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Happened {
    /// There is a connection, a new one.
    Opened,
    Frame(Vec<u8>),
    /// The connection broke; the pipe tries to connect again.
    Broke(String),
    /// The other end does not want this client: what, and what next.
    Refused(String),
}

/// The line, shared by the designer's session and its host.
#[derive(Clone)]
pub struct Remote(Rc<RefCell<End>>);

/// What somebody waits for.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Waiting {
    Reply(u64),
    Read(Location),
    Written(Location),
    Picked,
}

/// This end of the line.
struct End {
    pipe: Box<dyn Pipe>,
    line: Line,
    /// The connection that is open has been welcomed.
    welcomed: bool,
    welcome: Option<Welcome>,
    /// Nobody has looked at the welcome yet.
    fresh: bool,
    /// Number of the last frame that came in.
    received: u64,
    /// Number of the last frame that was drawn, and the last one of which the other end knows.
    drawn: u64,
    drawn_told: u64,
    /// What was said and is not known to be taken, numbered from `first` on.
    said: VecDeque<Said>,
    first: u64,
    /// How much of it was sent on this connection.
    sent: usize,
    /// What was said and has no answer yet.
    waiting: Vec<Waiting>,
    notices: Vec<Notice>,
    told: Vec<Told>,
}

impl Remote {
    pub fn new(pipe: Box<dyn Pipe>) -> Remote {
        Remote(Rc::new(RefCell::new(End {
            pipe,
            line: Line::Down {
                why: "connecting".to_owned(),
            },
            welcomed: false,
            welcome: None,
            fresh: false,
            received: 0,
            drawn: 0,
            drawn_told: 0,
            said: VecDeque::new(),
            first: 1,
            sent: 0,
            waiting: Vec::new(),
            notices: Vec::new(),
            told: Vec::new(),
        })))
    }

    /// Says something to the machine at the other end.
    pub fn ask(&self, ask: Ask) -> Result<(), Problem> {
        self.0.borrow_mut().say(Said::Ask(ask))
    }

    /// What the machine at the other end has to say; it comes in with the engine's notices.
    pub fn told(&self) -> Vec<Told> {
        std::mem::take(&mut self.0.borrow_mut().told)
    }

    /// The other end, once it has said who it is.
    pub fn welcome(&self) -> Option<Welcome> {
        self.0.borrow().welcome.clone()
    }

    /// The other end, the first time that it is asked after a session began.
    pub fn fresh_welcome(&self) -> Option<Welcome> {
        let mut end = self.0.borrow_mut();
        if std::mem::take(&mut end.fresh) {
            end.welcome.clone()
        } else {
            None
        }
    }
}

impl Transport for Remote {
    fn send(&mut self, request: Request) -> Result<(), Problem> {
        self.0.borrow_mut().say(Said::Command(request))
    }

    fn poll(&mut self) -> Vec<Notice> {
        let mut end = self.0.borrow_mut();
        // The designer draws between two looks: what came before this one has been drawn.
        end.drawn = end.received;
        end.turn();
        std::mem::take(&mut end.notices)
    }

    fn line(&self) -> Line {
        self.0.borrow().line.clone()
    }

    fn role(&self) -> Role {
        let end = self.0.borrow();
        end.welcome
            .as_ref()
            .map_or(Role::Viewer, |welcome| welcome.role)
    }
}

impl End {
    fn say(&mut self, said: Said) -> Result<(), Problem> {
        if let Line::Ended { why } = &self.line {
            return Err(Problem::new(why.clone()));
        }
        if self.said.len() >= SAID_MAX {
            return Err(Problem::new(
                "the line to the engine is down and too much waits for it; try again when it is up",
            ));
        }
        self.waiting.extend(match &said {
            Said::Command(request) => Some(Waiting::Reply(request.id)),
            Said::Ask(Ask::Read(location)) => Some(Waiting::Read(location.clone())),
            Said::Ask(Ask::Write { location, .. }) => Some(Waiting::Written(location.clone())),
            Said::Ask(Ask::PickOpen | Ask::PickSave { .. }) => Some(Waiting::Picked),
            Said::Ask(_) => None,
        });
        self.said.push_back(said);
        self.flush();
        Ok(())
    }

    fn answered(&mut self, answered: &Waiting) {
        if let Some(at) = self.waiting.iter().position(|waiting| waiting == answered) {
            self.waiting.remove(at);
        }
    }

    /// Takes in what came, and sends what waits.
    fn turn(&mut self) {
        while let Some(happened) = self.pipe.poll() {
            match happened {
                Happened::Opened => self.opened(),
                Happened::Frame(bytes) => {
                    let taken = wire::decode(&bytes).and_then(|frame| self.take(frame));
                    if let Err(error) = taken {
                        self.line = Line::Ended {
                            why: format!("{error}; load the designer again"),
                        };
                    }
                }
                Happened::Broke(why) => {
                    self.welcomed = false;
                    self.line = Line::Down { why };
                }
                Happened::Refused(why) => {
                    self.welcomed = false;
                    self.line = Line::Ended { why };
                }
            }
            // A frame that comes early is drawn before the next one is taken.
            if self.received.saturating_sub(self.drawn) >= AHEAD_MAX as u64 {
                break;
            }
        }
        self.flush();
    }

    fn opened(&mut self) {
        self.welcomed = false;
        let resume = self.welcome.as_ref().map(|welcome| Resume {
            session: welcome.session.clone(),
            received: self.received,
        });
        self.pipe.send(wire::encode(&Up::Hello {
            version: wire::VERSION,
            resume,
        }));
    }

    fn take(&mut self, frame: Down) -> Result<(), wire::BadFrame> {
        match frame {
            Down::Welcome(welcome) => {
                self.welcomed = true;
                self.line = Line::Up;
                self.sent = 0;
                if welcome.resumed {
                    self.taken(welcome.taken);
                } else {
                    self.began_anew();
                    self.fresh = true;
                }
                self.welcome = Some(*welcome);
            }
            Down::Tell {
                number,
                taken,
                notices,
                told,
            } => {
                if !self.welcomed {
                    return Err(wire::BadFrame::OutOfTurn("news before the welcome"));
                }
                if number <= self.received {
                    return Ok(()); // it came on the connection before
                }
                if number != self.received + 1 {
                    return Err(wire::BadFrame::OutOfTurn("one is missing before it"));
                }
                self.received = number;
                self.taken(taken);
                for notice in &notices {
                    if let Notice::Reply { id, .. } = notice {
                        self.answered(&Waiting::Reply(*id));
                    }
                }
                for told in &told {
                    match told {
                        Told::Read { location, .. } => {
                            self.answered(&Waiting::Read(location.clone()));
                        }
                        Told::Written { location, .. } => {
                            self.answered(&Waiting::Written(location.clone()));
                        }
                        Told::Picked(_) | Told::Dismissed | Told::NoDialog => {
                            self.answered(&Waiting::Picked);
                        }
                        _ => {}
                    }
                }
                self.notices.extend(notices);
                self.told.extend(told);
            }
        }
        Ok(())
    }

    /// The other end knows nothing of a session before: what was said to it has no answer.
    fn began_anew(&mut self) {
        self.received = 0;
        self.drawn = 0;
        self.drawn_told = 0;
        if self.welcome.is_none() {
            return; // what was said so far waited for this
        }
        self.said.clear();
        let gone = "the engine was started anew before it answered; try again";
        for waiting in std::mem::take(&mut self.waiting) {
            match waiting {
                Waiting::Reply(id) => self.notices.push(Notice::Reply {
                    id,
                    result: Err(Problem::new(gone)),
                }),
                Waiting::Read(location) => self.told.push(Told::Read {
                    location,
                    result: Err(gone.to_owned()),
                }),
                Waiting::Written(location) => self.told.push(Told::Written {
                    location,
                    result: Err(gone.to_owned()),
                }),
                Waiting::Picked => self.told.push(Told::Dismissed),
            }
        }
        self.first = 1;
    }

    fn taken(&mut self, taken: u64) {
        while self.first <= taken && self.said.pop_front().is_some() {
            self.first += 1;
            self.sent = self.sent.saturating_sub(1);
        }
    }

    fn flush(&mut self) {
        if !self.welcomed || (self.sent == self.said.len() && self.drawn == self.drawn_told) {
            return;
        }
        let frame = Up::Say {
            first: self.first + self.sent as u64,
            drawn: self.drawn,
            said: self.said.iter().skip(self.sent).cloned().collect(),
        };
        self.sent = self.said.len();
        self.drawn_told = self.drawn;
        self.pipe.send(wire::encode(&frame));
    }
}
