//! How long a node takes for an event on virtual time, as its document declares it.

use std::f64::consts::LN_2;

use graph_model::units;
use graph_model::value::{Object, Value};

use super::world::VirtualWorld;
use crate::chance::{exp, exponential, fraction, ln, normal};
use crate::world::World;

/// Durations of calls.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Service {
    mean_us: f64,
    spread: Spread,
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
    /// From `duration`, which 99 of 100 calls stay below, or `duration_mean`, and `spread`. Nothing when
    /// neither says that a call takes time.
    pub(super) fn of(declared: &Object) -> Option<Service> {
        let micros = |name: &str| {
            let duration = declared
                .get(name)?
                .as_str()
                .and_then(units::parse_duration)?;
            Some(duration.as_nanos() as f64 / 1_000.0).filter(|micros| *micros > 0.0)
        };
        let (below, mean) = (micros("duration"), micros("duration_mean"));
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
        let mean_us = mean.or(below.map(|below| below / below_by_mean))?;
        Some(Service { mean_us, spread })
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
        (self.mean_us * by_mean).min(LONGEST_US).round() as u64
    }
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

    fn service(declared: &str) -> Option<Service> {
        let value = Value::parse(declared.as_bytes(), 1_000).expect("JSON");
        Service::of(value.as_object().expect("an object"))
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
    fn what_takes_no_time_has_no_service() {
        for declared in ["{}", r#"{"duration": "0s"}"#, r#"{"spread": "uniform"}"#] {
            assert_eq!(service(declared), None, "{declared}");
        }
    }
}
