//! Puts the web page together: glue for the module, page, themes, samples, compressed copies.
//!
//! `weir-bundle MODULE FOLDER` is what `.ci/web` calls after it compiled the module.

mod page;
mod samples;
mod sizes;
mod wasm;

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// The files of the page by their paths in it, with `/` between the parts.
type Files = BTreeMap<String, Vec<u8>>;

fn main() -> ExitCode {
    let mut args = std::env::args_os().skip(1).map(PathBuf::from);
    let done = match (args.next(), args.next(), args.next()) {
        (Some(module), Some(folder), None) => bundle(&module, &folder),
        _ => Err("usage: weir-bundle MODULE.wasm FOLDER".to_owned()),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            // Nobody is left to tell when standard error is closed.
            drop(writeln!(io::stderr(), "weir-bundle: {message}"));
            ExitCode::FAILURE
        }
    }
}

fn bundle(module: &Path, folder: &Path) -> Result<(), String> {
    let mut files = wasm::with_glue(module)?;
    samples::add(&root().join("samples"), &mut files)?;
    page::add(&root(), &mut files)?;
    clear(folder)?;
    let sizes = sizes::compress(&files);
    for (name, bytes) in files.iter().chain(&sizes.compressed) {
        write(&folder.join(name), bytes)?;
    }
    let report = format!("{sizes}{}\n", folder.display());
    io::stdout()
        .write_all(report.as_bytes())
        .map_err(|error| format!("standard output: {error}"))?;
    sizes.check()
}

/// The folder of the workspace.
fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../..")
}

/// Empties the folder, if what it holds is an earlier page.
fn clear(folder: &Path) -> Result<(), String> {
    let Ok(mut entries) = fs::read_dir(folder) else {
        return Ok(());
    };
    if entries.next().is_none() {
        return Ok(());
    }
    if !folder.join(wasm::MODULE).exists() || !folder.join(page::BOOT).exists() {
        return Err(format!(
            "the folder holds other things than an earlier page; name an empty one: {}",
            folder.display()
        ));
    }
    fs::remove_dir_all(folder).map_err(|error| at(folder, &error))
}

fn read(path: &Path) -> Result<Vec<u8>, String> {
    fs::read(path).map_err(|error| at(path, &error))
}

fn write(path: &Path, bytes: &[u8]) -> Result<(), String> {
    path.parent()
        .map_or(Ok(()), fs::create_dir_all)
        .and_then(|()| fs::write(path, bytes))
        .map_err(|error| at(path, &error))
}

fn at(path: &Path, error: &io::Error) -> String {
    format!("{error}: {}", path.display())
}
