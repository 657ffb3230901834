//! Requests of functions: to the hosts that their node lists, and to nobody else.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::mpsc::{RecvTimeoutError, sync_channel};
use std::time::Duration;

use reqwest::header::{
    CONNECTION, CONTENT_LENGTH, HOST, HeaderMap, HeaderName, HeaderValue, TRANSFER_ENCODING,
};
use reqwest::redirect::Policy;
use reqwest::{Client, Method, Url};
use runtime_protocol::Problem;

use super::host::{HttpError, HttpRequest, HttpResponse, Sending};
use super::network::{Names, Network};
use crate::kind::Build;
use crate::outgoing::{self, REDIRECTS_MAX, cause, is_this_machine, keeps_request, read};

/// The field that lists hosts.
pub(super) const FIELD: &str = "hosts";
/// What a wait is longer than that of the client, so that it is the client that says why.
const GRACE: Duration = Duration::from_millis(200);

/// The way of one node to its hosts.
pub(super) struct Requests {
    /// Scheme, host and port of each.
    listed: BTreeSet<String>,
    /// Why there is none, otherwise.
    way: Result<Way, &'static str>,
}

struct Way {
    network: Arc<Network>,
    /// For hosts of this machine, which no proxy leads to.
    here: Client,
    there: Client,
}

impl Requests {
    /// To the hosts that a node lists, if there is a network; or else it is said why not.
    pub(super) fn of(
        build: &Build,
        network: Result<&Arc<Network>, &'static str>,
    ) -> Result<Requests, Problem> {
        let mut listed = BTreeSet::new();
        for text in build.texts(FIELD) {
            let origin = origin(text.trim()).ok_or_else(|| {
                build.problem(format!("`{FIELD}`: `{text}` is no host; write it like `https://api.example.com`, with a port where it has one, and without a path"))
            })?;
            listed.insert(origin);
        }
        let way = match network {
            // Nothing can be sent, so nothing is made ready.
            _ if listed.is_empty() => Err(""),
            Err(why) => Err(why),
            Ok(network) => {
                let way = Way::new(network, &listed);
                Ok(way.map_err(|error| {
                    build.problem(format!(
                        "no connection can be prepared ({}); check the certificates of this machine",
                        cause(&error)
                    ))
                })?)
            }
        };
        Ok(Requests { listed, way })
    }

    /// Sends a request and waits for its answer. Keeps the thread waiting, not what else runs on it.
    pub(super) fn send(&self, sending: Sending) -> Result<HttpResponse, HttpError> {
        let Sending {
            request,
            patience,
            answer_bytes_max,
        } = sending;
        let url = Url::parse(&request.url)
            .ok()
            .filter(|url| matches!(url.scheme(), "http" | "https") && url.has_host())
            .ok_or_else(|| HttpError::Invalid("`url` is no address".to_owned()))?;
        let origin = url.origin().ascii_serialization();
        if !self.listed.contains(&origin) {
            return Err(HttpError::NotListed(origin));
        }
        if !url.username().is_empty() || url.password().is_some() {
            let why = "`url` holds a name or a password; send a header instead";
            return Err(HttpError::Invalid(why.to_owned()));
        }
        let method = method(&request.method)?;
        let headers = headers(&request)?;
        let way = self.way.as_ref();
        let way = way.map_err(|why| HttpError::Unreachable((*why).to_owned()))?;
        let client = if is_this_machine(&url) {
            &way.here
        } else {
            &way.there
        };
        let built = client
            .request(method, url)
            .headers(headers)
            .timeout(patience)
            .body(request.body);
        let handle = way.network.handle().map_err(HttpError::Unreachable)?;
        let (answer, answered) = sync_channel(1);
        let asking = handle.spawn(async move {
            // Nobody listens any more when the wait was too long.
            let _late = answer.send(ask(built, patience, answer_bytes_max).await);
        });
        match answered.recv_timeout(patience.saturating_add(GRACE)) {
            Ok(answer) => answer,
            Err(RecvTimeoutError::Timeout) => {
                asking.abort();
                Err(late(patience))
            }
            Err(RecvTimeoutError::Disconnected) => {
                Err(HttpError::Unreachable("the engine has ended".to_owned()))
            }
        }
    }
}

impl Way {
    fn new(network: &Arc<Network>, listed: &BTreeSet<String>) -> reqwest::Result<Way> {
        // Without TLS a machine needs no certificates.
        let plain = listed.iter().all(|origin| origin.starts_with("http:"));
        let client = |here: bool| {
            let mut client = outgoing::client()
                .redirect(Policy::custom(redirect))
                .dns_resolver(Arc::new(Names { here }));
            if here {
                client = client.no_proxy();
            }
            if plain {
                client = client.tls_certs_only([]);
            }
            client.build()
        };
        Ok(Way {
            network: Arc::clone(network),
            here: client(true)?,
            there: client(false)?,
        })
    }
}

async fn ask(
    request: reqwest::RequestBuilder,
    patience: Duration,
    answer_bytes_max: u64,
) -> Result<HttpResponse, HttpError> {
    let broken = |error: reqwest::Error| {
        if error.is_timeout() {
            late(patience)
        } else if error.is_builder() {
            HttpError::Invalid(cause(&error))
        } else {
            HttpError::Unreachable(cause(&error))
        }
    };
    let response = request.send().await.map_err(broken)?;
    let status = response.status().as_u16();
    let named = response.headers().iter();
    let headers = named.map(|(name, value)| {
        let value = String::from_utf8_lossy(value.as_bytes()).into_owned();
        (name.as_str().to_owned(), value)
    });
    let headers = headers.collect();
    let most = usize::try_from(answer_bytes_max).unwrap_or(usize::MAX);
    let (body, whole) = read(response, most).await.map_err(broken)?;
    if !whole {
        return Err(HttpError::TooLarge(answer_bytes_max));
    }
    Ok(HttpResponse {
        status,
        headers,
        body,
    })
}

fn late(patience: Duration) -> HttpError {
    HttpError::Timeout(u64::try_from(patience.as_millis()).unwrap_or(u64::MAX))
}

/// Scheme, host and port of a host as a node lists it.
fn origin(text: &str) -> Option<String> {
    let url = Url::parse(text).ok()?;
    let bare = matches!(url.path(), "" | "/")
        && url.query().is_none()
        && url.fragment().is_none()
        && url.username().is_empty()
        && url.password().is_none();
    let web = matches!(url.scheme(), "http" | "https") && url.has_host();
    (bare && web).then(|| url.origin().ascii_serialization())
}

fn method(name: &str) -> Result<Method, HttpError> {
    let method = Method::from_bytes(name.as_bytes()).ok();
    // These speak to whoever stands in between.
    let method = method.filter(|method| ![Method::CONNECT, Method::TRACE].contains(method));
    method.ok_or_else(|| HttpError::Invalid(format!("`method` cannot be `{name}`")))
}

fn headers(request: &HttpRequest) -> Result<HeaderMap, HttpError> {
    let mut headers = HeaderMap::new();
    for (name, value) in &request.headers {
        let wrong = |what: &str| HttpError::Invalid(format!("the header `{name}` {what}"));
        let header = HeaderName::from_bytes(name.as_bytes())
            .map_err(|_| wrong("has a name that no header may have"))?;
        if [CONTENT_LENGTH, TRANSFER_ENCODING, CONNECTION, HOST].contains(&header) {
            return Err(wrong("follows from what is sent"));
        }
        let value = HeaderValue::from_str(value)
            .map_err(|_| wrong("has a value with characters that no header may have"))?;
        headers.append(header, value);
    }
    Ok(headers)
}

/// Follows only to the same scheme, host and port, and only what repeats the request: neither what is
/// sent nor a secret goes anywhere else. The function sees all other redirects.
fn redirect(attempt: reqwest::redirect::Attempt<'_>) -> reqwest::redirect::Action {
    let passed = attempt.previous();
    let same_place = passed
        .first()
        .is_some_and(|first| first.origin() == attempt.url().origin());
    if same_place && keeps_request(false, attempt.status()) && passed.len() <= REDIRECTS_MAX {
        attempt.follow()
    } else {
        attempt.stop()
    }
}

#[cfg(test)]
mod tests;
