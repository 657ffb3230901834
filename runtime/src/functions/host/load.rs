//! Loads a function: checks it against the contract, compiles it, says what it may use.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use wasmtime::component::Component;

use super::cache::sha256;
use super::contract::{BatchedPre, Capability, ConnectedPre, capabilities, of_event_alone};
use super::engine::{DebugLess, FunctionHost};
use super::error::FunctionError;
use super::imports::Imports;
use super::worker::{FunctionWorker, WorkerConfig};

/// Most bytes of a component. The largest we know, a Python one, has 18 MiB.
const COMPONENT_BYTES_MAX: u64 = 64 << 20;

/// How WebAssembly begins: the name, then version and layer.
const WASM: &[u8] = b"\0asm";
const CORE_MODULE: &[u8] = b"\0asm\x01\0\0\0";

/// A function ready to run. Loading compiles; do it off the threads that have to answer.
#[derive(Debug)]
pub struct LoadedFunction {
    pub(super) host: Arc<FunctionHost>,
    pub(super) entry: DebugLess<Entry>,
    info: FunctionInfo,
}

/// The way in which a function takes its events.
pub(super) enum Entry {
    /// One at a time, by `handle`.
    Each(ConnectedPre<Imports>),
    /// Many at a time, by `handle-all`.
    Batched(BatchedPre<Imports>),
}

/// What is known of a function.
#[derive(Debug, Clone)]
pub struct FunctionInfo {
    /// The digest of the component, in hexadecimal.
    pub sha256: String,
    /// Its size.
    pub bytes: u64,
    /// All it may use of its host.
    pub imports: BTreeSet<Capability>,
    /// Whether the compiled code came from the cache.
    pub cache: CacheUse,
    /// The time to compile it, or to fetch it from the cache.
    pub compile_time: Duration,
    /// The time of the whole load, compiling included.
    pub load_time: Duration,
}

/// What the cache of compiled code did for a load.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CacheUse {
    /// The host has none.
    Off,
    /// It had the code.
    Hit,
    /// It had not, or not whole, and has it now.
    Stored,
    /// It had not, and could not store it: the function runs, but the next start compiles again.
    NotStored(String),
}

impl FunctionHost {
    /// Loads a component.
    pub fn load(self: &Arc<Self>, bytes: &[u8]) -> Result<Arc<LoadedFunction>, FunctionError> {
        // Measuring only: what the figures say decides nothing.
        let started = Instant::now();
        refuse_at_sight(bytes)?;
        let sha256 = sha256(bytes);
        let compiling = Instant::now();
        let (component, cache) = self.compile(bytes, &sha256)?;
        let compile_time = compiling.elapsed();

        let component_type = component.component_type();
        let mut imports = capabilities(component_type.imports(&self.engine).map(|(name, _)| name))?;
        let exported = |name| component_type.get_export(&self.engine, name).is_some();
        let batched = exported("handle-all");
        if batched {
            of_event_alone(&imports)?;
            // Its answers are what it sends.
            imports.insert(Capability::Output);
        } else if !exported("handle") {
            return Err(FunctionError::MissingHandle);
        }
        let pre = self.linker.0.instantiate_pre(&component);
        let entry = pre.and_then(|pre| {
            Ok(if batched {
                Entry::Batched(BatchedPre::new(pre)?)
            } else {
                Entry::Each(ConnectedPre::new(pre)?)
            })
        });
        let entry = entry.map_err(|error| FunctionError::Mismatch(format!("{error:#}")))?;
        let info = FunctionInfo {
            sha256,
            bytes: bytes.len() as u64,
            imports,
            cache,
            compile_time,
            load_time: started.elapsed(),
        };
        Ok(Arc::new(LoadedFunction {
            host: Arc::clone(self),
            entry: DebugLess(entry),
            info,
        }))
    }

    /// Loads a component from a file.
    pub fn load_file(self: &Arc<Self>, path: &Path) -> Result<Arc<LoadedFunction>, FunctionError> {
        let unreadable = |error| FunctionError::Read {
            path: path.to_owned(),
            error,
        };
        refuse_size(fs::metadata(path).map_err(unreadable)?.len())?;
        self.load(&fs::read(path).map_err(unreadable)?)
    }

    fn compile(&self, bytes: &[u8], sha256: &str) -> Result<(Component, CacheUse), FunctionError> {
        if let Some(component) = self
            .cache
            .as_ref()
            .and_then(|cache| cache.get(&self.engine, sha256))
        {
            return Ok((component, CacheUse::Hit));
        }
        let component = Component::from_binary(&self.engine, bytes)
            .map_err(|error| FunctionError::Malformed(format!("{error:#}")))?;
        let cache = match self
            .cache
            .as_ref()
            .map(|cache| cache.put(sha256, &component))
        {
            None => CacheUse::Off,
            Some(Ok(())) => CacheUse::Stored,
            Some(Err(error)) => CacheUse::NotStored(error.to_string()),
        };
        Ok((component, cache))
    }
}

impl LoadedFunction {
    /// What is known of it.
    pub fn info(&self) -> &FunctionInfo {
        &self.info
    }

    /// Whether it takes many events at a time.
    pub fn takes_batches(&self) -> bool {
        matches!(self.entry.0, Entry::Batched(_))
    }

    /// A worker for one node; it takes an instance when its first event comes.
    pub fn worker(self: &Arc<Self>, config: WorkerConfig) -> FunctionWorker {
        FunctionWorker::new(Arc::clone(self), config)
    }
}

/// Refuses what can be told from its first bytes, with a better reason than a parser's.
fn refuse_at_sight(bytes: &[u8]) -> Result<(), FunctionError> {
    refuse_size(bytes.len() as u64)?;
    if !bytes.starts_with(WASM) {
        return Err(FunctionError::NotWasm);
    }
    if bytes.starts_with(CORE_MODULE) {
        return Err(FunctionError::CoreModule);
    }
    Ok(())
}

fn refuse_size(bytes: u64) -> Result<(), FunctionError> {
    if bytes > COMPONENT_BYTES_MAX {
        return Err(FunctionError::TooLarge {
            bytes,
            limit: COMPONENT_BYTES_MAX,
        });
    }
    Ok(())
}
