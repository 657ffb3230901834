//! Deliveries: who is told when an event, and everything that followed from it, is safe.
//!
//! A channel that hands out an event, or a request that waits for its answer, opens a
//! [`Delivery`](Share). Whatever is derived from the event carries a share of it. When the last
//! share is gone the delivery is settled: safe, unless somebody [gave it up](Share::give_up).

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError, Weak};

use crate::operator::Failure;

/// Who is told what became of a delivery.
pub trait Settle: Send + Sync {
    /// Answers whether the outcome counts. It does not when the same event was handed out again in
    /// the meantime, as when a visibility timeout has passed.
    fn settle(&self, outcome: Result<(), Failure>) -> bool;
}

/// A share in a delivery; none when nobody waits for one.
#[derive(Clone, Default)]
pub struct Share(Option<Arc<Delivery<dyn Settle>>>);

struct Delivery<S: Settle + ?Sized> {
    /// Counts deliveries in the order in which they were opened.
    seq: u64,
    failure: Mutex<Option<Failure>>,
    /// Copies that were dropped because this delivery is under way, and so share its outcome.
    followers: Mutex<Vec<Share>>,
    outcome: OnceLock<Arc<OnceLock<bool>>>,
    bound: Mutex<Vec<Decide>>,
    to: S,
}

/// Told whether a delivery was settled well.
type Decide = Box<dyn FnOnce(bool) + Send>;

/// Looks on, without taking part.
#[derive(Clone)]
pub struct Watch {
    delivery: Weak<Delivery<dyn Settle>>,
    safe: Arc<OnceLock<bool>>,
}

/// How a delivery stands.
pub enum Standing {
    UnderWay(Share),
    Safe,
    GivenUp,
}

impl Share {
    /// Opens a delivery and takes the first share.
    pub fn open(to: impl Settle + 'static) -> Share {
        static OPENED: AtomicU64 = AtomicU64::new(0);
        Share(Some(Arc::new(Delivery {
            seq: OPENED.fetch_add(1, Ordering::Relaxed),
            failure: Mutex::default(),
            followers: Mutex::default(),
            outcome: OnceLock::new(),
            bound: Mutex::default(),
            to,
        })))
    }

    /// Nobody waits.
    pub fn none() -> Share {
        Share(None)
    }

    pub fn is_none(&self) -> bool {
        self.0.is_none()
    }

    /// Gives the event up. Answers `false` when nobody waits, so that the event must be kept
    /// elsewhere. The first reason counts.
    #[must_use]
    pub fn give_up(&self, failure: &Failure) -> bool {
        let Some(delivery) = &self.0 else {
            return false;
        };
        let mut held = lock(&delivery.failure);
        if held.is_none() {
            *held = Some(failure.clone());
        }
        true
    }

    /// Lets `copy` share the outcome of this delivery. Only an older delivery leads, so that two
    /// that carry copies of each other's events never wait for each other: the older one comes
    /// again instead.
    pub fn lead(&self, copy: &Share) {
        let (Some(delivery), Some(other)) = (&self.0, &copy.0) else {
            return;
        };
        match delivery.seq.cmp(&other.seq) {
            std::cmp::Ordering::Less => lock(&delivery.followers).push(copy.clone()),
            std::cmp::Ordering::Equal => {}
            std::cmp::Ordering::Greater => {
                let _waits = copy.give_up(&Failure::transient(
                    "a copy of it is still under way; send it again in a moment",
                ));
            }
        }
    }

    /// Binds something to the delivery that is to hold only when that is settled well. Nothing is
    /// bound, nor told, when nobody waits.
    pub fn bind(&self, decide: impl FnOnce(bool) + Send + 'static) {
        if let Some(delivery) = &self.0 {
            lock(&delivery.bound).push(Box::new(decide));
        }
    }

    /// A look on the delivery, when there is one.
    pub fn watch(&self) -> Option<Watch> {
        let delivery = self.0.as_ref()?;
        Some(Watch {
            delivery: Arc::downgrade(delivery),
            safe: Arc::clone(delivery.outcome.get_or_init(Arc::default)),
        })
    }
}

impl Watch {
    pub fn standing(&self) -> Standing {
        if let Some(delivery) = self.delivery.upgrade() {
            return Standing::UnderWay(Share(Some(delivery)));
        }
        // The last share is gone: the outcome is there, or being written at this instant.
        if *self.safe.wait() {
            Standing::Safe
        } else {
            Standing::GivenUp
        }
    }
}

impl<S: Settle + ?Sized> Drop for Delivery<S> {
    fn drop(&mut self) {
        let mut failure = sole(&mut self.failure).take();
        if failure.is_none() && std::thread::panicking() {
            // Whoever held the last share broke down in the middle of its work.
            failure = Some(Failure::transient("its handler broke down; report this"));
        }
        let bound = std::mem::take(sole(&mut self.bound));
        let counts = self.to.settle(failure.clone().map_or(Ok(()), Err));
        if !counts && !bound.is_empty() && failure.is_none() {
            // The event is under way once more, so what it did here may not hold as well.
            failure = Some(Failure::transient(
                "it was handed out again in the meantime",
            ));
        }
        if let Some(outcome) = self.outcome.get() {
            // Set once, here.
            let _first = outcome.set(failure.is_none());
        }
        for follower in sole(&mut self.followers).drain(..) {
            if let Some(failure) = &failure {
                let _waits = follower.give_up(failure);
            }
        }
        for decide in bound {
            decide(failure.is_none());
        }
    }
}

impl fmt::Debug for Share {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_some() {
            "Share(..)"
        } else {
            "Share(nobody waits)"
        })
    }
}

/// What nobody else can hold any more.
fn sole<T>(held: &mut Mutex<T>) -> &mut T {
    held.get_mut().unwrap_or_else(PoisonError::into_inner)
}

fn lock<T>(held: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    held.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::{Sender, channel};

    use super::*;

    struct Tell(Sender<Result<(), Failure>>);

    impl Settle for Tell {
        fn settle(&self, outcome: Result<(), Failure>) -> bool {
            self.0.send(outcome).expect("the test listens");
            true
        }
    }

    #[test]
    fn the_last_share_settles() {
        let (told, heard) = channel();
        let share = Share::open(Tell(told));
        let other = share.clone();
        drop(share);
        assert!(heard.try_recv().is_err());
        drop(other);
        assert_eq!(heard.try_recv(), Ok(Ok(())));
    }

    #[test]
    fn one_failure_gives_the_whole_delivery_up() {
        let (told, heard) = channel();
        let share = Share::open(Tell(told));
        let watch = share.watch().expect("somebody waits");
        let (copy_told, copy_heard) = channel();
        let copy = Share::open(Tell(copy_told));
        match watch.standing() {
            Standing::UnderWay(first) => first.lead(&copy),
            _ => panic!("it is under way"),
        }
        drop(copy);
        assert!(
            copy_heard.try_recv().is_err(),
            "the copy waits for the first"
        );
        assert!(share.clone().give_up(&Failure::transient("disk full")));
        drop(share);
        let failure = Err(Failure::transient("disk full"));
        assert_eq!(heard.try_recv(), Ok(failure.clone()));
        assert_eq!(copy_heard.try_recv(), Ok(failure));
        assert!(matches!(watch.standing(), Standing::GivenUp));
        assert!(!Share::none().give_up(&Failure::invalid("no")));
    }

    #[test]
    fn what_is_bound_holds_when_the_delivery_is_settled_well_and_counts() {
        struct Counts(bool);
        impl Settle for Counts {
            fn settle(&self, _: Result<(), Failure>) -> bool {
                self.0
            }
        }
        for (counts, given_up, holds) in [
            (true, false, true),
            (true, true, false),
            (false, false, false),
        ] {
            let (told, heard) = channel();
            let share = Share::open(Counts(counts));
            let watch = share.watch().expect("somebody waits");
            share.bind(move |well| told.send(well).expect("the test listens"));
            if given_up {
                assert!(share.give_up(&Failure::transient("disk full")));
            }
            assert!(heard.try_recv().is_err());
            drop(share);
            assert_eq!(heard.try_recv(), Ok(holds), "{counts} {given_up}");
            assert_eq!(matches!(watch.standing(), Standing::Safe), holds);
        }
    }

    #[test]
    fn deliveries_never_wait_for_each_other() {
        let (told, heard) = channel();
        let (later_told, later_heard) = channel();
        let earlier = Share::open(Tell(told));
        let later = Share::open(Tell(later_told));
        earlier.lead(&later);
        later.lead(&earlier);
        drop((earlier, later));
        let again = heard.try_recv().expect("settled");
        assert!(again.is_err(), "the earlier one comes again");
        assert_eq!(
            later_heard.try_recv(),
            Ok(again),
            "and what follows it, too"
        );
    }
}
