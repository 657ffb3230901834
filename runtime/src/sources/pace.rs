//! How fast a source hands events in.

use std::time::Duration;

use super::BATCH_MAX;
use crate::chance::exponential;
use crate::rim::Feed;
use crate::world::World;

/// Events behind the pace are made up for, but not more than this many seconds of them: after a
/// long pause the flow is not flooded.
const BEHIND_MAX_S: f64 = 1.0;

/// How far apart events are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Gaps {
    /// All gaps are alike.
    Even,
    /// By chance, as those of callers who know nothing of each other.
    Exponential,
}

/// So many events a second.
pub(crate) struct Pace {
    /// Events a second; 0 is as fast as the flow takes them.
    rate: f64,
    gaps: Gaps,
    /// When the first event was due, on the world's clock; when the next one is where gaps are by
    /// chance.
    began_s: f64,
    /// Events since then.
    taken: f64,
}

impl Pace {
    pub(crate) fn new(rate: f64, gaps: Gaps, world: &dyn World) -> Pace {
        Pace {
            rate,
            gaps,
            began_s: seconds(world),
            taken: 0.0,
        }
    }

    /// Waits until events are due; answers how many, at most a batch of them.
    pub(crate) async fn wait(&mut self, feed: &Feed) -> usize {
        loop {
            let now_s = seconds(&*feed.world);
            let due = match self.gaps {
                Gaps::Even => self.due(now_s),
                Gaps::Exponential => self.due_by_chance(now_s, &*feed.world),
            };
            match due {
                Ok(count) => return count,
                Err(pause) => tokio::time::sleep(pause).await,
            }
        }
    }

    /// Counts events as handed in.
    pub(crate) fn took(&mut self, count: usize) {
        if self.gaps == Gaps::Even {
            self.taken += count as f64;
        }
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

    /// The same when gaps are by chance. What is due counts as handed in.
    fn due_by_chance(&mut self, now_s: f64, world: &dyn World) -> Result<usize, Duration> {
        if self.rate <= 0.0 {
            return Ok(BATCH_MAX);
        }
        if now_s < self.began_s {
            return Err(Duration::from_secs_f64((self.began_s - now_s).min(3600.0)));
        }
        self.began_s = self.began_s.max(now_s - BEHIND_MAX_S);
        let mut count = 0;
        while self.began_s <= now_s && count < BATCH_MAX {
            count += 1;
            self.began_s += exponential(world.random()) / self.rate;
        }
        Ok(count)
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
            gaps: Gaps::Even,
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
    fn gaps_by_chance_come_to_the_same_rate() {
        let world = crate::world::SystemWorld::new();
        let mut pace = Pace {
            gaps: Gaps::Exponential,
            ..pace(100.0)
        };
        let mut count = 0;
        for tenths in 0..1_000 {
            while let Ok(due) = pace.due_by_chance(f64::from(tenths) / 10.0, &world) {
                count += due;
            }
        }
        assert!((9_000..11_000).contains(&count), "{count} of about 10000");
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
