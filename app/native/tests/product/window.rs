//! The window on a virtual display: it comes up on the sample, takes keys, and runs the flow.

use std::fs;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use crate::harness::{Project, done, eventually, weir};

/// A window of the program, closed at the end of the test.
struct Window {
    child: Child,
    id: String,
}

impl Window {
    /// Waits until it is on the screen under this title.
    fn open(home: &Path, arguments: &[&str], title: &str) -> Window {
        let log = fs::File::create(home.join("window.log")).expect("a file");
        let child = weir(home)
            .args(arguments)
            .env("LIBGL_ALWAYS_SOFTWARE", "1")
            .stdin(Stdio::null())
            .stderr(log)
            .spawn()
            .expect("the program starts");
        let mut window = Window {
            child,
            id: String::new(),
        };
        eventually(&format!("a window with the title {title}"), || {
            let log = fs::read_to_string(home.join("window.log")).unwrap_or_default();
            let ended = window.child.try_wait().expect("it can be asked");
            assert!(ended.is_none(), "it ended at once: {log}");
            let found = tool(&["search", "--name", title]);
            if let Some(id) = found.lines().next() {
                window.id.push_str(id);
            }
            !window.id.is_empty()
        });
        window
    }

    fn key(&self, key: &str) {
        tool(&["windowfocus", &self.id]);
        tool(&["key", "--window", &self.id, key]);
    }
}

impl Drop for Window {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

fn tool(arguments: &[&str]) -> String {
    let output = Command::new("xdotool").args(arguments).output();
    String::from_utf8(output.expect("xdotool is there").stdout).expect("text")
}

/// Whether there is a display to test on; says loudly when there is none.
fn has_display() -> bool {
    let tools = Command::new("xdotool").arg("version").output().is_ok();
    let display = tools
        && std::env::var_os("DISPLAY").is_some()
        && Command::new("xdotool")
            .arg("getdisplaygeometry")
            .output()
            .is_ok_and(|output| output.status.success());
    if !display {
        eprintln!("SKIPPED the window: it needs xdotool and a display, as `.ci/test` sets them up");
    }
    display
}

#[test]
fn the_window_opens_on_the_sample_and_keeps_it_out_of_the_program() {
    if !has_display() {
        return;
    }
    let home = tempfile::tempdir().expect("a folder");
    let window = Window::open(home.path(), &[], "hello.flow.json");
    let copy = home
        .path()
        .join(".local/share/weir/samples/hello/hello.flow.json");
    assert!(copy.exists(), "the user's own copy");
    drop(window);
}

#[test]
fn a_flow_is_run_and_stopped_by_key_and_reached_from_outside() {
    if !has_display() {
        return;
    }
    let project = Project::new(
        r#""by_hand": {"kind": "manual"}, "kept": {"kind": "export", "config": {"file": "kept.jsonl"}}"#,
        r#""e": {"from": "by_hand.out", "to": "kept.in"}"#,
    );
    let home = project.home.path();
    // The question about a flow that was made elsewhere is for the tests of the designer.
    let trusted = serde_json::json!({"trusted": [project.path("flow.flow.json")]});
    let settings = home.join(".config/weir/settings.json");
    fs::create_dir_all(settings.parent().expect("a folder")).expect("a folder");
    fs::write(settings, trusted.to_string()).expect("written");
    let window = Window::open(home, &["open", "flow"], "flow.flow.json");
    let session = project.path(".weir/session.json");
    eventually("F8 runs the flow", || {
        if !session.exists() {
            window.key("F8");
            std::thread::sleep(std::time::Duration::from_millis(500));
        }
        session.exists()
    });
    eventually("an event goes in", || {
        done(home, &["inject", "flow", "by_hand", r#"{"n": 1}"#]).code == 0
    });
    eventually("it is kept", || {
        fs::read_to_string(project.path("kept.jsonl")).is_ok_and(|text| text.contains("\"n\":1"))
    });
    window.key("shift+F8");
    eventually("Shift+F8 stops the flow", || !session.exists());
}
