//! The designer's line to an engine in the same process: one engine for each project that is run.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use runtime::engine::{Client, Engine, EngineConfig};
use runtime::world::SystemWorld;
use runtime_protocol::{Command, Notice, Problem, Request, RunState, Transport};

use crate::control::Control;
use crate::folders;

/// How long a closing window waits for the flow to finish what is under way.
const LEAVE_MAX: Duration = Duration::from_secs(3);

/// The file of the flow that the designer shows; empty for one without a file.
#[derive(Clone, Default)]
pub struct Shown(Arc<Mutex<Option<PathBuf>>>);

impl Shown {
    pub fn set(&self, path: Option<PathBuf>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = path;
    }

    /// The folder that the flow runs in; flows without a file have one for all of them.
    fn project(&self) -> Result<PathBuf, Problem> {
        let path = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let parent = path.as_deref().and_then(Path::parent);
        if let Some(folder) = parent {
            return Ok(folder.to_path_buf());
        }
        drop(path);
        let folder = folders::data()
            .map(|data| data.join("untitled"))
            .ok_or_else(|| Problem::new("no folder for the run is known; save the flow first"))?;
        fs::create_dir_all(&folder).map_err(|error| {
            Problem::new(format!(
                "{}: {error}; save the flow where you may write",
                folder.display()
            ))
        })?;
        Ok(folder)
    }
}

/// Engines are made when a flow is brought for the first time, not when the window opens.
pub struct OwnEngine {
    shown: Shown,
    wake: Arc<dyn Fn() + Send + Sync>,
    held: Option<Held>,
    /// Engines of flows that were shown before and still finish what was under way.
    leaving: Vec<Held>,
}

/// An engine of a project. The fields go in this order: the engine ends last.
struct Held {
    project: PathBuf,
    client: Client,
    state: RunState,
    /// The flow was asked to stop.
    stopping: bool,
    /// Open while the flow runs.
    control: Option<Control>,
    engine: Arc<Engine>,
}

impl OwnEngine {
    /// `wake` is called when there is something to poll, from any thread.
    pub fn new(shown: Shown, wake: impl Fn() + Send + Sync + 'static) -> OwnEngine {
        OwnEngine {
            shown,
            wake: Arc::new(wake),
            held: None,
            leaving: Vec::new(),
        }
    }

    /// Begins anew with the same engine, for a designer that knows nothing of it yet.
    pub fn connect_anew(&mut self) {
        if let Some(held) = &mut self.held {
            held.client = held.engine.connect();
            let wake = Arc::clone(&self.wake);
            held.client.wake_with(move || wake());
        }
    }

    /// The engine of the flow that is shown.
    fn current(&mut self) -> Result<&mut Held, Problem> {
        let project = self.shown.project()?;
        let held = match self.held.take() {
            Some(held) if held.project == project => held,
            other => {
                self.leaving.extend(other);
                Held::new(project, &self.wake)?
            }
        };
        Ok(self.held.insert(held))
    }
}

impl Held {
    fn new(project: PathBuf, wake: &Arc<dyn Fn() + Send + Sync>) -> Result<Held, Problem> {
        let engine = Engine::new(EngineConfig {
            project: project.clone(),
            world: Arc::new(SystemWorld::new()),
        })?;
        let client = engine.connect();
        let wake = Arc::clone(wake);
        client.wake_with(move || wake());
        Ok(Held {
            project,
            client,
            state: RunState::Stopped,
            stopping: false,
            control: None,
            engine: Arc::new(engine),
        })
    }

    /// Takes the project before the flow starts, so that it runs once at a time.
    fn take_project(&mut self) -> Result<(), Problem> {
        if self.control.is_none() {
            let engine = Arc::clone(&self.engine);
            let connect = move || Box::new(engine.connect()) as Box<dyn Transport + Send>;
            let control = Control::open(&self.project, Arc::new(connect));
            self.control = Some(control.map_err(|error| Problem::new(error.to_string()))?);
        }
        Ok(())
    }

    fn poll(&mut self) -> Vec<Notice> {
        let notices = self.client.poll();
        for notice in &notices {
            let Notice::State { state } = *notice else {
                continue;
            };
            if state == RunState::Stopped && self.state != RunState::Stopped {
                self.control = None;
            }
            self.state = state;
        }
        notices
    }
}

impl Drop for Held {
    /// The window closes: what is under way may finish, but not for ever.
    fn drop(&mut self) {
        let mut state = self.engine.state();
        if *state.borrow() == RunState::Stopped {
            return;
        }
        let stopped = async {
            if !self.stopping && self.engine.call(Command::Stop).await.is_err() {
                return;
            }
            // An engine that has ended has stopped, too.
            drop(state.wait_for(|state| *state == RunState::Stopped).await);
        };
        // Somebody who waits longer wants the program gone.
        drop(
            self.engine
                .block_on(async { tokio::time::timeout(LEAVE_MAX, stopped).await }),
        );
    }
}

impl Transport for OwnEngine {
    fn send(&mut self, request: Request) -> Result<(), Problem> {
        let held = if request.command.brings_flow() {
            self.current()?
        } else {
            let none = || Problem::new("nothing has run yet; press Run first");
            self.held.as_mut().ok_or_else(none)?
        };
        match request.command {
            Command::Start => {
                held.take_project()?;
                held.stopping = false;
            }
            Command::Stop => held.stopping = true,
            _ => {}
        }
        held.client.send(request)
    }

    fn poll(&mut self) -> Vec<Notice> {
        let mut notices = Vec::new();
        // What a flow that is shown no longer has to say matters only if something went wrong.
        self.leaving.retain_mut(|left| {
            let told = left.poll().into_iter();
            notices.extend(told.filter(|notice| matches!(notice, Notice::Trouble { .. })));
            left.state != RunState::Stopped
        });
        notices.extend(self.held.iter_mut().flat_map(Held::poll));
        notices
    }
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use runtime_protocol::Answer;

    use super::*;

    fn ask(engine: &mut OwnEngine, command: Command) -> Result<Answer, Problem> {
        engine.send(Request { id: 7, command })?;
        let since = Instant::now();
        loop {
            for notice in engine.poll() {
                if let Notice::Reply { id: 7, result } = notice {
                    return result;
                }
            }
            assert!(since.elapsed() < Duration::from_secs(20), "an answer");
            std::thread::yield_now();
        }
    }

    #[test]
    fn each_project_has_its_engine_and_is_held_only_while_it_runs() {
        let folders = tempfile::tempdir().expect("a folder");
        let flow = r#"{"version": 1, "nodes": {"by_hand": {"kind": "manual"}}}"#.to_owned();
        let session = |name: &str| folders.path().join(name).join(".weir/session.json");
        let shown = Shown::default();
        let mut engine = OwnEngine::new(shown.clone(), || {});
        assert!(ask(&mut engine, Command::Stop).is_err(), "nothing ran yet");
        let tests = ask(&mut engine, Command::Test { flow: flow.clone() });
        assert_eq!(tests, Ok(Answer::Tests { tests: Vec::new() }));
        for name in ["a", "b"] {
            fs::create_dir(folders.path().join(name)).expect("a folder");
            shown.set(Some(folders.path().join(name).join("x.flow.json")));
            ask(&mut engine, Command::Deploy { flow: flow.clone() }).expect("deployed");
            assert!(!session(name).exists(), "only deployed");
            ask(&mut engine, Command::Start).expect("started");
            assert!(session(name).exists(), "{name} can be reached");
            // As the designer does before it shows another flow.
            ask(&mut engine, Command::Stop).expect("stopped");
            let since = Instant::now();
            while session(name).exists() {
                engine.poll();
                assert!(
                    since.elapsed() < Duration::from_secs(20),
                    "{name} is free again"
                );
            }
        }
        assert!(engine.held.expect("the last one").project.ends_with("b"));
        assert!(engine.leaving.is_empty());
    }

    #[test]
    fn a_run_is_finished_before_the_engine_goes() {
        for asked in [false, true] {
            let folder = tempfile::tempdir().expect("a folder");
            let flow = r#"{"version": 1, "nodes": {"by_hand": {"kind": "manual"}}}"#.to_owned();
            let shown = Shown::default();
            shown.set(Some(folder.path().join("x.flow.json")));
            let mut engine = OwnEngine::new(shown, || {});
            ask(&mut engine, Command::Deploy { flow }).expect("deployed");
            ask(&mut engine, Command::Start).expect("started");
            if asked {
                let command = Command::Stop;
                engine.send(Request { id: 8, command }).expect("sent");
            }
            let state = engine.held.as_ref().expect("an engine").engine.state();
            drop(engine);
            assert_eq!(*state.borrow(), RunState::Stopped);
        }
    }
}
