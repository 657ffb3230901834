//! The compiled module and the glue between it and the browser.

use std::path::Path;
use std::process::Command;

use wasm_bindgen_cli_support::Bindgen;

use crate::Files;

/// Name of the module in the page.
pub(crate) const MODULE: &str = "weir_bg.wasm";
/// Name of its glue.
const GLUE: &str = "weir.js";

/// What modules for browsers may use. A module with more is refused by browsers of today.
const FEATURES: [&str; 8] = [
    "--enable-bulk-memory",
    "--enable-bulk-memory-opt",
    "--enable-nontrapping-float-to-int",
    "--enable-sign-ext",
    "--enable-mutable-globals",
    "--enable-reference-types",
    "--enable-multivalue",
    "--enable-call-indirect-overlong",
];

/// Makes the glue, and makes the module smaller where `wasm-opt` is there to do it.
pub(crate) fn with_glue(module: &Path) -> Result<Files, String> {
    let failed = |error| format!("no glue could be made: {error:#}: {}", module.display());
    let mut output = Bindgen::new()
        .input_path(module)
        .out_name("weir")
        .web(true)
        .map_err(failed)?
        .typescript(false)
        .remove_name_section(true)
        .remove_producers_section(true)
        .omit_default_module_path(true)
        .generate_output()
        .map_err(failed)?;
    let mut files = Files::new();
    files.insert(GLUE.to_owned(), output.js().as_bytes().to_vec());
    for (name, parts) in output.snippets() {
        for (index, script) in parts.iter().enumerate() {
            let name = format!("snippets/{name}/inline{index}.js");
            files.insert(name, script.as_bytes().to_vec());
        }
    }
    if !output.local_modules().is_empty() {
        return Err("a dependency brings scripts in files; teach `wasm.rs` to add them".to_owned());
    }
    files.insert(MODULE.to_owned(), smaller(output.wasm_mut().emit_wasm())?);
    Ok(files)
}

/// The module after `wasm-opt`; as it is where that program is missing.
fn smaller(module: Vec<u8>) -> Result<Vec<u8>, String> {
    if Command::new("wasm-opt").arg("--version").output().is_err() {
        return Ok(module);
    }
    let folder = std::env::temp_dir().join(format!("weir-bundle-{}", std::process::id()));
    let (from, to) = (folder.join("from.wasm"), folder.join("to.wasm"));
    crate::write(&from, &module)?;
    let status = Command::new("wasm-opt")
        .arg("-O2")
        .args(FEATURES)
        .arg(&from)
        .arg("-o")
        .arg(&to)
        .status();
    let made = match status {
        Ok(status) if status.success() => crate::read(&to),
        Ok(status) => Err(format!("wasm-opt ended with {status}")),
        Err(error) => Err(format!("wasm-opt could not be started: {error}")),
    };
    // A left-over in the folder for temporary files harms nobody.
    drop(std::fs::remove_dir_all(&folder));
    made
}
