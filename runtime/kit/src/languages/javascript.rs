//! JavaScript: npm and componentize-qjs, which puts the `QuickJS` engine around the source.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::Language;
use crate::component;
use crate::error::{At, Error};
use crate::job::Job;
use crate::tool::{self, Missing};

pub(super) static JAVASCRIPT: Language = Language {
    id: "js",
    title: "JavaScript",
    names: &["javascript"],
    entry: "function.js",
    files: &[
        ("function.js", include_str!("javascript/function.js.in")),
        (PACKAGE, include_str!("javascript/package.json.in")),
        ("README.md", include_str!("javascript/README.md.in")),
    ],
    batched: None,
    look,
    compile,
};

const PACKAGE: &str = "package.json";
const LOCK: &str = "package-lock.json";

fn look() -> Result<(), Missing> {
    if tool::find("npm").is_some() && tool::find("node").is_some() {
        return Ok(());
    }
    Err(Missing::new(
        "npm",
        &[
            ("on Debian", "apt-get install npm"),
            ("elsewhere", "https://nodejs.org"),
        ],
    ))
}

fn compile(job: &mut Job<'_>) -> Result<Vec<u8>, Error> {
    let place = install(job)?;
    job.step("putting the engine around it");
    let made = job.work.join(format!("{}.made.wasm", job.folder.name));
    let mut componentize = Command::new("node");
    componentize
        .current_dir(&place)
        // The program of the package itself, since what npm puts beside it is another thing on Windows.
        .arg("node_modules/componentize-qjs/bin/componentize-qjs")
        .args([
            "--js",
            "function.js",
            "--world",
            job.folder.world.as_str(),
            "--sync",
            "--stub-wasi",
            "--wit",
        ])
        .arg(&job.folder.wit)
        .arg("--output")
        .arg(&made);
    job.run("componentize-qjs", &mut componentize)?;
    Ok(component::without_foreign_places(component::read(&made)?))
}

/// The folder with the source and everything that `package.json` asks for.
fn install(job: &mut Job<'_>) -> Result<PathBuf, Error> {
    let root = job.folder.root.clone();
    let place = if job.work.starts_with(&root) {
        root.clone()
    } else {
        let place = job.work_folder(&job.folder.name.clone())?;
        copy_sources(job, &place)?;
        place
    };
    // Written last: packages without it were left half installed.
    let stamp = place.join("node_modules/.weir");
    let wanted = wanted(&root)?;
    if fs::read_to_string(&stamp).is_ok_and(|installed| installed == wanted) {
        return Ok(place);
    }
    job.step("installing what package.json asks for");
    let npm = tool::find("npm").unwrap_or_else(|| "npm".into());
    let mut install = Command::new(npm);
    install.current_dir(&place).args([
        "install",
        "--ignore-scripts",
        "--no-audit",
        "--no-fund",
        "--loglevel=error",
    ]);
    job.run("npm install", &mut install)?;
    // npm may have written a lock meanwhile.
    fs::write(&stamp, self::wanted(&place)?).at(&stamp)?;
    Ok(place)
}

fn wanted(folder: &Path) -> Result<String, Error> {
    let package = folder.join(PACKAGE);
    let package = fs::read_to_string(&package).at(&package)?;
    let lock = fs::read_to_string(folder.join(LOCK)).unwrap_or_default();
    Ok(format!("{package}\n{lock}"))
}

fn copy_sources(job: &Job<'_>, place: &Path) -> Result<(), Error> {
    for source in job.folder.sources()? {
        let to = place.join(&source);
        if let Some(parent) = to.parent() {
            fs::create_dir_all(parent).at(parent)?;
        }
        fs::copy(job.folder.root.join(&source), &to).at(&to)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_package_or_lock_is_installed_anew() {
        let parent = tempfile::tempdir().expect("a folder");
        let folder = crate::create::new(parent.path(), "tax", "js").expect("made");
        let before = wanted(&folder.root).expect("read");
        fs::write(folder.root.join(LOCK), "{}").expect("written");
        assert_ne!(before, wanted(&folder.root).expect("read"));
    }
}
