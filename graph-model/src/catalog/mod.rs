//! The catalog: everything about a node kind that is not its code, as data.
//!
//! Palette, form, documentation, validator and engine read these rows; none of them knows a
//! concrete kind.

mod behaviour;
mod check;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use smol_str::SmolStr;

use crate::document::Node;
use crate::expr::Variable;
use crate::value::Value;

pub use behaviour::{Behaviour, Delivery, Observation};
pub use check::{FieldProblem, check_field, check_field_with};

/// All kinds, by id.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Catalog {
    kinds: BTreeMap<SmolStr, KindSpec>,
}

/// One kind of node.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct KindSpec {
    pub id: SmolStr,
    pub family: Family,
    pub title: SmolStr,
    /// One sentence: what it does with an event.
    pub summary: SmolStr,
    /// Markdown: when to use it, what it guarantees, what it does at its bounds.
    pub doc: SmolStr,
    /// Name of its picture in the icon set.
    pub icon: SmolStr,
    pub inputs: Vec<PortSpec>,
    pub outputs: Vec<PortSpec>,
    pub config: Vec<FieldSpec>,
    /// What the validator may assume of it.
    pub behaviour: Behaviour,
    /// The place outside the wires that nodes of the kind share with others, such as a table.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resource: Option<Resource>,
    /// Version of Weir that brought it.
    pub since: SmolStr,
}

/// A place that nodes write to and read from, found by what their config says of it: a node that
/// writes feeds all nodes that hear of changes of the same resource.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Resource {
    /// What it is, such as `table`; resources of different sorts are never the same.
    pub sort: SmolStr,
    /// Config fields whose values name it.
    pub named_by: Vec<SmolStr>,
    pub access: Access,
}

/// What a node does with a resource.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Access {
    Writes,
    /// Gets an event for each change.
    Hears,
}

/// Rooms of the palette.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Family {
    Source,
    Channel,
    Operator,
    Function,
    Sink,
}

/// A port, or a row of ports that the configuration names.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PortSpec {
    pub name: SmolStr,
    pub doc: SmolStr,
    #[serde(default)]
    pub role: PortRole,
    /// Config field (a table or a list of texts) that names one port for each of its entries.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub each: Option<SmolStr>,
}

/// What comes out of a port.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PortRole {
    /// The node's ordinary events.
    #[default]
    Data,
    /// Events the node gave up, with their cause.
    Failed,
    /// The answer to a request.
    Reply,
}

/// A field of a kind's configuration.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FieldSpec {
    pub name: SmolStr,
    pub title: SmolStr,
    pub doc: SmolStr,
    #[serde(rename = "type")]
    pub ty: FieldType,
    #[serde(default, skip_serializing_if = "is_null")]
    pub default: Value,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub required: bool,
    /// Folded away in the form.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub advanced: bool,
    /// What a node gets at, outside of Weir, by the value of this field.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reach: Option<ReachKind>,
}

/// A way out of Weir, the ones to think about most first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ReachKind {
    /// Starts another program.
    Program,
    /// Sends requests to an address.
    Call,
    /// Takes requests at an address and port.
    Listen,
    /// Reads an environment variable: the one that a field of type `secret` names, or those that the
    /// texts of a table name as `$NAME`.
    Secret,
    /// Writes a file of the project.
    WriteFile,
    /// Reads and writes a database file of the project.
    Database,
    /// Reads a file or folder of the project.
    ReadFile,
    /// Runs code of the project in the sandbox.
    Component,
}

/// What a field holds, and so how the form shows it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "is")]
pub enum FieldType {
    Text,
    LongText,
    Bool,
    Integer {
        min: i64,
        max: i64,
    },
    Number {
        min: f64,
        max: f64,
    },
    /// One of the listed words.
    Choice {
        options: Vec<SmolStr>,
    },
    /// Text such as `30s`.
    Duration,
    /// Text such as `64 KiB`.
    Bytes,
    /// A program.
    Code {
        language: CodeLanguage,
    },
    /// A jq expression.
    Jq {
        role: JqRole,
    },
    /// A JSON pointer to a field of the event.
    Pointer,
    /// A list of JSON pointers.
    Pointers,
    /// A list of texts.
    Texts,
    /// Names to texts, such as header names to values.
    Table,
    /// Names to jq expressions.
    JqTable {
        role: JqRole,
    },
    /// A list of records with these fields.
    Records {
        fields: Vec<FieldSpec>,
    },
    /// A file or folder, relative to the project.
    Path {
        folder: bool,
    },
    /// An `http` or `https` address.
    Url,
    /// Name of an environment variable that holds the secret.
    Secret,
    /// Any JSON.
    Json,
    /// Id of an event type of the document.
    EventType,
    /// Names to ids of event types, such as ports to what they send.
    EventTypes,
    /// A cron expression or an interval.
    Schedule,
}

/// What a program is written in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CodeLanguage {
    /// TypeScript, and with it JavaScript.
    TypeScript,
}

/// What an expression is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum JqRole {
    /// True or false for an event.
    Predicate,
    /// The new payload.
    Mapping,
    /// The key that groups, places or identifies an event.
    Key,
    /// A number or text to compute with.
    Value,
    /// What a stateful node remembers next; sees as `$state` what it remembers so far.
    Step,
}

/// A port as a concrete node has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Port {
    pub name: SmolStr,
    pub doc: SmolStr,
    pub role: PortRole,
}

impl Catalog {
    pub fn new(kinds: impl IntoIterator<Item = KindSpec>) -> Catalog {
        Catalog {
            kinds: kinds
                .into_iter()
                .map(|kind| (kind.id.clone(), kind))
                .collect(),
        }
    }

    /// The catalog of the kinds that come with Weir, for everybody who runs without an engine.
    pub fn bundled() -> &'static Catalog {
        static BUNDLED: std::sync::LazyLock<Catalog> = std::sync::LazyLock::new(|| {
            serde_json::from_str(include_str!("../../../assets/catalog.json"))
                .expect("the bundled catalog is written and checked by the engine's tests")
        });
        &BUNDLED
    }

    pub fn get(&self, kind: &str) -> Option<&KindSpec> {
        self.kinds.get(kind)
    }

    /// All kinds in the order of their ids.
    pub fn iter(&self) -> impl Iterator<Item = &KindSpec> {
        self.kinds.values()
    }
}

impl KindSpec {
    pub fn field(&self, name: &str) -> Option<&FieldSpec> {
        self.config.iter().find(|field| field.name == name)
    }

    /// Input ports of a node of this kind.
    pub fn inputs_of(&self, node: &Node) -> Vec<Port> {
        self.expand(&self.inputs, node)
    }

    /// Output ports of a node of this kind.
    pub fn outputs_of(&self, node: &Node) -> Vec<Port> {
        self.expand(&self.outputs, node)
    }

    /// The value of a config field: the node's own, else the default of the kind.
    pub fn config<'n>(&'n self, node: &'n Node, field: &str) -> Option<&'n Value> {
        node.config
            .get(field)
            .or_else(|| self.field(field).map(|field| &field.default))
            .filter(|value| !matches!(value, Value::Null))
    }

    /// The event types that a node names, field by field.
    pub fn types_of<'n>(
        &'n self,
        node: &'n Node,
    ) -> impl Iterator<Item = (&'n FieldSpec, &'n str)> {
        self.config.iter().flat_map(|field| {
            let value = self.config(node, &field.name);
            let named = match (&field.ty, value) {
                (FieldType::EventType, Some(Value::Str(ty))) => vec![ty.as_str()],
                (FieldType::EventTypes, Some(Value::Obj(table))) => {
                    table.values().filter_map(Value::as_str).collect()
                }
                _ => Vec::new(),
            };
            let named = named.into_iter().filter(|ty| !ty.trim().is_empty());
            named.map(move |ty| (field, ty))
        })
    }

    /// What comes out of an output port of a node; `None` when there is no such port.
    pub fn output_role(&self, node: &Node, port: &str) -> Option<PortRole> {
        self.role(&self.outputs, node, port)
    }

    /// What goes into an input port of a node; `None` when there is no such port.
    pub fn input_role(&self, node: &Node, port: &str) -> Option<PortRole> {
        self.role(&self.inputs, node, port)
    }

    fn role(&self, specs: &[PortSpec], node: &Node, port: &str) -> Option<PortRole> {
        let has = |spec: &&PortSpec| match &spec.each {
            None => spec.name == port,
            Some(field) => match self.config(node, field) {
                Some(Value::Obj(table)) => table.contains_key(port),
                Some(Value::Arr(names)) => names.iter().any(|name| name.as_str() == Some(port)),
                _ => false,
            },
        };
        specs.iter().find(has).map(|spec| spec.role)
    }

    fn expand(&self, specs: &[PortSpec], node: &Node) -> Vec<Port> {
        let mut ports = Vec::with_capacity(specs.len());
        for spec in specs {
            let port = |name: &SmolStr| Port {
                name: name.clone(),
                doc: spec.doc.clone(),
                role: spec.role,
            };
            match &spec.each {
                None => ports.push(port(&spec.name)),
                Some(field) => match self.config(node, field) {
                    Some(Value::Obj(table)) => ports.extend(table.keys().map(port)),
                    Some(Value::Arr(names)) => {
                        let names = names.iter().filter_map(Value::as_str);
                        ports.extend(names.map(|name| port(&name.into())));
                    }
                    _ => {}
                },
            }
        }
        ports
    }
}

fn is_null(value: &Value) -> bool {
    matches!(value, Value::Null)
}

// Short forms for catalog rows; see any kind of the engine for their use.
impl PortSpec {
    pub fn data(name: &str, doc: &str) -> PortSpec {
        PortSpec {
            name: name.into(),
            doc: doc.into(),
            role: PortRole::Data,
            each: None,
        }
    }

    pub fn failed(doc: &str) -> PortSpec {
        PortSpec {
            name: "failed".into(),
            doc: doc.into(),
            role: PortRole::Failed,
            each: None,
        }
    }

    /// One port for each entry of the config field `field`.
    pub fn each(field: &str, doc: &str) -> PortSpec {
        PortSpec {
            name: field.into(),
            doc: doc.into(),
            role: PortRole::Data,
            each: Some(field.into()),
        }
    }
}

impl FieldSpec {
    pub fn new(name: &str, title: &str, ty: FieldType, doc: &str) -> FieldSpec {
        FieldSpec {
            name: name.into(),
            title: title.into(),
            doc: doc.into(),
            ty,
            default: Value::Null,
            required: false,
            advanced: false,
            reach: None,
        }
    }

    #[must_use]
    pub fn required(mut self) -> FieldSpec {
        self.required = true;
        self
    }

    #[must_use]
    pub fn advanced(mut self) -> FieldSpec {
        self.advanced = true;
        self
    }

    /// What the value of the field lets the node get at.
    #[must_use]
    pub fn reaches(mut self, reach: ReachKind) -> FieldSpec {
        self.reach = Some(reach);
        self
    }

    #[must_use]
    pub fn default_to(mut self, value: impl Into<Value>) -> FieldSpec {
        self.default = value.into();
        self
    }
}

impl JqRole {
    /// The variables that an expression in this role may use.
    pub fn variables(self) -> &'static [Variable] {
        match self {
            JqRole::Step => &[Variable::Event, Variable::State, Variable::Now],
            _ => &[Variable::Event, Variable::Now],
        }
    }
}

impl FieldType {
    pub fn choice(options: &[&str]) -> FieldType {
        FieldType::Choice {
            options: options
                .iter()
                .map(|option| SmolStr::from(*option))
                .collect(),
        }
    }
}
