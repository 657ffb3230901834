//! The pages of `docs/hazards` say what the rules say; `UPDATE=1` writes them.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::fs;
use std::path::PathBuf;

use graph_model::validate::render::Page;
use graph_model::validate::rules;

#[test]
fn pages_of_hazards_say_what_the_rules_say() {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../docs/hazards");
    let mut wanted: BTreeMap<String, String> = rules()
        .iter()
        .map(|rule| (format!("{}.md", rule.code), Page::of(rule).markdown()))
        .collect();
    wanted.insert("README.md".to_owned(), index());
    if std::env::var_os("UPDATE").is_some() {
        fs::create_dir_all(&folder).expect("the folder can be made");
        for (name, text) in &wanted {
            fs::write(folder.join(name), text).expect("the page can be written");
        }
    }
    let held: BTreeMap<String, String> = fs::read_dir(&folder)
        .expect("there are pages")
        .map(|entry| {
            let entry = entry.expect("the folder can be read");
            let name = entry.file_name().to_string_lossy().into_owned();
            let text = fs::read_to_string(entry.path()).expect("the page can be read");
            (name, text)
        })
        .collect();
    for name in held.keys() {
        assert!(
            wanted.contains_key(name),
            "docs/hazards/{name} describes no rule: remove it"
        );
    }
    for (name, text) in &wanted {
        assert!(
            held.get(name) == Some(text),
            "docs/hazards/{name} is stale: run the tests with UPDATE=1"
        );
    }
}

fn index() -> String {
    let mut out = String::from(
        "# Hazards\n\n\
         What Weir can find in a design. Each page says why it is bad, when it is fine, and what\n\
         ends it. A hazard that is fine in your flow can be accepted there, with a reason\n\
         ([flow files](../specs/flow-format.md)).\n\n\
         | Code | Name | Severity | In a sentence |\n|---|---|---|---|\n",
    );
    for rule in rules() {
        let (code, name, severity) = (rule.code, rule.name, rule.severity.word());
        let summary = rule.summary();
        // Writing to a string does not fail, here and below.
        writeln!(
            out,
            "| [{code}]({code}.md) | {name} | {severity} | {summary} |"
        )
        .expect("a string takes all text");
    }
    out.push_str(
        "\nThe flows on the pages are written in a\n\
         [short notation](../../graph-model/src/validate/notation/mod.rs), and are checked as they stand.\n",
    );
    out
}
