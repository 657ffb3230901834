//! The server against designers and attackers, over real sockets.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use runtime::engine::{Engine, EngineConfig};
use runtime::world::SystemWorld;
use runtime_protocol::host::{Ask, Told};
use runtime_protocol::wire::{Down, Resume, SUBPROTOCOL, Said, TOKEN_PREFIX, Up, Welcome};
use runtime_protocol::{Answer, Command, Notice, Request, RunState};
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::http::HeaderValue;
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tokio_tungstenite::tungstenite::stream::MaybeTlsStream;
use tokio_tungstenite::tungstenite::{Error, Message, WebSocket, connect};

use super::*;

/// Longer than anything takes, so that only what hangs fails by it.
const PATIENCE: Duration = Duration::from_secs(30);

const FLOW: &str = r#"{"version": 1, "nodes": {
    "by_hand": {"kind": "manual"}, "out": {"kind": "console"}},
    "edges": {"e": {"from": "by_hand.out", "to": "out.in"}}}"#;

/// A served project with a real engine.
struct House {
    server: Server,
    project: tempfile::TempDir,
    _engine: Arc<Engine>,
}

impl House {
    fn new() -> House {
        let project = tempfile::tempdir().expect("a folder");
        std::fs::write(project.path().join("a.flow.json"), FLOW).expect("written");
        let web = project.path().join(".web");
        std::fs::create_dir_all(web.join("sub")).expect("a folder");
        for (name, text) in [
            ("index.html", "<html>the page</html>"),
            ("a.wasm", "plain"),
            ("a.wasm.gz", "packed"),
            ("sub/b.js", "b"),
        ] {
            std::fs::write(web.join(name), text).expect("written");
        }
        let engine = Engine::new(EngineConfig {
            project: project.path().to_path_buf(),
            world: Arc::new(SystemWorld::new()),
        });
        let engine = Arc::new(engine.expect("an engine"));
        let lines = Arc::clone(&engine);
        let server = Server::open(ServeConfig {
            listen: ([127, 0, 0, 1], 0).into(),
            hosts: vec!["tunnel.example".to_owned()],
            project: project.path().to_path_buf(),
            open: Location::new("a.flow.json"),
            bundle: Some(Bundle::read(&web).expect("a page")),
            lines: Arc::new(move |wake: Wake| {
                let line = lines.connect();
                line.wake_with(move || wake());
                Box::new(line)
            }),
        });
        House {
            server: server.expect("it listens"),
            project,
            _engine: engine,
        }
    }

    fn address(&self) -> SocketAddr {
        self.server.address()
    }

    fn sit(&self, role: Role) -> Guest {
        Guest::sit(&self.server, role, None)
    }
}

/// A designer, frame by frame.
struct Guest {
    socket: WebSocket<MaybeTlsStream<TcpStream>>,
    welcome: Welcome,
    said: u64,
    received: u64,
}

fn token(server: &Server, role: Role) -> String {
    let link = server.link(role);
    link.split_once("#token=").expect("a token").1.to_owned()
}

fn dial(
    address: SocketAddr,
    headers: &[(&'static str, &str)],
) -> Result<WebSocket<MaybeTlsStream<TcpStream>>, Error> {
    let mut request = format!("ws://{address}{}", wire::PATH)
        .into_client_request()
        .expect("an address");
    for (name, value) in headers {
        let value = HeaderValue::from_str(value).expect("a header");
        request.headers_mut().insert(*name, value);
    }
    let (socket, _) = connect(request)?;
    if let MaybeTlsStream::Plain(stream) = socket.get_ref() {
        stream.set_read_timeout(Some(PATIENCE)).expect("set");
    }
    Ok(socket)
}

fn protocols(token: &str) -> String {
    format!("{SUBPROTOCOL}, {TOKEN_PREFIX}{token}")
}

impl Guest {
    fn sit(server: &Server, role: Role, resume: Option<Resume>) -> Guest {
        let token = token(server, role);
        let headers = [("sec-websocket-protocol", &*protocols(&token))];
        let mut guest = Guest {
            socket: dial(server.address(), &headers).expect("let in"),
            welcome: Welcome::default(),
            said: 0,
            received: resume.as_ref().map_or(0, |resume| resume.received),
        };
        guest.send(&Up::Hello {
            version: wire::VERSION,
            resume,
        });
        match guest.next().expect("a welcome") {
            Down::Welcome(welcome) => guest.welcome = *welcome,
            other @ Down::Tell { .. } => panic!("{other:?}"),
        }
        guest.said = guest.welcome.taken;
        guest
    }

    fn send(&mut self, frame: &Up) {
        self.socket
            .send(Message::Binary(wire::encode(frame).into()))
            .expect("sent");
    }

    /// The next frame, or why there is none any more.
    fn next(&mut self) -> Result<Down, Option<CloseFrame>> {
        loop {
            match self.socket.read() {
                Ok(Message::Binary(bytes)) => return Ok(wire::decode(&bytes).expect("a frame")),
                Ok(Message::Close(told)) => return Err(told),
                Ok(_) => {}
                Err(_) => return Err(None),
            }
        }
    }

    fn say(&mut self, said: Said) {
        let frame = Up::Say {
            first: self.said + 1,
            drawn: self.received,
            said: vec![said],
        };
        self.said += 1;
        self.send(&frame);
    }

    /// Says it, and draws frames until `wanted` finds what it looks for.
    fn until<T>(&mut self, wanted: impl Fn(&[Notice], &[Told]) -> Option<T>) -> T {
        let since = Instant::now();
        loop {
            assert!(since.elapsed() < PATIENCE, "it comes");
            let Down::Tell {
                number,
                notices,
                told,
                ..
            } = self.next().expect("it goes on")
            else {
                panic!("a second welcome")
            };
            self.received = number;
            let frame = Up::Say {
                first: self.said + 1,
                drawn: number,
                said: Vec::new(),
            };
            self.send(&frame);
            if let Some(found) = wanted(&notices, &told) {
                return found;
            }
        }
    }

    fn call(&mut self, command: Command) -> Result<Answer, runtime_protocol::Problem> {
        let asked = self.said + 1000;
        self.say(Said::Command(Request { id: asked, command }));
        self.until(|notices, _| {
            notices.iter().find_map(|notice| match notice {
                Notice::Reply { id, result } if *id == asked => Some(result.clone()),
                _ => None,
            })
        })
    }

    fn read(&mut self, location: &str) -> Result<Vec<u8>, String> {
        self.say(Said::Ask(Ask::Read(Location::new(location))));
        self.until(|_, told| {
            told.iter().find_map(|told| match told {
                Told::Read { result, .. } => Some(result.clone().map(|held| held.bytes)),
                _ => None,
            })
        })
    }
}

/// Sends a request as it is, and answers the whole of what comes back.
fn raw(address: SocketAddr, request: &str) -> String {
    let mut stream = TcpStream::connect(address).expect("it listens");
    stream.set_read_timeout(Some(PATIENCE)).expect("set");
    stream.write_all(request.as_bytes()).expect("sent");
    let mut answer = Vec::new();
    // A connection that is cut off has answered enough.
    drop(stream.read_to_end(&mut answer));
    String::from_utf8_lossy(&answer).into_owned()
}

fn status(answer: &str) -> &str {
    answer.split(' ').nth(1).unwrap_or("none")
}

#[test]
fn an_operator_runs_a_flow_and_a_viewer_sees_it() {
    let house = House::new();
    let mut operator = house.sit(Role::Operator);
    assert_eq!(operator.welcome.role, Role::Operator);
    assert_eq!(operator.welcome.open, Some(Location::new("a.flow.json")));
    let flow = operator.read("a.flow.json").expect("read");
    assert_eq!(flow, FLOW.as_bytes());
    let flow = FLOW.to_owned();
    operator.call(Command::Deploy { flow }).expect("deployed");
    operator.call(Command::Start).expect("started");

    let mut viewer = house.sit(Role::Viewer);
    viewer.until(|notices, _| {
        let state = RunState::Running;
        notices.contains(&Notice::State { state }).then_some(())
    });
    let shown = viewer.call(Command::ReadFlow).expect("answered");
    assert!(matches!(shown, Answer::Flow { flow: Some(_), .. }));
    viewer
        .call(Command::Tap { edges: Vec::new() })
        .expect("tapped");
    let inject = Command::Inject {
        target: runtime_protocol::Target::Source("by_hand".into()),
        data: graph_model::value!({"n": 7}),
        ty: None,
        id: Some("e-7".into()),
    };
    let refused = viewer.call(inject.clone()).expect_err("a viewer");
    assert!(refused.message.contains("operator's link"));
    operator.call(inject).expect("injected");
    let id = viewer.until(|notices, _| {
        notices.iter().find_map(|notice| match notice {
            Notice::Observed { events, .. } => Some(events[0].event.context.id.clone()),
            _ => None,
        })
    });
    assert_eq!(id, "e-7");
    viewer.say(Said::Ask(Ask::Write {
        location: Location::new("a.flow.json"),
        bytes: b"{}".to_vec(),
    }));
    let refused = viewer.until(|_, told| {
        told.iter().find_map(|told| match told {
            Told::Written { result, .. } => Some(result.clone()),
            _ => None,
        })
    });
    assert!(refused.is_err());
}

#[test]
fn a_broken_connection_is_taken_up_where_it_broke() {
    let house = House::new();
    let mut guest = house.sit(Role::Operator);
    let flow = FLOW.to_owned();
    guest.call(Command::Deploy { flow }).expect("deployed");
    let resume = Resume {
        session: guest.welcome.session.clone(),
        received: guest.received,
    };
    // Said, and cut off before the answer is read.
    guest.say(Said::Command(Request {
        id: 7,
        command: Command::Start,
    }));
    let said = guest.said;
    drop(guest);
    let mut again = Guest::sit(&house.server, Role::Operator, Some(resume.clone()));
    assert!(again.welcome.resumed);
    // Both outcomes are right, and the designer knows which it was.
    if again.welcome.taken < said {
        again.say(Said::Command(Request {
            id: 7,
            command: Command::Start,
        }));
    }
    again.until(|notices, _| {
        let answered = |notice: &Notice| {
            matches!(
                notice,
                Notice::Reply {
                    id: 7,
                    result: Ok(_)
                }
            )
        };
        notices.iter().any(answered).then_some(())
    });
    // A session is for who has its role.
    let other = Guest::sit(&house.server, Role::Viewer, Some(resume));
    assert!(!other.welcome.resumed);
    assert_eq!(other.welcome.role, Role::Viewer);
    // A made-up session is a new one.
    let made_up = Resume {
        session: "0".repeat(64).into(),
        received: 99,
    };
    let fresh = Guest::sit(&house.server, Role::Operator, Some(made_up));
    assert!(!fresh.welcome.resumed);
}

#[test]
fn the_line_lets_in_who_holds_a_token_and_comes_from_here() {
    let house = House::new();
    let address = house.address();
    let token = token(&house.server, Role::Operator);
    let good = protocols(&token);
    let own = format!("http://{address}");
    let local = format!("http://localhost:{}", address.port());
    let refused = |headers: &[(&'static str, &str)]| match dial(address, headers) {
        Ok(_) => 101,
        Err(Error::Http(answer)) => answer.status().as_u16(),
        Err(other) => panic!("{other}"),
    };
    let name = "sec-websocket-protocol";
    let wrong = protocols(&"0".repeat(64));
    let short = protocols(&token[..63]);
    let long = protocols(&format!("{token}0"));
    for (headers, wanted) in [
        (&[(name, &*good)][..], 101),
        (&[(name, &good), ("origin", &own)], 101),
        (&[(name, &good), ("origin", &local)], 101),
        (&[(name, &good), ("origin", "https://tunnel.example")], 101),
        (&[], 401),
        (&[(name, SUBPROTOCOL)], 401),
        (&[(name, &wrong)], 401),
        (&[(name, &short)], 401),
        (&[(name, &long)], 401),
        (&[(name, &protocols(""))], 401),
        (&[(name, &good), ("origin", "http://evil.example")], 403),
        (&[(name, &good), ("origin", "null")], 403),
        (
            &[(name, &good), ("origin", &format!("{own}.evil.example"))],
            403,
        ),
        (&[(name, &good), ("host", "evil.example")], 403),
        (&[(name, &good), ("host", "127.0.0.1")], 403),
        (&[(name, &good), ("host", "tunnel.example")], 101),
    ] {
        assert_eq!(refused(headers), wanted, "{headers:?}");
    }
}

#[test]
fn only_the_page_is_served_and_only_under_known_names() {
    let house = House::new();
    let address = house.address();
    std::fs::write(house.project.path().join("secret.json"), "secret").expect("written");
    let ask = |line: &str, more: &str| {
        raw(
            address,
            &format!("{line} HTTP/1.1\r\nhost: {address}\r\n{more}connection: close\r\n\r\n"),
        )
    };
    let page = ask("GET /", "");
    assert_eq!(status(&page), "200");
    for wanted in [
        "the page",
        "text/html",
        "nosniff",
        "frame-ancestors 'none'",
        "no-referrer",
    ] {
        assert!(page.contains(wanted), "{wanted} in {page}");
    }
    assert!(!page.contains("access-control-allow-origin"), "{page}");
    assert!(!page.contains(&token(&house.server, Role::Operator)));
    let packed = ask("GET /a.wasm", "accept-encoding: br, gzip\r\n");
    assert!(packed.contains("content-encoding: gzip") && packed.ends_with("packed"));
    assert!(ask("GET /a.wasm", "").ends_with("plain"));
    assert_eq!(status(&ask("GET /sub/b.js", "")), "200");
    assert_eq!(status(&ask("HEAD /", "")), "200");
    for (line, wanted) in [
        ("GET /secret.json", "404"),
        ("GET /../secret.json", "404"),
        ("GET /sub/../../secret.json", "404"),
        ("GET /%2e%2e/secret.json", "404"),
        ("GET /..%2fsecret.json", "404"),
        ("GET //etc/passwd", "404"),
        ("GET /sub", "404"),
        ("GET /sub/", "404"),
        ("GET /a.flow.json", "404"),
        ("POST /", "405"),
        ("PUT /index.html", "405"),
        ("DELETE /index.html", "405"),
        ("GET /line", "401"),
        ("POST /line", "405"),
    ] {
        let answer = ask(line, "content-length: 0\r\n");
        assert_eq!(status(&answer), wanted, "{line}");
        assert!(
            !answer.contains("secret\n") && !answer.ends_with("secret"),
            "{line}"
        );
    }
    for host in ["evil.example", "127.0.0.1.evil.example", "", "127.0.0.1"] {
        let answer = raw(
            address,
            &format!("GET / HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n\r\n"),
        );
        assert_eq!(status(&answer), "403", "{host}");
    }
    let answer = raw(
        address,
        &format!(
            "GET / HTTP/1.1\r\nhost: {address}\r\nhost: evil.example\r\nconnection: close\r\n\r\n"
        ),
    );
    assert!(matches!(status(&answer), "400" | "403"), "{answer}");
}

#[test]
fn malformed_and_oversized_frames_end_their_own_connection_alone() {
    let house = House::new();
    let mut bystander = house.sit(Role::Operator);
    let oversized = vec![0; wire::FRAME_MAX + 1];
    let deep = vec![0x91; 1 << 20];
    for message in [
        Message::Text("{}".into()),
        Message::Binary(b"\xff\xff\xff".to_vec().into()),
        Message::Binary(vec![0xdd, 0xff, 0xff, 0xff, 0xff].into()),
        Message::Binary(deep.into()),
        Message::Binary(
            wire::encode(&Up::Say {
                first: 9,
                drawn: 0,
                said: Vec::new(),
            })
            .into(),
        ),
        Message::Binary(oversized.into()),
    ] {
        let mut guest = house.sit(Role::Operator);
        // The server may hang up while an oversized frame is under way.
        drop(guest.socket.send(message));
        let ended = loop {
            match guest.next() {
                Ok(_) => {}
                Err(ended) => break ended,
            }
        };
        if let Some(told) = ended {
            assert_ne!(
                u16::from(told.code),
                1000,
                "it says that something was wrong"
            );
        }
        bystander.call(Command::ReadCounters).expect("it goes on");
    }
    // Another version is named.
    let token = token(&house.server, Role::Operator);
    let headers = [("sec-websocket-protocol", &*protocols(&token))];
    let mut socket = dial(house.address(), &headers).expect("let in");
    let hello = Up::Hello {
        version: 99,
        resume: None,
    };
    socket
        .send(Message::Binary(wire::encode(&hello).into()))
        .expect("sent");
    match socket.read() {
        Ok(Message::Close(Some(told))) => assert!(told.reason.contains("version 99"), "{told}"),
        other => panic!("{other:?}"),
    }
}

#[test]
fn who_says_nothing_keeps_nobody_out() {
    let house = House::new();
    let mut bystander = house.sit(Role::Operator);
    rlimit::increase_nofile_limit(4096).expect("enough files");
    let idle: Vec<TcpStream> = (0..1000)
        .map(|_| TcpStream::connect(house.address()).expect("the system takes it"))
        .collect();
    let since = Instant::now();
    let mut late = house.sit(Role::Operator);
    late.call(Command::ReadCounters).expect("let in");
    bystander.call(Command::ReadCounters).expect("it goes on");
    assert!(since.elapsed() < PATIENCE);
    drop(idle);
}

#[test]
fn seats_are_bounded_and_those_who_left_make_room() {
    let house = House::new();
    let mut guests: Vec<Guest> = (0..64).map(|_| house.sit(Role::Operator)).collect();
    let token = token(&house.server, Role::Operator);
    let headers = [("sec-websocket-protocol", &*protocols(&token))];
    let mut late = dial(house.address(), &headers).expect("let in");
    let hello = Up::Hello {
        version: wire::VERSION,
        resume: None,
    };
    late.send(Message::Binary(wire::encode(&hello).into()))
        .expect("sent");
    match late.read() {
        Ok(Message::Close(Some(told))) => assert!(told.reason.contains("too many"), "{told}"),
        other => panic!("{other:?}"),
    }
    guests.pop();
    // How soon the server notices is its own affair.
    let since = Instant::now();
    while dial(house.address(), &headers).is_ok_and(|mut socket| {
        let sent = socket.send(Message::Binary(wire::encode(&hello).into()));
        sent.is_err() || !matches!(socket.read(), Ok(Message::Binary(_)))
    }) {
        assert!(since.elapsed() < PATIENCE, "there is room again");
    }
    guests[0].call(Command::ReadCounters).expect("it goes on");
}

#[test]
fn a_reader_that_stands_still_stops_nobody_and_costs_little() {
    let house = House::new();
    let mut operator = house.sit(Role::Operator);
    let flow = r#"{"version": 1, "nodes": {
        "many": {"kind": "generator", "config": {"rate": 20000, "data": {"n": 1}}},
        "out": {"kind": "view"}},
        "edges": {"e": {"from": "many.out", "to": "out.in"}}}"#;
    let flow = flow.to_owned();
    operator.call(Command::Deploy { flow }).expect("deployed");
    let mut still = house.sit(Role::Viewer);
    still.say(Said::Command(Request {
        id: 1,
        command: Command::Tap { edges: Vec::new() },
    }));
    operator.call(Command::Start).expect("started");
    // `still` reads and draws nothing, while the other one sees the run.
    let since = Instant::now();
    let mut seen = 0;
    while since.elapsed() < Duration::from_secs(2) || seen < 10 {
        seen += operator.until(|notices, _| {
            let counters = |notice: &&Notice| matches!(notice, Notice::Counters { .. });
            Some(notices.iter().filter(counters).count())
        });
    }
    // Two frames at most were sent ahead.
    let mut frames = 0;
    if let MaybeTlsStream::Plain(stream) = still.socket.get_ref() {
        stream.set_nonblocking(true).expect("set");
    }
    while let Ok(Message::Binary(_)) = still.socket.read() {
        frames += 1;
    }
    assert!(frames <= wire::AHEAD_MAX, "{frames}");
    operator.call(Command::Stop).expect("stopped");
}

#[test]
fn counters_are_exact_whatever_is_left_out() {
    const COUNT: u64 = 200_000;
    let house = House::new();
    let mut guest = house.sit(Role::Operator);
    let flow = format!(
        r#"{{"version": 1, "nodes": {{
        "many": {{"kind": "generator", "config": {{"rate": 100000, "count": {COUNT}}}}},
        "out": {{"kind": "view"}}}},
        "edges": {{"e": {{"from": "many.out", "to": "out.in"}}}}}}"#
    );
    guest.call(Command::Deploy { flow }).expect("deployed");
    guest
        .call(Command::Tap { edges: Vec::new() })
        .expect("tapped");
    guest.say(Said::Command(Request {
        id: 1,
        command: Command::Start,
    }));
    let (mut seen, mut left_out, mut passed) = (0, 0, 0);
    while passed < COUNT || seen + left_out < COUNT {
        let notices = guest.until(|notices, _| Some(notices.to_vec()));
        for notice in notices {
            match notice {
                Notice::Observed {
                    batch,
                    events,
                    skipped,
                } => {
                    seen += events.len() as u64;
                    left_out += skipped;
                    guest.say(Said::Command(Request {
                        id: 2,
                        command: Command::Credit { batch },
                    }));
                }
                Notice::Counters { counters } => {
                    passed = counters.edges.get("e").map_or(0, |edge| edge.passed);
                }
                _ => {}
            }
        }
    }
    assert_eq!((passed, seen + left_out), (COUNT, COUNT));
    assert!(seen > 0, "some were seen");
}

#[test]
fn a_folder_that_is_no_page_is_refused() {
    let folder = tempfile::tempdir().expect("a folder");
    let error = Bundle::read(Path::new(folder.path())).map(drop);
    assert!(error.expect_err("empty").to_string().contains(".ci/web"));
}
