//! Requests of all sorts to endpoints that run in a flow.

use std::path::Path;

use graph_model::document::Document;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinHandle;

use super::*;
use crate::operator::Failure;
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

fn build(configs: &[(&str, &str)], id: &str, shared: &Shared) -> Result<Box<dyn Source>, Problem> {
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
