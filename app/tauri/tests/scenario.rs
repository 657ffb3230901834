//! The scenario of every window in the desktop application, through the driver of its web view.
//!
//! It needs a display, a message bus, `tauri-driver`, `WebKitWebDriver`, and an application with its page,
//! which `.ci/test` compiles in. Where one is missing it says so and skips.

#[path = "../../native/tests/scenario/needs.rs"]
mod needs;
#[path = "../../native/tests/scenario/script.rs"]
mod script;
#[path = "../../native/tests/scenario/webdriver.rs"]
mod webdriver;

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};

use serde_json::json;

use needs::{free_port, has_all, has_display, has_tool, pictures, turn};
use script::Hand;
use webdriver::View;

/// The application as it was compiled, and whether its page is in it.
const PROGRAM: &str = env!("CARGO_BIN_EXE_weir-desktop");
const HAS_PAGE: bool = option_env!("TAURI_CONFIG").is_some();

#[test]
fn in_the_desktop_application() {
    let needs = [
        ("a display", has_display()),
        ("dbus-daemon", has_tool("dbus-daemon")),
        ("tauri-driver", has_tool("tauri-driver")),
        ("WebKitWebDriver", has_tool("WebKitWebDriver")),
        ("a page that is compiled in", HAS_PAGE),
    ];
    if !has_all("the desktop application", &needs) {
        return;
    }
    let _turn = turn();
    let home = tempfile::tempdir().expect("a folder");
    let project = script::project(home.path());
    let (port, native_port) = (free_port(), free_port());
    // A message bus of its own: there is one instance on each.
    let bus = Bus::start();
    let mut start = Command::new("tauri-driver");
    start
        .arg("--native-driver")
        .arg(which("WebKitWebDriver"))
        .args(["--port", &port.to_string()])
        .args(["--native-port", &native_port.to_string()])
        .current_dir(home.path())
        .env("HOME", home.path())
        .env("DBUS_SESSION_BUS_ADDRESS", &bus.address)
        .env("LIBGL_ALWAYS_SOFTWARE", "1")
        .env_remove("XDG_CONFIG_HOME")
        .env_remove("XDG_DATA_HOME")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    let driver = start.spawn().expect("the driver starts");
    let first = project.join("orders.flow.json");
    let capabilities = json!({
        "tauri:options": { "application": PROGRAM, "args": [first] }
    });
    let (folder, address) = (project.clone(), bus.address.clone());
    let open = move |_: &mut View, flow: &str| {
        // As the file manager does: a second start hands the file to the first.
        let link = format!("weir://open?file={}", folder.join(flow).display());
        let second = Command::new(PROGRAM)
            .arg(link)
            .env("DBUS_SESSION_BUS_ADDRESS", &address)
            .status();
        assert!(second.is_ok_and(|status| status.success()), "it hands over");
    };
    let mut view = View::new(driver, port, capabilities, pictures("desktop"), open);
    view.is_ready();
    view.sees("orders.flow.json");
    script::play(&mut view, &project);
}

/// A session's message bus.
struct Bus {
    daemon: Child,
    address: String,
}

impl Bus {
    fn start() -> Bus {
        let mut daemon = Command::new("dbus-daemon")
            .args(["--session", "--nofork", "--print-address"])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .expect("dbus-daemon starts");
        let mut address = String::new();
        BufReader::new(daemon.stdout.take().expect("piped"))
            .read_line(&mut address)
            .expect("it answers");
        Bus {
            daemon,
            address: address.trim().to_owned(),
        }
    }
}

impl Drop for Bus {
    fn drop(&mut self) {
        drop(self.daemon.kill());
        drop(self.daemon.wait());
    }
}

fn which(tool: &str) -> String {
    let found = Command::new("sh")
        .args(["-c", &format!("command -v {tool}")])
        .output()
        .expect("a shell");
    String::from_utf8(found.stdout)
        .expect("text")
        .trim()
        .to_owned()
}
