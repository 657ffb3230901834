//! The seed of random flows: the same in every run, unless `WEIR_SEED` asks for others.

use proptest::test_runner::RngSeed;

/// The seed of a run that nobody asked others of.
const USUAL: u64 = 20_261_126;

/// The seed to start from; it is told beside a failure, so that who sees one can have it again.
pub(crate) fn seed() -> RngSeed {
    let asked = std::env::var("WEIR_SEED").ok();
    let seed = asked.map_or(USUAL, |text| {
        text.parse().expect("`WEIR_SEED` is a whole number")
    });
    eprintln!("random flows of WEIR_SEED={seed}");
    RngSeed::Fixed(seed)
}
