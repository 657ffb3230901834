//! The listening side: lets in who holds the token, hands commands to the engine, streams events.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::thread::JoinHandle;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{DefaultBodyLimit, Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use graph_model::id::EdgeId;
use hyper::body::{Body as HttpBody, Frame};
use runtime_protocol::{self as protocol, Command, Notice, Problem, Transport};
use subtle::ConstantTimeEq;
use tokio::net::TcpListener;
use tokio::sync::{mpsc, watch};
use tokio::time::sleep;

use super::{Refused, Session, TOKEN_HEADER, session_path, take, write_session};

/// Makes a line to the engine.
pub type Connect = Arc<dyn Fn() -> Box<dyn Transport + Send> + Send + Sync>;

/// Largest command that is taken, in bytes.
const COMMAND_MAX: usize = 64 << 20;
/// Batches of observed events that may wait for a slow reader; then the engine thins them out.
const BATCHES_MAX: usize = 4;
/// How often a line is asked for news.
const POLL_EVERY: Duration = Duration::from_millis(10);
/// The first waits for a reply are shorter: most come at once.
const REPLY_EVERY: Duration = Duration::from_millis(1);
/// How long open connections may take to end.
const CLOSING_MAX: Duration = Duration::from_secs(1);

/// Holds a project for this process and listens for commands until it is dropped.
pub struct Control {
    session: PathBuf,
    closing: watch::Sender<bool>,
    thread: Option<JoinHandle<()>>,
    /// Given back last, when nobody listens any more.
    _lock: std::fs::File,
}

#[derive(Clone)]
struct Door {
    connect: Connect,
    token: Arc<str>,
    /// What a request may name as its host.
    hosts: Arc<[String]>,
    closing: watch::Receiver<bool>,
}

impl Control {
    /// Takes the project and listens.
    pub fn open(project: &Path, connect: Connect) -> Result<Control, Refused> {
        let lock = take(project)?;
        let no_server = |error: String| Refused::NoServer(error);
        let listener = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
            .and_then(|listener| listener.set_nonblocking(true).map(|()| listener))
            .map_err(|error| no_server(error.to_string()))?;
        let address = listener
            .local_addr()
            .map_err(|error| no_server(error.to_string()))?;
        let token = new_token().map_err(no_server)?;
        let (closing, closed) = watch::channel(false);
        let door = Door {
            connect,
            token: token.as_str().into(),
            hosts: hosts(address),
            closing: closed,
        };
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|error| no_server(error.to_string()))?;
        let thread = std::thread::Builder::new()
            .name("control".into())
            .spawn(move || runtime.block_on(serve(listener, door)))
            .map_err(|error| no_server(error.to_string()))?;
        let control = Control {
            session: session_path(project),
            closing,
            thread: Some(thread),
            _lock: lock,
        };
        write_session(
            project,
            &Session {
                version: 1,
                address,
                token,
                process: std::process::id(),
            },
        )?;
        Ok(control)
    }
}

impl Drop for Control {
    fn drop(&mut self) {
        self.closing.send_replace(true);
        if let Some(thread) = self.thread.take() {
            drop(thread.join());
        }
        // A file that stays is recognised as stale.
        drop(std::fs::remove_file(&self.session));
    }
}

/// 32 random bytes as hexadecimal digits.
pub fn new_token() -> Result<String, String> {
    use std::fmt::Write;
    let mut bytes = [0_u8; 32];
    getrandom::fill(&mut bytes).map_err(|error| error.to_string())?;
    Ok(bytes.iter().fold(String::new(), |mut token, byte| {
        write!(token, "{byte:02x}").expect("memory suffices");
        token
    }))
}

fn hosts(address: SocketAddr) -> Arc<[String]> {
    let port = address.port();
    Arc::new([format!("127.0.0.1:{port}"), format!("localhost:{port}")])
}

async fn serve(listener: std::net::TcpListener, door: Door) {
    let Ok(listener) = TcpListener::from_std(listener) else {
        return;
    };
    let mut closing = door.closing.clone();
    let router = Router::new()
        .route("/command", post(command))
        .route("/observe", post(observe))
        .layer(DefaultBodyLimit::max(COMMAND_MAX))
        .layer(middleware::from_fn_with_state(door.clone(), admit))
        .with_state(door);
    let mut ended = closing.clone();
    let server = axum::serve(listener, router).with_graceful_shutdown(async move {
        // The sender is gone: that ends the server as well.
        drop(ended.wait_for(|closing| *closing).await);
    });
    tokio::select! {
        _ = async move { server.await } => {}
        () = async move {
            drop(closing.wait_for(|closing| *closing).await);
            sleep(CLOSING_MAX).await;
        } => {}
    }
}

/// Refuses pages in a browser, whatever name they found for the loopback, and everybody without
/// the token.
async fn admit(State(door): State<Door>, request: Request, next: Next) -> Response {
    let headers = request.headers();
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let host = text(header::HOST.as_str()).unwrap_or_default();
    if !door.hosts.iter().any(|known| known == host) {
        return (StatusCode::FORBIDDEN, "this host name is not served").into_response();
    }
    if headers.contains_key(header::ORIGIN) {
        return (StatusCode::FORBIDDEN, "pages are not served").into_response();
    }
    if !holds_token(headers, &door.token) {
        return (StatusCode::UNAUTHORIZED, "the token is wrong").into_response();
    }
    next.run(request).await
}

fn holds_token(headers: &HeaderMap, token: &str) -> bool {
    let shown = headers
        .get(TOKEN_HEADER)
        .map_or(&b""[..], |value| value.as_bytes());
    shown.ct_eq(token.as_bytes()).into()
}

/// Hands one command to the engine and answers its reply.
async fn command(State(door): State<Door>, body: Bytes) -> Response {
    let command = match serde_json::from_slice::<Command>(&body) {
        Ok(command) => command,
        Err(error) => return (StatusCode::BAD_REQUEST, error.to_string()).into_response(),
    };
    let mut line = (door.connect)();
    if let Err(problem) = line.send(protocol::Request { id: 1, command }) {
        return json(&Err::<protocol::Answer, Problem>(problem));
    }
    let mut waited = Duration::ZERO;
    loop {
        for notice in line.poll() {
            if let Notice::Reply { id: 1, result } = notice {
                return json(&result);
            }
        }
        if *door.closing.borrow() {
            return json(&Err::<protocol::Answer, Problem>(Problem::new(
                "the run ended before it answered",
            )));
        }
        let wait = if waited < POLL_EVERY {
            REPLY_EVERY
        } else {
            POLL_EVERY
        };
        waited += wait;
        sleep(wait).await;
    }
}

fn json(value: &impl serde::Serialize) -> Response {
    let text = serde_json::to_vec(value).expect("protocol messages are plain data");
    ([(header::CONTENT_TYPE, "application/json")], text).into_response()
}

/// Streams what is observed on the edges, one notice a line, until either side ends.
async fn observe(State(door): State<Door>, body: Bytes) -> Response {
    let edges = match serde_json::from_slice::<Vec<EdgeId>>(&body) {
        Ok(edges) => edges,
        Err(error) => return (StatusCode::BAD_REQUEST, error.to_string()).into_response(),
    };
    let mut line = (door.connect)();
    let tap = protocol::Request {
        id: 1,
        command: Command::Tap { edges },
    };
    if let Err(problem) = line.send(tap) {
        return json(&Err::<protocol::Answer, Problem>(problem));
    }
    let (lines, waiting) = mpsc::channel(BATCHES_MAX);
    tokio::spawn(forward(line, lines, door.closing));
    let stream = Body::new(Lines { waiting });
    ([(header::CONTENT_TYPE, "application/x-ndjson")], stream).into_response()
}

async fn forward(
    mut line: Box<dyn Transport + Send>,
    lines: mpsc::Sender<Bytes>,
    closing: watch::Receiver<bool>,
) {
    let mut request = 1;
    while !lines.is_closed() {
        // Asked for before the last look, so that nothing that was seen before the end is left out.
        let last = *closing.borrow();
        for notice in line.poll() {
            if !matches!(
                notice,
                Notice::Observed { .. }
                    | Notice::Trouble { .. }
                    | Notice::Reply {
                        id: 1,
                        result: Err(_)
                    }
            ) {
                continue;
            }
            let mut text = serde_json::to_vec(&notice).expect("protocol messages are plain data");
            text.push(b'\n');
            if lines.send(text.into()).await.is_err() {
                return;
            }
            if let Notice::Observed { batch, .. } = notice {
                request += 1;
                let credit = protocol::Request {
                    id: request,
                    command: Command::Credit { batch },
                };
                if line.send(credit).is_err() {
                    return;
                }
            }
        }
        if last {
            return;
        }
        sleep(POLL_EVERY).await;
    }
}

/// A response body that grows line by line.
struct Lines {
    waiting: mpsc::Receiver<Bytes>,
}

impl HttpBody for Lines {
    type Data = Bytes;
    type Error = std::convert::Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        self.waiting
            .poll_recv(context)
            .map(|line| line.map(|line| Ok(Frame::data(line))))
    }
}
