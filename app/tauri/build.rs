//! Reads `tauri.conf.json` and the capabilities, and names the commands that pages may call.

fn main() {
    let commands = tauri_build::AppManifest::new().commands(&["open", "say"]);
    let attributes = tauri_build::Attributes::new().app_manifest(commands);
    tauri_build::try_build(attributes).expect("the configuration of the application is sound");
}
