//! Whom requests of functions reach, and what becomes of them.

use std::sync::Arc;

use graph_model::value;
use graph_model::value::Value;

use super::*;
use crate::functions::testing::{CALLING, SECRET, service};
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
fn scripts_ask_the_hosts_that_their_node_lists() {
    let host = format!("http://{}", service());
    let shared = live();
    for (script, said) in [
        (
            "const answer = request(HOST + '/echo', { method: 'PUT', body: { n: 1 } });\nreturn [answer.status, answer.text()]",
            r#"out [200,"PUT {\"n\":1}"]"#,
        ),
        (
            "return request(HOST + '/login', { headers: { authorization: 'Bearer ' + secrets.get(SECRET) } }).text()",
            r#"out "welcome""#,
        ),
        ("return request(HOST + '/nowhere').status", "out 404"),
        (
            "return request('http://elsewhere/a').status",
            "failed Invalid: the function refused the event: line 1:",
        ),
        (
            "return request(HOST + '/slow?5000', { timeoutMs: 50 }).status",
            "failed Transient: the function asks to try again later: no answer of http://",
        ),
        (
            "return secrets.get('HOME')",
            "failed Invalid: the function refused the event: line 1:",
        ),
        (
            "return secrets.get(SECRET)",
            "failed Invalid: what it sent to `out` holds the secret",
        ),
        (
            "request.x = 1",
            "failed Invalid: the function refused the event: line 1:",
        ),
    ] {
        let script = script
            .replace("HOST", &format!("{host:?}"))
            .replace("SECRET", &format!("{SECRET:?}"));
        let config = value!({
            "script": (script.as_str()), "hosts": [(host.as_str())], "secrets": [(SECRET)],
        });
        let mut bench = Bench::sharing("script", config, &shared);
        let line = bench.feed(value!({"total": 8})).join(" | ");
        assert!(line.starts_with(said), "{script}: {line}");
    }
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
            r#"told "HttpError::Unreachable(\"there is no network in a simulation\")""#.to_owned(),
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
