//! Components, built from their sources with the tools of their languages.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use function_kit::{Build, Error};

/// The text of a node, which a component of the host runs.
pub(crate) const SCRIPT: &str = "script";
/// The languages in which there is an `order-tax`, with its folder.
pub(crate) const ORDER_TAX: [(&str, &str); 5] = [
    ("rust", "order-tax"),
    ("c", "order-tax-c"),
    ("js", "order-tax-js"),
    ("python", "order-tax-py"),
    (SCRIPT, "order-tax-script"),
];

/// A place in the target directory.
pub(crate) fn results(name: &str) -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR"))
        .join("functions")
        .join(name)
}

pub(crate) fn samples() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../samples/functions")
}

/// The component of an `order-tax`: the one that is kept, or one that is built.
pub(crate) fn order_tax(language: &str, folder: &str) -> Option<PathBuf> {
    static BUILT: Mutex<BTreeMap<String, Option<PathBuf>>> = Mutex::new(BTreeMap::new());
    if language == SCRIPT {
        return Some(Path::new(env!("CARGO_MANIFEST_DIR")).join("script/script.wasm"));
    }
    // A test that failed while it held this is no reason to fail here.
    let mut built = BUILT.lock().unwrap_or_else(PoisonError::into_inner);
    let make = || {
        let source = samples().join(folder);
        let kept = source.join(format!("{folder}.wasm"));
        if kept.is_file() {
            return Some(kept);
        }
        if let Err(missing) = (function_kit::language(language).expect("a language").look)() {
            eprintln!("LEFT OUT: {folder}: {missing}");
            return None;
        }
        Some(build(&source, &results(&format!("{folder}.wasm"))).component)
    };
    built.entry(folder.to_owned()).or_insert_with(make).clone()
}

/// Builds a function, with the tools of earlier builds in its language.
pub(crate) fn build(folder: &Path, output: &Path) -> function_kit::Built {
    let build = Build::of(folder).expect("a function");
    let language = build.folder().language;
    let build = build.work_in(&results(language.id)).output(output);
    let started = Instant::now();
    let mut told = Vec::new();
    loop {
        match build.run(&mut |progress| told.push(progress)) {
            Ok(built) => {
                let took = started.elapsed().as_secs_f64();
                eprintln!(
                    "{}: {} bytes, built in {took:.1} s",
                    language.title, built.bytes
                );
                return built;
            }
            // Another test builds in this language.
            Err(Error::Busy { .. }) => thread::sleep(Duration::from_millis(100)),
            Err(error) => panic!("{}: {error}\n{told:#?}", language.title),
        }
    }
}
