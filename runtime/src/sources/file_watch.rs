//! Files that appear in a folder, as events.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use graph_model::catalog::{
    Access, Behaviour, Delivery, Family, FieldSpec, FieldType, KindSpec, PortSpec, ReachKind,
    Resource,
};
use notify::{RecommendedWatcher, RecursiveMode, Watcher};
use runtime_protocol::Problem;
use smol_str::{SmolStr, format_smolstr};
use tokio::sync::{Mutex, Notify};

use super::records::{Ended, Format, Records, changed_ms};
use super::stamp::Stamp;
use super::unless_stopped;
use crate::kind::{Build, Kind, Make};
use crate::rim::{Feed, Source, Work};
use crate::shared::Writes;
use crate::sinks::is_unfinished;

pub(crate) fn kind() -> Kind {
    Kind {
        spec: spec(),
        make: Make::Source(make),
    }
}

/// The folder is looked at this often, as not every file system tells what changes.
const LOOK_PAUSE: Duration = Duration::from_secs(1);
/// Changes that follow each other closer than this are looked at together.
const CALM: Duration = Duration::from_millis(20);

fn make(build: &Build) -> Result<Box<dyn Source>, Problem> {
    let format = build.text("format")?;
    let Some(format) = Format::named(&format) else {
        return Err(build.problem(format!(
            "`format` = `{format}` is unknown; choose one of the list"
        )));
    };
    let name = build.text("folder")?;
    // Another folder or format is another reading.
    let reading = Path::new(build.id.as_str())
        .join(build.text("format")?)
        .join(name.as_str());
    let read = build
        .shared
        .files_read
        .get(&reading, || Ok(FilesRead::default()))?;
    let path = build.path("folder")?;
    Ok(Box::new(Folder {
        writes: build.shared.folders.get(&path, || Ok(Writes::default()))?,
        path,
        name,
        pattern: build.text("pattern")?,
        format,
        settle: build.duration("settle")?,
        stamp: Stamp::of(build),
        read,
    }))
}

struct Folder {
    path: PathBuf,
    /// The folder as people write it.
    name: SmolStr,
    pattern: SmolStr,
    format: Format,
    /// A file that did not change for so long is complete.
    settle: Duration,
    stamp: Stamp,
    read: Arc<FilesRead>,
    /// What the flow itself writes there.
    writes: Arc<Writes>,
}

/// Files that were read, by name. Remembered as long as the node is there, also when it is rebuilt.
#[derive(Default)]
pub(crate) struct FilesRead {
    files: Mutex<BTreeMap<String, Progress>>,
}

/// How far a file was read.
#[derive(Clone, Copy)]
struct Progress {
    version: Version,
    /// Records that were handed in.
    done: u64,
    finished: bool,
}

/// Tells the contents of a file from earlier ones.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Version {
    size: u64,
    changed_ms: i64,
}

impl Source for Folder {
    fn run(self: Box<Self>, feed: Feed) -> Work<'static, Result<(), Problem>> {
        Box::pin(async move {
            // The one that this node replaces may be about to finish.
            let Some(mut read) = unless_stopped(&feed, self.read.files.lock()).await else {
                return Ok(());
            };
            self.watch(&feed, &mut read).await;
            Ok(())
        })
    }
}

impl Folder {
    /// Reads what comes until the source is told to stop.
    async fn watch(&self, feed: &Feed, read: &mut BTreeMap<String, Progress>) {
        let changed = Arc::new(Notify::new());
        let mut watcher = None;
        let mut gone = false;
        // Files that may still grow, and since when they did not.
        let mut growing = BTreeMap::<String, (Version, u64)>::new();
        loop {
            // Before the look, so that nothing is missed between the two.
            if watcher.is_none() {
                watcher = self.watcher(&changed);
            }
            let written = self.writes.number();
            match self.look().await {
                Ok(files) => {
                    gone = false;
                    read.retain(|name, _| files.contains_key(name));
                    growing.retain(|name, _| files.contains_key(name));
                    for (name, version) in files {
                        let held = read.get(&name).filter(|held| held.version == version);
                        if held.is_some_and(|held| held.finished) {
                            continue;
                        }
                        let done = held.map_or(0, |held| held.done);
                        if !self.is_settled(&name, version, &mut growing, feed) {
                            continue;
                        }
                        growing.remove(&name);
                        let progress = self.read(feed, &name, version, done).await;
                        read.insert(name, progress);
                        if !progress.finished {
                            return;
                        }
                    }
                }
                Err(error) => {
                    watcher = None;
                    growing.clear();
                    if !gone {
                        gone = true;
                        feed.line.trouble(format!(
                            "the folder `{}` cannot be read ({error}); put it back, and reading goes on",
                            self.name
                        ));
                    }
                }
            }
            if growing.is_empty() {
                let writes = Arc::clone(&self.writes);
                let still = move || writes.number() == written;
                feed.line.caught_up_while(Box::new(still));
            }
            let pause = if growing.is_empty() {
                LOOK_PAUSE
            } else {
                LOOK_PAUSE.min(self.settle)
            };
            let waited = unless_stopped(feed, async {
                if tokio::time::timeout(pause, changed.notified())
                    .await
                    .is_ok()
                {
                    tokio::time::sleep(CALM).await;
                }
            });
            if waited.await.is_none() {
                return;
            }
        }
    }

    /// Tells `changed` of changes; without one the folder is looked at now and then.
    fn watcher(&self, changed: &Arc<Notify>) -> Option<RecommendedWatcher> {
        let changed = Arc::clone(changed);
        let told = move |event: notify::Result<notify::Event>| {
            // Looking at the folder is an access, too.
            if !event.is_ok_and(|event| event.kind.is_access()) {
                changed.notify_one();
            }
        };
        let mut watcher = notify::recommended_watcher(told).ok()?;
        watcher
            .watch(&self.path, RecursiveMode::NonRecursive)
            .ok()?;
        Some(watcher)
    }

    /// The files that count. Links are not followed, as they may lead out of the project.
    async fn look(&self) -> io::Result<BTreeMap<String, Version>> {
        let (path, pattern) = (self.path.clone(), self.pattern.clone());
        let look = move || {
            let mut files = BTreeMap::new();
            for entry in std::fs::read_dir(&path)? {
                let entry = entry?;
                let name = entry.file_name().to_string_lossy().into_owned();
                if !counts(&pattern, &name) {
                    continue;
                }
                // A file that is gone already does not count.
                if let Ok(metadata) = entry.metadata()
                    && metadata.is_file()
                {
                    let version = Version {
                        size: metadata.len(),
                        changed_ms: changed_ms(&metadata),
                    };
                    files.insert(name, version);
                }
            }
            Ok(files)
        };
        let looked = tokio::task::spawn_blocking(look).await;
        looked.unwrap_or_else(|panic| Err(io::Error::other(panic)))
    }

    /// Whether the file is complete, as far as one can tell.
    fn is_settled(
        &self,
        name: &str,
        version: Version,
        growing: &mut BTreeMap<String, (Version, u64)>,
        feed: &Feed,
    ) -> bool {
        let age_ms = feed.world.now_ms() - version.changed_ms;
        if u64::try_from(age_ms).is_ok_and(|age_ms| u128::from(age_ms) >= self.settle.as_millis()) {
            return true;
        }
        // The file's clock may be ahead of ours.
        let now_us = feed.world.elapsed_us();
        let (seen, since_us) = *growing.entry(name.to_owned()).or_insert((version, now_us));
        if seen != version {
            growing.insert(name.to_owned(), (version, now_us));
            return false;
        }
        u128::from(now_us - since_us) >= self.settle.as_micros() && now_us > since_us
    }

    async fn read(&self, feed: &Feed, name: &str, version: Version, done: u64) -> Progress {
        let records = file(&self.path, &self.name, name, self.format, &self.stamp);
        let mut progress = Progress {
            version,
            done,
            finished: true,
        };
        match records.hand_in(feed, 0.0, &mut progress.done).await {
            Ended::AtItsEnd => {}
            Ended::Early => progress.finished = false,
            Ended::Broken(error) => feed.line.trouble(format!(
                "`{}/{name}` cannot be read ({error}); it is tried again when it changes",
                self.name
            )),
        }
        progress
    }
}

/// A file of the folder.
fn file(path: &Path, folder: &str, name: &str, format: Format, stamp: &Stamp) -> Records {
    Records {
        path: path.join(name),
        name: format_smolstr!("{folder}/{name}"),
        format,
        stamp: stamp.clone(),
        id: None,
    }
}

/// The files that a node reads.
pub(crate) struct Files {
    pub path: PathBuf,
    folder: SmolStr,
    pattern: SmolStr,
    format: Format,
    stamp: Stamp,
}

impl Files {
    pub(crate) fn of(build: &Build) -> Result<Files, Problem> {
        let format = build.text("format")?;
        Ok(Files {
            format: Format::named(&format)
                .ok_or_else(|| build.problem(format!("`format` = `{format}` is unknown")))?,
            path: build.path("folder")?,
            folder: build.text("folder")?,
            pattern: build.text("pattern")?,
            stamp: Stamp::of(build),
        })
    }

    /// The file of this name; nothing when it does not count.
    pub(crate) fn file(&self, name: &str) -> Option<Records> {
        counts(&self.pattern, name)
            .then(|| file(&self.path, &self.folder, name, self.format, &self.stamp))
    }
}

/// Whether a name counts: `*` stands for any characters, and hidden files must be asked for.
fn counts(pattern: &str, name: &str) -> bool {
    if is_unfinished(name) || (name.starts_with('.') && !pattern.starts_with('.')) {
        return false;
    }
    let Some((first, rest)) = pattern.split_once('*') else {
        return pattern == name;
    };
    let Some(mut name) = name.strip_prefix(first) else {
        return false;
    };
    let mut parts: Vec<&str> = rest.split('*').collect();
    let last = parts.pop().unwrap_or_default();
    for part in parts {
        match name.find(part) {
            Some(at) => name = &name[at + part.len()..],
            None => return false,
        }
    }
    name.ends_with(last)
}

fn spec() -> KindSpec {
    KindSpec {
        id: "file_watch".into(),
        family: Family::Source,
        title: "Folder".into(),
        summary: "Reads files that appear in a folder.".into(),
        doc: "Each file is read once, when it has stopped growing, and again from its start when it changes. Events are identified by file and line (whole files by name and time of change), so that a dedupe behind this node drops what was read before. What was read is remembered during a run, also when the node is edited. Hidden files, links and folders inside the folder do not count. When the folder vanishes the node says so and waits for it to come back.".into(),
        icon: "folder".into(),
        inputs: vec![],
        outputs: vec![PortSpec::data("out", "One event for each record"), PortSpec::failed("Records that could not be read, with their place")],
        config: vec![FieldSpec::new("folder", "Folder", FieldType::Path { folder: true }, "Folder inside the project").reaches(ReachKind::ReadFile).default_to("inbox").required(), FieldSpec::new("pattern", "Pattern", FieldType::Text, "Names that count; `*` stands for any characters").default_to("*"), FieldSpec::new("format", "Format", FieldType::choice(&["jsonl", "json", "csv", "text"]), "How a file becomes events: `jsonl` and `csv` one a line, `json` and `text` one a file").default_to("jsonl"), FieldSpec::new("event_type", "Event type", FieldType::EventType, "Type of the events, declared in the document"), FieldSpec::new("settle", "Settle time", FieldType::Duration, "A file counts as complete when it has not changed for this long").default_to("200ms").advanced()],
        behaviour: Behaviour::Source { ty: "event_type".into(), delivery: Delivery::Resumable, keyed_by_id: true },
        resource: Some(Resource { sort: "folder".into(), named_by: vec!["folder".into()], access: Access::Hears }),
        since: "0.1.0".into(),
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use graph_model::document::Document;
    use tempfile::TempDir;

    use super::*;
    use crate::rim::Settled;
    use crate::shared::Shared;
    use crate::sources::testing::{TestFlow, make, make_in, node, refusal};

    fn project() -> TempDir {
        let project = tempfile::tempdir().expect("a folder");
        fs::create_dir(project.path().join("inbox")).expect("a folder");
        project
    }

    fn put(project: &TempDir, name: &str, text: &str) {
        fs::write(project.path().join("inbox").join(name), text).expect("it is written");
    }

    const QUICK: &str = r#"{"settle": "30ms", "pattern": "*.jsonl"}"#;

    #[tokio::test]
    async fn files_are_read_when_they_are_complete() {
        let project = project();
        put(&project, "b.jsonl", "3\n");
        put(&project, "a.jsonl", "1\n{\n2\n");
        put(&project, "a.txt", "no");
        let source = make(&kind(), QUICK, project.path()).expect("it is made");
        let flow = TestFlow::new();
        let running = tokio::spawn(source.run(flow.feed()));
        flow.until(|got| got.caught_up).await;
        assert_eq!(flow.payloads(), ["1", "2", "3"]);
        assert_eq!(flow.ids(), ["a.jsonl:1", "a.jsonl:3", "b.jsonl:1"]);
        flow.look(|got| assert!(got.unreadable[0].1.starts_with("inbox/a.jsonl:2: not JSON")));

        put(&project, "c.jsonl", "4\n");
        flow.until(|got| got.events.len() == 4).await;
        put(&project, "b.jsonl", "3\n5\n");
        flow.until(|got| got.events.len() == 6).await;
        assert_eq!(flow.ids()[4..], ["b.jsonl:1", "b.jsonl:2"]);
        flow.stop();
        assert_eq!(running.await.expect("it ends"), Ok(()));
    }

    #[tokio::test]
    async fn a_folder_may_vanish_and_come_back() {
        let project = project();
        put(&project, "a.jsonl", "1\n");
        let source = make(&kind(), QUICK, project.path()).expect("it is made");
        let flow = TestFlow::new();
        let running = tokio::spawn(source.run(flow.feed()));
        flow.until(|got| got.events.len() == 1).await;
        fs::remove_dir_all(project.path().join("inbox")).expect("it goes");
        flow.until(|got| got.troubles.len() == 1).await;
        let said = flow.look(|got| got.troubles[0].clone());
        assert!(
            said.starts_with("the folder `inbox` cannot be read"),
            "{said}"
        );
        fs::create_dir(project.path().join("inbox")).expect("it comes back");
        put(&project, "b.jsonl", "2\n");
        flow.until(|got| got.events.len() == 2).await;
        flow.stop();
        assert_eq!(running.await.expect("it ends"), Ok(()));
    }

    #[tokio::test]
    async fn a_rebuilt_node_goes_on_where_the_old_one_was() {
        let project = project();
        let lines: Vec<String> = (0..1000).map(|n| n.to_string()).collect();
        put(&project, "a.jsonl", &lines.join("\n"));
        let (shared, mut document) = (Shared::default(), Document::default());
        let id = graph_model::id::NodeId::from("n");
        document
            .nodes
            .insert(id.clone(), Arc::new(node(&kind(), QUICK)));
        let build = || make_in(&kind(), &document, &id, project.path(), &shared);

        let old = TestFlow::with(512, |_| Some(Settled::Safe));
        let running = tokio::spawn(build().expect("it is made").run(old.feed()));
        old.until(|got| got.events.len() == 512).await;
        let source = build().expect("it is made again");
        let new = TestFlow::new();
        let next = tokio::spawn(source.run(new.feed()));
        old.stop();
        assert_eq!(running.await.expect("it ends"), Ok(()));
        new.until(|got| got.caught_up).await;
        new.stop();
        assert_eq!(next.await.expect("it ends"), Ok(()));
        assert_eq!([old.payloads(), new.payloads()].concat(), lines);
    }

    #[test]
    fn patterns_are_matched() {
        for (pattern, name, wanted) in [
            ("*", "a", true),
            ("*", ".a", false),
            (".*", ".a", true),
            (".*", ".weir-00.part", false),
            ("*.csv", "day-1.csv", true),
            ("*.csv", "day-1.csv.part", false),
            ("day-*.csv", "day.csv", false),
            ("a*b*c", "a-b-b-c", true),
            ("a*b*c", "a-c", false),
            ("ab*b", "ab", false),
            ("a.csv", "a.csv", true),
            ("a.csv", "b.csv", false),
        ] {
            assert_eq!(counts(pattern, name), wanted, "{pattern} {name}");
        }
    }

    #[test]
    fn folders_outside_the_project_are_refused() {
        let project = project();
        for (config, wanted) in [
            (r#"{"folder": "/tmp"}"#, "leaves the project folder"),
            (r#"{"format": "xml"}"#, "choose one of the list"),
        ] {
            let message = refusal(make(&kind(), config, project.path()));
            assert!(message.contains(wanted), "{message}");
        }
    }
}
