//! Days as flow files write them, such as `2027-01-31`.

use graph_model::event::parse_rfc3339;

/// Whether the text is a day of the calendar.
pub(crate) fn is_day(text: &str) -> bool {
    text.len() == "2027-01-31".len() && parse_rfc3339(&format!("{text}T00:00:00Z")).is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_are_those_of_the_calendar() {
        for day in ["2027-01-31", "2028-02-29"] {
            assert!(is_day(day), "{day}");
        }
        for text in [
            "",
            "2027-02-29",
            "2027-1-31",
            "31.01.2027",
            "tomorrow",
            "2027-01-31T",
        ] {
            assert!(!is_day(text), "{text}");
        }
    }
}
