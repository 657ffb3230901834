//! A world whose time only the driver moves and whose chance comes from a seed.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::sync::{Mutex, PoisonError};

use rand_core::{Rng, SeedableRng};
use rand_pcg::Pcg64Mcg;

use crate::world::World;

/// When the virtual time begins: 2026-01-01, in milliseconds since 1970.
pub const EPOCH_MS: i64 = 1_767_225_600_000;

/// Numbers that are drawn at once.
const DRAWN_MAX: usize = 16;

/// Time and chance of one simulation, which is played in one thread.
pub(super) struct VirtualWorld {
    now_us: AtomicU64,
    chance: Mutex<Pcg64Mcg>,
    drawn: [AtomicU64; DRAWN_MAX],
    /// The next of those drawn.
    next: AtomicUsize,
}

impl VirtualWorld {
    pub(super) fn new(seed: u64) -> VirtualWorld {
        VirtualWorld {
            now_us: AtomicU64::new(0),
            chance: Mutex::new(Pcg64Mcg::seed_from_u64(seed)),
            drawn: Default::default(),
            next: AtomicUsize::new(DRAWN_MAX),
        }
    }

    /// Begins anew.
    pub(super) fn reset(&self, seed: u64) {
        self.now_us.store(0, Relaxed);
        *self.chance.lock().unwrap_or_else(PoisonError::into_inner) = Pcg64Mcg::seed_from_u64(seed);
        self.next.store(DRAWN_MAX, Relaxed);
    }

    /// Draws anew when all numbers are taken; answers with the first one.
    #[cold]
    fn draw(&self) -> u64 {
        let mut chance = self.chance.lock().unwrap_or_else(PoisonError::into_inner);
        let drawn = self.drawn.iter();
        drawn.for_each(|held| held.store(chance.next_u64(), Relaxed));
        self.next.store(1, Relaxed);
        self.drawn[0].load(Relaxed)
    }

    pub(super) fn move_to(&self, now_us: u64) {
        self.now_us.store(now_us, Relaxed);
    }
}

/// So long after its beginning, in milliseconds since 1970.
pub(super) fn ms_at(elapsed_us: u64) -> i64 {
    EPOCH_MS.saturating_add_unsigned(elapsed_us / 1_000)
}

impl World for VirtualWorld {
    fn now_ms(&self) -> i64 {
        ms_at(self.elapsed_us())
    }

    fn elapsed_us(&self) -> u64 {
        self.now_us.load(Relaxed)
    }

    #[inline]
    fn random(&self) -> u64 {
        let next = self.next.load(Relaxed);
        match self.drawn.get(next) {
            Some(held) => {
                self.next.store(next + 1, Relaxed);
                held.load(Relaxed)
            }
            None => self.draw(),
        }
    }
}
