//! What is to be done, by virtual time and, at the same time, in the order in which it was noted.

use std::cmp::{Ordering, Reverse};
use std::collections::BinaryHeap;

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

#[derive(Default)]
pub(super) struct Agenda {
    entries: BinaryHeap<Reverse<Entry>>,
    noted: u64,
    /// Entries that are no timers.
    pressing: usize,
}

#[derive(Clone, Copy, PartialEq, Eq)]
struct Entry {
    at_us: u64,
    number: u64,
    task: Task,
}

impl Agenda {
    pub(super) fn add(&mut self, at_us: u64, task: Task) {
        self.pressing += usize::from(!task.is_timer());
        self.entries.push(Reverse(Entry {
            at_us,
            number: self.noted,
            task,
        }));
        self.noted += 1;
    }

    pub(super) fn pop(&mut self) -> Option<(u64, Task)> {
        let Reverse(entry) = self.entries.pop()?;
        self.pressing -= usize::from(!entry.task.is_timer());
        Some((entry.at_us, entry.task))
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

impl Ord for Entry {
    fn cmp(&self, other: &Entry) -> Ordering {
        (self.at_us, self.number).cmp(&(other.at_us, other.number))
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
