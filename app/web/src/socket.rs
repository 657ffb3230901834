//! Carries the line to the server of this page over a WebSocket, and connects again when it breaks.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::rc::Rc;

use js_sys::{Array, ArrayBuffer, Uint8Array};
use runtime_protocol::remote::{Happened, Pipe};
use runtime_protocol::wire::{self, AHEAD_MAX, SUBPROTOCOL, TOKEN_PREFIX};
use wasm_bindgen::JsCast;
use wasm_bindgen::closure::Closure;
use web_sys::{BinaryType, CloseEvent, Event, MessageEvent, WebSocket};

use crate::dom;

/// The first pause before connecting again, and the longest, in milliseconds.
const PAUSE_MIN: i32 = 200;
const PAUSE_MAX: i32 = 5_000;
/// What may wait to be drawn: a few frames more than may come.
const HAPPENED_MAX: usize = AHEAD_MAX + 6;
/// The server closes with this code when it does not know the token.
const TURNED_AWAY: u16 = 4401;

/// A connection that is made again when it breaks.
pub(crate) struct Socket(Rc<Inner>);

struct Inner {
    ctx: egui::Context,
    token: String,
    state: RefCell<State>,
}

struct State {
    socket: Option<WebSocket>,
    happened: VecDeque<Happened>,
    /// The opening of the latest connection was polled.
    polled: bool,
    pause: i32,
}

impl Socket {
    pub(crate) fn open(ctx: egui::Context, token: String) -> Socket {
        let inner = Rc::new(Inner {
            ctx,
            token,
            state: RefCell::new(State {
                socket: None,
                happened: VecDeque::new(),
                polled: false,
                pause: PAUSE_MIN,
            }),
        });
        inner.connect();
        Socket(inner)
    }
}

impl Pipe for Socket {
    fn send(&mut self, frame: Vec<u8>) {
        let state = self.0.state.borrow();
        if let (Some(socket), true) = (&state.socket, state.polled) {
            // What does not arrive is sent again on the next connection.
            drop(socket.send_with_u8_array(&frame));
        }
    }

    fn poll(&mut self) -> Option<Happened> {
        let mut state = self.0.state.borrow_mut();
        let happened = state.happened.pop_front();
        state.polled |= happened == Some(Happened::Opened);
        happened
    }
}

impl Inner {
    fn connect(self: &Rc<Inner>) {
        let place = dom::window().location();
        let scheme = match place.protocol().as_deref() {
            Ok("https:") => "wss",
            _ => "ws",
        };
        let url = format!(
            "{scheme}://{}{}",
            place.host().unwrap_or_default(),
            wire::PATH
        );
        let protocols = Array::of2(
            &SUBPROTOCOL.into(),
            &format!("{TOKEN_PREFIX}{}", self.token).into(),
        );
        let socket = match WebSocket::new_with_str_sequence(&url, &protocols) {
            Ok(socket) => socket,
            Err(error) => {
                let why = format!("{}; open the link again", dom::text_of(&error));
                return self.tell(Happened::Refused(why));
            }
        };
        socket.set_binary_type(BinaryType::Arraybuffer);
        let inner = Rc::clone(self);
        dom::listen(&socket, "open", move |_: Event| {
            inner.state.borrow_mut().pause = PAUSE_MIN;
            inner.tell(Happened::Opened);
        });
        let inner = Rc::clone(self);
        dom::listen(&socket, "message", move |event: MessageEvent| {
            if let Ok(buffer) = event.data().dyn_into::<ArrayBuffer>() {
                inner.tell(Happened::Frame(Uint8Array::new(&buffer).to_vec()));
            }
        });
        let inner = Rc::clone(self);
        dom::listen(&socket, "close", move |event: CloseEvent| {
            inner.closed(&event);
        });
        let mut state = self.state.borrow_mut();
        state.polled = false;
        state.socket = Some(socket);
    }

    fn closed(self: &Rc<Inner>, event: &CloseEvent) {
        self.state.borrow_mut().socket = None;
        if event.code() == TURNED_AWAY {
            return self.tell(Happened::Refused(event.reason()));
        }
        let why = match event.reason() {
            reason if reason.is_empty() => "the server does not answer".to_owned(),
            reason => reason,
        };
        self.tell(Happened::Broke(why));
        let pause = {
            let mut state = self.state.borrow_mut();
            let pause = state.pause;
            state.pause = (pause * 2).min(PAUSE_MAX);
            pause
        };
        let inner = Rc::clone(self);
        let again = Closure::once_into_js(move || inner.connect());
        // A browser that gives no timer any more closes the page.
        drop(
            dom::window().set_timeout_with_callback_and_timeout_and_arguments_0(
                again.unchecked_ref(),
                pause,
            ),
        );
    }

    fn tell(&self, happened: Happened) {
        let mut state = self.state.borrow_mut();
        if state.happened.len() >= HAPPENED_MAX {
            // More than was asked for: the connection is given up, and a new one begins in order.
            if let Some(socket) = &state.socket {
                drop(socket.close());
            }
            state
                .happened
                .retain(|held| !matches!(held, Happened::Frame(_)));
        }
        state.happened.push_back(happened);
        drop(state);
        self.ctx.request_repaint();
    }
}
