//! Frames on the line between a designer and an engine elsewhere: `MessagePack`, numbered both ways.
//!
//! Each side keeps what it sent until the other side says that it has taken it, and sends it again on
//! the next connection when it does not know. So a broken connection loses nothing and repeats
//! nothing. Neither side sends more than a few frames ahead; what does not fit waits with the sender,
//! where observed events are thinned out and counted.

use std::collections::BTreeMap;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use smol_str::SmolStr;

use crate::host::{Ask, Location, Sample, Told};
use crate::{Notice, Request, Role};

/// Version of the frames; both sides must speak the same one.
pub const VERSION: u32 = 1;
/// Name of the subprotocol that the sockets agree on.
pub const SUBPROTOCOL: &str = "weir.v1";
/// In front of the token, among the subprotocols that a client offers.
pub const TOKEN_PREFIX: &str = "weir.token.";
/// Path under which a server takes such lines.
pub const PATH: &str = "/line";
/// Largest frame, in bytes.
pub const FRAME_MAX: usize = 32 << 20;
/// Frames that the engine's side sends ahead of the designer: one that is drawn, one on its way.
pub const AHEAD_MAX: usize = 2;
/// Requests that wait with the designer while the line is down; further ones are refused.
pub const SAID_MAX: usize = 256;
/// Values may be nested this deep in a frame.
const DEPTH_MAX: usize = 192;

/// From the designer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "is")]
pub enum Up {
    /// The first frame of a connection.
    Hello {
        version: u32,
        /// The session to go on with.
        resume: Option<Resume>,
    },
    /// What the designer says, numbered from `first` on, and the last frame that it has drawn.
    Say {
        first: u64,
        drawn: u64,
        said: Vec<Said>,
    },
}

/// A session that was broken off.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Resume {
    pub session: SmolStr,
    /// Number of the last frame that came in.
    pub received: u64,
}

/// One thing that the designer says.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Said {
    /// To the engine.
    Command(Request),
    /// To the machine that the engine is on.
    Ask(Ask),
}

/// To the designer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "is")]
pub enum Down {
    /// The answer to `Hello`. After it come the frames that a resumed session has not received.
    Welcome(Box<Welcome>),
    /// News, in the order in which they happened, and how much of what was said is taken.
    Tell {
        number: u64,
        taken: u64,
        notices: Vec<Notice>,
        told: Vec<Told>,
    },
}

/// What a designer must know of the other end.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Welcome {
    /// Names the session when the connection breaks; known to its two ends only.
    pub session: SmolStr,
    /// Whether this goes on with the session that was asked for.
    pub resumed: bool,
    /// How much of what was said before is taken.
    pub taken: u64,
    pub role: Role,
    /// Where relative paths of a new document start from.
    pub folder: String,
    pub samples: Vec<Sample>,
    /// The window is there, too, and the designer only draws into it.
    pub desktop: Option<Desktop>,
    /// The flow to show first.
    pub open: Option<Location>,
}

/// What a desktop does for the designer in its window: it keeps settings, shows titles, opens links.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Desktop {
    /// It shows menus of its own.
    pub menus: bool,
    /// Small texts that were stored before, by name.
    pub stored: BTreeMap<String, String>,
}

/// Why bytes are no frame.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadFrame {
    #[error("a frame of {0} bytes is larger than {FRAME_MAX}")]
    TooLarge(usize),
    #[error("a frame cannot be read: {0}")]
    Malformed(String),
    #[error("a frame came out of turn: {0}")]
    OutOfTurn(&'static str),
    #[error(
        "the other side speaks version {0} of the protocol, this side version {VERSION}; update the older one"
    )]
    OtherVersion(u32),
}

/// The bytes of a frame.
pub fn encode(frame: &impl Serialize) -> Vec<u8> {
    rmp_serde::to_vec_named(frame).expect("frames are plain data")
}

/// The frame in these bytes.
pub fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, BadFrame> {
    if bytes.len() > FRAME_MAX {
        return Err(BadFrame::TooLarge(bytes.len()));
    }
    let mut deserializer = rmp_serde::Deserializer::from_read_ref(bytes);
    deserializer.set_max_depth(DEPTH_MAX);
    let frame = T::deserialize(&mut deserializer)
        .map_err(|error| BadFrame::Malformed(error.to_string()))?;
    Ok(frame)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use graph_model::event::{Event, EventContext};
    use graph_model::value::Value;

    use super::*;
    use crate::host::{Contents, Stamp};
    use crate::{Answer, Command, Counters, Observed, Problem, RunState, Target};

    fn json(text: &str) -> Value {
        Value::parse(text.as_bytes(), 1_000).expect("JSON")
    }

    #[test]
    fn frames_round_trip() {
        let inject = Command::Inject {
            target: Target::Source("orders".into()),
            data: json(r#"{"n": 1, "list": [1.5, null, true, "é"], "low": -7}"#),
            ty: None,
            id: Some("e-1".into()),
        };
        let up = Up::Say {
            first: 3,
            drawn: 7,
            said: vec![
                Said::Command(Request {
                    id: 9,
                    command: inject,
                }),
                Said::Ask(Ask::Write {
                    location: Location::new("a.flow.json"),
                    bytes: vec![0, 1, 255],
                }),
                Said::Ask(Ask::Watch(None)),
                Said::Ask(Ask::Close),
            ],
        };
        assert_eq!(decode::<Up>(&encode(&up)), Ok(up));

        let event = Event {
            context: Arc::new(EventContext {
                id: "e-1".into(),
                source: "/orders".into(),
                ty: "order".into(),
                time_ms: 1_700_000_000_123,
                ..EventContext::default()
            }),
            data: json(r#"{"total": 12.25, "big": 9007199254740993, "whole": 3}"#),
        };
        let down = Down::Tell {
            number: 1,
            taken: 2,
            notices: vec![
                Notice::State {
                    state: RunState::Paused,
                },
                Notice::Deployed,
                Notice::Counters {
                    counters: Counters::default(),
                },
                Notice::Observed {
                    batch: 1,
                    events: vec![Observed {
                        seq: 1,
                        edge: "a_to_b".into(),
                        at_ms: 5,
                        event,
                    }],
                    skipped: 3,
                },
                Notice::Reply {
                    id: 9,
                    result: Err(Problem::at(&"orders".into(), "no")),
                },
                Notice::Reply {
                    id: 10,
                    result: Ok(Answer::Injected { id: "e-1".into() }),
                },
            ],
            told: vec![
                Told::Read {
                    location: Location::new("a.flow.json"),
                    result: Ok(Contents {
                        bytes: b"{}".to_vec(),
                        stamp: Stamp(u64::MAX),
                    }),
                },
                Told::NoDialog,
            ],
        };
        assert_eq!(decode::<Down>(&encode(&down)), Ok(down));
        let welcome = Down::Welcome(Box::default());
        assert_eq!(decode::<Down>(&encode(&welcome)), Ok(welcome));
    }

    #[test]
    fn what_is_no_frame_is_refused() {
        let deep = [vec![0x91; 100_000], vec![0xc0]].concat();
        let hello = encode(&Up::Hello {
            version: VERSION,
            resume: None,
        });
        for bytes in [
            &b""[..],
            b"\x00",
            b"{\"is\":\"hello\"}",
            &[0xff; 64],
            // A list that claims to be longer than memory.
            &[0xdd, 0xff, 0xff, 0xff, 0xff],
            // A text that claims to be longer than the frame.
            &[0xdb, 0x7f, 0xff, 0xff, 0xff, b'a'],
            &deep,
            &hello[..hello.len() - 1],
        ] {
            assert!(
                decode::<Up>(bytes).is_err(),
                "{:?}",
                &bytes[..bytes.len().min(20)]
            );
        }
        let large = vec![0; FRAME_MAX + 1];
        assert_eq!(decode::<Up>(&large), Err(BadFrame::TooLarge(FRAME_MAX + 1)));
    }
}
