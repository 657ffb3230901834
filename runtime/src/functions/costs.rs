//! What the calls of a node's function cost: measured, for people.

use std::sync::Mutex;
use std::time::Duration;

use runtime_protocol::function::{DOUBLINGS, FunctionCost, Spread};

use super::host::{CacheUse, CallCost, FunctionInfo};
use crate::shared::lock;
use crate::simulate::Latencies;

/// The costs of one node, over all its instances.
#[derive(Debug, Default)]
pub(crate) struct Costs(Mutex<Held>);

#[derive(Debug, Default)]
struct Held {
    /// Of the function.
    sha256: String,
    told: FunctionCost,
    start: Durations,
    first: Durations,
    warm: Durations,
}

#[derive(Debug, Default)]
struct Durations {
    spread: Latencies,
    count: u64,
    max_ns: u64,
    doubling: Vec<u64>,
}

impl Costs {
    /// A call of this function was made; what another one cost counts no more.
    pub(super) fn add(&self, function: &FunctionInfo, cost: &CallCost, failed: bool) {
        self.add_all(function, [(*cost, failed)]);
    }

    /// The same of a call for many events, of which each has its share of the cost.
    pub(super) fn add_all(
        &self,
        function: &FunctionInfo,
        costs: impl IntoIterator<Item = (CallCost, bool)>,
    ) {
        let mut held = lock(&self.0);
        if held.sha256 != function.sha256 {
            *held = Held::of(function);
        }
        for (cost, failed) in costs {
            held.told.peak_bytes = held.told.peak_bytes.max(cost.peak_bytes);
            held.told.failed += u64::from(failed);
            match cost.start_time {
                Some(start) => {
                    held.start.add(start);
                    held.first.add(cost.handle_time);
                }
                None => held.warm.add(cost.handle_time),
            }
        }
    }

    /// Nothing while there was no call.
    pub(crate) fn told(&self) -> Option<FunctionCost> {
        let held = lock(&self.0);
        (held.first.count > 0).then(|| FunctionCost {
            start: held.start.told(),
            first: held.first.told(),
            warm: held.warm.told(),
            ..held.told.clone()
        })
    }
}

impl Held {
    fn of(function: &FunctionInfo) -> Held {
        Held {
            sha256: function.sha256.clone(),
            told: FunctionCost {
                imports: function
                    .imports
                    .iter()
                    .map(|held| held.as_str().into())
                    .collect(),
                compile_us: micros(function.compile_time),
                cached: function.cache == CacheUse::Hit,
                load_us: micros(function.load_time.saturating_sub(function.compile_time)),
                ..FunctionCost::default()
            },
            ..Held::default()
        }
    }
}

impl Durations {
    fn add(&mut self, time: Duration) {
        let ns = u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
        self.spread.add(ns);
        self.count += 1;
        self.max_ns = self.max_ns.max(ns);
        let us = ns.div_ceil(1_000).max(1);
        let step = (us.next_power_of_two().ilog2() as usize).min(DOUBLINGS - 1);
        if self.doubling.len() <= step {
            self.doubling.resize(step + 1, 0);
        }
        self.doubling[step] += 1;
    }

    fn told(&self) -> Spread {
        let at = |per_mille| self.spread.per_mille(per_mille).unwrap_or_default();
        Spread {
            count: self.count,
            p50_ns: at(500).min(self.max_ns),
            p99_ns: at(990).min(self.max_ns),
            max_ns: self.max_ns,
            doubling: self.doubling.clone(),
        }
    }
}

/// Whole microseconds.
pub(super) fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn call(start_us: Option<u64>, handle_us: u64, peak_bytes: u64) -> CallCost {
        CallCost {
            start_time: start_us.map(Duration::from_micros),
            handle_time: Duration::from_micros(handle_us),
            peak_bytes,
            instructions: None,
            host_calls: 0,
        }
    }

    fn function(sha256: &str) -> FunctionInfo {
        FunctionInfo {
            sha256: sha256.into(),
            bytes: 1,
            imports: BTreeSet::new(),
            cache: CacheUse::Hit,
            compile_time: Duration::from_micros(30),
            load_time: Duration::from_micros(50),
        }
    }

    #[test]
    fn first_calls_and_warm_ones_are_apart() {
        let costs = Costs::default();
        assert_eq!(costs.told(), None);
        let one = function("one");
        costs.add(&one, &call(Some(100), 40, 9), false);
        (0..99).for_each(|_| costs.add(&one, &call(None, 10, 5), false));
        costs.add(&one, &call(None, 3_000_000, 7), true);
        let told = costs.told().expect("there were calls");
        let counts = (told.start.count, told.first.count, told.warm.count);
        assert_eq!(counts, (1, 1, 100));
        assert_eq!((told.peak_bytes, told.failed), (9, 1));
        assert_eq!((told.compile_us, told.load_us, told.cached), (30, 20, true));
        assert_eq!((told.start.max_ns, told.first.p50_ns), (100_000, 40_000));
        let median = told.warm.p50_ns;
        assert!((10_000..10_700).contains(&median), "{median}");
        assert_eq!(told.warm.max_ns, 3_000_000_000);
        let doubling = &told.warm.doubling;
        assert_eq!((doubling[4], doubling[DOUBLINGS - 1]), (99, 1));
        costs.add(&function("other"), &call(Some(1), 1, 1), false);
        assert_eq!(costs.told().map(|told| told.warm.count), Some(0));
    }
}
