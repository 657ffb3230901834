//! What happens where flows meet the outside, in running flows.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, channel};

use super::*;

/// A service that refuses each body that is on its list, once. Tells of every body that it took.
fn service(refused: &'static [&'static str]) -> (SocketAddr, Receiver<String>) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
    let address = listener.local_addr().expect("an address");
    let (told, heard) = channel();
    std::thread::spawn(move || {
        let mut refused = refused.to_vec();
        for stream in listener.incoming().flatten() {
            let body = body(&stream);
            let taken = match refused.iter().position(|refused| *refused == body) {
                Some(at) => {
                    refused.remove(at);
                    false
                }
                None => true,
            };
            let status = if taken { "200 OK" } else { "503 Busy" };
            let answer =
                format!("HTTP/1.1 {status}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
            // A client that went away, or a test that ended, needs no answer.
            let _gone = (&stream).write_all(answer.as_bytes());
            if taken && told.send(body).is_err() {
                return;
            }
        }
    });
    (address, heard)
}

fn body(stream: &TcpStream) -> String {
    let mut reader = BufReader::new(stream);
    let mut length = 0;
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).expect("a line");
        let line = line.trim().to_ascii_lowercase();
        if line.is_empty() {
            break;
        }
        if let Some(text) = line.strip_prefix("content-length: ") {
            length = text.parse().expect("a number");
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).expect("a body");
    String::from_utf8(body).expect("text")
}

/// A log in front of a log, and of a service that refuses the second event once.
fn two_logs(transactional: bool) -> (Bench, Receiver<String>) {
    let (address, heard) = service(&["2"]);
    let bench = Bench::new();
    bench.write("in.jsonl", "1\n2\n3\n4\n");
    bench.run(&format!(
        r#"in: replay {{"file": "in.jsonl"}}
           before: log {{"backoff": "1ms"}}
           same: map {{"expr": "."}}
           behind: log {{"transactional": {transactional}}}
           seen: view
           send: http_out {{"url": "http://{address}/", "attempts": 1}}
           in.out -> before.in
           before.out -> same.in
           same.out -> behind.in
           same.out -> send.in
           behind.out -> seen.in"#
    ));
    bench.idle();
    (bench, heard)
}

fn counted(rows: &[String]) -> BTreeMap<&str, usize> {
    let mut counted = BTreeMap::new();
    for row in rows {
        *counted.entry(row.as_str()).or_default() += 1;
    }
    counted
}

#[test]
fn behind_a_transactional_log_a_redelivered_event_is_there_once_and_in_order() {
    let (bench, heard) = two_logs(true);
    assert_eq!(bench.rows("seen", 4), ["1", "2", "3", "4"]);
    let sent: Vec<String> = heard.try_iter().collect();
    assert_eq!(sent, ["1", "2", "3", "4"]);
    assert_eq!(bench.counters().nodes["before"].retried, 1);
}

#[test]
fn behind_another_log_a_redelivered_event_is_there_twice() {
    let (bench, _) = two_logs(false);
    let rows = bench.rows("seen", 5);
    assert_eq!(counted(&rows)["2"], 2, "{rows:?}");
}

#[test]
fn what_was_given_up_is_not_behind_a_transactional_log() {
    let (address, _heard) = service(&["1", "1"]);
    let bench = Bench::start(&format!(
        r#"in: manual
           before: queue {{"backoff": "1ms", "max_attempts": 2}}
           same: map {{"expr": "."}}
           behind: log {{"transactional": true}}
           seen: view
           send: http_out {{"url": "http://{address}/", "attempts": 1}}
           in.out -> before.in
           before.out -> same.in
           same.out -> behind.in
           same.out -> send.in
           behind.out -> seen.in"#
    ));
    bench.inject("in", value!(1));
    bench.inject("in", value!(2));
    bench.idle();
    assert_eq!(bench.rows("seen", 1), ["2"]);
    assert_eq!(bench.dead_letters().len(), 1);
}

#[test]
fn a_delivery_that_no_transactional_log_can_hold_is_given_up() {
    let bench = Bench::start(
        r#"in: manual
           before: queue {"backoff": "1ms", "max_attempts": 2}
           each: split {"expr": "."}
           behind: log {"transactional": true, "capacity": 3}
           seen: view
           in.out -> before.in
           before.out -> each.in
           each.out -> behind.in
           behind.out -> seen.in"#,
    );
    bench.inject("in", value!([1, 2, 3, 4]));
    bench.inject("in", value!([5, 6, 7]));
    bench.idle();
    assert_eq!(bench.rows("seen", 3), ["5", "6", "7"]);
    let letters = bench.dead_letters();
    assert_eq!(letters.len(), 1);
    let cause = letters[0].values().find(|text| text.contains("is full"));
    assert_eq!(
        cause.map(String::as_str),
        Some("`behind` is full of events whose deliveries are under way; raise its capacity")
    );
}

#[test]
fn a_folder_source_hears_of_the_objects_of_a_bucket() {
    let bench = Bench::start(
        r#"in: manual
           put: bucket {"name": ".name"}
           hear: file_watch {"folder": "objects", "settle": "5ms"}
           grow: map {"expr": "{name: .name, n: (.n + 1)}"}
           again: filter {"when": ".n < 4"}
           seen: view
           in.out -> put.in
           hear.out -> grow.in
           grow.out -> again.in
           again.out -> put.in
           grow.out -> seen.in"#,
    );
    bench.inject("in", value!({"name": "a", "n": 0}));
    bench.idle();
    let rows = bench.rows("seen", 4);
    let wanted: Vec<_> = (1..=4)
        .map(|n| format!(r#"{{"n":{n},"name":"a"}}"#))
        .collect();
    assert_eq!(rows, wanted, "the loop goes round until the filter ends it");
    let object = std::fs::read_to_string(bench.project.path().join("objects/a"));
    assert_eq!(object.expect("is there"), "{\"n\":3,\"name\":\"a\"}\n");
}

#[test]
fn a_flow_hears_of_the_rows_that_it_writes() {
    let bench = Bench::start(
        r#"in: manual
           put: table {"table": "t", "key": ".k"}
           hear: table_changes {"table": "t", "poll": "5ms"}
           seen: view
           in.out -> put.in
           hear.out -> seen.in"#,
    );
    for (k, n) in [("a", 1), ("a", 1), ("a", 2), ("b", 1)] {
        bench.inject("in", value!({"k": k, "n": n}));
        bench.idle();
    }
    assert_eq!(
        bench.rows("seen", 3),
        [
            r#"{"after":{"data":{"k":"a","n":1},"weir_key":"a"},"before":null,"key":"a","op":"insert"}"#,
            r#"{"after":{"data":{"k":"a","n":2},"weir_key":"a"},"before":{"data":{"k":"a","n":1},"weir_key":"a"},"key":"a","op":"update"}"#,
            r#"{"after":{"data":{"k":"b","n":1},"weir_key":"b"},"before":null,"key":"b","op":"insert"}"#,
        ]
    );
}

#[test]
fn rows_of_a_table_sink_come_out_as_they_went_in() {
    let bench = Bench::start(
        r#"in: manual
           put: table {"table": "t", "key": ".k", "columns": {"list": ".list", "text": ".text"}}
           more: table {"table": "t", "key": ".k", "columns": {"more": ".more"}}
           whole: table {"table": "w", "mode": "append"}
           hear: table_changes {"table": "t", "poll": "5ms"}
           too: table_changes {"table": "w", "poll": "5ms"}
           after: map {"expr": ".after"}
           data: map {"expr": "[.after.data, .key[0]]"}
           seen: view
           payloads: view
           in.out -> put.in
           put.out -> more.in
           in.out -> whole.in
           hear.out -> after.in
           after.out -> seen.in
           too.out -> data.in
           data.out -> payloads.in"#,
    );
    let event = r#"{"k":{"a":1},"list":[1,{"b":2.5}],"text":"[1, 2]","more":{"x":null}}"#;
    bench.inject("in", Value::parse(event.as_bytes(), 1_000).expect("JSON"));
    bench.idle();
    assert_eq!(
        bench.rows("seen", 2),
        [
            r#"{"list":[1,{"b":2.5}],"text":"[1, 2]","weir_key":{"a":1}}"#,
            r#"{"list":[1,{"b":2.5}],"more":{"x":null},"text":"[1, 2]","weir_key":{"a":1}}"#,
        ]
    );
    bench.inject("in", value!("7"));
    bench.idle();
    assert_eq!(bench.rows("payloads", 2)[1], r#"["7","/in"]"#);
}

#[test]
fn stale_rows_leave_by_a_port_of_their_own() {
    let bench = Bench::start(
        r#"in: manual
           put: table {"table": "t", "mode": "compare_and_set", "key": ".k", "version": ".v"}
           new: view
           old: view
           in.out -> put.in
           put.out -> new.in
           put.stale -> old.in"#,
    );
    for v in [2, 1, 3] {
        bench.inject("in", value!({"k": "a", "v": v}));
        bench.idle();
    }
    assert_eq!(
        bench.rows("new", 2),
        [r#"{"k":"a","v":2}"#, r#"{"k":"a","v":3}"#]
    );
    assert_eq!(bench.rows("old", 1), [r#"{"k":"a","v":1}"#]);
}

#[test]
fn metrics_are_read_as_views_are() {
    let bench = Bench::start(
        r#"in: manual
           total: metric {"name": "Total", "value": ".n", "unit": "EUR"}
           in.out -> total.in"#,
    );
    bench.inject("in", value!({"n": 5}));
    bench.idle();
    assert_eq!(
        bench.rows("total", 1),
        [r#"{"name":"Total","unit":"EUR","value":5}"#]
    );
}
