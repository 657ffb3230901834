//! What whoever asked is told.

use axum::body::Body;
use axum::http::StatusCode;
use axum::http::header::{CONTENT_TYPE, HeaderValue, RETRY_AFTER};
use axum::response::Response;
use graph_model::value::{Object, Value};

use crate::operator::{Failure, FailureClass};

/// When to come again, in seconds.
const COME_AGAIN_S: &str = "1";

pub(super) fn given_up(failure: &Failure) -> Response {
    match failure.class {
        FailureClass::Invalid => refusal(StatusCode::UNPROCESSABLE_ENTITY, &failure.message),
        FailureClass::Transient => come_again(&failure.message),
        FailureClass::Fatal => refusal(StatusCode::INTERNAL_SERVER_ERROR, &failure.message),
    }
}

pub(super) fn come_again(reason: &str) -> Response {
    let mut answer = refusal(StatusCode::SERVICE_UNAVAILABLE, reason);
    let headers = answer.headers_mut();
    headers.insert(RETRY_AFTER, HeaderValue::from_static(COME_AGAIN_S));
    answer
}

pub(super) fn refusal(status: StatusCode, reason: &str) -> Response {
    json(status, &Value::from(Object::from_iter([("error", reason)])))
}

pub(super) fn json(status: StatusCode, body: &Value) -> Response {
    let mut answer = Response::new(Body::from(body.to_json()));
    *answer.status_mut() = status;
    let headers = answer.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    answer
}
