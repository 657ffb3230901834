//! The line for commands, against a scripted engine and over real sockets.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::ops::ControlFlow;
use std::sync::{Arc, Mutex};

use graph_model::event::{Event, EventContext};
use graph_model::value::Value;
use runtime_protocol::{Answer, Command, Notice, Observed, Problem, Request, Target, Transport};

use super::server::Connect;
use super::*;

/// Answers injections, and observes one event whenever it is tapped or gets credit.
#[derive(Default)]
struct Scripted {
    notices: Vec<Notice>,
}

impl Transport for Scripted {
    fn send(&mut self, request: Request) -> Result<(), Problem> {
        let observed = |batch| Notice::Observed {
            batch,
            events: vec![Observed {
                seq: batch,
                edge: "a_to_b".into(),
                at_ms: 5,
                event: Event {
                    context: Arc::new(EventContext {
                        id: "e-1".into(),
                        source: "orders".into(),
                        ..EventContext::default()
                    }),
                    data: Value::Int(1),
                },
            }],
            skipped: 0,
        };
        self.notices.push(match request.command {
            Command::Inject { id, .. } => Notice::Reply {
                id: request.id,
                result: id
                    .map(|id| Answer::Injected { id })
                    .ok_or_else(|| Problem::at(&"orders".into(), "it has no id; give it one")),
            },
            Command::Tap { .. } => observed(1),
            Command::Credit { batch } => observed(batch + 1),
            _ => Notice::Reply {
                id: request.id,
                result: Ok(Answer::Done),
            },
        });
        Ok(())
    }

    fn poll(&mut self) -> Vec<Notice> {
        std::mem::take(&mut self.notices)
    }
}

fn connect() -> Connect {
    Arc::new(|| Box::new(Scripted::default()))
}

fn inject(id: Option<&str>) -> Command {
    Command::Inject {
        target: Target::Source("orders".into()),
        data: Value::Int(1),
        ty: None,
        id: id.map(Into::into),
    }
}

#[test]
fn commands_are_answered_and_events_followed() {
    let project = tempfile::tempdir().expect("a folder");
    let control = Control::open(project.path(), connect()).expect("open");
    let mut line = Line::open(project.path()).expect("a line");
    for id in ["e-1", "e-2"] {
        let answer = line.call(&inject(Some(id))).expect("answered");
        assert_eq!(answer, Answer::Injected { id: id.into() });
    }
    let refused = line.call(&inject(None)).expect_err("refused").to_string();
    assert_eq!(refused, "orders: it has no id; give it one");

    let mut seen = Vec::new();
    let third = line.observe(&[], |notice| {
        if let Notice::Observed { events, .. } = notice {
            seen.extend(events.into_iter().map(|observed| observed.seq));
        }
        if seen.len() < 3 {
            ControlFlow::Continue(())
        } else {
            ControlFlow::Break(())
        }
    });
    assert_eq!(
        (third.expect("observed"), &*seen),
        (Some(()), &[1, 2, 3][..])
    );

    // Who follows events when the run ends sees the end, not an error.
    let ended = Mutex::new(Some(control));
    let mut line = Line::open(project.path()).expect("a line");
    let end = line.observe(&[], |_| {
        if let Some(control) = ended.lock().expect("held once").take() {
            std::thread::spawn(move || drop(control));
        }
        ControlFlow::<()>::Continue(())
    });
    assert_eq!(end.expect("ended well"), None);
}

#[test]
fn a_project_is_run_once_and_stale_files_are_seen_through() {
    let project = tempfile::tempdir().expect("a folder");
    let open = || {
        Line::open(project.path())
            .map(drop)
            .map_err(|error| error.to_string())
    };
    assert!(
        open()
            .expect_err("nothing runs")
            .contains("nothing runs here")
    );
    let control = Control::open(project.path(), connect()).expect("open");
    let session = std::fs::read(session_path(project.path())).expect("read");
    let second = Control::open(project.path(), connect()).map(drop);
    let process = std::process::id();
    assert!(
        second
            .expect_err("busy")
            .to_string()
            .contains(&format!("(process {process})")),
        "names who runs it"
    );
    drop(control);
    assert!(
        !session_path(project.path()).exists(),
        "nothing is left behind"
    );

    // As after `kill -9`.
    std::fs::write(session_path(project.path()), &session).expect("written");
    assert!(open().expect_err("stale").contains("is gone"));
    let control = Control::open(project.path(), connect()).expect("open again");
    open().expect("a line");

    // As when another run got the port of a killed one.
    let port = read_session(project.path())
        .expect("session")
        .address
        .port();
    let mut old: Session = serde_json::from_slice(&session).expect("a session");
    old.address.set_port(port);
    let other = tempfile::tempdir().expect("a folder");
    std::fs::create_dir(other.path().join(OWN_FOLDER)).expect("made");
    write_session(other.path(), &old).expect("written");
    let mut line = Line::open(other.path()).expect("something listens");
    let error = line.call(&Command::Start).expect_err("stale").to_string();
    assert!(error.contains("is gone"), "{error}");
    drop(control);
}

#[cfg(unix)]
#[test]
fn only_the_user_can_read_the_session() {
    use std::os::unix::fs::PermissionsExt;
    let project = tempfile::tempdir().expect("a folder");
    let _control = Control::open(project.path(), connect()).expect("open");
    let path = session_path(project.path());
    let mode = std::fs::metadata(path).expect("there").permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
}

#[test]
fn a_folder_that_cannot_be_written_is_named() {
    let project = tempfile::tempdir().expect("a folder");
    std::fs::write(project.path().join(OWN_FOLDER), "in the way").expect("written");
    let error = Control::open(project.path(), connect())
        .map(drop)
        .expect_err("refused");
    let error = error.to_string();
    assert!(
        error.contains(OWN_FOLDER) && error.contains("may write to"),
        "{error}"
    );
}

#[test]
fn strangers_stay_outside() {
    let project = tempfile::tempdir().expect("a folder");
    let _control = Control::open(project.path(), connect()).expect("open");
    let Session { address, token, .. } = read_session(project.path()).expect("session");
    let status = |host: &str, token: &str, more: &str| {
        let mut stream = TcpStream::connect(address).expect("listens");
        write!(
            stream,
            "POST /command HTTP/1.1\r\nhost: {host}\r\nx-weir-token: {token}\r\n{more}\
             connection: close\r\ncontent-length: 14\r\n\r\n{{\"do\":\"start\"}}"
        )
        .expect("sent");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("answered");
        answer.split(' ').nth(1).expect("a status").to_owned()
    };
    let own = address.to_string();
    let local = format!("localhost:{}", address.port());
    let wrong = format!("{}0", &token[..token.len() - 1]);
    let wrong = if wrong == token {
        "f".repeat(64)
    } else {
        wrong
    };
    for (host, token, more, wanted) in [
        (&own, &*token, "", "200"),
        (&local, &token, "", "200"),
        (&own, "", "", "401"),
        (&own, &wrong, "", "401"),
        (&own, &token[..63], "", "401"),
        (&"evil.example".to_owned(), &token, "", "403"),
        (&"127.0.0.1".to_owned(), &token, "", "403"),
        (&own, &token, "origin: http://evil.example\r\n", "403"),
        (&own, &token, "origin: null\r\n", "403"),
    ] {
        assert_eq!(status(host, token, more), wanted, "{host} {more}");
    }
}
