//! A source's line into the flow.

use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, PoisonError};

use graph_model::event::Event;
use graph_model::id::NodeId;
use runtime_protocol::Problem;
use tokio::sync::watch;

use super::env::Env;
use super::gate::Mode;
use super::line::Line;
use super::meters::NodeMeter;
use super::reply::Replies;
use crate::delivery::Share;
use crate::operator::Failure;
use crate::rim::{FeedLine, FlowClosed, Inbound, Work};

/// What a source holds on to, while flows are rebuilt around it.
pub(crate) struct SourceFeed {
    pub id: NodeId,
    pub env: Arc<Env>,
    pub meter: Arc<NodeMeter>,
    pub replies: Arc<Replies>,
    entry: Mutex<Option<Arc<Line>>>,
    stop: watch::Sender<bool>,
    /// Whether nothing more will come, or nothing is known to be there.
    at_rest: Mutex<Box<dyn Fn() -> bool + Send + Sync>>,
}

/// Events handed on at once, at most; between portions an edit or a pause may come.
const PORTION: usize = 256;

impl SourceFeed {
    pub(crate) fn new(id: NodeId, env: &Arc<Env>) -> SourceFeed {
        SourceFeed {
            meter: env.meters.node(&id),
            id,
            env: Arc::clone(env),
            replies: Arc::default(),
            entry: Mutex::default(),
            stop: watch::Sender::new(false),
            at_rest: Mutex::new(Box::new(|| false)),
        }
    }

    /// Leads the source's events into this line from now on.
    pub(crate) fn lead_to(&self, line: Option<Arc<Line>>) {
        *self.entry.lock().unwrap_or_else(PoisonError::into_inner) = line;
    }

    pub(crate) fn stop(&self) {
        self.stop.send_replace(true);
    }

    /// The source has ended.
    pub(crate) fn ended(&self) {
        self.caught_up();
    }

    pub(crate) fn is_at_rest(&self) -> bool {
        let at_rest = self.at_rest.lock().unwrap_or_else(PoisonError::into_inner);
        at_rest()
    }

    fn line(&self) -> Option<Arc<Line>> {
        self.entry
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// Hands something to the line once the gate lets `want` events through; `give` is told how
    /// many they are. Resolves when the line has worked them off.
    async fn hand_in(
        &self,
        give: &mut (dyn FnMut(&mut super::line::LineState, usize) + Send),
    ) -> Result<(), FlowClosed> {
        loop {
            let changed = self.env.gate.changed();
            if *self.stop.borrow() {
                return Err(FlowClosed);
            }
            let line = self.line().ok_or(FlowClosed)?;
            let state = line.lock().await;
            if state.retired {
                continue; // the rebuilt flow has told the feed where to go
            }
            // What is under way goes first, so that nothing piles up inside.
            let mut guard = Unfinished::new(&line);
            let Some(mut state) = line.work_off(state).await else {
                guard.done();
                continue;
            };
            let max = match self.env.gate.mode() {
                Mode::Open => PORTION,
                Mode::Paused => usize::from(self.env.gate.take_step(&self.id)),
                Mode::Held => 0,
            };
            if max == 0 {
                drop(state);
                guard.done();
                changed.await;
                continue;
            }
            give(&mut state, max);
            drop(line.work_off(state).await);
            guard.done();
            return Ok(());
        }
    }
}

impl FeedLine for SourceFeed {
    fn push(&self, events: Vec<Inbound>) -> Work<'_, Result<(), FlowClosed>> {
        Box::pin(async move {
            let mut events = events.into_iter().peekable();
            while events.peek().is_some() {
                self.hand_in(&mut |state, max| {
                    let mut count = 0;
                    for inbound in events.by_ref().take(max) {
                        count += 1;
                        let Inbound {
                            event,
                            settled,
                            wants_reply,
                        } = inbound;
                        let share = match settled {
                            Some(settled) => self.replies.open(&event, settled, wants_reply),
                            None => Share::none(),
                        };
                        state.emit(0, 0, event, share, 0, &self.env);
                    }
                    self.meter.received.fetch_add(count, Ordering::Relaxed);
                    self.meter.sent.fetch_add(count, Ordering::Relaxed);
                })
                .await?;
            }
            Ok(())
        })
    }

    fn stopped(&self) -> Work<'_, ()> {
        Box::pin(async move {
            let mut stop = self.stop.subscribe();
            // The sender lives as long as the feed.
            let _stopped = stop.wait_for(|stop| *stop).await;
        })
    }

    fn caught_up(&self) {
        self.caught_up_while(Box::new(|| true));
    }

    fn caught_up_while(&self, still: Box<dyn Fn() -> bool + Send + Sync>) {
        *self.at_rest.lock().unwrap_or_else(PoisonError::into_inner) = still;
    }

    fn refused(&self) {
        self.meter.refused.fetch_add(1, Ordering::Relaxed);
    }

    fn unreadable(&self, event: Event, failure: Failure) -> Work<'_, Result<(), FlowClosed>> {
        Box::pin(async move {
            let mut event = Some(event);
            self.hand_in(&mut |state, _| {
                if let Some(event) = event.take() {
                    self.meter.failed.fetch_add(1, Ordering::Relaxed);
                    state.fail(0, &event, &failure, 1, Share::none(), &self.env);
                }
            })
            .await
        })
    }

    fn trouble(&self, message: String) {
        self.env.troubles.report(Problem::at(&self.id, message));
    }
}

/// Sees to it that a line is worked off although the one who filled it went away in the middle,
/// as a request does whose client hangs up.
struct Unfinished<'l> {
    line: &'l Arc<Line>,
    done: bool,
}

impl<'l> Unfinished<'l> {
    fn new(line: &'l Arc<Line>) -> Unfinished<'l> {
        Unfinished { line, done: false }
    }

    fn done(&mut self) {
        self.done = true;
    }
}

impl Drop for Unfinished<'_> {
    fn drop(&mut self) {
        if !self.done
            && let Ok(runtime) = tokio::runtime::Handle::try_current()
        {
            let line = Arc::clone(self.line);
            runtime.spawn(async move {
                let state = line.lock().await;
                if !state.retired {
                    drop(line.work_off(state).await);
                }
            });
        }
    }
}
