//! Durations and sizes as people write them: `250ms`, `5m`, `64 MiB`.

use std::time::Duration;

/// Reads `250ms`, `1.5s`, `5m`, `2h`, `7d`; a bare number counts as seconds.
pub fn parse_duration(text: &str) -> Option<Duration> {
    let (number, unit) = split_unit(text)?;
    let seconds = match unit {
        "us" | "µs" => 1e-6,
        "ms" => 1e-3,
        "" | "s" => 1.0,
        "m" | "min" => 60.0,
        "h" => 3_600.0,
        "d" => 86_400.0,
        _ => return None,
    };
    let total = number * seconds;
    (total.is_finite() && (0.0..1e11).contains(&total))
        .then(|| Duration::from_nanos((total * 1e9).round() as u64))
}

/// The shortest exact text of a duration that [`parse_duration`] reads back.
pub fn format_duration(duration: Duration) -> String {
    let nanos = duration.as_nanos();
    for (unit, size) in [
        ("d", 86_400_000_000_000),
        ("h", 3_600_000_000_000),
        ("m", 60_000_000_000),
        ("s", 1_000_000_000),
        ("ms", 1_000_000),
        ("us", 1_000),
    ] {
        if nanos >= size && nanos.is_multiple_of(size) {
            return format!("{}{unit}", nanos / size);
        }
    }
    format!("{}s", duration.as_secs_f64())
}

/// Reads `512`, `64 KiB`, `1.5MB` as bytes; `K`, `M`, `G` alone are binary.
pub fn parse_bytes(text: &str) -> Option<u64> {
    let (number, unit) = split_unit(text)?;
    let factor = match unit.to_ascii_lowercase().as_str() {
        "" | "b" => 1.0,
        "kb" => 1e3,
        "mb" => 1e6,
        "gb" => 1e9,
        "k" | "kib" => 1024.0,
        "m" | "mib" => 1_048_576.0,
        "g" | "gib" => 1_073_741_824.0,
        _ => return None,
    };
    let total = number * factor;
    (total.is_finite() && (0.0..1e18).contains(&total)).then_some(total.round() as u64)
}

fn split_unit(text: &str) -> Option<(f64, &str)> {
    let text = text.trim();
    let end = text
        .find(|c: char| !c.is_ascii_digit() && c != '.')
        .unwrap_or(text.len());
    Some((text[..end].parse().ok()?, text[end..].trim()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_round_trip() {
        for (text, millis) in [
            ("250ms", 250),
            ("90s", 90_000),
            ("5m", 300_000),
            ("2h", 7_200_000),
            ("7d", 604_800_000),
        ] {
            let duration = parse_duration(text).expect("duration");
            assert_eq!(duration, Duration::from_millis(millis));
            assert_eq!(parse_duration(&format_duration(duration)), Some(duration));
        }
        assert_eq!(parse_duration("1.5s"), Some(Duration::from_millis(1500)));
        for text in ["", "fast", "5 parsecs", "-1s", "1e9"] {
            assert_eq!(parse_duration(text), None, "{text}");
        }
    }

    #[test]
    fn sizes_are_read() {
        assert_eq!(parse_bytes("64 MiB"), Some(64 << 20));
        assert_eq!(parse_bytes("1kb"), Some(1000));
        assert_eq!(parse_bytes("many"), None);
    }
}
