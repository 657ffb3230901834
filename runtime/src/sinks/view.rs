//! View: what an audience sees.

use std::future::ready;
use std::sync::Arc;

use graph_model::catalog::{
    Behaviour, Family, FieldSpec, FieldType, JqRole, KindSpec, Observation, PortSpec,
};
use graph_model::event::Event;
use graph_model::expr::Expr;
use runtime_protocol::Problem;

use crate::kind::{Build, Kind, Make};
use crate::rim::{Sink, Work};
use crate::world::World;

use super::{Outcomes, Rows, eval_key};

pub(crate) fn kind() -> Kind {
    Kind {
        spec: spec(),
        make: Make::Sink(make),
    }
}

/// Puts events where people look at them.
struct View {
    rows: Arc<Rows>,
    key: Option<Expr>,
    world: Arc<dyn World>,
}

fn make(build: &Build) -> Result<Box<dyn Sink>, Problem> {
    let keep = usize::try_from(build.whole("keep")?.max(1)).unwrap_or(usize::MAX);
    Ok(Box::new(View {
        key: build.optional_expr("key")?,
        rows: build.shared.rows(build.id, keep, build.document),
        world: Arc::clone(&build.world),
    }))
}

impl Sink for View {
    fn write<'a>(&'a mut self, events: &'a [Event]) -> Work<'a, Outcomes> {
        let now_ms = self.world.now_ms();
        let mut shown = Vec::with_capacity(events.len());
        let outcomes = events
            .iter()
            .map(|event| {
                let key = self.key.as_ref();
                let key = key
                    .map(|key| eval_key("key", key, event, now_ms))
                    .transpose()?;
                shown.push((key, event.clone()));
                Ok(None)
            })
            .collect();
        self.rows.add(shown);
        Box::pin(ready(outcomes))
    }
}

fn spec() -> KindSpec {
    KindSpec {
        id: "view".into(),
        family: Family::Sink,
        title: "View".into(),
        summary: "Shows events to an audience.".into(),
        doc: "Keeps the newest row of each key, or the newest events when there is no key. Who looks sees only what the audience and the guards before it allow.".into(),
        icon: "eye".into(),
        inputs: vec![PortSpec::data("in", "Events to show")],
        outputs: vec![],
        config: vec![FieldSpec::new("key", "Key", FieldType::Jq { role: JqRole::Key }, "The newest event of each key is shown"), FieldSpec::new("keep", "Keep", FieldType::Integer { min: 1, max: 1_000_000 }, "Rows that are kept; the oldest go first").default_to(1_000)],
        behaviour: Behaviour::Observe { observation: Observation::View },
        resource: None,
        since: "0.1.0".into(),
    }
}

#[cfg(test)]
mod tests {
    use graph_model::value;

    use super::super::testing::{Project, event, json, told};

    #[tokio::test]
    async fn views_show_the_newest_of_each_key_and_outlive_their_run() {
        let mut project = Project::new();
        let shown = |project: &Project| -> Vec<String> {
            let rows = project.shared.view(&"wall".into()).expect("has run");
            rows.rows(10)
                .iter()
                .map(|event| event.data.to_json())
                .collect()
        };
        let config = value!({"key": ".k", "keep": 2});
        let mut view = project.sink("wall", "view", &config).expect("builds");
        let events = [r#"{"k":1}"#, r#"{"k":2}"#, "{}", r#"{"k":1,"new":true}"#];
        let events = events.map(|text| event(text, json(text)));
        assert_eq!(
            told(&view.write(&events).await),
            [
                "ok",
                "ok",
                "Invalid: `key`: `.k` is null for this event; use a field that every event has",
                "ok"
            ]
        );
        let rows = [r#"{"k":2}"#, r#"{"k":1,"new":true}"#];
        assert_eq!(shown(&project), rows);
        let second = project.sink("wall", "view", &config).expect("builds");
        assert_eq!(shown(&project), rows, "instances fill the same rows");
        drop((view, second));
        assert_eq!(shown(&project), rows, "it can be read after the run");
        let _wall = project.sink("wall", "view", &config).expect("builds");
        assert!(shown(&project).is_empty(), "a new run starts with nothing");
        project.document.nodes.clear();
        project.sink("other", "view", &value!({})).expect("builds");
        assert!(project.shared.view(&"wall".into()).is_none());
    }
}
