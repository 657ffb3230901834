//! Files of records: read in a thread of their own, record by record, in bounded memory.

use std::fs::{File, Metadata};
use std::io::{self, BufRead, BufReader, Read};
use std::path::PathBuf;
use std::rc::Rc;
use std::sync::Arc;

use graph_model::event::Event;
use graph_model::pointer::Pointer;
use graph_model::value::{Object, Value};
use smol_str::{SmolStr, format_smolstr};
use tokio::sync::mpsc;

use super::pace::{Gaps, Pace};
use super::stamp::Stamp;
use super::{BATCH_MAX, unless_stopped};
use crate::operator::Failure;
use crate::rim::{Feed, FlowClosed, Inbound};
use crate::world::World;

/// Largest record, in bytes; a larger one is given up.
pub(crate) const RECORD_MAX: usize = 8 << 20;
/// Bytes of records that are read ahead of the flow, in each of a few chunks.
const CHUNK_BYTES_MAX: usize = 1 << 20;
/// Chunks that are read ahead.
const CHUNKS_MAX: usize = 3;
/// Bytes of an unreadable record that are kept with its event.
const KEPT_MAX: usize = 64 << 10;

/// How a file is cut into events.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Format {
    /// One JSON text a line.
    Jsonl,
    /// A line of column names, then one record a line; all values are texts.
    Csv,
    /// The whole file is one JSON text.
    Json,
    /// The whole file is one text.
    Text,
}

/// A file of records.
#[derive(Clone, Debug)]
pub(crate) struct Records {
    pub path: PathBuf,
    /// The file as messages name it.
    pub name: SmolStr,
    pub format: Format,
    pub stamp: Stamp,
    /// Field that identifies a record; file and line otherwise.
    pub id: Option<Pointer>,
}

/// What a record became: an event, or what could not be read, and why.
pub(crate) type Record = Result<Event, (Event, Failure)>;

/// How reading a file ended.
#[derive(Debug)]
pub(crate) enum Ended {
    /// Every record was handed in.
    AtItsEnd,
    /// The source was told to stop, or the flow closed.
    Early,
    /// The file could not be read on.
    Broken(io::Error),
}

impl Format {
    pub(crate) fn named(name: &str) -> Option<Format> {
        Some(match name {
            "jsonl" => Format::Jsonl,
            "csv" => Format::Csv,
            "json" => Format::Json,
            "text" => Format::Text,
            _ => return None,
        })
    }
}

impl Records {
    /// Hands the records in, after those that `done` counts already; counts on as they go.
    pub(crate) async fn hand_in(self, feed: &Feed, rate: f64, done: &mut u64) -> Ended {
        let (found, mut chunks) = mpsc::channel(CHUNKS_MAX);
        let world = Arc::clone(&feed.world);
        let skip = *done;
        let reader = tokio::task::spawn_blocking(move || {
            let (file, changed_ms) = self.open()?;
            let send = |chunk| found.blocking_send(chunk).is_ok();
            let mut cut = Cutter::new(&self, &*world, skip, send);
            cut.changed_ms = changed_ms;
            cut.all(file)
        });
        let mut pace = Pace::new(rate, Gaps::Even, &*feed.world);
        let handing = async {
            while let Some(chunk) = chunks.recv().await {
                chunk.hand_in(feed, &mut pace, done).await?;
            }
            Ok::<(), FlowClosed>(())
        };
        match unless_stopped(feed, handing).await {
            Some(Ok(())) => {}
            Some(Err(FlowClosed)) | None => return Ended::Early,
        }
        match reader.await {
            Ok(Ok(())) => Ended::AtItsEnd,
            Ok(Err(error)) => Ended::Broken(error),
            Err(panic) => Ended::Broken(io::Error::other(panic)),
        }
    }

    /// All records of the file, in their order.
    pub(crate) fn read(&self, world: &dyn World) -> io::Result<Vec<Record>> {
        let (file, changed_ms) = self.open()?;
        self.cut(file, changed_ms, world)
    }

    /// All records of such a file, in their order.
    pub(crate) fn cut(
        &self,
        input: impl Read,
        changed_ms: i64,
        world: &dyn World,
    ) -> io::Result<Vec<Record>> {
        let mut records = Vec::new();
        let take = |chunk| {
            match chunk {
                Chunk::Events(events) => {
                    records.extend(events.into_iter().map(|inbound| Ok(inbound.event)));
                }
                Chunk::Unreadable(event, failure) => records.push(Err((event, failure))),
            }
            true
        };
        let mut cut = Cutter::new(self, world, 0, take);
        cut.changed_ms = changed_ms;
        cut.all(input)?;
        Ok(records)
    }

    /// The file, and when it changed last.
    fn open(&self) -> io::Result<(File, i64)> {
        // Opening a pipe waits for its writer, so look before.
        let kind = std::fs::metadata(&self.path)?;
        if kind.is_dir() {
            return Err(io::Error::other("it is a folder"));
        }
        if !kind.is_file() {
            return Err(io::Error::other("it is no regular file"));
        }
        Ok((File::open(&self.path)?, changed_ms(&kind)))
    }
}

/// When a file changed last, in milliseconds since 1970; 0 where that is not known.
pub(crate) fn changed_ms(metadata: &Metadata) -> i64 {
    let changed = metadata.modified().ok();
    let since = changed.and_then(|at| at.duration_since(std::time::UNIX_EPOCH).ok());
    since.map_or(0, |since| since.as_millis() as i64)
}

/// Records that were read, in their order in the file.
enum Chunk {
    Events(Vec<Inbound>),
    Unreadable(Event, Failure),
}

impl Chunk {
    async fn hand_in(self, feed: &Feed, pace: &mut Pace, done: &mut u64) -> Result<(), FlowClosed> {
        match self {
            Chunk::Unreadable(event, failure) => {
                feed.line.unreadable(event, failure).await?;
                *done += 1;
            }
            Chunk::Events(mut events) => {
                while !events.is_empty() {
                    let due = pace.wait(feed).await;
                    let later = events.split_off(due.min(events.len()));
                    let now = std::mem::replace(&mut events, later);
                    let count = now.len();
                    feed.line.push(now).await?;
                    pace.took(count);
                    *done += count as u64;
                }
            }
        }
        tokio::task::coop::consume_budget().await;
        Ok(())
    }
}

/// Why no more is read: nobody listens any longer.
const NOBODY_LISTENS: io::ErrorKind = io::ErrorKind::BrokenPipe;

/// Cuts a file into chunks of events.
struct Cutter<'c, Send> {
    records: &'c Records,
    world: &'c dyn World,
    /// Records that somebody handed in before.
    skip: u64,
    /// When the file changed last, in milliseconds since 1970.
    changed_ms: i64,
    events: Vec<Inbound>,
    bytes: usize,
    now_ms: i64,
    send: Send,
}

impl<'c, Send: FnMut(Chunk) -> bool> Cutter<'c, Send> {
    fn new(records: &'c Records, world: &'c dyn World, skip: u64, send: Send) -> Self {
        Cutter {
            records,
            world,
            skip,
            changed_ms: 0,
            events: Vec::with_capacity(BATCH_MAX),
            bytes: 0,
            now_ms: world.now_ms(),
            send,
        }
    }

    fn all(&mut self, input: impl Read) -> io::Result<()> {
        let read = match self.records.format {
            Format::Jsonl => self.lines(input),
            Format::Csv => self.rows(input),
            Format::Json | Format::Text => self.whole(input),
        };
        match read.and_then(|()| self.flush()) {
            Err(error) if error.kind() == NOBODY_LISTENS => Ok(()),
            other => other,
        }
    }

    fn lines(&mut self, input: impl Read) -> io::Result<()> {
        let mut input = BufReader::with_capacity(256 << 10, input);
        skip_byte_order_mark(&mut input)?;
        let mut line = Vec::new();
        for number in 1.. {
            line.clear();
            let limit = RECORD_MAX as u64 + 1;
            if (&mut input).take(limit).read_until(b'\n', &mut line)? == 0 {
                break;
            }
            if line.len() > RECORD_MAX && !line.ends_with(b"\n") {
                skip_line(&mut input)?;
                let reason = format!("the line is longer than {} MiB", RECORD_MAX >> 20);
                self.unreadable(number, &line, &reason)?;
                continue;
            }
            let text = line.trim_ascii_end();
            if text.is_empty() {
                continue;
            }
            match Value::parse(text, RECORD_MAX) {
                Ok(data) => self.event(number, text.len(), data)?,
                Err(error) => self.unreadable(number, text, &in_line(&error))?,
            }
        }
        Ok(())
    }

    fn rows(&mut self, input: impl Read) -> io::Result<()> {
        let mut input = BufReader::with_capacity(256 << 10, input);
        skip_byte_order_mark(&mut input)?;
        let budget = Rc::new(std::cell::Cell::new(RECORD_MAX));
        let metered = Metered {
            input,
            budget: Rc::clone(&budget),
        };
        let mut reader = csv::ReaderBuilder::new()
            .flexible(true)
            .from_reader(metered);
        let Some(columns) = Columns::read(&mut reader)? else {
            return Ok(());
        };
        let mut row = csv::ByteRecord::new();
        loop {
            budget.set(RECORD_MAX);
            let line = reader.position().line();
            match reader.read_byte_record(&mut row) {
                Ok(true) => {}
                Ok(false) => return Ok(()),
                Err(error) if budget.get() == 0 => {
                    let reason = format!(
                        "a record is longer than {} MiB ({error}); is a quote left open?",
                        RECORD_MAX >> 20
                    );
                    return self.unreadable(line, b"", &reason);
                }
                Err(error) => return Err(error.into()),
            }
            let line = row.position().map_or(line, csv::Position::line);
            match columns.object(&row) {
                Ok(data) => self.event(line, row.as_slice().len(), data)?,
                Err(reason) => {
                    let text = row.iter().collect::<Vec<_>>().join(&b',');
                    self.unreadable(line, &text, &reason)?;
                }
            }
        }
    }

    fn whole(&mut self, input: impl Read) -> io::Result<()> {
        let mut bytes = Vec::new();
        input.take(RECORD_MAX as u64 + 1).read_to_end(&mut bytes)?;
        let text = bytes.strip_prefix(BYTE_ORDER_MARK).unwrap_or(&bytes);
        let parsed = if bytes.len() > RECORD_MAX {
            Err(format!("the file is larger than {} MiB", RECORD_MAX >> 20))
        } else if self.records.format == Format::Json {
            Value::parse(text, RECORD_MAX).map_err(|error| error.to_string())
        } else {
            std::str::from_utf8(text)
                .map(|text| {
                    let file = self.records.name.as_str();
                    graph_model::value!({"file": file, "text": text})
                })
                .map_err(|error| format!("not UTF-8 text: {error}"))
        };
        match parsed {
            Ok(data) => self.event(1, bytes.len(), data),
            Err(reason) => self.unreadable(1, text, &reason),
        }
    }

    fn event(&mut self, line: u64, bytes: usize, data: Value) -> io::Result<()> {
        if self.skipped() {
            return Ok(());
        }
        let stated = self.records.id.as_ref().and_then(|id| id.get(&data));
        let id = match stated {
            Some(Value::Str(text)) if !text.is_empty() => text.clone(),
            Some(number @ (Value::Int(_) | Value::Float(_))) => number.to_text(),
            _ => self.place(line),
        };
        let event = self.records.stamp.event(id, self.now_ms, data);
        self.events.push(Inbound::new(event));
        self.bytes += bytes;
        if self.events.len() == BATCH_MAX || self.bytes > CHUNK_BYTES_MAX {
            self.flush()?;
        }
        Ok(())
    }

    fn unreadable(&mut self, line: u64, text: &[u8], reason: &str) -> io::Result<()> {
        if self.skipped() {
            return Ok(());
        }
        self.flush()?;
        let place = format!("{}:{line}", self.records.name);
        let kept = String::from_utf8_lossy(&text[..text.len().min(KEPT_MAX)]);
        let data = graph_model::value!({"place": (place.as_str()), "text": (&*kept)});
        let event = (self.records.stamp).event(self.place(line), self.now_ms, data);
        let failure = Failure::invalid(format!("{place}: {reason}"));
        self.hand_over(Chunk::Unreadable(event, failure))
    }

    fn flush(&mut self) -> io::Result<()> {
        if self.events.is_empty() {
            return Ok(());
        }
        let events = std::mem::replace(&mut self.events, Vec::with_capacity(BATCH_MAX));
        self.bytes = 0;
        self.hand_over(Chunk::Events(events))?;
        self.now_ms = self.world.now_ms();
        Ok(())
    }

    fn hand_over(&mut self, chunk: Chunk) -> io::Result<()> {
        if (self.send)(chunk) {
            Ok(())
        } else {
            Err(NOBODY_LISTENS.into())
        }
    }

    fn skipped(&mut self) -> bool {
        let skipped = self.skip > 0;
        self.skip -= u64::from(skipped);
        skipped
    }

    /// Identifies a record by where it stands; a whole file by when it changed, as other contents
    /// are another fact.
    fn place(&self, line: u64) -> SmolStr {
        let file = self.records.path.file_name().unwrap_or_default();
        let file = file.to_string_lossy();
        match self.records.format {
            Format::Jsonl | Format::Csv => format_smolstr!("{file}:{line}"),
            Format::Json | Format::Text => format_smolstr!("{file}@{}", self.changed_ms),
        }
    }
}

/// The columns of a CSV file, sorted by name as objects are.
struct Columns {
    /// Name and place in a row.
    sorted: Vec<(SmolStr, usize)>,
}

impl Columns {
    /// Reads the first line; nothing when the file is empty.
    fn read(reader: &mut csv::Reader<impl Read>) -> io::Result<Option<Columns>> {
        let names = reader.byte_headers().map_err(io::Error::from)?;
        if names.is_empty() {
            return Ok(None);
        }
        let mut sorted = Vec::with_capacity(names.len());
        for (at, name) in names.iter().enumerate() {
            let name = std::str::from_utf8(name)
                .map_err(|_| io::Error::other("its first line, the column names, is not UTF-8"))?;
            sorted.push((SmolStr::from(name.trim()), at));
        }
        sorted.sort();
        match sorted.windows(2).find(|pair| pair[0].0 == pair[1].0) {
            Some(pair) => Err(io::Error::other(format!(
                "its first line names the column `{}` twice; rename one",
                pair[0].0
            ))),
            None => Ok(Some(Columns { sorted })),
        }
    }

    fn object(&self, row: &csv::ByteRecord) -> Result<Value, String> {
        if row.len() != self.sorted.len() {
            return Err(format!(
                "{} values for {} columns",
                row.len(),
                self.sorted.len()
            ));
        }
        let entries = self.sorted.iter().map(|(name, at)| {
            let text = row.get(*at).unwrap_or_default();
            match std::str::from_utf8(text) {
                Ok(text) => Ok((name.clone(), Value::from(text))),
                Err(_) => Err(format!("the value of `{name}` is not UTF-8")),
            }
        });
        entries.collect::<Result<Object, String>>().map(Value::from)
    }
}

/// A reader that reads on only as long as the budget, which others renew, lasts.
struct Metered<R> {
    input: R,
    budget: Rc<std::cell::Cell<usize>>,
}

impl<R: Read> Read for Metered<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let budget = self.budget.get();
        if budget == 0 {
            return Err(io::Error::other("no end in sight"));
        }
        let most = into.len().min(budget);
        let count = self.input.read(&mut into[..most])?;
        self.budget.set(budget - count);
        Ok(count)
    }
}

const BYTE_ORDER_MARK: &[u8] = b"\xEF\xBB\xBF";

fn skip_byte_order_mark(input: &mut impl BufRead) -> io::Result<()> {
    if input.fill_buf()?.starts_with(BYTE_ORDER_MARK) {
        input.consume(BYTE_ORDER_MARK.len());
    }
    Ok(())
}

/// Skips to the end of the line without keeping it.
fn skip_line(input: &mut impl BufRead) -> io::Result<()> {
    loop {
        let held = input.fill_buf()?;
        let end = held.iter().position(|byte| *byte == b'\n');
        let (count, done) = match end {
            Some(at) => (at + 1, true),
            None => (held.len(), held.is_empty()),
        };
        input.consume(count);
        if done {
            return Ok(());
        }
    }
}

/// A parse error of a line: the line is named already, so only the column counts.
fn in_line(error: &graph_model::value::ParseError) -> String {
    match error {
        graph_model::value::ParseError::Syntax {
            column, message, ..
        } => format!("not JSON at column {column}: {message}"),
        too_large @ graph_model::value::ParseError::TooLarge { .. } => too_large.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::*;
    use crate::world::SystemWorld;

    fn records(format: Format) -> Records {
        Records {
            path: "/project/data/in.file".into(),
            name: "data/in.file".into(),
            format,
            stamp: Stamp::plain("read", "replay"),
            id: Some(Pointer::parse("/id").expect("a pointer")),
        }
    }

    /// Renders what a file is cut into, one record a line.
    fn cut(format: Format, input: &[u8], skip: u64) -> String {
        let (records, world) = (records(format), SystemWorld::new());
        let mut found = Vec::new();
        let read = Cutter::new(&records, &world, skip, |chunk| {
            match chunk {
                Chunk::Events(events) => found.extend(events.iter().map(|inbound| {
                    let event = &inbound.event;
                    format!("{} {}", event.context.id, event.data)
                })),
                Chunk::Unreadable(event, failure) => {
                    let (id, text) = (&event.context.id, event.data.get("text"));
                    let text = text.expect("the text is kept").to_json();
                    found.push(format!("{id} unreadable {text:.40} {failure}"));
                }
            }
            true
        })
        .all(input);
        found.extend(read.err().map(|error| format!("broken: {error}")));
        found.join("\n")
    }

    #[expect(
        clippy::needless_pass_by_value,
        reason = "an expectation is written in place"
    )]
    fn check(format: Format, input: impl AsRef<[u8]>, expected: Expect) {
        expected.assert_eq(&cut(format, input.as_ref(), 0));
    }

    #[test]
    fn json_lines_are_read_around_bad_ones() {
        check(
            Format::Jsonl,
            "\u{feff}{\"id\":\"a\",\"n\":1}\r\n\n{\"n\":\n{\"id\":7}\n[1]\n{\"id\":null}",
            expect![[r#"
                a {"id":"a","n":1}
                in.file:3 unreadable "{\"n\":" data/in.file:3: not JSON at column 5: EOF while parsing a value
                7 {"id":7}
                in.file:5 [1]
                in.file:6 {"id":null}"#]],
        );
    }

    #[test]
    fn bytes_that_are_no_text_are_unreadable() {
        check(
            Format::Jsonl,
            b"\"\xff\"\n\"ok\"\n",
            expect![[r#"
                in.file:1 unreadable "\"�\"" data/in.file:1: not JSON at column 2: invalid unicode code point
                in.file:2 "ok""#]],
        );
        check(
            Format::Csv,
            b"id,v\n1,\xff\n2,ok\n",
            expect![[r#"
                in.file:2 unreadable "1,�" data/in.file:2: the value of `v` is not UTF-8
                2 {"id":"2","v":"ok"}"#]],
        );
        check(
            Format::Text,
            b"a\xff",
            expect![[
                r#"in.file@0 unreadable "a�" data/in.file:1: not UTF-8 text: invalid utf-8 sequence of 1 bytes from index 1"#
            ]],
        );
    }

    #[test]
    fn deep_and_long_lines_are_unreadable() {
        let deep = "[".repeat(1000);
        let long = format!("\"{}\"", "x".repeat(RECORD_MAX));
        check(
            Format::Jsonl,
            format!("{deep}\n{long}\n{{\"id\":\"next\"}}\n"),
            expect![[r#"
                in.file:1 unreadable "[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[ data/in.file:1: not JSON at column 128: recursion limit exceeded
                in.file:2 unreadable "\"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx data/in.file:2: the line is longer than 8 MiB
                next {"id":"next"}"#]],
        );
    }

    #[test]
    fn csv_rows_are_objects_of_texts() {
        check(
            Format::Csv,
            "sensor, id\ncellar,1\n\"a, \"\"b\"\"\nc\",2\nshort\nroof,3,4\noven,\n",
            expect![[r#"
                1 {"id":"1","sensor":"cellar"}
                2 {"id":"2","sensor":"a, \"b\"\nc"}
                in.file:5 unreadable "short" data/in.file:5: 1 values for 2 columns
                in.file:6 unreadable "roof,3,4" data/in.file:6: 3 values for 2 columns
                in.file:7 {"id":"","sensor":"oven"}"#]],
        );
        check(Format::Csv, "", expect![[""]]);
        check(
            Format::Csv,
            "a,a\n1,2\n",
            expect!["broken: its first line names the column `a` twice; rename one"],
        );
    }

    #[test]
    fn a_quote_left_open_ends_the_file() {
        let open = format!("id\n1\n\"{}", "x\n".repeat(RECORD_MAX));
        check(
            Format::Csv,
            open,
            expect![[r#"
                1 {"id":"1"}
                in.file:3 unreadable "" data/in.file:3: a record is longer than 8 MiB (no end in sight); is a quote left open?"#]],
        );
    }

    #[test]
    fn whole_files_are_one_event() {
        check(Format::Json, "{\"id\":\n 1}\n", expect![[r#"1 {"id":1}"#]]);
        check(
            Format::Json,
            "{",
            expect![[
                r#"in.file@0 unreadable "{" data/in.file:1: not JSON at line 1, column 1: EOF while parsing an object"#
            ]],
        );
        check(
            Format::Text,
            "two\nlines",
            expect![[r#"in.file@0 {"file":"data/in.file","text":"two\nlines"}"#]],
        );
    }

    #[test]
    fn records_that_are_done_are_skipped() {
        assert_eq!(
            cut(Format::Jsonl, b"1\nbad\n3\n4", 2),
            "in.file:3 3\nin.file:4 4"
        );
    }
}
