//! Bundles the samples of `samples/index.json` into the program.

use std::env;
use std::fmt::Write;
use std::fs;
use std::path::Path;

fn main() {
    let here = env::var("CARGO_MANIFEST_DIR").expect("cargo names the package's folder");
    let samples = Path::new(&here).join("../../samples");
    let index = samples.join("index.json");
    println!("cargo::rerun-if-changed={}", index.display());
    let text = fs::read_to_string(&index).expect("samples/index.json can be read");
    let list: serde_json::Value = serde_json::from_str(&text).expect("samples/index.json is JSON");

    let mut table = String::from("&[\n");
    for sample in list["samples"].as_array().expect("`samples` is a list") {
        let of = |field: &str| sample[field].as_str().expect("a text").to_owned();
        let name = of("name");
        let mut files = String::new();
        for file in sample["files"].as_array().expect("`files` is a list") {
            let file = file.as_str().expect("a path");
            let path = samples.join(&name).join(file);
            println!("cargo::rerun-if-changed={}", path.display());
            let path = path.canonicalize().expect("every listed file is there");
            let path = path.to_str().expect("the repository has a readable path");
            write!(files, "({file:?}, include_bytes!({path:?})), ").expect("memory suffices");
        }
        writeln!(
            table,
            "Bundled {{ name: {name:?}, title: {:?}, summary: {:?}, files: &[{files}] }},",
            of("title"),
            of("summary")
        )
        .expect("memory suffices");
    }
    table.push(']');
    let out = env::var("OUT_DIR").expect("cargo names the folder for results");
    fs::write(Path::new(&out).join("samples.rs"), table).expect("the table can be written");
}
