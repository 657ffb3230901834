//! `weir check` in a pull request, and `weir explain`.

use std::fs;
use std::path::Path;

use serde_json::Value;

use crate::harness::{Done, done};

/// A repository with a clean flow, two with a hazard, one that is hidden, and what would be a flawed twin.
struct Repository {
    home: tempfile::TempDir,
}

/// A charge that may be made twice.
const CHARGES_TWICE: &str = r#"{
  "version": 1,
  "nodes": {
    "in": {"kind": "manual"},
    "lane": {"kind": "queue"},
    "charge": {"kind": "effect", "config": {"action": "charge"}}
  },
  "edges": {
    "a": {"from": "in.out", "to": "lane.in"},
    "b": {"from": "lane.out", "to": "charge.in"}
  }
}"#;

/// A wire that is there twice.
const DOUBLE_WIRE: &str = r#"{
  "version": 1,
  "nodes": {"in": {"kind": "manual"}, "out": {"kind": "view"}},
  "edges": {"a": {"from": "in.out", "to": "out.in"}, "b": {"from": "in.out", "to": "out.in"}}
}"#;

impl Repository {
    fn new() -> Repository {
        let home = tempfile::tempdir().expect("a folder");
        for folder in [".git", "clean", "flows/deep", ".hidden"] {
            fs::create_dir_all(home.path().join(folder)).expect("a folder");
        }
        let repository = Repository { home };
        for (file, text) in [
            ("clean/clean.flow.json", r#"{"version": 1, "nodes": {}}"#),
            ("flows/pay.flow.json", CHARGES_TWICE),
            ("flows/pay-flawed.flow.json", "not even JSON"),
            ("flows/deep/twice.flow.json", DOUBLE_WIRE),
            (".hidden/pay.flow.json", CHARGES_TWICE),
        ] {
            repository.write(file, text);
        }
        repository
    }

    fn path(&self) -> &Path {
        self.home.path()
    }

    fn write(&self, file: &str, text: &str) {
        fs::write(self.path().join(file), text).expect("written");
    }

    fn read(&self, file: &str) -> String {
        fs::read_to_string(self.path().join(file)).expect("read")
    }

    fn check(&self, arguments: &[&str]) -> Done {
        done(self.path(), &[&["check"], arguments].concat())
    }

    /// From a folder of it.
    fn check_in(&self, folder: &str, arguments: &[&str]) -> Done {
        done(&self.path().join(folder), &[&["check"], arguments].concat())
    }
}

fn json(answer: &str) -> Value {
    serde_json::from_str(answer).expect("JSON")
}

#[test]
fn what_is_denied_decides_the_exit_code() {
    let repository = Repository::new();
    let (pay, twice) = ("flows/pay.flow.json", "flows/deep/twice.flow.json");
    for (file, wanted) in [(pay, "DELIV-001"), (twice, "STRUCT-006")] {
        let report = json(&repository.check(&[file, "--json"]).answer);
        let found = report["diagnostics"].as_array().expect("a list");
        assert_eq!(found.len(), 1, "{file}");
        assert_eq!(
            (&found[0]["code"], &found[0]["severity"]),
            (&wanted.into(), &"error".into())
        );
    }
    for (arguments, wanted) in [
        (&["clean"][..], 0),
        (&["clean", "--deny", "info"], 0),
        (&[pay], 1),
        (&[pay, "--deny", "warning"], 1),
        (&[pay, "--deny", "none"], 0),
        (&[pay, "--deny", "none", "--deny", "DELIV-001"], 1),
        (&[pay, "--deny", "duplicate-effect", "--deny", "none"], 1),
        (&[pay, "--deny", "none", "--deny", "STRUCT-006"], 0),
        (
            &["clean", twice, pay, "--deny", "none", "--deny", "DELIV-001"],
            1,
        ),
        (&["clean", "nowhere"], 2),
        (&["flows/pay-flawed.flow.json"], 2),
    ] {
        let checked = repository.check(arguments);
        assert_eq!(checked.code, wanted, "{arguments:?}: {checked:?}");
        for format in ["json", "sarif", "github"] {
            let arguments = [arguments, &["--format", format]].concat();
            assert_eq!(repository.check(&arguments).code, wanted, "{arguments:?}");
        }
    }
}

#[test]
fn folders_and_several_flows_are_checked_at_once() {
    let repository = Repository::new();
    let files = |checked: Done| json(&checked.answer)["files"].clone();
    let all = files(repository.check(&[".", "--recursive", "--json"]));
    let wanted = [
        "clean/clean.flow.json",
        "flows/deep/twice.flow.json",
        "flows/pay.flow.json",
    ];
    assert_eq!(all, Value::from(wanted.to_vec()));
    let pay = files(repository.check(&["flows", "--json", "flows/pay.flow.json"]));
    assert_eq!(pay, Value::from(vec!["flows/pay.flow.json"]));
    let inside = files(repository.check_in("flows/deep", &["..", "-r", "--json"]));
    assert_eq!(inside, Value::from(wanted[1..].to_vec()));
    let empty = repository.check(&["."]);
    assert_eq!(empty.code, 2);
    assert!(empty.rest.contains("no .flow.json file"), "{empty:?}");

    let text = repository.check(&["flows", "flows/deep", "clean"]).answer;
    for wanted in [
        "\n  --> flows/pay.flow.json:6:5 node charge\n",
        "\n 1 | lane delivers again what was not acknowledged in time\n",
        "\n2 errors in 3 flows\nweir explain CODE says more on DELIV-001, STRUCT-006\n",
    ] {
        assert!(text.contains(wanted), "{wanted}{text}");
    }
}

#[test]
fn reports_go_into_files_and_name_flows_from_the_root() {
    let repository = Repository::new();
    let checked = repository.check_in(
        "flows",
        &[
            "pay.flow.json",
            "--format",
            "sarif",
            "--output",
            "../weir.sarif",
        ],
    );
    assert_eq!((checked.code, &*checked.answer), (1, ""));
    assert_eq!(checked.rest, "../weir.sarif: 1 error\n");
    let log = json(&repository.read("weir.sarif"));
    let result = &log["runs"][0]["results"][0];
    let physical = &result["locations"][0]["physicalLocation"];
    assert_eq!(physical["artifactLocation"]["uri"], "flows/pay.flow.json");
    assert_eq!(
        (
            &physical["region"]["startLine"],
            &physical["region"]["startColumn"]
        ),
        (&6.into(), &5.into())
    );
    assert_eq!(
        log["runs"][0]["tool"]["driver"]["version"],
        env!("CARGO_PKG_VERSION")
    );

    let github = repository.check_in("flows", &["pay.flow.json", "--format", "github"]);
    let wanted = "::error file=flows/pay.flow.json,line=6,col=5,endColumn=13,title=DELIV-001 ";
    assert!(github.answer.starts_with(wanted), "{github:?}");
    assert_eq!(github.answer.lines().count(), 1);

    let clean = repository.check(&["clean", "--output", "report.txt"]);
    assert_eq!((clean.code, &*clean.answer), (0, ""));
    assert_eq!(repository.read("report.txt"), "no hazards found\n");
    let nowhere = repository.check(&["clean", "--output", "no/such/folder.txt"]);
    assert_eq!(nowhere.code, 2);
    assert!(nowhere.rest.contains("could not be written"), "{nowhere:?}");
}

#[test]
fn what_a_baseline_has_does_not_count() {
    let repository = Repository::new();
    let adopted = repository.check(&["flows", "--write-baseline", "known.json"]);
    assert_eq!(adopted.code, 1);
    repository.check(&["flows", "--format", "sarif", "--output", "known.sarif"]);
    for baseline in ["known.json", "known.sarif"] {
        let checked = repository.check(&["flows", "--baseline", baseline, "--deny", "info"]);
        assert_eq!((checked.code, &*checked.rest), (0, ""), "{checked:?}");
        let text = checked.answer;
        assert!(
            text.starts_with("known error[DELIV-001]: flows/pay.flow.json: "),
            "{text}"
        );
        assert!(
            text.ends_with("\nno new hazards found, 1 known before\n"),
            "{text}"
        );
        let inside = repository.check_in("flows", &[".", "--baseline", &format!("../{baseline}")]);
        assert_eq!(inside.code, 0, "the same flow from elsewhere");
    }

    repository.write("flows/pay.flow.json", DOUBLE_WIRE);
    let arguments = ["flows", "--baseline", "known.json", "--deny", "warning"];
    let changed = repository.check(&arguments);
    assert_eq!(changed.code, 1, "what is new counts");
    assert!(
        changed
            .rest
            .contains("1 of the findings in the baseline are gone"),
        "{changed:?}"
    );
    let sarif = repository.check(&[&arguments[..], &["--format", "sarif"]].concat());
    let result = &json(&sarif.answer)["runs"][0]["results"][0];
    assert_eq!(result["baselineState"], "new");
    let rewritten = [&arguments[..], &["--write-baseline", "known.json"]].concat();
    assert_eq!(repository.check(&rewritten).code, 1);
    assert_eq!(repository.check(&arguments).code, 0);

    for (file, wanted) in [
        ("none.json", "--write-baseline"),
        ("flows/pay.flow.json", "not a report of `weir check`"),
    ] {
        let refused = repository.check(&["flows", "--baseline", file]);
        assert_eq!(refused.code, 2, "{refused:?}");
        assert!(refused.rest.contains(wanted), "{refused:?}");
    }
}

#[test]
fn accepted_hazards_are_due_on_their_day() {
    let repository = Repository::new();
    let accepted = CHARGES_TWICE.replace(
        r#""config": {"action": "charge"}"#,
        r#""config": {"action": "charge"},
        "accepted": {"DELIV-001": {"reason": "the provider compares", "until": "2031-05-01"}}"#,
    );
    repository.write("flows/pay.flow.json", &accepted);
    let on = |day: &str| repository.check(&["flows", "--today", day]);
    assert_eq!((on("2031-04-30").code, &*on("2031-04-30").answer), (0, ""));
    assert_eq!(on("2031-05-01").code, 1);
    let sarif = repository.check(&["flows", "--today", "2031-04-30", "--format", "sarif"]);
    let result = &json(&sarif.answer)["runs"][0]["results"][0];
    let suppression = &result["suppressions"][0];
    assert_eq!(suppression["justification"], "the provider compares");
}

#[test]
fn rules_are_explained() {
    let home = tempfile::tempdir().expect("a folder");
    let explain = |arguments: &[&str]| {
        let told = done(home.path(), &[&["explain"], arguments].concat());
        assert_eq!((told.code, &*told.rest), (0, ""), "{arguments:?}");
        told.answer
    };
    let page = explain(&["AUTH-001"]);
    assert!(
        page.starts_with("AUTH-001: unreadable-field-shown (error, since "),
        "{page}"
    );
    for wanted in [
        "Why is this bad",
        "When is this fine",
        "What shows it in a run",
        "Use instead",
        "Fixes that Weir offers",
        "Source",
        "Weir says: ",
        "\n   1 | in: ",
    ] {
        assert!(page.contains(wanted), "{wanted}: {page}");
    }
    for same in ["auth-001", "unreadable-field-shown"] {
        assert_eq!(explain(&[same]), page);
    }
    let value = json(&explain(&["AUTH-001", "--json"]));
    assert_eq!(
        (&value["code"], &value["family"]),
        (&"AUTH-001".into(), &"AUTH".into())
    );

    let list = explain(&[]);
    assert!(
        list.starts_with("AUTH: who may see or cause what\n  AUTH-001"),
        "{list}"
    );
    assert!(list.contains("\n\nLOOP: "), "{list}");
    let all = json(&explain(&["--json"]));
    let codes = all.as_array().expect("a list").iter();
    for code in codes.map(|rule| rule["code"].as_str().expect("a code")) {
        assert!(list.contains(code), "{code}");
        assert!(explain(&[code]).starts_with(code), "{code}");
    }
    let family = explain(&["order"]);
    assert!(
        family.starts_with("ORDER: ") && !family.contains("AUTH-"),
        "{family}"
    );
}
