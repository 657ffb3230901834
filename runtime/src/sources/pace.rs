//! How fast a source hands events in.

use std::time::Duration;

use super::BATCH_MAX;
use crate::rim::Feed;
use crate::world::World;

/// Events behind the pace are made up for, but not more than this many seconds of them: after a
/// long pause the flow is not flooded.
const BEHIND_MAX_S: f64 = 1.0;

/// So many events a second.
pub(crate) struct Pace {
    /// Events a second; 0 is as fast as the flow takes them.
    rate: f64,
    /// When the first event was due, on the world's clock.
    began_s: f64,
    /// Events since then.
    taken: f64,
}

impl Pace {
    pub(crate) fn new(rate: f64, world: &dyn World) -> Pace {
        Pace {
            rate,
            began_s: seconds(world),
            taken: 0.0,
        }
    }

    /// Waits until events are due; answers how many, at most a batch of them.
    pub(crate) async fn wait(&mut self, feed: &Feed) -> usize {
        loop {
            match self.due(seconds(&*feed.world)) {
                Ok(count) => return count,
                Err(pause) => tokio::time::sleep(pause).await,
            }
        }
    }

    /// Counts events as handed in.
    pub(crate) fn took(&mut self, count: usize) {
        self.taken += count as f64;
    }

    /// How many events are due, at least one, or how long it is until the next one is.
    fn due(&mut self, now_s: f64) -> Result<usize, Duration> {
        if self.rate <= 0.0 {
            return Ok(BATCH_MAX);
        }
        let next_s = self.began_s + self.taken / self.rate;
        if now_s < next_s {
            return Err(Duration::from_secs_f64((next_s - now_s).min(3600.0)));
        }
        if now_s - next_s > BEHIND_MAX_S {
            self.began_s += now_s - next_s - BEHIND_MAX_S;
        }
        let count = ((now_s - self.began_s) * self.rate - self.taken).floor() + 1.0;
        Ok((count.max(1.0) as usize).min(BATCH_MAX))
    }
}

fn seconds(world: &dyn World) -> f64 {
    world.elapsed_us() as f64 / 1e6
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pace(rate: f64) -> Pace {
        Pace {
            rate,
            began_s: 0.0,
            taken: 0.0,
        }
    }

    #[test]
    fn events_are_due_one_after_the_other() {
        let mut pace = pace(2.0);
        assert_eq!(pace.due(0.0), Ok(1));
        pace.took(1);
        assert_eq!(pace.due(0.1), Err(Duration::from_millis(400)));
        assert_eq!(pace.due(1.0), Ok(2));
    }

    #[test]
    fn a_long_pause_is_not_made_up_for() {
        let mut pace = pace(10.0);
        assert_eq!(pace.due(3600.0), Ok(11));
        pace.took(11);
        assert!(pace.due(3600.0).is_err());
    }

    #[test]
    fn unpaced_is_a_full_batch() {
        assert_eq!(pace(0.0).due(0.0), Ok(BATCH_MAX));
    }
}
