//! Requests of functions: to the hosts that their node lists, and to nobody else.

use std::collections::BTreeSet;
use std::error::Error;
use std::net::{IpAddr, SocketAddr};
use std::sync::mpsc::{RecvTimeoutError, sync_channel};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use reqwest::header::{
    CONNECTION, CONTENT_LENGTH, HOST, HeaderMap, HeaderName, HeaderValue, TRANSFER_ENCODING,
};
use reqwest::redirect::Policy;
use reqwest::{Client, Method, Url};
use runtime_protocol::Problem;
use tokio::runtime::Handle;
use tokio::sync::oneshot;

use super::host::{HttpError, HttpRequest, HttpResponse, Sending};
use crate::kind::Build;
use crate::outgoing::{self, REDIRECTS_MAX, cause, is_this_machine, keeps_request, read};
use crate::shared::lock;

/// The field that lists hosts.
pub(super) const FIELD: &str = "hosts";
/// What a wait is longer than that of the client, so that it is the client that says why.
const GRACE: Duration = Duration::from_millis(200);

/// The thread on which requests are under way; there once somebody sends one.
#[derive(Default)]
pub(crate) struct Network(Mutex<Option<Running>>);

struct Running {
    handle: Handle,
    /// Ends the thread when it is dropped.
    _end: oneshot::Sender<()>,
}

impl Network {
    fn handle(&self) -> Result<Handle, String> {
        let mut running = lock(&self.0);
        if let Some(running) = &*running {
            return Ok(running.handle.clone());
        }
        let failed = |error: std::io::Error| format!("no thread could be started ({error})");
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(failed)?;
        let handle = runtime.handle().clone();
        let (end, ended) = oneshot::channel::<()>();
        let run = move || {
            // Both a word and its absence end it.
            let _word = runtime.block_on(ended);
        };
        let thread = thread::Builder::new().name("function-requests".into());
        thread.spawn(run).map_err(failed)?;
        *running = Some(Running {
            handle: handle.clone(),
            _end: end,
        });
        Ok(handle)
    }
}

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

/// Looks names up. Names of others do not lead to this machine, nor to what answers only to machines of
/// one cloud.
struct Names {
    here: bool,
}

impl Resolve for Names {
    fn resolve(&self, name: Name) -> Resolving {
        let here = self.here;
        Box::pin(async move {
            let found = tokio::net::lookup_host((name.as_str(), 0)).await?;
            let found: Vec<SocketAddr> = found
                .filter(|address| here || !is_near(address.ip()))
                .collect();
            if found.is_empty() {
                let why = "its name leads to this machine, which is not listed";
                return Err(Box::<dyn Error + Send + Sync>::from(why));
            }
            Ok(Box::new(found.into_iter()) as Addrs)
        })
    }
}

fn is_near(ip: IpAddr) -> bool {
    match ip.to_canonical() {
        IpAddr::V4(ip) => ip.is_loopback() || ip.is_unspecified() || ip.is_link_local(),
        IpAddr::V6(ip) => ip.is_loopback() || ip.is_unspecified() || ip.is_unicast_link_local(),
    }
}

#[cfg(test)]
mod tests {
    use graph_model::value;
    use graph_model::value::Value;

    use super::super::testing::{CALLING, SECRET, service};
    use super::*;
    use crate::operators::testing::Bench;
    use crate::shared::Shared;

    fn live() -> Shared {
        let mut shared = Shared::default();
        shared.network = Some(Arc::default());
        shared
    }

    fn node(host: &str) -> Value {
        value!({
            "component": CALLING, "ports": ["told"], "hosts": [(host)], "secrets": [(SECRET)],
            "requests_limit": 2, "answer_limit": "16", "wall_limit": "400ms",
        })
    }

    #[test]
    fn listed_hosts_answer_and_all_others_are_never_asked() {
        let address = service();
        let (host, other) = (
            format!("http://{address}"),
            format!("http://localhost:{}", address.port()),
        );
        let shared = live();
        let mut bench = Bench::sharing("function", node(&host), &shared);
        let mut say = |steps: String| bench.feed(Value::from(steps)).join(" | ");
        for (steps, said) in [
            (format!("send GET {host}/echo"), r#"told "200 GET ""#.to_owned()),
            (format!("send POST {host}/echo"), r#"told "200 POST an order""#.to_owned()),
            (format!("send GET {host}/nowhere"), r#"told "404 ""#.to_owned()),
            (
                format!("send GET {host}/login {SECRET}"),
                r#"told "200 welcome""#.to_owned(),
            ),
            (format!("send GET {host}/login"), r#"told "401 ""#.to_owned()),
            // The same machine by another name is another host.
            (
                format!("send GET {other}/echo"),
                format!(r#"told "HttpError::NotListed(\"{other}\")""#),
            ),
            (
                format!("send GET https://{address}/echo"),
                format!(r#"told "HttpError::NotListed(\"https://{address}\")""#),
            ),
            // Redirects stay where they are allowed, and repeat what was sent.
            (
                format!("send POST {host}/again"),
                r#"told "200 POST an order""#.to_owned(),
            ),
            (format!("send POST {host}/seen"), r#"told "303 ""#.to_owned()),
            (
                format!("send POST {host}/away?{other}/echo"),
                r#"told "307 ""#.to_owned(),
            ),
            (
                format!("send GET {host}/long?16"),
                r#"told "200 xxxxxxxxxxxxxxxx""#.to_owned(),
            ),
            (
                format!("send GET {host}/long?17"),
                r#"told "HttpError::TooLarge(16)""#.to_owned(),
            ),
            (
                format!("send CONNECT {host}/echo"),
                r#"told "HttpError::Invalid(\"`method` cannot be `CONNECT`\")""#.to_owned(),
            ),
            (
                format!("send GET http://ann:pw@{address}/echo"),
                r#"told "HttpError::Invalid(\"`url` holds a name or a password; send a header instead\")""#.to_owned(),
            ),
            (
                "send GET nowhere".to_owned(),
                r#"told "HttpError::Invalid(\"`url` is no address\")""#.to_owned(),
            ),
            (
                format!("send GET {host}/echo\nsend GET {host}/echo\nsend GET {host}/echo"),
                r#"told "200 GET " | told "200 GET " | told "HttpError::TooMany(2)""#.to_owned(),
            ),
            (
                format!("hurry GET {host}/slow?300"),
                r#"told "HttpError::Timeout(50)""#.to_owned(),
            ),
        ] {
            assert_eq!(say(steps.clone()), said, "{steps}");
        }
        let late = say(format!("send GET {host}/slow?5000"));
        assert!(
            late.starts_with("failed Transient: stopped after ")
                && late.ends_with("limit 400 ms; raise wall_limit, or wait for less"),
            "{late}"
        );
        assert_eq!(say(format!("send GET {host}/echo")), r#"told "200 GET ""#);
    }

    #[test]
    fn secrets_are_shown_to_nobody() {
        let shared = live();
        let mut bench = Bench::sharing("function", node("http://localhost:1"), &shared);
        let value = std::env::var(SECRET).expect("is set by cargo");
        let mut say = |steps: String| bench.feed(Value::from(steps)).join(" | ");
        assert_eq!(
            say(format!("secret {SECRET}\nsecret HOME")),
            format!(
                r#"told "Ok({})" | told "Err(SecretError::NotListed)""#,
                value.len()
            )
        );
        assert_eq!(
            say(format!("leak {SECRET}")),
            format!(
                "failed Invalid: what it sent to `told` holds the secret `{SECRET}`; mend the function, as everybody behind would see it"
            )
        );
        assert_eq!(
            say(format!("refuse {SECRET}")),
            "failed Invalid: the function refused the event: no good with ***"
        );
        assert_eq!(say(format!("log {SECRET}")), "");
        let (lines, _) = shared.logs.take();
        assert_eq!(lines[0].message, "it is *** key=***");
    }

    #[test]
    fn where_nothing_is_real_there_is_neither_network_nor_secret() {
        let host = format!("http://{}", service());
        let shared = Shared::for_simulation();
        let mut bench = Bench::sharing("function", node(&host), &shared);
        let made_up = format!("made-up-{SECRET}").len();
        for (steps, said) in [
            (
                format!("send GET {host}/echo"),
                r#"told "HttpError::Unreachable(\"there is no network in a simulation\")""#
                    .to_owned(),
            ),
            (
                "send GET http://elsewhere/a".to_owned(),
                r#"told "HttpError::NotListed(\"http://elsewhere\")""#.to_owned(),
            ),
            (
                format!("secret {SECRET}"),
                format!(r#"told "Ok({made_up})""#),
            ),
        ] {
            assert_eq!(bench.feed(Value::from(steps)).join(" | "), said);
        }
    }

    #[test]
    fn hosts_are_written_as_addresses() {
        for host in [
            "api.example.com",
            "localhost:80",
            "https://api.example.com/orders",
            "https://ann@api.example.com",
            "ftp://api.example.com",
            "https://",
        ] {
            let said = Bench::refusal("function", node(host));
            let wanted =
                format!("`hosts`: `{host}` is no host; write it like `https://api.example.com`");
            assert!(said.starts_with(&wanted), "{said}");
        }
        for (host, wanted) in [
            (
                "https://API.example.com:443/",
                Some("https://api.example.com"),
            ),
            ("http://[::1]:8080", Some("http://[::1]:8080")),
            ("http://127.1", Some("http://127.0.0.1")),
        ] {
            assert_eq!(origin(host).as_deref(), wanted);
        }
        let mut long = node("https://api.example.com");
        if let Value::Obj(config) = &mut long {
            Arc::make_mut(config).insert("wall_limit", "1h");
        }
        let said = Bench::refusal("function", long);
        assert_eq!(
            said,
            "`wall_limit` = `1h` is out of bounds; choose at most 5m"
        );
    }

    #[test]
    #[should_panic(
        expected = "`secrets`: the environment variable `NO_SUCH_VARIABLE` is not set; set it before you start Weir"
    )]
    fn a_secret_has_to_be_there() {
        let config = value!({
            "component": CALLING, "ports": ["told"], "secrets": ["NO_SUCH_VARIABLE"],
        });
        Bench::sharing("function", config, &live());
    }

    #[test]
    fn names_of_others_do_not_lead_here() {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .expect("a runtime");
        let look_up = |here: bool| {
            let name: Name = "localhost".parse().expect("a name");
            runtime.block_on(Names { here }.resolve(name))
        };
        let refused = look_up(false).map(|_| ()).expect_err("it is this machine");
        assert_eq!(
            refused.to_string(),
            "its name leads to this machine, which is not listed"
        );
        assert!(look_up(true).expect("it is listed").next().is_some());
        for (ip, near) in [
            ("127.8.8.8", true),
            ("::1", true),
            ("::ffff:127.0.0.1", true),
            ("0.0.0.0", true),
            ("169.254.169.254", true),
            ("fe80::1", true),
            ("10.1.2.3", false),
            ("93.184.216.34", false),
        ] {
            assert_eq!(is_near(ip.parse().expect("an address")), near, "{ip}");
        }
    }
}
