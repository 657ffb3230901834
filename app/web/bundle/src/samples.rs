//! The flows and recorded runs of the samples, and the list of them that the page reads.

use std::path::Path;

use serde_json::{Value, json};

use crate::Files;

/// Name of the list.
const LIST: &str = "samples/index.json";

/// How the names of recorded runs end.
const RECORDED: &str = ".run.jsonl";

/// Adds the flows of all samples, their flawed twins, and the runs that were recorded of them.
pub(crate) fn add(samples: &Path, files: &mut Files) -> Result<(), String> {
    let index = samples.join("index.json");
    let wrong = |what: &str| format!("{what}: {}", index.display());
    let list: Value =
        serde_json::from_slice(&crate::read(&index)?).map_err(|error| wrong(&error.to_string()))?;
    let list = list["samples"]
        .as_array()
        .ok_or_else(|| wrong("`samples` is no list"))?;
    let (mut clean, mut flawed, mut recorded) = (Vec::new(), Vec::new(), Vec::new());
    for sample in list {
        let text = |field: &str| {
            let found = sample[field].as_str();
            found.ok_or_else(|| wrong(&format!("a sample has no `{field}`")))
        };
        let (name, title) = (text("name")?, text("title")?);
        let mut add = |file: &str| -> Result<String, String> {
            let bytes = crate::read(&samples.join(name).join(file))?;
            let location = format!("samples/{name}/{file}");
            files.insert(location.clone(), bytes);
            Ok(location)
        };
        clean.push(json!({
            "location": add(&format!("{name}.flow.json"))?,
            "title": title,
            "summary": text("summary")?,
        }));
        flawed.push(json!({
            "location": add(&format!("{name}-flawed.flow.json"))?,
            "title": format!("{title}, flawed"),
            "summary": "The same flow with hazards to find and mend",
        }));
        let listed = sample["files"].as_array().into_iter().flatten();
        for file in listed.filter_map(Value::as_str) {
            if file.ends_with(RECORDED) {
                recorded.push(json!({
                    "location": add(file)?,
                    "title": format!("{title}, recorded"),
                    "summary": "A run to look at, event by event",
                }));
            }
        }
    }
    let all = [clean, recorded, flawed].concat();
    let list = json!({ "samples": all });
    files.insert(LIST.to_owned(), list.to_string().into_bytes());
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_sample_comes_with_its_twin() {
        let mut files = Files::new();
        add(&crate::root().join("samples"), &mut files).expect("added");
        assert!(files.contains_key("samples/hello/hello-flawed.flow.json"));
        let list: Value = serde_json::from_slice(&files[LIST]).expect("JSON");
        let list = list["samples"].as_array().expect("a list");
        assert_eq!(list.len(), files.len() - 1, "the list itself is not in it");
        for sample in list {
            let location = sample["location"].as_str().expect("a text");
            assert!(files.contains_key(location), "{location}");
        }
    }
}
