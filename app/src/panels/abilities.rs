//! What code may do, in words: what its node grants, and what it asks for.

use egui::Ui;
use graph_model::catalog::{Behaviour, FieldType, KindSpec, ReachKind};
use graph_model::document::Node;
use graph_model::id::NodeId;
use graph_model::value::Value;

use super::Model;
use crate::requests::{Request, Requests};
use crate::widgets::{hint, quiet_link, section};

/// Draws what the code of a node may do; nothing where it runs none.
pub(super) fn show(
    ui: &mut Ui,
    model: &Model<'_>,
    id: &NodeId,
    node: &Node,
    kind: &KindSpec,
    out: &mut Requests,
) {
    let Behaviour::Opaque {
        uses: Some(uses), ..
    } = &kind.behaviour
    else {
        return;
    };
    section(ui, "What its code may do");
    hint(ui, &granted(kind, node, uses));
    let Some(cost) = model.session.function_costs().get(id) else {
        return;
    };
    let imports = &cost.imports;
    hint(
        ui,
        &format!(
            "It asks for this: it {}.",
            words(imports.iter().map(|name| &**name))
        ),
    );
    let held = listed(kind, node, uses);
    let wide = held.is_empty()
        || held
            .iter()
            .any(|name| !imports.iter().any(|held| held == name));
    if wide && quiet_link(ui, "Grant no more than that").clicked() {
        let imports: Value = imports
            .iter()
            .map(|name| Value::str(name.clone()))
            .collect();
        let title = model.state.document().node_title(id);
        let mut build = model.state.build(format!("Narrow what {title} may use"));
        build.set_config(id, uses, Some(imports));
        out.push(Request::Edit(build.finish()));
    }
}

/// What the node grants, as a sentence.
fn granted(kind: &KindSpec, node: &Node, uses: &str) -> String {
    let held = listed(kind, node, uses);
    let mut text = if held.is_empty() {
        "Whatever it asks for, within this sandbox".to_owned()
    } else {
        format!("It {}", words(held.iter().copied()))
    };
    for (reach, what) in [
        (ReachKind::Secret, "secrets"),
        (ReachKind::Call, "requests only to"),
    ] {
        let mut fields = kind.config.iter();
        let listing = |field: &&graph_model::catalog::FieldSpec| {
            field.reach == Some(reach) && field.ty == FieldType::Texts
        };
        let Some(field) = fields.find(listing) else {
            continue;
        };
        let listed = listed(kind, node, &field.name);
        if !listed.is_empty() {
            text.push_str(&format!("; {what} {}", listed.join(", ")));
        }
    }
    text.push('.');
    text
}

/// The texts of a field.
fn listed<'n>(kind: &'n KindSpec, node: &'n Node, field: &str) -> Vec<&'n str> {
    let texts = kind.config(node, field).and_then(Value::as_array);
    let texts = texts.unwrap_or_default().iter().filter_map(Value::as_str);
    texts
        .map(str::trim)
        .filter(|text| !text.is_empty())
        .collect()
}

/// `sends events, remembers, reads the clock`; the names of the contract are for those who write code.
pub(super) fn words<'n>(names: impl Iterator<Item = &'n str>) -> String {
    let words: Vec<&str> = names
        .map(|name| match name {
            "output" => "sends events",
            "logging" => "writes to the log",
            "config" => "reads its settings",
            "state" => "remembers",
            "clock" => "reads the clock",
            "random" => "draws at random",
            "secrets" => "reads secrets",
            "http" => "sends requests",
            other => other,
        })
        .collect();
    match words[..] {
        [] => "does nothing but compute".to_owned(),
        _ => words.join(", "),
    }
}

#[cfg(test)]
mod tests {
    use graph_model::catalog::Catalog;

    use super::*;

    #[test]
    fn what_code_may_do_is_said_in_words() {
        let said = |config: &str| {
            let mut node = Node::new("script");
            let config = Value::parse(config.as_bytes(), 1 << 10).expect("JSON");
            node.config = config.as_object().cloned().expect("an object");
            let kind = Catalog::bundled().get("script").expect("is there");
            granted(kind, &node, "may_use")
        };
        assert_eq!(said("{}"), "Whatever it asks for, within this sandbox.");
        assert_eq!(
            said(r#"{"may_use": ["output", "state", "clock"]}"#),
            "It sends events, remembers, reads the clock."
        );
        assert_eq!(words([].into_iter()), "does nothing but compute");
    }
}
