//! C: zig's compiler, from the search path, from the Python that is here, or from `PyPI`.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use super::Language;
use crate::component::{self, no_component};
use crate::error::{At, Error};
use crate::job::Job;
use crate::tool::{self, Missing};
use crate::venv::{self, Venv};

pub(super) static C: Language = Language {
    id: "c",
    title: "C",
    names: &[],
    entry: "src/handle.c",
    files: &[
        ("src/handle.c", include_str!("c/handle.c.in")),
        ("bindings/function.c", include_str!("c/function.c.in")),
        ("bindings/function.h", include_str!("c/function.h.in")),
        (FLAGS, include_str!("c/compile_flags.txt.in")),
        ("requirements.txt", include_str!("c/requirements.txt.in")),
        ("README.md", include_str!("c/README.md.in")),
    ],
    batched: None,
    look,
    compile,
};

/// The flags of the compiler, one a line, as editors read them too.
const FLAGS: &str = "compile_flags.txt";

/// What makes a module without a `main`. A stack of 64 KiB instead of zig's 16 MiB, which each instance
/// would take.
const TARGET: [&str; 4] = [
    "--target=wasm32-wasi",
    "-mexec-model=reactor",
    "-Wl,-z,stack-size=65536",
    "-Wl,--strip-debug",
];

fn look() -> Result<(), Missing> {
    if here().is_some() {
        Ok(())
    } else {
        venv::look().map_err(|_| missing())
    }
}

fn missing() -> Missing {
    Missing::new(
        "a C compiler for WebAssembly, zig,",
        &[
            ("by pip", "pip install ziglang"),
            (
                "on Debian",
                "apt-get install python3-venv, and zig comes by itself",
            ),
            ("elsewhere", "https://ziglang.org"),
        ],
    )
}

/// A zig that is installed.
fn here() -> Option<Command> {
    if let Some(zig) = tool::find("zig") {
        return Some(Command::new(zig));
    }
    let python = tool::python()?;
    let by_python = || {
        let mut command = Command::new(&python);
        command.args(["-m", "ziglang"]);
        command
    };
    tool::succeeds(by_python().arg("version")).then(by_python)
}

fn compile(job: &mut Job<'_>) -> Result<Vec<u8>, Error> {
    let sources = sources(job)?;
    let mut zig = if let Some(zig) = here() {
        zig
    } else {
        let mut zig = Venv::ready(job)?.command("python");
        zig.args(["-m", "ziglang"]);
        zig
    };
    job.step("compiling");
    let cache = job.work_folder("zig")?;
    let module = job.work.join(format!("{}.core.wasm", job.folder.name));
    zig.arg("cc").args(TARGET).args(flags(job)?);
    for (place, name) in job.renamed_places() {
        zig.arg(format!("-ffile-prefix-map={}={name}", place.display()));
    }
    // From within the folder, so that it is nothing but relative paths that the compiler gets to see.
    zig.current_dir(&job.folder.root)
        .args(sources)
        .arg("-o")
        .arg(&module)
        .env("ZIG_LOCAL_CACHE_DIR", &cache);
    // What zig compiles for every program, its C library, is kept for the next function too.
    if tool::home().is_none() {
        zig.env("ZIG_GLOBAL_CACHE_DIR", &cache);
    }
    job.run("zig cc", &mut zig)?;
    let mut module = component::read(&module)?;
    component::embed(&mut module, &job.folder.wit, &job.folder.world)?;
    component::componentize(&module)
}

fn sources(job: &Job<'_>) -> Result<Vec<PathBuf>, Error> {
    let mut sources = job.folder.sources()?;
    sources.retain(|path| path.extension().is_some_and(|ending| ending == "c"));
    if sources.iter().all(|path| path.starts_with("bindings")) {
        return Err(no_component(
            "there is no C file beside the bindings; write `src/handle.c`".into(),
        ));
    }
    Ok(sources)
}

fn flags(job: &Job<'_>) -> Result<Vec<String>, Error> {
    let path = job.folder.root.join(FLAGS);
    Ok(read_flags(&fs::read_to_string(&path).at(&path)?))
}

fn read_flags(text: &str) -> Vec<String> {
    let flags = text.lines().map(str::trim).filter(|flag| !flag.is_empty());
    // The target is for editors only: zig has another word for it.
    flags
        .filter(|flag| !flag.starts_with("--target"))
        .map(str::to_owned)
        .collect()
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    fn job<'a>(
        folder: &'a crate::FunctionFolder,
        tell: &'a mut dyn FnMut(crate::Progress),
    ) -> Job<'a> {
        Job {
            folder,
            work: Path::new("work"),
            tell,
        }
    }

    #[test]
    fn every_c_file_of_the_folder_is_compiled() {
        let parent = tempfile::tempdir().expect("a folder");
        let folder = crate::create::new(parent.path(), "tax", "c").expect("made");
        fs::create_dir(folder.root.join("src/json")).expect("made");
        fs::write(folder.root.join("src/json/json.c"), "").expect("written");
        let found = sources(&job(&folder, &mut |_| {})).expect("listed");
        let expected = ["bindings/function.c", "src/handle.c", "src/json/json.c"];
        assert_eq!(found, expected.map(PathBuf::from));
        fs::remove_dir_all(folder.root.join("src")).expect("removed");
        let error = sources(&job(&folder, &mut |_| {})).expect_err("nothing to compile");
        assert!(
            error.to_string().ends_with("write `src/handle.c`"),
            "{error}"
        );
    }

    #[test]
    fn flags_are_lines() {
        assert_eq!(read_flags("--target=x\n-Os\n\n -Wall \n"), ["-Os", "-Wall"]);
    }

    #[test]
    fn the_bindings_are_of_this_contract() {
        let bindings = include_str!("c/function.h.in");
        let wit = include_str!("../../../wit/function.wit");
        let (interfaces, _) = wit.split_once("world function").expect("a world");
        // A change of the contract changes at least its words; the compiler and the wrapper find others.
        let words = interfaces
            .lines()
            .filter_map(|line| line.strip_prefix("  /// "));
        for line in words {
            let line = line.trim();
            assert!(
                bindings.contains(line),
                "generate the bindings again: {line}"
            );
        }
    }
}
