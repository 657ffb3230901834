//! Carries the line to the desktop shell around this page: commands in, one ordered channel out.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::rc::Rc;

use js_sys::futures::spawn_local;
use js_sys::{ArrayBuffer, Object, Promise, Reflect, Uint8Array};
use runtime_protocol::remote::{Happened, Pipe};
use wasm_bindgen::closure::Closure;
use wasm_bindgen::prelude::wasm_bindgen;
use wasm_bindgen::{JsCast, JsValue};

use crate::dom;

#[wasm_bindgen]
extern "C" {
    type Channel;
    #[wasm_bindgen(constructor, js_namespace = ["window", "__TAURI__", "core"])]
    fn new() -> Channel;
    #[wasm_bindgen(method, setter)]
    fn set_onmessage(this: &Channel, take: &JsValue);

    #[wasm_bindgen(catch, js_namespace = ["window", "__TAURI__", "core"], js_name = invoke)]
    fn promise(command: &str, arguments: &JsValue) -> Result<Promise, JsValue>;
}

async fn invoke(command: &str, arguments: &JsValue) -> Result<JsValue, JsValue> {
    promise(command, arguments)?.await
}

/// Whether this page is in the window of the desktop shell.
pub(crate) fn is_there() -> bool {
    Reflect::has(&dom::window(), &"__TAURI__".into()).unwrap_or_default()
}

/// The line to the shell. It breaks only with the shell itself.
pub(crate) struct Bridge(Rc<Inner>);

struct Inner {
    ctx: egui::Context,
    happened: RefCell<VecDeque<Happened>>,
    to_send: RefCell<VecDeque<Vec<u8>>>,
    /// A frame is on its way. They go one by one, for calls may overtake each other.
    sending: Cell<bool>,
}

impl Bridge {
    pub(crate) fn open(ctx: egui::Context) -> Bridge {
        let inner = Rc::new(Inner {
            ctx,
            happened: RefCell::default(),
            to_send: RefCell::default(),
            sending: Cell::new(false),
        });
        let channel = Channel::new();
        let taker = Rc::clone(&inner);
        let take = Closure::<dyn Fn(JsValue)>::new(move |message: JsValue| {
            if let Some(frame) = bytes_of(&message) {
                taker.tell(Happened::Frame(frame));
            }
        });
        // Both live as long as the page.
        channel.set_onmessage(&take.into_js_value());
        let opener = Rc::clone(&inner);
        spawn_local(async move {
            let arguments = Object::new();
            let set = Reflect::set(&arguments, &"channel".into(), &channel);
            let opened = match set {
                Ok(_) => invoke("open", &arguments).await,
                Err(error) => Err(error),
            };
            opener.tell(match opened {
                Ok(_) => Happened::Opened,
                Err(error) => Happened::Refused(format!(
                    "the program around this window does not answer ({}); start it again",
                    dom::text_of(&error)
                )),
            });
        });
        Bridge(inner)
    }
}

impl Pipe for Bridge {
    fn send(&mut self, frame: Vec<u8>) {
        self.0.to_send.borrow_mut().push_back(frame);
        if self.0.sending.replace(true) {
            return;
        }
        let inner = Rc::clone(&self.0);
        spawn_local(async move {
            loop {
                let Some(frame) = inner.to_send.borrow_mut().pop_front() else {
                    break;
                };
                if let Err(error) = invoke("say", &Uint8Array::from(&*frame)).await {
                    inner.tell(Happened::Refused(dom::text_of(&error)));
                    break;
                }
            }
            inner.sending.set(false);
        });
    }

    fn poll(&mut self) -> Option<Happened> {
        self.0.happened.borrow_mut().pop_front()
    }
}

impl Inner {
    fn tell(&self, happened: Happened) {
        self.happened.borrow_mut().push_back(happened);
        self.ctx.request_repaint();
    }
}

fn bytes_of(message: &JsValue) -> Option<Vec<u8>> {
    if let Some(buffer) = message.dyn_ref::<ArrayBuffer>() {
        return Some(Uint8Array::new(buffer).to_vec());
    }
    // Small messages come as lists of numbers.
    js_sys::Array::is_array(message).then(|| Uint8Array::new(message).to_vec())
}
