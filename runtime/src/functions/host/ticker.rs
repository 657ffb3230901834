//! Advances the engine's epoch each millisecond while calls run: the clock that stops endless loops.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::{self, JoinHandle, Thread};
use std::time::Duration;

use wasmtime::Engine;

const TICK: Duration = Duration::from_millis(1);

/// Ticks without a call before the thread goes to sleep, so that an idle engine costs nothing and a
/// busy one does not wake the thread for each call.
const IDLE_TICKS_MAX: u32 = 100;

/// A thread that ticks while it has to, and ends with this value.
#[derive(Debug)]
pub(super) struct Ticker {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Debug, Default)]
struct Shared {
    calls: AtomicUsize,
    asleep: AtomicBool,
    stopped: AtomicBool,
}

/// Keeps the ticker ticking until it is dropped.
#[derive(Debug)]
pub(super) struct Ticking<'a>(&'a Shared);

impl Ticker {
    pub(super) fn start(engine: Engine) -> io::Result<Self> {
        let shared = Arc::new(Shared::default());
        let ticked = Arc::clone(&shared);
        let thread = thread::Builder::new()
            .name("function-ticker".into())
            .spawn(move || tick(&ticked, &engine))?;
        Ok(Self {
            shared,
            thread: Some(thread),
        })
    }

    /// Ticks until the returned value is dropped.
    pub(super) fn ticking(&self) -> Ticking<'_> {
        self.shared.calls.fetch_add(1, Ordering::SeqCst);
        if self.shared.asleep.swap(false, Ordering::SeqCst) {
            self.wake();
        }
        Ticking(&self.shared)
    }

    fn wake(&self) {
        self.thread
            .as_ref()
            .map(JoinHandle::thread)
            .map(Thread::unpark);
    }
}

impl Drop for Ticking<'_> {
    fn drop(&mut self) {
        self.0.calls.fetch_sub(1, Ordering::SeqCst);
    }
}

impl Drop for Ticker {
    fn drop(&mut self) {
        self.shared.stopped.store(true, Ordering::SeqCst);
        self.wake();
        if let Some(thread) = self.thread.take() {
            // The thread cannot panic, and nothing is left to do if it did.
            drop(thread.join());
        }
    }
}

fn tick(shared: &Shared, engine: &Engine) {
    let mut idle_ticks = 0;
    while !shared.stopped.load(Ordering::SeqCst) {
        if idle_ticks >= IDLE_TICKS_MAX {
            shared.asleep.store(true, Ordering::SeqCst);
            // A call that came before `asleep` was set does not wake the thread: look once more.
            if shared.calls.load(Ordering::SeqCst) == 0 {
                thread::park();
            }
            shared.asleep.store(false, Ordering::SeqCst);
            idle_ticks = 0;
            continue;
        }
        thread::park_timeout(TICK);
        engine.increment_epoch();
        idle_ticks = if shared.calls.load(Ordering::SeqCst) == 0 {
            idle_ticks + 1
        } else {
            0
        };
    }
}
