//! How long facts took to reach a node, in virtual time: a histogram with an error below 7 %.

/// Steps within each power of two.
const STEPS: u64 = 16;

/// Durations in microseconds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Latencies {
    count: u64,
    sum_us: u64,
    buckets: Vec<u32>,
}

impl Latencies {
    #[inline]
    pub(crate) fn add(&mut self, us: u64) {
        let bucket = bucket_of(us);
        match self.buckets.get_mut(bucket) {
            Some(held) => *held = held.saturating_add(1),
            None => self.widen(bucket),
        }
        self.count += 1;
        self.sum_us = self.sum_us.saturating_add(us);
    }

    /// Those of the other one as well.
    pub(crate) fn add_all(&mut self, other: &Latencies) {
        if self.buckets.len() < other.buckets.len() {
            self.buckets.resize(other.buckets.len(), 0);
        }
        for (held, more) in self.buckets.iter_mut().zip(&other.buckets) {
            *held = held.saturating_add(*more);
        }
        self.count += other.count;
        self.sum_us = self.sum_us.saturating_add(other.sum_us);
    }

    /// The first that is so long.
    #[cold]
    fn widen(&mut self, bucket: usize) {
        self.buckets.resize(bucket, 0);
        self.buckets.push(1);
    }

    pub fn count(&self) -> u64 {
        self.count
    }

    /// All of them together.
    pub fn sum_us(&self) -> u64 {
        self.sum_us
    }

    /// Nothing when there are none.
    pub fn mean_us(&self) -> Option<f64> {
        (self.count > 0).then(|| self.sum_us as f64 / self.count as f64)
    }

    /// The duration that so many per mille of all do not exceed; nothing when there are none.
    pub fn per_mille(&self, per_mille: u64) -> Option<u64> {
        let rank = (self.count * per_mille).div_ceil(1_000).max(1);
        let mut passed = 0;
        for (bucket, count) in self.buckets.iter().enumerate() {
            passed += u64::from(*count);
            if passed >= rank {
                return Some(end_of(bucket));
            }
        }
        None
    }
}

fn bucket_of(us: u64) -> usize {
    if us < STEPS {
        return us as usize;
    }
    let power = u64::from(us.ilog2());
    let step = (us >> (power - 4)) - STEPS;
    ((power - 3) * STEPS + step) as usize
}

/// The longest duration of a bucket.
fn end_of(bucket: usize) -> u64 {
    let (power, step) = (bucket as u64 / STEPS, bucket as u64 % STEPS);
    match power {
        0 => step,
        power => ((STEPS + step + 1) << (power - 1)) - 1,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_close() {
        let mut held = Latencies::default();
        assert_eq!((held.per_mille(500), held.mean_us()), (None, None));
        (1..=10_000).for_each(|us| held.add(us));
        assert_eq!((held.count(), held.mean_us()), (10_000, Some(5_000.5)));
        for (per_mille, wanted) in [
            (500, 5_000_u64),
            (950, 9_500),
            (990, 9_900),
            (1_000, 10_000),
        ] {
            let found = held.per_mille(per_mille).expect("there are some");
            assert!(
                found >= wanted && found * 100 <= wanted * 107,
                "{per_mille}: {found}"
            );
        }
        for us in [0, 1, 15, 16, 17, 1_000, u64::MAX / 2] {
            assert!(end_of(bucket_of(us)) >= us);
            assert!(us == 0 || end_of(bucket_of(us) - 1) < us);
        }
    }
}
