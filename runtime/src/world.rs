//! The only door for time, chance and ids. Nothing else in the engine asks the machine for them.

use std::sync::Mutex;

use rand_core::Rng;
use rand_pcg::Pcg64Mcg;

/// Where an engine gets its time and its chance from.
pub trait World: Send + Sync {
    /// Wall-clock time in milliseconds since 1970-01-01 UTC.
    fn now_ms(&self) -> i64;
    /// Time since the world began, in microseconds; never goes back.
    fn elapsed_us(&self) -> u64;
    fn random(&self) -> u64;
}

/// The machine's clock, and chance from the machine's entropy.
pub struct SystemWorld {
    began: std::time::Instant,
    chance: Mutex<Pcg64Mcg>,
}

impl SystemWorld {
    pub fn new() -> SystemWorld {
        // The hasher's keys are the standard library's portable source of entropy.
        use std::hash::{BuildHasher, RandomState};
        let seed = RandomState::new().hash_one("weir world");
        SystemWorld {
            began: std::time::Instant::now(),
            chance: Mutex::new(Pcg64Mcg::new(seed.into())),
        }
    }
}

impl Default for SystemWorld {
    fn default() -> Self {
        SystemWorld::new()
    }
}

impl World for SystemWorld {
    fn now_ms(&self) -> i64 {
        let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
        since.map_or(0, |since| since.as_millis() as i64)
    }

    fn elapsed_us(&self) -> u64 {
        self.began.elapsed().as_micros() as u64
    }

    fn random(&self) -> u64 {
        self.chance
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
            .next_u64()
    }
}
