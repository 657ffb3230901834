//! Builds single sinks for tests.

use std::path::Path;
use std::sync::Arc;

use graph_model::document::{Document, Node};
use graph_model::event::{Event, EventContext};
use graph_model::id::NodeId;
use graph_model::value::Value;
use runtime_protocol::Problem;

use crate::kind::{Build, Make};
use crate::rim::Sink;
use crate::shared::Shared;
use crate::world::World;

/// A project folder with a document of sinks.
pub(super) struct Project {
    pub(super) folder: tempfile::TempDir,
    pub(super) shared: Shared,
    pub(super) document: Document,
}

/// It is always one second past 1970.
struct StillWorld;

impl World for StillWorld {
    fn now_ms(&self) -> i64 {
        1_000
    }
    fn elapsed_us(&self) -> u64 {
        0
    }
    fn random(&self) -> u64 {
        0
    }
}

impl Project {
    pub(super) fn new() -> Project {
        Project {
            folder: tempfile::tempdir().expect("a folder"),
            shared: Shared::default(),
            document: Document::default(),
        }
    }

    /// Adds a node, or changes it, and builds it.
    pub(super) fn sink(
        &mut self,
        id: &str,
        kind: &str,
        config: &Value,
    ) -> Result<Box<dyn Sink>, Problem> {
        let node = Arc::new(Node {
            kind: kind.into(),
            config: config.as_object().expect("an object").clone(),
            ..Node::default()
        });
        let id = NodeId::from(id);
        self.document.nodes.insert(id.clone(), Arc::clone(&node));
        let kinds = super::kinds();
        let kind = kinds.iter().find(|row| row.spec.id == kind);
        let kind = kind.expect("a kind of sink");
        let Make::Sink(make) = kind.make else {
            panic!("no sink")
        };
        make(&Build {
            id: &id,
            node: &node,
            spec: &kind.spec,
            document: &self.document,
            project: self.folder.path(),
            world: Arc::new(StillWorld),
            shared: &self.shared,
        })
    }

    pub(super) fn path(&self, name: &str) -> std::path::PathBuf {
        self.folder.path().join(name)
    }

    pub(super) fn text(&self, name: &str) -> String {
        read(&self.path(name))
    }
}

fn read(path: &Path) -> String {
    std::fs::read_to_string(path).expect("the file is there")
}

pub(super) fn event(id: &str, data: Value) -> Event {
    Event {
        context: Arc::new(EventContext {
            id: id.into(),
            source: "/test".into(),
            ty: "test".into(),
            ..EventContext::default()
        }),
        data,
    }
}

/// The message of each outcome; `ok` when there is none.
pub(super) fn told(outcomes: &super::Outcomes) -> Vec<String> {
    outcomes
        .iter()
        .map(|outcome| match outcome {
            Ok(_) => "ok".to_owned(),
            Err(failure) => format!("{:?}: {failure}", failure.class),
        })
        .collect()
}

pub(super) fn json(text: &str) -> Value {
    Value::parse(text.as_bytes(), 1 << 20).expect("test JSON")
}
