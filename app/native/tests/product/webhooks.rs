//! Real webhooks, posted at the sample that keeps them: none is lost, none is doubled, none gets in
//! that should not.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;

use hmac::{Hmac, KeyInit, Mac};
use rusqlite::Connection;
use sha2::Sha256;

use crate::harness::{Caller, Run, done, weir};

const SECRET: &str = "a secret of the tests";
const CONNECTIONS: usize = 16;
/// Deliveries made of each recorded payload.
const COPIES: usize = 20;
const MALFORMED: usize = 50;

/// One request and the answer that it must get.
#[derive(Clone)]
struct Call {
    id: String,
    ty: String,
    body: Arc<[u8]>,
    signature: String,
    wanted: u16,
}

impl Call {
    fn new(id: String, ty: &str, body: &Arc<[u8]>, secret: &str, wanted: u16) -> Call {
        let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).expect("any length");
        mac.update(body);
        let digits = mac.finalize().into_bytes();
        let digits: Vec<String> = digits.iter().map(|byte| format!("{byte:02x}")).collect();
        Call {
            id,
            ty: ty.to_owned(),
            body: Arc::clone(body),
            signature: format!("sha256={}", digits.concat()),
            wanted,
        }
    }

    fn post(&self, caller: &mut Caller) -> std::io::Result<u16> {
        let headers = [
            ("content-type", "application/json"),
            ("x-github-delivery", &*self.id),
            ("x-github-event", &*self.ty),
            ("x-hub-signature-256", &*self.signature),
        ];
        caller.post(&headers, &self.body)
    }
}

/// Types and payloads: the recorded ones beside the repository, or else a few made up here.
fn payloads() -> Vec<(String, Arc<[u8]>)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let recorded = root.join("../shared/data/webhooks");
    let mut found = Vec::new();
    for entry in fs::read_dir(&recorded).into_iter().flatten() {
        let path = entry.expect("the folder can be read").path();
        if path.extension().is_some_and(|end| end == "json") {
            let name = path.file_stem().expect("a name").to_string_lossy();
            let ty = name.split("__").last().expect("a part").to_owned();
            found.push((ty, fs::read(&path).expect("read").into()));
        }
    }
    if found.is_empty() {
        eprintln!(
            "SKIPPED recorded webhooks: none in {}; made-up ones go instead",
            recorded.display()
        );
        for ty in ["check_run", "pull_request", "team"] {
            let body = format!(r#"{{"action": "made", "repository": {{"full_name": "a/{ty}"}}}}"#);
            found.push((ty.to_owned(), body.into_bytes().into()));
        }
    }
    found.sort();
    found
}

/// A copy of the sample on a free port, running.
fn start(home: &Path) -> Run {
    let made = done(home, &["new", "hooks", "--sample", "github-webhooks"]);
    assert_eq!(made.code, 0, "{made:?}");
    let path = home.join("hooks/hooks.flow.json");
    let flow = fs::read_to_string(&path).expect("read");
    let free = flow.replace("127.0.0.1:8788", "127.0.0.1:0");
    assert_ne!(flow, free, "the sample listens where this test expects it");
    fs::write(&path, free).expect("written");
    let mut command: Command = weir(home);
    command
        .args(["run", "hooks", "--json"])
        .env("WEIR_GITHUB_SECRET", SECRET);
    Run::start(command)
}

fn address(run: &Run) -> String {
    run.listening["hook"]
        .as_str()
        .expect("it listens")
        .to_owned()
}

fn rows(home: &Path, query: &str) -> Vec<(String, i64)> {
    let database = Connection::open(home.join("hooks/github.sqlite")).expect("a database");
    let mut query = database.prepare(query).expect("the table is there");
    query
        .query_map([], |row| Ok((row.get(0)?, row.get(1)?)))
        .expect("rows")
        .map(|row| row.expect("a row"))
        .collect()
}

#[test]
fn each_delivery_is_kept_once_and_the_counters_agree_to_the_event() {
    let home = tempfile::tempdir().expect("a folder");
    let home = home.path();
    let payloads = payloads();
    let mut calls = Vec::new();
    for copy in 0..COPIES {
        for (ty, body) in &payloads {
            let id = format!("{ty}-{copy}");
            let valid = Call::new(id.clone(), ty, body, SECRET, 202);
            // As the sender does that saw no answer.
            calls.extend([valid.clone(), valid]);
            calls.push(Call::new(
                format!("wrong-{id}"),
                ty,
                body,
                "another secret",
                401,
            ));
        }
    }
    for number in 0..MALFORMED {
        let (ty, body) = &payloads[number % payloads.len()];
        let cut = Arc::from(&body[..body.len() / 2]);
        calls.push(Call::new(format!("cut-{number}"), ty, &cut, SECRET, 400));
    }
    let ids: BTreeSet<&str> = calls
        .iter()
        .filter(|call| call.wanted == 202)
        .map(|call| &*call.id)
        .collect();

    let run = start(home);
    let address = address(&run);
    let next = AtomicUsize::new(0);
    let answers = Mutex::new(BTreeMap::new());
    thread::scope(|scope| {
        for _ in 0..CONNECTIONS {
            scope.spawn(|| {
                let mut caller = Caller::new(&address);
                while let Some(call) = calls.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let answer = call.post(&mut caller).expect("an answer");
                    assert_eq!(answer, call.wanted, "{}", call.id);
                    *answers.lock().expect("held").entry(answer).or_insert(0_u64) += 1;
                }
            });
        }
    });
    run.signal("TERM");
    let (code, ended) = run.end();
    assert_eq!((code, &ended["drained"]), (0, &true.into()), "{ended}");

    let kept = rows(
        home,
        "select delivery, count(*) from deliveries group by delivery",
    );
    assert!(kept.iter().all(|(_, count)| *count == 1));
    assert_eq!(
        kept.iter().map(|(id, _)| &**id).collect::<BTreeSet<_>>(),
        ids
    );
    let counted = rows(home, "select repository, deliveries from repositories");
    let once = ids.len() as u64;
    assert_eq!(
        counted.iter().map(|(_, count)| *count as u64).sum::<u64>(),
        once
    );

    let answers = answers.into_inner().expect("held");
    let count = |node: &str, of: &str| ended["counters"]["nodes"][node][of].as_u64();
    assert_eq!(answers[&202], 2 * once);
    assert_eq!((answers[&401], answers[&400]), (once, MALFORMED as u64));
    assert_eq!(count("hook", "received"), Some(2 * once));
    assert_eq!(count("hook", "refused"), Some(once + MALFORMED as u64));
    assert_eq!(count("deliveries", "received"), Some(2 * once));
    assert_eq!(count("by_type", "received"), Some(2 * once));
    assert_eq!(count("once", "sent"), Some(once));
    assert_eq!(ended["given_up"], 0);
}

#[test]
fn what_was_accepted_is_kept_when_the_run_is_ended_in_the_middle() {
    let home = tempfile::tempdir().expect("a folder");
    let home = home.path();
    let payloads = payloads();
    let run = start(home);
    let address = address(&run);
    // All are connected before the first of them may bring the end about.
    let callers: Vec<Caller> = (0..CONNECTIONS).map(|_| Caller::new(&address)).collect();
    let accepted = Mutex::new(BTreeSet::new());
    let calls = AtomicUsize::new(0);
    thread::scope(|scope| {
        for mut caller in callers {
            let (accepted, calls, payloads) = (&accepted, &calls, &payloads);
            scope.spawn(move || {
                loop {
                    let number = calls.fetch_add(1, Ordering::Relaxed);
                    let (ty, body) = &payloads[number % payloads.len()];
                    let call = Call::new(format!("d-{number}"), ty, body, SECRET, 202);
                    match call.post(&mut caller) {
                        Ok(202) => {
                            accepted.lock().expect("held").insert(call.id);
                        }
                        // It says that it is leaving, or it is gone.
                        Ok(503) | Err(_) => break,
                        Ok(other) => panic!("{} was answered {other}", call.id),
                    }
                }
            });
        }
        crate::harness::eventually("some are accepted", || {
            accepted.lock().expect("held").len() > 100
        });
        run.signal("TERM");
    });
    let (code, ended) = run.end();
    assert_eq!((code, &ended["drained"]), (0, &true.into()), "{ended}");
    let kept = rows(
        home,
        "select delivery, count(*) from deliveries group by delivery",
    );
    let kept: BTreeSet<String> = kept.into_iter().map(|(id, _)| id).collect();
    let accepted = accepted.into_inner().expect("held");
    let lost: Vec<_> = accepted.difference(&kept).collect();
    assert_eq!(lost, [""; 0]);
}
