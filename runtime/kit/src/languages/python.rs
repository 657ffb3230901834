//! Python: componentize-py from `PyPI`, which puts an interpreter around the source.

use super::Language;
use crate::component;
use crate::error::Error;
use crate::job::Job;
use crate::venv::{self, Venv};

pub(super) static PYTHON: Language = Language {
    id: "python",
    title: "Python",
    names: &["py"],
    entry: "app.py",
    files: &[
        ("app.py", include_str!("python/app.py.in")),
        (
            "requirements.txt",
            include_str!("python/requirements.txt.in"),
        ),
        ("README.md", include_str!("python/README.md.in")),
    ],
    batched: None,
    look: venv::look,
    compile,
};

fn compile(job: &mut Job<'_>) -> Result<Vec<u8>, Error> {
    let venv = Venv::ready(job)?;
    job.step("putting the interpreter around it");
    let made = job.work.join(format!("{}.made.wasm", job.folder.name));
    let mut componentize = venv.command("componentize-py");
    componentize
        // The source is named as it is seen from the folder, so that no other place gets into the component.
        .current_dir(&job.folder.root)
        .arg("--wit-path")
        .arg(&job.folder.wit)
        .args([
            "--quiet",
            "--world",
            &job.folder.world,
            "componentize",
            "app",
        ])
        .args(["--python-path", ".", "--stub-wasi", "--output"])
        .arg(&made);
    job.run("componentize-py", &mut componentize)?;
    Ok(component::without_foreign_places(component::read(&made)?))
}
