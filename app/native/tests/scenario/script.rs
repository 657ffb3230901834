//! What is done in every window: open a flawed flow, see its hazards, mend one, run it, send an event
//! in, see it, take the change back, bring it again, save.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

/// Longer than anything takes, so that only what hangs fails by it.
pub(crate) const PATIENCE: Duration = Duration::from_mins(1);

/// After this long a key is pressed again.
const AGAIN: Duration = Duration::from_secs(5);

/// The flow that is opened, in the folder of a copy of the sample `orders`.
pub(crate) const FLOW: &str = "orders-flawed.flow.json";

/// Hands and eyes on a designer, in whatever window it is.
pub(crate) trait Hand {
    /// Opens a flow of the project, in the way that the window has for it.
    fn open(&mut self, flow: &str);
    /// Presses keys, such as `ctrl+shift+E`, `F4` or `Return`.
    fn press(&mut self, keys: &str);
    fn type_text(&mut self, text: &str);
    /// Waits until something is shown whose accessible name contains this.
    fn sees(&mut self, part: &str);
    /// Whether it is shown now; windows without eyes believe it.
    fn shows(&mut self, part: &str) -> bool;
    /// Lets a window draw that draws only when it is told to.
    fn goes_on(&mut self) {}
    /// Keeps a picture of the window under this name.
    fn picture(&mut self, name: &str);
}

pub(crate) fn play(hand: &mut impl Hand, project: &Path) {
    let file = project.join(FLOW);
    let flawed = fs::read(&file).expect("the flawed flow");

    hand.open(FLOW);
    hand.sees("PART-001");
    hand.sees("DELIV-001");
    hand.press("F4");
    hand.picture("1-hazards");
    hand.press("ctrl+period");
    hand.sees("(unsaved)");
    hand.picture("2-mended");

    // A flow from elsewhere asks first, and a hasty key runs nothing.
    hand.press("F8");
    hand.sees("Run this flow?");
    hand.picture("3-asks");
    hand.press("shift+Tab");
    hand.press("shift+Tab");
    hand.press("space");
    hand.sees("running");
    hand.press("ctrl+F");
    hand.sees("Find");
    hand.type_text("Recorded orders");
    hand.press("Return");
    press_for(hand, "ctrl+I", "Send an event in");
    hand.press("ctrl+A");
    hand.type_text(
        r#"{"orderId":"by-hand-1","customer":"c-1","country":"DE","items":[{"sku":"tea","price":5,"quantity":1}],"total":5,"placed":"2026-01-01T00:00:00Z"}"#,
    );
    hand.press("ctrl+Return");
    press_for(hand, "ctrl+shift+E", "by-hand-1");
    hand.picture("4-event");
    until(hand, "the order is charged", || {
        let charges = fs::read_to_string(project.join("charges.jsonl"));
        charges.is_ok_and(|text| text.contains("by-hand-1"))
    });

    hand.press("ctrl+Z");
    hand.press("ctrl+Y");
    hand.press("ctrl+S");
    until(hand, "the mended flow is saved", || {
        fs::read(&file).is_ok_and(|saved| saved != flawed)
    });
    let mended = fs::read(&file).expect("the mended flow");
    hand.press("ctrl+Z");
    hand.sees("(unsaved)");
    hand.press("ctrl+S");
    until(hand, "undo leads back to the bytes that were there", || {
        fs::read(&file).is_ok_and(|saved| saved == flawed)
    });
    hand.press("ctrl+Y");
    hand.press("ctrl+S");
    until(hand, "redo leads back to the mended flow", || {
        fs::read(&file).is_ok_and(|saved| saved == mended)
    });
    hand.press("shift+F8");
    hand.sees("stopped");
    hand.picture("5-saved");
}

/// Presses keys that may be pressed twice until they have shown what they are for: on a busy machine the
/// dialog before may still be closing.
fn press_for(hand: &mut impl Hand, keys: &str, part: &str) {
    let mut pressed = Instant::now();
    hand.press(keys);
    eventually(&format!("{keys} shows {part}"), || {
        hand.goes_on();
        if pressed.elapsed() > AGAIN {
            hand.press(keys);
            pressed = Instant::now();
        }
        hand.shows(part)
    });
}

/// Copies the sample `orders` into a folder of its own.
pub(crate) fn project(home: &Path) -> std::path::PathBuf {
    let sample = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../samples/orders");
    let project = home.join("orders");
    fs::create_dir_all(project.join("data")).expect("a folder");
    for file in [
        "data/orders.jsonl",
        "order-tax.wasm",
        "orders.flow.json",
        FLOW,
    ] {
        fs::copy(sample.join(file), project.join(file)).expect("copied");
    }
    project
}

/// Waits until `met` answers true, while the window goes on.
fn until(hand: &mut impl Hand, what: &str, mut met: impl FnMut() -> bool) {
    eventually(what, || {
        hand.goes_on();
        met()
    });
}

/// Waits until `met` answers true.
pub(crate) fn eventually(what: &str, mut met: impl FnMut() -> bool) {
    let since = Instant::now();
    while !met() {
        assert!(since.elapsed() < PATIENCE, "{what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}
