//! Recorded events from a file.

use graph_model::catalog::{
    Behaviour, Delivery, Family, FieldSpec, FieldType, KindSpec, PortSpec, ReachKind,
};
use graph_model::id::NodeId;
use runtime_protocol::Problem;

use super::records::{Ended, Format, Records};
use super::stamp::Stamp;
use crate::kind::{Build, Kind, Make};
use crate::rim::{Feed, Source, Work};

pub(crate) fn kind() -> Kind {
    Kind {
        spec: spec(),
        make: Make::Source(make),
    }
}

fn make(build: &Build) -> Result<Box<dyn Source>, Problem> {
    Ok(Box::new(Replay {
        records: records(build)?,
        rate: build.number("rate")?,
        node: build.id.clone(),
    }))
}

/// The file that the node plays.
pub(crate) fn records(build: &Build) -> Result<Records, Problem> {
    let format = build.text("format")?;
    let Some(format @ (Format::Jsonl | Format::Csv)) = Format::named(&format) else {
        return Err(build.problem(format!(
            "`format` = `{format}` is unknown; choose `jsonl` or `csv`"
        )));
    };
    let id = build.optional_text("id").map(|_| build.pointer("id"));
    Ok(Records {
        path: build.path("file")?,
        name: build.text("file")?,
        format,
        stamp: Stamp::of(build),
        id: id.transpose()?,
    })
}

struct Replay {
    records: Records,
    /// Events a second; 0 is as fast as the flow takes them.
    rate: f64,
    node: NodeId,
}

impl Source for Replay {
    fn run(self: Box<Self>, feed: Feed) -> Work<'static, Result<(), Problem>> {
        Box::pin(async move {
            let name = self.records.name.clone();
            match self.records.hand_in(&feed, self.rate, &mut 0).await {
                Ended::AtItsEnd | Ended::Early => Ok(()),
                Ended::Broken(error) => Err(Problem::at(
                    &self.node,
                    format!(
                        "`{name}` cannot be read ({error}); put it into the project folder or choose another `file`"
                    ),
                )),
            }
        })
    }
}

fn spec() -> KindSpec {
    KindSpec {
        id: "replay".into(),
        family: Family::Source,
        title: "Replay".into(),
        summary: "Plays the events of a file.".into(),
        doc: "Reads JSON Lines or CSV from the start, once for each run. Unpaced, it goes as fast as the flow takes the events.".into(),
        icon: "rewind".into(),
        inputs: vec![],
        outputs: vec![PortSpec::data("out", "One event for each record"), PortSpec::failed("Records that could not be read, with their place")],
        config: vec![FieldSpec::new("file", "File", FieldType::Path { folder: false }, "File inside the project").reaches(ReachKind::ReadFile).required(), FieldSpec::new("format", "Format", FieldType::choice(&["jsonl", "csv"]), "How the file is written").default_to("jsonl"), FieldSpec::new("rate", "Rate", FieldType::Number { min: 0.0, max: 1e7 }, "Events a second; 0 is as fast as the flow takes them").default_to(0), FieldSpec::new("event_type", "Event type", FieldType::EventType, "Type of the events, declared in the document"), FieldSpec::new("id", "Id", FieldType::Pointer, "Field that identifies the event; file and line otherwise").advanced()],
        behaviour: Behaviour::Source { ty: "event_type".into(), delivery: Delivery::Resumable, keyed_by_id: true },
        resource: None,
        since: "0.1.0".into(),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::rim::Settled;
    use crate::sources::testing::{TestFlow, make, refusal, run};

    fn project(text: &str) -> tempfile::TempDir {
        let project = tempfile::tempdir().expect("a folder");
        std::fs::write(project.path().join("in.jsonl"), text).expect("a file");
        project
    }

    #[tokio::test]
    async fn every_record_becomes_an_event() {
        let lines: String = (0..1000).map(|n| format!("{{\"n\":{n}}}\n")).collect();
        let project = project(&(lines + "{\n"));
        let source = make(&kind(), r#"{"file": "in.jsonl"}"#, project.path());
        let (flow, ended) = run(source.expect("it is made")).await;
        assert_eq!(ended, Ok(()));
        flow.look(|got| {
            assert_eq!((got.events.len(), got.largest_batch), (1000, 256));
            let last = &got.events[999];
            assert_eq!(last.data.to_json(), "{\"n\":999}");
            assert_eq!(last.context.id, "in.jsonl:1000");
            assert_eq!((&*last.context.source, &*last.context.ty), ("n", "replay"));
            assert_eq!(
                got.unreadable[0].1,
                "in.jsonl:1001: not JSON at column 1: EOF while parsing an object"
            );
        });
    }

    #[tokio::test]
    async fn the_rate_is_kept() {
        let project = project(&"1\n".repeat(40));
        let source = make(
            &kind(),
            r#"{"file": "in.jsonl", "rate": 1000}"#,
            project.path(),
        );
        let began = std::time::Instant::now();
        let (flow, _) = run(source.expect("it is made")).await;
        assert_eq!(flow.look(|got| got.events.len()), 40);
        assert!(began.elapsed().as_millis() >= 38, "{:?}", began.elapsed());
    }

    #[tokio::test]
    async fn it_stops_while_the_flow_has_no_room() {
        let project = project(&"1\n".repeat(100_000));
        let source = make(&kind(), r#"{"file": "in.jsonl"}"#, project.path());
        let flow = TestFlow::with(512, |_| Some(Settled::Safe));
        let running = tokio::spawn(source.expect("it is made").run(flow.feed()));
        flow.until(|got| got.events.len() == 512).await;
        flow.stop();
        assert_eq!(running.await.expect("it ends"), Ok(()));
        assert_eq!(Arc::clone(&flow).payloads().len(), 512);
    }

    #[tokio::test]
    async fn what_cannot_be_read_is_said() {
        let project = project("");
        std::fs::create_dir(project.path().join("folder")).expect("a folder");
        for (file, reason) in [
            ("gone.jsonl", "No such file or directory (os error 2)"),
            ("folder", "it is a folder"),
        ] {
            let config = format!("{{\"file\": \"{file}\"}}");
            let (_, ended) = run(make(&kind(), &config, project.path()).expect("it is made")).await;
            let wanted = format!(
                "`{file}` cannot be read ({reason}); put it into the project folder or choose another `file`"
            );
            assert_eq!(ended.expect_err("it cannot run").message, wanted);
        }
        for (config, wanted) in [
            ("{}", "`file` is empty"),
            (r#"{"file": "../in.jsonl"}"#, "leaves the project folder"),
            (r#"{"file": "in.jsonl", "id": "id"}"#, "`id`"),
            (
                r#"{"file": "in.jsonl", "format": "xml"}"#,
                "choose `jsonl` or `csv`",
            ),
        ] {
            let message = refusal(make(&kind(), config, project.path()));
            assert!(message.contains(wanted), "{message}");
        }
    }
}
