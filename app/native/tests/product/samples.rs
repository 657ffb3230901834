//! Every sample: run to its end, with what it counted and left behind; and its flawed twin, whose
//! hazards are found and mended.

use std::collections::BTreeSet;
use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};

use graph_model::catalog::Catalog;
use graph_model::validate::validate;
use runtime_protocol::recording::{self, Recording};
use rusqlite::Connection;
use rusqlite::types::ValueRef;
use serde_json::Value;

use crate::harness::{Run, done, weir};

/// What is changed in a sample so that it ends by itself, on any machine.
struct Change {
    sample: &'static str,
    from: &'static str,
    to: &'static str,
}

const CHANGES: [Change; 3] = [
    Change {
        sample: "hello",
        from: "\"rate\": 2",
        to: "\"rate\": 0, \"count\": 40",
    },
    Change {
        sample: "hello",
        from: "127.0.0.1:8787",
        to: "127.0.0.1:0",
    },
    Change {
        sample: "languages",
        from: "\"rate\": 50",
        to: "\"rate\": 0",
    },
];

/// Waits for somebody from outside: `webhooks` posts at it.
const ELSEWHERE: &str = "github-webhooks";

/// Steps after which mending a flow must have come to an end.
const FIXES_MAX: usize = 50;

#[test]
fn flawed_twins_have_the_hazards_that_their_readme_names() {
    let home = tempfile::tempdir().expect("a folder");
    for name in names() {
        let folder = samples().join(&name);
        let check = |flow: &str| {
            let path = folder.join(flow).to_string_lossy().into_owned();
            let text = done(home.path(), &["check", &path]);
            let json = done(home.path(), &["check", &path, "--json"]);
            assert_eq!(text.code, json.code);
            let report: Value = serde_json::from_str(&json.answer).expect("JSON");
            (
                text,
                report["diagnostics"].as_array().expect("a list").clone(),
                report["summary"]["unchecked"] != 0,
            )
        };
        let (clean, found, unchecked) = check(&format!("{name}.flow.json"));
        assert_eq!((clean.code, &*clean.rest, found), (0, "", vec![]), "{name}");
        assert_eq!(clean.answer.is_empty(), !unchecked, "{name}");

        let (flawed, found, _) = check(&format!("{name}-flawed.flow.json"));
        let mut codes: Vec<&str> = found
            .iter()
            .filter_map(|one| one["code"].as_str())
            .collect();
        codes.sort_unstable();
        let readme = fs::read_to_string(folder.join("README.md")).expect("read");
        let (_, promise) = readme.split_once("## The flawed twin").expect("it has one");
        let mut promised: Vec<&str> = promise
            .lines()
            .filter_map(|line| line.strip_prefix("- `")?.split('`').next())
            .collect();
        promised.sort_unstable();
        assert_eq!((flawed.code, codes), (1, promised), "{name}");
        for one in found {
            assert_ne!(
                one["path"],
                serde_json::json!([]),
                "{name}: {}",
                one["message"]
            );
        }
    }
}

#[test]
fn applying_the_first_fix_again_and_again_mends_a_flawed_twin() {
    for name in names() {
        let path = samples()
            .join(&name)
            .join(format!("{name}-flawed.flow.json"));
        let bytes = fs::read(path).expect("read");
        let mut document = graph_model::format::open(&bytes).expect("a flow").document;
        let mut applied = Vec::new();
        while let Some(one) = validate(&document, Catalog::bundled()).diagnostics.first() {
            assert!(applied.len() < FIXES_MAX, "{name}: {applied:?}");
            let fix = one.fixes.first();
            let fix = fix.unwrap_or_else(|| panic!("{name}: no fix for {}", one.message));
            applied.push(fix.title.clone());
            // The way back is for editors.
            drop(fix.transaction.clone().apply(&mut document));
        }
        assert!(!applied.is_empty(), "{name} was flawed");
    }
}

fn samples() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../samples")
}

fn names() -> Vec<String> {
    let index = fs::read_to_string(samples().join("index.json")).expect("read");
    let index: Value = serde_json::from_str(&index).expect("JSON");
    let list = index["samples"].as_array().expect("a list").iter();
    list.map(|sample| sample["name"].as_str().expect("a text").to_owned())
        .collect()
}

#[test]
fn recorded_runs_of_samples_are_small_and_show_the_flow_as_it_is() {
    for name in names() {
        let of = |ending: &str| fs::read(samples().join(&name).join(format!("{name}{ending}")));
        let Ok(bytes) = of(recording::ENDING) else {
            continue;
        };
        assert!(bytes.len() < 50 << 10, "{name}: {} bytes", bytes.len());
        let recorded = Recording::read(&bytes).expect("a recorded run");
        let flow = of(".flow.json").expect("read");
        assert!(
            recorded.flow.as_bytes() == flow,
            "record samples/{name} again: weir run {name} --for 8s --record {name}.run.jsonl"
        );
        assert!(!recorded.events.is_empty() && !recorded.cut, "{name}");
    }
}

#[test]
fn samples_do_what_they_did() {
    let mut stale = Vec::new();
    for name in names() {
        if name == ELSEWHERE {
            continue;
        }
        let found = result_of(&name);
        let path = samples().join(&name).join("golden/run.txt");
        if std::env::var_os("UPDATE").is_some() {
            fs::create_dir_all(path.parent().expect("a folder")).expect("made");
            fs::write(&path, &found).expect("written");
        }
        let golden = fs::read_to_string(&path).unwrap_or_default();
        if found != golden {
            stale.push(format!(
                "{}\n{}",
                path.display(),
                first_difference(&golden, &found)
            ));
        }
    }
    assert!(
        stale.is_empty(),
        "samples changed; run the tests with UPDATE=1 and read the difference:\n{}",
        stale.join("\n")
    );
}

fn first_difference(golden: &str, found: &str) -> String {
    let (golden, found): (Vec<_>, Vec<_>) = (golden.lines().collect(), found.lines().collect());
    let same = golden.iter().zip(&found).take_while(|(a, b)| a == b);
    let at = same.count();
    let line = |lines: &[&str]| lines.get(at).copied().unwrap_or("nothing").to_owned();
    format!("  golden: {}\n  found:  {}", line(&golden), line(&found))
}

/// Runs a copy of the sample until it is idle.
fn result_of(name: &str) -> String {
    let home = tempfile::tempdir().expect("a folder");
    let home = home.path();
    let made = done(home, &["new", "copy", "--sample", name]);
    assert_eq!(made.code, 0, "{made:?}");
    let folder = home.join("copy");
    let flow = folder.join("copy.flow.json");
    let mut text = fs::read_to_string(&flow).expect("read");
    for change in CHANGES.iter().filter(|change| change.sample == name) {
        assert!(text.contains(change.from), "{name} has {}", change.from);
        text = text.replace(change.from, change.to);
    }
    fs::write(&flow, text).expect("written");
    let before = files(&folder);

    let mut command = weir(home);
    command.args(["run", "copy", "--until-idle", "--for", "60s", "--json"]);
    let (code, ended) = Run::start(command).end();
    assert_eq!(
        (code, &ended["reason"]),
        (0, &"idle".into()),
        "{name}: {ended}"
    );

    let mut text = counters(&ended);
    for file in files(&folder).difference(&before) {
        let path = folder.join(file);
        let shown = match path.extension().and_then(|end| end.to_str()) {
            Some("jsonl") => lines(&path),
            Some("sqlite") => tables(&path),
            _ => continue,
        };
        write!(text, "\n# {file}\n{shown}").expect("memory suffices");
    }
    text
}

/// Names of the files that stand directly in the folder.
fn files(folder: &Path) -> BTreeSet<String> {
    let entries = fs::read_dir(folder).expect("a folder");
    entries
        .map(|entry| {
            entry
                .expect("a file")
                .file_name()
                .to_string_lossy()
                .into_owned()
        })
        .collect()
}

/// How often each wire was taken, and what went wrong where.
fn counters(ended: &Value) -> String {
    let mut text = String::from("# wires\n");
    let each = |of: &str| ended["counters"][of].as_object().expect("counts").clone();
    for (id, count) in each("edges") {
        writeln!(text, "{id} {}", count["passed"]).expect("memory suffices");
    }
    text.push_str("\n# given up and refused\n");
    for (id, count) in each("nodes") {
        if count["dead"] != 0 || count["refused"] != 0 {
            writeln!(text, "{id} {} {}", count["dead"], count["refused"]).expect("memory suffices");
        }
    }
    text
}

/// The lines in one order for all machines, without the time of day.
fn lines(path: &Path) -> String {
    let text = fs::read_to_string(path).expect("read");
    let mut lines: Vec<String> = text
        .lines()
        .map(|line| {
            let mut value: Value = serde_json::from_str(line).expect("JSON");
            for passing in ["at", "time"] {
                value.as_object_mut().expect("an object").remove(passing);
            }
            format!("{value}\n")
        })
        .collect();
    lines.sort();
    lines.concat()
}

fn tables(path: &Path) -> String {
    let database = Connection::open(path).expect("a database");
    let names = "select name from sqlite_master where type = 'table' order by name";
    let mut names = database.prepare(names).expect("a query");
    let names: Vec<String> = names
        .query_map([], |row| row.get(0))
        .expect("names")
        .map(|name| name.expect("a name"))
        .collect();
    let mut text = String::new();
    for name in names {
        let mut query = database
            .prepare(&format!("select * from {name} order by 1"))
            .expect("a query");
        let columns = query.column_names().collect::<Vec<_>>().join(" | ");
        writeln!(text, "{name}: {columns}").expect("memory suffices");
        let width = query.column_count();
        let mut rows = query.query([]).expect("rows");
        while let Some(row) = rows.next().expect("a row") {
            let cells: Vec<String> = (0..width)
                .map(|column| cell(row.get_ref(column).expect("a cell")))
                .collect();
            writeln!(text, "  {}", cells.join(" | ")).expect("memory suffices");
        }
    }
    text
}

fn cell(value: ValueRef) -> String {
    match value {
        ValueRef::Null => "-".to_owned(),
        ValueRef::Integer(number) => number.to_string(),
        ValueRef::Real(number) => number.to_string(),
        ValueRef::Text(text) | ValueRef::Blob(text) => String::from_utf8_lossy(text).into_owned(),
    }
}
