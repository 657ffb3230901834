//! The token of a served page: it comes in the link, and then leaves the address bar.

use wasm_bindgen::JsValue;

use crate::dom;

/// In front of the token, behind the `#` of a link.
const MARK: &str = "#token=";
/// Name under which the tab keeps it, so that the page can be loaded again.
const KEPT: &str = "weir.token";

/// The token of this tab, if it was opened by a link with one.
pub(crate) fn shown() -> Option<String> {
    let window = dom::window();
    let kept = window.session_storage().ok().flatten();
    let hash = window.location().hash().unwrap_or_default();
    let Some(token) = hash.strip_prefix(MARK) else {
        return kept?.get_item(KEPT).ok()?;
    };
    // Without a store the link is needed again when the page is loaded again.
    if kept.is_some_and(|kept| kept.set_item(KEPT, token).is_ok())
        && let Ok(history) = window.history()
    {
        let plain = window.location().pathname().unwrap_or_default();
        drop(history.replace_state_with_url(&JsValue::NULL, "", Some(&plain)));
    }
    Some(token.to_owned())
}
