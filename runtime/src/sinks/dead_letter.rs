//! Dead letters: where given-up events are kept.

use std::sync::Arc;

use graph_model::catalog::{
    Behaviour, Family, FieldSpec, FieldType, KindSpec, PortSpec, ReachKind,
};
use graph_model::event::Event;
use runtime_protocol::Problem;

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

/// Writes each event with its context as a line; the driver has put the cause there.
struct DeadLetters {
    file: Arc<LineFile>,
}

fn make(build: &Build) -> Result<Box<dyn Sink>, Problem> {
    let file = lines::open(build, "file", false)?;
    Ok(Box::new(DeadLetters { file }))
}

impl Sink for DeadLetters {
    fn write<'a>(&'a mut self, events: &'a [Event]) -> Work<'a, Outcomes> {
        let (file, events) = (Arc::clone(&self.file), events.to_vec());
        Box::pin(blocking(events.len(), move || file.append_each(&events)))
    }
}

pub(super) fn spec() -> KindSpec {
    KindSpec {
        id: "dead_letter".into(),
        family: Family::Sink,
        title: "Dead letters".into(),
        summary: "Keeps events that were given up, with their cause.".into(),
        doc: "Writes each event with its context to a file, one line each; why, where and after how many attempts stands in its extension attributes `weirfailure`, `weirfailedat` and `weirattempts`. The lines are CloudEvents, so they can be replayed.".into(),
        icon: "inbox".into(),
        inputs: vec![PortSpec::data("in", "Events that were given up")],
        outputs: vec![],
        config: vec![FieldSpec::new("file", "File", FieldType::Path { folder: false }, "File inside the project").reaches(ReachKind::WriteFile).default_to("dead-letters.jsonl")],
        behaviour: Behaviour::DeadLetter,
        resource: None,
        since: "0.1.0".into(),
    }
}

#[cfg(test)]
mod tests {
    use graph_model::event::{Event, extension};
    use graph_model::value;
    use graph_model::value::Value;

    use super::super::testing::{Project, event, told};

    #[tokio::test]
    async fn lines_read_back_as_the_events() {
        let mut project = Project::new();
        let given_up = event("1", value!({"n": 1}))
            .with_extension(extension::FAILURE, "too late")
            .with_extension(extension::ATTEMPTS, "3");
        let mut letters = project
            .sink("dead", "dead_letter", &value!({}))
            .expect("builds");
        assert_eq!(
            told(&letters.write(std::slice::from_ref(&given_up)).await),
            ["ok"]
        );
        let line = Value::parse(project.text("dead-letters.jsonl").as_bytes(), 1 << 20);
        assert_eq!(Event::from_cloudevent(&line.expect("JSON")), Ok(given_up));
    }
}
