//! The table of kinds: each row joins a catalog entry with the code that runs it.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use graph_model::catalog::{FieldType, JqRole, KindSpec};
use graph_model::document::{Document, Node};
use graph_model::expr::Expr;
use graph_model::id::NodeId;
use graph_model::pointer::Pointer;
use graph_model::schema::Schema;
use graph_model::units;
use graph_model::value::Value;
use runtime_protocol::Problem;
use smol_str::SmolStr;

use crate::operator::Operator;
use crate::plan::Role;
use crate::rim::{Sink, Source};
use crate::world::World;

/// A kind of node: its catalog row and its code.
pub struct Kind {
    pub spec: KindSpec,
    pub make: Make,
}

/// How a node of a kind comes to life. A factory is asked once for each instance of the node.
pub enum Make {
    Source(fn(&Build) -> Result<Box<dyn Source>, Problem>),
    Operator(fn(&Build) -> Result<Box<dyn Operator>, Problem>),
    Sink(fn(&Build) -> Result<Box<dyn Sink>, Problem>),
    /// Held by the driver; see [`crate::channels`].
    Channel(crate::channels::ChannelKind),
    /// Moves events between instances; held by the driver.
    Repartition,
}

impl Make {
    /// What the engine needs to know to place a node of the kind.
    pub fn role(&self) -> Role {
        match self {
            Make::Source(_) => Role::Source,
            Make::Operator(_) => Role::Operator,
            Make::Sink(_) => Role::Sink,
            Make::Channel(kind) => Role::Channel(*kind),
            Make::Repartition => Role::Repartition,
        }
    }
}

/// Everything a factory may look at.
pub struct Build<'b> {
    pub id: &'b NodeId,
    pub node: &'b Node,
    pub spec: &'b KindSpec,
    pub document: &'b Document,
    /// Folder of the project: every path of the flow stays inside it.
    pub project: &'b Path,
    pub world: Arc<dyn World>,
    pub shared: &'b crate::shared::Shared,
}

impl Build<'_> {
    pub fn problem(&self, message: impl Into<String>) -> Problem {
        Problem::at(self.id, message)
    }

    /// The field's value or its default; nothing when neither is there.
    pub fn value(&self, field: &str) -> Option<&Value> {
        self.spec.config(self.node, field)
    }

    /// A text that is not empty.
    pub fn optional_text(&self, field: &str) -> Option<SmolStr> {
        self.value(field)
            .and_then(Value::as_str)
            .filter(|text| !text.trim().is_empty())
            .map(SmolStr::from)
    }

    pub fn text(&self, field: &str) -> Result<SmolStr, Problem> {
        self.optional_text(field)
            .ok_or_else(|| self.problem(format!("`{field}` is empty; fill it in")))
    }

    pub fn flag(&self, field: &str) -> bool {
        self.value(field).and_then(Value::as_bool).unwrap_or(false)
    }

    pub fn number(&self, field: &str) -> Result<f64, Problem> {
        self.value(field)
            .and_then(Value::as_f64)
            .ok_or_else(|| self.problem(format!("`{field}` must be a number")))
    }

    pub fn whole(&self, field: &str) -> Result<u64, Problem> {
        self.value(field)
            .and_then(Value::as_i64)
            .and_then(|number| u64::try_from(number).ok())
            .ok_or_else(|| self.problem(format!("`{field}` must be a whole number, at least 0")))
    }

    pub fn duration(&self, field: &str) -> Result<Duration, Problem> {
        let text = self.text(field)?;
        units::parse_duration(&text).ok_or_else(|| {
            self.problem(format!(
                "`{field}` = `{text}` is no duration; write it like `30s` or `5m`"
            ))
        })
    }

    /// A duration in milliseconds.
    pub fn millis(&self, field: &str) -> Result<i64, Problem> {
        let millis = self.duration(field)?.as_millis();
        Ok(i64::try_from(millis).unwrap_or(i64::MAX))
    }

    /// A duration in milliseconds that is not none.
    pub fn span(&self, field: &str) -> Result<i64, Problem> {
        match self.millis(field)? {
            0 => Err(self.problem(format!("`{field}` must be at least 1ms"))),
            millis => Ok(millis),
        }
    }

    pub fn bytes(&self, field: &str) -> Result<u64, Problem> {
        let text = self.text(field)?;
        units::parse_bytes(&text).ok_or_else(|| {
            self.problem(format!(
                "`{field}` = `{text}` is no size; write it like `64 KiB`"
            ))
        })
    }

    pub fn pointer(&self, field: &str) -> Result<Pointer, Problem> {
        let text = self.text(field)?;
        Pointer::parse(&text).map_err(|error| self.problem(format!("`{field}`: {error}")))
    }

    pub fn optional_expr(&self, field: &str) -> Result<Option<Expr>, Problem> {
        self.optional_text(field)
            .map(|code| self.compile(field, &code))
            .transpose()
    }

    pub fn expr(&self, field: &str) -> Result<Expr, Problem> {
        self.compile(field, &self.text(field)?)
    }

    pub fn compile(&self, field: &str, code: &str) -> Result<Expr, Problem> {
        let variables = match self.spec.field(field).map(|field| &field.ty) {
            Some(FieldType::Jq { role } | FieldType::JqTable { role }) => role.variables(),
            _ => JqRole::Value.variables(),
        };
        self.shared
            .expressions
            .compile(code, variables)
            .map_err(|error| self.problem(format!("`{field}`: {error}")))
    }

    /// Names and texts of a table field, in the order of the names.
    pub fn table(&self, field: &str) -> Vec<(SmolStr, SmolStr)> {
        let entries = self.value(field).and_then(Value::as_object);
        entries
            .into_iter()
            .flat_map(graph_model::value::Object::iter)
            .map(|(name, value)| (name.clone(), value.to_text()))
            .collect()
    }

    pub fn texts(&self, field: &str) -> Vec<SmolStr> {
        let items = self
            .value(field)
            .and_then(Value::as_array)
            .unwrap_or_default();
        items.iter().map(Value::to_text).collect()
    }

    /// The secret that the field names: the value of an environment variable.
    pub fn secret(&self, field: &str) -> Result<Option<String>, Problem> {
        let Some(name) = self.optional_text(field) else {
            return Ok(None);
        };
        std::env::var(&*name).map(Some).map_err(|_| {
            self.problem(format!("`{field}`: the environment variable `{name}` is not set; set it before you start Weir"))
        })
    }

    /// The event type that the field names, with its shape; nothing when it is empty.
    pub fn event_type(&self, field: &str) -> Result<Option<(SmolStr, Schema)>, Problem> {
        let id = self.optional_text(field);
        id.map(|id| self.declared_type(field, id)).transpose()
    }

    /// The event type with this id, which the field names, with its shape.
    pub fn declared_type(&self, field: &str, id: SmolStr) -> Result<(SmolStr, Schema), Problem> {
        let declared = self.document.types.get(id.as_str()).ok_or_else(|| {
            self.problem(format!(
                "`{field}`: the event type `{id}` is not declared; declare it"
            ))
        })?;
        Ok((id, Schema::new(&declared.schema)))
    }

    /// A path of the flow, inside the project whatever links lie on the way.
    pub fn path(&self, field: &str) -> Result<PathBuf, Problem> {
        let text = self.text(field)?;
        confine(self.project, &text).map_err(|reason| {
            self.problem(format!(
                "`{field}` = `{text}` {reason}; use a path inside the project folder"
            ))
        })
    }

    /// Index of an output port of this node.
    pub fn output(&self, port: &str) -> Option<u16> {
        self.spec
            .outputs_of(self.node)
            .iter()
            .position(|held| held.name == port)
            .map(|index| index as u16)
    }
}

fn confine(project: &Path, text: &str) -> Result<PathBuf, String> {
    use std::path::Component;
    let mut path = project.to_path_buf();
    for part in Path::new(text).components() {
        match part {
            Component::Normal(name) => path.push(name),
            Component::CurDir => {}
            _ => return Err("leaves the project folder".into()),
        }
    }
    // A link inside the project may point out of it: check the part of the path that exists.
    let root = project
        .canonicalize()
        .map_err(|error| format!("cannot be resolved ({error})"))?;
    let existing = path
        .ancestors()
        .find(|above| above.exists())
        .unwrap_or(project);
    let real = existing
        .canonicalize()
        .map_err(|error| format!("cannot be resolved ({error})"))?;
    if real.starts_with(&root) {
        Ok(path)
    } else {
        Err("leads out of the project folder through a link".into())
    }
}
