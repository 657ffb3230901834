//! Serves a project to designers elsewhere: the designer's page, and the line to the engine.
//!
//! It listens on the loopback unless told otherwise. The page is public; the line lets in who holds a
//! token, and only from the page itself or from a program that is no browser.

mod bundle;
mod room;
mod seats;
mod socket;
#[cfg(test)]
mod tests;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use axum::Router;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use runtime_protocol::host::Location;
use runtime_protocol::{Role, Transport, wire};
use subtle::ConstantTimeEq;
use tokio::sync::{Semaphore, watch};

use self::seats::Seats;
use crate::control::new_token;

pub use self::bundle::Bundle;

/// Tells that a line has news.
pub type Wake = Arc<dyn Fn() + Send + Sync>;
/// Makes a line to the engine that tells when it has news.
pub type Lines = Arc<dyn Fn(Wake) -> Box<dyn Transport + Send> + Send + Sync>;

/// Pages that are told at once why they are turned away; further ones get a bare answer.
const LEAVING_MAX: usize = 16;
/// How long open connections may take to end.
const CLOSING_MAX: Duration = Duration::from_secs(1);

/// What is served, and where.
pub struct ServeConfig {
    pub listen: SocketAddr,
    /// Names under which requests may come, beside those of this machine.
    pub hosts: Vec<String>,
    /// The folder whose flows designers may open and save.
    pub project: PathBuf,
    /// The flow that they see first.
    pub open: Location,
    /// The designer's page; without one only programs can attach.
    pub bundle: Option<Bundle>,
    pub lines: Lines,
}

/// Listens until it is dropped.
pub struct Server {
    address: SocketAddr,
    operator: String,
    viewer: String,
    closing: watch::Sender<bool>,
    thread: Option<JoinHandle<()>>,
}

/// Who may come in, and what for.
struct Door {
    /// What a request may name as its host.
    hosts: Vec<String>,
    operator: String,
    viewer: String,
}

/// What requests are answered from.
struct House {
    door: Door,
    bundle: Option<Bundle>,
    seats: Arc<Seats>,
    /// Room for pages that are told why they are turned away.
    leaving: Arc<Semaphore>,
    closing: watch::Receiver<bool>,
}

impl Server {
    /// Listens; an error says why it cannot.
    pub fn open(config: ServeConfig) -> Result<Server, String> {
        let ServeConfig {
            listen,
            hosts,
            project,
            open,
            bundle,
            lines,
        } = config;
        let taken = |error: std::io::Error| {
            format!("cannot listen on {listen} ({error}); choose another address with --listen")
        };
        let listener = std::net::TcpListener::bind(listen).map_err(taken)?;
        listener.set_nonblocking(true).map_err(taken)?;
        let address = listener.local_addr().map_err(taken)?;
        let (operator, viewer) = (new_token()?, new_token()?);
        let (closing, closed) = watch::channel(false);
        let house = Arc::new(House {
            door: Door {
                hosts: own_names(address, hosts),
                operator: operator.clone(),
                viewer: viewer.clone(),
            },
            bundle,
            seats: Arc::new(Seats::new(project, open, lines)),
            leaving: Arc::new(Semaphore::new(LEAVING_MAX)),
            closing: closed.clone(),
        });
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .thread_name("serve")
            .build()
            .map_err(|error| format!("no threads could be started: {error}"))?;
        let thread = std::thread::Builder::new()
            .name("serve".into())
            .spawn(move || {
                runtime.block_on(serve(listener, house, closed));
                runtime.shutdown_timeout(CLOSING_MAX);
            })
            .map_err(|error| format!("no threads could be started: {error}"))?;
        Ok(Server {
            address,
            operator,
            viewer,
            closing,
            thread: Some(thread),
        })
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The link that lets in with this role. The token stands where browsers send it to nobody.
    pub fn link(&self, role: Role) -> String {
        let token = match role {
            Role::Operator => &self.operator,
            Role::Viewer => &self.viewer,
        };
        format!("http://{}/#token={token}", self.address)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.closing.send_replace(true);
        if let Some(thread) = self.thread.take() {
            drop(thread.join());
        }
    }
}

fn own_names(address: SocketAddr, further: Vec<String>) -> Vec<String> {
    let port = address.port();
    let mut names = vec![address.to_string()];
    for name in ["127.0.0.1", "localhost", "[::1]"] {
        names.push(format!("{name}:{port}"));
        if port == 80 {
            names.push(name.to_owned());
        }
    }
    names.extend(further.into_iter().map(|name| name.to_ascii_lowercase()));
    names
}

async fn serve(
    listener: std::net::TcpListener,
    house: Arc<House>,
    mut closing: watch::Receiver<bool>,
) {
    let Ok(listener) = tokio::net::TcpListener::from_std(listener) else {
        return;
    };
    let seats = Arc::clone(&house.seats);
    let router = Router::new()
        .route(wire::PATH, get(socket::line))
        .fallback(page)
        .layer(middleware::from_fn_with_state(Arc::clone(&house), admit))
        .with_state(house);
    tokio::select! {
        () = room::receive(listener, router) => {}
        () = seats.tidy() => {}
        // The sender is gone: that ends the server as well.
        () = async { drop(closing.wait_for(|closing| *closing).await) } => {}
    }
}

/// Turns away requests under a foreign name, as after DNS rebinding, and says to browsers what pages
/// may do with the answers.
async fn admit(State(house): State<Arc<House>>, request: Request, next: Next) -> Response {
    let mut answer = if house.door.knows_host(request.headers()) {
        next.run(request).await
    } else {
        let why = "this host name is not served; name it with `weir serve --host`";
        (StatusCode::FORBIDDEN, why).into_response()
    };
    for (name, value) in [
        ("content-security-policy", "frame-ancestors 'none'"),
        ("cross-origin-opener-policy", "same-origin"),
        ("cross-origin-resource-policy", "same-origin"),
        ("referrer-policy", "no-referrer"),
        ("x-content-type-options", "nosniff"),
        ("x-frame-options", "DENY"),
    ] {
        let name = HeaderName::from_static(name);
        answer
            .headers_mut()
            .insert(name, HeaderValue::from_static(value));
    }
    answer
}

/// A file of the designer's page. Only what was read at the start is there, by its exact name.
async fn page(State(house): State<Arc<House>>, request: Request) -> Response {
    if !matches!(*request.method(), Method::GET | Method::HEAD) {
        let allow = [(header::ALLOW, "GET, HEAD")];
        return (
            StatusCode::METHOD_NOT_ALLOWED,
            allow,
            "only pages are served",
        )
            .into_response();
    }
    let path = request.uri().path();
    match &house.bundle {
        Some(bundle) => bundle.answer(path, request.headers()),
        None if path == "/" => {
            "The designer for browsers is not built: build it with .ci/web and serve again, \
             or open this link with `weir attach`.\n"
                .into_response()
        }
        None => StatusCode::NOT_FOUND.into_response(),
    }
}

impl Door {
    fn knows_host(&self, headers: &HeaderMap) -> bool {
        let mut named = headers.get_all(header::HOST).iter();
        let (Some(host), None) = (named.next(), named.next()) else {
            return false;
        };
        let host = host.to_str().unwrap_or_default();
        self.hosts
            .iter()
            .any(|name| name.eq_ignore_ascii_case(host))
    }

    /// Pages of others have no business on the line, even if they know a token. A program that is no
    /// browser names no origin.
    fn knows_origin(&self, headers: &HeaderMap) -> bool {
        headers.get_all(header::ORIGIN).iter().all(|origin| {
            let origin = origin.to_str().unwrap_or_default();
            let host = origin
                .strip_prefix("http://")
                .or_else(|| origin.strip_prefix("https://"));
            host.is_some_and(|host| {
                self.hosts
                    .iter()
                    .any(|name| name.eq_ignore_ascii_case(host))
            })
        })
    }

    /// The role that a token gives.
    fn role(&self, token: &str) -> Option<Role> {
        let is = |known: &str| bool::from(token.as_bytes().ct_eq(known.as_bytes()));
        // Both are compared in every case, so that the time tells nothing.
        match (is(&self.operator), is(&self.viewer)) {
            (true, _) => Some(Role::Operator),
            (_, true) => Some(Role::Viewer),
            _ => None,
        }
    }
}
