//! Chromium against `weir serve`.

use std::path::PathBuf;
use std::process::{Command, Stdio};

use serde_json::json;

use crate::needs::{free_port, has_all, has_tool, pictures, turn};
use crate::script::{self, Hand};
use crate::server::Server;
use crate::webdriver::View;

/// The folder of the web page.
fn page() -> Option<PathBuf> {
    std::env::var_os("WEIR_WEB")
        .map(PathBuf::from)
        .filter(|folder| folder.join("index.html").is_file())
}

/// A new browser window.
pub(crate) fn chromium(pictures: PathBuf) -> View {
    let port = free_port();
    let driver = Command::new("chromedriver")
        .arg(format!("--port={port}"))
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("the driver starts");
    let capabilities = json!({ "goog:chromeOptions": { "args": [
        "--headless=new",
        "--no-sandbox",
        "--window-size=1280,800",
        "--use-angle=swiftshader",
        "--enable-unsafe-swiftshader",
        "--disable-quic",
        "--no-first-run",
        "--disable-background-networking",
        "--disable-component-update",
        "--disable-sync",
        "--disable-dev-shm-usage",
    ]}});
    View::new(driver, port, capabilities, pictures, |view, flow| {
        view.press("ctrl+O");
        view.sees("Path");
        view.press("ctrl+A");
        view.type_text(flow);
        view.press("Return");
    })
}

fn go(view: &mut View, url: &str) {
    let url = serde_json::to_string(url).expect("text");
    view.script(&format!("location.href = {url}"));
}

/// Whether there is a browser, and a page for it; says loudly what is missing.
pub(crate) fn has_browser(test: &str) -> bool {
    let tools = has_tool("chromium") && has_tool("chromedriver");
    has_all(
        test,
        &[
            ("Chromium and its driver", tools),
            ("the web page in WEIR_WEB", page().is_some()),
        ],
    )
}

#[test]
fn a_page_without_an_engine_is_a_lesson() {
    if !has_browser("the page alone") {
        return;
    }
    let _turn = turn();
    let page = page().expect("asked for above");
    let home = tempfile::tempdir().expect("a folder");
    script::project(home.path());
    let arguments = ["orders/orders.flow.json", "--listen", "127.0.0.1:0"];
    let server = Server::start(home.path(), &arguments, &page);
    // Without its token the page has no engine, as on any other web server.
    let (address, _) = server.operator.split_once('#').expect("a link");

    let mut view = chromium(pictures("alone"));
    go(
        &mut view,
        &format!("{address}?flow=samples/orders/orders-flawed.flow.json"),
    );
    view.is_ready();
    view.sees("PART-001");
    view.press("F4");
    view.press("ctrl+period");
    view.sees("(unsaved)");
    view.picture("1-mended");

    let mut view = chromium(pictures("alone"));
    go(
        &mut view,
        &format!("{address}?flow=samples/hello/hello.run.jsonl"),
    );
    view.is_ready();
    view.sees("recorded run");
    view.press("F8");
    view.press("ctrl+shift+E");
    view.sees("greet_to_wall");
    view.picture("2-recorded");

    // A link leads to what lies beside the page, and nowhere else.
    for foreign in [
        "https://evil.example/a.flow.json",
        "//evil.example/a",
        "../a.flow.json",
    ] {
        let mut view = chromium(pictures("alone"));
        go(&mut view, &format!("{address}?flow={foreign}"));
        view.is_ready();
        view.sees("could not be opened");
    }
}

#[test]
fn in_a_browser_against_a_server() {
    if !has_browser("the browser") {
        return;
    }
    let _turn = turn();
    let page = page().expect("asked for above");
    let home = tempfile::tempdir().expect("a folder");
    let project = script::project(home.path());
    let arguments = ["orders/orders.flow.json", "--listen", "127.0.0.1:0"];
    let server = Server::start(home.path(), &arguments, &page);
    let mut view = chromium(pictures("browser"));
    go(&mut view, &server.operator);
    view.is_ready();
    view.sees("orders.flow.json");
    // The token is out of the address, and the tab keeps it.
    view.until("the address is plain", "return location.hash === ''");
    script::play(&mut view, &project);

    // The page is loaded again while the flow runs: it comes back to the run.
    view.press("F8");
    view.sees("running");
    view.script("location.reload()");
    view.is_ready();
    view.sees("running");

    // Somebody else looks on, and can change nothing.
    let mut viewer = chromium(pictures("viewer"));
    go(&mut viewer, &server.viewer);
    viewer.is_ready();
    viewer.sees("running");
    viewer.sees("looking on");
    viewer.picture("1-looking-on");

    // A stranger's page learns nothing but that it is not wanted.
    let mut stranger = chromium(pictures("stranger"));
    let (address, _) = server.operator.split_once('#').expect("a link");
    go(
        &mut stranger,
        &format!("{address}#token={}", "0".repeat(64)),
    );
    stranger.is_ready();
    stranger.sees("The line to the engine has ended");
    stranger.picture("1-turned-away");
}
