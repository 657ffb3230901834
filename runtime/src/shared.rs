//! What the nodes of one engine share: open files, listeners, what views show, where consoles print.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use graph_model::document::Document;
use graph_model::expr::{Expr, ExprError, Variable};
use graph_model::id::NodeId;
use runtime_protocol::function::FunctionCost;
use rustc_hash::FxHashMap;
use smol_str::SmolStr;

use crate::database::Database;
use crate::functions::{Costs, Functions, Logs, Network, Seen, States};
use crate::sinks::{Journal, LineFile};
pub use crate::sinks::{Printer, Rows};
use crate::sources::{FilesRead, Listener, Turn};

/// Handles that outlive a single node; made once for each engine.
#[derive(Default)]
pub struct Shared {
    /// Where console nodes print; nowhere until somebody says where.
    pub printer: Printer,
    pub(crate) databases: OpenOnce<Database>,
    pub(crate) journals: OpenOnce<Journal>,
    pub(crate) line_files: OpenOnce<LineFile>,
    pub(crate) functions: Functions,
    /// By which functions reach others; none where nothing real is reached.
    pub(crate) network: Option<Arc<Network>>,
    /// What functions keep.
    pub(crate) states: Arc<States>,
    /// What those who stand in for functions saw of a run.
    pub(crate) seen: Arc<Seen>,
    /// Of functions.
    pub(crate) logs: Arc<Logs>,
    costs: Mutex<BTreeMap<NodeId, Arc<Costs>>>,
    pub(crate) expressions: Expressions,
    /// By address.
    pub(crate) listeners: OpenOnce<Listener>,
    /// By node, format and folder.
    pub(crate) files_read: OpenOnce<FilesRead>,
    /// Of those who follow a table, by database, table and node.
    pub(crate) turns: OpenOnce<Turn>,
    /// By folder.
    pub(crate) folders: OpenOnce<Writes>,
    rows: Mutex<BTreeMap<NodeId, Arc<Rows>>>,
    /// Files of lines that this run has opened; one for each that somebody named.
    begun: Mutex<BTreeSet<PathBuf>>,
}

impl Shared {
    /// For nodes that run live in a project: what functions are built from is watched, and what they
    /// keep is in a file.
    pub(crate) fn live(project: &Path) -> Shared {
        let logs = Arc::default();
        Shared {
            functions: Functions::watched(&logs),
            network: Some(Arc::default()),
            states: Arc::new(States::in_project(project)),
            logs,
            ..Shared::default()
        }
    }

    /// For nodes that are made over and over, and are the same on every machine.
    pub(crate) fn for_simulation() -> Shared {
        Shared {
            functions: Functions::by_instructions(),
            expressions: Expressions::kept(),
            ..Shared::default()
        }
    }

    /// Console nodes print to `out` from now on, as well as into their own rows.
    pub fn print_to(&self, out: impl Write + Send + 'static) {
        self.printer.print_to(out);
    }

    /// A run begins: files that start empty do so again.
    pub(crate) fn begin_run(&self) {
        lock(&self.begun).clear();
    }

    /// Whether the file holds lines of this run, so that nobody may empty it.
    pub(crate) fn has_begun(&self, path: &Path) -> bool {
        lock(&self.begun).contains(path)
    }

    /// From now on the file holds lines of this run.
    pub(crate) fn begin(&self, path: PathBuf) {
        lock(&self.begun).insert(path);
    }

    /// What a view or a console shows; nothing when there is no such node or it has never run.
    pub fn view(&self, node: &NodeId) -> Option<Arc<Rows>> {
        lock(&self.rows).get(node).map(Arc::clone)
    }

    /// What the function of `node` costs, over all its instances.
    pub(crate) fn costs(&self, node: &NodeId) -> Arc<Costs> {
        Arc::clone(lock(&self.costs).entry(node.clone()).or_default())
    }

    /// What the functions of a flow have cost; what those of others did is forgotten.
    pub(crate) fn function_costs(&self, document: &Document) -> BTreeMap<NodeId, FunctionCost> {
        let mut costs = lock(&self.costs);
        costs.retain(|node, _| document.nodes.contains_key(node));
        let told = costs
            .iter()
            .map(|(node, costs)| (node.clone(), costs.told()));
        told.filter_map(|(node, told)| Some((node, told?)))
            .collect()
    }

    /// The rows that an instance of `node` fills. All instances fill the same ones. They begin
    /// empty when no instance is there, and go when their node is gone from the document.
    pub(crate) fn rows(&self, node: &NodeId, keep: usize, document: &Document) -> Arc<Rows> {
        let mut rows = lock(&self.rows);
        rows.retain(|held, _| held == node || document.nodes.contains_key(held));
        match rows.get(node) {
            // Somebody who only looks may hold them too: then the old rows stay a little longer.
            Some(held) if Arc::strong_count(held) > 1 => {
                held.keep(keep);
                Arc::clone(held)
            }
            _ => {
                let fresh = Arc::new(Rows::new(keep));
                rows.insert(node.clone(), Arc::clone(&fresh));
                fresh
            }
        }
    }
}

/// Expressions of nodes; kept only where the same nodes are made over and over.
#[derive(Default)]
pub(crate) struct Expressions {
    kept: Option<Mutex<FxHashMap<Written, Expr>>>,
}

/// A text and the variables that it may name.
type Written = (SmolStr, Vec<Variable>);

impl Expressions {
    /// Compiles each text once.
    fn kept() -> Expressions {
        Expressions {
            kept: Some(Mutex::default()),
        }
    }

    pub(crate) fn compile(&self, code: &str, variables: &[Variable]) -> Result<Expr, ExprError> {
        let Some(kept) = &self.kept else {
            return Expr::compile_with(code, variables);
        };
        let mut kept = lock(kept);
        let written = (SmolStr::from(code), variables.to_vec());
        if let Some(expr) = kept.get(&written) {
            return Ok(expr.clone());
        }
        let expr = Expr::compile_with(code, variables)?;
        kept.insert(written, expr.clone());
        Ok(expr)
    }
}

/// Counts what the flow writes to a place, for those who hear of what is written there.
#[derive(Default)]
pub(crate) struct Writes(AtomicU64);

impl Writes {
    /// Something was written.
    pub(crate) fn add(&self) {
        self.0.fetch_add(1, Ordering::AcqRel);
    }

    /// The same number as long as nothing is written.
    pub(crate) fn number(&self) -> u64 {
        self.0.load(Ordering::Acquire)
    }
}

/// Things that are open at most once for each path: closed when their last holder lets go.
pub(crate) struct OpenOnce<T> {
    held: Mutex<BTreeMap<PathBuf, Weak<T>>>,
}

impl<T> OpenOnce<T> {
    /// The one that is open, else a new one.
    pub(crate) fn get<E>(
        &self,
        path: &Path,
        open: impl FnOnce() -> Result<T, E>,
    ) -> Result<Arc<T>, E> {
        let mut held = lock(&self.held);
        held.retain(|_, open| open.strong_count() > 0);
        if let Some(open) = held.get(path).and_then(Weak::upgrade) {
            return Ok(open);
        }
        let opened = Arc::new(open()?);
        held.insert(path.to_path_buf(), Arc::downgrade(&opened));
        Ok(opened)
    }
}

impl<T> Default for OpenOnce<T> {
    fn default() -> Self {
        OpenOnce {
            held: Mutex::default(),
        }
    }
}

/// Locks; a panic elsewhere does not spread, as no holder leaves half-made state behind.
pub(crate) fn lock<T>(held: &Mutex<T>) -> MutexGuard<'_, T> {
    held.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_open_once_at_a_time() {
        let files = OpenOnce::<u32>::default();
        let open = |number: u32| files.get(Path::new("a"), || Ok::<_, ()>(number));
        let first = open(1).expect("opens");
        assert_eq!(*open(2).expect("is open"), 1);
        drop(first);
        assert_eq!(*open(3).expect("opens again"), 3);
        assert!(files.get(Path::new("b"), || Err("no")).is_err());
    }
}
