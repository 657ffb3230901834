//! Reports as SARIF: held against the published schema, and true to the text of the flow.

use std::fs;
use std::path::PathBuf;

use graph_model::catalog::Catalog;
use graph_model::document::Document;
use graph_model::format;
use graph_model::validate::render::{Checked, github, json_all, sarif, text_all};
use graph_model::validate::{
    Baseline, Before, Consequence, Report, Subject, Unchecked, notation, rules, validate,
};
use jsonschema::Validator;
use serde_json::Value;

/// A flow with its report, as `weir check` has them.
struct Flow {
    file: String,
    text: String,
    document: Document,
    report: Report,
    known: Option<Before>,
}

impl Flow {
    fn of(file: &str, text: String) -> Flow {
        let document = format::open(text.as_bytes()).expect("a flow").document;
        let report = validate(&document, Catalog::bundled());
        Flow {
            file: file.to_owned(),
            text,
            document,
            report,
            known: None,
        }
    }

    fn drawn(notation: &str) -> Flow {
        let document = notation::read(notation).expect("reads");
        Flow::of("flows/a b.flow.json", format::write(&document))
    }

    fn checked(&self) -> Checked<'_> {
        Checked {
            file: &self.file,
            path: &self.file,
            text: &self.text,
            document: &self.document,
            report: &self.report,
            known: self.known.as_ref(),
            confirmed: None,
        }
    }

    fn log(&self) -> Value {
        read(&sarif(&[self.checked()]))
    }
}

fn read(text: &str) -> Value {
    serde_json::from_str(text).expect("JSON")
}

fn published() -> Validator {
    let path = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/tests/fixtures/sarif/sarif-schema-2.1.0.json"
    );
    let schema = read(&fs::read_to_string(path).expect("the schema is there"));
    jsonschema::options()
        .should_validate_formats(true)
        .build(&schema)
        .expect("a schema")
}

fn hold(schema: &Validator, log: &Value, of: &str) {
    let wrong: Vec<String> = schema
        .iter_errors(log)
        .map(|error| format!("{}: {error}", error.instance_path()))
        .collect();
    assert!(wrong.is_empty(), "{of}:\n{}", wrong.join("\n"));
}

/// Every flow of the samples, clean and flawed.
fn samples() -> Vec<Flow> {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../samples");
    let mut flows = Vec::new();
    for folder in fs::read_dir(root).expect("there are samples") {
        let folder = folder.expect("the folder can be read").path();
        for file in fs::read_dir(&folder).into_iter().flatten() {
            let path = file.expect("the folder can be read").path();
            let name = path.to_string_lossy().into_owned();
            if name.ends_with(".flow.json") {
                let text = fs::read_to_string(&path).expect("the sample can be read");
                let (_, file) = name.split_once("../").expect("below the root");
                flows.push(Flow::of(file, text));
            }
        }
    }
    flows.sort_by(|a, b| a.file.cmp(&b.file));
    flows
}

fn examples() -> impl Iterator<Item = Flow> {
    rules().iter().map(|rule| {
        let lines: Vec<&str> = rule.section("Example").collect();
        Flow::drawn(&lines.join("\n"))
    })
}

#[test]
fn the_published_schema_refuses_what_is_no_log() {
    let schema = published();
    let mut log = Flow::drawn("in: manual -> out: viewer").log();
    hold(&schema, &log, "a log");
    let result = log.pointer_mut("/runs/0/results/0").expect("a result");
    result["level"] = "grave".into();
    assert!(!schema.is_valid(&log));
}

#[test]
fn logs_have_the_published_shape() {
    let schema = published();
    let samples = samples();
    let mut results = 0;
    for flow in samples.iter().map(Flow::checked) {
        let log = read(&sarif(&[flow]));
        hold(&schema, &log, flow.file);
        results += log["runs"][0]["results"].as_array().expect("a list").len();
    }
    assert!(results > samples.len() / 2, "the flawed twins have results");
    for flow in examples() {
        hold(&schema, &flow.log(), &flow.report.diagnostics[0].id);
    }
    let all: Vec<Checked<'_>> = samples.iter().map(Flow::checked).collect();
    let log = read(&sarif(&all));
    hold(&schema, &log, "all samples at once");
    let run = &log["runs"][0];
    assert_eq!(run["artifacts"].as_array().map(Vec::len), Some(all.len()));
    assert_eq!(run["results"].as_array().map(Vec::len), Some(results));
    hold(&schema, &read(&sarif(&[])), "nothing");
}

#[test]
fn everything_that_a_report_knows_has_its_place() {
    let schema = published();
    let mut flow = Flow::drawn(
        "in: manual -> lane: queue(visibility=soon) !STRUCT-003 -> out: viewer\n\
         x: view(keep=0) !STRUCT-003",
    );
    flow.report.accepted[0].1.reason = "nobody waits that long".into();
    flow.report.accepted[0].1.by = "Ada".into();
    flow.report.accepted[1].1.until = Some("2099-01-31".into());
    let found = &mut flow.report.diagnostics[0];
    found.assumed = Some("the code of out does nothing".into());
    found.affected = vec!["lane".into()];
    found.consequences = vec![Consequence {
        code: "STRUCT-003",
        subject: Subject::Node("x".into()),
        message: "x cannot start".into(),
    }];
    flow.report.unchecked = vec![Unchecked {
        code: "SCHEMA-001",
        subject: Subject::Edge("in_out_to_lane".into()),
        reason: "`in` declares no schema; add one".into(),
    }];
    let log = flow.log();
    hold(&schema, &log, "a full report");
    let run = &log["runs"][0];
    let rules = run["tool"]["driver"]["rules"].as_array().expect("a list");
    let codes: Vec<&str> = rules
        .iter()
        .filter_map(|rule| rule["id"].as_str())
        .collect();
    assert_eq!(codes, ["SCHEMA-001", "STRUCT-001", "STRUCT-003"]);
    let results = run["results"].as_array().expect("a list");
    assert_eq!(results.len(), 3);
    for result in results {
        let index = result["ruleIndex"].as_u64().expect("a rule") as usize;
        assert_eq!(rules[index]["id"], result["ruleId"]);
    }

    let first = &results[0];
    assert_eq!(first["level"], "error");
    assert_eq!(first["suppressions"], serde_json::json!([]));
    assert_eq!(
        first["partialFingerprints"]["diagnosticId/v1"],
        "STRUCT-001:node:out"
    );
    let said = first["message"]["text"].as_str().expect("a text");
    assert!(
        said.ends_with("\n\nassumed: the code of out does nothing"),
        "{said}"
    );
    let related = first["relatedLocations"].as_array().expect("a list");
    let said: Vec<&str> = related
        .iter()
        .filter_map(|at| at["message"]["text"].as_str())
        .collect();
    assert_eq!(said, ["seen at lane", "also: STRUCT-003 x cannot start"]);

    let place = &first["locations"][0];
    let logical = &place["logicalLocations"][0];
    assert_eq!(
        (&logical["fullyQualifiedName"], &logical["kind"]),
        (&"nodes/out".into(), &"node".into())
    );
    let physical = &place["physicalLocation"];
    assert_eq!(physical["artifactLocation"]["uri"], "flows/a%20b.flow.json");
    assert_eq!(physical["artifactLocation"]["uriBaseId"], "%SRCROOT%");
    let region = |key: &str| physical["region"][key].as_u64().expect("a place") as usize;
    let line = flow.text.lines().nth(region("startLine") - 1).expect("it");
    assert_eq!(
        &line[region("startColumn") - 1..region("endColumn") - 1],
        "\"out\""
    );

    let accepted = &results[1]["suppressions"][0];
    assert_eq!(accepted["kind"], "external");
    assert_eq!(accepted["justification"], "nobody waits that long");
    assert_eq!(accepted["properties"]["by"], "Ada");
    let until = &results[2]["suppressions"][0]["properties"]["until"];
    assert_eq!(until, "2099-01-31");
    let told = &run["invocations"][0]["toolExecutionNotifications"][0];
    assert_eq!(told["associatedRule"]["id"], "SCHEMA-001");
    let place = &told["locations"][0]["logicalLocations"][0];
    assert_eq!(place["fullyQualifiedName"], "edges/in_out_to_lane");
}

#[test]
fn hops_are_sentences_at_places() {
    let flow = Flow::drawn("in: manual -> lane: queue -> charge: effect(action=charge)");
    let log = flow.log();
    let result = &log["runs"][0]["results"][0];
    let hops = &result["codeFlows"][0]["threadFlows"][0]["locations"];
    let told: Vec<(&str, &str)> = hops
        .as_array()
        .expect("a list")
        .iter()
        .map(|hop| {
            let location = &hop["location"];
            (
                location["logicalLocations"][0]["fullyQualifiedName"]
                    .as_str()
                    .expect("a name"),
                location["message"]["text"].as_str().expect("a text"),
            )
        })
        .collect();
    assert_eq!(
        told,
        [
            (
                "nodes/lane/out",
                "lane delivers again what was not acknowledged in time"
            ),
            (
                "nodes/charge",
                "charge does it again, because no key says that it was done"
            ),
        ]
    );
}

/// What the text is after the replacements of one fix.
fn replaced(text: &str, fix: &Value) -> String {
    let mut lines: Vec<String> = text.split_inclusive('\n').map(str::to_owned).collect();
    let [change] = fix["artifactChanges"]
        .as_array()
        .expect("a list")
        .as_slice()
    else {
        panic!("one file is changed");
    };
    let pieces = change["replacements"].as_array().expect("a list");
    for piece in pieces.iter().rev() {
        let at = |key: &str| piece["deletedRegion"][key].as_u64().expect("a place") as usize;
        assert_eq!((at("startColumn"), at("endColumn")), (1, 1));
        let inserted = piece["insertedContent"]["text"].as_str().expect("a text");
        lines.splice(
            at("startLine") - 1..at("endLine") - 1,
            [inserted.to_owned()],
        );
    }
    lines.concat()
}

#[test]
fn fixes_are_the_replacements_that_they_say() {
    let mut count = 0;
    for flow in samples().into_iter().chain(examples()) {
        let log = flow.log();
        let results = log["runs"][0]["results"].as_array().expect("a list");
        for (result, found) in results.iter().zip(&flow.report.diagnostics) {
            assert_eq!(result["ruleId"], found.code);
            let none = Vec::new();
            let fixes = result["fixes"].as_array().unwrap_or(&none);
            assert_eq!(fixes.len(), found.fixes.len(), "{}", found.id);
            for (offered, fix) in fixes.iter().zip(&found.fixes) {
                let mut document = flow.document.clone();
                drop(fix.transaction.clone().apply(&mut document));
                assert_eq!(
                    replaced(&flow.text, offered),
                    format::write(&document),
                    "{}: {}",
                    found.id,
                    fix.title
                );
                count += 1;
            }
        }
    }
    assert!(count > 20, "{count}");
}

#[test]
fn what_is_not_canonical_has_places_and_no_fixes() {
    let drawn = "in: manual -> lane: queue -> charge: effect(action=charge)";
    let canonical = Flow::drawn(drawn);
    let odd = Flow::of("odd.flow.json", canonical.text.replace("\n  ", "\n\t"));
    let result = |flow: &Flow| flow.log()["runs"][0]["results"][0].clone();
    assert!(result(&canonical)["fixes"].is_array());
    assert!(result(&odd)["fixes"].is_null());
    assert_eq!(result(&canonical)["ruleId"], result(&odd)["ruleId"]);
    let region = |flow: &Flow| result(flow)["locations"][0]["physicalLocation"]["region"].clone();
    assert_eq!(region(&canonical)["startLine"], region(&odd)["startLine"]);
    assert_eq!(region(&canonical)["startColumn"], 5);
    assert_eq!(region(&odd)["startColumn"], 4);
}

#[test]
fn what_a_baseline_has_is_marked_and_does_not_count() {
    let schema = published();
    let before = Flow::drawn("in: manual -> out: viewer");
    let mut after = Flow::drawn("in: manual -> out: viewer\nsecond: teleport -> out");
    for report in [
        sarif(&[before.checked()]),
        json_all(&[before.checked()]),
        graph_model::validate::render::json(&before.report),
    ] {
        let baseline = Baseline::read(&report).expect("a baseline");
        after.known = Some(baseline.of(&after.file, &after.report));
        let checked = after.checked();
        let new: Vec<&str> = checked
            .new_findings()
            .map(|found| found.id.as_str())
            .collect();
        assert_eq!(new, ["STRUCT-001:node:second"]);

        let log = after.log();
        hold(&schema, &log, "with a baseline");
        let results = log["runs"][0]["results"].as_array().expect("a list");
        let states: Vec<&Value> = results
            .iter()
            .map(|result| &result["baselineState"])
            .collect();
        assert_eq!(states, ["unchanged", "new"]);
        let text = text_all(&[checked]);
        assert!(
            text.contains("\nknown error[STRUCT-001]: flows/a b.flow.json: the kind"),
            "{text}"
        );
        assert!(text.contains("\n1 error, 1 known before\n"), "{text}");
        let json = read(&json_all(&[checked]));
        assert_eq!(json["summary"]["errors"], 1);
        assert_eq!(
            (&json["summary"]["known"], &json["summary"]["gone"]),
            (&1.into(), &0.into())
        );
        assert_eq!(json["diagnostics"][0]["known"], true);
        assert_eq!(github(&[checked]).lines().count(), 1);
    }
    // It speaks of another file, or of what is not there any more.
    let report = json_all(&[before.checked()]);
    let baseline = Baseline::read(&report).expect("a baseline");
    let elsewhere = baseline.of("other.flow.json", &after.report);
    assert!(!elsewhere.has(&after.report.diagnostics[0]) && elsewhere.gone.is_empty());
    let mended = Flow::drawn("in: manual -> out: view");
    let known = baseline.of(&mended.file, &mended.report);
    assert_eq!(
        known.gone.iter().collect::<Vec<_>>(),
        ["STRUCT-001:node:out"]
    );
}

#[test]
fn suppressed_and_absent_results_are_no_baseline() {
    let flow = Flow::drawn("in: manual -> lane: queue(visibility=soon) !STRUCT-003 -> out: view");
    assert_eq!(flow.report.accepted.len(), 1);
    let log = sarif(&[flow.checked()]);
    let mut again = flow.report.clone();
    again.expire("2000-01-01");
    again.diagnostics = again.accepted.drain(..).map(|(found, _)| found).collect();
    let baseline = Baseline::read(&log).expect("a baseline");
    assert!(!baseline.of(&flow.file, &again).has(&again.diagnostics[0]));

    let mut gone = Flow::drawn("in: manual -> out: viewer").log();
    gone["runs"][0]["results"][0]["baselineState"] = "absent".into();
    let baseline = Baseline::read(&gone.to_string()).expect("a baseline");
    assert_eq!(baseline, Baseline::default());
    for (text, wanted) in [
        ("[]", "not a report"),
        ("{\"version\": 1}", "not a report"),
        ("{", "not JSON at line 1"),
    ] {
        let error = Baseline::read(text).expect_err(text).to_string();
        assert!(error.starts_with(wanted), "{error}");
    }
}

#[test]
fn workflow_commands_are_one_line_each() {
    let flow =
        Flow::drawn("in: manual -> lane: queue(visibility=soon) -> charge: effect(action=charge)");
    let said = github(&[flow.checked()]);
    let commands: Vec<&str> = said.lines().collect();
    assert_eq!(commands.len(), flow.report.diagnostics.len());
    let lane = commands
        .iter()
        .find(|line| line.contains("STRUCT-003"))
        .expect("it");
    let wanted = "::error file=flows/a b.flow.json,line=";
    assert!(lane.starts_with(wanted), "{lane}");
    assert!(
        lane.contains(",title=STRUCT-003 unusable-value::lane: "),
        "{lane}"
    );
    assert!(
        lane.contains("%0A1. lane: `visibility` is set to it%0Afix: "),
        "{lane}"
    );
}
