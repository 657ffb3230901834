//! Tables of flows and what is found in them, for the tests of rules.

use crate::catalog::Catalog;
use crate::validate::{notation, render, validate};

/// Holds each flow to the codes that are found in it, in the order of the report; `~CODE` for what
/// could not be checked.
pub(super) fn check<F: AsRef<str>>(table: &[(F, &str)]) {
    for (flow, expected) in table {
        let flow = flow.as_ref();
        let document = notation::read(flow).unwrap_or_else(|error| panic!("{error}\n{flow}"));
        let report = validate(&document, Catalog::bundled());
        let found = report.diagnostics.iter().map(|found| found.code.to_owned());
        let open = report
            .unchecked
            .iter()
            .map(|open| format!("~{}", open.code));
        let codes: Vec<String> = found.chain(open).collect();
        let said = render::text(&report, &document);
        assert_eq!(codes.join(" "), *expected, "{flow}\n{said}");
    }
}
