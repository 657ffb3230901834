//! The compiled module and the glue between it and the browser.

use std::path::Path;

use wasm_bindgen_cli_support::Bindgen;

use crate::Files;

/// Name of the module in the page.
pub(crate) const MODULE: &str = "weir_bg.wasm";
/// Name of its glue.
const GLUE: &str = "weir.js";

/// Makes the glue. The module is not given to `wasm-opt`: that makes it a tenth shorter, and a
/// thirtieth longer once it is compressed.
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
    files.insert(MODULE.to_owned(), output.wasm_mut().emit_wasm());
    Ok(files)
}
