//! Short ways to the page: its window and document, listeners, requests, downloads.

use js_sys::{Array, Uint8Array};
use wasm_bindgen::closure::Closure;
use wasm_bindgen::{JsCast, JsValue};
use web_sys::{
    Blob, BlobPropertyBag, Document, Element, EventTarget, HtmlAnchorElement, RequestCache,
    RequestInit, RequestMode, RequestRedirect, Response, Storage, Url, Window,
};

/// Largest file that is read, from wherever.
pub(crate) const FILE_MAX: usize = 32 << 20;
/// How long an offered download can be taken, in milliseconds.
const DOWNLOAD_MILLIS: i32 = 60_000;

pub(crate) fn window() -> Window {
    web_sys::window().expect("a page has a window")
}

pub(crate) fn document() -> Document {
    window().document().expect("a window has a document")
}

/// A new element of the document; the name is one that every browser knows.
pub(crate) fn element<E: JsCast>(name: &str) -> E {
    let made: Element = document()
        .create_element(name)
        .expect("the name is a plain one");
    made.unchecked_into()
}

/// Hears the event for as long as the page lives, and before eframe does, which lets none pass.
pub(crate) fn listen<E: JsCast + 'static>(
    target: &EventTarget,
    event: &str,
    mut heard: impl FnMut(E) + 'static,
) {
    let closure = Closure::<dyn FnMut(JsValue)>::new(move |event: JsValue| {
        heard(event.unchecked_into());
    });
    // A page without listeners would still show everything.
    drop(target.add_event_listener_with_callback_and_bool(
        event,
        closure.as_ref().unchecked_ref(),
        true,
    ));
    closure.forget();
}

/// What a thrown value says.
pub(crate) fn text_of(thrown: &JsValue) -> String {
    match thrown.dyn_ref::<js_sys::Error>() {
        Some(error) => error.message().into(),
        None => thrown.as_string().unwrap_or_else(|| format!("{thrown:?}")),
    }
}

/// The storage of the browser for this origin, unless it is switched off.
pub(crate) fn storage() -> Result<Storage, String> {
    match window().local_storage() {
        Ok(Some(storage)) => Ok(storage),
        _ => Err("the browser keeps nothing for this page; allow it to store data".to_owned()),
    }
}

/// Value of a parameter in the address of the page.
pub(crate) fn query(name: &str) -> Option<String> {
    let search = window().location().search().ok()?;
    web_sys::UrlSearchParams::new_with_str(&search)
        .ok()?
        .get(name)
}

/// The bytes behind an address of this page's own place.
pub(crate) async fn fetch(address: &str) -> Result<Vec<u8>, String> {
    let asked = RequestInit::new();
    asked.set_mode(RequestMode::SameOrigin);
    // Elsewhere could begin behind a redirection.
    asked.set_redirect(RequestRedirect::Error);
    asked.set_cache(RequestCache::NoCache);
    let answer = window()
        .fetch_with_str_and_init(address, &asked)
        .await
        .map_err(|_| "the server could not be reached; check the connection".to_owned())?;
    let answer: Response = answer.unchecked_into();
    if !answer.ok() {
        return Err(match answer.status() {
            404 => "the server has no such file; check the address".to_owned(),
            status => format!("the server answered {status}; check the address"),
        });
    }
    let length = answer.headers().get("content-length").ok().flatten();
    if length
        .and_then(|length| length.parse::<usize>().ok())
        .is_some_and(|length| length > FILE_MAX)
    {
        return Err(too_large());
    }
    let body = answer.array_buffer().map_err(|error| text_of(&error))?;
    let body = body.await.map_err(|error| text_of(&error))?;
    let body = Uint8Array::new(&body);
    if body.length() as usize > FILE_MAX {
        return Err(too_large());
    }
    Ok(body.to_vec())
}

/// Why a file is not read.
pub(crate) fn too_large() -> String {
    format!(
        "the file is larger than {} MB, which no flow is; choose another one",
        FILE_MAX >> 20
    )
}

/// Hands the bytes to the browser as a file to download.
pub(crate) fn offer_download(name: &str, bytes: &[u8]) -> Result<(), JsValue> {
    let kind = BlobPropertyBag::new();
    kind.set_type("application/json");
    let parts = Array::of1(&Uint8Array::from(bytes));
    let blob = Blob::new_with_u8_array_sequence_and_options(&parts, &kind)?;
    let address = Url::create_object_url_with_blob(&blob)?;
    let link: HtmlAnchorElement = element("a");
    link.set_href(&address);
    link.set_download(name);
    link.click();
    // The browser reads the bytes after the click, in its own time.
    let release = Closure::once_into_js(move || drop(Url::revoke_object_url(&address)));
    window().set_timeout_with_callback_and_timeout_and_arguments_0(
        release.unchecked_ref(),
        DOWNLOAD_MILLIS,
    )?;
    Ok(())
}
