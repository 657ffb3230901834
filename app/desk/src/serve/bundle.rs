//! The designer's page, as it was built: a few files, read once.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use axum::body::Bytes;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};

/// Files of a page at most.
const FILES_MAX: usize = 1_000;
/// Bytes of a page at most.
const BYTES_MAX: u64 = 64 << 20;
/// Endings of files that hold the same in a compressed form, and its name; the best first.
const COMPRESSED: [(&str, &str); 2] = [(".br", "br"), (".gz", "gzip")];
/// The file that stands for the page.
const INDEX: &str = "index.html";

/// The files of a page, by the path under which they are asked for.
#[derive(Clone, Debug, Default)]
pub struct Bundle {
    files: BTreeMap<String, Bytes>,
}

impl Bundle {
    /// The page beside this program, as it lies in a build folder or an installation.
    pub fn find() -> Option<PathBuf> {
        let program = std::env::current_exe().ok()?;
        let folder = program.parent()?;
        [
            folder.join("web"),
            folder.join("../web"),
            folder.join("../share/weir/web"),
        ]
        .into_iter()
        .find(|place| place.join(INDEX).is_file())
    }

    /// Reads all files of a folder.
    pub fn read(folder: &Path) -> io::Result<Bundle> {
        let mut bundle = Bundle::default();
        let mut bytes = 0;
        let mut open = vec![(folder.to_path_buf(), String::new())];
        while let Some((place, prefix)) = open.pop() {
            for entry in fs::read_dir(&place)? {
                let entry = entry?;
                let name = format!("{prefix}/{}", entry.file_name().to_string_lossy());
                let kind = entry.file_type()?;
                if kind.is_dir() {
                    open.push((entry.path(), name));
                } else if kind.is_file() {
                    bytes += entry.metadata()?.len();
                    if bytes > BYTES_MAX || bundle.files.len() >= FILES_MAX {
                        return Err(io::Error::other("there is too much in it for a page"));
                    }
                    bundle.files.insert(name, fs::read(entry.path())?.into());
                }
            }
        }
        if bundle.files.contains_key(&format!("/{INDEX}")) {
            Ok(bundle)
        } else {
            Err(io::Error::new(
                io::ErrorKind::NotFound,
                format!("there is no {INDEX} in it; build the page with .ci/web"),
            ))
        }
    }

    /// The answer to a request for this path.
    pub(super) fn answer(&self, path: &str, headers: &HeaderMap) -> Response {
        let path = if path == "/" { "/index.html" } else { path };
        let Some(plain) = self.files.get(path) else {
            return StatusCode::NOT_FOUND.into_response();
        };
        let compressed = COMPRESSED
            .iter()
            .filter(|(_, encoding)| takes(headers, encoding))
            .find_map(|(ending, encoding)| {
                Some((self.files.get(&format!("{path}{ending}"))?, *encoding))
            });
        let sent = compressed.map_or(plain, |(bytes, _)| bytes);
        let mut answer = sent.clone().into_response();
        let held = answer.headers_mut();
        held.insert(header::CONTENT_TYPE, content_type(path));
        held.insert(header::CACHE_CONTROL, value("no-cache"));
        held.insert(header::VARY, value("accept-encoding"));
        if let Some((_, encoding)) = compressed {
            held.insert(header::CONTENT_ENCODING, value(encoding));
        }
        answer
    }
}

fn takes(headers: &HeaderMap, encoding: &str) -> bool {
    let accepted = headers.get(header::ACCEPT_ENCODING);
    accepted
        .and_then(|value| value.to_str().ok())
        .is_some_and(|value| value.split(',').any(|one| one.trim() == encoding))
}

fn content_type(path: &str) -> axum::http::HeaderValue {
    value(match path.rsplit('.').next().unwrap_or_default() {
        "html" => "text/html; charset=utf-8",
        "js" => "text/javascript; charset=utf-8",
        "css" => "text/css; charset=utf-8",
        "wasm" => "application/wasm",
        "json" => "application/json",
        "jsonl" => "application/x-ndjson",
        "png" => "image/png",
        "svg" => "image/svg+xml",
        "md" | "txt" => "text/plain; charset=utf-8",
        _ => "application/octet-stream",
    })
}

fn value(text: &'static str) -> axum::http::HeaderValue {
    axum::http::HeaderValue::from_static(text)
}
