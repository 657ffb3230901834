//! A flow for the tests of sources: it takes events, remembers them and settles them at once.

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use graph_model::document::{Document, Node};
use graph_model::event::Event;
use graph_model::id::NodeId;
use graph_model::value::Value;
use runtime_protocol::Problem;
use tokio::sync::watch;

use crate::kind::{Build, Kind, Make};
use crate::operator::Failure;
use crate::rim::{Feed, FeedLine, FlowClosed, Inbound, Settled, Source, Work};
use crate::shared::Shared;
use crate::world::SystemWorld;

/// Everything that a source told the flow.
#[derive(Default)]
pub(crate) struct Got {
    pub events: Vec<Event>,
    pub unreadable: Vec<(Event, String)>,
    pub troubles: Vec<String>,
    pub refused: u64,
    pub caught_up: bool,
    pub largest_batch: usize,
    stopping: bool,
}

/// What the flow answers to an event that waits to be settled; nothing keeps it waiting.
pub(crate) type Answer = fn(&Event) -> Option<Settled>;

pub(crate) struct TestFlow {
    got: watch::Sender<Got>,
    answer: Answer,
    waiting: Mutex<Vec<Inbound>>,
    /// Events that it takes; further ones find no room.
    room: usize,
}

impl TestFlow {
    /// Takes everything and settles it as safe.
    pub(crate) fn new() -> Arc<TestFlow> {
        TestFlow::answering(|_| Some(Settled::Safe))
    }

    pub(crate) fn answering(answer: Answer) -> Arc<TestFlow> {
        TestFlow::with(usize::MAX, answer)
    }

    pub(crate) fn with(room: usize, answer: Answer) -> Arc<TestFlow> {
        Arc::new(TestFlow {
            got: watch::Sender::default(),
            answer,
            waiting: Mutex::default(),
            room,
        })
    }

    pub(crate) fn feed(self: &Arc<TestFlow>) -> Feed {
        Feed {
            line: Arc::clone(self) as Arc<dyn FeedLine>,
            world: Arc::new(SystemWorld::new()),
        }
    }

    pub(crate) fn stop(&self) {
        self.got.send_modify(|got| got.stopping = true);
    }

    /// Looks at what it got.
    pub(crate) fn look<T>(&self, look: impl FnOnce(&Got) -> T) -> T {
        look(&self.got.borrow())
    }

    /// Waits until it got what the test wants.
    pub(crate) async fn until(&self, wanted: impl FnMut(&Got) -> bool) {
        let mut got = self.got.subscribe();
        let found = tokio::time::timeout(Duration::from_secs(10), got.wait_for(wanted)).await;
        assert!(
            found.is_ok(),
            "the flow did not get what the test waits for"
        );
    }

    /// Payloads of the events, in the order in which they came, as JSON.
    pub(crate) fn payloads(&self) -> Vec<String> {
        self.look(|got| {
            got.events
                .iter()
                .map(|event| event.data.to_json())
                .collect()
        })
    }

    pub(crate) fn ids(&self) -> Vec<String> {
        self.look(|got| {
            let ids = got.events.iter();
            ids.map(|event| event.context.id.to_string()).collect()
        })
    }
}

impl FeedLine for TestFlow {
    fn push(&self, events: Vec<Inbound>) -> Work<'_, Result<(), FlowClosed>> {
        Box::pin(async move {
            let mut got = self.got.subscribe();
            let room = |got: &Got| got.events.len() + events.len() <= self.room;
            got.wait_for(room).await.map_err(|_| FlowClosed)?;
            drop(got);
            self.got.send_modify(|got| {
                got.largest_batch = got.largest_batch.max(events.len());
                got.events
                    .extend(events.iter().map(|inbound| inbound.event.clone()));
            });
            for mut inbound in events {
                match (self.answer)(&inbound.event) {
                    Some(answer) => {
                        // Whoever asked may have gone away.
                        let _told = inbound.settled.take().map(|settled| settled.send(answer));
                    }
                    None => self
                        .waiting
                        .lock()
                        .unwrap_or_else(PoisonError::into_inner)
                        .push(inbound),
                }
            }
            Ok(())
        })
    }

    fn stopped(&self) -> Work<'_, ()> {
        Box::pin(async {
            let mut got = self.got.subscribe();
            got.wait_for(|got| got.stopping)
                .await
                .expect("the flow outlives its sources");
        })
    }

    fn caught_up(&self) {
        self.got.send_modify(|got| got.caught_up = true);
    }

    fn caught_up_while(&self, _still: Box<dyn Fn() -> bool + Send + Sync>) {
        self.caught_up();
    }

    fn refused(&self) {
        self.got.send_modify(|got| got.refused += 1);
    }

    fn unreadable(&self, event: Event, failure: Failure) -> Work<'_, Result<(), FlowClosed>> {
        Box::pin(async move {
            let entry = (event, failure.message.to_string());
            self.got.send_modify(|got| got.unreadable.push(entry));
            Ok(())
        })
    }

    fn trouble(&self, message: String) {
        self.got.send_modify(|got| got.troubles.push(message));
    }
}

/// A node with the config that is written as JSON.
pub(crate) fn node(kind: &Kind, config: &str) -> Node {
    let config = Value::parse(config.as_bytes(), 1 << 20).expect("the test's config is JSON");
    let mut node = Node::new(kind.spec.id.clone());
    node.config = config.as_object().expect("a config is an object").clone();
    node
}

/// Makes the source of the node `n`, alone in its document.
pub(crate) fn make(kind: &Kind, config: &str, project: &Path) -> Result<Box<dyn Source>, Problem> {
    let (document, id) = alone(kind, config);
    make_in(kind, &document, &id, project, &Shared::default())
}

/// A document with a single node.
fn alone(kind: &Kind, config: &str) -> (Document, NodeId) {
    let mut document = Document::default();
    let id = NodeId::from("n");
    document
        .nodes
        .insert(id.clone(), Arc::new(node(kind, config)));
    (document, id)
}

/// What is made of a node with this configuration.
pub(crate) fn with_build<T>(kind: &Kind, config: &str, make: impl FnOnce(&Build) -> T) -> T {
    let (document, id) = alone(kind, config);
    make(&Build {
        id: &id,
        node: &document.nodes[&id],
        spec: &kind.spec,
        document: &document,
        project: Path::new("."),
        world: Arc::new(SystemWorld::new()),
        shared: &Shared::default(),
    })
}

pub(crate) fn make_in(
    kind: &Kind,
    document: &Document,
    id: &NodeId,
    project: &Path,
    shared: &Shared,
) -> Result<Box<dyn Source>, Problem> {
    let Make::Source(make) = &kind.make else {
        panic!("{} is a source", kind.spec.id);
    };
    make(&Build {
        id,
        node: &document.nodes[id],
        spec: &kind.spec,
        document,
        project,
        world: Arc::new(SystemWorld::new()),
        shared,
    })
}

/// Runs the source to its end in a flow that takes everything.
pub(crate) async fn run(source: Box<dyn Source>) -> (Arc<TestFlow>, Result<(), Problem>) {
    let flow = TestFlow::new();
    let ended = tokio::time::timeout(Duration::from_secs(10), source.run(flow.feed())).await;
    (flow, ended.expect("the source ends"))
}

/// The message of a problem that must come.
pub(crate) fn refusal(made: Result<Box<dyn Source>, Problem>) -> String {
    made.err().expect("must be refused").message
}
