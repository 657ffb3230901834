//! The page itself: its own files, and the colours of the designer's themes for them.

use std::fmt::Write;
use std::hash::{DefaultHasher, Hasher};
use std::path::Path;

use serde_json::{Map, Value};

use crate::Files;
use crate::wasm::MODULE;

/// Name of the script that starts everything.
pub(crate) const BOOT: &str = "boot.js";

/// Adds the page to its module and samples.
pub(crate) fn add(root: &Path, files: &mut Files) -> Result<(), String> {
    for name in [BOOT, "page.css", "icon.svg"] {
        let path = root.join("app/web/page").join(name);
        files.insert(name.to_owned(), crate::read(&path)?);
    }
    let (light, dark) = (theme(root, "light")?, theme(root, "dark")?);
    files.insert("theme.css".to_owned(), themes(&light, &dark).into_bytes());

    let index = root.join("app/web/page/index.html");
    let index = String::from_utf8(crate::read(&index)?)
        .map_err(|error| format!("{error}: {}", index.display()))?;
    let size = files.get(MODULE).map_or(0, Vec::len);
    let index = index
        .replace("{{version}}", &version(files))
        .replace("{{size}}", &size.to_string());
    files.insert("index.html".to_owned(), index.into_bytes());
    Ok(())
}

fn theme(root: &Path, name: &str) -> Result<Map<String, Value>, String> {
    let path = root.join(format!("assets/theme/{name}.json"));
    serde_json::from_slice(&crate::read(&path)?)
        .map_err(|error| format!("{error}: {}", path.display()))
}

/// The colours as properties: of the system's theme, or of the one that was chosen.
fn themes(light: &Map<String, Value>, dark: &Map<String, Value>) -> String {
    let properties = |scheme: &str, colors: &Map<String, Value>| {
        let mut text = format!("color-scheme: {scheme};");
        for (name, color) in colors {
            write!(text, " --{name}: {};", color.as_str().unwrap_or_default())
                .expect("memory suffices");
        }
        text
    };
    let (light, dark) = (properties("light", light), properties("dark", dark));
    format!(
        ":root {{ {light} }}\n\
         @media (prefers-color-scheme: dark) {{ :root {{ {dark} }} }}\n\
         :root[data-theme=\"light\"] {{ {light} }}\n\
         :root[data-theme=\"dark\"] {{ {dark} }}\n"
    )
}

/// Tells the files of one build from those of the next, so that a browser never mixes them.
fn version(files: &Files) -> String {
    let mut hasher = DefaultHasher::new();
    for (name, bytes) in files {
        hasher.write(name.as_bytes());
        hasher.write(bytes);
    }
    format!("{:016x}", hasher.finish())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page() -> Files {
        let mut files = Files::from([(MODULE.to_owned(), vec![0; 123])]);
        add(&crate::root(), &mut files).expect("added");
        files
    }

    #[test]
    fn the_page_names_files_that_are_there_by_their_version() {
        let files = page();
        let index = String::from_utf8(files["index.html"].clone()).expect("text");
        assert!(!index.contains("{{"), "{index}");
        assert!(index.contains(r#"content="123""#));
        for name in [BOOT, "page.css", "theme.css", "icon.svg"] {
            assert!(index.contains(&format!(r#""{name}?v="#)), "{name}");
            assert!(files.contains_key(name), "{name}");
        }
    }

    #[test]
    fn the_page_runs_only_scripts_of_its_own_files() {
        let index = String::from_utf8(page()["index.html"].clone()).expect("text");
        let policy = index
            .split("Content-Security-Policy\" content=\"")
            .nth(1)
            .and_then(|rest| rest.split('"').next())
            .expect("a policy");
        assert!(policy.starts_with("default-src 'none'; script-src 'self' 'wasm-unsafe-eval';"));
        assert!(!policy.contains("unsafe-inline") && !policy.contains("'unsafe-eval'"));
        for inline in [" style=", " onload=", " onclick=", "<style"] {
            assert!(!index.contains(inline), "{inline}");
        }
        assert_eq!(index.matches("<script").count(), 1);
    }

    #[test]
    fn both_themes_are_there_before_the_designer_is() {
        let css = String::from_utf8(page()["theme.css"].clone()).expect("text");
        for surface in ["--surface: #f3f4f7", "--surface: #14171c"] {
            assert_eq!(css.matches(surface).count(), 2, "by itself and chosen");
        }
    }
}
