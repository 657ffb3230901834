//! Rust: cargo, with the target from rustup, or with a compiler that brings the sources of its library.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use super::Language;
use crate::component::{self, no_component};
use crate::error::Error;
use crate::job::Job;
use crate::tool::{self, Missing};

pub(super) static RUST: Language = Language {
    id: "rust",
    title: "Rust",
    names: &["rs"],
    entry: "src/lib.rs",
    files: &[
        ("Cargo.toml", include_str!("rust/Cargo.toml.in")),
        ("src/lib.rs", include_str!("rust/lib.rs.in")),
        ("README.md", include_str!("rust/README.md.in")),
    ],
    batched: Some(&[
        ("Cargo.toml", include_str!("rust/batched.Cargo.toml.in")),
        ("src/lib.rs", include_str!("rust/batched.rs.in")),
        ("src/frame.rs", include_str!("rust/frame.rs.in")),
        ("README.md", include_str!("rust/batched.README.md.in")),
    ]),
    look: || Toolchain::here().map(drop),
    compile,
};

const TARGET: &str = "wasm32-unknown-unknown";
/// Where programs look for libraries first. A cargo around this one leads them to those of its own compiler,
/// which another compiler must not take.
const LIBRARIES: &str = "LD_LIBRARY_PATH";

/// A compiler with its cargo.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Compiler {
    rustc: PathBuf,
    cargo: PathBuf,
    /// Where it keeps its libraries.
    sysroot: PathBuf,
    /// It has the target's library.
    has_target: bool,
    /// It has the sources of the library.
    has_sources: bool,
    /// It has a linker of its own.
    has_linker: bool,
}

/// A compiler, and how it makes WebAssembly.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Toolchain {
    compiler: Compiler,
    build_std: bool,
}

fn compile(job: &mut Job<'_>) -> Result<Vec<u8>, Error> {
    let Toolchain {
        compiler,
        build_std,
    } = Toolchain::here()?;
    let manifest = job.folder.root.join("Cargo.toml");
    let locked = job.folder.root.join("Cargo.lock").is_file();

    // Fetched first, as flags have to name each registry.
    job.step("fetching crates");
    let mut fetch = compiler.cargo();
    fetch
        .args(["fetch", "--quiet", "--manifest-path"])
        .arg(&manifest);
    if locked {
        fetch.arg("--locked");
    }
    job.run("cargo fetch", &mut fetch)?;

    job.step(if build_std {
        "compiling, the first time with the standard library"
    } else {
        "compiling"
    });
    let mut build = compiler.cargo();
    build
        .args(["rustc", "--lib", "--release"])
        .args([
            "--message-format=json-render-diagnostics",
            "--target",
            TARGET,
        ])
        .arg("--manifest-path")
        .arg(&manifest)
        .env("CARGO_TARGET_DIR", job.work_folder("target")?)
        .env(
            "CARGO_ENCODED_RUSTFLAGS",
            shared_flags(job, &compiler).join("\x1f"),
        );
    if locked {
        build.arg("--locked");
    }
    if build_std {
        build
            .arg("-Zbuild-std=std,panic_abort")
            // What lets a stable compiler build its own library.
            .env("RUSTC_BOOTSTRAP", "1");
    }
    build.arg("--").args(own_flags(job));
    let mut module = None;
    job.run_keeping("cargo build", &mut build, &mut |line| {
        module = artifact(&line).or_else(|| module.take());
        None
    })?;
    let module = module.ok_or_else(|| {
        no_component("the crate makes no library; write `crate-type = [\"cdylib\"]` below `[lib]` in Cargo.toml".into())
    })?;
    component::componentize(&component::read(&module)?)
}

/// Flags for everything that is compiled, which keep the places of this machine out of it. They are the same
/// for each function that is built in one place, so that libraries are compiled once.
fn shared_flags(job: &Job<'_>, compiler: &Compiler) -> Vec<String> {
    let mut places = vec![
        (job.work.to_owned(), "/build".to_owned()),
        (compiler.sysroot.join("lib/rustlib/src"), "/rust".to_owned()),
    ];
    places.extend(tool::home().map(|home| (home, "/home".to_owned())));
    let registries = tool::cargo_home().map(|home| home.join("registry/src"));
    let registries = registries.and_then(|folder| fs::read_dir(folder).ok());
    for registry in registries.into_iter().flatten().flatten() {
        places.push((registry.path(), "/crates".to_owned()));
    }
    let mut flags = renamed(places);
    if !compiler.has_linker {
        flags.push("-Clinker=wasm-ld".to_owned());
    }
    flags
}

/// Flags for the function itself.
fn own_flags(job: &Job<'_>) -> Vec<String> {
    let folder = job.folder;
    renamed(vec![
        (folder.root.clone(), format!("/{}", folder.name)),
        (folder.wit.clone(), "/wit".to_owned()),
    ])
}

fn renamed(mut places: Vec<(PathBuf, String)>) -> Vec<String> {
    // Of those that fit, the last one counts.
    places.sort_by_key(|(place, _)| place.as_os_str().len());
    let flags = places
        .into_iter()
        .map(|(place, name)| format!("--remap-path-prefix={}={name}", place.display()));
    flags.collect()
}

/// The module that a line of cargo's tells of.
fn artifact(line: &str) -> Option<PathBuf> {
    let message: Value = serde_json::from_str(line).ok()?;
    if message["reason"] != "compiler-artifact" {
        return None;
    }
    let files = message["filenames"].as_array()?;
    let mut files = files.iter().filter_map(Value::as_str).map(PathBuf::from);
    files.find(|file| file.extension().is_some_and(|ending| ending == "wasm"))
}

impl Compiler {
    fn ask(rustc: PathBuf, cargo: PathBuf) -> Option<Compiler> {
        let ask = || {
            let mut ask = Command::new(&rustc);
            ask.env_remove(LIBRARIES);
            ask
        };
        let sysroot = PathBuf::from(tool::answer(ask().args(["--print", "sysroot"]))?);
        let about = tool::answer(ask().arg("-vV"))?;
        let host = about.lines().find_map(|line| line.strip_prefix("host: "))?;
        let libraries = sysroot.join("lib/rustlib");
        let linker = if cfg!(windows) {
            "bin/rust-lld.exe"
        } else {
            "bin/rust-lld"
        };
        Some(Compiler {
            has_target: libraries.join(TARGET).is_dir(),
            has_sources: libraries.join("src/rust/library/std/src").is_dir(),
            has_linker: libraries.join(host).join(linker).is_file(),
            rustc,
            cargo,
            sysroot,
        })
    }

    fn cargo(&self) -> Command {
        let mut command = Command::new(&self.cargo);
        command.env("RUSTC", &self.rustc).env_remove(LIBRARIES);
        // What is meant for a build around this one.
        for (name, _) in env::vars_os() {
            let named = name.to_string_lossy();
            let profile = named.starts_with("CARGO_PROFILE_") || named.starts_with("CARGO_BUILD_");
            if profile
                || ["RUSTFLAGS", "RUSTC_WRAPPER", "CARGO_MAKEFLAGS"].contains(&named.as_ref())
            {
                command.env_remove(&name);
            }
        }
        command
    }
}

impl Toolchain {
    fn here() -> Result<Toolchain, Missing> {
        let found = [tool::find("rustc").zip(tool::find("cargo")), debian()];
        let compilers: Vec<_> = found
            .into_iter()
            .flatten()
            .filter_map(|(rustc, cargo)| Compiler::ask(rustc, cargo))
            .collect();
        let rustup = tool::find("rustup").is_some();
        Toolchain::choose(&compilers, tool::find("wasm-ld").is_some(), rustup)
    }

    /// The first compiler that has the target, else the first that can build its library for it.
    fn choose(compilers: &[Compiler], wasm_ld: bool, rustup: bool) -> Result<Toolchain, Missing> {
        let with = |compiler: &Compiler, build_std| Toolchain {
            compiler: compiler.clone(),
            build_std,
        };
        let links = |compiler: &&Compiler| compiler.has_linker || wasm_ld;
        let ready = compilers
            .iter()
            .filter(links)
            .find(|compiler| compiler.has_target);
        let able = || {
            compilers
                .iter()
                .filter(links)
                .find(|compiler| compiler.has_sources)
        };
        match ready
            .map(|ready| with(ready, false))
            .or_else(|| Some(with(able()?, true)))
        {
            Some(toolchain) => Ok(toolchain),
            None => Err(missing(compilers, rustup)),
        }
    }
}

/// Debian's compiler, where another one stands in front of it on the search path.
fn debian() -> Option<(PathBuf, PathBuf)> {
    let pair = ["rustc", "cargo"].map(|program| Path::new("/usr/bin").join(program));
    let [rustc, cargo] = pair;
    (rustc.is_file() && cargo.is_file()).then_some((rustc, cargo))
}

fn missing(compilers: &[Compiler], rustup: bool) -> Missing {
    let target = format!("rustup target add {TARGET}");
    let debian = (
        "on Debian",
        "apt-get install rustc-web cargo-web rust-web-src lld",
    );
    if rustup {
        return Missing::new(
            "Rust's target wasm32-unknown-unknown",
            &[("by rustup", &target), debian],
        );
    }
    let from = format!("https://rustup.rs, then {target}");
    let tool = if compilers.is_empty() {
        "Rust"
    } else if compilers
        .iter()
        .any(|compiler| compiler.has_target || compiler.has_sources)
    {
        "a linker for WebAssembly, wasm-ld,"
    } else {
        "Rust's target wasm32-unknown-unknown"
    };
    Missing::new(tool, &[debian, ("elsewhere", &from)])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn compiler(name: &str, has_target: bool, has_sources: bool, has_linker: bool) -> Compiler {
        Compiler {
            rustc: format!("/{name}/rustc").into(),
            cargo: format!("/{name}/cargo").into(),
            sysroot: format!("/{name}").into(),
            has_target,
            has_sources,
            has_linker,
        }
    }

    #[test]
    fn a_ready_target_is_taken_before_a_library_to_build() {
        let building = compiler("debian", false, true, false);
        let ready = compiler("rustup", true, false, true);
        let plain = compiler("plain", false, false, true);
        let choose = |compilers: &[&Compiler], wasm_ld| {
            let compilers: Vec<_> = compilers.iter().map(|one| (*one).clone()).collect();
            Toolchain::choose(&compilers, wasm_ld, true).map(|chosen| {
                let build_std = chosen.build_std;
                (chosen.compiler.sysroot, build_std)
            })
        };
        assert_eq!(
            choose(&[&building, &ready], true),
            Ok(("/rustup".into(), false))
        );
        assert_eq!(
            choose(&[&plain, &building], true),
            Ok(("/debian".into(), true))
        );
        choose(&[&plain, &building], false).expect_err("nothing to link with");
        choose(&[&plain], true).expect_err("nothing to build with");
    }

    #[test]
    fn what_is_missing_depends_on_what_is_there() {
        let plain = compiler("plain", false, false, true);
        let unlinked = compiler("debian", false, true, false);
        let says = |compilers: &[Compiler], rustup| missing(compilers, rustup).to_string();
        assert_eq!(
            says(&[plain], true),
            "Rust's target wasm32-unknown-unknown is missing; install it by rustup: rustup target add \
             wasm32-unknown-unknown, or on Debian: apt-get install rustc-web cargo-web rust-web-src lld"
        );
        assert!(says(&[], false).starts_with("Rust is missing; install it on Debian: "));
        assert!(
            says(&[unlinked], false).starts_with("a linker for WebAssembly, wasm-ld, is missing")
        );
    }

    #[test]
    fn the_module_is_found_in_what_cargo_tells() {
        let told = r#"{"reason":"compiler-artifact","filenames":["/x/liba.rlib","/x/a.wasm"]}"#;
        assert_eq!(artifact(told), Some("/x/a.wasm".into()));
        for other in [
            r#"{"reason":"compiler-artifact","filenames":["/x/liba.rlib"]}"#,
            r#"{"reason":"build-finished","success":true}"#,
            "   Compiling a",
        ] {
            assert_eq!(artifact(other), None, "{other}");
        }
    }

    #[test]
    fn places_of_the_machine_are_renamed_the_innermost_last() {
        let parent = tempfile::tempdir().expect("a folder");
        let folder = crate::create::new(parent.path(), "tax", "rust").expect("made");
        let job = Job {
            folder: &folder,
            work: &folder.root.join(".build"),
            tell: &mut |_| {},
        };
        let flag =
            |place: &Path, name: &str| format!("--remap-path-prefix={}={name}", place.display());
        let wit = flag(&folder.root.join("wit"), "/wit");
        assert_eq!(own_flags(&job), [flag(&folder.root, "/tax"), wit]);
        let shared = shared_flags(&job, &compiler("debian", false, true, false));
        assert!(
            shared.contains(&flag(Path::new("/debian/lib/rustlib/src"), "/rust")),
            "{shared:?}"
        );
        assert_eq!(shared.last().map(String::as_str), Some("-Clinker=wasm-ld"));
    }
}
