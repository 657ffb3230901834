//! `weir new`: a folder with a flow to start from.

use std::fs;
use std::path::{Path, PathBuf};

use clap::Args;
use graph_model::document::Document;
use graph_model::format;

use super::out::Out;
use super::{Stop, Verdict};
use desk::flow_file::ENDING;
use desk::folders;
use desk::samples;

/// Make a folder with a new flow
#[derive(Args)]
pub(super) struct New {
    /// The folder to make; its name becomes the name of the flow
    #[arg(required_unless_present = "list")]
    name: Option<PathBuf>,
    /// Start from a copy of this sample instead of an empty flow
    #[arg(long, value_name = "SAMPLE")]
    sample: Option<String>,
    /// List the samples
    #[arg(long, conflicts_with_all = ["name", "sample"])]
    list: bool,
}

impl New {
    pub(super) fn run(self, out: &Out) -> Result<Verdict, Stop> {
        let Some(folder) = self.name.filter(|_| !self.list) else {
            for sample in samples::ALL {
                out.line(format_args!("{:<16} {}", sample.name, sample.summary))?;
            }
            return Ok(Verdict::Well);
        };
        let name = name_of(&folder)?;
        let sample = self.sample.as_deref().map(sample).transpose()?;
        if fs::read_dir(&folder).is_ok_and(|mut entries| entries.next().is_some()) {
            return Err(Stop::because(format!(
                "{}: the folder is not empty; choose another name",
                folder.display()
            )));
        }
        let written = match sample {
            Some(sample) => copy(sample, &folder, &name),
            None => empty(&folder, &name),
        };
        written.map_err(|error| {
            Stop::because(format!(
                "{}: the flow could not be made: {error}",
                folder.display()
            ))
        })?;
        out.line(folder.join(format!("{name}{ENDING}")).display())?;
        out.note(format_args!("open it with: weir open {}", folder.display()));
        Ok(Verdict::Well)
    }
}

fn name_of(folder: &Path) -> Result<String, Stop> {
    let name = folder.file_name().and_then(|name| name.to_str());
    name.map(str::to_owned).ok_or_else(|| {
        Stop::because(format!(
            "{}: this is no name for a folder; choose one like `my-flow`",
            folder.display()
        ))
    })
}

fn sample(name: &str) -> Result<&'static samples::Bundled, Stop> {
    samples::find(name).ok_or_else(|| {
        Stop::because(format!(
            "there is no sample `{name}`; choose from {}",
            samples::names()
        ))
    })
}

fn empty(folder: &Path, name: &str) -> std::io::Result<()> {
    fs::create_dir_all(folder)?;
    let mut document = Document::default();
    document.meta.title = title(name).into();
    let path = folder.join(format!("{name}{ENDING}"));
    folders::replace(&path, format::write(&document).as_bytes())
}

/// A copy in which flows, and what the description says of them, have the new name.
fn copy(sample: &samples::Bundled, folder: &Path, name: &str) -> std::io::Result<()> {
    for (file, bytes) in sample.files {
        let renamed = match file.strip_prefix(sample.name) {
            Some(rest) if file.ends_with(ENDING) => format!("{name}{rest}"),
            _ => (*file).to_owned(),
        };
        let path = folder.join(renamed);
        fs::create_dir_all(path.parent().unwrap_or(folder))?;
        if *file == "README.md" {
            let text = String::from_utf8_lossy(bytes)
                .replace(&format!("samples/{}", sample.name), name)
                .replace(
                    &format!("{}-flawed{ENDING}", sample.name),
                    &format!("{name}-flawed{ENDING}"),
                );
            folders::replace(&path, text.as_bytes())?;
        } else {
            folders::replace(&path, bytes)?;
        }
    }
    Ok(())
}

/// `my-flow` reads `My flow`.
fn title(name: &str) -> String {
    let words = name.replace(['-', '_'], " ");
    let mut letters = words.chars();
    letters
        .next()
        .map(|first| first.to_uppercase().chain(letters).collect())
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use desk::flow_file;

    #[test]
    fn a_copy_of_a_sample_has_the_new_name() {
        let parent = tempfile::tempdir().expect("a folder");
        let folder = parent.path().join("till");
        copy(sample("orders").expect("a sample"), &folder, "till").expect("copied");
        let flow = flow_file::read(&folder).expect("a flow");
        assert_eq!(flow.path, folder.join("till.flow.json"));
        assert!(folder.join("till-flawed.flow.json").exists());
        assert!(folder.join("data/orders.jsonl").exists());
        let readme = fs::read_to_string(folder.join("README.md")).expect("read");
        assert!(readme.contains("weir run till --until-idle"), "{readme}");
        assert!(readme.contains("`till-flawed.flow.json`"), "{readme}");
    }

    #[test]
    fn an_empty_flow_is_titled_by_its_name() {
        let parent = tempfile::tempdir().expect("a folder");
        let folder = parent.path().join("order-desk");
        empty(&folder, "order-desk").expect("made");
        let flow = flow_file::read(&folder).expect("a flow");
        assert_eq!(flow.document.meta.title, "Order desk");
        assert_eq!(flow.text, format::write(&flow.document));
    }
}
