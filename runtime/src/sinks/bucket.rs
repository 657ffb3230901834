//! Bucket: objects in a folder, each written as a whole.

use std::fmt::Write as _;
use std::fs::{File, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use graph_model::catalog::{
    Access, Behaviour, Family, FieldSpec, FieldType, JqRole, KindSpec, PortSpec, ReachKind,
    Resource,
};
use graph_model::event::Event;
use graph_model::expr::Expr;
use graph_model::value::Value;
use runtime_protocol::Problem;
use smol_str::SmolStr;

use crate::catalog::with_reliability;
use crate::kind::{Build, Kind, Make};
use crate::operator::Failure;
use crate::rim::{Sent, Sink, Work};
use crate::shared::Writes;
use crate::sources::changed_ms;
use crate::world::World;

use super::{Outcomes, blocking, eval_key, lines};

pub(crate) fn kind() -> Kind {
    Kind {
        spec: spec(),
        make: Make::Sink(make),
    }
}

/// Longest name of a file that every file system takes, in bytes.
const NAME_MAX: usize = 255;
/// An object is written under such a name first; both ends keep it from those who read the folder.
const UNFINISHED: (&str, &str) = (".weir-", ".part");

/// After so long nobody is writing an object any more, in milliseconds.
const ABANDONED_MS: i64 = 3_600_000;

/// Whether a file of this name is an object that is still being written.
pub(crate) fn is_unfinished(name: &str) -> bool {
    name.starts_with(UNFINISHED.0) && name.ends_with(UNFINISHED.1)
}

/// Writes each event as an object.
struct Bucket {
    folder: Arc<Folder>,
    name: Arc<Expr>,
    content: Content,
    world: Arc<dyn World>,
}

#[derive(Clone, Copy)]
enum Content {
    Data,
    Event,
}

struct Folder {
    path: PathBuf,
    /// The folder as people write it in the flow.
    shown: SmolStr,
    writes: Arc<Writes>,
}

fn make(build: &Build) -> Result<Box<dyn Sink>, Problem> {
    let content = match &*build.text("content")? {
        "data" => Content::Data,
        "event" => Content::Event,
        other => {
            return Err(build.problem(format!(
                "`content` = `{other}` is not known; choose `data` or `event`"
            )));
        }
    };
    let path = build.path("folder")?;
    // Whoever hears of the folder may look at it before the first object comes. What stands in the
    // way is told by the first write.
    let _made = std::fs::create_dir_all(&path);
    tidy(&path, build.world.now_ms());
    Ok(Box::new(Bucket {
        folder: Arc::new(Folder {
            writes: build.shared.folders.get(&path, || Ok(Writes::default()))?,
            shown: build.text("folder")?,
            path,
        }),
        name: Arc::new(build.expr("name")?),
        content,
        world: Arc::clone(&build.world),
    }))
}

impl Sink for Bucket {
    fn write<'a>(&'a mut self, events: &'a [Event]) -> Work<'a, Outcomes> {
        let (folder, name) = (Arc::clone(&self.folder), Arc::clone(&self.name));
        let (content, world) = (self.content, Arc::clone(&self.world));
        let events = events.to_vec();
        Box::pin(blocking(events.len(), move || {
            let now_ms = world.now_ms();
            let put = |event: Event| {
                let name = file_name(&eval_key("name", &name, &event, now_ms)?)?;
                let mut bytes = Vec::new();
                match content {
                    Content::Data => lines::write_line(&mut bytes, &event.data)?,
                    Content::Event => lines::write_line(&mut bytes, &event)?,
                }
                folder.put(&name, &bytes, world.random())?;
                folder.writes.add();
                Ok(Some(Sent::first(event)))
            };
            let outcomes: Outcomes = events.into_iter().map(put).collect();
            folder.settle(outcomes)
        }))
    }
}

impl Folder {
    /// Writes an object, or puts a new one in the place of the one that is there.
    fn put(&self, name: &str, bytes: &[u8], random: u64) -> Result<(), Failure> {
        self.try_put(name, bytes, random).map_err(|error| {
            let advice = match error.kind() {
                io::ErrorKind::StorageFull => "make room on the disk",
                _ => "allow writing there or choose another folder",
            };
            Failure::transient(format!(
                "`{}/{name}` cannot be written ({error}); {advice}",
                self.shown
            ))
        })
    }

    fn try_put(&self, name: &str, bytes: &[u8], random: u64) -> io::Result<()> {
        std::fs::create_dir_all(&self.path)?;
        let (head, tail) = UNFINISHED;
        let unfinished = self.path.join(format!("{head}{random:016x}{tail}"));
        // Only as a new file: what lies there may be somebody else's, or a link.
        let mut file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .open(&unfinished)?;
        let outcome = file
            .write_all(bytes)
            .and_then(|()| file.sync_all())
            .and_then(|()| std::fs::rename(&unfinished, self.path.join(name)));
        if outcome.is_err() {
            // It is in nobody's way, and the reason why writing failed may hold for removing too.
            let _left = std::fs::remove_file(&unfinished);
        }
        outcome
    }

    /// Lets the names outlive a power cut as well.
    fn settle(&self, mut outcomes: Outcomes) -> Outcomes {
        if cfg!(unix)
            && outcomes.iter().any(Result::is_ok)
            && let Err(error) = sync_folder(&self.path)
        {
            let failure = Failure::transient(format!(
                "`{}` cannot be written ({error}); check the disk",
                self.shown
            ));
            for outcome in outcomes.iter_mut().filter(|outcome| outcome.is_ok()) {
                *outcome = Err(failure.clone());
            }
        }
        outcomes
    }
}

/// Removes what somebody was interrupted in writing, long ago.
fn tidy(folder: &Path, now_ms: i64) {
    let files = std::fs::read_dir(folder).into_iter().flatten().flatten();
    for file in files.filter(|file| is_unfinished(&file.file_name().to_string_lossy())) {
        let changed = file.metadata().map_or(0, |metadata| changed_ms(&metadata));
        if changed > 0 && now_ms - changed > ABANDONED_MS {
            // It is in nobody's way.
            let _left = std::fs::remove_file(file.path());
        }
    }
}

fn sync_folder(path: &Path) -> io::Result<()> {
    File::open(path)?.sync_all()
}

/// The name of the file that holds an object: the same on every system, and another one for every
/// other name. What a system may not take, or take for something else, is written as `%` and two digits.
pub(crate) fn file_name(name: &Value) -> Result<String, Failure> {
    let text = match name {
        Value::Arr(_) | Value::Obj(_) => {
            return Err(Failure::invalid(format!(
                "`name` is {} for this event; let it make a text",
                name.type_name()
            )));
        }
        name => name.to_text(),
    };
    if text.is_empty() {
        return Err(Failure::invalid(
            "`name` is empty for this event; let it make a text that every event has",
        ));
    }
    let mut file = String::with_capacity(text.len());
    let last = text.chars().count() - 1;
    let reserved = is_reserved(&text);
    for (at, letter) in text.chars().enumerate() {
        let forbidden = letter.is_control() || r#"%/\:*?"<>|"#.contains(letter);
        let first = at == 0 && (letter == '.' || reserved);
        if forbidden || first || (at == last && matches!(letter, '.' | ' ')) {
            let mut bytes = [0; 4];
            for byte in letter.encode_utf8(&mut bytes).bytes() {
                write!(file, "%{byte:02X}").expect("a text takes everything");
            }
        } else {
            file.push(letter);
        }
    }
    if file.len() > NAME_MAX {
        return Err(Failure::invalid(format!(
            "`name` is {} bytes long as a file for this event; let it make a text of at most {NAME_MAX}",
            file.len()
        )));
    }
    Ok(file)
}

/// Names of devices, with or without an extension, are no files on Windows.
fn is_reserved(name: &str) -> bool {
    let stem = name.split('.').next().unwrap_or(name).trim_end();
    let stem = stem.to_ascii_uppercase();
    let numbered = stem.strip_prefix("COM").or(stem.strip_prefix("LPT"));
    matches!(stem.as_str(), "CON" | "PRN" | "AUX" | "NUL")
        || numbered.is_some_and(|number| matches!(number.as_bytes(), [b'0'..=b'9']))
}

fn spec() -> KindSpec {
    KindSpec {
        id: "bucket".into(),
        family: Family::Sink,
        title: "Bucket".into(),
        summary: "Writes each event as an object into a folder.".into(),
        doc: "An object is a JSON file. It is never changed in part: whoever reads the folder sees all of it or none of it, and the same name puts a new object in the place of the old one. Acknowledged once the disk has it. Characters that a file name cannot have on every system, such as `/`, are written as `%2F`, so that an object stays in the folder and two names never meet in one file. A folder source that reads the same folder hears of each object.".into(),
        icon: "bucket".into(),
        inputs: vec![PortSpec::data("in", "Events to write")],
        outputs: vec![PortSpec::data("out", "Events that were written"), PortSpec::failed("Events that were given up, with their cause")],
        config: with_reliability(vec![FieldSpec::new("folder", "Folder", FieldType::Path { folder: true }, "Folder inside the project; it is made when it is missed").reaches(ReachKind::WriteFile).default_to("objects").required(), FieldSpec::new("name", "Name", FieldType::Jq { role: JqRole::Key }, "Name of the object").default_to("$event.id"), FieldSpec::new("content", "Content", FieldType::choice(&["data", "event"]), "What an object holds: the payload, or the whole CloudEvent").default_to("data")]),
        behaviour: Behaviour::Bucket { name: "name".into() },
        resource: Some(Resource { sort: "folder".into(), named_by: vec!["folder".into()], access: Access::Writes }),
        since: "0.1.0".into(),
    }
}

#[cfg(test)]
mod tests {
    use graph_model::value;

    use super::super::testing::{Project, event, told};
    use super::*;

    fn files(project: &Project) -> Vec<String> {
        let files = std::fs::read_dir(project.path("objects")).expect("the folder is there");
        let name = |file: io::Result<std::fs::DirEntry>| file.map(|file| file.file_name());
        let names: io::Result<Vec<_>> = files.map(name).collect();
        let mut names: Vec<_> = names
            .expect("can be read")
            .into_iter()
            .map(|name| name.to_string_lossy().into_owned())
            .collect();
        names.sort();
        names
    }

    #[tokio::test]
    async fn objects_are_replaced_as_a_whole() {
        let mut project = Project::new();
        let config = value!({"name": ".k"});
        let mut bucket = project.sink("b", "bucket", &config).expect("builds");
        let events = [
            event(
                "1",
                value!({"k": "a.json", "long": (Value::from("x".repeat(100)))}),
            ),
            event("2", value!({"k": 7})),
            event("3", value!({"k": "a.json"})),
        ];
        let outcomes = bucket.write(&events).await;
        assert_eq!(told(&outcomes), ["ok"; 3]);
        assert_eq!(outcomes[1], Ok(Some(Sent::first(events[1].clone()))));
        assert_eq!(files(&project), ["7", "a.json"]);
        assert_eq!(project.text("objects/a.json"), "{\"k\":\"a.json\"}\n");
        let config = value!({"content": "event"});
        let mut whole = project.sink("w", "bucket", &config).expect("builds");
        assert_eq!(told(&whole.write(&events[1..2]).await), ["ok"]);
        let object = project.text("objects/2");
        assert!(object.contains(r#""data":{"k":7}"#) && object.contains(r#""id":"2""#));
    }

    #[test]
    fn names_stay_in_the_folder_and_apart() {
        for (name, file) in [
            (value!("a b.json"), "a b.json"),
            (value!("größe"), "größe"),
            (value!(7.5), "7.5"),
            (value!("../a"), "%2E.%2Fa"),
            (value!(".."), "%2E%2E"),
            (value!("."), "%2E"),
            (value!(".weir-1.part"), "%2Eweir-1.part"),
            (value!("/etc/passwd"), "%2Fetc%2Fpasswd"),
            (value!("c:\\a"), "c%3A%5Ca"),
            (value!("%2F"), "%252F"),
            (value!("a."), "a%2E"),
            (value!("a "), "a%20"),
            (value!("a\u{0}\n\u{85}"), "a%00%0A%C2%85"),
            (value!("con"), "%63on"),
            (value!("Com1.json"), "%43om1.json"),
            (value!("console"), "console"),
        ] {
            assert_eq!(file_name(&name).as_deref(), Ok(file), "{name}");
        }
        let long = Value::from("ä".repeat(128));
        for (name, wanted) in [
            (value!(""), "`name` is empty"),
            (value!(["a"]), "`name` is array"),
            (long, "`name` is 256 bytes long"),
        ] {
            let failure = file_name(&name).expect_err("is refused").to_string();
            assert!(failure.starts_with(wanted), "{failure}");
        }
    }

    #[tokio::test]
    async fn what_stands_in_the_way_is_left_alone_and_told() {
        let mut project = Project::new();
        std::fs::create_dir_all(project.path("objects/1")).expect("a folder");
        std::fs::write(project.path("file"), "").expect("a file");
        let mut bucket = project.sink("b", "bucket", &value!({})).expect("builds");
        let events = [event("1", value!(1)), event("2", value!(2))];
        let outcomes = told(&bucket.write(&events).await);
        let said = "Transient: `objects/1` cannot be written (";
        assert!(outcomes[0].starts_with(said), "{outcomes:?}");
        assert_eq!(outcomes[1], "ok");
        assert_eq!(files(&project), ["1", "2"], "nothing unfinished is left");

        let config = value!({"folder": "file/objects"});
        let mut bucket = project.sink("f", "bucket", &config).expect("builds");
        let outcomes = told(&bucket.write(&events[..1]).await);
        let said = "Transient: `file/objects/1` cannot be written (";
        assert!(outcomes[0].starts_with(said), "{outcomes:?}");
        for config in [value!({"folder": "../out"}), value!({"folder": "/tmp"})] {
            let refused = project.sink("b", "bucket", &config).err();
            let said = refused.expect("is refused").message;
            assert!(said.contains("leaves the project folder"), "{said}");
        }
    }

    #[cfg(unix)]
    #[tokio::test]
    async fn links_are_not_written_through() {
        let mut project = Project::new();
        let outside = tempfile::tempdir().expect("a folder");
        let target = outside.path().join("target");
        std::fs::write(&target, "old").expect("a file");
        std::fs::create_dir(project.path("objects")).expect("a folder");
        std::os::unix::fs::symlink(&target, project.path("objects/1")).expect("a link");
        let mut bucket = project.sink("b", "bucket", &value!({})).expect("builds");
        assert_eq!(told(&bucket.write(&[event("1", value!(1))]).await), ["ok"]);
        assert_eq!(std::fs::read_to_string(target).ok().as_deref(), Some("old"));
        assert_eq!(project.text("objects/1"), "1\n");
        std::os::unix::fs::symlink(outside.path(), project.path("out")).expect("a link");
        let refused = project
            .sink("o", "bucket", &value!({"folder": "out"}))
            .err();
        let said = refused.expect("is refused").message;
        assert!(said.contains("through a link"), "{said}");
    }

    #[test]
    fn what_was_abandoned_goes() {
        let project = Project::new();
        std::fs::create_dir(project.path("objects")).expect("a folder");
        for name in [".weir-1.part", ".weir-1", "part"] {
            std::fs::write(project.path("objects").join(name), "").expect("a file");
        }
        let folder = project.path("objects");
        let changed = std::fs::metadata(folder.join("part")).expect("is there");
        let now_ms = changed_ms(&changed) + ABANDONED_MS;
        tidy(&folder, now_ms - 1_000);
        assert_eq!(files(&project).len(), 3);
        tidy(&folder, now_ms + 1_000);
        assert_eq!(files(&project), [".weir-1", "part"]);
    }
}
