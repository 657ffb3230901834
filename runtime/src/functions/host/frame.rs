//! Frames: many events on their way into a function, and what became of each on the way back.
//!
//! What stands where says `docs/specs/function-contract.md`.

use graph_model::event::{Event, EventContext};
use graph_model::value::Value;
use smol_str::SmolStr;

use super::names::Names;
use super::pack;
use super::reader::{ABSENT, Misread, Reader};

/// The version of frames that this host writes and reads.
const VERSION: u8 = 1;

/// Events for one call.
#[derive(Debug)]
pub struct Batch {
    frame: Vec<u8>,
    /// Size of what stands in front of the first event; its last four bytes count the events.
    head: usize,
    /// Where each event begins.
    begins: Vec<usize>,
    events: Vec<Event>,
}

/// What became of an event, as the function says.
#[derive(Debug)]
pub(super) enum Told {
    Sent(Vec<SentFrame>),
    Invalid(String),
    Transient(String),
    Fatal(String),
}

/// An event on its way out, as it stands in a frame.
#[derive(Debug)]
pub(super) struct SentFrame {
    pub(super) port: SmolStr,
    /// What it says of itself; nothing where all is as in the event that was handled.
    pub(super) context: Option<EventContext>,
    /// Its payload, or why that is none.
    pub(super) data: Result<Value, String>,
    /// Bytes of context and payload.
    pub(super) bytes: u64,
}

impl Batch {
    /// For events that arrive at this input port.
    pub fn new(port: &str) -> Batch {
        let mut frame = vec![VERSION];
        put(port, &mut frame);
        frame.extend_from_slice(&[0; 4]);
        Batch {
            head: frame.len(),
            frame,
            begins: Vec::new(),
            events: Vec::new(),
        }
    }

    /// Adds an event.
    pub fn add(&mut self, event: &Event) {
        self.begins.push(self.frame.len());
        let out = &mut self.frame;
        fill(out, |out| write_context(&event.context, out));
        fill(out, |out| pack::write(&event.data, out));
        self.events.push(event.clone());
        let count = counted(self.events.len());
        self.frame[self.head - 4..self.head].copy_from_slice(&count);
    }

    pub fn len(&self) -> usize {
        self.events.len()
    }

    pub fn is_empty(&self) -> bool {
        self.events.is_empty()
    }

    /// How large its frame is.
    pub fn bytes(&self) -> usize {
        self.frame.len()
    }

    /// The events, in their order.
    pub fn events(&self) -> &[Event] {
        &self.events
    }

    /// Takes the events out, so that it can be filled anew.
    pub fn drain(&mut self) -> impl Iterator<Item = Event> {
        self.frame.truncate(self.head);
        self.begins.clear();
        self.events.drain(..)
    }

    /// The bytes that the function gets.
    pub fn frame(&self) -> &[u8] {
        &self.frame
    }

    /// The frame of one of the events alone.
    pub(super) fn frame_of(&self, number: usize) -> Vec<u8> {
        let begin = self.begins[number];
        let end = self.begins.get(number + 1).copied();
        let event = &self.frame[begin..end.unwrap_or(self.frame.len())];
        let mut frame = Vec::with_capacity(self.head + event.len());
        frame.extend_from_slice(&self.frame[..self.head - 4]);
        frame.extend_from_slice(&counted(1));
        frame.extend_from_slice(event);
        frame
    }
}

/// Reads what a function answers to a frame of so many events.
pub(super) fn answers(frame: &[u8], count: usize) -> Result<Vec<Told>, Misread> {
    let mut rest = Reader::new(frame);
    if rest.byte()? != VERSION {
        return Err(Misread::at(0, "a version that is not known here"));
    }
    let at = rest.at();
    if rest.number()? as usize != count {
        let why = "another number of answers than of events";
        return Err(Misread::at(at, why));
    }
    let mut names = Names::default();
    let told = (0..count).map(|_| {
        names.again();
        told(&mut rest, &mut names)
    });
    let told = told.collect::<Result<_, _>>()?;
    match rest.left() {
        0 => Ok(told),
        _ => Err(Misread::at(rest.at(), "more than it should hold")),
    }
}

fn told(rest: &mut Reader<'_>, names: &mut Names) -> Result<Told, Misread> {
    let at = rest.at();
    Ok(match rest.byte()? {
        0 => {
            let count = rest.number()? as usize;
            // Each has twelve bytes at least: a number that lies takes no memory.
            let mut all = Vec::with_capacity(count.min(rest.left() / 12));
            for _ in 0..count {
                all.push(sent(rest, names)?);
            }
            Told::Sent(all)
        }
        1 => Told::Invalid(rest.text()?.to_owned()),
        2 => Told::Transient(rest.text()?.to_owned()),
        3 => Told::Fatal(rest.text()?.to_owned()),
        _ => return Err(Misread::at(at, "an outcome that is not known here")),
    })
}

fn sent(rest: &mut Reader<'_>, names: &mut Names) -> Result<SentFrame, Misread> {
    let size = rest.number()? as usize;
    let port = names.read(rest, size)?;
    let mut inner = rest.clone();
    let about = rest.sized()?;
    let context = if about.is_empty() {
        None
    } else {
        inner.number()?;
        let context = read_context(&mut inner)?;
        if inner.at() != rest.at() {
            return Err(Misread::at(inner.at(), "a context of another size"));
        }
        Some(context)
    };
    let data = rest.sized()?;
    let mut payload = Reader::new(data);
    let value = pack::read(&mut payload, names).and_then(|value| match payload.left() {
        0 => Ok(value),
        _ => Err(Misread::at(payload.at(), "more than one payload")),
    });
    Ok(SentFrame {
        port,
        context,
        data: value.map_err(|misread| format!("its payload has at {misread}")),
        bytes: (about.len() + data.len()) as u64,
    })
}

fn write_context(context: &EventContext, out: &mut Vec<u8>) {
    let EventContext {
        id,
        source,
        ty,
        time_ms,
        subject,
        extensions,
    } = context;
    let time_ms = u64::try_from(*time_ms).unwrap_or_default();
    out.extend_from_slice(&time_ms.to_le_bytes());
    for text in [id, source, ty] {
        put(text, out);
    }
    match subject {
        Some(subject) => put(subject, out),
        None => out.extend_from_slice(&ABSENT.to_le_bytes()),
    }
    out.extend_from_slice(&counted(extensions.len()));
    for (name, text) in extensions {
        put(name, out);
        put(text, out);
    }
}

fn read_context(rest: &mut Reader<'_>) -> Result<EventContext, Misread> {
    let time_ms = u64::from_le_bytes(rest.array()?);
    let mut context = EventContext {
        time_ms: i64::try_from(time_ms).unwrap_or(i64::MAX),
        id: rest.text()?.into(),
        source: rest.text()?.into(),
        ty: rest.text()?.into(),
        subject: rest.text_or_none()?.map(SmolStr::from),
        ..EventContext::default()
    };
    for _ in 0..rest.number()? {
        let name = rest.text()?.into();
        context.extensions.insert(name, rest.text()?.into());
    }
    Ok(context)
}

/// Writes a text behind its size.
fn put(text: &str, out: &mut Vec<u8>) {
    out.extend_from_slice(&counted(text.len()));
    out.extend_from_slice(text.as_bytes());
}

/// Writes something behind its size.
fn fill(out: &mut Vec<u8>, write: impl FnOnce(&mut Vec<u8>)) {
    let at = out.len();
    out.extend_from_slice(&[0; 4]);
    write(out);
    let size = counted(out.len() - at - 4);
    out[at..at + 4].copy_from_slice(&size);
}

/// A number of a frame. Frames are far smaller than what it can count.
fn counted(count: usize) -> [u8; 4] {
    u32::try_from(count).unwrap_or(ABSENT - 1).to_le_bytes()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use graph_model::value;
    use proptest::prelude::*;

    use super::*;

    fn event(id: &str, data: Value) -> Event {
        let context = EventContext {
            id: id.into(),
            source: "s".into(),
            ty: "t".into(),
            time_ms: 5,
            ..EventContext::default()
        };
        Event {
            context: Arc::new(context),
            data,
        }
    }

    fn text(text: &str) -> Vec<u8> {
        let mut out = Vec::new();
        put(text, &mut out);
        out
    }

    #[test]
    fn a_frame_stands_as_it_is_described() {
        let mut batch = Batch::new("in");
        batch.add(&event("a", value!(7)));
        let one = [
            &b"\x01"[..],          // the version
            b"\x02\0\0\0in",       // the port
            b"\x01\0\0\0",         // one event
            b"\x1f\0\0\0",         // its context
            b"\x05\0\0\0\0\0\0\0", // the time
            b"\x01\0\0\0a\x01\0\0\0s\x01\0\0\0t",
            b"\xff\xff\xff\xff", // no subject
            b"\0\0\0\0",         // no extensions
            b"\x01\0\0\0\x07",   // its payload
        ]
        .concat();
        assert_eq!(batch.frame(), one);
        batch.add(&event("b", value!("x")));
        assert_eq!(batch.frame_of(0), one);
        let mut second = Batch::new("in");
        second.add(&event("b", value!("x")));
        assert_eq!(batch.frame_of(1), second.frame());
        assert_eq!(batch.drain().count(), 2);
        batch.add(&event("a", value!(7)));
        assert_eq!(batch.frame(), one);
    }

    /// An answer: one event is sent, one is refused.
    fn answer() -> Vec<u8> {
        let context = event("i", value!(null)).context;
        let mut about = Vec::new();
        fill(&mut about, |out| write_context(&context, out));
        [
            &b"\x01\x02\0\0\0"[..],
            b"\0\x02\0\0\0", // two are sent
            &text("ok"),
            b"\0\0\0\0",       // nothing beside the payload
            b"\x01\0\0\0\xc3", // true
            &text("p"),
            &about,
            b"\x02\0\0\0\xa1x",
            b"\x01",
            &text("no"),
        ]
        .concat()
    }

    #[test]
    fn an_answer_says_what_became_of_each_event() {
        let told = answers(&answer(), 2).expect("reads");
        let [Told::Sent(sent), Told::Invalid(reason)] = &told[..] else {
            panic!("{told:?}");
        };
        assert_eq!(reason, "no");
        assert_eq!(
            (sent[0].port.as_str(), &sent[0].data),
            ("ok", &Ok(value!(true)))
        );
        assert_eq!((&sent[0].context, sent[0].bytes), (&None, 1));
        let context = sent[1].context.as_ref().expect("it says something");
        assert_eq!(*context, *event("i", value!(null)).context);
        assert_eq!(sent[1].data, Ok(value!("x")));
    }

    #[test]
    fn an_answer_that_is_none_is_refused_with_its_place() {
        let good = answer();
        let with = |at: usize, byte: u8| {
            let mut bytes = good.clone();
            bytes[at] = byte;
            bytes
        };
        for (bytes, why) in [
            (Vec::new(), "byte 0: it ends too early"),
            (with(0, 2), "byte 0: a version that is not known here"),
            (
                with(1, 1),
                "byte 1: another number of answers than of events",
            ),
            (with(5, 4), "byte 5: an outcome that is not known here"),
            (with(9, 1), "byte 75: it ends too early"),
            (with(14, 0xff), "byte 14: a text that is not UTF-8"),
            (
                [&good[..], b"x"].concat(),
                "byte 78: more than it should hold",
            ),
        ] {
            let refused = answers(&bytes, 2).expect_err(why).to_string();
            assert_eq!(refused, why);
        }
        for size in 0..good.len() {
            answers(&good[..size], 2).expect_err("truncated");
        }
        // What is wrong with a payload is a matter of its event alone.
        let told = answers(&with(24, 0xc1), 2).expect("reads");
        let Told::Sent(sent) = &told[0] else {
            panic!("{told:?}");
        };
        let why = "its payload has at byte 0: no part of JSON; send what JSON can say";
        assert_eq!(sent[0].data, Err(why.into()));
    }

    proptest! {
        #[test]
        fn no_bytes_break_the_reader(bytes in prop::collection::vec(any::<u8>(), 0..300), count in 0..4_usize) {
            let frame = [&[VERSION][..], &counted(count), &bytes].concat();
            if let Ok(told) = answers(&frame, count) {
                prop_assert_eq!(told.len(), count);
            }
        }

        #[test]
        fn a_changed_byte_never_breaks_the_reader(at in 0..78_usize, byte in any::<u8>()) {
            let mut bytes = answer();
            bytes[at] = byte;
            if let Ok(told) = answers(&bytes, 2) {
                prop_assert_eq!(told.len(), 2);
            }
        }
    }
}
