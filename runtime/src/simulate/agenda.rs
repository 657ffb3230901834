//! What is to be done, by virtual time and, at the same time, in the order in which it was noted.

use std::cmp::{Ordering, Reverse};
use std::collections::{BinaryHeap, VecDeque};

/// Something to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Task {
    /// The next of the facts that the scenario brings comes in.
    Arrive,
    /// A source looks for what it has to hand in.
    Source(usize),
    /// A line takes what waits for it.
    Work { line: usize, instance: usize },
    /// A sink takes what waits for it.
    Write(usize),
    /// A subscription looks into its channel.
    Deliver { sub: usize, slot: usize },
    /// Given-up events leave a channel.
    Lead(usize),
    /// Something that was held back goes on.
    Parked(usize),
    /// The same as `Deliver`, when a pause ends or a delivery counts as lost.
    Expire { sub: usize, slot: usize },
    /// Operators of a line may have waited long enough.
    Idle { line: usize, instance: usize },
}

impl Task {
    /// Whether a flow with only such things to do is at rest.
    fn is_timer(self) -> bool {
        matches!(self, Task::Expire { .. } | Task::Idle { .. })
    }
}

/// Whatever comes within so many microseconds in the order of its noting stands in a line of its own:
/// most things do.
const SOON_US: u64 = 1_000;
/// Of what comes later, so many that come first stand in their order: few flows have more to do at once.
const NEAR_MAX: usize = 16;

#[derive(Default)]
pub(super) struct Agenda {
    /// In their order.
    soon: VecDeque<Entry>,
    /// The first one last.
    near: Vec<Entry>,
    /// All that comes after those that are near.
    far: BinaryHeap<Reverse<Entry>>,
    /// Of the last entry that was taken.
    now_us: u64,
    noted: u64,
    /// Entries that are no timers.
    pressing: usize,
}

#[derive(Clone, Copy)]
struct Entry {
    /// The time, and below it the number.
    key: u128,
    task: Task,
}

impl Entry {
    fn at_us(&self) -> u64 {
        (self.key >> 64) as u64
    }
}

impl Agenda {
    pub(super) fn add(&mut self, at_us: u64, task: Task) {
        self.pressing += usize::from(!task.is_timer());
        let entry = Entry {
            key: (u128::from(at_us) << 64) | u128::from(self.noted),
            task,
        };
        self.noted += 1;
        let is_last = self.soon.back().is_none_or(|last| last.at_us() <= at_us);
        if is_last && at_us <= self.now_us.saturating_add(SOON_US) {
            self.soon.push_back(entry);
        } else {
            self.add_later(entry);
        }
    }

    fn add_later(&mut self, entry: Entry) {
        let is_near = match self.near.first() {
            Some(last) => entry < *last || (self.far.is_empty() && self.near.len() < NEAR_MAX),
            None => self.far.is_empty(),
        };
        if !is_near {
            return self.far.push(Reverse(entry));
        }
        if self.near.len() == NEAR_MAX {
            self.far.push(Reverse(self.near.remove(0)));
        }
        let sooner = self.near.iter().rev();
        let sooner = sooner.take_while(|held| **held < entry).count();
        self.near.insert(self.near.len() - sooner, entry);
    }

    fn pop_later(&mut self) -> Option<Entry> {
        let first = self.near.pop();
        first.or_else(|| self.far.pop().map(|Reverse(entry)| entry))
    }

    pub(super) fn pop(&mut self) -> Option<(u64, Task)> {
        let later = self.near.last().or_else(|| Some(&self.far.peek()?.0));
        let entry = match (self.soon.front(), later) {
            (Some(soon), Some(later)) if later.key < soon.key => self.pop_later()?,
            (Some(_), _) => self.soon.pop_front()?,
            (None, _) => self.pop_later()?,
        };
        self.now_us = entry.at_us();
        self.pressing -= usize::from(!entry.task.is_timer());
        Some((self.now_us, entry.task))
    }

    /// Entries so far.
    pub(super) fn noted(&self) -> u64 {
        self.noted
    }

    /// Whether nothing but timers is left.
    pub(super) fn is_at_rest(&self) -> bool {
        self.pressing == 0
    }
}

impl PartialEq for Entry {
    fn eq(&self, other: &Entry) -> bool {
        self.key == other.key
    }
}

impl Eq for Entry {}

impl Ord for Entry {
    fn cmp(&self, other: &Entry) -> Ordering {
        self.key.cmp(&other.key)
    }
}

impl PartialOrd for Entry {
    fn partial_cmp(&self, other: &Entry) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn soon_and_later_are_one_order() {
        let mut agenda = Agenda::default();
        let mut wanted = Vec::new();
        let mut chance = 1_u64;
        let mut taken = Vec::new();
        for number in 0..2_000 {
            chance = chance
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            let now_us = taken.last().map_or(0, |(at_us, _)| *at_us);
            let at_us = now_us + [0, 1, 1_000, 1_001, 70_000][(chance >> 33) as usize % 5];
            agenda.add(at_us, Task::Write(number));
            wanted.push((at_us, number));
            if chance >> 63 == 1 {
                taken.extend(agenda.pop());
            }
        }
        taken.extend(std::iter::from_fn(|| agenda.pop()));
        wanted.sort_unstable();
        let wanted = wanted.into_iter();
        let wanted = wanted.map(|(at_us, number)| (at_us, Task::Write(number)));
        assert_eq!(taken, wanted.collect::<Vec<_>>());
    }

    #[test]
    fn earlier_goes_first_and_timers_let_it_rest() {
        let mut agenda = Agenda::default();
        agenda.add(2, Task::Write(0));
        agenda.add(1, Task::Write(1));
        agenda.add(
            1,
            Task::Idle {
                line: 0,
                instance: 0,
            },
        );
        agenda.add(1, Task::Write(2));
        let mut order = Vec::new();
        while !agenda.is_at_rest() {
            order.extend(agenda.pop().map(|(_, task)| task));
        }
        let idle = Task::Idle {
            line: 0,
            instance: 0,
        };
        assert_eq!(
            order,
            [Task::Write(1), idle, Task::Write(2), Task::Write(0)]
        );
    }
}
