//! Which files a link to this page may name: those beside the page and below it.

/// Longest address that is looked at.
const ADDRESS_MAX: usize = 1024;

/// Checks an address that came from outside, as it stands in the link (already percent-decoded).
pub(crate) fn beside_the_page(address: &str) -> Result<(), String> {
    let wrong = if address.is_empty() {
        "names no file"
    } else if address.len() > ADDRESS_MAX {
        "is too long"
    } else if address.contains(':') || address.starts_with('/') {
        "names a file of another place"
    } else if address.contains(['\\', '?', '#', '%']) || address.contains(char::is_control) {
        "has a character that no file beside this page has"
    } else if address.split('/').any(|part| part == "..") {
        "leads out of the folder of this page"
    } else {
        return Ok(());
    };
    Err(format!(
        "the address {wrong}; a link opens files beside this page only, such as `lesson.flow.json` \
         or `lessons/one.flow.json`"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_beside_and_below_the_page_are_read() {
        for good in [
            "lesson.flow.json",
            "./lesson.flow.json",
            "samples/hello/hello.flow.json",
            "übung 1..2.flow.json",
        ] {
            assert_eq!(beside_the_page(good), Ok(()), "{good}");
        }
    }

    #[test]
    fn everything_else_is_refused_with_a_reason() {
        for (bad, reason) in [
            ("", "names no file"),
            ("https://example.org/a.flow.json", "another place"),
            ("//example.org/a.flow.json", "another place"),
            ("/a.flow.json", "another place"),
            ("javascript:alert(1)", "another place"),
            ("./data:text/plain,x", "another place"),
            ("../a.flow.json", "leads out"),
            ("a/../../b.flow.json", "leads out"),
            ("a\\..\\b.flow.json", "a character"),
            ("%2e%2e/a.flow.json", "a character"),
            ("a.flow.json?x=1", "a character"),
            ("a.flow.json#x", "a character"),
            ("a\nb", "a character"),
            (&"a".repeat(2000), "too long"),
        ] {
            let message = beside_the_page(bad).expect_err(bad);
            assert!(message.contains(reason), "{bad}: {message}");
        }
    }
}
