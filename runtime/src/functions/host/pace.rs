//! How long a call works, and how long it lasts with all that it waits for.

use std::time::{Duration, Instant};

use wasmtime::{Result, StoreContextMut, UpdateDeadline};

use super::imports::Imports;
use super::limits::{Limits, Overdue};

/// The time of a call, where time is what bounds it.
#[derive(Debug)]
pub(super) struct Pace {
    began: Instant,
    waited: Duration,
}

impl Pace {
    /// A call begins; answers after how many ticks of the clock to look at it.
    pub(super) fn begin(limits: &Limits) -> (Pace, u64) {
        let pace = Pace {
            began: Instant::now(),
            waited: Duration::ZERO,
        };
        let first = limits.time_millis_max.min(limits.wall_millis_max);
        (pace, ticks(Duration::from_millis(first)))
    }

    /// It has waited for somebody else.
    pub(super) fn wait(&mut self, time: Duration) {
        self.waited += time;
    }

    /// What is left of the time that the call may last.
    pub(super) fn left(&self, limits: &Limits) -> Result<Duration> {
        let used = self.began.elapsed();
        let limit_millis = limits.wall_millis_max;
        let left = Duration::from_millis(limit_millis).saturating_sub(used);
        if left.is_zero() {
            return Err(wasmtime::Error::new(Overdue { limit_millis, used }));
        }
        Ok(left)
    }
}

/// The clock has reached the tick at which a call is to be looked at.
pub(super) fn look(mut store: StoreContextMut<'_, Imports>) -> Result<UpdateDeadline> {
    let imports = store.data_mut();
    let limits = &imports.terms.limits;
    let Some(pace) = &imports.pace else {
        return Ok(UpdateDeadline::Interrupt);
    };
    let left = pace.left(limits)?;
    let worked = pace.began.elapsed().saturating_sub(pace.waited);
    let work_left = Duration::from_millis(limits.time_millis_max).saturating_sub(worked);
    if work_left.is_zero() {
        return Ok(UpdateDeadline::Interrupt);
    }
    Ok(UpdateDeadline::Continue(ticks(left.min(work_left))))
}

/// One more than asked for: the present tick is already in part over.
fn ticks(time: Duration) -> u64 {
    u64::try_from(time.as_millis())
        .unwrap_or(u64::MAX)
        .saturating_add(1)
}
