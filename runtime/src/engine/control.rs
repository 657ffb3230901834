//! The engine's one decision maker: takes commands one after the other.

use std::collections::{BTreeSet, VecDeque};
use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use graph_model::document::Document;
use graph_model::event::{Event, EventContext};
use graph_model::format;
use graph_model::id::{EdgeId, NodeId};
use graph_model::value::Value;
use runtime_protocol::{
    Answer, BATCH_MAX, Command, Counters, Notice, Observed, Problem, RunState, Target,
};
use smol_str::{SmolStr, format_smolstr};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinHandle;

use super::Running;
use super::client::Line;
use super::witness::{self, Question};
use crate::delivery::Share;
use crate::functions::Trial;
use crate::live::flow::{Flow, Maker};
use crate::live::{DeadLetters, Env, Gate, Item, Meters, Mode, Taps, Troubles};
use crate::rim::{FeedLine, Inbound};

/// A command and who waits for its answer.
pub(super) struct Asked {
    pub command: Command,
    pub from: From,
}

pub(super) enum From {
    Call(oneshot::Sender<Result<Answer, Problem>>),
    Client {
        line: Arc<Line>,
        request: u64,
    },
    /// A client that has nothing to ask yet.
    Hello(Arc<Line>),
    /// The flow has drained.
    Drained,
}

/// Time between two looks at what is observed.
const LOOK: Duration = Duration::from_millis(33);
/// Looks between two snapshots of the counters.
const LOOKS_PER_SNAPSHOT: u32 = 3;
/// Observed events that wait for a client's credit; further ones are counted and left out.
const WAITING_MAX: usize = 2 * BATCH_MAX;

pub(super) struct Control {
    maker: Maker,
    state: watch::Sender<RunState>,
    running: Running,
    asked: mpsc::WeakSender<Asked>,
    document: Option<Arc<Document>>,
    run: Option<Run>,
    clients: Vec<Listener>,
    dead_letters: Arc<DeadLetters>,
    troubles: Troubles,
    reported: mpsc::Receiver<Problem>,
    /// Those who wait for the flow to stop.
    stopping: Vec<From>,
    /// Whoever looks for a witness holds it.
    witnesses: Arc<tokio::sync::Mutex<()>>,
}

/// A run from start to stop.
struct Run {
    env: Arc<Env>,
    flow: Arc<Flow>,
    draining: Option<JoinHandle<()>>,
}

/// A client as the engine sees it.
struct Listener {
    line: Arc<Line>,
    /// Edges whose events it wants to see; all when empty.
    tap: Option<BTreeSet<EdgeId>>,
    waiting: VecDeque<Observed>,
    skipped: u64,
    batch: u64,
    /// A batch is out that it has not drawn yet.
    owes: bool,
}

impl Control {
    pub(super) fn new(
        maker: Maker,
        state: watch::Sender<RunState>,
        running: Running,
        asked: mpsc::WeakSender<Asked>,
    ) -> Control {
        let (report, reported) = mpsc::channel(runtime_protocol::NOTICES_MAX);
        Control {
            dead_letters: Arc::new(DeadLetters::new(&maker.project)),
            maker,
            state,
            running,
            asked,
            document: None,
            run: None,
            clients: Vec::new(),
            troubles: Troubles::new(report),
            reported,
            stopping: Vec::new(),
            witnesses: Arc::default(),
        }
    }

    pub(super) async fn run(mut self, mut asking: mpsc::Receiver<Asked>) {
        let mut look = tokio::time::interval(LOOK);
        look.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let mut looks = 0_u32;
        loop {
            let watched = !self.clients.is_empty();
            tokio::select! {
                asked = asking.recv() => match asked {
                    Some(asked) => self.take(asked).await,
                    None => return,
                },
                Some(problem) = self.reported.recv() => self.tell_all(&Notice::Trouble { problem }),
                _ = look.tick(), if watched => {
                    looks = looks.wrapping_add(1);
                    self.clients.retain(|client| !client.line.is_closed());
                    self.show(looks.is_multiple_of(LOOKS_PER_SNAPSHOT));
                }
            }
        }
    }

    async fn take(&mut self, asked: Asked) {
        let Asked { command, from } = asked;
        match &from {
            From::Client { line, .. } | From::Hello(line) => {
                let line = Arc::clone(line);
                self.know(&line);
            }
            From::Call(_) => {}
            From::Drained => return self.stopped(),
        }
        if matches!(from, From::Hello(_)) {
            return;
        }
        match command {
            Command::Stop => return self.stop(from).await,
            Command::Witness { flow, code, node } => {
                return self.look(flow, Question::Where { code, node }, from);
            }
            Command::CheckFix { flow, witness } => {
                return self.look(flow, Question::Still { witness }, from);
            }
            Command::Test { flow } => return self.look(flow, Question::Tests, from),
            Command::Try {
                node,
                kind,
                config,
                types,
                event,
            } => {
                let trial = Trial {
                    node,
                    kind,
                    config,
                    types,
                    event,
                };
                return self.try_out(trial, from);
            }
            _ => {}
        }
        let result = self.handle(command, &from).await;
        answer(from, result);
    }

    async fn handle(&mut self, command: Command, from: &From) -> Result<Answer, Problem> {
        match command {
            Command::Deploy { flow } => self.deploy(&flow).await,
            Command::Start => self.start().await,
            Command::Pause => self.set_gate(RunState::Running, Mode::Paused, RunState::Paused),
            Command::Resume => self.set_gate(RunState::Paused, Mode::Open, RunState::Running),
            Command::Step { node } => {
                let run = self.active()?;
                if *self.state.borrow() != RunState::Paused {
                    return Err(Problem::new(
                        "the flow is not paused; pause it before you step",
                    ));
                }
                run.env.gate.step(node.as_ref());
                Ok(Answer::Done)
            }
            // Taken care of before.
            Command::Stop
            | Command::Witness { .. }
            | Command::CheckFix { .. }
            | Command::Test { .. }
            | Command::Try { .. } => Ok(Answer::Done),
            Command::Inject {
                target,
                data,
                ty,
                id,
            } => self.inject(target, data, ty, id),
            Command::Tap { edges } => {
                let edges: BTreeSet<EdgeId> = edges.into_iter().collect();
                self.listener(from, |listener| listener.tap = Some(edges.clone()));
                self.set_taps();
                Ok(Answer::Done)
            }
            Command::Untap => {
                self.listener(from, |listener| {
                    listener.tap = None;
                    listener.waiting.clear();
                });
                self.set_taps();
                Ok(Answer::Done)
            }
            Command::ReadView { node, limit } => {
                let rows = self.maker.shared.view(&node);
                Ok(Answer::Events {
                    events: rows
                        .map(|rows| rows.rows(limit as usize))
                        .unwrap_or_default(),
                })
            }
            Command::ReadDeadLetters { limit } => Ok(Answer::Events {
                events: self.dead_letters.latest(limit as usize),
            }),
            Command::ReadCounters => Ok(Answer::Counters {
                counters: self.counters(),
            }),
            Command::ReadFlow => Ok(Answer::Flow {
                flow: self.document.as_ref().map(|held| format::write(held)),
                addresses: match &self.run {
                    Some(run) => run.flow.addresses(),
                    None => [].into(),
                },
            }),
            Command::Credit { batch } => {
                self.listener(from, |listener| listener.owes &= listener.batch != batch);
                Ok(Answer::Done)
            }
        }
    }

    async fn deploy(&mut self, text: &str) -> Result<Answer, Problem> {
        let opened = format::open(text.as_bytes())
            .map_err(|error| Problem::new(format!("the flow cannot be read: {error}")))?;
        let document = Arc::new(opened.document);
        let plan = self
            .maker
            .plan(&document)
            .map_err(|problems| one(&problems))?;
        let Some(run) = self.run.as_mut().filter(|run| run.draining.is_none()) else {
            let kept = plan.nodes.len() as u32;
            self.document = Some(document);
            self.tell_all(&Notice::Deployed);
            return Ok(Answer::Deployed {
                kept,
                started: 0,
                stopped: 0,
                addresses: [].into(),
            });
        };
        let fresh = self
            .maker
            .make(&plan, Some(&run.flow))
            .map_err(|problems| one(&problems))?;
        let before = Some(Arc::clone(&run.flow));
        let (flow, changed) = Flow::build(&self.maker, &run.env, plan, fresh, before).await;
        run.flow = Arc::clone(&flow);
        self.document = Some(document);
        self.show_running(Some(Arc::clone(&flow)));
        self.set_taps();
        self.tell_all(&Notice::Deployed);
        Ok(Answer::Deployed {
            kept: changed.kept,
            started: changed.started,
            stopped: changed.stopped,
            addresses: flow.addresses(),
        })
    }

    async fn start(&mut self) -> Result<Answer, Problem> {
        match *self.state.borrow() {
            RunState::Stopped => {}
            RunState::Draining => {
                return Err(Problem::new(
                    "the last run is still finishing; start again when it has stopped",
                ));
            }
            RunState::Running | RunState::Paused => {
                return Err(Problem::new("the flow runs already"));
            }
        }
        let Some(document) = &self.document else {
            return Err(Problem::new("there is no flow to start; deploy one first"));
        };
        let plan = self
            .maker
            .plan(document)
            .map_err(|problems| one(&problems))?;
        self.maker.shared.begin_run();
        let fresh = self
            .maker
            .make(&plan, None)
            .map_err(|problems| one(&problems))?;
        let world = Arc::clone(&self.maker.world);
        let env = Arc::new(Env {
            gate: Gate::default(),
            meters: Meters::default(),
            taps: Taps::default(),
            dead_letters: Arc::clone(&self.dead_letters),
            troubles: self.troubles.clone(),
            began_us: world.elapsed_us(),
            adrift: Arc::new(()),
            world,
        });
        let started = plan.nodes.len() as u32;
        let (flow, _) = Flow::build(&self.maker, &env, plan, fresh, None).await;
        let addresses = flow.addresses();
        self.show_running(Some(Arc::clone(&flow)));
        self.run = Some(Run {
            env,
            flow,
            draining: None,
        });
        self.set_taps();
        self.set_state(RunState::Running);
        Ok(Answer::Deployed {
            kept: 0,
            started,
            stopped: 0,
            addresses,
        })
    }

    /// The first stop drains; a second one ends the run at once.
    async fn stop(&mut self, from: From) {
        let Some(run) = &mut self.run else {
            return answer(from, Ok(Answer::Done));
        };
        self.stopping.push(from);
        if let Some(draining) = &run.draining {
            draining.abort();
            run.flow.abandon().await;
            return self.stopped();
        }
        run.env.gate.set(Mode::Open);
        let (flow, asked) = (Arc::clone(&run.flow), self.asked.clone());
        run.draining = Some(tokio::spawn(async move {
            flow.drain().await;
            let drained = Asked {
                command: Command::Stop,
                from: From::Drained,
            };
            if let Some(asked) = asked.upgrade() {
                // The engine may have ended meanwhile.
                let _gone = asked.send(drained).await;
            }
        }));
        self.set_state(RunState::Draining);
    }

    fn stopped(&mut self) {
        if self.run.is_none() {
            return; // ended at once, after all
        }
        self.show(true);
        self.run = None;
        self.show_running(None);
        self.set_state(RunState::Stopped);
        for from in std::mem::take(&mut self.stopping) {
            answer(from, Ok(Answer::Done));
        }
    }

    fn set_gate(&mut self, from: RunState, mode: Mode, to: RunState) -> Result<Answer, Problem> {
        let run = self.active()?;
        let state = *self.state.borrow();
        if state != from {
            return Err(Problem::new(
                format!("the flow is {state:?} and not {from:?}").to_lowercase(),
            ));
        }
        run.env.gate.set(mode);
        self.set_state(to);
        Ok(Answer::Done)
    }

    fn inject(
        &mut self,
        target: Target,
        data: Value,
        ty: Option<SmolStr>,
        id: Option<SmolStr>,
    ) -> Result<Answer, Problem> {
        let run = self.active()?;
        let world = &run.env.world;
        let id = id.unwrap_or_else(|| format_smolstr!("{:016x}", world.random()));
        let mut context = EventContext {
            id: id.clone(),
            time_ms: world.now_ms(),
            ..EventContext::default()
        };
        let flow = Arc::clone(&run.flow);
        match target {
            Target::Source(node) => {
                let feed = flow.feed(&node).ok_or_else(|| missing(&node, "source"))?;
                context.source = format_smolstr!("/{node}");
                let held = flow.plan.document.nodes.get(&node);
                let declared = held.and_then(|node| node.config_str("event_type"));
                context.ty = ty.or(declared.map(SmolStr::from)).unwrap_or_default();
                let event = event(context, data);
                let adrift = run.env.adrift();
                tokio::spawn(async move {
                    // A flow that takes no more events has nothing to lose here.
                    let _closed = feed.push(vec![Inbound::new(event)]).await;
                    drop(adrift);
                });
            }
            Target::Edge(edge) => {
                let Some(held) = flow.plan.document.edges.get(&edge) else {
                    return Err(missing(&edge, "wire"));
                };
                context.source = format_smolstr!("/{}", held.from.node);
                context.ty = ty.unwrap_or_default();
                let item = Item {
                    event: event(context, data),
                    share: Share::none(),
                    input: 0,
                };
                let adrift = run.env.adrift();
                tokio::spawn(async move {
                    flow.inject(&edge, item).await;
                    drop(adrift);
                });
            }
        }
        Ok(Answer::Injected { id })
    }

    /// Looks for a witness on a thread of its own, one after the other, and answers when it is done.
    fn look(&self, flow: String, question: Question, from: From) {
        let asked = witness::Asked {
            project: self.maker.project.clone(),
            world: Arc::clone(&self.maker.world),
            flow,
            question,
        };
        let turn = Arc::clone(&self.witnesses);
        tokio::spawn(async move {
            let _turn = turn.lock().await;
            let found = tokio::task::spawn_blocking(move || witness::look(&asked)).await;
            let broken = |_| Err(Problem::new("looking for a run that shows it ended early"));
            answer(from, found.unwrap_or_else(broken));
        });
    }

    /// Tries a function on a thread that may wait for it, and answers when it is done.
    fn try_out(&self, trial: Trial, from: From) {
        let shared = Arc::clone(&self.maker.shared);
        let world = Arc::clone(&self.maker.world);
        let project = self.maker.project.clone();
        let trying = tokio::task::spawn_blocking(move || trial.run(&project, &world, &shared));
        tokio::spawn(async move {
            let tried = trying.await;
            let broken = |_| Err(Problem::new("trying the function ended early"));
            let tried = tried.unwrap_or_else(broken);
            answer(from, tried.map(|tried| Answer::Tried { tried }));
        });
    }

    fn counters(&self) -> Counters {
        let run = self.run.as_ref();
        run.map(|run| self.counters_of(run)).unwrap_or_default()
    }

    fn counters_of(&self, run: &Run) -> Counters {
        let mut counters = run.flow.counters();
        counters.functions = self.maker.shared.function_costs(&run.flow.plan.document);
        counters
    }

    fn active(&self) -> Result<&Run, Problem> {
        let run = self.run.as_ref().filter(|run| run.draining.is_none());
        run.ok_or_else(|| Problem::new("the flow does not run; start it first"))
    }

    /// Sends what clients wait for: observed events, and with `snapshot` the counters.
    fn show(&mut self, snapshot: bool) {
        let Some(run) = &self.run else {
            return;
        };
        let (observed, skipped) = run.env.taps.look();
        for client in &mut self.clients {
            client.show(&observed, skipped);
        }
        if snapshot {
            let counters = self.counters_of(run);
            self.tell_all(&Notice::Counters { counters });
        }
        let (lines, skipped) = self.maker.shared.logs.take();
        if !lines.is_empty() || skipped > 0 {
            self.tell_all(&Notice::Logged { lines, skipped });
        }
    }

    fn set_state(&mut self, state: RunState) {
        self.state.send_replace(state);
        self.tell_all(&Notice::State { state });
    }

    fn show_running(&self, flow: Option<Arc<Flow>>) {
        *self.running.lock().unwrap_or_else(PoisonError::into_inner) = flow;
    }

    /// Marks the edges that somebody looks at.
    fn set_taps(&self) {
        let Some(run) = &self.run else {
            return;
        };
        for edge in &run.flow.plan.edges {
            let wanted = self.clients.iter().any(|client| client.wants(&edge.id));
            run.env
                .meters
                .edge(&edge.id)
                .tapped
                .store(wanted, Ordering::Relaxed);
        }
    }

    fn know(&mut self, line: &Arc<Line>) {
        if self
            .clients
            .iter()
            .any(|client| Arc::ptr_eq(&client.line, line))
        {
            return;
        }
        line.tell(Notice::State {
            state: *self.state.borrow(),
        });
        self.clients.push(Listener {
            line: Arc::clone(line),
            tap: None,
            waiting: VecDeque::new(),
            skipped: 0,
            batch: 0,
            owes: false,
        });
    }

    fn listener(&mut self, from: &From, mut change: impl FnMut(&mut Listener)) {
        let From::Client { line, .. } = from else {
            return;
        };
        let clients = self.clients.iter_mut();
        for listener in clients
            .filter(|client| Arc::ptr_eq(&client.line, line))
            .take(1)
        {
            change(listener);
        }
    }

    fn tell_all(&self, notice: &Notice) {
        for client in &self.clients {
            client.line.tell(notice.clone());
        }
    }
}

impl Listener {
    fn wants(&self, edge: &EdgeId) -> bool {
        let tap = self.tap.as_ref();
        tap.is_some_and(|edges| edges.is_empty() || edges.contains(edge))
    }

    fn show(&mut self, observed: &[Observed], skipped: u64) {
        if self.tap.is_none() {
            return;
        }
        self.skipped += skipped;
        for one in observed
            .iter()
            .filter(|one| self.wants(&one.edge))
            .cloned()
            .collect::<Vec<_>>()
        {
            if self.waiting.len() >= WAITING_MAX {
                self.waiting.pop_front();
                self.skipped += 1;
            }
            self.waiting.push_back(one);
        }
        if self.owes || (self.waiting.is_empty() && self.skipped == 0) {
            return;
        }
        self.batch += 1;
        self.owes = true;
        let count = self.waiting.len().min(BATCH_MAX);
        self.line.tell(Notice::Observed {
            batch: self.batch,
            events: self.waiting.drain(..count).collect(),
            skipped: std::mem::take(&mut self.skipped),
        });
    }
}

fn answer(from: From, result: Result<Answer, Problem>) {
    match from {
        From::Call(reply) => {
            // The caller may have given up waiting.
            let _gone = reply.send(result);
        }
        From::Client { line, request } => line.tell(Notice::Reply {
            id: request,
            result,
        }),
        From::Hello(_) | From::Drained => {}
    }
}

fn event(context: EventContext, data: Value) -> Event {
    Event {
        context: Arc::new(context),
        data,
    }
}

fn missing(id: &NodeId, what: &str) -> Problem {
    Problem::new(format!(
        "there is no {what} `{id}` in the flow that runs; look at its name"
    ))
}

/// All problems as one: the first one's place, and every message.
fn one(problems: &[Problem]) -> Problem {
    match problems {
        [problem] => problem.clone(),
        many => Problem {
            message: many
                .iter()
                .map(ToString::to_string)
                .collect::<Vec<_>>()
                .join("\n"),
            node: None,
        },
    }
}
