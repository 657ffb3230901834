//! The line of one designer: a WebSocket between the door and a seat.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Bytes;
use axum::extract::ws::{CloseFrame, Message, WebSocket, WebSocketUpgrade, close_code};
use axum::extract::{FromRequestParts, Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use runtime_protocol::Role;
use runtime_protocol::host::{Ask, Told};
use runtime_protocol::wire::{self, BadFrame, SUBPROTOCOL, TOKEN_PREFIX, Up};
use tokio::time::{MissedTickBehavior, interval, timeout};

use super::House;
use super::seats::Chair;
use crate::seat::Seat;

/// How long the first frame of a connection may take.
const HELLO_MAX: Duration = Duration::from_secs(5);
/// How long a frame may take to leave; a reader that is slower connects anew.
const SEND_MAX: Duration = Duration::from_secs(20);
/// How often the watched file is looked at, and the other side is asked for a sign of life.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// Looks without a sign of life after which a connection has broken.
const SILENT_LOOKS_MAX: u32 = 30;
/// Code of a connection that shows no known token.
const TURNED_AWAY: u16 = 4401;
/// Nothing that such a connection says is of interest.
const TURNED_AWAY_BYTES_MAX: usize = 1 << 10;
/// Bytes that may wait to be written beyond one frame.
const WRITE_AHEAD_MAX: usize = 128 << 10;

/// Lets a designer in who holds a token.
pub(super) async fn line(State(house): State<Arc<House>>, request: Request) -> Response {
    if !house.door.knows_origin(request.headers()) {
        return (StatusCode::FORBIDDEN, "pages of others are not served").into_response();
    }
    let Some(role) = shown_token(request.headers()).and_then(|token| house.door.role(token)) else {
        return turn_away(&house, request).await;
    };
    let (mut parts, _) = request.into_parts();
    let upgrade = match WebSocketUpgrade::from_request_parts(&mut parts, &()).await {
        Ok(upgrade) => upgrade,
        Err(refused) => return refused.into_response(),
    };
    upgrade
        .protocols([SUBPROTOCOL])
        .max_message_size(wire::FRAME_MAX)
        .max_frame_size(wire::FRAME_MAX)
        .max_write_buffer_size(wire::FRAME_MAX + WRITE_AHEAD_MAX)
        .on_upgrade(move |socket| attend(socket, house, role))
}

/// Pages learn why only from the end of a WebSocket, programs from the answer.
async fn turn_away(house: &House, request: Request) -> Response {
    let why = "the token is missing or wrong; use the link that `weir serve` printed last";
    let from_page = request.headers().contains_key(header::ORIGIN);
    if from_page && let Ok(leaving) = Arc::clone(&house.leaving).try_acquire_owned() {
        let (mut parts, _) = request.into_parts();
        if let Ok(upgrade) = WebSocketUpgrade::from_request_parts(&mut parts, &()).await {
            return upgrade
                .protocols([SUBPROTOCOL])
                .max_message_size(TURNED_AWAY_BYTES_MAX)
                .on_upgrade(move |socket| async move {
                    close(socket, TURNED_AWAY, why).await;
                    drop(leaving);
                });
        }
    }
    (StatusCode::UNAUTHORIZED, why).into_response()
}

/// The token among the subprotocols: the only header that pages can set on a WebSocket.
fn shown_token(headers: &HeaderMap) -> Option<&str> {
    headers
        .get_all(header::SEC_WEBSOCKET_PROTOCOL)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .find_map(|protocol| protocol.trim().strip_prefix(TOKEN_PREFIX))
}

async fn attend(mut socket: WebSocket, house: Arc<House>, role: Role) {
    let hello = timeout(HELLO_MAX, socket.recv()).await;
    let resume = match hello {
        Ok(Some(Ok(Message::Binary(bytes)))) => match wire::decode(&bytes) {
            Ok(Up::Hello { version, .. }) if version != wire::VERSION => {
                return refuse(socket, &BadFrame::OtherVersion(version)).await;
            }
            Ok(Up::Hello { resume, .. }) => resume,
            Ok(Up::Say { .. }) => {
                return refuse(socket, &BadFrame::OutOfTurn("the first one is a hello")).await;
            }
            Err(error) => return refuse(socket, &error).await,
        },
        Ok(Some(Ok(_))) => {
            return refuse(
                socket,
                &BadFrame::Malformed("it is no binary frame".to_owned()),
            )
            .await;
        }
        _ => return,
    };
    let Some((chair, connection)) = house.seats.sit(role, resume.as_ref()) else {
        let why = "too many designers are here; try again in a minute";
        return close(socket, close_code::AGAIN, why).await;
    };
    let welcome = chair.seat().welcome(resume.as_ref());
    let ended = converse(&mut socket, &house, &chair, connection, welcome).await;
    match ended {
        Ended::Broke => chair.leave(connection),
        Ended::Left => house.seats.give_up(&chair),
        Ended::Displaced => {}
        Ended::Misbehaved(error) => {
            house.seats.give_up(&chair);
            refuse(socket, &error).await;
        }
    }
}

/// How a conversation ended.
enum Ended {
    /// The designer may come back.
    Broke,
    /// It will not.
    Left,
    /// It came back on another connection.
    Displaced,
    Misbehaved(BadFrame),
}

async fn converse(
    socket: &mut WebSocket,
    house: &House,
    chair: &Chair,
    connection: u64,
    welcome: Vec<Vec<u8>>,
) -> Ended {
    let mut closing = house.closing.clone();
    let mut look = interval(LOOK_EVERY);
    look.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut silent_looks = 0;
    for frame in welcome {
        if !send(socket, frame).await {
            return Ended::Broke;
        }
    }
    loop {
        loop {
            if !chair.serves(connection) {
                return Ended::Displaced;
            }
            let frame = chair.seat().next_frame();
            match frame {
                Some(frame) => {
                    if !send(socket, frame).await {
                        return Ended::Broke;
                    }
                }
                None => break,
            }
        }
        tokio::select! {
            message = socket.recv() => {
                silent_looks = 0;
                match message {
                    Some(Ok(Message::Binary(bytes))) => {
                        let taken = take(&mut chair.seat(), &bytes);
                        if let Err(error) = taken {
                            return Ended::Misbehaved(error);
                        }
                    }
                    Some(Ok(Message::Text(_))) => {
                        return Ended::Misbehaved(BadFrame::Malformed("it is no binary frame".to_owned()));
                    }
                    Some(Ok(Message::Ping(_) | Message::Pong(_))) => {}
                    Some(Ok(Message::Close(told))) => {
                        let leaves = told.is_some_and(|told| told.code == close_code::NORMAL);
                        return if leaves { Ended::Left } else { Ended::Broke };
                    }
                    Some(Err(error)) if is_too_large(&error) => {
                        return Ended::Misbehaved(BadFrame::TooLarge(wire::FRAME_MAX));
                    }
                    Some(Err(_)) | None => return Ended::Broke,
                }
            }
            () = chair.wake.notified() => {}
            _ = look.tick() => {
                silent_looks += 1;
                chair.seat().look_at_files();
                if silent_looks > SILENT_LOOKS_MAX {
                    return Ended::Broke;
                }
                if silent_looks % 10 == 0
                    && !matches!(timeout(SEND_MAX, socket.send(Message::Ping(Bytes::new()))).await, Ok(Ok(())))
                {
                    return Ended::Broke;
                }
            }
            () = async { drop(closing.wait_for(|closing| *closing).await) } => return Ended::Broke,
        }
    }
}

/// Takes a frame. Of what only a desktop can do, dialogs are waited for, and the rest is not missed.
fn take(seat: &mut Seat, bytes: &[u8]) -> Result<(), BadFrame> {
    seat.take(bytes)?;
    for ask in seat.asked() {
        if matches!(ask, Ask::PickOpen | Ask::PickSave { .. }) {
            seat.tell(Told::NoDialog);
        }
    }
    Ok(())
}

/// Sends a frame; false when the connection has broken or is too slow.
async fn send(socket: &mut WebSocket, frame: Vec<u8>) -> bool {
    let sent = timeout(SEND_MAX, socket.send(Message::Binary(frame.into()))).await;
    matches!(sent, Ok(Ok(())))
}

async fn refuse(socket: WebSocket, error: &BadFrame) {
    let code = match error {
        BadFrame::TooLarge(_) => close_code::SIZE,
        BadFrame::Malformed(_) => close_code::INVALID,
        BadFrame::OutOfTurn(_) | BadFrame::OtherVersion(_) => close_code::POLICY,
    };
    close(socket, code, &error.to_string()).await;
}

/// Says why, as far as a close frame has room.
async fn close(mut socket: WebSocket, code: u16, why: &str) {
    let mut end = why.len().min(120);
    while !why.is_char_boundary(end) {
        end -= 1;
    }
    let told = CloseFrame {
        code,
        reason: why[..end].into(),
    };
    // Who is gone needs no reason.
    drop(timeout(HELLO_MAX, socket.send(Message::Close(Some(told)))).await);
    // Until the other side has read it, or for a moment.
    drop(
        timeout(HELLO_MAX, async {
            while let Some(Ok(_)) = socket.recv().await {}
        })
        .await,
    );
}

fn is_too_large(error: &axum::Error) -> bool {
    error.to_string().contains("too long") || error.to_string().contains("Space limit")
}
