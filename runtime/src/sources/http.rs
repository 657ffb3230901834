//! HTTP endpoint: webhooks with a signature check, and request with response.

mod check;
mod listen;
mod pages;

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use axum::body::{Body, Bytes, HttpBody};
use axum::extract::{Request, State};
use axum::http::header::{ALLOW, CONTENT_TYPE, HeaderName, HeaderValue, RETRY_AFTER};
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use graph_model::catalog::{
    Behaviour, Delivery, Family, FieldSpec, FieldType, KindSpec, PortRole, PortSpec, ReachKind,
};
use graph_model::event::{Event, EventContext, parse_rfc3339};
use graph_model::id::NodeId;
use graph_model::value::{Object, Value};
use runtime_protocol::Problem;
use smol_str::SmolStr;
use tokio::sync::{Notify, oneshot};

use self::check::{Check, Form};
pub(crate) use self::listen::Listener;
use self::listen::{Board, Found, Hold, Methods, address};
use self::pages::{Origins, Pages, Refused};
use super::stamp::{Stamp, fresh_id};
use crate::kind::{Build, Kind, Make};
use crate::operator::{Failure, FailureClass};
use crate::rim::{Feed, Inbound, Settled, Source, Work};

pub(crate) fn kind() -> Kind {
    Kind {
        spec: spec(),
        make: Make::Source(make),
    }
}

/// Requests of one endpoint that are under way at once; further ones are sent away with 503.
const UNDER_WAY_MAX: usize = 4096;
/// How long a body may take to arrive.
const BODY_WAIT: Duration = Duration::from_secs(30);
/// Bytes of a body beyond its limit that are read, so that the answer reaches the sender.
const BEYOND_LIMIT_MAX: usize = 4 << 20;
/// How long a stopping endpoint waits for the requests under way.
const LEAVE_WAIT: Duration = Duration::from_secs(2);
/// When to come again, in seconds.
const COME_AGAIN_S: &str = "1";

fn make(build: &Build) -> Result<Box<dyn Source>, Problem> {
    let path = build.text("path")?;
    if !path.starts_with('/') || path.contains(|c: char| "?# ".contains(c) || c.is_control()) {
        return Err(build.problem(format!(
            "`path` = `{path}` is no path; begin it with `/` and leave out spaces, `?` and `#`"
        )));
    }
    let method = build.text("method")?;
    let methods = Methods::named(&method).ok_or_else(|| unknown(build, "method", &method))?;
    let listen = build.text("listen")?;
    refuse_twins(build, &listen, &path, methods)?;

    let respond = build.text("respond")?;
    let reply_timeout = match respond.as_str() {
        "accepted" => None,
        "reply" => Some(build.duration("reply_timeout")?),
        _ => return Err(unknown(build, "respond", &respond)),
    };
    let settings = Settings {
        stamp: Stamp::of(build),
        check: check(build)?,
        id_header: header(build, "id_header")?,
        type_header: header(build, "type_header")?,
        body_max: usize::try_from(build.bytes("max_body")?).unwrap_or(usize::MAX),
        reply_timeout,
    };
    let problem = |message: String| build.problem(message);
    let hosts = pages::hosts(&build.texts("hosts")).map_err(problem)?;
    let origins = Origins::read(&build.texts("origins")).map_err(problem)?;
    let listener = Listener::get(build.shared, &listen).map_err(problem)?;
    Ok(Box::new(Http {
        node: build.id.clone(),
        address: format!("http://{}{path}", listener.address),
        pages: Pages::new(listener.address, hosts, origins),
        hold: listener.claim(path, methods),
        settings,
    }))
}

fn unknown(build: &Build, field: &str, value: &str) -> Problem {
    build.problem(format!(
        "`{field}` = `{value}` is unknown; choose one of the list"
    ))
}

/// Two endpoints of a flow cannot answer the same requests.
fn refuse_twins(build: &Build, listen: &str, path: &str, methods: Methods) -> Result<(), Problem> {
    let here = address(listen);
    for (id, node) in &build.document.nodes {
        let text = |field| {
            let value = build.spec.config(node, field);
            value.and_then(Value::as_str).unwrap_or_default()
        };
        let is_twin = id != build.id
            && node.kind == build.spec.id
            && !node.disabled
            && text("path") == path
            && Methods::named(text("method")).is_some_and(|other| other.overlap(methods))
            && address(text("listen")) == here;
        if is_twin {
            return Err(build.problem(format!(
                "`{path}` on {listen} is answered by `{id}` already; give one of them another `path`"
            )));
        }
    }
    Ok(())
}

fn header(build: &Build, field: &str) -> Result<Option<HeaderName>, Problem> {
    build
        .optional_text(field)
        .map(|name| {
            HeaderName::from_bytes(name.trim().as_bytes())
                .map_err(|_| build.problem(format!("`{field}` = `{name}` is no name of a header")))
        })
        .transpose()
}

fn check(build: &Build) -> Result<Check, Problem> {
    let kind = build.text("check")?;
    if kind == "none" {
        return Ok(Check::Nothing);
    }
    let secret = build.secret("secret")?.filter(|secret| !secret.is_empty());
    let Some(secret) = secret else {
        return Err(build.problem(
            "`secret` is empty; name the environment variable that holds the key or the token",
        ));
    };
    match kind.as_str() {
        "token" => Ok(Check::token(&secret, build.world.random())),
        "signature" => {
            let form = build.text("signature_form")?;
            let form = Form::named(&form).ok_or_else(|| unknown(build, "signature_form", &form))?;
            let header = header(build, "signature_header")?
                .ok_or_else(|| build.problem("`signature_header` is empty; fill it in"))?;
            Ok(Check::signature(&secret, header, form))
        }
        _ => Err(unknown(build, "check", &kind)),
    }
}

struct Http {
    node: NodeId,
    address: String,
    hold: Hold,
    pages: Pages,
    settings: Settings,
}

impl Source for Http {
    fn run(self: Box<Self>, feed: Feed) -> Work<'static, Result<(), Problem>> {
        Box::pin(async move {
            let Http {
                node,
                hold,
                pages,
                settings,
                ..
            } = *self;
            let endpoint = Arc::new(Endpoint {
                pages,
                settings,
                feed: feed.clone(),
                under_way: AtomicUsize::new(0),
                idle: Notify::new(),
            });
            hold.go_live(Arc::clone(&endpoint)).map_err(|error| {
                let address = hold.address();
                Problem::at(
                    &node,
                    format!("cannot listen on {address} ({error}); start the flow again"),
                )
            })?;
            feed.line.caught_up();
            feed.line.stopped().await;
            hold.stop();
            // Whoever is not answered by then is answered later, if the engine lives on.
            let _late = tokio::time::timeout(LEAVE_WAIT, endpoint.idle()).await;
            hold.release().await;
            Ok(())
        })
    }

    fn address(&self) -> Option<String> {
        Some(self.address.clone())
    }
}

/// What the node says about requests and their events.
struct Settings {
    stamp: Stamp,
    check: Check,
    id_header: Option<HeaderName>,
    type_header: Option<HeaderName>,
    /// Bytes.
    body_max: usize,
    /// How long to wait for a reply; none when requests are only accepted.
    reply_timeout: Option<Duration>,
}

/// A live endpoint.
struct Endpoint {
    pages: Pages,
    settings: Settings,
    feed: Feed,
    under_way: AtomicUsize,
    idle: Notify,
}

/// Counts a request as under way.
struct UnderWay<'e>(&'e Endpoint);

impl Drop for UnderWay<'_> {
    fn drop(&mut self) {
        if self.0.under_way.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.0.idle.notify_one();
        }
    }
}

/// Answers a request to a listener.
async fn answer(State(board): State<Arc<Board>>, request: Request) -> Response {
    let asked_about = pages::asked_about(&request);
    let method = asked_about.as_ref().unwrap_or(request.method());
    match board.find(request.uri().path(), method).await {
        Found::Live(endpoint) if asked_about.is_some() => endpoint.answer_preflight(request),
        Found::Live(endpoint) => endpoint.answer(request).await,
        Found::Starting => come_again("the flow is starting"),
        Found::Stopping => come_again("the flow is stopping"),
        Found::OtherMethod(allowed) => {
            let mut answer = refusal(
                StatusCode::METHOD_NOT_ALLOWED,
                &format!("{method} is not accepted here; use {allowed}"),
            );
            let headers = answer.headers_mut();
            headers.insert(ALLOW, HeaderValue::from_static(allowed));
            answer
        }
        Found::Nothing => {
            let path = request.uri().path();
            refusal(StatusCode::NOT_FOUND, &format!("nothing listens at {path}"))
        }
    }
}

impl Endpoint {
    async fn idle(&self) {
        while self.under_way.load(Ordering::Acquire) > 0 {
            self.idle.notified().await;
        }
    }

    async fn answer(&self, request: Request) -> Response {
        let before = self.under_way.fetch_add(1, Ordering::AcqRel);
        let _counted = UnderWay(self);
        let (head, body) = request.into_parts();
        let page = match self.pages.admit(&head) {
            Ok(page) => page,
            Err(refused) => {
                // Its body is of no use, but unread it could keep the answer from the sender.
                let _unused = tokio::time::timeout(BODY_WAIT, read_body(body, 0)).await;
                return self.refuse(&refused);
            }
        };
        let mut answer = if before >= UNDER_WAY_MAX {
            self.feed.line.refused();
            come_again("too many requests wait here")
        } else {
            match self.read(head, body).await {
                Ok(event) => self.accept(event).await,
                Err(refused) => {
                    self.feed.line.refused();
                    refused
                }
            }
        };
        if let Some(page) = page {
            pages::show_to(page, answer.headers_mut());
        }
        answer
    }

    /// A browser asks whether a page may send a request.
    fn answer_preflight(&self, request: Request) -> Response {
        let (head, _) = request.into_parts();
        match self.pages.admit(&head) {
            Ok(page) => pages::send_on(&head, page),
            Err(refused) => self.refuse(&refused),
        }
    }

    fn refuse(&self, (status, reason): &Refused) -> Response {
        self.feed.line.refused();
        refusal(*status, reason)
    }

    /// The event of a request, or the answer that refuses it.
    async fn read(&self, head: Parts, body: Body) -> Result<Event, Response> {
        let limit = self.settings.body_max;
        let body = tokio::time::timeout(BODY_WAIT, read_body(body, limit)).await;
        let body = match body {
            Ok(Ok(body)) => body,
            Ok(Err(BodyError::TooLarge)) => {
                return Err(refusal(
                    StatusCode::PAYLOAD_TOO_LARGE,
                    &format!("the body is larger than {limit} bytes"),
                ));
            }
            Ok(Err(BodyError::Broken)) => {
                return Err(refusal(StatusCode::BAD_REQUEST, "the body ended too early"));
            }
            Err(_) => {
                return Err(refusal(
                    StatusCode::REQUEST_TIMEOUT,
                    "the body did not arrive in time",
                ));
            }
        };
        let now_ms = self.feed.world.now_ms();
        self.settings
            .check
            .admit(&head.headers, &body, now_ms)
            .map_err(|reason| refusal(StatusCode::UNAUTHORIZED, &reason))?;
        let data = match head.uri.query() {
            query if body.is_empty() && head.method == axum::http::Method::GET => {
                query_object(query.unwrap_or_default())
            }
            _ => Value::parse(&body, limit)
                .map_err(|error| refusal(StatusCode::BAD_REQUEST, &error.to_string()))?,
        };
        self.event(&head.headers, data, now_ms)
            .map_err(|reason| refusal(StatusCode::BAD_REQUEST, &reason))
    }

    /// The event that payload and headers make; a `CloudEvent` brings its own context.
    fn event(&self, headers: &HeaderMap, data: Value, now_ms: i64) -> Result<Event, String> {
        let Settings {
            stamp,
            id_header,
            type_header,
            ..
        } = &self.settings;
        let content_type = text(headers, &CONTENT_TYPE).unwrap_or_default();
        let mut event = if content_type.starts_with("application/cloudevents+json") {
            let timed = data.get("time").is_some();
            let mut event = Event::from_cloudevent(&data).map_err(|error| error.to_string())?;
            let context = Arc::make_mut(&mut event.context);
            keep_out_own_extensions(context);
            if !timed {
                context.time_ms = now_ms;
            }
            event
        } else if headers.contains_key("ce-specversion") {
            let mut event = stamp.event(SmolStr::default(), now_ms, data);
            read_cloudevent_headers(headers, Arc::make_mut(&mut event.context))?;
            event
        } else {
            stamp.event(SmolStr::default(), now_ms, data)
        };
        let given = |name: &Option<HeaderName>| text(headers, name.as_ref()?);
        let id = given(id_header);
        if id.is_some() || event.context.id.is_empty() {
            let id = id.map_or_else(|| fresh_id(&*self.feed.world), SmolStr::from);
            Arc::make_mut(&mut event.context).id = id;
        }
        if let Some(ty) = given(type_header) {
            Arc::make_mut(&mut event.context).ty = ty.into();
        }
        Ok(event)
    }

    /// Hands the event in and answers when its fate is known.
    async fn accept(&self, event: Event) -> Response {
        let id = event.context.id.clone();
        let (settle, settled) = oneshot::channel();
        let inbound = Inbound {
            event,
            settled: Some(settle),
            wants_reply: self.settings.reply_timeout.is_some(),
        };
        if self.feed.line.push(vec![inbound]).await.is_err() {
            return come_again("the flow is stopping");
        }
        let settled = match self.settings.reply_timeout {
            None => settled.await,
            Some(wait) => match tokio::time::timeout(wait, settled).await {
                Ok(settled) => settled,
                Err(_) => {
                    return refusal(
                        StatusCode::GATEWAY_TIMEOUT,
                        "the flow gave no reply in time",
                    );
                }
            },
        };
        match settled {
            Ok(Settled::Safe) => {
                let body = Object::from_iter([("id", Value::Str(id))]);
                json(StatusCode::ACCEPTED, &Value::from(body))
            }
            Ok(Settled::Reply(reply)) => json(StatusCode::OK, &reply.data),
            Ok(Settled::GivenUp(failure)) => given_up(&failure),
            Err(_) => come_again("the flow is stopping"),
        }
    }
}

enum BodyError {
    TooLarge,
    Broken,
}

async fn read_body(mut body: Body, limit: usize) -> Result<Bytes, BodyError> {
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
fn query_object(query: &str) -> Value {
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
fn read_cloudevent_headers(headers: &HeaderMap, context: &mut EventContext) -> Result<(), String> {
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
fn keep_out_own_extensions(context: &mut EventContext) {
    use graph_model::event::extension::{CAUSATION, CORRELATION, PARTITION_KEY};
    context.extensions.retain(|name, _| {
        !name.starts_with("weir") && ![CAUSATION, CORRELATION, PARTITION_KEY].contains(&&**name)
    });
}

fn text<'h>(headers: &'h HeaderMap, name: &HeaderName) -> Option<&'h str> {
    let value = headers.get(name)?.to_str().ok()?.trim();
    (!value.is_empty()).then_some(value)
}

fn given_up(failure: &Failure) -> Response {
    match failure.class {
        FailureClass::Invalid => refusal(StatusCode::UNPROCESSABLE_ENTITY, &failure.message),
        FailureClass::Transient => come_again(&failure.message),
        FailureClass::Fatal => refusal(StatusCode::INTERNAL_SERVER_ERROR, &failure.message),
    }
}

fn come_again(reason: &str) -> Response {
    let mut answer = refusal(StatusCode::SERVICE_UNAVAILABLE, reason);
    let headers = answer.headers_mut();
    headers.insert(RETRY_AFTER, HeaderValue::from_static(COME_AGAIN_S));
    answer
}

fn refusal(status: StatusCode, reason: &str) -> Response {
    json(status, &Value::from(Object::from_iter([("error", reason)])))
}

fn json(status: StatusCode, body: &Value) -> Response {
    let mut answer = Response::new(Body::from(body.to_json()));
    *answer.status_mut() = status;
    let headers = answer.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    answer
}

fn spec() -> KindSpec {
    KindSpec {
        id: "http".into(),
        family: Family::Source,
        title: "HTTP endpoint".into(),
        summary: "Receives events as HTTP requests.".into(),
        doc: "Answers 2xx only when the event is safe: everything up to the next channel or sink has taken it. With `respond` set to `reply`, the request waits for an event at the `reply` port. The body is JSON, or a CloudEvent in either HTTP mode; the parameters of a GET request become an object of texts. Refused requests are answered 400 (not JSON), 401 (check), 403 (foreign web page or unknown host), 413 (too large), 422 (the flow cannot use the event) and 503 with `Retry-After` (try again). At most 4096 requests are under way at once. Listens on this machine unless told otherwise. There it answers only requests to `localhost`, `127.0.0.1`, `[::1]` and the names in `hosts`: behind a tunnel or a proxy, list the public name there. Web pages of other origins are kept out, whatever the address, unless `origins` lists them: then they may send, and read the answers. Senders that are no browsers are not asked for an origin.".into(),
        icon: "globe".into(),
        inputs: vec![PortSpec { name: "reply".into(), doc: "Answers to waiting requests".into(), role: PortRole::Reply, each: None }],
        outputs: vec![PortSpec::data("out", "One event for each accepted request")],
        config: vec![FieldSpec::new("path", "Path", FieldType::Text, "Path of the address, such as `/orders`").default_to("/").required(), FieldSpec::new("method", "Method", FieldType::choice(&["POST", "PUT", "GET", "ANY"]), "Requests that are accepted").default_to("POST"), FieldSpec::new("listen", "Listen on", FieldType::Text, "Address and port; nodes with the same one share it").reaches(ReachKind::Listen).default_to("127.0.0.1:8787"), FieldSpec::new("event_type", "Event type", FieldType::EventType, "Type of the events, declared in the document"), FieldSpec::new("respond", "Respond", FieldType::choice(&["accepted", "reply"]), "`accepted`: 202 once the event is safe; `reply`: the event that arrives at the reply port").default_to("accepted"), FieldSpec::new("check", "Check", FieldType::choice(&["none", "signature", "token"]), "What a request must show to be let in").default_to("none"), FieldSpec::new("secret", "Secret", FieldType::Secret, "Environment variable with the signing key or the token").reaches(ReachKind::Secret), FieldSpec::new("signature_header", "Signature header", FieldType::Text, "Header with the HMAC-SHA256 of the body").default_to("X-Hub-Signature-256").advanced(), FieldSpec::new("signature_form", "Signature form", FieldType::choice(&["sha256=hex", "hex", "base64", "stripe"]), "How the header spells the signature").default_to("sha256=hex").advanced(), FieldSpec::new("id_header", "Id header", FieldType::Text, "Header with the id of the delivery; copies of one delivery carry the same").advanced(), FieldSpec::new("type_header", "Type header", FieldType::Text, "Header with the type of the event").advanced(), FieldSpec::new("max_body", "Largest body", FieldType::Bytes, "Larger requests are refused with 413").default_to("1 MiB").advanced(), FieldSpec::new("reply_timeout", "Reply timeout", FieldType::Duration, "A request without a reply is answered 504 after this time").default_to("10s").advanced(), FieldSpec::new("hosts", "Hosts", FieldType::Texts, "Names besides those of this machine that requests may come to, such as that of a tunnel; on other addresses any name serves if none is listed").advanced(), FieldSpec::new("origins", "Origins", FieldType::Texts, "Web pages that may send requests and read the answers, such as `https://shop.example`; `*` for any page").advanced()],
        behaviour: Behaviour::Source { ty: "event_type".into(), delivery: Delivery::CallerRetries, keyed_by_id: true },
        resource: None,
        since: "0.1.0".into(),
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use graph_model::document::Document;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpStream;
    use tokio::task::JoinHandle;

    use super::*;
    use crate::shared::Shared;
    use crate::sources::testing::{Answer, TestFlow, make_in, node, refusal};

    /// Endpoints that run in a flow.
    struct Served {
        flow: Arc<TestFlow>,
        address: String,
        running: JoinHandle<Result<(), Problem>>,
    }

    fn document(configs: &[(&str, &str)]) -> Document {
        let mut document = Document::default();
        for (id, config) in configs {
            let node = node(&kind(), config);
            document.nodes.insert((*id).into(), Arc::new(node));
        }
        document
    }

    fn build(
        configs: &[(&str, &str)],
        id: &str,
        shared: &Shared,
    ) -> Result<Box<dyn Source>, Problem> {
        make_in(
            &kind(),
            &document(configs),
            &id.into(),
            Path::new("."),
            shared,
        )
    }

    fn serve(config: &str, answer: Answer) -> Served {
        let config = format!("{{\"listen\": \"127.0.0.1:0\", {config}}}");
        let source = build(&[("n", &config)], "n", &Shared::default()).expect("it is made");
        let address = source.address().expect("it listens");
        let flow = TestFlow::answering(answer);
        Served {
            address,
            running: tokio::spawn(source.run(flow.feed())),
            flow,
        }
    }

    /// The host of an address, and the path without its slash.
    fn parts(address: &str) -> (&str, &str) {
        address
            .strip_prefix("http://")
            .and_then(|rest| rest.split_once('/'))
            .expect("an address with a path")
    }

    /// Sends a request; answers its status, head and body.
    async fn send(address: &str, method: &str, headers: &str, body: &str) -> (u16, String, String) {
        let headers = format!("host: {}\r\n{headers}", parts(address).0);
        send_bare(address, method, &headers, body).await
    }

    /// Sends a request that names no host unless the headers do.
    async fn send_bare(
        address: &str,
        method: &str,
        headers: &str,
        body: &str,
    ) -> (u16, String, String) {
        let (host, path) = parts(address);
        let mut stream = TcpStream::connect(host).await.expect("it listens");
        let length = body.len();
        let text = format!(
            "{method} /{path} HTTP/1.1\r\nconnection: close\r\ncontent-length: {length}\r\n{headers}\r\n{body}"
        );
        stream.write_all(text.as_bytes()).await.expect("it reads");
        let mut answer = String::new();
        stream
            .read_to_string(&mut answer)
            .await
            .expect("it answers");
        let (head, body) = answer.split_once("\r\n\r\n").expect("a head and a body");
        let status = head[9..12].parse().expect("a status");
        (status, head.to_lowercase(), body.to_owned())
    }

    #[tokio::test]
    async fn requests_become_events() {
        let served = serve(
            r#""path": "/in", "id_header": "X-Id", "type_header": "X-Type""#,
            |_| Some(Settled::Safe),
        );
        let headers = "x-id: d-1\r\nx-type: push\r\n";
        let (status, head, body) = send(&served.address, "POST", headers, r#"{"a": 1}"#).await;
        assert_eq!((status, body.as_str()), (202, r#"{"id":"d-1"}"#));
        assert!(head.contains("content-type: application/json"), "{head}");
        assert_eq!(send(&served.address, "POST", "", "[]").await.0, 202);
        served.flow.look(|got| {
            let context = &got.events[0].context;
            let seen = [&context.id, &context.ty, &context.source];
            assert_eq!(seen.map(SmolStr::as_str), ["d-1", "push", "n"]);
            assert_eq!(got.events[1].context.id.len(), 22);
            assert!(got.caught_up && got.refused == 0);
        });
        served.flow.stop();
        assert_eq!(served.running.await.expect("it ends"), Ok(()));
    }

    #[tokio::test]
    async fn bad_requests_are_refused_with_a_reason() {
        let served = serve(r#""path": "/in", "max_body": "200""#, |_| {
            Some(Settled::Safe)
        });
        let deep = "[".repeat(150);
        for (method, path, body, wanted, reason) in [
            ("POST", "", "{\"a\":", 400, "not JSON at line 1, column 5"),
            ("POST", "", "", 400, "not JSON at line 1, column 0"),
            ("POST", "", &*deep, 400, "recursion limit exceeded"),
            ("POST", "", &*"1".repeat(201), 413, "larger than 200 bytes"),
            ("POST", "side", "{}", 404, "nothing listens at /inside"),
            ("PUT", "", "{}", 405, "PUT is not accepted here; use POST"),
        ] {
            let address = format!("{}{path}", served.address);
            let (status, _, answer) = send(&address, method, "", body).await;
            let answer = Value::parse(answer.as_bytes(), 1 << 20).expect("JSON");
            let error = answer.get("error").and_then(Value::as_str).expect("text");
            assert_eq!((status, error.contains(reason)), (wanted, true), "{error}");
        }
        served
            .flow
            .look(|got| assert_eq!((got.refused, got.events.len()), (4, 0)));
    }

    #[tokio::test]
    async fn a_request_must_show_what_the_check_wants() {
        // Any variable that is set serves as the secret.
        let secret = std::env::var("PATH").expect("it is set");
        let right = check::sign(&secret, b"{}");
        for (check, header, wanted) in [
            (
                "signature",
                format!("x-hub-signature-256: sha256={right}\r\n"),
                202,
            ),
            (
                "signature",
                "x-hub-signature-256: sha256=00\r\n".to_owned(),
                401,
            ),
            ("signature", String::new(), 401),
            ("token", format!("authorization: Bearer {secret}\r\n"), 202),
            ("token", "authorization: Bearer no\r\n".to_owned(), 401),
        ] {
            let served = serve(&format!(r#""check": "{check}", "secret": "PATH""#), |_| {
                Some(Settled::Safe)
            });
            assert_eq!(send(&served.address, "POST", &header, "{}").await.0, wanted);
            // What is not let in is not parsed either.
            if wanted == 401 {
                assert_eq!(send(&served.address, "POST", &header, "{").await.0, 401);
            }
        }
    }

    #[tokio::test]
    async fn web_pages_are_kept_out_unless_they_are_listed() {
        let served = serve(
            r#""hosts": ["hook.example"], "origins": ["https://a.example"]"#,
            |_| Some(Settled::Safe),
        );
        let (host, _) = parts(&served.address);
        let port = host.rsplit(':').next().expect("a port");
        let large = "1".repeat(1 << 20);
        for (headers, body, wanted, reason) in [
            (format!("host: localhost:{port}"), "1", 202, ""),
            ("host: hook.example".to_owned(), "1", 202, ""),
            (
                format!("host: {host}\r\norigin: http://{host}"),
                "1",
                202,
                "",
            ),
            (
                format!("host: {host}\r\norigin: https://a.example"),
                "1",
                202,
                "",
            ),
            (
                format!("host: evil.example:{port}\r\norigin: http://evil.example:{port}"),
                "1",
                403,
                "if the name is yours, add it to `hosts`",
            ),
            (
                format!("host: {host}\r\norigin: http://evil.example"),
                &*large,
                403,
                "add `http://evil.example` to `origins`",
            ),
            (
                format!("host: {host}\r\norigin: null"),
                "1",
                403,
                "add `*` to `origins`",
            ),
            (
                format!("host: {host}\r\nsec-fetch-site: cross-site"),
                "1",
                403,
                "add `*` to `origins`",
            ),
            (
                "accept: */*".to_owned(),
                "1",
                400,
                "the header `Host` is missing",
            ),
        ] {
            let headers = format!("{headers}\r\n");
            let (status, head, answer) = send_bare(&served.address, "POST", &headers, body).await;
            assert_eq!(
                (status, answer.contains(reason)),
                (wanted, true),
                "{answer}"
            );
            let shown = head.contains("access-control-allow-origin: https://a.example\r\n");
            assert_eq!(shown, headers.contains("a.example"), "{head}");
            assert_eq!(head.contains("vary: origin"), shown, "{head}");
            assert_eq!(head.contains("access-control"), shown, "{head}");
        }
        served
            .flow
            .look(|got| assert_eq!((got.refused, got.events.len()), (5, 4)));
    }

    #[tokio::test]
    async fn a_listed_page_may_read_why_it_was_refused() {
        let served = serve(r#""origins": ["*"]"#, |_| Some(Settled::Safe));
        let (status, head, _) = send(&served.address, "POST", "origin: null\r\n", "{").await;
        assert_eq!(status, 400);
        assert!(head.contains("access-control-allow-origin: null"), "{head}");
    }

    #[tokio::test]
    async fn preflights_are_answered_and_are_no_events() {
        for method in ["POST", "ANY"] {
            let served = serve(
                &format!(r#""method": "{method}", "origins": ["https://a.example"]"#),
                |_| Some(Settled::Safe),
            );
            let ask = async |origin: &str, method: &str| {
                let headers = format!(
                    "origin: {origin}\r\naccess-control-request-method: {method}\r\naccess-control-request-headers: x-id\r\n"
                );
                send(&served.address, "OPTIONS", &headers, "").await
            };
            let (status, head, body) = ask("https://a.example", "POST").await;
            assert_eq!((status, &*body), (204, ""));
            for line in [
                "access-control-allow-origin: https://a.example",
                "access-control-allow-methods: post",
                "access-control-allow-headers: *, authorization",
                "access-control-max-age: 600",
                "vary: origin",
            ] {
                assert!(head.lines().any(|held| held == line), "{line} in {head}");
            }
            let (status, head, _) = ask("https://b.example", "POST").await;
            assert_eq!((status, head.contains("access-control")), (403, false));
            let unserved = ask("https://a.example", "DELETE").await.0;
            assert_eq!(unserved, if method == "ANY" { 204 } else { 405 });
            served
                .flow
                .look(|got| assert_eq!((got.refused, got.events.len()), (1, 0)));
        }
    }

    #[tokio::test]
    async fn the_fate_of_the_event_is_the_answer() {
        let answer: Answer = |event| match event.data.as_str()? {
            "reply" => Some(Settled::Reply(event.with_data(Value::from("hi")))),
            "bad" => Some(Settled::GivenUp(Failure::invalid("no such order"))),
            "later" => Some(Settled::GivenUp(Failure::transient("disk full"))),
            "broken" => Some(Settled::GivenUp(Failure::fatal("no table"))),
            _ => None,
        };
        let served = serve(r#""respond": "reply", "reply_timeout": "50ms""#, answer);
        for (body, status, text) in [
            ("reply", 200, "\"hi\""),
            ("bad", 422, "{\"error\":\"no such order\"}"),
            ("later", 503, "{\"error\":\"disk full\"}"),
            ("broken", 500, "{\"error\":\"no table\"}"),
            (
                "silence",
                504,
                "{\"error\":\"the flow gave no reply in time\"}",
            ),
        ] {
            let sent = send(&served.address, "POST", "", &format!("\"{body}\"")).await;
            assert_eq!((sent.0, sent.2.as_str()), (status, text));
            assert_eq!(sent.1.contains("retry-after: 1"), status == 503);
        }
    }

    #[tokio::test]
    async fn cloudevents_and_queries_are_understood() {
        let served = serve(r#""method": "ANY""#, |_| Some(Settled::Safe));
        let binary = "ce-specversion: 1.0\r\nce-id: 7\r\nce-source: shop\r\nce-type: sold\r\nce-region: eu\r\nce-weirfailure: x\r\n";
        let structured = "content-type: application/cloudevents+json\r\n";
        let event = r#"{"specversion":"1.0","id":"8","source":"shop","type":"sold","data":2}"#;
        let query = format!("{}?a=1&b=x%20y+z&a=%32&c", served.address);
        assert_eq!(send(&served.address, "POST", binary, "1").await.0, 202);
        assert_eq!(
            send(&served.address, "POST", structured, event).await.0,
            202
        );
        assert_eq!(send(&served.address, "POST", structured, "{}").await.0, 400);
        assert_eq!(send(&query, "GET", "", "").await.0, 202);
        assert_eq!(
            served.flow.payloads(),
            ["1", "2", r#"{"a":["1","2"],"b":"x y z","c":""}"#]
        );
        served.flow.look(|got| {
            let first = &got.events[0].context;
            assert_eq!(
                (&*first.id, &*first.source, &*first.ty),
                ("7", "shop", "sold")
            );
            assert_eq!(first.extensions.len(), 1);
            let second = &got.events[1].context;
            assert!(second.id == "8" && second.time_ms > 0);
        });
    }

    #[tokio::test]
    async fn a_rebuilt_endpoint_takes_over_without_a_gap() {
        let shared = Shared::default();
        let config = r#"{"listen": "127.0.0.1:0", "path": "/in"}"#;
        let both = [
            ("a", config),
            ("b", r#"{"listen": "127.0.0.1:0", "path": "/b"}"#),
        ];
        let first = build(&both, "a", &shared).expect("it is made");
        let address = first.address().expect("it listens");
        let (old, new) = (TestFlow::new(), TestFlow::new());
        let running = tokio::spawn(first.run(old.feed()));
        assert_eq!(send(&address, "POST", "", "1").await.0, 202);

        let other = build(&both, "b", &shared).expect("it shares the listener");
        let second = build(&both, "a", &shared).expect("it is made again");
        assert_eq!(second.address().as_ref(), Some(&address));
        assert_eq!(send(&address, "POST", "", "2").await.0, 202);
        old.stop();
        assert_eq!(running.await.expect("it ends"), Ok(()));
        // Between the two, a request waits.
        let waiting = tokio::spawn({
            let address = address.clone();
            async move { send(&address, "POST", "", "3").await.0 }
        });
        tokio::task::yield_now().await;
        let running = tokio::spawn(second.run(new.feed()));
        assert_eq!(waiting.await.expect("it is answered"), 202);
        assert_eq!(
            (old.payloads(), new.payloads()),
            (vec!["1".into(), "2".into()], vec!["3".to_owned()])
        );

        drop(other);
        new.stop();
        assert_eq!(running.await.expect("it ends"), Ok(()));
        let again = std::net::TcpListener::bind(parts(&address).0);
        assert!(again.is_ok(), "the port is free again: {again:?}");
    }

    #[tokio::test]
    async fn an_event_outlives_the_request_that_brought_it() {
        let served = serve("\"path\": \"/in\"", |_| None);
        let address = served.address.clone();
        let request = tokio::spawn(async move { send(&address, "POST", "", "1").await });
        served.flow.until(|got| got.events.len() == 1).await;
        request.abort();
        assert!(request.await.is_err_and(|error| error.is_cancelled()));
        served.flow.stop();
        assert_eq!(served.running.await.expect("it ends"), Ok(()));
    }

    #[test]
    fn endpoints_that_cannot_be_are_refused_with_a_reason() {
        let bound = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
        let taken = format!("\"listen\": \"{}\"", bound.local_addr().expect("bound"));
        for (config, wanted) in [
            (&*taken, "is in use by another program"),
            (r#""listen": "far away""#, "is no address"),
            (r#""path": "in""#, "is no path"),
            (r#""check": "signature""#, "`secret` is empty"),
            (
                r#""check": "token", "secret": "WEIR_NEVER_SET""#,
                "is not set",
            ),
            (r#""id_header": "a b""#, "no name of a header"),
            (r#""method": "BREW""#, "`method` = `BREW` is unknown"),
            (r#""hosts": ["http://a"]"#, "`hosts`: `http://a` is no name"),
            (r#""origins": ["a"]"#, "`origins`: `a` is no origin"),
        ] {
            let made = build(&[("n", &format!("{{{config}}}"))], "n", &Shared::default());
            let message = refusal(made);
            assert!(message.contains(wanted), "{message}");
        }
        let twins = [
            ("a", r#"{"listen": "127.0.0.1:1", "path": "/in"}"#),
            (
                "b",
                r#"{"listen": "localhost:1", "path": "/in", "method": "ANY"}"#,
            ),
        ];
        let message = refusal(build(&twins, "b", &Shared::default()));
        assert!(message.contains("answered by `a` already"), "{message}");
    }
}
