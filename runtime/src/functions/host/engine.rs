//! The engine that compiles and runs functions: one for the whole program.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use wasmtime::component::{HasSelf, Linker};
use wasmtime::{Config, Engine, InstanceAllocationStrategy, PoolingAllocationConfig};

use super::cache::Cache;
use super::contract::Connected;
use super::error::FunctionError;
use super::imports::Imports;
use super::ticker::{Ticker, Ticking};

/// How a host is set up.
#[derive(Debug, Clone)]
pub struct HostConfig {
    /// Where compiled components are kept. The folder must belong to the user, since what is in it
    /// is run; without one, each start compiles anew.
    pub cache_folder: Option<PathBuf>,
    /// Instances that may live at once, over all functions.
    pub instances_max: u32,
    /// What bounds a call.
    pub metering: Metering,
}

impl Default for HostConfig {
    fn default() -> Self {
        Self {
            cache_folder: None,
            instances_max: 256,
            metering: Metering::Time,
        }
    }
}

/// What bounds how long a call goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Metering {
    /// Its time: cheap, and what an operator of a live flow means.
    Time,
    /// Its instructions: the same on every machine, as simulation and replay need it.
    Instructions,
}

/// Compiles and runs functions. Its workers and functions keep it alive.
#[derive(Debug)]
pub struct FunctionHost {
    pub(super) engine: Engine,
    pub(super) linker: DebugLess<Linker<Imports>>,
    pub(super) cache: Option<Cache>,
    pub(super) metering: Metering,
    pooling: bool,
    ticker: Option<Ticker>,
}

impl FunctionHost {
    /// Starts a host.
    pub fn new(config: HostConfig) -> Result<Arc<Self>, FunctionError> {
        let HostConfig {
            cache_folder,
            instances_max,
            metering,
        } = config;
        // The pool reserves its address space at once. Where that is not to be had, as under a
        // limit on address space, instances are allocated one by one: slower to start, else alike.
        let pool = InstanceAllocationStrategy::Pooling(pool(instances_max));
        let pooled = Engine::new(&engine_config(metering, pool));
        let pooling = pooled.is_ok();
        let engine = pooled
            .or_else(|_| {
                Engine::new(&engine_config(
                    metering,
                    InstanceAllocationStrategy::OnDemand,
                ))
            })
            .map_err(|error| FunctionError::Host(format!("{error:#}")))?;

        let mut linker = Linker::new(&engine);
        Connected::add_to_linker::<_, HasSelf<_>>(&mut linker, |imports: &mut Imports| imports)
            .map_err(|error| FunctionError::Host(format!("{error:#}")))?;
        let ticker = match metering {
            Metering::Time => Some(Ticker::start(engine.clone()))
                .transpose()
                .map_err(|error| FunctionError::Host(format!("cannot start its clock: {error}")))?,
            Metering::Instructions => None,
        };
        let cache = cache_folder.map(|folder| Cache::new(folder, &engine));
        Ok(Arc::new(Self {
            engine,
            linker: DebugLess(linker),
            cache,
            metering,
            pooling,
            ticker,
        }))
    }

    /// Whether instances come from a pool; if not, each start costs some microseconds more.
    pub fn pooling(&self) -> bool {
        self.pooling
    }

    /// Lets the clock of calls run until the returned value is dropped.
    pub(super) fn ticking(&self) -> Option<Ticking<'_>> {
        self.ticker.as_ref().map(Ticker::ticking)
    }
}

fn engine_config(metering: Metering, strategy: InstanceAllocationStrategy) -> Config {
    let mut config = Config::new();
    config
        .allocation_strategy(strategy)
        .epoch_interruption(metering == Metering::Time)
        .consume_fuel(metering == Metering::Instructions)
        // The same bits on every machine: what was seen in the simulator is what runs.
        .cranelift_nan_canonicalization(true)
        .relaxed_simd_deterministic(true);
    config
}

fn pool(instances_max: u32) -> PoolingAllocationConfig {
    let mut pool = PoolingAllocationConfig::new();
    pool.total_component_instances(instances_max)
        // One function is many core instances: a Python component with its stubs has 38.
        .max_core_instances_per_component(64)
        .total_core_instances(instances_max.saturating_mul(64))
        .max_memories_per_component(4)
        .total_memories(instances_max.saturating_mul(2))
        .max_tables_per_component(20)
        .total_tables(instances_max.saturating_mul(4))
        .table_elements(200_000)
        .max_component_instance_size(16 << 20)
        .max_core_instance_size(16 << 20)
        // All that 32 bits can address: `Limits` says how much of it a function gets.
        .max_memory_size(4 << 30);
    pool
}

/// A value that has nothing to show.
pub(super) struct DebugLess<T>(pub(super) T);

impl<T> fmt::Debug for DebugLess<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("..")
    }
}
