//! What all requests to others have in common, whoever sends them.

use std::error::Error;
use std::net::IpAddr;
use std::sync::Once;

use reqwest::{Client, ClientBuilder, Response, StatusCode, Url};

/// Redirects that one request follows at most.
pub(crate) const REDIRECTS_MAX: usize = 5;

/// A client that sends each request once.
pub(crate) fn client() -> ClientBuilder {
    static PROVIDER: Once = Once::new();
    PROVIDER.call_once(|| {
        // Fails when the program has chosen one already, which then is used.
        let _chosen = rustls::crypto::ring::default_provider().install_default();
    });
    Client::builder()
        .user_agent(concat!("weir/", env!("CARGO_PKG_VERSION")))
        .referer(false)
        // The engine alone tries again: it counts and pauses.
        .retry(reqwest::retry::never())
}

/// Whether a redirect repeats the request as it is; others would turn it into a GET.
pub(crate) fn keeps_request(gets: bool, status: StatusCode) -> bool {
    gets || matches!(
        status,
        StatusCode::TEMPORARY_REDIRECT | StatusCode::PERMANENT_REDIRECT
    )
}

/// Whether an address is one of this machine by its name.
pub(crate) fn is_this_machine(url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default();
    let ip = host.trim_matches(['[', ']']).parse::<IpAddr>();
    host == "localhost" || ip.is_ok_and(|ip| ip.is_loopback())
}

/// Reads an answer up to the bound; says whether that is all of it.
pub(crate) async fn read(mut response: Response, max: usize) -> reqwest::Result<(Vec<u8>, bool)> {
    let mut answer = Vec::new();
    while let Some(chunk) = response.chunk().await? {
        let room = max - answer.len();
        answer.extend_from_slice(&chunk[..chunk.len().min(room)]);
        if chunk.len() > room {
            return Ok((answer, false));
        }
    }
    Ok((answer, true))
}

/// What is at the bottom of an error. What lies above repeats the address.
pub(crate) fn cause(error: &reqwest::Error) -> String {
    let mut cause: &dyn Error = error;
    while let Some(deeper) = cause.source() {
        cause = deeper;
    }
    if cause.is::<reqwest::Error>() {
        return "no reason is known".into();
    }
    cause.to_string()
}
