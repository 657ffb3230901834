//! What cannot be used is refused with what, where and what next, and exit code 2.

use std::fs;
use std::net::TcpListener;

use crate::harness::{Project, done, weir};

#[test]
fn documents_that_cannot_be_used_are_named() {
    let home = tempfile::tempdir().expect("a folder");
    let home = home.path();
    fs::create_dir(home.join("empty")).expect("a folder");
    fs::create_dir(home.join("many")).expect("a folder");
    for (name, text) in [
        ("broken.flow.json", "{\n  \"version\": 1,,\n}"),
        ("newer.flow.json", r#"{"version": 99, "nodes": {}}"#),
        ("list.flow.json", "[]"),
        ("many/a.flow.json", r#"{"version": 1, "nodes": {}}"#),
        ("many/b.flow.json", r#"{"version": 1, "nodes": {}}"#),
        (
            "kind.flow.json",
            r#"{"version": 1, "nodes": {"a": {"kind": "teleport"}}}"#,
        ),
    ] {
        fs::write(home.join(name), text).expect("written");
    }
    for (place, wanted) in [
        ("broken.flow.json", "line 2"),
        ("newer.flow.json", "update Weir"),
        ("list.flow.json", "not a flow"),
        ("missing", "weir new"),
        ("empty", "weir new"),
        ("many", "name one of them"),
    ] {
        for command in ["check", "run", "fmt"] {
            if command != "run" && place == "many" {
                continue; // all of them are meant
            }
            let refused = done(home, &[command, place]);
            assert_eq!(
                (refused.code, &*refused.answer),
                (2, ""),
                "{command} {place}"
            );
            let said = refused.rest;
            assert!(
                said.starts_with(&format!("weir: {place}")),
                "{command}: {said}"
            );
            assert!(said.contains(wanted), "{command}: {said}");
        }
    }
    let unknown = done(home, &["run", "kind.flow.json"]);
    assert_eq!(unknown.code, 2);
    assert!(
        unknown.rest.contains("a: the kind `teleport`"),
        "{unknown:?}"
    );
}

#[test]
fn arguments_that_make_no_sense_are_explained() {
    let home = tempfile::tempdir().expect("a folder");
    for (arguments, wanted) in [
        (&["run", ".", "--for", "soon"][..], "30s"),
        (&["frobnicate"], "unrecognized"),
        (&["inject", ".", "a", "1"], "nothing runs here"),
        (&["tail", "."], "nothing runs here"),
        (&["open", "nowhere"], "no such file or folder"),
        (
            &["check", ".", "--deny", "AUTH-0001"],
            "did you mean AUTH-001",
        ),
        (
            &["check", ".", "--deny", "grave"],
            "`weir explain` lists them",
        ),
        (&["check", ".", "--today", "2027-02-30"], "2027-01-31"),
        (&["check", ".", "--format", "xml"], "sarif"),
        (
            &["check", ".", "--json", "--format", "sarif"],
            "cannot be used with",
        ),
        (&["check"], "<FILE|FOLDER>"),
        (
            &["explain", "unreadable-feild-shown"],
            "did you mean AUTH-001 (unreadable-field-shown)?",
        ),
        (
            &["explain", "TELEPORT-001"],
            "there is no rule `TELEPORT-001`; `weir explain` lists them",
        ),
    ] {
        let refused = done(home.path(), arguments);
        assert_eq!(refused.code, 2, "{arguments:?}: {refused:?}");
        assert!(refused.rest.contains(wanted), "{arguments:?}: {refused:?}");
    }
}

#[cfg(target_os = "linux")]
#[test]
fn without_a_display_the_other_commands_are_named() {
    let home = tempfile::tempdir().expect("a folder");
    let output = weir(home.path())
        .env_remove("DISPLAY")
        .env_remove("WAYLAND_DISPLAY")
        .output()
        .expect("the program starts");
    let said = String::from_utf8(output.stderr).expect("text");
    assert_eq!(output.status.code(), Some(2));
    assert!(
        said.contains("there is no display here") && said.contains("weir run"),
        "{said}"
    );
}

#[test]
fn a_port_that_is_taken_is_named_with_its_node() {
    let taken = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = taken.local_addr().expect("bound").to_string();
    let project = Project::new(
        &format!(
            r#""hook": {{"kind": "http", "config": {{"listen": "{address}", "path": "/"}}}},
               "seen": {{"kind": "view"}}"#
        ),
        r#""e": {"from": "hook.out", "to": "seen.in"}"#,
    );
    let refused = project.done(&["run", "flow", "--for", "1s"]);
    assert_eq!(refused.code, 2, "{refused:?}");
    assert!(
        refused.rest.contains("hook") && refused.rest.contains(&address),
        "{refused:?}"
    );
}

#[cfg(unix)]
#[test]
fn a_folder_that_cannot_be_written_is_named() {
    let project = Project::new(r#""a": {"kind": "manual"}"#, "");
    // Even root cannot make a folder where a file is.
    project.write(".weir", "in the way");
    let refused = project.done(&["run", "flow", "--until-idle"]);
    assert_eq!(refused.code, 2, "{refused:?}");
    assert!(refused.rest.contains("flow/.weir"), "{refused:?}");
    assert!(refused.rest.contains("may write to"), "{refused:?}");
}
