//! HTTP request to somebody else.

use std::sync::Arc;
use std::time::Duration;

use graph_model::catalog::{
    Behaviour, Family, FieldSpec, FieldType, JqRole, KindSpec, PortSpec, ReachKind,
};
use graph_model::event::Event;
use graph_model::expr::Expr;
use graph_model::units;
use graph_model::value::Value;
use reqwest::header::{
    CONTENT_LENGTH, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, LOCATION, TRANSFER_ENCODING,
};
use reqwest::redirect::Policy;
use reqwest::{Client, Method, Response, StatusCode, Url};
use runtime_protocol::Problem;

use crate::catalog::with_reliability;
use crate::kind::{Build, Kind, Make};
use crate::operator::{Failure, FailureClass};
use crate::outgoing::{self, REDIRECTS_MAX, cause, is_this_machine, keeps_request, read};
use crate::rim::{Sent, Sink, Work};
use crate::world::World;

use super::{Outcomes, eval, eval_key};

pub(crate) fn kind() -> Kind {
    Kind {
        spec: spec(),
        make: Make::Sink(make),
    }
}

/// Sends each event to an address, one after the other.
struct HttpOut {
    /// Keeps connections open between requests.
    client: Client,
    method: Method,
    url: Url,
    body: Expr,
    key: Option<Expr>,
    timeout: Duration,
    /// Values of environment variables, which no message may show. Longest first.
    secrets: Vec<String>,
    world: Arc<dyn World>,
}

/// Longest answer that is read, in bytes.
const ANSWER_MAX: usize = 1 << 20;
/// Characters of an answer that a message shows at most.
const SHOWN_MAX: usize = 200;
/// Longest `timeout`: while a request is under way, an edit of the flow waits for it.
const TIMEOUT_MAX: Duration = Duration::from_mins(5);

const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");

fn make(build: &Build) -> Result<Box<dyn Sink>, Problem> {
    let method = match &*build.text("method")? {
        "POST" => Method::POST,
        "PUT" => Method::PUT,
        "PATCH" => Method::PATCH,
        "GET" => Method::GET,
        "DELETE" => Method::DELETE,
        other => {
            return Err(build.problem(format!(
                "`method` = `{other}` is not known; choose POST, PUT, PATCH, GET or DELETE"
            )));
        }
    };
    let timeout = build.duration("timeout")?;
    if timeout.is_zero() || timeout > TIMEOUT_MAX {
        return Err(build.problem(format!(
            "`timeout` = `{}` is out of bounds; choose more than nothing and at most {}",
            units::format_duration(timeout),
            units::format_duration(TIMEOUT_MAX)
        )));
    }
    let url = address(&build.text("url")?).map_err(|error| build.problem(error))?;
    let (headers, secrets) = headers(build, sends_body(&method))?;
    let client = client(&url, &method, headers, timeout).map_err(|error| {
        build.problem(format!(
            "no connection can be prepared ({}); check the certificates of this machine",
            cause(&error)
        ))
    })?;
    Ok(Box::new(HttpOut {
        client,
        method,
        url,
        body: build.expr("body")?,
        key: build.optional_expr("key")?,
        timeout,
        secrets,
        world: Arc::clone(&build.world),
    }))
}

/// What `url` says. Names and passwords in it are refused, as a flow is no place for them.
fn address(text: &str) -> Result<Url, String> {
    let url = Url::parse(text)
        .ok()
        .filter(|url| matches!(url.scheme(), "http" | "https") && url.has_host())
        .ok_or("`url` is no address; write it like `https://example.com/orders`")?;
    if !url.username().is_empty() || url.password().is_some() {
        return Err("`url` holds a name or a password; use the header `Authorization` with `$NAME`, an environment variable".into());
    }
    Ok(url)
}

/// The headers that all requests have, and the secrets that went into them.
fn headers(build: &Build, sends_body: bool) -> Result<(HeaderMap, Vec<String>), Problem> {
    let mut headers = HeaderMap::new();
    let mut secrets = Vec::new();
    for (name, text) in build.table("headers") {
        let wrong = |what: &str| build.problem(format!("`headers`: `{name}` {what}"));
        let header = HeaderName::from_bytes(name.as_bytes())
            .map_err(|_| wrong("is no name of a header; use letters, digits and `-`"))?;
        if [CONTENT_LENGTH, TRANSFER_ENCODING].contains(&header) {
            return Err(wrong("follows from what is sent; remove it"));
        }
        let known = secrets.len();
        let text = expand(&text, &mut secrets).map_err(|variable| {
            wrong(&format!("needs the environment variable `{variable}`, which is not set; set it before you start Weir"))
        })?;
        let mut value = HeaderValue::from_str(&text)
            .map_err(|_| wrong("has a value with characters that no header may have; change it"))?;
        value.set_sensitive(secrets.len() > known);
        if headers.insert(header, value).is_some() {
            return Err(wrong(
                "is there twice, as capitals do not count; remove one",
            ));
        }
    }
    if sends_body && !headers.contains_key(CONTENT_TYPE) {
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    }
    secrets.retain(|secret| !secret.is_empty());
    secrets.sort_by_key(|secret| std::cmp::Reverse(secret.len()));
    Ok((headers, secrets))
}

/// Puts in the environment variables that the text names as `$NAME`, and keeps their values in
/// `secrets`; answers the name of one that is not set.
fn expand<'t>(text: &'t str, secrets: &mut Vec<String>) -> Result<String, &'t str> {
    let mut parts = text.split('$');
    let mut whole = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let end = part.find(|c: char| !c.is_ascii_alphanumeric() && c != '_');
        let (name, rest) = part.split_at(end.unwrap_or(part.len()));
        if name.is_empty() || name.starts_with(|c: char| c.is_ascii_digit()) {
            whole.extend(["$", part]);
            continue;
        }
        let value = std::env::var(name).map_err(|_| name)?;
        whole.extend([&value, rest]);
        secrets.push(value);
    }
    Ok(whole)
}

fn client(
    url: &Url,
    method: &Method,
    headers: HeaderMap,
    timeout: Duration,
) -> reqwest::Result<Client> {
    let mut client = outgoing::client()
        .default_headers(headers)
        .timeout(timeout)
        .redirect(redirects(method));
    if url.scheme() == "http" {
        // It never changes to TLS, and a machine without certificates can send, too.
        client = client.tls_certs_only([]);
    }
    if is_this_machine(url) {
        client = client.no_proxy();
    }
    client.build()
}

/// Follows only where the same request goes to the same scheme, host and port: neither what is
/// sent nor a secret goes anywhere else.
fn redirects(method: &Method) -> Policy {
    let gets = *method == Method::GET;
    Policy::custom(move |attempt| {
        let passed = attempt.previous();
        let same_place = passed
            .first()
            .is_some_and(|first| first.origin() == attempt.url().origin());
        if same_place && keeps_request(gets, attempt.status()) && passed.len() <= REDIRECTS_MAX {
            attempt.follow()
        } else {
            attempt.stop()
        }
    })
}

fn sends_body(method: &Method) -> bool {
    !matches!(*method, Method::GET | Method::DELETE)
}

impl Sink for HttpOut {
    fn write<'a>(&'a mut self, events: &'a [Event]) -> Work<'a, Outcomes> {
        Box::pin(async move {
            let mut outcomes = Vec::with_capacity(events.len());
            for event in events {
                outcomes.push(self.send(event).await.map(Sent::first).map(Some));
            }
            outcomes
        })
    }

    /// An event waits for the one before it, also while that is tried again.
    fn batch_max(&self) -> usize {
        1
    }
}

impl HttpOut {
    /// Tries once; answers the answer.
    async fn send(&self, event: &Event) -> Result<Event, Failure> {
        let now_ms = self.world.now_ms();
        let mut request = self.client.request(self.method.clone(), self.url.clone());
        if sends_body(&self.method) {
            request = request.body(eval("body", &self.body, event, now_ms)?.to_json());
        }
        if let Some(key) = &self.key {
            let key = eval_key("key", key, event, now_ms)?.to_text();
            let value = HeaderValue::from_str(&key).map_err(|_| {
                Failure::invalid(
                    "`key`: it has characters that no header may have; use letters, digits and `-`",
                )
            })?;
            request = request.header(IDEMPOTENCY_KEY, value);
        }
        let response = request.send().await.map_err(|error| self.broken(&error))?;
        let status = response.status();
        if !status.is_success() {
            return Err(self.refused(response).await);
        }
        let (answer, whole) = read(response, ANSWER_MAX)
            .await
            .map_err(|error| self.broken(&error))?;
        if !whole {
            return Err(Failure::invalid(format!(
                "{} was done ({status}), but the answer is longer than 1 MiB; ask for a shorter one",
                self.what()
            )));
        }
        Ok(event.with_data(payload(&answer)))
    }

    /// What is done and where. Path and query may hold secrets and are left out.
    fn what(&self) -> String {
        format!(
            "`{} {}`",
            self.method,
            self.url.origin().ascii_serialization()
        )
    }

    /// There is no answer, or only a part of one.
    fn broken(&self, error: &reqwest::Error) -> Failure {
        let what = self.what();
        if error.is_timeout() {
            let timeout = units::format_duration(self.timeout);
            return Failure::transient(format!(
                "{what} was not answered within {timeout}; look at that service or raise `timeout`"
            ));
        }
        let cause = cause(error);
        if error.is_builder() || error.is_redirect() {
            return Failure::invalid(format!("{what} cannot be sent ({cause}); change the node"));
        }
        if error.is_connect() {
            return Failure::transient(format!(
                "{what} cannot be reached ({cause}); check the address and whether that service runs"
            ));
        }
        Failure::transient(format!("{what} broke off ({cause}); look at that service"))
    }

    /// The answer is that it was not done.
    async fn refused(&self, response: Response) -> Failure {
        let status = response.status();
        if status.is_redirection() {
            return self.sent_elsewhere(&response);
        }
        let (class, advice) = advice(status);
        // The status says enough when the rest does not come.
        let answer = read(response, ANSWER_MAX)
            .await
            .map_or(Vec::new(), |(answer, _)| answer);
        let mut shown = self.shown(&String::from_utf8_lossy(&answer));
        if !shown.is_empty() {
            shown.insert_str(0, ": ");
        }
        Failure {
            class,
            message: format!("{} was answered {status}{shown}; {advice}", self.what()).into(),
        }
    }

    fn sent_elsewhere(&self, response: &Response) -> Failure {
        let status = response.status();
        let location = response.headers().get(LOCATION);
        let to = location
            .and_then(|to| to.to_str().ok())
            .and_then(|to| self.url.join(to).ok());
        let why = match to.map(|to| to.origin()) {
            None => "without an address; look at that service".to_owned(),
            Some(to) if to != self.url.origin() => format!(
                "which leads to `{}` and is not followed; if that is right, put it into `url`",
                to.ascii_serialization()
            ),
            Some(_) if !keeps_request(self.method == Method::GET, status) => {
                "which would not send the event again and is not followed; put the address that it leads to into `url`".to_owned()
            }
            Some(_) => format!("after {REDIRECTS_MAX} others; look at that service"),
        };
        Failure::invalid(format!("{} was answered {status}, {why}", self.what()))
    }

    /// The beginning of an answer, in one line and without secrets.
    fn shown(&self, answer: &str) -> String {
        let mut answer = answer.to_owned();
        for secret in &self.secrets {
            answer = answer.replace(secret, "***");
        }
        let words: Vec<_> = answer
            .split(|c: char| c.is_whitespace() || c.is_control())
            .filter(|word| !word.is_empty())
            .collect();
        words.join(" ").chars().take(SHOWN_MAX).collect()
    }
}

/// JSON as what it says, anything else as text, nothing as `null`.
fn payload(answer: &[u8]) -> Value {
    if answer.is_empty() {
        return Value::Null;
    }
    Value::parse(answer, ANSWER_MAX)
        .unwrap_or_else(|_| Value::from(String::from_utf8_lossy(answer).into_owned()))
}

/// Whether to try again after such an answer, and what a person can do about it.
fn advice(status: StatusCode) -> (FailureClass, &'static str) {
    match status.as_u16() {
        408 | 425 | 429 => (
            FailureClass::Transient,
            "send more slowly or look at that service",
        ),
        500.. => (FailureClass::Transient, "look at that service"),
        401 | 403 | 407 => (FailureClass::Invalid, "check the credentials in `headers`"),
        404 | 405 | 410 => (FailureClass::Invalid, "check `url` and `method`"),
        _ => (
            FailureClass::Invalid,
            "change `body` and `headers` to what that service takes",
        ),
    }
}

fn spec() -> KindSpec {
    KindSpec {
        id: "http_out".into(),
        family: Family::Sink,
        title: "HTTP request".into(),
        summary: "Sends each event to an address.".into(),
        doc: "Events are sent one after the other; GET and DELETE go without a body. 2xx counts as done; 408, 425, 429, 5xx, broken connections and timeouts are tried again; everything else is given up. An attempt whose answer got lost may have been done: with an idempotency key a service can tell that the next one is the same. Redirects are followed on the same scheme, host and port only, and only when they repeat the request. Answers are JSON, else text, at most 1 MiB.".into(),
        icon: "send".into(),
        inputs: vec![PortSpec::data("in", "Events to send")],
        outputs: vec![PortSpec::data("out", "The answers, as events"), PortSpec::failed("Events that were given up, with their cause")],
        config: with_reliability(vec![FieldSpec::new("url", "Address", FieldType::Url, "Where to send it").reaches(ReachKind::Call).required(), FieldSpec::new("method", "Method", FieldType::choice(&["POST", "PUT", "PATCH", "GET", "DELETE"]), "Method").default_to("POST"), FieldSpec::new("body", "Body", FieldType::Jq { role: JqRole::Mapping }, "What is sent, as JSON").default_to("."), FieldSpec::new("headers", "Headers", FieldType::Table, "Header names and values; `$NAME` stands for an environment variable, as in `Bearer $TOKEN`").reaches(ReachKind::Secret), FieldSpec::new("timeout", "Timeout", FieldType::Duration, "Longest wait for the answer, at most 5 minutes").default_to("10s"), FieldSpec::new("key", "Idempotency key", FieldType::Jq { role: JqRole::Key }, "Sent as `Idempotency-Key`")]),
        behaviour: Behaviour::Effect { key: "key".into() },
        resource: None,
        since: "0.1.0".into(),
    }
}

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, SocketAddr};

    use axum::Router;
    use axum::body::Bytes;
    use axum::http::{self, Uri};
    use axum::response::{IntoResponse, Redirect, Response};
    use graph_model::value;
    use tokio::net::TcpListener;

    use super::super::testing::{Project, event, told};
    use super::*;

    /// Set by cargo for every test; stands for a secret.
    const SECRET: &str = env!("CARGO_PKG_NAME");

    /// A service that does what the path says; answers its address.
    async fn service() -> SocketAddr {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await;
        let listener = listener.expect("a port");
        let address = listener.local_addr().expect("an address");
        tokio::spawn(axum::serve(listener, Router::new().fallback(behave)).into_future());
        address
    }

    async fn behave(
        method: http::Method,
        uri: Uri,
        headers: http::HeaderMap,
        body: Bytes,
    ) -> Response {
        let header = |name: &str| {
            let value = headers.get(name).and_then(|value| value.to_str().ok());
            value.unwrap_or("-").to_owned()
        };
        let rest = uri.query().unwrap_or_default().to_owned();
        match uri.path() {
            "/echo" => [
                method.to_string(),
                header("content-type"),
                header("authorization"),
                header("idempotency-key"),
                String::from_utf8_lossy(&body).into_owned(),
            ]
            .join("|")
            .into_response(),
            "/json" => "{\"n\": 1.0}".into_response(),
            "/nothing" => StatusCode::NO_CONTENT.into_response(),
            "/large" => vec![b'x'; rest.parse().expect("a size")].into_response(),
            "/slow" => std::future::pending().await,
            "/307" => Redirect::temporary(&rest).into_response(),
            "/303" => Redirect::to(&rest).into_response(),
            code => {
                let code = code[1..].parse().expect("a status");
                let status = StatusCode::from_u16(code).expect("a status");
                let said = format!("no,\n\tnot with {}", header("authorization"));
                (status, said).into_response()
            }
        }
    }

    fn config(address: SocketAddr, path: &str, more: &Value) -> Value {
        let mut config = more.as_object().expect("an object").clone();
        config.insert("url", format!("http://{address}{path}"));
        Value::from(config)
    }

    /// What becomes of one event.
    async fn sent(config: &Value) -> Result<Value, String> {
        let mut sink = Project::new()
            .sink("send", "http_out", config)
            .expect("builds");
        let outcomes = sink.write(&[event("1", value!({"id": "a", "n": 2}))]).await;
        match &outcomes[0] {
            Ok(Some(answer)) => {
                assert_eq!(answer.event.context.id, "1");
                Ok(answer.event.data.clone())
            }
            other => {
                assert!(other.is_err());
                Err(told(&outcomes).remove(0))
            }
        }
    }

    #[tokio::test]
    async fn what_is_sent_and_answered() {
        let address = service().await;
        let echo = |said: &str| Value::from(said.to_owned());
        for (path, more, answer) in [
            (
                "/echo",
                value!({}),
                echo(r#"POST|application/json|-|-|{"id":"a","n":2}"#),
            ),
            (
                "/echo?q",
                value!({
                    "method": "PUT",
                    "body": ".n",
                    "key": ".id",
                    "headers": {"Authorization": "Bearer $CARGO_PKG_NAME $5", "content-type": "text/x"},
                }),
                echo(&format!("PUT|text/x|Bearer {SECRET} $5|a|2")),
            ),
            (
                "/echo",
                value!({"method": "GET", "key": ".n"}),
                echo("GET|-|-|2|"),
            ),
            (
                "/307?/echo",
                value!({"method": "PATCH"}),
                echo(r#"PATCH|application/json|-|-|{"id":"a","n":2}"#),
            ),
            ("/303?/echo", value!({"method": "GET"}), echo("GET|-|-|-|")),
            ("/json", value!({}), value!({"n": 1})),
            ("/nothing", value!({}), value!(null)),
            ("/large?1048576", value!({}), echo(&"x".repeat(ANSWER_MAX))),
        ] {
            assert_eq!(
                sent(&config(address, path, &more)).await,
                Ok(answer),
                "{path}"
            );
        }
    }

    #[tokio::test]
    async fn what_fails_says_what_where_and_what_next() {
        let address = service().await;
        let other = service().await;
        let closed = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await;
        let closed = closed.expect("a port").local_addr().expect("an address");
        let secret = value!({"headers": {"Authorization": "Bearer $CARGO_PKG_NAME"}});
        let plain = value!({});
        let elsewhere = format!("/307?http://{other}/echo");
        let refused = "cannot be reached (Connection refused";
        for (to, path, more, wanted) in [
            (
                address,
                "/422?token=1",
                &secret,
                "Invalid: AT was answered 422 Unprocessable Entity: no, not with Bearer ***; change `body` and `headers` to what that service takes".to_owned(),
            ),
            (address, "/401", &plain, "Invalid: AT was answered 401 Unauthorized: no, not with -; check the credentials in `headers`".into()),
            (address, "/404", &plain, "Invalid: AT was answered 404 Not Found: no, not with -; check `url` and `method`".into()),
            (address, "/408", &plain, "Transient: AT was answered 408 ".into()),
            (address, "/425", &plain, "Transient: AT was answered 425 ".into()),
            (address, "/429", &plain, "Transient: AT was answered 429 Too Many Requests: no, not with -; send more slowly".into()),
            (address, "/500", &plain, "Transient: AT was answered 500 ".into()),
            (address, "/503", &plain, "Transient: AT was answered 503 Service Unavailable: no, not with -; look at that service".into()),
            (address, "/slow", &value!({"timeout": "50ms"}), "Transient: AT was not answered within 50ms; look at that service or raise `timeout`".into()),
            (closed, "/echo?token=1", &plain, format!("Transient: AT {refused}")),
            (
                address,
                &elsewhere,
                &secret,
                format!("Invalid: AT was answered 307 Temporary Redirect, which leads to `http://{other}` and is not followed; if that is right, put it into `url`"),
            ),
            (address, "/303?/echo", &plain, "Invalid: AT was answered 303 See Other, which would not send the event again".into()),
            (address, "/307?/307", &plain, "Invalid: AT was answered 307 Temporary Redirect, after 5 others; look at that service".into()),
            (address, "/large?1048577", &plain, "Invalid: AT was done (200 OK), but the answer is longer than 1 MiB; ask for a shorter one".into()),
            (address, "/echo", &value!({"key": ".none"}), "Invalid: `key`: `.none` is null for this event".into()),
            (address, "/echo", &value!({"key": "\"a\\nb\""}), "Invalid: `key`: it has characters that no header may have".into()),
        ] {
            let said = sent(&config(to, path, more)).await.expect_err(path);
            let wanted = wanted.replace("AT", &format!("`POST http://{to}`"));
            assert!(said.starts_with(&wanted), "{path}: {said}");
            assert!(!said.contains("token") && !said.contains(SECRET), "{said}");
        }
    }

    #[tokio::test]
    async fn requests_share_a_connection() {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await;
        let listener = listener.expect("a port");
        let address = listener.local_addr().expect("an address");
        let from = |peer: axum::extract::ConnectInfo<SocketAddr>| async move { peer.0.to_string() };
        let router = Router::new().fallback(from);
        let service = router.into_make_service_with_connect_info::<SocketAddr>();
        tokio::spawn(axum::serve(listener, service).into_future());
        let mut project = Project::new();
        let config = config(address, "/", &value!({}));
        let mut sink = project.sink("send", "http_out", &config).expect("builds");
        let events = [event("1", value!(1)), event("2", value!(2))];
        let mut peers: Vec<_> = sink.write(&events).await;
        peers.extend(sink.write(&events).await);
        let peer = |outcome: &Result<Option<Sent>, Failure>| {
            let answer = outcome.clone().expect("is sent").expect("is answered");
            answer.event.data
        };
        assert!(peers.iter().all(|outcome| peer(outcome) == peer(&peers[0])));
    }

    #[test]
    fn what_no_request_can_be_made_of_is_refused() {
        let url = "https://example.com/";
        for (config, message) in [
            (value!({"url": (url), "timeout": "6m"}), "at most 5m"),
            (value!({"url": (url), "timeout": "0s"}), "more than nothing"),
            (value!({"url": "ftp://example.com/"}), "`url` is no address"),
            (
                value!({"url": "https://a:b@example.com/"}),
                "`url` holds a name or a password",
            ),
            (value!({"url": (url), "method": "SING"}), "choose POST"),
            (
                value!({"url": (url), "headers": {"a b": "c"}}),
                "`a b` is no name of a header",
            ),
            (
                value!({"url": (url), "headers": {"a": "\n"}}),
                "`a` has a value with characters",
            ),
            (
                value!({"url": (url), "headers": {"a": "1", "A": "2"}}),
                "is there twice",
            ),
            (
                value!({"url": (url), "headers": {"Content-Length": "1"}}),
                "remove it",
            ),
            (
                value!({"url": (url), "headers": {"a": "Bearer $NO_SUCH_VARIABLE"}}),
                "`a` needs the environment variable `NO_SUCH_VARIABLE`, which is not set; set it before you start Weir",
            ),
        ] {
            let refused = Project::new().sink("send", "http_out", &config);
            let said = refused.err().expect("is refused").message;
            assert!(said.contains(message), "{config}: {said}");
        }
        // TLS needs certificates, which this machine may not have.
        if let Err(refused) = Project::new().sink("send", "http_out", &value!({"url": (url)})) {
            assert!(
                refused
                    .message
                    .ends_with("check the certificates of this machine")
            );
        }
    }
}
