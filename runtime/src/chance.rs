//! Numbers that are drawn by chance, computed alike on every machine and by every compiler.
//!
//! Functions of the standard library such as `ln` come from the platform and may differ in their last
//! digits; these come from one place, and nothing that a run depends on uses others.

/// A number from 0 to 1, without 1.
pub(crate) fn fraction(random: u64) -> f64 {
    (random >> 11) as f64 / (1_u64 << 53) as f64
}

/// A duration of which nobody can say, however long it has lasted, when it ends; 1 on average.
pub(crate) fn exponential(random: u64) -> f64 {
    -ln(1.0 - fraction(random))
}

/// A number around 0 that lies within 1 two times of three.
pub(crate) fn normal(first: u64, second: u64) -> f64 {
    let angle = 2.0 * std::f64::consts::PI * fraction(second);
    (2.0 * exponential(first)).sqrt() * libm::cos(angle)
}

pub(crate) fn ln(number: f64) -> f64 {
    libm::log(number)
}

pub(crate) fn exp(number: f64) -> f64 {
    libm::exp(number)
}

pub(crate) fn power(number: f64, exponent: f64) -> f64 {
    libm::pow(number, exponent)
}

/// The nearest whole number of one that is not negative; halves go up, as with [`f64::round`], which takes
/// longer.
pub(crate) fn rounded(number: f64) -> u64 {
    let whole = number as i64;
    let part = number - whole as f64;
    whole.unsigned_abs() + u64::from(part >= 0.5)
}

#[cfg(test)]
mod tests {
    use rand_core::{Rng as _, SeedableRng as _};
    use rand_pcg::Pcg64Mcg;

    use super::*;

    #[test]
    fn means_and_spreads_are_as_promised() {
        const COUNT: u32 = 200_000;
        let mut chance = Pcg64Mcg::seed_from_u64(1);
        let mut moments = |draw: &dyn Fn(u64, u64) -> f64| {
            let (mut sum, mut squares) = (0.0, 0.0);
            for _ in 0..COUNT {
                let drawn = draw(chance.next_u64(), chance.next_u64());
                sum += drawn;
                squares += drawn * drawn;
            }
            let mean = sum / f64::from(COUNT);
            (mean, squares / f64::from(COUNT) - mean * mean)
        };
        for (name, (mean, variance), wanted) in [
            (
                "fraction",
                moments(&|one, _| fraction(one)),
                (0.5, 1.0 / 12.0),
            ),
            (
                "exponential",
                moments(&|one, _| exponential(one)),
                (1.0, 1.0),
            ),
            ("normal", moments(&normal), (0.0, 1.0)),
        ] {
            assert!((mean - wanted.0).abs() < 0.01, "{name}: mean {mean}");
            assert!(
                (variance - wanted.1).abs() < 0.02,
                "{name}: variance {variance}"
            );
        }
    }

    #[test]
    fn whole_numbers_are_the_nearest() {
        let mut chance = Pcg64Mcg::seed_from_u64(2);
        let drawn = (0..10_000).map(|_| fraction(chance.next_u64()) * 1e6);
        let edges = [
            0.0,
            0.499_999_999_999_999_94,
            0.5,
            1.5,
            2.5,
            1e15 + 0.5,
            9e15,
            1e17,
        ];
        for number in drawn.chain(edges) {
            assert_eq!(rounded(number), number.round() as u64, "{number}");
        }
    }

    #[test]
    fn the_ends_are_numbers() {
        for random in [0, 1, u64::MAX] {
            assert!((0.0..1.0).contains(&fraction(random)));
            assert!(exponential(random).is_finite() && exponential(random) >= 0.0);
            assert!(normal(random, random).is_finite());
        }
    }
}
