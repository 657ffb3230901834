//! Findings as workflow commands, which GitHub shows at the changed lines of a pull request.

use crate::validate::{Diagnostic, Severity};

use super::{Checked, Places};

/// A command for each finding that counts, one a line.
pub fn github(flows: &[Checked<'_>]) -> String {
    let mut out = String::new();
    for flow in flows {
        let places = Places::of(flow.text);
        for found in flow.new_findings() {
            out.push_str(&command(found, flow, &places));
            out.push('\n');
        }
    }
    out
}

fn command(found: &Diagnostic, flow: &Checked<'_>, places: &Places) -> String {
    let word = match found.severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
        Severity::Info => "notice",
    };
    let mut properties = vec![("file", flow.file.to_owned())];
    if let Some(region) = places.find(&found.subject) {
        properties.push(("line", region.line.to_string()));
        properties.push(("col", region.column.to_string()));
        properties.push(("endColumn", region.end_column.to_string()));
    }
    properties.push(("title", format!("{} {}", found.code, found.name)));
    let properties: Vec<String> = properties
        .into_iter()
        .map(|(key, value)| format!("{key}={}", property(&value)))
        .collect();

    let mut said = vec![found.message.clone()];
    let steps = found.path.iter().enumerate();
    said.extend(
        steps.map(|(number, step)| format!("{}. {}", number + 1, step.sentence(flow.document))),
    );
    said.extend(found.assumed.iter().map(|what| format!("assumed: {what}")));
    said.extend(
        found
            .fixes
            .iter()
            .take(1)
            .map(|fix| format!("fix: {}", fix.title)),
    );
    format!(
        "::{word} {}::{}",
        properties.join(","),
        data(&said.join("\n"))
    )
}

fn data(text: &str) -> String {
    text.replace('%', "%25")
        .replace('\r', "%0D")
        .replace('\n', "%0A")
}

fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}
