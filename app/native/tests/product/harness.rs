//! Starting the program, and waiting for what it says.

use std::fmt::Write as _;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Output, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

/// Longer than anything takes, so that only what hangs fails by it.
const PATIENCE: Duration = Duration::from_mins(1);

/// The program, kept away from the settings and copies of whoever runs the tests.
pub(crate) fn weir(home: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_weir"));
    command
        .env("HOME", home)
        .env_remove("XDG_CONFIG_HOME")
        .env_remove("XDG_DATA_HOME")
        .current_dir(home);
    command
}

/// Runs the program to its end.
pub(crate) fn done(home: &Path, arguments: &[&str]) -> Done {
    let output = weir(home)
        .args(arguments)
        .stdin(Stdio::null())
        .output()
        .expect("the program starts");
    Done::new(output)
}

/// What the program answered.
#[derive(Debug)]
pub(crate) struct Done {
    pub(crate) code: i32,
    pub(crate) answer: String,
    pub(crate) rest: String,
}

impl Done {
    fn new(output: Output) -> Done {
        Done {
            code: output.status.code().expect("it ended by itself"),
            answer: String::from_utf8(output.stdout).expect("text"),
            rest: String::from_utf8(output.stderr).expect("text"),
        }
    }
}

/// `weir run --json` of a project, under way.
pub(crate) struct Run {
    child: Child,
    answers: BufReader<ChildStdout>,
    pub(crate) listening: Value,
}

impl Run {
    /// Starts the flow and waits until it serves.
    pub(crate) fn start(mut command: Command) -> Run {
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::inherit())
            .spawn()
            .expect("the program starts");
        let mut answers = BufReader::new(child.stdout.take().expect("piped"));
        let mut line = String::new();
        answers.read_line(&mut line).expect("it answers");
        let started: Value = serde_json::from_str(&line).expect("the first line is JSON");
        assert_eq!(started["is"], "started");
        Run {
            child,
            answers,
            listening: started["listening"].clone(),
        }
    }

    /// Asks it to end, as a terminal or a service manager does.
    pub(crate) fn signal(&self, name: &str) {
        let id = self.child.id().to_string();
        let sent = Command::new("kill").args(["-s", name, &id]).status();
        assert!(sent.expect("kill is there").success());
    }

    pub(crate) fn has_ended(&mut self) -> bool {
        self.child.try_wait().expect("it can be asked").is_some()
    }

    /// Waits for its end: exit code and the last answer.
    pub(crate) fn end(mut self) -> (i32, Value) {
        let mut text = String::new();
        self.answers
            .read_to_string(&mut text)
            .expect("it answers to the end");
        let status = self.child.wait().expect("it ends");
        let ended: Value = serde_json::from_str(text.trim()).expect("the last line is JSON");
        assert_eq!(ended["is"], "ended");
        (status.code().expect("it ended by itself"), ended)
    }
}

impl Drop for Run {
    fn drop(&mut self) {
        // Of a failed test: nothing must go on behind it.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// A project with one flow, in a folder of its own.
pub(crate) struct Project {
    pub(crate) home: tempfile::TempDir,
}

impl Project {
    /// The nodes and edges are the inside of the JSON objects.
    pub(crate) fn new(nodes: &str, edges: &str) -> Project {
        let home = tempfile::tempdir().expect("a folder");
        std::fs::create_dir(home.path().join("flow")).expect("a folder");
        let project = Project { home };
        let text = format!(r#"{{"version": 1, "nodes": {{{nodes}}}, "edges": {{{edges}}}}}"#);
        project.write("flow.flow.json", &text);
        project
    }

    pub(crate) fn path(&self, file: &str) -> PathBuf {
        self.home.path().join("flow").join(file)
    }

    pub(crate) fn write(&self, file: &str, text: &str) {
        std::fs::write(self.path(file), text).expect("written");
    }

    pub(crate) fn read(&self, file: &str) -> String {
        std::fs::read_to_string(self.path(file)).expect("read")
    }

    /// `weir run flow --json` with these further arguments.
    pub(crate) fn run(&self, arguments: &[&str]) -> Run {
        let mut command = weir(self.home.path());
        command.args(["run", "flow", "--json"]).args(arguments);
        Run::start(command)
    }

    pub(crate) fn done(&self, arguments: &[&str]) -> Done {
        done(self.home.path(), arguments)
    }
}

/// Waits until `met` answers true.
pub(crate) fn eventually(what: &str, mut met: impl FnMut() -> bool) {
    let since = Instant::now();
    while !met() {
        assert!(since.elapsed() < PATIENCE, "{what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// A connection that posts one request after the other to `http://host:port/path`.
pub(crate) struct Caller {
    host: String,
    path: String,
    stream: BufReader<TcpStream>,
}

impl Caller {
    pub(crate) fn new(url: &str) -> Caller {
        let rest = url.strip_prefix("http://").expect("a plain address");
        let (host, path) = rest.split_once('/').unwrap_or((rest, ""));
        let stream = TcpStream::connect(host).expect("it listens");
        stream.set_read_timeout(Some(PATIENCE)).expect("set");
        Caller {
            host: host.to_owned(),
            path: path.to_owned(),
            stream: BufReader::new(stream),
        }
    }

    /// The status of the answer.
    pub(crate) fn post(&mut self, headers: &[(&str, &str)], body: &[u8]) -> io::Result<u16> {
        let mut request = format!("POST /{} HTTP/1.1\r\nhost: {}\r\n", self.path, self.host);
        for (name, value) in headers {
            write!(request, "{name}: {value}\r\n").expect("memory suffices");
        }
        write!(request, "content-length: {}\r\n\r\n", body.len()).expect("memory suffices");
        let stream = self.stream.get_mut();
        stream.write_all(&[request.as_bytes(), body].concat())?;
        let mut status = None;
        let mut length = 0;
        loop {
            let mut line = String::new();
            if self.stream.read_line(&mut line)? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            let line = line.trim_end().to_ascii_lowercase();
            if line.is_empty() {
                break;
            }
            status = status.or_else(|| line.split(' ').nth(1)?.parse().ok());
            if let Some(text) = line.strip_prefix("content-length: ") {
                length = text.parse().expect("a length");
            }
        }
        let mut rest = vec![0; length];
        self.stream.read_exact(&mut rest)?;
        Ok(status.expect("a status line"))
    }
}
