//! What the nodes of a design say: their fields, their declarations, what they do.

use smol_str::SmolStr;

use crate::catalog::{Behaviour, FieldType, JqRole, KindSpec, PortRole};
use crate::expr::Expr;
use crate::id::NodeId;
use crate::units;
use crate::validate::design::{Design, NodeIx, NodeView, duration_ms};
use crate::value::{Object, Value};

impl Design {
    /// All kinds of the catalog, in the order of their ids.
    pub(crate) fn kinds(&self) -> impl Iterator<Item = &KindSpec> {
        self.kinds.values().map(|kind| &**kind)
    }

    pub(crate) fn kind(&self, id: &str) -> Option<&KindSpec> {
        self.kinds.get(id).map(|kind| &**kind)
    }

    pub(crate) fn find(&self, id: &NodeId) -> Option<NodeIx> {
        self.index.get(id).copied()
    }

    /// Nodes that are enabled and known, with what they do.
    pub(crate) fn active(&self) -> impl Iterator<Item = (NodeIx, &NodeView, &Behaviour)> {
        (0..self.nodes.len()).filter_map(|number| {
            let (view, behaviour) = self.acting(number)?;
            Some((number, view, behaviour))
        })
    }

    /// A node with what it does; nothing when it is disabled or not known.
    pub(crate) fn acting(&self, node: NodeIx) -> Option<(&NodeView, &Behaviour)> {
        let view = &self.nodes[node];
        let kind = view.kind.as_ref().filter(|_| !view.node.disabled)?;
        Some((view, &kind.behaviour))
    }

    /// Whether a node brings events from outside.
    pub(crate) fn starts(&self, node: NodeIx) -> bool {
        let kind = self.nodes[node].kind.as_ref();
        kind.is_some_and(|kind| kind.inputs.iter().all(|port| port.role == PortRole::Reply))
    }

    /// What a node does, whether it is enabled or not.
    pub(crate) fn behaviour(&self, node: NodeIx) -> Option<&Behaviour> {
        self.nodes[node].kind.as_ref().map(|kind| &kind.behaviour)
    }

    /// The value of a config field.
    pub(crate) fn value(&self, node: NodeIx, field: &str) -> Option<&Value> {
        let view = &self.nodes[node];
        view.kind.as_ref()?.config(&view.node, field)
    }

    /// The text of a config field that is not empty.
    pub(crate) fn text(&self, node: NodeIx, field: &str) -> Option<&str> {
        self.value(node, field)?
            .as_str()
            .filter(|text| !text.is_empty())
    }

    /// The expression in a config field, when there is one that can be read.
    pub(crate) fn expr(&self, node: NodeIx, field: &str) -> Option<&Expr> {
        let view = &self.nodes[node];
        let mut fields = view.kind.as_ref()?.config.iter();
        let at = fields.position(|spec| spec.name == field)?;
        view.exprs.get(at)?.as_ref()?.as_ref().as_ref().ok()
    }

    /// An expression of the document by its text.
    pub(crate) fn compiled(&self, code: &str) -> Option<&Expr> {
        self.exprs.get(code)?.as_ref().as_ref().ok()
    }

    /// What somebody declared of a node; nothing when it has another shape than the declaration.
    pub(crate) fn declared(&self, node: NodeIx, name: &str) -> Option<&Value> {
        self.nodes[node].node.notes.declared.get(name)
    }

    /// A declared length of time in milliseconds.
    pub(crate) fn declared_ms(&self, node: NodeIx, name: &str) -> Option<i64> {
        duration_ms(self.declared(node, name)?)
    }

    /// A declared number of bytes.
    pub(crate) fn declared_bytes(&self, node: NodeIx, name: &str) -> Option<u64> {
        units::parse_bytes(self.declared(node, name)?.as_str()?)
    }

    pub(crate) fn declared_number(&self, node: NodeIx, name: &str) -> Option<f64> {
        self.declared(node, name)?.as_f64()
    }

    pub(crate) fn declared_text(&self, node: NodeIx, name: &str) -> Option<&str> {
        self.declared(node, name)?
            .as_str()
            .filter(|text| !text.trim().is_empty())
    }

    pub(crate) fn declared_flag(&self, node: NodeIx, name: &str) -> bool {
        self.declared(node, name).and_then(Value::as_bool) == Some(true)
    }

    /// A config field that holds a length of time, in milliseconds.
    pub(crate) fn ms(&self, node: NodeIx, field: &str) -> Option<i64> {
        let view = &self.nodes[node];
        let fields = &view.kind.as_ref()?.config;
        let at = fields.iter().position(|spec| spec.name == field)?;
        if fields[at].ty != FieldType::Duration {
            return duration_ms(self.value(node, field)?);
        }
        let mut lengths = view.lengths.iter();
        lengths.find(|(field, _)| *field == at).map(|(_, ms)| *ms)
    }

    /// Columns of a table with their expressions; none when it keeps whole payloads.
    pub(crate) fn columns(&self, node: NodeIx) -> Vec<(&SmolStr, Option<&Expr>)> {
        let mut columns = Vec::new();
        let Some(kind) = &self.nodes[node].kind else {
            return columns;
        };
        for field in &kind.config {
            let FieldType::JqTable {
                role: JqRole::Value,
            } = field.ty
            else {
                continue;
            };
            let table = self.value(node, &field.name).and_then(Value::as_object);
            for (name, code) in table.into_iter().flat_map(Object::iter) {
                let expr = code.as_str().and_then(|code| self.compiled(code));
                columns.push((name, expr));
            }
        }
        columns
    }

    /// Whether a table keeps one row for each key.
    pub(crate) fn overwrites(&self, node: NodeIx) -> bool {
        match self.behaviour(node) {
            Some(Behaviour::Table { mode, .. }) => self.text(node, mode) != Some("append"),
            _ => false,
        }
    }

    /// Whether the time of processing decides something at a node.
    pub(crate) fn asks_the_time(&self, node: NodeIx) -> bool {
        self.nodes[node].clock.is_some()
    }

    /// Whether somebody claims this of the node.
    pub(crate) fn assumed(&self, node: NodeIx, what: &str) -> bool {
        self.nodes[node].node.notes.assumptions.contains_key(what)
    }

    pub(crate) fn title(&self, node: NodeIx) -> &str {
        let view = &self.nodes[node];
        if view.gone || view.node.title.is_empty() {
            view.id.as_str()
        } else {
            &view.node.title
        }
    }
}
