//! Export: a file of JSON lines.

use std::sync::Arc;

use graph_model::catalog::{
    Behaviour, Family, FieldSpec, FieldType, KindSpec, Observation, PortSpec, ReachKind,
};
use graph_model::event::Event;
use runtime_protocol::Problem;

use crate::catalog::with_reliability;
use crate::kind::{Build, Kind, Make};
use crate::rim::{Sink, Work};

use super::lines::{self, LineFile};
use super::{Outcomes, blocking};

pub(crate) fn kind() -> Kind {
    Kind {
        spec: spec(),
        make: Make::Sink(make),
    }
}

/// Writes each event as a line.
struct Export {
    file: Arc<LineFile>,
    content: Content,
}

#[derive(Clone, Copy)]
enum Content {
    Payload,
    Event,
}

fn make(build: &Build) -> Result<Box<dyn Sink>, Problem> {
    let content = match &*build.text("content")? {
        "payload" => Content::Payload,
        "event" => Content::Event,
        other => {
            return Err(build.problem(format!(
                "`content` = `{other}` is not known; choose `payload` or `event`"
            )));
        }
    };
    let file = lines::open(build, "file", build.flag("truncate"))?;
    Ok(Box::new(Export { file, content }))
}

impl Sink for Export {
    fn write<'a>(&'a mut self, events: &'a [Event]) -> Work<'a, Outcomes> {
        let (file, content) = (Arc::clone(&self.file), self.content);
        if events.len() <= AT_ONCE {
            let outcomes = append(&file, content, events);
            return Box::pin(std::future::ready(outcomes));
        }
        let events = events.to_vec();
        Box::pin(blocking(events.len(), move || {
            append(&file, content, &events)
        }))
    }
}

/// Batches up to here are appended in place: handing a few lines to the operating system takes less
/// time than handing them to another thread.
const AT_ONCE: usize = 32;

fn append(file: &LineFile, content: Content, events: &[Event]) -> Outcomes {
    match content {
        Content::Payload => file.append_each(events.iter().map(|event| &event.data)),
        Content::Event => file.append_each(events),
    }
}

pub(super) fn spec() -> KindSpec {
    KindSpec {
        id: "export".into(),
        family: Family::Sink,
        title: "Export".into(),
        summary: "Appends each event to a file.".into(),
        doc: "One JSON document a line: the payload, or the whole CloudEvent. Written in batches and acknowledged once the operating system has them: lines outlive the program, also when it is killed; after a power cut the newest may be missing. Exports with the same settings may share a file.".into(),
        icon: "file".into(),
        inputs: vec![PortSpec::data("in", "Events to write")],
        outputs: vec![PortSpec::failed("Events that could not be written")],
        config: with_reliability(vec![FieldSpec::new("file", "File", FieldType::Path { folder: false }, "File inside the project").reaches(ReachKind::WriteFile).required(), FieldSpec::new("content", "Content", FieldType::choice(&["payload", "event"]), "What a line holds").default_to("payload"), FieldSpec::new("truncate", "Start empty", FieldType::Bool, "Empty the file when a run first opens it; edits of a run that goes on empty nothing").default_to(false)]),
        behaviour: Behaviour::Observe { observation: Observation::Export },
        resource: None,
        since: "0.1.0".into(),
    }
}

#[cfg(test)]
mod tests {
    use graph_model::value;

    use super::super::testing::{Project, event, told};

    #[tokio::test]
    async fn lines_are_canonical() {
        let mut project = Project::new();
        let events = [
            event("1", value!({"b": 1.0, "a": "x\n"})),
            event("2", value!(null)),
        ];
        for (config, lines) in [
            (
                value!({"file": "p.jsonl"}),
                "{\"a\":\"x\\n\",\"b\":1}\nnull\n",
            ),
            (
                value!({"file": "e.jsonl", "content": "event"}),
                concat!(
                    r#"{"data":{"a":"x\n","b":1},"datacontenttype":"application/json","id":"1","source":"/test","specversion":"1.0","time":"1970-01-01T00:00:00Z","type":"test"}"#,
                    "\n",
                    r#"{"data":null,"datacontenttype":"application/json","id":"2","source":"/test","specversion":"1.0","time":"1970-01-01T00:00:00Z","type":"test"}"#,
                    "\n"
                ),
            ),
        ] {
            let mut export = project.sink("out", "export", &config).expect("builds");
            assert_eq!(told(&export.write(&events).await), ["ok", "ok"]);
            let file = config
                .get("file")
                .and_then(|file| file.as_str())
                .expect("text");
            assert_eq!(project.text(file), lines);
        }
    }

    #[tokio::test]
    async fn a_file_starts_empty_once_and_instances_share_it() {
        let mut project = Project::new();
        std::fs::write(project.path("out.jsonl"), "old\n").expect("writes");
        let config = value!({"file": "out.jsonl", "truncate": true});
        let mut first = project.sink("out", "export", &config).expect("builds");
        assert_eq!(project.text("out.jsonl"), "");
        first.write(&[event("1", value!(1))]).await;
        let mut second = project.sink("out", "export", &config).expect("builds");
        second.write(&[event("2", value!(2))]).await;
        assert_eq!(project.text("out.jsonl"), "1\n2\n");
    }

    #[test]
    fn files_that_cannot_be_shared_or_opened_are_refused() {
        let mut project = Project::new();
        std::fs::write(project.path("a_file"), "").expect("writes");
        std::fs::create_dir(project.path("a_folder")).expect("a folder");
        project
            .sink("one", "export", &value!({"file": "one.jsonl"}))
            .expect("builds");
        for (kind, config, message) in [
            ("export", value!({"file": "./one.jsonl"}), ""),
            (
                "export",
                value!({"file": "one.jsonl", "truncate": true}),
                "`one.jsonl` is also written by `one`, in another way; choose another file for one of them",
            ),
            (
                "dead_letter",
                value!({"file": "one.jsonl"}),
                "`one.jsonl` is also written by `one`, in another way; choose another file for one of them",
            ),
            (
                "export",
                value!({"file": "../up"}),
                "leaves the project folder",
            ),
            (
                "export",
                value!({"file": "a_folder"}),
                "choose another file",
            ),
            (
                "export",
                value!({"file": "a_file/x"}),
                "choose another file",
            ),
            (
                "export",
                value!({"file": "x", "content": "?"}),
                "choose `payload` or `event`",
            ),
        ] {
            let said = project
                .sink("two", kind, &config)
                .err()
                .map(|problem| problem.message);
            let said = said.unwrap_or_default();
            assert!(
                said.contains(message) && said.is_empty() == message.is_empty(),
                "{config}: {said}"
            );
        }
    }
}
