//! All chance of the machinery, from one seed.

use rand_core::{Rng, SeedableRng};
use rand_pcg::Pcg64Mcg;

pub(crate) struct Chance(Pcg64Mcg);

impl Chance {
    pub(crate) fn new(seed: u64) -> Chance {
        Chance(Pcg64Mcg::seed_from_u64(seed))
    }

    /// A number below `end`.
    pub(crate) fn below(&mut self, end: usize) -> usize {
        ((u128::from(self.0.next_u64()) * (end.max(1) as u128)) >> 64) as usize
    }

    /// One of the numbers from `low` to `high`, both included.
    pub(crate) fn within(&mut self, low: usize, high: usize) -> usize {
        low + self.below(high - low + 1)
    }

    /// True so many times of a hundred.
    pub(crate) fn percent(&mut self, percent: usize) -> bool {
        self.below(100) < percent
    }

    pub(crate) fn pick<'i, T>(&mut self, items: &'i [T]) -> &'i T {
        &items[self.below(items.len())]
    }

    /// One of the items, each as often as its weight says.
    pub(crate) fn weighted<T: Copy>(&mut self, items: &[(T, usize)]) -> T {
        let sum = items.iter().map(|(_, weight)| weight).sum();
        let mut at = self.below(sum);
        for (item, weight) in items {
            if at < *weight {
                return *item;
            }
            at -= weight;
        }
        items[0].0
    }

    /// A number below `end` that is mostly small.
    pub(crate) fn skewed(&mut self, end: usize) -> usize {
        let one = self.below(end);
        one.min(self.below(end)).min(self.below(end))
    }
}
