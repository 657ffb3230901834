//! The engine: one flow at a time, steered by commands, watched through notices.
//!
//! ```
//! use std::sync::Arc;
//! use runtime::engine::{Engine, EngineConfig};
//! use runtime::world::SystemWorld;
//! use runtime_protocol::Command;
//!
//! let engine = Engine::new(EngineConfig {
//!     project: std::env::temp_dir(),
//!     world: Arc::new(SystemWorld::new()),
//! })?;
//! let flow = r#"{"version": 1, "nodes": {"by_hand": {"kind": "manual"}}}"#.to_owned();
//! engine.block_on(async {
//!     engine.call(Command::Deploy { flow }).await?;
//!     engine.call(Command::Start).await?;
//!     engine.idle().await;
//!     engine.call(Command::Stop).await
//! })?;
//! # Ok::<(), runtime_protocol::Problem>(())
//! ```

mod client;
mod control;
#[cfg(test)]
mod tests;
mod witness;

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use runtime_protocol::{Answer, Command, Problem, RunState};
use tokio::sync::{mpsc, oneshot, watch};

pub use self::client::Client;
use self::control::{Asked, Control, From};
use crate::live::flow::{Flow, Maker};
use crate::shared::Shared;
use crate::world::World;

/// Where an engine works and where its time and chance come from.
pub struct EngineConfig {
    /// Folder that all paths of the flow stay in.
    pub project: PathBuf,
    pub world: Arc<dyn World>,
}

/// An engine with threads of its own. Dropping it ends all work at once.
pub struct Engine {
    runtime: Option<tokio::runtime::Runtime>,
    asked: mpsc::Sender<Asked>,
    running: Running,
    state: watch::Receiver<RunState>,
    shared: Arc<Shared>,
}

/// The flow that runs now, for those who only look.
pub(crate) type Running = Arc<Mutex<Option<Arc<Flow>>>>;

impl Engine {
    pub fn new(config: EngineConfig) -> Result<Engine, Problem> {
        let EngineConfig { project, world } = config;
        let project = project.canonicalize().map_err(|error| {
            let folder = project.display();
            Problem::new(format!(
                "the project folder {folder} cannot be used ({error}); create it first"
            ))
        })?;
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .enable_all()
            .thread_name("weir-engine")
            .build()
            .map_err(|error| {
                Problem::new(format!(
                    "no threads could be started ({error}); close other programs"
                ))
            })?;
        let shared = Arc::new(Shared::live(&project));
        let kinds = crate::catalog::kinds();
        let maker = Maker {
            catalog: crate::catalog::catalog(),
            kinds: kinds
                .into_iter()
                .map(|kind| (kind.spec.id.clone(), kind))
                .collect(),
            project,
            world,
            shared: Arc::clone(&shared),
        };
        let (asked, asking) = mpsc::channel(runtime_protocol::COMMANDS_MAX);
        let (state, watched) = watch::channel(RunState::Stopped);
        let running = Running::default();
        let control = Control::new(maker, state, Arc::clone(&running), asked.downgrade());
        runtime.spawn(control.run(asking));
        Ok(Engine {
            runtime: Some(runtime),
            asked,
            running,
            state: watched,
            shared,
        })
    }

    /// Another line to the engine.
    pub fn connect(&self) -> Client {
        Client::new(self.asked.clone())
    }

    /// Gives a command and waits for its answer; `Stop` answers when the flow has drained.
    pub async fn call(&self, command: Command) -> Result<Answer, Problem> {
        let gone = || Problem::new("the engine has ended; start Weir again");
        let (reply, answer) = oneshot::channel();
        let from = From::Call(reply);
        let asked = Asked { command, from };
        self.asked.send(asked).await.map_err(|_| gone())?;
        answer.await.map_err(|_| gone())?
    }

    /// Resolves when every source has ended or handed in all there is, and nothing is under way; at
    /// once when nothing runs.
    pub async fn idle(&self) {
        loop {
            if *self.state.borrow() == RunState::Stopped {
                return;
            }
            let flow = self
                .running
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .clone();
            if flow.is_some_and(|flow| flow.is_idle()) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }

    /// Whether events flow, now and whenever it changes.
    pub fn state(&self) -> watch::Receiver<RunState> {
        self.state.clone()
    }

    /// What the nodes share, such as where consoles print.
    pub fn shared(&self) -> &Arc<Shared> {
        &self.shared
    }

    /// Runs a future on the engine's threads and waits for it.
    pub fn block_on<F: Future>(&self, future: F) -> F::Output {
        self.runtime().block_on(future)
    }

    /// The threads of the engine, for servers beside it.
    pub fn handle(&self) -> &tokio::runtime::Handle {
        self.runtime().handle()
    }

    fn runtime(&self) -> &tokio::runtime::Runtime {
        self.runtime.as_ref().expect("it is taken only on drop")
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}
