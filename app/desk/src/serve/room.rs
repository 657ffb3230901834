//! Where connections wait until they have shown a token: bounded, and the oldest makes room.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::TcpListener;
use tokio::task::AbortHandle;

/// Connections that have shown no token yet. One more ends the oldest of them, so that who opens
/// many and says nothing keeps nobody out.
const WAITING_MAX: usize = 128;
/// How long the head of a request may take.
const HEAD_MAX: Duration = Duration::from_secs(5);
/// Largest head of a request, in bytes.
const HEAD_BYTES_MAX: usize = 32 << 10;
/// How long to wait when the system gives no more connections.
const EXHAUSTED_PAUSE: Duration = Duration::from_millis(100);

/// The connections that wait, oldest first.
#[derive(Default)]
struct Room {
    waiting: Mutex<VecDeque<(u64, AbortHandle)>>,
}

/// Accepts connections for ever.
pub(super) async fn receive(listener: TcpListener, router: Router) {
    let room = Arc::new(Room::default());
    let mut number = 0_u64;
    loop {
        let Ok((stream, _)) = listener.accept().await else {
            room.make_way();
            tokio::time::sleep(EXHAUSTED_PAUSE).await;
            continue;
        };
        // Frames are whole; without this they may only be slower.
        drop(stream.set_nodelay(true));
        number += 1;
        let (router, own, id) = (router.clone(), Arc::clone(&room), number);
        let (enter, entered) = tokio::sync::oneshot::channel::<()>();
        let task = tokio::spawn(async move {
            // It leaves the room only after it has entered it.
            drop(entered.await);
            let connection = http1::Builder::new()
                .timer(TokioTimer::new())
                .header_read_timeout(HEAD_MAX)
                .max_buf_size(HEAD_BYTES_MAX)
                .serve_connection(TokioIo::new(stream), TowerToHyperService::new(router))
                .with_upgrades();
            // Whoever breaks off has had enough. An upgraded connection goes on elsewhere.
            drop(connection.await);
            own.leave(id);
        });
        room.enter(id, task.abort_handle());
        drop(enter);
    }
}

impl Room {
    fn enter(&self, id: u64, handle: AbortHandle) {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        if waiting.len() >= WAITING_MAX
            && let Some((_, oldest)) = waiting.pop_front()
        {
            oldest.abort();
        }
        waiting.push_back((id, handle));
    }

    fn leave(&self, id: u64) {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        waiting.retain(|(held, _)| *held != id);
    }

    /// Ends the older half.
    fn make_way(&self) {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        let half = waiting.len().div_ceil(2);
        for (_, oldest) in waiting.drain(..half) {
            oldest.abort();
        }
    }
}
