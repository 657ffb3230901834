//! A bench for operators: makes one from a kind and its configuration, feeds it, shows what came out.

use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};

use graph_model::document::{Document, Node};
use graph_model::event::{Event, EventContext};
use graph_model::value::Value;
use runtime_protocol::Problem;
use smol_str::{SmolStr, format_smolstr};

use crate::catalog::kinds;
use crate::delivery::{Settle, Share};
use crate::kind::{Build, Make};
use crate::operator::{Context, Failure, Operator, Output, Waiting};
use crate::shared::Shared;
use crate::world::SystemWorld;

/// An operator named `node` and what a driver would hold for it.
pub(crate) struct Bench {
    operator: Box<dyn Operator>,
    ports: Vec<SmolStr>,
    /// Processing time of the next call.
    pub(crate) now_ms: i64,
    fed: u64,
}

impl Bench {
    /// Panics with the message when the kind refuses the configuration.
    pub(crate) fn new(kind: &str, config: Value) -> Bench {
        Bench::in_document(kind, config, &Document::default())
    }

    pub(crate) fn in_document(kind: &str, config: Value, document: &Document) -> Bench {
        make(kind, config, document).unwrap_or_else(|problem| panic!("{}", problem.message))
    }

    /// With what the nodes of an engine share.
    pub(crate) fn sharing(kind: &str, config: Value, shared: &Shared) -> Bench {
        make_with(kind, config, &Document::default(), shared)
            .unwrap_or_else(|problem| panic!("{}", problem.message))
    }

    /// Why the kind refuses the configuration.
    pub(crate) fn refusal(kind: &str, config: Value) -> String {
        match make(kind, config, &Document::default()) {
            Ok(_) => "taken".into(),
            Err(problem) => problem.message,
        }
    }

    /// Feeds an event with this payload, made at second 0 of the event time, and shows what came
    /// out: a line an event.
    pub(crate) fn feed(&mut self, data: Value) -> Vec<String> {
        self.feed_at(0, data)
    }

    /// Like [`Bench::feed`], at a time in milliseconds.
    pub(crate) fn feed_at(&mut self, time_ms: i64, data: Value) -> Vec<String> {
        self.feed_input(0, time_ms, data)
    }

    /// Like [`Bench::feed_at`], at the input with this number.
    pub(crate) fn feed_input(&mut self, input: usize, time_ms: i64, data: Value) -> Vec<String> {
        self.fed += 1;
        let event = event(&format!("e{}", self.fed), time_ms, data);
        let output = self.handle_at(event, input, &Share::none());
        self.show(&output)
    }

    pub(crate) fn handle(&mut self, event: Event, share: &Share) -> Output {
        self.handle_at(event, 0, share)
    }

    pub(crate) fn handle_at(&mut self, event: Event, input: usize, share: &Share) -> Output {
        let mut output = Output::default();
        let ctx = self.context(share);
        self.operator.on_event(event, input, &ctx, &mut output);
        output
    }

    /// Like [`Bench::handle`], while other events wait.
    pub(crate) fn handle_before(&mut self, event: Event, behind: &[Event]) -> Output {
        let mut output = Output::default();
        let share = Share::none();
        let ctx = Context {
            waiting: Some(&Behind(behind)),
            ..self.context(&share)
        };
        self.operator.on_event(event, 0, &ctx, &mut output);
        output
    }

    pub(crate) fn end(&mut self) -> Vec<String> {
        let mut output = Output::default();
        let share = Share::none();
        self.operator.on_end(&self.context(&share), &mut output);
        self.show(&output)
    }

    /// No event has come for as long as the operator waits.
    pub(crate) fn idle(&mut self) -> Vec<String> {
        let mut output = Output::default();
        let share = Share::none();
        self.operator.on_idle(&self.context(&share), &mut output);
        self.show(&output)
    }

    pub(crate) fn idle_ms(&self) -> Option<u64> {
        self.operator.idle_ms()
    }

    /// A line for each event: the port and the payload, or `failed` and why.
    pub(crate) fn show(&self, output: &Output) -> Vec<String> {
        let emitted = output
            .emitted
            .iter()
            .map(|(port, event)| format!("{} {}", self.ports[usize::from(*port)], event.data));
        let failed = output
            .failed
            .iter()
            .map(|(_, failure)| format!("failed {:?}: {failure}", failure.class));
        emitted.chain(failed).collect()
    }

    fn context<'c>(&self, share: &'c Share) -> Context<'c> {
        Context {
            now_ms: self.now_ms,
            random: self.fed,
            instance: 0,
            instances: 1,
            share: Some(share),
            waiting: None,
        }
    }
}

struct Behind<'e>(&'e [Event]);

impl Waiting for Behind<'_> {
    fn at(&self, place: usize) -> Option<&Event> {
        self.0.get(place)
    }
}

/// An event of the type `test` from the source `bench`.
pub(crate) fn event(id: &str, time_ms: i64, data: Value) -> Event {
    let context = EventContext {
        id: id.into(),
        source: "bench".into(),
        ty: "test".into(),
        time_ms,
        ..EventContext::default()
    };
    Event {
        context: Arc::new(context),
        data,
    }
}

/// A delivery, and whether it went well once it is settled.
pub(crate) fn delivery() -> (Share, Receiver<bool>) {
    let (told, heard) = channel();
    (Share::open(Tell(told)), heard)
}

struct Tell(Sender<bool>);

impl Settle for Tell {
    fn settle(&self, outcome: Result<(), Failure>) -> bool {
        // Some tests do not listen until the end.
        self.0.send(outcome.is_ok()).ok();
        true
    }
}

fn make(kind: &str, config: Value, document: &Document) -> Result<Bench, Problem> {
    make_with(kind, config, document, &Shared::default())
}

fn make_with(
    kind: &str,
    config: Value,
    document: &Document,
    shared: &Shared,
) -> Result<Bench, Problem> {
    let kind = kinds()
        .into_iter()
        .find(|held| held.spec.id == kind)
        .expect("the kind is registered");
    let Value::Obj(config) = config else {
        panic!("a configuration is an object");
    };
    let node = Node {
        config: Arc::unwrap_or_clone(config),
        ..Node::new(kind.spec.id.clone())
    };
    let Make::Operator(make) = kind.make else {
        panic!("the kind is an operator");
    };
    let operator = make(&Build {
        id: &"node".into(),
        node: &node,
        spec: &kind.spec,
        document,
        project: Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/..")),
        world: Arc::new(SystemWorld::new()),
        shared,
    })?;
    let ports = kind.spec.outputs_of(&node);
    Ok(Bench {
        operator,
        ports: ports
            .iter()
            .map(|port| format_smolstr!("{}", port.name))
            .collect(),
        now_ms: 0,
        fed: 0,
    })
}
