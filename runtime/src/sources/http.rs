//! HTTP endpoint: webhooks with a signature check, and request with response.

mod check;
mod listen;
mod pages;
mod read;
mod replies;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::header::{ALLOW, CONTENT_TYPE, HeaderName, HeaderValue};
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use graph_model::catalog::{
    Behaviour, Delivery, Family, FieldSpec, FieldType, KindSpec, PortRole, PortSpec, ReachKind,
};
use graph_model::event::Event;
use graph_model::id::NodeId;
use graph_model::value::{Object, Value};
use runtime_protocol::Problem;
use smol_str::SmolStr;
use tokio::sync::{Notify, oneshot};

use self::check::{Check, Form};
pub(crate) use self::listen::Listener;
use self::listen::{Board, Found, Hold, Methods, address};
use self::pages::{Origins, Pages, Refused};
use self::read::{
    BodyError, keep_out_own_extensions, query_object, read_body, read_cloudevent_headers, text,
};
use self::replies::{come_again, given_up, json, refusal};
use super::stamp::{Stamp, fresh_id};
use crate::kind::{Build, Kind, Make};
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
/// How long a stopping endpoint waits for the requests under way.
const LEAVE_WAIT: Duration = Duration::from_secs(2);

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
