//! The seats of a server: who sits where, and who may come back.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use runtime_protocol::Role;
use runtime_protocol::host::Location;
use runtime_protocol::wire::Resume;
use tokio::sync::Notify;
use tokio::time::Instant;

use super::Lines;
use crate::control::new_token;
use crate::engines::Shown;
use crate::files::{Files, Reach};
use crate::seat::{Hospitality, Seat};

/// Designers at one engine, those included that are expected back.
const SEATS_MAX: usize = 64;
/// How long a designer whose connection broke is expected back.
const AWAY_MAX: Duration = Duration::from_mins(1);
/// How often those are given up who stay away.
const TIDY_EVERY: Duration = Duration::from_secs(5);

/// All seats, by the secret name of their session.
pub(super) struct Seats {
    project: PathBuf,
    open: Location,
    lines: Lines,
    chairs: Mutex<HashMap<String, Arc<Chair>>>,
}

/// A seat, and the connection of who sits on it.
pub(super) struct Chair {
    pub session: String,
    role: Role,
    seat: Mutex<Seat>,
    /// There is news for the designer, or another connection took the place.
    pub wake: Arc<Notify>,
    /// Counts the connections; the latest one is served.
    connection: AtomicU64,
    /// Since when nobody sits here.
    left: Mutex<Option<Instant>>,
}

impl Seats {
    pub(super) fn new(project: PathBuf, open: Location, lines: Lines) -> Seats {
        Seats {
            project,
            open,
            lines,
            chairs: Mutex::default(),
        }
    }

    /// A place for who comes: the one that was left, or a new one; nothing when all are taken.
    pub(super) fn sit(&self, role: Role, resume: Option<&Resume>) -> Option<(Arc<Chair>, u64)> {
        let mut chairs = lock(&self.chairs);
        if let Some(chair) = resume.and_then(|resume| chairs.get(resume.session.as_str()))
            && chair.role == role
        {
            return Some((Arc::clone(chair), chair.connect()));
        }
        if chairs.len() >= SEATS_MAX {
            let left = chairs
                .values()
                .filter_map(|chair| Some(((*lock(&chair.left))?, chair.session.clone())));
            let (_, session) = left.min()?;
            chairs.remove(&session);
        }
        let session = new_token().ok()?;
        let wake = Arc::new(Notify::new());
        let waker = Arc::clone(&wake);
        let line = (self.lines)(Arc::new(move || waker.notify_one()));
        let files = Files::new(
            Reach::Folder(self.project.clone()),
            role == Role::Viewer,
            Shown::default(),
        );
        let hospitality = Hospitality {
            role,
            folder: String::new(),
            samples: Vec::new(),
            desktop: None,
            open: Some(self.open.clone()),
        };
        let chair = Arc::new(Chair {
            seat: Mutex::new(Seat::new(session.clone(), hospitality, line, files)),
            session: session.clone(),
            role,
            wake,
            connection: AtomicU64::new(0),
            left: Mutex::new(None),
        });
        let connection = chair.connect();
        chairs.insert(session, Arc::clone(&chair));
        Some((chair, connection))
    }

    /// Nobody comes back here.
    pub(super) fn give_up(&self, chair: &Chair) {
        lock(&self.chairs).remove(&chair.session);
    }

    /// Gives up those who stay away, for ever.
    pub(super) async fn tidy(&self) {
        let mut tick = tokio::time::interval(TIDY_EVERY);
        loop {
            tick.tick().await;
            lock(&self.chairs)
                .retain(|_, chair| lock(&chair.left).is_none_or(|left| left.elapsed() < AWAY_MAX));
        }
    }
}

impl Chair {
    pub(super) fn seat(&self) -> MutexGuard<'_, Seat> {
        lock(&self.seat)
    }

    fn connect(&self) -> u64 {
        *lock(&self.left) = None;
        let connection = self.connection.fetch_add(1, Ordering::AcqRel) + 1;
        self.wake.notify_one();
        connection
    }

    /// Whether this connection is the latest one.
    pub(super) fn serves(&self, connection: u64) -> bool {
        self.connection.load(Ordering::Acquire) == connection
    }

    pub(super) fn leave(&self, connection: u64) {
        if self.serves(connection) {
            *lock(&self.left) = Some(Instant::now());
        }
    }
}

fn lock<T>(held: &Mutex<T>) -> MutexGuard<'_, T> {
    held.lock().unwrap_or_else(PoisonError::into_inner)
}
