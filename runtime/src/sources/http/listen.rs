//! Listeners that endpoints share, and who answers which path.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;

use axum::handler::Handler;
use axum::http::Method;
use smol_str::SmolStr;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{oneshot, watch};

use super::Endpoint;
use crate::shared::{Shared, lock};

/// How long a request waits for an endpoint that is about to be there.
const SOON: Duration = Duration::from_secs(2);

/// An address that is listened on as long as an endpoint wants it.
pub(crate) struct Listener {
    pub(super) address: SocketAddr,
    board: Arc<Board>,
    /// Until the first endpoint goes live: connections wait in the system's queue.
    bound: Mutex<Option<std::net::TcpListener>>,
    /// Its end closes the listener.
    closing: watch::Sender<()>,
    closed: Mutex<Option<oneshot::Receiver<()>>>,
}

/// Who answers which path.
#[derive(Default)]
pub(super) struct Board {
    claims: RwLock<Vec<Claim>>,
    changed: watch::Sender<()>,
    last_claim: AtomicU64,
    /// The listener is about to close: on connections that are open still, senders are told to come
    /// again, not that nobody is here.
    leaving: AtomicBool,
}

/// A path that an endpoint answers, or is going to.
struct Claim {
    id: u64,
    path: SmolStr,
    methods: Methods,
    stage: Stage,
}

enum Stage {
    Starting,
    Live(Arc<Endpoint>),
    Stopping,
}

/// What is at a path.
pub(super) enum Found {
    Live(Arc<Endpoint>),
    Starting,
    Stopping,
    OtherMethod(&'static str),
    Nothing,
}

/// The methods that an endpoint answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Methods {
    Get,
    Post,
    Put,
    Any,
}

impl Methods {
    pub(super) fn named(name: &str) -> Option<Methods> {
        Some(match name {
            "GET" => Methods::Get,
            "POST" => Methods::Post,
            "PUT" => Methods::Put,
            "ANY" => Methods::Any,
            _ => return None,
        })
    }

    pub(super) fn overlap(self, other: Methods) -> bool {
        self == other || self == Methods::Any || other == Methods::Any
    }

    fn include(self, method: &Method) -> bool {
        match self {
            Methods::Any => true,
            Methods::Get => method == Method::GET,
            Methods::Post => method == Method::POST,
            Methods::Put => method == Method::PUT,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Methods::Any => "*",
            Methods::Get => "GET",
            Methods::Post => "POST",
            Methods::Put => "PUT",
        }
    }
}

/// An endpoint's hold on its path; let go when it is dropped.
pub(super) struct Hold {
    listener: Arc<Listener>,
    claim: u64,
}

impl Listener {
    /// The listener of this address; bound now when it is not yet there.
    pub(super) fn get(shared: &Shared, listen: &str) -> Result<Arc<Listener>, String> {
        let address = address(listen).ok_or_else(|| {
            format!("`listen` = `{listen}` is no address; write it like `127.0.0.1:8787`")
        })?;
        let key = address.to_string();
        shared.listeners.get(Path::new(&key), || {
            Listener::bind(address).map_err(|error| match error.kind() {
                io::ErrorKind::AddrInUse => format!(
                    "{address} is in use by another program; stop it or choose another port in `listen`"
                ),
                io::ErrorKind::PermissionDenied => format!(
                    "listening on {address} is not permitted; choose a port above 1023 in `listen`"
                ),
                io::ErrorKind::AddrNotAvailable => format!(
                    "{address} is no address of this machine; choose another in `listen`"
                ),
                _ => format!("cannot listen on {address} ({error}); choose another in `listen`"),
            })
        })
    }

    fn bind(address: SocketAddr) -> io::Result<Listener> {
        let bound = std::net::TcpListener::bind(address)?;
        bound.set_nonblocking(true)?;
        Ok(Listener {
            address: bound.local_addr()?,
            board: Arc::default(),
            bound: Mutex::new(Some(bound)),
            closing: watch::Sender::default(),
            closed: Mutex::default(),
        })
    }

    /// Lays claim to a path. Of several claims the latest one that is live answers.
    pub(super) fn claim(self: Arc<Listener>, path: SmolStr, methods: Methods) -> Hold {
        let id = self.board.last_claim.fetch_add(1, Ordering::Relaxed);
        self.board.leaving.store(false, Ordering::Relaxed);
        self.board.change(|claims| {
            claims.push(Claim {
                id,
                path,
                methods,
                stage: Stage::Starting,
            });
        });
        Hold {
            listener: self,
            claim: id,
        }
    }

    fn serve(&self) -> io::Result<()> {
        let Some(bound) = lock(&self.bound).take() else {
            return Ok(()); // somebody else began already
        };
        let (closed, told) = oneshot::channel();
        let socket = Socket {
            listener: TcpListener::from_std(bound)?,
            _closed: closed,
        };
        *lock(&self.closed) = Some(told);
        let mut closing = self.closing.subscribe();
        let service = super::answer.with_state(Arc::clone(&self.board));
        let served = axum::serve(socket, service).with_graceful_shutdown(async move {
            // Fails when the listener is dropped, which is what is waited for.
            let _dropped = closing.changed().await;
        });
        tokio::spawn(served.into_future());
        Ok(())
    }

    /// Stops listening; resolves when the address is free. Requests under way are still answered.
    async fn close(self) {
        drop(self.closing);
        let closed = lock(&self.closed).take();
        if let Some(closed) = closed {
            // Fails when the socket is dropped, which is what is waited for.
            let _dropped = closed.await;
        }
    }
}

impl Hold {
    pub(super) fn go_live(&self, endpoint: Arc<Endpoint>) -> io::Result<()> {
        self.enter(Stage::Live(endpoint));
        self.listener.serve()
    }

    /// New requests are sent away from now on.
    pub(super) fn stop(&self) {
        self.enter(Stage::Stopping);
    }

    fn enter(&self, stage: Stage) {
        self.listener.board.change(|claims| {
            let claim = claims.iter_mut().find(|claim| claim.id == self.claim);
            claim.expect("a hold has a claim").stage = stage;
        });
    }

    pub(super) fn address(&self) -> SocketAddr {
        self.listener.address
    }

    /// Lets go; when nobody else holds on to the listener, it is closed.
    pub(super) async fn release(self) {
        if Arc::strong_count(&self.listener) == 1 {
            self.listener.board.leaving.store(true, Ordering::Relaxed);
        }
        let listener = Arc::clone(&self.listener);
        drop(self);
        if let Some(listener) = Arc::into_inner(listener) {
            listener.close().await;
        }
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        let gone = |claim: &mut Claim| claim.id != self.claim;
        self.listener.board.change(|claims| claims.retain_mut(gone));
    }
}

impl Board {
    /// What is at the path. Waits a moment for an endpoint that is about to be there.
    pub(super) async fn find(&self, path: &str, method: &Method) -> Found {
        let found = self.look(path, method);
        if !matches!(found, Found::Starting) {
            return found;
        }
        let mut changed = self.changed.subscribe();
        let settled = async {
            loop {
                let found = self.look(path, method);
                if !matches!(found, Found::Starting) || changed.changed().await.is_err() {
                    return found;
                }
            }
        };
        let waited = tokio::time::timeout(SOON, settled).await;
        waited.unwrap_or(Found::Starting)
    }

    fn look(&self, path: &str, method: &Method) -> Found {
        let claims = self.claims.read().unwrap_or_else(PoisonError::into_inner);
        let mut best = if self.leaving.load(Ordering::Relaxed) {
            Found::Stopping
        } else {
            Found::Nothing
        };
        for claim in claims.iter().filter(|claim| claim.path == path) {
            if !claim.methods.include(method) {
                if matches!(best, Found::Nothing) {
                    best = Found::OtherMethod(claim.methods.name());
                }
                continue;
            }
            match &claim.stage {
                Stage::Live(endpoint) => best = Found::Live(Arc::clone(endpoint)),
                Stage::Starting if !matches!(best, Found::Live(_)) => best = Found::Starting,
                Stage::Stopping if matches!(best, Found::Nothing | Found::OtherMethod(_)) => {
                    best = Found::Stopping;
                }
                Stage::Starting | Stage::Stopping => {}
            }
        }
        best
    }

    fn change(&self, change: impl FnOnce(&mut Vec<Claim>)) {
        change(&mut self.claims.write().unwrap_or_else(PoisonError::into_inner));
        self.changed.send_replace(());
    }
}

/// Accepts connections; tells when it is gone.
struct Socket {
    listener: TcpListener,
    _closed: oneshot::Sender<()>,
}

impl axum::serve::Listener for Socket {
    type Io = TcpStream;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (TcpStream, SocketAddr) {
        let accepted = axum::serve::Listener::accept(&mut self.listener).await;
        // Answers are small and whole; without this they may only be slower.
        let _slower = accepted.0.set_nodelay(true);
        accepted
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }
}

/// Reads `127.0.0.1:8787`, `[::1]:8787`, `localhost:8787`, `:8787` or `8787`: on this machine
/// unless told otherwise.
pub(super) fn address(listen: &str) -> Option<SocketAddr> {
    let listen = listen.trim();
    if let Ok(address) = listen.parse() {
        return Some(address);
    }
    let port = listen
        .strip_prefix("localhost:")
        .or(listen.strip_prefix(':'))
        .unwrap_or(listen);
    let port = port.parse().ok()?;
    Some(SocketAddr::from((Ipv4Addr::LOCALHOST, port)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_on_this_machine_unless_told_otherwise() {
        for (listen, wanted) in [
            ("127.0.0.1:8787", Some("127.0.0.1:8787")),
            ("0.0.0.0:1", Some("0.0.0.0:1")),
            ("[::1]:8787", Some("[::1]:8787")),
            ("localhost:80", Some("127.0.0.1:80")),
            (":80", Some("127.0.0.1:80")),
            ("80", Some("127.0.0.1:80")),
            ("example.com:80", None),
            ("127.0.0.1", None),
            ("127.0.0.1:70000", None),
        ] {
            let wanted = wanted.map(|text| text.parse().expect("an address"));
            assert_eq!(address(listen), wanted, "{listen}");
        }
    }
}
