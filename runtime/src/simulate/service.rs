//! How long a node takes for an event on virtual time, as its document declares it.

use std::f64::consts::LN_2;

use graph_model::units;
use graph_model::value::{Object, Value};

use super::world::VirtualWorld;
use crate::chance::{exp, exponential, fraction, ln, normal, rounded};
use crate::world::World;

/// Durations of calls.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Service {
    mean_us: f64,
    spread: Spread,
    pub(super) start: Option<Start>,
}

/// What a call of a node takes more whose instance is gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Start {
    takes_us: u64,
    /// For how long an instance stays after a call.
    kept_us: u64,
}

/// An instance that may have to start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Warmth {
    until_us: u64,
}

impl Start {
    fn of(declared: &Object) -> Option<Start> {
        let takes_us =
            micros(declared, "cold_start").filter(|_| !declared.contains_key("provisioned"))?;
        let kept_us = micros(declared, "keep_alive");
        Some(Start {
            takes_us: takes_us as u64,
            kept_us: kept_us.map_or(u64::MAX, |kept_us| kept_us as u64),
        })
    }

    /// Flows begin as they are in the middle of a day: warm.
    pub(super) fn begin(self) -> Warmth {
        Warmth {
            until_us: self.kept_us,
        }
    }

    /// How long a call takes that would take so long on a warm instance.
    pub(super) fn call(self, warmth: &mut Warmth, now_us: u64, warm_us: u64) -> u64 {
        let is_cold = now_us > warmth.until_us;
        let takes_us = warm_us.saturating_add(if is_cold { self.takes_us } else { 0 });
        warmth.until_us = now_us.saturating_add(takes_us).saturating_add(self.kept_us);
        takes_us
    }
}

/// How durations lie around their mean.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Spread {
    Fixed,
    Exponential,
    /// From nothing to twice the mean.
    Uniform,
    /// Their logarithms are normal; `sigma` says how wide.
    Lognormal {
        sigma: f64,
    },
}

/// Where 99 of 100 normal numbers stay below.
const NORMAL_99: f64 = 2.326_347_874_040_841;
/// Longest duration that is drawn: a day more or less changes nothing then.
const LONGEST_US: f64 = 1e15;

impl Service {
    /// From `duration`, which 99 of 100 calls stay below, or `duration_mean`, and `spread`; from `cold_start`
    /// and `keep_alive`. Nothing when none says that a call takes time.
    pub(super) fn of(declared: &Object) -> Option<Service> {
        let (below, mean) = (
            micros(declared, "duration"),
            micros(declared, "duration_mean"),
        );
        let start = Start::of(declared);
        let spread = declared.get("spread").and_then(Value::as_str);
        // Of a mean of 1: the duration that 99 of 100 stay below.
        let (spread, below_by_mean) = match spread {
            Some("exponential") => (Spread::Exponential, ln(100.0)),
            Some("uniform") => (Spread::Uniform, 1.98),
            Some("lognormal") => {
                let sigma = sigma(below.zip(mean).map(|(below, mean)| below / mean));
                let below = exp(NORMAL_99 * sigma - sigma * sigma / 2.0);
                (Spread::Lognormal { sigma }, below)
            }
            _ => (Spread::Fixed, 1.0),
        };
        let mean_us = mean.or(below.map(|below| below / below_by_mean));
        Some(Service {
            mean_us: mean_us.or(start.map(|_| 0.0))?,
            spread,
            start,
        })
    }

    /// The duration of one call.
    pub(super) fn draw_us(&self, world: &VirtualWorld) -> u64 {
        let by_mean = match self.spread {
            Spread::Fixed => 1.0,
            Spread::Exponential => exponential(world.random()),
            Spread::Uniform => 2.0 * fraction(world.random()),
            Spread::Lognormal { sigma } => {
                let normal = normal(world.random(), world.random());
                exp(sigma * normal - sigma * sigma / 2.0)
            }
        };
        rounded((self.mean_us * by_mean).min(LONGEST_US))
    }
}

/// A declared length of time that is not none.
fn micros(declared: &Object, name: &str) -> Option<f64> {
    let duration = declared
        .get(name)?
        .as_str()
        .and_then(units::parse_duration)?;
    Some(duration.as_nanos() as f64 / 1_000.0).filter(|micros| *micros > 0.0)
}

/// The width at which 99 of 100 stay below so many times the mean; where nobody says it, durations
/// spread as widely as exponential ones.
fn sigma(below_by_mean: Option<f64>) -> f64 {
    let Some(below) = below_by_mean.filter(|below| *below > 1.0) else {
        return LN_2.sqrt();
    };
    let rest = NORMAL_99 * NORMAL_99 - 2.0 * ln(below);
    NORMAL_99 - rest.max(0.0).sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn object(declared: &str) -> Object {
        let value = Value::parse(declared.as_bytes(), 1_000).expect("JSON");
        value.as_object().expect("an object").clone()
    }

    fn service(declared: &str) -> Option<Service> {
        Service::of(&object(declared))
    }

    #[test]
    fn what_is_declared_is_drawn() {
        const COUNT: usize = 100_000;
        for (declared, mean_s, below_s) in [
            (r#"{"duration": "2s"}"#, 2.0, 2.0),
            (r#"{"duration_mean": "2s"}"#, 2.0, 2.0),
            (r#"{"duration_mean": "1s", "duration": "3s"}"#, 1.0, 1.0),
            (
                r#"{"duration_mean": "1s", "spread": "exponential"}"#,
                1.0,
                4.605,
            ),
            (
                r#"{"duration": "4.605s", "spread": "exponential"}"#,
                1.0,
                4.605,
            ),
            (r#"{"duration_mean": "1s", "spread": "uniform"}"#, 1.0, 1.98),
            (r#"{"duration": "1.98s", "spread": "uniform"}"#, 1.0, 1.98),
            (
                r#"{"duration_mean": "1s", "spread": "lognormal"}"#,
                1.0,
                4.907,
            ),
            (
                r#"{"duration": "4.907s", "spread": "lognormal"}"#,
                1.0,
                4.907,
            ),
            (
                r#"{"duration_mean": "1s", "duration": "2s", "spread": "lognormal"}"#,
                1.0,
                2.0,
            ),
        ] {
            let service = service(declared).expect("it takes time");
            let world = VirtualWorld::new(1);
            let mut drawn: Vec<u64> = (0..COUNT).map(|_| service.draw_us(&world)).collect();
            let mean = drawn.iter().sum::<u64>() as f64 / COUNT as f64 / 1e6;
            drawn.sort_unstable();
            let below = drawn[COUNT * 99 / 100] as f64 / 1e6;
            assert!(
                (mean / mean_s - 1.0).abs() < 0.02,
                "{declared}: mean {mean}"
            );
            assert!(
                (below / below_s - 1.0).abs() < 0.04,
                "{declared}: below {below}"
            );
        }
    }

    #[test]
    fn an_instance_that_is_gone_has_to_start() {
        let service = service(r#"{"duration": "50ms", "cold_start": "2s", "keep_alive": "10s"}"#);
        let start = service.expect("it takes time").start.expect("it may start");
        let mut warmth = start.begin();
        let seconds = |count: u64| count * 1_000_000;
        for (now_us, takes_us) in [
            (0, 50_000),
            (seconds(10), 50_000),
            // From the end of the call on.
            (seconds(20) + 50_000, 50_000),
            (seconds(31), 2_050_000),
            (seconds(40), 50_000),
        ] {
            assert_eq!(
                start.call(&mut warmth, now_us, 50_000),
                takes_us,
                "{now_us}"
            );
        }
        warmth = Warmth::default();
        assert_eq!(start.call(&mut warmth, seconds(41), 50_000), 2_050_000);
        for declared in [
            r#"{"cold_start": "2s", "keep_alive": "10s", "provisioned": 1}"#,
            r#"{"keep_alive": "10s"}"#,
        ] {
            assert_eq!(super::Service::of(&object(declared)), None, "{declared}");
        }
    }

    #[test]
    fn what_takes_no_time_has_no_service() {
        for declared in ["{}", r#"{"duration": "0s"}"#, r#"{"spread": "uniform"}"#] {
            assert_eq!(service(declared), None, "{declared}");
        }
    }
}
