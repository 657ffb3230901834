//! Where the rules are silent, nothing goes wrong: random designs are made silent by first fixes, and
//! attacked with whatever their declared guarantees admit.
//!
//! `WEIR_DESIGNS`, `WEIR_RUNS` and `WEIR_SEED` say how many designs, how many runs of each, and from
//! which seed; `WEIR_FAMILY` says of which promise, and `WEIR_SHRINK=0` tells violations as they were met.
//! Figures: `cargo test -p runtime --test soundness -- --nocapture`.

#![expect(
    clippy::print_stdout,
    reason = "figures, for whoever runs it with --nocapture"
)]

mod alike;
mod attack;
mod campaign;
mod canaries;
mod chance;
mod excuse;
mod exempt;
mod facts;
mod family;
mod generate;
mod judge;
mod machine;
mod opaque;
mod promises;
mod regressions;
mod repair;
mod secrets;
mod shrink;
mod unjudged;
mod write;

use self::campaign::{Campaign, conduct};
use self::machine::WHOLE;

fn number(name: &str, otherwise: u64) -> u64 {
    let held = std::env::var(name).ok();
    held.map_or(otherwise, |held| {
        held.parse()
            .unwrap_or_else(|_| panic!("{name} is a number"))
    })
}

#[test]
fn silent_designs_keep_their_promises() {
    let campaign = Campaign {
        seeds: (number("WEIR_SEED", 0), number("WEIR_DESIGNS", 240)),
        runs: number("WEIR_RUNS", 6),
        enough: 40,
        shrink: number("WEIR_SHRINK", 1) > 0,
    };
    let wanted = std::env::var("WEIR_FAMILY").unwrap_or_default();
    let (mut wrong, mut vacuous) = (Vec::new(), Vec::new());
    for family in family::ALL {
        if family.name.contains(&wanted) {
            let figures = conduct(campaign, &WHOLE, &family);
            println!("{figures}");
            vacuous.extend(figures.vacuous(&family));
            wrong.extend(figures.violations);
        }
    }
    assert!(
        wrong.is_empty(),
        "{} violations\n{}",
        wrong.len(),
        wrong.join("\n")
    );
    assert!(vacuous.is_empty(), "{}", vacuous.join("\n"));
}

#[test]
fn a_seed_always_draws_the_same_design() {
    for family in family::ALL {
        for seed in 0..20 {
            let text = |seed| generate::text(family.theme, seed);
            assert_eq!(text(seed), text(seed));
        }
    }
}
