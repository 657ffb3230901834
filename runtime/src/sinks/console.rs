//! Console: prints events.

use std::io::{self, Write};
use std::sync::{Arc, Mutex};

use graph_model::catalog::{
    Behaviour, Family, FieldSpec, FieldType, JqRole, KindSpec, Observation, PortSpec,
};
use graph_model::event::Event;
use graph_model::expr::Expr;
use runtime_protocol::Problem;

use crate::kind::{Build, Kind, Make};
use crate::operator::Failure;
use crate::rim::{Sink, Work};
use crate::shared::lock;
use crate::world::World;

use super::{Outcomes, Rows, blocking, eval, fail_all};

pub(crate) fn kind() -> Kind {
    Kind {
        spec: spec(),
        make: Make::Sink(make),
    }
}

/// Prints events, and keeps the newest for those who look later.
struct Console {
    format: Expr,
    rows: Arc<Rows>,
    printer: Printer,
    world: Arc<dyn World>,
}

/// Where consoles print. Clones print to the same place.
#[derive(Clone, Default)]
pub struct Printer {
    out: Arc<Mutex<Option<Box<dyn Write + Send>>>>,
}

/// Printed lines that a console keeps.
const KEPT: usize = 1_000;

fn make(build: &Build) -> Result<Box<dyn Sink>, Problem> {
    Ok(Box::new(Console {
        format: build.expr("format")?,
        rows: build.shared.rows(build.id, KEPT, build.document),
        printer: build.shared.printer.clone(),
        world: Arc::clone(&build.world),
    }))
}

impl Sink for Console {
    fn write<'a>(&'a mut self, events: &'a [Event]) -> Work<'a, Outcomes> {
        let (format, now_ms) = (self.format.clone(), self.world.now_ms());
        let (printer, rows) = (self.printer.clone(), Arc::clone(&self.rows));
        let events = events.to_vec();
        Box::pin(blocking(events.len(), move || {
            let printed: Vec<_> = events
                .iter()
                .map(|event| eval("format", &format, event, now_ms))
                .collect();
            let mut lines = String::new();
            for value in printed.iter().flatten() {
                push_line(&mut lines, &value.to_text());
            }
            if let Err(error) = printer.print(&lines) {
                let failure =
                    Failure::transient(format!("the console cannot be written ({error})"));
                return fail_all(events.len(), &failure);
            }
            let kept = events.iter().zip(&printed).filter_map(|(event, printed)| {
                let printed = printed.as_ref().ok()?;
                Some((None, event.with_data(printed.clone())))
            });
            rows.add(kept);
            printed
                .into_iter()
                .map(|value| value.map(|_| None))
                .collect()
        }))
    }
}

impl Printer {
    pub(crate) fn print_to(&self, out: impl Write + Send + 'static) {
        *lock(&self.out) = Some(Box::new(out));
    }

    fn print(&self, lines: &str) -> io::Result<()> {
        let mut out = lock(&self.out);
        let Some(out) = out.as_mut() else {
            return Ok(());
        };
        out.write_all(lines.as_bytes())?;
        out.flush()
    }
}

/// One event is one line, and a payload cannot steer a terminal: control characters are escaped.
fn push_line(lines: &mut String, text: &str) {
    for c in text.chars() {
        if c.is_control() && c != '\t' {
            lines.extend(c.escape_default());
        } else {
            lines.push(c);
        }
    }
    lines.push('\n');
}

fn spec() -> KindSpec {
    KindSpec {
        id: "console".into(),
        family: Family::Sink,
        title: "Console".into(),
        summary: "Prints each event.".into(),
        doc: "One line for each event: texts as they are, everything else as JSON. The newest 1000 are kept to look at; on the command line they also go to standard output."
            .into(),
        icon: "console".into(),
        inputs: vec![PortSpec::data("in", "Events to print")],
        outputs: vec![],
        config: vec![
            FieldSpec::new(
                "format",
                "Format",
                FieldType::Jq {
                    role: JqRole::Mapping,
                },
                "What is printed",
            )
            .default_to("."),
        ],
        behaviour: Behaviour::Observe {
            observation: Observation::Console,
        },
        resource: None,
        since: "0.1.0".into(),
    }
}

#[cfg(test)]
mod tests {
    use std::io::{self, Write};
    use std::sync::{Arc, Mutex};

    use graph_model::value;

    use super::super::testing::{Project, event, json, told};

    #[derive(Clone, Default)]
    struct Paper(Arc<Mutex<Vec<u8>>>);

    impl Write for Paper {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().expect("held").write(bytes)
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[tokio::test]
    async fn events_become_lines() {
        let mut project = Project::new();
        let paper = Paper::default();
        let config = value!({"format": ".say"});
        let mut console = project.sink("log", "console", &config).expect("builds");
        console
            .write(&[event("0", json(r#"{"say":"nobody prints"}"#))])
            .await;
        project.shared.print_to(paper.clone());
        let events = [
            r#"{"say":"a\nb \u001b[2J"}"#,
            "7",
            r#"{"say":{"b":1,"a":2}}"#,
        ];
        let events = events.map(|text| event(text, json(text)));
        assert_eq!(
            told(&console.write(&events).await),
            ["ok", "Invalid: `format`: cannot index 7 with \"say\"", "ok"]
        );
        let printed = String::from_utf8(paper.0.lock().expect("held").clone()).expect("UTF-8");
        assert_eq!(printed, "a\\nb \\u{1b}[2J\n{\"a\":2,\"b\":1}\n");
        let kept = project
            .shared
            .view(&"log".into())
            .expect("has run")
            .rows(10);
        assert_eq!(kept.len(), 3);
        assert_eq!(kept[2].data, json(r#"{"a":2,"b":1}"#));
    }

    #[tokio::test]
    async fn a_broken_pipe_is_told() {
        struct Broken;
        impl Write for Broken {
            fn write(&mut self, _: &[u8]) -> io::Result<usize> {
                Err(io::ErrorKind::BrokenPipe.into())
            }
            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }
        let mut project = Project::new();
        project.shared.print_to(Broken);
        let mut console = project.sink("log", "console", &value!({})).expect("builds");
        assert_eq!(
            told(&console.write(&[event("1", value!(1))]).await),
            ["Transient: the console cannot be written (broken pipe)"]
        );
    }
}
