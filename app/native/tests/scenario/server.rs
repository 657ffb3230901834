//! `weir serve`, started and stopped by a test.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

/// A served project.
pub(crate) struct Server {
    child: Child,
    pub(crate) operator: String,
    pub(crate) viewer: String,
}

impl Server {
    pub(crate) fn start(home: &Path, arguments: &[&str], page: &PathBuf) -> Server {
        let mut child = Command::new(env!("CARGO_BIN_EXE_weir"))
            .arg("serve")
            .args(arguments)
            .args(["--json", "--web"])
            .arg(page)
            .current_dir(home)
            .env("HOME", home)
            .env_remove("XDG_CONFIG_HOME")
            .env_remove("XDG_DATA_HOME")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .expect("the program starts");
        let mut line = String::new();
        BufReader::new(child.stdout.take().expect("piped"))
            .read_line(&mut line)
            .expect("it answers");
        let said: serde_json::Value = serde_json::from_str(&line).expect("JSON");
        let link = |role: &str| said[role].as_str().expect("a link").to_owned();
        Server {
            child,
            operator: link("operator"),
            viewer: link("viewer"),
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}
