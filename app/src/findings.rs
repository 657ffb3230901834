//! What is wrong in a document, in the shape that lists, marks and previews need.

use graph_model::catalog::{Catalog, KindSpec};
use graph_model::document::{Document, Node};
use graph_model::edit::{Transaction, TransactionBuilder};
use graph_model::id::{EdgeId, NodeId, PortRef};
use smol_str::SmolStr;

use crate::canvas::intent::{Item, PortSide};
use crate::panels::form;
use crate::theme::Severity;

/// One hazard at one place.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Finding {
    pub code: SmolStr,
    /// Readable name of the hazard, such as `missing dead letter`.
    pub name: String,
    pub severity: Severity,
    /// What, where, what next.
    pub message: String,
    /// What it is about.
    pub subject: Option<Item>,
    /// Everything that it involves, from cause to effect.
    pub path: Vec<Item>,
    /// The path in sentences.
    pub steps: Vec<String>,
    /// Why this is bad and when it is fine.
    pub lesson: String,
    pub fixes: Vec<FixOffer>,
}

/// A change that would end the hazard.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct FixOffer {
    pub title: String,
    /// What to know before applying it; empty when it is safe.
    pub caution: String,
    pub transaction: Transaction,
}

/// Checks the structure of a document: kinds, fields, and the ends of wires.
pub(crate) fn check(document: &Document, catalog: &Catalog) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (id, node) in &document.nodes {
        let Some(kind) = catalog.get(&node.kind) else {
            let message = format!(
                "the kind `{}` of {id} is not known; replace the node",
                node.kind
            );
            findings.push(of_node(id, "unknown-kind", "unknown kind", message));
            continue;
        };
        if let Some(problem) = form::first_problem(kind, node) {
            let message = format!("{}: {problem}", document.node_title(id));
            findings.push(of_node(
                id,
                "field",
                "field without a usable value",
                message,
            ));
        }
    }
    for (id, edge) in &document.edges {
        let ends = [(&edge.from, PortSide::Output), (&edge.to, PortSide::Input)];
        for (end, side) in ends {
            if let Some(problem) = end_problem(document, catalog, end, side) {
                findings.push(of_edge(document, id, problem));
            }
        }
    }
    findings
}

fn end_problem(
    document: &Document,
    catalog: &Catalog,
    end: &PortRef,
    side: PortSide,
) -> Option<String> {
    let Some(node) = document.nodes.get(&end.node) else {
        return Some(format!("the wire ends at {end}, but there is no such node"));
    };
    let kind = catalog.get(&node.kind)?;
    (!has_port(kind, node, &end.port, side)).then(|| {
        let which = match side {
            PortSide::Input => "input",
            PortSide::Output => "output",
        };
        format!(
            "the wire ends at {end}, but {} has no such {which}",
            end.node
        )
    })
}

fn has_port(kind: &KindSpec, node: &Node, port: &str, side: PortSide) -> bool {
    let ports = match side {
        PortSide::Input => kind.inputs_of(node),
        PortSide::Output => kind.outputs_of(node),
    };
    ports.iter().any(|other| other.name == port)
}

fn of_node(id: &NodeId, code: &str, name: &str, message: String) -> Finding {
    let item = Item::Node(id.clone());
    Finding {
        code: code.into(),
        name: name.to_owned(),
        severity: Severity::Error,
        message,
        subject: Some(item.clone()),
        path: vec![item],
        steps: Vec::new(),
        lesson: "A flow runs only when every node is complete.".to_owned(),
        fixes: Vec::new(),
    }
}

fn of_edge(document: &Document, id: &EdgeId, message: String) -> Finding {
    let mut build = TransactionBuilder::new(document, format!("Remove wire {id}"));
    build.remove_edge(id);
    let item = Item::Edge(id.clone());
    Finding {
        code: "loose-wire".into(),
        name: "loose wire".to_owned(),
        severity: Severity::Error,
        message,
        subject: Some(item.clone()),
        path: vec![item],
        steps: Vec::new(),
        lesson: "A wire carries events only from an output to an input that are there.".to_owned(),
        fixes: vec![FixOffer {
            title: format!("Remove wire {id}"),
            caution: String::new(),
            transaction: build.finish(),
        }],
    }
}
