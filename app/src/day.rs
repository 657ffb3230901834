//! Days as flow files write them, such as `2027-01-31`.

use graph_model::event::{parse_rfc3339, rfc3339};

const DAY_MS: i64 = 86_400_000;

/// Whether the text is a day of the calendar.
pub(crate) fn is_day(text: &str) -> bool {
    text.len() == "2027-01-31".len() && parse_rfc3339(&format!("{text}T00:00:00Z")).is_some()
}

/// The day that comes so many days later.
pub(crate) fn after(day: &str, days: u32) -> Option<String> {
    let start = parse_rfc3339(&format!("{day}T00:00:00Z"))?;
    let then = rfc3339(start + i64::from(days) * DAY_MS);
    then.split_once('T').map(|(day, _)| day.to_owned())
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
        assert_eq!(after("2026-12-31", 1).as_deref(), Some("2027-01-01"));
        assert_eq!(after("soon", 1), None);
    }
}
