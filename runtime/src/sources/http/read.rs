//! What a request says: its body, its parameters, its context in headers.

use std::pin::Pin;

use axum::body::{Body, Bytes, HttpBody};
use axum::http::HeaderMap;
use axum::http::header::HeaderName;
use graph_model::event::{EventContext, parse_rfc3339};
use graph_model::value::{Object, Value};

/// Bytes of a body beyond its limit that are read, so that the answer reaches the sender.
const BEYOND_LIMIT_MAX: usize = 4 << 20;

pub(super) enum BodyError {
    TooLarge,
    Broken,
}

pub(super) async fn read_body(mut body: Body, limit: usize) -> Result<Bytes, BodyError> {
    let mut whole = Bytes::new();
    let mut size = 0;
    let mut parts = Vec::new();
    loop {
        let frame = std::future::poll_fn(|context| Pin::new(&mut body).poll_frame(context)).await;
        let Some(frame) = frame else { break };
        let frame = frame.map_err(|_| BodyError::Broken)?;
        let Ok(data) = frame.into_data() else {
            continue;
        };
        size += data.len();
        if size > limit {
            if size > limit.saturating_add(BEYOND_LIMIT_MAX) {
                break;
            }
        } else if whole.is_empty() && parts.is_empty() {
            // Most bodies come in one piece, which need not be copied.
            whole = data;
        } else {
            parts.extend_from_slice(&std::mem::take(&mut whole));
            parts.extend_from_slice(&data);
        }
    }
    match size {
        size if size > limit => Err(BodyError::TooLarge),
        _ if parts.is_empty() => Ok(whole),
        _ => Ok(parts.into()),
    }
}

/// Query parameters as an object of texts; a name that is repeated has a list of them.
pub(super) fn query_object(query: &str) -> Value {
    let mut object = Object::new();
    for part in query.split('&').filter(|part| !part.is_empty()) {
        let (name, value) = part.split_once('=').unwrap_or((part, ""));
        let (name, value) = (unescape(name), Value::from(unescape(value)));
        let value = match object.get(&name) {
            None => value,
            Some(Value::Arr(held)) => held.iter().cloned().chain([value]).collect(),
            Some(held) => Value::from(vec![held.clone(), value]),
        };
        object.insert(name, value);
    }
    Value::from(object)
}

fn unescape(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, after @ ..] = rest {
        let escaped = after
            .get(..2)
            .filter(|_| *first == b'%')
            .and_then(|digits| std::str::from_utf8(digits).ok())
            .and_then(|digits| u8::from_str_radix(digits, 16).ok());
        rest = after;
        match escaped {
            Some(byte) => {
                bytes.push(byte);
                rest = &after[2..];
            }
            None if *first == b'+' => bytes.push(b' '),
            None => bytes.push(*first),
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Context attributes in `ce-` headers, the binary mode of `CloudEvents` over HTTP.
pub(super) fn read_cloudevent_headers(
    headers: &HeaderMap,
    context: &mut EventContext,
) -> Result<(), String> {
    for (name, value) in headers {
        let Some(name) = name.as_str().strip_prefix("ce-") else {
            continue;
        };
        let value = value
            .to_str()
            .map_err(|_| format!("the header `ce-{name}` is no text"))?;
        match name {
            "specversion" => {}
            "id" => context.id = value.into(),
            "source" => context.source = value.into(),
            "type" => context.ty = value.into(),
            "subject" => context.subject = Some(value.into()),
            "time" => {
                context.time_ms = parse_rfc3339(value)
                    .ok_or_else(|| format!("`ce-time` is not RFC 3339: {value}"))?;
            }
            _ => {
                context.extensions.insert(name.into(), value.into());
            }
        }
    }
    keep_out_own_extensions(context);
    Ok(())
}

/// What the engine notes on events is not for callers to claim.
pub(super) fn keep_out_own_extensions(context: &mut EventContext) {
    use graph_model::event::extension::{CAUSATION, CORRELATION, PARTITION_KEY};
    context.extensions.retain(|name, _| {
        !name.starts_with("weir") && ![CAUSATION, CORRELATION, PARTITION_KEY].contains(&&**name)
    });
}

pub(super) fn text<'h>(headers: &'h HeaderMap, name: &HeaderName) -> Option<&'h str> {
    let value = headers.get(name)?.to_str().ok()?.trim();
    (!value.is_empty()).then_some(value)
}
