//! Paths of files as URIs, and back.

use std::fmt::Write;

/// The scheme of files that do not lie under the root of the sources.
const SCHEME: &str = "file://";

/// Whether a path names a file by itself, wherever one stands.
pub(super) fn is_whole(file: &str) -> bool {
    file.starts_with('/') || drive(file).is_some()
}

/// `C:/`, on systems that have such.
fn drive(file: &str) -> Option<&str> {
    match file.as_bytes() {
        [letter, b':', b'/', ..] if letter.is_ascii_alphabetic() => Some(&file[..3]),
        _ => None,
    }
}

/// The URI of a file: relative for a path from the root of the sources.
pub(super) fn of_file(file: &str) -> String {
    let mut uri = String::new();
    let mut rest = file;
    if is_whole(file) {
        uri.push_str(SCHEME);
        if let Some(drive) = drive(file) {
            uri.push('/');
            uri.push_str(drive);
            rest = &file[drive.len()..];
        }
    }
    for byte in rest.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~/".contains(&byte) {
            uri.push(char::from(byte));
        } else {
            write!(uri, "%{byte:02X}").expect("a string takes all text");
        }
    }
    uri
}

/// The file that such a URI names.
pub(in crate::validate) fn file_of_uri(uri: &str) -> String {
    let path = uri.strip_prefix(SCHEME).unwrap_or(uri);
    let mut bytes = Vec::with_capacity(path.len());
    let mut rest = path.as_bytes();
    while let [first, more @ ..] = rest {
        rest = more;
        let code = more
            .get(..2)
            .filter(|_| *first == b'%')
            .and_then(|hex| std::str::from_utf8(hex).ok())
            .and_then(|hex| u8::from_str_radix(hex, 16).ok());
        if code.is_some() {
            rest = &more[2..];
        }
        bytes.push(code.unwrap_or(*first));
    }
    let file = String::from_utf8_lossy(&bytes).into_owned();
    match file.strip_prefix('/') {
        Some(below) if drive(below).is_some() => below.to_owned(),
        _ => file,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_have_uris_and_uris_have_files() {
        for (file, uri) in [
            ("shop.flow.json", "shop.flow.json"),
            ("a b/ä#1.flow.json", "a%20b/%C3%A4%231.flow.json"),
            ("50%.flow.json", "50%25.flow.json"),
            ("a:b.flow.json", "a%3Ab.flow.json"),
            ("/srv/x y.flow.json", "file:///srv/x%20y.flow.json"),
            ("C:/flows/x.flow.json", "file:///C:/flows/x.flow.json"),
        ] {
            assert_eq!((&*of_file(file), &*file_of_uri(uri)), (uri, file));
        }
        assert_eq!(file_of_uri("a%2"), "a%2");
    }
}
