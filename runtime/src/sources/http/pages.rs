//! Which web pages may send requests, and read the answers.
//!
//! A browser sends what any page tells it to, also to this machine. But it says truly which name the
//! page called (`Host`), and which page it was (`Origin`, `Sec-Fetch-Site`). A page can make a name of
//! its own lead to this machine, so names count as much as pages do. Senders that are no browsers say
//! nothing of pages, and are not asked.

use std::net::{IpAddr, SocketAddr};

use axum::body::Body;
use axum::extract::Request;
use axum::http::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
    ACCESS_CONTROL_MAX_AGE, ACCESS_CONTROL_REQUEST_METHOD, HOST, HeaderName, HeaderValue, ORIGIN,
    VARY,
};
use axum::http::request::Parts;
use axum::http::uri::Authority;
use axum::http::{HeaderMap, Method, StatusCode, Version};
use axum::response::Response;
use smol_str::{SmolStr, format_smolstr};

const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");
/// Any header that needs no mention; `Authorization` does, and tokens come in it.
const ALLOWED_HEADERS: HeaderValue = HeaderValue::from_static("*, authorization");
/// How long a browser may go by the answer to a preflight, in seconds: an edited flow is soon obeyed.
const MAX_AGE_S: HeaderValue = HeaderValue::from_static("600");

/// Who may call an endpoint from a browser.
pub(super) struct Pages {
    /// Names of this machine, the bound address first as most requests say it. They go with the port.
    own: [SmolStr; 4],
    port: u16,
    hosts: Vec<SmolStr>,
    checks_host: bool,
    origins: Origins,
}

/// Pages that are let in although they are not the endpoint's own.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Origins {
    Any,
    Listed(Vec<SmolStr>),
}

/// Why a request is not let in.
pub(super) type Refused = (StatusCode, String);

impl Pages {
    /// Whoever listens beyond this machine chose so: then only listed `hosts` bring the check of names.
    pub(super) fn new(listens: SocketAddr, hosts: Vec<SmolStr>, origins: Origins) -> Pages {
        let bound = match listens.ip() {
            IpAddr::V4(ip) => format_smolstr!("{ip}"),
            IpAddr::V6(ip) => format_smolstr!("[{ip}]"),
        };
        Pages {
            own: [
                bound,
                "localhost".into(),
                "127.0.0.1".into(),
                "[::1]".into(),
            ],
            port: listens.port(),
            checks_host: listens.ip().to_canonical().is_loopback() || !hosts.is_empty(),
            hosts,
            origins,
        }
    }

    /// Lets the request in, or says what is wrong with it. The value is the origin of a foreign page
    /// that may read the answer.
    pub(super) fn admit(&self, head: &Parts) -> Result<Option<HeaderValue>, Refused> {
        let host = host(head).map_err(|reason| (StatusCode::BAD_REQUEST, reason.to_owned()))?;
        if self.checks_host && !self.knows(host) {
            return Err((StatusCode::FORBIDDEN, unknown_host(host)));
        }
        let origin = head.headers.get(ORIGIN);
        if let Some(origin) = origin.filter(|origin| self.origins.include(origin)) {
            return Ok(Some(origin.clone()));
        }
        if let Some(origin) = origin
            && !is_origin_of(origin, host)
        {
            return Err((StatusCode::FORBIDDEN, foreign(origin)));
        }
        // Pictures, links and the like come without an origin. A browser that speaks of a foreign page
        // is believed even where the origin looks right: behind a tunnel, only it knows `http` from
        // `https`.
        let site = head.headers.get(SEC_FETCH_SITE);
        let is_foreign = site.is_some_and(|site| site != "same-origin" && site != "none");
        if is_foreign && self.origins != Origins::Any {
            return Err((StatusCode::FORBIDDEN, foreign_without_origin()));
        }
        Ok(None)
    }

    fn knows(&self, host: &str) -> bool {
        let Some((name, port)) = split(host) else {
            return false;
        };
        let is = |held: &SmolStr| held.eq_ignore_ascii_case(name);
        (port.unwrap_or(80) == self.port && self.own.iter().any(is)) || self.hosts.iter().any(is)
    }
}

impl Origins {
    /// Reads the config field.
    pub(super) fn read(texts: &[SmolStr]) -> Result<Origins, String> {
        let mut listed = Vec::new();
        for text in filled(texts) {
            if text == "*" {
                return Ok(Origins::Any);
            }
            let origin = origin(text).ok_or_else(|| {
                format!(
                    "`origins`: `{text}` is no origin of pages; write it like `https://shop.example`, or `*` for any page"
                )
            })?;
            listed.push(origin);
        }
        Ok(Origins::Listed(listed))
    }

    fn include(&self, origin: &HeaderValue) -> bool {
        let origin = origin.as_bytes();
        match self {
            Origins::Any => true,
            Origins::Listed(listed) => listed
                .iter()
                .any(|held| held.as_bytes().eq_ignore_ascii_case(origin)),
        }
    }
}

/// Reads the config field of names. A port would say nothing: which one a page calls is up to the
/// tunnel.
pub(super) fn hosts(texts: &[SmolStr]) -> Result<Vec<SmolStr>, String> {
    let read = |text| match split(text) {
        Some((name, None)) if is_name(name) => Ok(SmolStr::from(name)),
        _ => Err(format!(
            "`hosts`: `{text}` is no name of a host; write it like `shop.example`, without scheme, port and path"
        )),
    };
    filled(texts).map(read).collect()
}

/// The method that a browser asks about before it lets a page send a request.
pub(super) fn asked_about(request: &Request) -> Option<Method> {
    if request.method() != Method::OPTIONS || !request.headers().contains_key(ORIGIN) {
        return None;
    }
    let method = request.headers().get(ACCESS_CONTROL_REQUEST_METHOD)?;
    Method::from_bytes(method.as_bytes()).ok()
}

/// Tells the browser of an admitted page that it may send what it asked about.
pub(super) fn send_on(asked: &Parts, page: Option<HeaderValue>) -> Response {
    let mut answer = Response::new(Body::empty());
    *answer.status_mut() = StatusCode::NO_CONTENT;
    if let Some(page) = page {
        let headers = answer.headers_mut();
        let method = asked.headers.get(ACCESS_CONTROL_REQUEST_METHOD);
        headers.extend(method.map(|method| (ACCESS_CONTROL_ALLOW_METHODS, method.clone())));
        headers.insert(ACCESS_CONTROL_ALLOW_HEADERS, ALLOWED_HEADERS);
        headers.insert(ACCESS_CONTROL_MAX_AGE, MAX_AGE_S);
        show_to(page, headers);
    }
    answer
}

/// Lets the page read the answer with these headers.
pub(super) fn show_to(page: HeaderValue, headers: &mut HeaderMap) {
    headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, page);
    headers.insert(VARY, HeaderValue::from_static("origin"));
}

/// The host that the request names, once or twice alike; empty when an old sender names none.
fn host(head: &Parts) -> Result<&str, &'static str> {
    let target = head.uri.authority().map(Authority::as_str);
    let mut named = head.headers.get_all(HOST).iter();
    let host = match (named.next(), named.next()) {
        (Some(host), None) => host
            .to_str()
            .map_err(|_| "the header `Host` is no text; send the name of a host in it")?,
        (Some(_), Some(_)) => return Err("the header `Host` comes twice; send it once"),
        (None, _) if head.version < Version::HTTP_11 => target.unwrap_or_default(),
        (None, _) => return Err("the header `Host` is missing; send the name of a host in it"),
    };
    match target {
        Some(target) if !target.eq_ignore_ascii_case(host) => {
            Err("target and header `Host` name different hosts; send the same in both")
        }
        _ => Ok(host),
    }
}

/// Whether pages at the host have this origin. A tunnel may turn `https` into `http`, so that both
/// fit.
fn is_origin_of(origin: &HeaderValue, host: &str) -> bool {
    let origin = origin.to_str().ok();
    let Some((scheme, place)) = origin.and_then(|origin| origin.split_once("://")) else {
        return false;
    };
    let Some(default) = default_port(scheme) else {
        return false;
    };
    match (split(place), split(host)) {
        (Some((name, port)), Some((here, port_here))) => {
            name.eq_ignore_ascii_case(here)
                && port.unwrap_or(default) == port_here.unwrap_or(default)
        }
        _ => false,
    }
}

/// An origin as browsers write it: without the port that goes without saying, and without a path.
fn origin(text: &str) -> Option<SmolStr> {
    let (scheme, place) = text.split_once("://")?;
    let (name, port) = split(place.strip_suffix('/').unwrap_or(place))?;
    let mut letters = scheme.bytes();
    let is_scheme = letters
        .next()
        .is_some_and(|first| first.is_ascii_alphabetic())
        && letters.all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte));
    if !is_scheme || !is_name(name) {
        return None;
    }
    Some(match port {
        Some(port) if Some(port) != default_port(scheme) => {
            format_smolstr!("{scheme}://{name}:{port}")
        }
        _ => format_smolstr!("{scheme}://{name}"),
    })
}

fn default_port(scheme: &str) -> Option<u16> {
    match scheme {
        "http" => Some(80),
        "https" => Some(443),
        _ => None,
    }
}

/// Name and port of a host; the name of an address of version 6 keeps its brackets.
fn split(host: &str) -> Option<(&str, Option<u16>)> {
    let end = match host.strip_prefix('[') {
        Some(inner) => inner.find(']')? + 2,
        None => host.find(':').unwrap_or(host.len()),
    };
    let (name, port) = host.split_at(end);
    if name.is_empty() {
        return None;
    }
    let port = match port.strip_prefix(':') {
        None if port.is_empty() => None,
        Some(digits) if digits.bytes().all(|byte| byte.is_ascii_digit()) => {
            Some(digits.parse().ok()?)
        }
        _ => return None,
    };
    Some((name, port))
}

fn is_name(name: &str) -> bool {
    match name
        .strip_prefix('[')
        .and_then(|name| name.strip_suffix(']'))
    {
        Some(address) => address.parse::<std::net::Ipv6Addr>().is_ok(),
        None => name
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"-._".contains(&byte)),
    }
}

/// Rows of a list that somebody filled in.
fn filled(texts: &[SmolStr]) -> impl Iterator<Item = &str> {
    let texts = texts.iter().map(|text| text.trim());
    texts.filter(|text| !text.is_empty())
}

fn unknown_host(host: &str) -> String {
    if host.is_empty() {
        return "the request names no host; send the header `Host`".to_owned();
    }
    let name = split(host).map_or(host, |(name, _)| name);
    format!(
        "requests to `{name}` are not let in at this port; if the name is yours, add it to `hosts` of this endpoint"
    )
}

fn foreign(origin: &HeaderValue) -> String {
    match origin.to_str() {
        Ok(origin) if origin != "null" => format!(
            "pages of {origin} are not let in; if they may send here, add `{origin}` to `origins` of this endpoint"
        ),
        _ => foreign_without_origin(),
    }
}

fn foreign_without_origin() -> String {
    "requests of foreign pages are not let in without their origin; if any page may send here, add `*` to `origins` of this endpoint".to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(texts: &str) -> Vec<SmolStr> {
        texts.split(' ').map(SmolStr::from).collect()
    }

    fn pages(listens: &str, hosts_listed: &str, origins: &str) -> Pages {
        Pages::new(
            listens.parse().expect("an address"),
            hosts(&texts(hosts_listed)).expect("names"),
            Origins::read(&texts(origins)).expect("origins"),
        )
    }

    /// The head of a request: its target, then headers, parted by `|`.
    fn head(text: &str) -> Parts {
        let mut parts = text.split('|').map(str::trim);
        let mut request = Request::builder().uri(parts.next().expect("a target"));
        for (name, value) in parts.filter_map(|part| part.split_once(':')) {
            request = request.header(name, value.trim());
        }
        request.body(()).expect("a request").into_parts().0
    }

    /// Whether each request is let in (`in`), is and may read the answer (`read`), or is not (the
    /// status).
    fn check(pages: &Pages, requests: &[(&str, &str)]) {
        for (text, wanted) in requests {
            let head = head(text);
            let got = match pages.admit(&head) {
                Ok(None) => "in".to_owned(),
                Ok(Some(page)) => {
                    assert_eq!(head.headers.get(ORIGIN), Some(&page));
                    "read".to_owned()
                }
                Err((status, _)) => status.as_str().to_owned(),
            };
            assert_eq!(got, *wanted, "{text}");
        }
    }

    #[test]
    fn requests_must_come_under_a_known_name() {
        let here = [
            ("/ | host: 127.0.0.1:8787", "in"),
            ("/ | host: LocalHost:8787", "in"),
            ("/ | host: [::1]:8787", "in"),
            ("/ | host: localhost", "403"),
            ("/ | host: localhost:80", "403"),
            ("/ | host: localhost:+8787", "403"),
            ("/ | host: localhost:", "403"),
            ("/ | host: localhost.evil.example:8787", "403"),
            ("/ | host: evil.example:8787", "403"),
            ("/ | host: x@localhost:8787", "403"),
            ("/ | host: [::1", "403"),
            ("/ | host: ", "403"),
        ];
        check(&pages("127.0.0.1:8787", "", ""), &here);
        check(&pages("[::1]:8787", "", ""), &here);
        check(&pages("[::ffff:127.0.0.1]:8787", "", ""), &here);
        check(&pages("0.0.0.0:8787", "shop.example", ""), &here);
        check(
            &pages("127.0.0.2:80", " shop.example [fd00::1]", ""),
            &[
                ("/ | host: 127.0.0.2", "in"),
                ("/ | host: localhost", "in"),
                ("/ | host: localhost:80", "in"),
                ("/ | host: localhost:81", "403"),
                ("/ | host: shop.example", "in"),
                ("/ | host: Shop.example:8443", "in"),
                ("/ | host: [fd00::1]", "in"),
                ("/ | host: my.shop.example", "403"),
            ],
        );
        check(
            &pages("0.0.0.0:8787", "", ""),
            &[
                ("/ | host: any.example", "in"),
                ("/ | host: ", "in"),
                ("/ | host: any.example | origin: http://evil.example", "403"),
            ],
        );
    }

    #[test]
    fn a_request_names_one_host() {
        let pages = pages("127.0.0.1:8787", "", "");
        check(
            &pages,
            &[
                ("http://localhost:8787/ | host: Localhost:8787", "in"),
                ("http://localhost:8787/ | host: 127.0.0.1:8787", "400"),
                ("http://evil.example/ | host: localhost:8787", "400"),
                ("http://localhost:8787/ | host: evil.example", "400"),
                ("http://evil.example/ | host: evil.example", "403"),
                ("/ | host: localhost:8787 | host: localhost:8787", "400"),
                ("/ | host: é", "400"),
                ("http://localhost:8787/", "400"),
                ("/", "400"),
            ],
        );
        for (target, wanted) in [
            ("http://localhost:8787/", None),
            ("http://evil.example/", Some(StatusCode::FORBIDDEN)),
            ("/", Some(StatusCode::FORBIDDEN)),
        ] {
            let mut head = head(target);
            head.version = Version::HTTP_10;
            let refused = pages.admit(&head).err();
            assert_eq!(refused.map(|(status, _)| status), wanted, "{target}");
        }
    }

    #[test]
    fn pages_are_kept_out_unless_they_are_of_this_host_or_listed() {
        check(
            &pages("127.0.0.1:8787", "shop.example", "https://a.example"),
            &[
                (
                    "/ | host: localhost:8787 | origin: http://localhost:8787",
                    "in",
                ),
                (
                    "/ | host: localhost:8787 | origin: http://127.0.0.1:8787",
                    "403",
                ),
                (
                    "/ | host: localhost:8787 | origin: http://localhost:3000",
                    "403",
                ),
                ("/ | host: localhost:8787 | origin: http://localhost", "403"),
                (
                    "/ | host: localhost:8787 | origin: ftp://localhost:8787",
                    "403",
                ),
                ("/ | host: localhost:8787 | origin: null", "403"),
                ("/ | host: localhost:8787 | origin: é", "403"),
                ("/ | host: localhost:8787 | origin: ", "403"),
                (
                    "/ | host: shop.example | origin: https://shop.example",
                    "in",
                ),
                (
                    "/ | host: shop.example:80 | origin: http://shop.example",
                    "in",
                ),
                (
                    "/ | host: shop.example | origin: https://shop.example:8443",
                    "403",
                ),
                (
                    "/ | host: localhost:8787 | origin: https://a.example",
                    "read",
                ),
                ("/ | host: localhost:8787 | origin: http://a.example", "403"),
                (
                    "/ | host: localhost:8787 | origin: https://a.example.evil",
                    "403",
                ),
                ("/ | host: evil.example | origin: https://a.example", "403"),
            ],
        );
        check(
            &pages("127.0.0.1:8787", "", "*"),
            &[
                (
                    "/ | host: localhost:8787 | origin: https://b.example",
                    "read",
                ),
                ("/ | host: localhost:8787 | origin: null", "read"),
                ("/ | host: evil.example | origin: https://b.example", "403"),
            ],
        );
    }

    #[test]
    fn what_the_browser_says_of_the_page_counts_too() {
        let requests = |foreign: &'static str| {
            [
                ("/ | host: localhost:8787 | sec-fetch-site: none", "in"),
                (
                    "/ | host: localhost:8787 | sec-fetch-site: same-origin",
                    "in",
                ),
                (
                    "/ | host: localhost:8787 | sec-fetch-site: same-site",
                    foreign,
                ),
                (
                    "/ | host: localhost:8787 | sec-fetch-site: cross-site",
                    foreign,
                ),
                (
                    "/ | host: localhost:8787 | sec-fetch-site: cross-site | origin: https://a.example",
                    "read",
                ),
            ]
        };
        let listed = pages("127.0.0.1:8787", "", "https://a.example");
        check(&listed, &requests("403"));
        let downgraded =
            "/ | host: localhost:8787 | sec-fetch-site: cross-site | origin: http://localhost:8787";
        check(&listed, &[(downgraded, "403")]);
        check(&pages("127.0.0.1:8787", "", "*"), &requests("in"));
    }

    #[test]
    fn lists_are_read_as_people_write_them() {
        for (text, wanted) in [
            ("shop.example", Some("shop.example")),
            (" my_tunnel.example ", Some("my_tunnel.example")),
            ("[::1]", Some("[::1]")),
            ("shop.example:8443", None),
            ("https://shop.example", None),
            ("shop.example/hook", None),
            ("::1", None),
            ("[shop]", None),
            ("*", None),
            ("bücher.example", None),
        ] {
            let wanted = wanted.map(|name| vec![SmolStr::from(name)]);
            assert_eq!(hosts(&[text.into(), "".into()]).ok(), wanted, "{text}");
        }
        for (text, wanted) in [
            ("https://shop.example", Some("https://shop.example")),
            ("https://shop.example:443/", Some("https://shop.example")),
            ("http://localhost:3000", Some("http://localhost:3000")),
            ("app-extension://abc", Some("app-extension://abc")),
            ("shop.example", None),
            ("https://shop.example/page", None),
            ("https://x@shop.example", None),
            ("https://*.example", None),
            ("null", None),
        ] {
            let wanted = wanted.map(|origin| Origins::Listed(vec![origin.into()]));
            assert_eq!(Origins::read(&[text.into()]).ok(), wanted, "{text}");
        }
        assert_eq!(Origins::read(&texts("a://b *")), Ok(Origins::Any));
    }
}
