//! The same scenario in every window of the designer: in a harness, native, in a browser.
//!
//! The desktop application's is beside it (`app/tauri`). Each needs what it runs in: a display, Chromium and
//! its driver, the web page that `.ci/web` builds (named by `WEIR_WEB`). Where one is missing its test says
//! so and skips. Pictures go to the folder `WEIR_PICTURES`, or else
//! beside the build results.

mod browser;
mod harness;
mod needs;
mod script;
mod server;
mod webdriver;
mod window;
