//! A line to the engine within one process.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use runtime_protocol::{NOTICES_MAX, Notice, Problem, Request, Transport};
use tokio::sync::mpsc;

use super::control::{Asked, From};

/// One end of a line; the engine holds the other.
pub struct Client {
    asked: mpsc::Sender<Asked>,
    line: Arc<Line>,
}

/// Notices on their way to a client.
#[derive(Default)]
pub(super) struct Line {
    notices: Mutex<VecDeque<Notice>>,
    wake: Mutex<Option<Box<dyn Fn() + Send>>>,
    closed: AtomicBool,
}

impl Client {
    pub(super) fn new(asked: mpsc::Sender<Asked>) -> Client {
        let line = Arc::new(Line::default());
        let client = Client { asked, line };
        let hello = Asked {
            command: runtime_protocol::Command::ReadCounters,
            from: From::Hello(Arc::clone(&client.line)),
        };
        // A queue full of commands: the first command of the client makes it known as well.
        let _full = client.asked.try_send(hello);
        client
    }

    /// Calls `wake` whenever a notice came, from one of the engine's threads.
    pub fn wake_with(&self, wake: impl Fn() + Send + 'static) {
        *lock(&self.line.wake) = Some(Box::new(wake));
    }
}

impl Transport for Client {
    fn send(&mut self, request: Request) -> Result<(), Problem> {
        let asked = Asked {
            command: request.command,
            from: From::Client {
                line: Arc::clone(&self.line),
                request: request.id,
            },
        };
        self.asked.try_send(asked).map_err(|error| match error {
            mpsc::error::TrySendError::Full(_) => {
                Problem::new("the engine is busy with other commands; try again in a moment")
            }
            mpsc::error::TrySendError::Closed(_) => {
                Problem::new("the engine has ended; start Weir again")
            }
        })
    }

    fn poll(&mut self) -> Vec<Notice> {
        lock(&self.line.notices).drain(..).collect()
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        self.line.closed.store(true, Ordering::Release);
    }
}

impl Line {
    pub(super) fn is_closed(&self) -> bool {
        self.closed.load(Ordering::Acquire)
    }

    /// Adds a notice. While nobody takes them, samples and snapshots make way for answers.
    pub(super) fn tell(&self, notice: Notice) {
        let mut notices = lock(&self.notices);
        if notices.len() >= NOTICES_MAX {
            let thin = |notice: &Notice| {
                matches!(notice, Notice::Observed { .. } | Notice::Counters { .. })
            };
            let oldest = notices.iter().position(thin).unwrap_or(0);
            notices.remove(oldest);
        }
        notices.push_back(notice);
        drop(notices);
        if let Some(wake) = &*lock(&self.wake) {
            wake();
        }
    }
}

fn lock<T>(held: &Mutex<T>) -> MutexGuard<'_, T> {
    held.lock().unwrap_or_else(PoisonError::into_inner)
}
