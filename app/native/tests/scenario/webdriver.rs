//! A designer in a web view, driven as people drive it: keys, and names in its accessible mirror.

use std::path::PathBuf;
use std::process::Child;
use std::time::{Duration, Instant};

use fantoccini::actions::{InputSource, KeyAction, KeyActions};
use fantoccini::key::Key;
use fantoccini::wd::Capabilities;
use fantoccini::{Client, ClientBuilder, Locator};
use serde_json::Value;
use tokio::runtime::Runtime;

use crate::script::{Hand, PATIENCE};

/// After a key, until the frame is drawn that it led to.
const FRAME: Duration = Duration::from_millis(200);

/// A web view under a driver of its own.
pub(crate) struct View {
    client: Client,
    runtime: Runtime,
    driver: Child,
    pictures: PathBuf,
    open: Box<dyn FnMut(&mut View, &str)>,
}

impl View {
    /// `driver` listens on this port; `open` opens a flow in the way of the window.
    pub(crate) fn new(
        driver: Child,
        port: u16,
        capabilities: Value,
        pictures: PathBuf,
        open: impl FnMut(&mut View, &str) + 'static,
    ) -> View {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .expect("a runtime");
        let Value::Object(capabilities) = capabilities else {
            panic!("capabilities are an object");
        };
        let capabilities: Capabilities = capabilities;
        let since = Instant::now();
        let client = loop {
            let connected = runtime.block_on(
                ClientBuilder::new(hyper_util_connector())
                    .capabilities(capabilities.clone())
                    .connect(&format!("http://127.0.0.1:{port}")),
            );
            match connected {
                Ok(client) => break client,
                Err(error) => assert!(since.elapsed() < PATIENCE, "a session: {error}"),
            }
            std::thread::sleep(Duration::from_millis(200));
        };
        View {
            client,
            runtime,
            driver,
            pictures,
            open: Box::new(open),
        }
    }

    /// Runs a script in the page and answers what it returns.
    pub(crate) fn script(&mut self, script: &str) -> Value {
        self.runtime
            .block_on(self.client.execute(script, Vec::new()))
            .expect("the script runs")
    }

    /// Waits until the script answers true. Between two pages there is nobody to run it.
    pub(crate) fn until(&mut self, what: &str, script: &str) {
        let since = Instant::now();
        while !matches!(
            self.runtime
                .block_on(self.client.execute(script, Vec::new())),
            Ok(Value::Bool(true))
        ) {
            if since.elapsed() > PATIENCE {
                self.picture("failed");
                let names = self.script(
                    "return [...document.querySelectorAll('#mirror [aria-label]')].map(e => e.ariaLabel).join('\\n')",
                );
                panic!("{what}; shown is:\n{}", names.as_str().unwrap_or_default());
            }
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// Waits for the first frame, and turns on the accessible mirror.
    pub(crate) fn is_ready(&mut self) {
        self.until(
            "the designer is drawn",
            "return document.documentElement.dataset.weir === 'ready'",
        );
        self.script("document.getElementById('access').click()");
        // The keyboard goes to the canvas.
        let canvas = self
            .runtime
            .block_on(self.client.find(Locator::Id("designer")))
            .expect("a canvas");
        drop(canvas);
        self.script("document.getElementById('designer').focus()");
    }

    fn keys(&mut self, actions: Vec<KeyAction>) {
        let mut keyboard = KeyActions::new("keyboard".to_owned());
        for action in actions {
            keyboard = keyboard.then(action);
        }
        self.runtime
            .block_on(self.client.perform_actions(keyboard))
            .expect("keys are pressed");
        std::thread::sleep(FRAME);
    }
}

fn hyper_util_connector() -> hyper_util::client::legacy::connect::HttpConnector {
    hyper_util::client::legacy::connect::HttpConnector::new()
}

impl Hand for View {
    fn open(&mut self, flow: &str) {
        let mut open = std::mem::replace(&mut self.open, Box::new(|_, _| {}));
        open(self, flow);
        self.open = open;
    }

    fn press(&mut self, keys: &str) {
        let parts: Vec<char> = keys.split('+').map(key).collect();
        let down = parts.iter().map(|value| KeyAction::Down { value: *value });
        let up = parts
            .iter()
            .rev()
            .map(|value| KeyAction::Up { value: *value });
        self.keys(down.chain(up).collect());
    }

    fn type_text(&mut self, text: &str) {
        let typed = text
            .chars()
            .flat_map(|value| [KeyAction::Down { value }, KeyAction::Up { value }]);
        self.keys(typed.collect());
    }

    fn sees(&mut self, part: &str) {
        self.until(&format!("{part} is shown"), &shown(part));
    }

    fn shows(&mut self, part: &str) -> bool {
        self.script(&shown(part)) == Value::Bool(true)
    }

    fn picture(&mut self, name: &str) {
        let picture = self
            .runtime
            .block_on(self.client.screenshot())
            .expect("a picture");
        std::fs::write(self.pictures.join(format!("{name}.png")), picture).expect("written");
    }
}

impl Drop for View {
    fn drop(&mut self) {
        // A driver that is gone has closed its windows.
        drop(self.runtime.block_on(self.client.clone().close()));
        drop(self.driver.kill());
        drop(self.driver.wait());
    }
}

/// A script that answers whether this is part of an accessible name or text.
fn shown(part: &str) -> String {
    let part = serde_json::to_string(part).expect("text");
    format!(
        "return [...document.querySelectorAll('#mirror *')].some(e => \
         ((e.ariaLabel ?? '') + (e.ariaValueText ?? '') + e.textContent).includes({part}))"
    )
}

/// The character by which `WebDriver` names a key.
fn key(name: &str) -> char {
    match name {
        "ctrl" => Key::Control.into(),
        "shift" => Key::Shift.into(),
        "Return" => Key::Enter.into(),
        "Escape" => Key::Escape.into(),
        "F4" => Key::F4.into(),
        "F8" => Key::F8.into(),
        "period" => '.',
        "space" => ' ',
        "Tab" => Key::Tab.into(),
        other => other
            .chars()
            .next()
            .expect("a key has a name")
            .to_ascii_lowercase(),
    }
}
