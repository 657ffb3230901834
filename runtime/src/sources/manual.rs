//! Events that a person hands in.

use graph_model::catalog::{Behaviour, Delivery, Family, FieldSpec, FieldType, KindSpec, PortSpec};
use runtime_protocol::Problem;

use crate::kind::{Build, Kind, Make};
use crate::rim::{Feed, Source, Work};

pub(crate) fn kind() -> Kind {
    Kind {
        spec: spec(),
        make: Make::Source(make),
    }
}

#[expect(
    clippy::unnecessary_wraps,
    reason = "the table of kinds asks for a result"
)]
fn make(_build: &Build) -> Result<Box<dyn Source>, Problem> {
    Ok(Box::new(Manual))
}

/// Has nothing of its own to send: the engine lets injected events out of it, as of any source.
struct Manual;

impl Source for Manual {
    fn run(self: Box<Self>, feed: Feed) -> Work<'static, Result<(), Problem>> {
        Box::pin(async move {
            feed.line.caught_up();
            feed.line.stopped().await;
            Ok(())
        })
    }
}

fn spec() -> KindSpec {
    KindSpec {
        id: "manual".into(),
        family: Family::Source,
        title: "Manual".into(),
        summary: "Sends the events you give it.".into(),
        doc: "Inject an event with the play button on the node, from the events panel or with `weir inject`.".into(),
        icon: "hand".into(),
        inputs: vec![],
        outputs: vec![PortSpec::data("out", "The events")],
        config: vec![FieldSpec::new("data", "Payload", FieldType::Json, "What the button sends"), FieldSpec::new("event_type", "Event type", FieldType::EventType, "Type of the events, declared in the document")],
        behaviour: Behaviour::Source { ty: "event_type".into(), delivery: Delivery::Once, keyed_by_id: true },
        resource: None,
        since: "0.1.0".into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sources::testing::{TestFlow, make};

    #[tokio::test]
    async fn it_waits_to_be_stopped() {
        let source = make(&kind(), "{}", std::path::Path::new(".")).expect("it is made");
        let flow = TestFlow::new();
        let running = tokio::spawn(source.run(flow.feed()));
        flow.until(|got| got.caught_up).await;
        assert!(!running.is_finished());
        flow.stop();
        assert_eq!(running.await.expect("it ends"), Ok(()));
    }
}
