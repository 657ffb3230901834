//! Carries the line to a server over a WebSocket, on a thread of its own.

use std::sync::mpsc::{Receiver, SyncSender, TryRecvError, sync_channel};
use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use runtime_protocol::remote::{Happened, Pipe};
use runtime_protocol::wire::{self, AHEAD_MAX, FRAME_MAX, SAID_MAX, SUBPROTOCOL, TOKEN_PREFIX};
use tokio::sync::mpsc;
use tokio::time::{sleep, timeout};
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::http::{HeaderValue, StatusCode, header};
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::tungstenite::{Error, Message};

/// How long a connection may take to come up.
const CONNECT_MAX: Duration = Duration::from_secs(10);
/// The first pause before connecting again, and the longest.
const PAUSE_MIN: Duration = Duration::from_millis(200);
const PAUSE_MAX: Duration = Duration::from_secs(5);
/// Events of the connection that wait for the window: a few frames more than may come.
const HAPPENED_MAX: usize = AHEAD_MAX + 6;

/// Where a server listens, and what lets in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Address {
    /// Name and port.
    host: String,
    token: String,
}

impl Address {
    /// Reads a link as `weir serve` prints it.
    pub(crate) fn parse(url: &str) -> Result<Address, String> {
        let wrong = |what: &str| format!("{url}: {what}; use the link that `weir serve` printed");
        let rest = url
            .strip_prefix("http://")
            .ok_or_else(|| wrong("it does not begin with http://"))?;
        let (place, token) = rest
            .split_once("#token=")
            .ok_or_else(|| wrong("the token is missing"))?;
        let host = place.split('/').next().unwrap_or_default();
        let plain = |text: &str, more: &str| {
            !text.is_empty()
                && text
                    .chars()
                    .all(|c| c.is_ascii_alphanumeric() || more.contains(c))
        };
        if !plain(host, ".-:[]") {
            return Err(wrong("it names no host"));
        }
        if !plain(token, "") {
            return Err(wrong("the token is damaged"));
        }
        Ok(Address {
            host: host.to_owned(),
            token: token.to_owned(),
        })
    }
}

/// A connection that is made again when it breaks.
pub(crate) struct SocketPipe {
    frames: mpsc::Sender<Numbered>,
    happened: Receiver<Happened>,
    /// Connections whose opening was polled.
    connection: u64,
}

/// A frame, and the number of the connection that it is for.
type Numbered = (u64, Vec<u8>);

impl SocketPipe {
    /// Connects; `wake` is called when something happened.
    pub(crate) fn open(
        address: Address,
        wake: impl Fn() + Send + 'static,
    ) -> std::io::Result<SocketPipe> {
        let (frames, to_send) = mpsc::channel(SAID_MAX);
        let (tell, happened) = sync_channel(HAPPENED_MAX);
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        let told = Teller {
            happened: tell,
            wake: Box::new(wake),
        };
        std::thread::Builder::new()
            .name("line".into())
            .spawn(move || runtime.block_on(keep_up(&address, to_send, &told)))?;
        Ok(SocketPipe {
            frames,
            happened,
            connection: 0,
        })
    }
}

impl Pipe for SocketPipe {
    fn send(&mut self, frame: Vec<u8>) {
        // What finds no room is sent again on the next connection.
        drop(self.frames.try_send((self.connection, frame)));
    }

    fn poll(&mut self) -> Option<Happened> {
        match self.happened.try_recv() {
            Ok(happened) => {
                self.connection += u64::from(happened == Happened::Opened);
                Some(happened)
            }
            Err(TryRecvError::Empty | TryRecvError::Disconnected) => None,
        }
    }
}

/// Tells the window what happens.
struct Teller {
    happened: SyncSender<Happened>,
    wake: Box<dyn Fn() + Send>,
}

impl Teller {
    /// False when the window is gone. Waits while it has not taken what came before.
    fn tell(&self, happened: Happened) -> bool {
        let told = self.happened.send(happened).is_ok();
        (self.wake)();
        told
    }
}

/// Connects again and again until the window is gone or the server turns us away.
async fn keep_up(address: &Address, mut to_send: mpsc::Receiver<Numbered>, told: &Teller) {
    let mut connection = 0;
    let mut pause = PAUSE_MIN;
    loop {
        let why = match timeout(CONNECT_MAX, connect(address)).await {
            Ok(Ok(socket)) => {
                pause = PAUSE_MIN;
                connection += 1;
                if !told.tell(Happened::Opened) {
                    return;
                }
                match carry(socket, connection, &mut to_send, told).await {
                    Some(why) => why,
                    None => return,
                }
            }
            Ok(Err(Error::Http(answer))) if refused_for_good(answer.status()) => {
                let body = answer.body().as_deref().unwrap_or_default();
                told.tell(Happened::Refused(format!(
                    "{} turned us away ({}): {}",
                    address.host,
                    answer.status(),
                    String::from_utf8_lossy(&body[..body.len().min(300)])
                )));
                return;
            }
            Ok(Err(error)) => format!("{} cannot be reached: {error}", address.host),
            Err(_) => format!("{} does not answer", address.host),
        };
        if !told.tell(Happened::Broke(why)) {
            return;
        }
        sleep(pause).await;
        pause = (pause * 2).min(PAUSE_MAX);
    }
}

fn refused_for_good(status: StatusCode) -> bool {
    status.is_client_error()
}

type Socket =
    tokio_tungstenite::WebSocketStream<tokio_tungstenite::MaybeTlsStream<tokio::net::TcpStream>>;

async fn connect(address: &Address) -> Result<Socket, Error> {
    let mut request = format!("ws://{}{}", address.host, wire::PATH).into_client_request()?;
    let protocols = format!("{SUBPROTOCOL}, {TOKEN_PREFIX}{}", address.token);
    request.headers_mut().insert(
        header::SEC_WEBSOCKET_PROTOCOL,
        HeaderValue::from_str(&protocols).map_err(|_| Error::Utf8(protocols.clone()))?,
    );
    let config = WebSocketConfig::default()
        .max_message_size(Some(FRAME_MAX))
        .max_frame_size(Some(FRAME_MAX));
    let (socket, _) =
        tokio_tungstenite::connect_async_with_config(request, Some(config), true).await?;
    Ok(socket)
}

/// Carries frames both ways; answers why the connection ended, or nothing when the window is gone.
async fn carry(
    mut socket: Socket,
    connection: u64,
    to_send: &mut mpsc::Receiver<Numbered>,
    told: &Teller,
) -> Option<String> {
    loop {
        tokio::select! {
            frame = to_send.recv() => match frame {
                // Frames for a connection before are not for this one.
                Some((number, _)) if number != connection => {}
                Some((_, frame)) => {
                    if let Err(error) = socket.send(Message::Binary(frame.into())).await {
                        return Some(error.to_string());
                    }
                }
                None => {
                    // The place is given up; a server that is gone does not mind.
                    drop(socket.close(Some(normal())).await);
                    return None;
                }
            },
            message = socket.next() => match message {
                Some(Ok(Message::Binary(bytes))) => {
                    if !told.tell(Happened::Frame(bytes.into())) {
                        return None;
                    }
                }
                Some(Ok(Message::Close(Some(close)))) if !close.reason.is_empty() => {
                    return Some(close.reason.to_string());
                }
                Some(Ok(_)) => {}
                Some(Err(error)) => return Some(error.to_string()),
                None => return Some("the server ended the connection".to_owned()),
            },
        }
    }
}

fn normal() -> tokio_tungstenite::tungstenite::protocol::CloseFrame {
    tokio_tungstenite::tungstenite::protocol::CloseFrame {
        code: tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode::Normal,
        reason: "".into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_are_read() {
        let address = Address::parse("http://127.0.0.1:8790/#token=ab12").expect("a link");
        assert_eq!(address.host, "127.0.0.1:8790");
        assert_eq!(address.token, "ab12");
        for (url, wanted) in [
            ("127.0.0.1:8790", "http://"),
            ("https://there/#token=a", "http://"),
            ("http://there/", "token is missing"),
            ("http:///#token=a", "no host"),
            ("http://user@there/#token=a", "no host"),
            ("http://there/#token=a b", "damaged"),
            ("http://there/#token=", "damaged"),
        ] {
            let refused = Address::parse(url).expect_err(url);
            assert!(refused.contains(wanted), "{refused}");
        }
    }
}
