//! Lends the caller's world to a store for the length of one call.

use std::fmt;
use std::mem::transmute;
use std::ptr::NonNull;

use super::imports::CallWorld;

/// A place for a borrowed world, empty between calls.
///
/// The data of a store must outlive every borrow, while the caller of a call lends its world only
/// for that call. [`lend`] bridges the two, and is the only way to fill the place.
#[derive(Default)]
pub(super) struct Lent(Option<NonNull<dyn CallWorld>>);

impl fmt::Debug for Lent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_some() {
            "Lent(..)"
        } else {
            "Lent(nothing)"
        })
    }
}

#[expect(
    unsafe_code,
    reason = "the place is filled only while `lend` holds the borrow"
)]
// SAFETY: between calls the place is empty. During a call, `lend` stands on the stack of the thread
// that lent the world and has the holder borrowed, so no other thread can reach the place.
unsafe impl Send for Lent {}

impl Lent {
    /// The world of the present call, if there is a call.
    #[expect(
        unsafe_code,
        reason = "the place is filled only while `lend` holds the borrow"
    )]
    pub(super) fn world(&mut self) -> Option<&mut (dyn CallWorld + 'static)> {
        // SAFETY: `lend` filled the place from an exclusive borrow that it still holds, and empties
        // it before that ends. `&mut self` keeps a second borrow away for as long as this one lives.
        self.0.as_mut().map(|world| unsafe { world.as_mut() })
    }
}

/// Runs `call` while the place in `holder` holds `world`.
///
/// `call` must leave the same holder in its place: one swapped out would keep a dead borrow.
#[expect(
    unsafe_code,
    reason = "a store cannot hold a borrow, and the call lasts less long than one"
)]
pub(super) fn lend<H, R>(
    holder: &mut H,
    place: fn(&mut H) -> &mut Lent,
    world: &mut dyn CallWorld,
    call: impl FnOnce(&mut H) -> R,
) -> R {
    /// Takes the world back, also when the call panics.
    struct TakeBack<'a, H>(&'a mut H, fn(&mut H) -> &mut Lent);
    impl<H> Drop for TakeBack<'_, H> {
        fn drop(&mut self) {
            (self.1)(self.0).0 = None;
        }
    }

    let world = NonNull::from(world);
    // SAFETY: only the lifetime changes. `TakeBack` empties the place before this function returns
    // or unwinds, and until then `world` stays exclusively borrowed.
    let world = unsafe { transmute::<NonNull<dyn CallWorld + '_>, NonNull<dyn CallWorld>>(world) };
    let lent = TakeBack(holder, place);
    (lent.1)(lent.0).0 = Some(world);
    call(lent.0)
}

#[cfg(test)]
mod tests {
    use std::panic::{AssertUnwindSafe, catch_unwind};

    use super::super::imports::StateUnavailable;
    use super::*;

    struct Counter<'a>(&'a mut u64);

    impl CallWorld for Counter<'_> {
        fn now_millis(&mut self) -> u64 {
            *self.0 += 1;
            *self.0
        }
        fn fill_random(&mut self, _bytes: &mut [u8]) {}
        fn state_get(&mut self, _key: &str) -> Result<Option<Vec<u8>>, StateUnavailable> {
            Ok(None)
        }
    }

    #[test]
    fn the_world_is_there_during_the_call_only() {
        let (mut place, mut now) = (Lent::default(), 0);
        let during = lend(
            &mut place,
            |place| place,
            &mut Counter(&mut now),
            |place| {
                place.world().map(CallWorld::now_millis);
                place.world().map(CallWorld::now_millis)
            },
        );
        assert_eq!((during, now), (Some(2), 2));
        assert!(place.world().is_none());
    }

    #[test]
    fn a_panic_takes_the_world_back() {
        let (mut place, mut now) = (Lent::default(), 0);
        let call = AssertUnwindSafe(|| {
            lend(
                &mut place,
                |place| place,
                &mut Counter(&mut now),
                |_| panic!("in mid-call"),
            );
        });
        assert!(catch_unwind(call).is_err());
        assert!(place.world().is_none());
    }
}
