//! A service for tests of functions that send requests.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::mpsc::channel;
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, Uri};
use axum::response::{IntoResponse, Redirect, Response};
use tokio::net::TcpListener;

/// The function that does as it is told, in the project.
pub(crate) const CALLING: &str = "runtime/tests/fixtures/calling.wasm";

/// An environment variable that is set for every test, and stands for a secret.
pub(crate) const SECRET: &str = "CARGO_PKG_DESCRIPTION";

/// Starts a service that does what the path says; answers its address.
pub(crate) fn service() -> SocketAddr {
    let (tell, told) = channel();
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build();
        runtime.expect("a runtime").block_on(async {
            let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await;
            let listener = listener.expect("a port");
            tell.send(listener.local_addr().expect("an address")).ok();
            let router = Router::new().fallback(behave);
            axum::serve(listener, router).await.expect("it serves");
        });
    });
    told.recv().expect("it listens")
}

async fn behave(method: Method, uri: Uri, headers: HeaderMap, body: Bytes) -> Response {
    let rest = uri.query().unwrap_or_default().to_owned();
    match uri.path() {
        "/echo" => format!("{method} {}", String::from_utf8_lossy(&body)).into_response(),
        "/login" => {
            let wanted = format!("Bearer {}", std::env::var(SECRET).unwrap_or_default());
            let given = headers.get("authorization").map(HeaderValue::as_bytes);
            if given == Some(wanted.as_bytes()) {
                "welcome".into_response()
            } else {
                StatusCode::UNAUTHORIZED.into_response()
            }
        }
        "/again" => Redirect::temporary("/echo").into_response(),
        "/seen" => Redirect::to("/echo").into_response(),
        "/away" => Redirect::temporary(&rest).into_response(),
        "/long" => "x".repeat(rest.parse().unwrap_or_default()).into_response(),
        "/slow" => {
            tokio::time::sleep(Duration::from_millis(rest.parse().unwrap_or_default())).await;
            "at last".into_response()
        }
        _ => StatusCode::NOT_FOUND.into_response(),
    }
}
