//! The native window, on a display, by keyboard. What it shows is seen in its title, in its files and
//! on its pictures.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use crate::needs::{has_all, has_display, pictures, turn};
use crate::script::{self, Hand, eventually};

/// After a key, until the frame is drawn that it led to.
const FRAME: Duration = Duration::from_millis(400);

struct Window {
    child: Child,
    id: String,
    project: PathBuf,
    pictures: PathBuf,
}

impl Window {
    fn open(home: &Path, project: &Path) -> Window {
        let log = fs::File::create(home.join("window.log")).expect("a file");
        let child = Command::new(env!("CARGO_BIN_EXE_weir"))
            .args(["open", "orders/orders.flow.json"])
            .current_dir(home)
            .env("HOME", home)
            .env("LIBGL_ALWAYS_SOFTWARE", "1")
            // Files are asked for by path: a desktop's dialogs are not the designer's.
            .env_remove("DBUS_SESSION_BUS_ADDRESS")
            .env_remove("XDG_CONFIG_HOME")
            .env_remove("XDG_DATA_HOME")
            .stdin(Stdio::null())
            .stderr(log)
            .spawn()
            .expect("the program starts");
        let mut window = Window {
            child,
            id: String::new(),
            project: project.to_path_buf(),
            pictures: pictures("native"),
        };
        window.is_titled("orders.flow.json – Weir");
        window
    }

    /// Waits until the window has this title.
    fn is_titled(&mut self, title: &str) {
        eventually(&format!("a window with the title {title}"), || {
            let ended = self.child.try_wait().expect("it can be asked");
            assert!(ended.is_none(), "the window is gone");
            let found = tool(&["search", "--name", "Weir"]);
            let id = found.lines().find(|id| {
                let name = tool(&["getwindowname", id]);
                name.trim_start_matches("• ") == title
            });
            id.unwrap_or_default().clone_into(&mut self.id);
            !self.id.is_empty()
        });
    }
}

impl Hand for Window {
    fn open(&mut self, flow: &str) {
        self.press("ctrl+O");
        self.press("ctrl+A");
        let path = self.project.join(flow);
        self.type_text(&path.to_string_lossy());
        self.press("Return");
        self.is_titled(&format!("{flow} – Weir"));
    }

    fn press(&mut self, keys: &str) {
        tool(&["windowfocus", "--sync", &self.id]);
        // The name of a letter is its small form: a large one would be typed with Shift.
        let keys = match keys.rsplit_once('+') {
            Some((modifiers, key)) if key.len() == 1 => {
                format!("{modifiers}+{}", key.to_lowercase())
            }
            _ => keys.to_owned(),
        };
        tool(&["key", "--clearmodifiers", &keys]);
        std::thread::sleep(FRAME);
    }

    fn type_text(&mut self, text: &str) {
        tool(&["windowfocus", "--sync", &self.id]);
        tool(&["type", "--delay", "15", text]);
        std::thread::sleep(FRAME);
    }

    fn sees(&mut self, part: &str) {
        if part == "(unsaved)" {
            eventually("the title says that something is unsaved", || {
                tool(&["getwindowname", &self.id]).starts_with('•')
            });
        }
        std::thread::sleep(FRAME);
    }

    fn shows(&mut self, _: &str) -> bool {
        std::thread::sleep(FRAME);
        true
    }

    fn picture(&mut self, name: &str) {
        let file = self.pictures.join(format!("{name}.png"));
        let taken = Command::new("import")
            .args(["-window", "root"])
            .arg(file)
            .status();
        assert!(taken.is_ok_and(|status| status.success()), "a picture");
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
    String::from_utf8(output.expect("xdotool is there").stdout)
        .expect("text")
        .trim_end()
        .to_owned()
}

#[test]
fn in_the_native_window() {
    if !has_all(
        "the native window",
        &[("xdotool and a display", has_display())],
    ) {
        return;
    }
    let _turn = turn();
    let home = tempfile::tempdir().expect("a folder");
    let project = script::project(home.path());
    let mut window = Window::open(home.path(), &project);
    script::play(&mut window, &project);
}
