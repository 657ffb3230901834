//! Makes the nodes of a plan that a running flow cannot provide.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use graph_model::catalog::Catalog;
use graph_model::id::NodeId;
use graph_model::value::Value;
use runtime_protocol::Problem;
use smol_str::SmolStr;

use crate::channels::{ChannelKind, Terms};
use crate::kind::{Build, Kind, Make};
use crate::operator::Operator;
use crate::plan::{NodeIndex, Plan};
use crate::rim::{Sink, Source};
use crate::shared::Shared;
use crate::world::World;

use super::Flow;

/// Makes nodes out of rows of the catalog.
pub(crate) struct Maker {
    pub kinds: BTreeMap<SmolStr, Kind>,
    pub catalog: Catalog,
    pub project: PathBuf,
    pub world: Arc<dyn World>,
    pub shared: Arc<Shared>,
}

/// Nodes made for a plan that what runs cannot provide.
#[derive(Default)]
pub(crate) struct Fresh {
    pub(super) operators: BTreeMap<NodeId, Vec<Box<dyn Operator>>>,
    pub(super) sinks: BTreeMap<NodeId, Box<dyn Sink>>,
    pub(super) sources: BTreeMap<NodeId, Box<dyn Source>>,
    pub(super) keys: BTreeMap<NodeId, graph_model::expr::Expr>,
    pub(super) terms: BTreeMap<NodeId, Terms>,
}

impl Maker {
    pub(crate) fn plan(
        &self,
        document: &Arc<graph_model::document::Document>,
    ) -> Result<Plan, Vec<Problem>> {
        crate::plan::plan(document, &self.catalog, |kind| {
            self.kinds.get(kind).map(|kind| kind.make.role())
        })
    }

    /// Makes every node that `running` cannot provide; says everything that stands in the way.
    pub(crate) fn make(&self, plan: &Plan, running: Option<&Flow>) -> Result<Fresh, Vec<Problem>> {
        let mut fresh = Fresh::default();
        let mut problems = Vec::new();
        for node in &plan.nodes {
            let same = running.filter(|flow| plan.same_node(&flow.plan, &node.id, &self.catalog));
            if let Err(problem) = self.make_node(plan, node, same, &mut fresh) {
                problems.push(problem);
            }
        }
        if problems.is_empty() {
            Ok(fresh)
        } else {
            Err(problems)
        }
    }

    fn make_node(
        &self,
        plan: &Plan,
        node: &crate::plan::PlanNode,
        same: Option<&Flow>,
        fresh: &mut Fresh,
    ) -> Result<(), Problem> {
        let kind = &self.kinds[&node.node.kind];
        let build = Build {
            id: &node.id,
            node: &node.node,
            spec: &kind.spec,
            document: &plan.document,
            project: &self.project,
            world: Arc::clone(&self.world),
            shared: &self.shared,
        };
        match &kind.make {
            Make::Operator(make) => {
                let instances = node.line.map_or(1, |line| plan.lines[line].instances);
                if same.is_none_or(|flow| flow.instances_of(&node.id) != instances) {
                    let made: Result<Vec<_>, Problem> =
                        (0..instances).map(|_| make(&build)).collect();
                    fresh.operators.insert(node.id.clone(), made?);
                }
            }
            Make::Repartition => {
                fresh.keys.insert(node.id.clone(), build.expr("key")?);
            }
            Make::Sink(make) => {
                if same.is_none() {
                    fresh.sinks.insert(node.id.clone(), make(&build)?);
                }
            }
            Make::Source(make) => {
                if same.is_none() {
                    fresh.sources.insert(node.id.clone(), make(&build)?);
                }
            }
            Make::Channel(kind) => {
                fresh.terms.insert(node.id.clone(), terms(*kind, &build)?);
                let key = match kind {
                    ChannelKind::Queue => build.optional_expr("group")?,
                    ChannelKind::Log => build.optional_expr("key")?,
                    ChannelKind::Topic => None,
                };
                if let Some(key) = key {
                    fresh.keys.insert(node.id.clone(), key);
                }
            }
        }
        Ok(())
    }

    pub(super) fn number(&self, plan: &Plan, node: NodeIndex, field: &str) -> Option<u64> {
        let node = &plan.nodes[node].node;
        let value = self.kinds[&node.kind].spec.config(node, field)?;
        value.as_i64().and_then(|number| u64::try_from(number).ok())
    }

    pub(super) fn pause_ms(&self, plan: &Plan, node: NodeIndex) -> u64 {
        let node = &plan.nodes[node].node;
        let value = self.kinds[&node.kind].spec.config(node, "retry_pause");
        value
            .and_then(Value::as_str)
            .and_then(graph_model::units::parse_duration)
            .map_or(200, |pause| pause.as_millis() as u64)
    }
}

/// What a channel promises by its configuration.
pub(crate) fn terms(kind: ChannelKind, build: &Build) -> Result<Terms, Problem> {
    let micros = |duration: Duration| duration.as_micros() as u64;
    Ok(Terms {
        capacity: build.whole("capacity")? as usize,
        max_attempts: build.whole("max_attempts")? as u32,
        backoff_us: micros(build.duration("backoff")?),
        visibility_us: match kind {
            ChannelKind::Log => u64::MAX / 2,
            ChannelKind::Queue | ChannelKind::Topic => micros(build.duration("visibility")?),
        },
        concurrency: match kind {
            ChannelKind::Queue => build.whole("concurrency")?.max(1) as usize,
            ChannelKind::Topic | ChannelKind::Log => 256,
        },
        transactional: kind == ChannelKind::Log && build.flag("transactional"),
    })
}
