//! What is to be done, by virtual time and, at the same time, in the order in which it was noted.

use std::cmp::{Ordering, Reverse};
use std::collections::{BinaryHeap, VecDeque};

use crate::plan::{LineIndex, NodeIndex};

/// Something to do. Numbers of lines, nodes and so on are kept small, as tasks are moved more than anything
/// else is done with them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Task {
    /// The next of the facts that the scenario brings comes in.
    Arrive,
    /// A source looks for what it has to hand in.
    Source(u32),
    /// A line takes what waits for it.
    Work { line: u32, instance: u32 },
    /// A sink takes what waits for it.
    Write(u32),
    /// A subscription looks into its channel.
    Deliver { sub: u32, slot: u32 },
    /// Given-up events leave a channel.
    Lead(u32),
    /// Something that was held back goes on.
    Parked(u32),
    /// The same as `Deliver`, when a pause ends or a delivery counts as lost.
    Expire { sub: u32, slot: u32 },
    /// Operators of a line may have waited long enough.
    Idle { line: u32, instance: u32 },
}

impl Task {
    pub(super) fn source(node: NodeIndex) -> Task {
        Task::Source(node as u32)
    }

    pub(super) fn work(line: LineIndex, instance: usize) -> Task {
        Task::Work {
            line: line as u32,
            instance: instance as u32,
        }
    }

    pub(super) fn write(node: NodeIndex) -> Task {
        Task::Write(node as u32)
    }

    pub(super) fn deliver(sub: usize, slot: usize) -> Task {
        Task::Deliver {
            sub: sub as u32,
            slot: slot as u32,
        }
    }

    pub(super) fn lead(node: NodeIndex) -> Task {
        Task::Lead(node as u32)
    }

    pub(super) fn parked(place: usize) -> Task {
        Task::Parked(place as u32)
    }

    pub(super) fn expire(sub: usize, slot: usize) -> Task {
        Task::Expire {
            sub: sub as u32,
            slot: slot as u32,
        }
    }

    pub(super) fn idle(line: LineIndex, instance: usize) -> Task {
        Task::Idle {
            line: line as u32,
            instance: instance as u32,
        }
    }

    /// Whether a flow with only such things to do is at rest.
    pub(super) fn is_timer(self) -> bool {
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
    /// To be done at once, as nothing else is due by now. Most things have one that follows.
    next: Option<Task>,
    /// What comes soon, in its order.
    soon: VecDeque<Entry>,
    /// What comes later and first, the first one last. Only where nothing comes later it is empty.
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
    #[expect(
        clippy::inline_always,
        reason = "what follows at once is most of all, and short"
    )]
    #[inline(always)]
    pub(super) fn add(&mut self, at_us: u64, task: Task) {
        if at_us == self.now_us && !task.is_timer() && self.is_clear() {
            self.noted += 1;
            self.next = Some(task);
        } else {
            self.queue(at_us, task);
        }
    }

    fn queue(&mut self, at_us: u64, task: Task) {
        let number = self.noted;
        self.noted += 1;
        self.pressing += usize::from(!task.is_timer());
        let entry = Entry {
            key: (u128::from(at_us) << 64) | u128::from(number),
            task,
        };
        let is_last = self.soon.back().is_none_or(|last| last.at_us() <= at_us);
        if is_last && at_us <= self.now_us.saturating_add(SOON_US) {
            self.soon.push_back(entry);
        } else {
            self.queue_later(entry);
        }
    }

    /// Whether nothing is due by now.
    fn is_clear(&self) -> bool {
        let comes_now =
            |entry: Option<&Entry>| entry.is_some_and(|entry| entry.at_us() <= self.now_us);
        self.next.is_none() && !comes_now(self.near.last()) && !comes_now(self.soon.front())
    }

    fn queue_later(&mut self, entry: Entry) {
        let at_us = entry.at_us();
        let has_room = self.near.len() < NEAR_MAX;
        let before_some = self.near.first().is_none_or(|last| at_us < last.at_us());
        let is_near = before_some || has_room && self.far.is_empty();
        if !is_near {
            return self.far.push(Reverse(entry));
        }
        if !has_room {
            self.far.push(Reverse(self.near.remove(0)));
        }
        let mut place = self.near.len();
        self.near.push(entry);
        // Of those at the same time, earlier ones go first.
        while place > 0 && self.near[place - 1].at_us() <= at_us {
            self.near[place] = self.near[place - 1];
            place -= 1;
        }
        self.near[place] = entry;
    }

    fn pop_later(&mut self) -> Option<Entry> {
        let first = self.near.pop()?;
        if self.near.is_empty() {
            self.near.extend(self.far.pop().map(|Reverse(entry)| entry));
        }
        Some(first)
    }

    #[expect(
        clippy::inline_always,
        reason = "the loop that plays a run does little else"
    )]
    #[inline(always)]
    pub(super) fn pop(&mut self) -> Option<(u64, Task)> {
        if let Some(task) = self.next.take() {
            return Some((self.now_us, task));
        }
        let soon_first = match (self.soon.front(), self.near.last()) {
            (Some(soon), Some(later)) => soon < later,
            (soon, _) => soon.is_some(),
        };
        let entry = if soon_first {
            self.soon.pop_front()?
        } else {
            self.pop_later()?
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
        self.pressing == 0 && self.next.is_none()
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
            agenda.add(at_us, Task::write(number));
            wanted.push((at_us, number));
            if chance >> 63 == 1 {
                taken.extend(agenda.pop());
            }
        }
        taken.extend(std::iter::from_fn(|| agenda.pop()));
        wanted.sort_unstable();
        let wanted = wanted.into_iter();
        let wanted = wanted.map(|(at_us, number)| (at_us, Task::write(number)));
        assert_eq!(taken, wanted.collect::<Vec<_>>());
    }

    #[test]
    fn earlier_goes_first_and_timers_let_it_rest() {
        let mut agenda = Agenda::default();
        agenda.add(2, Task::write(0));
        agenda.add(1, Task::write(1));
        agenda.add(1, Task::idle(0, 0));
        agenda.add(1, Task::write(2));
        let mut order = Vec::new();
        while !agenda.is_at_rest() {
            order.extend(agenda.pop().map(|(_, task)| task));
        }
        let idle = Task::idle(0, 0);
        assert_eq!(
            order,
            [Task::write(1), idle, Task::write(2), Task::write(0)]
        );
    }
}
