//! Units and the only place that converts between them.
//!
//! Inside, a time span is a [`Duration`] and a count of tokens is [`Tokens`]. At a border a bare number
//! carries its unit in its name: SQL `ttft_us`, JSON `ttft_ms`, Prometheus `..._seconds`.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// A number of tokens, exact: an estimate never enters this type without a name that says so.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(transparent)]
pub struct Tokens(pub u64);

/// Milliseconds since 1970-01-01T00:00:00Z. Says when something happened, never how long it took.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(transparent)]
pub struct UnixMillis(pub i64);

// === impl Tokens ===

impl Tokens {
    /// The sum, or `None` when either side is unknown.
    #[must_use]
    pub fn sum(left: Option<Self>, right: Option<Self>) -> Option<Self> {
        Some(Self(left?.0.saturating_add(right?.0)))
    }

    /// The count as a signed integer for SQL; the largest value stands for anything larger.
    #[must_use]
    pub fn as_i64(self) -> i64 {
        i64::try_from(self.0).unwrap_or(i64::MAX)
    }

    /// The count as a float. Exact up to 2^53.
    #[must_use]
    pub fn as_f64(self) -> f64 {
        count_f64(self.0)
    }
}

impl fmt::Display for Tokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

// === impl UnixMillis ===

impl UnixMillis {
    /// The moment `span` later.
    #[must_use]
    pub fn plus(self, span: Duration) -> Self {
        Self(self.0.saturating_add(duration_ms_i64(span)))
    }

    /// The moment `span` earlier.
    #[must_use]
    pub fn minus(self, span: Duration) -> Self {
        Self(self.0.saturating_sub(duration_ms_i64(span)))
    }

    /// How long ago `self` was at `now`; zero when it lies in the future.
    #[must_use]
    pub fn age_at(self, now: Self) -> Duration {
        Duration::from_millis(u64::try_from(now.0.saturating_sub(self.0)).unwrap_or(0))
    }
}

/// Whole milliseconds, for JSON and for keys; saturates.
#[must_use]
pub fn duration_ms_i64(span: Duration) -> i64 {
    i64::try_from(span.as_millis()).unwrap_or(i64::MAX)
}

/// Whole microseconds, for SQL; saturates (292,000 years).
#[must_use]
pub fn duration_us(span: Duration) -> i64 {
    i64::try_from(span.as_micros()).unwrap_or(i64::MAX)
}

/// A stored number of microseconds as a time span; a negative one is zero.
#[must_use]
pub fn duration_from_us(us: i64) -> Duration {
    Duration::from_micros(u64::try_from(us).unwrap_or(0))
}

/// Milliseconds with fractions, for JSON.
#[must_use]
pub fn duration_ms(span: Duration) -> f64 {
    span.as_secs_f64() * 1e3
}

/// A count as a float. Exact up to 2^53, which no counter of ours reaches.
#[must_use]
#[expect(
    clippy::as_conversions,
    reason = "std has no other conversion from u64 to f64"
)]
pub fn count_f64(count: u64) -> f64 {
    count as f64
}

/// Reads `250ms`, `2s`, `10m`, `24h`, `7d`, `1.5s`. A number without a unit is refused.
///
/// # Errors
/// A sentence that shows the accepted forms.
pub fn parse_duration(text: &str) -> Result<Duration, String> {
    let trimmed = text.trim();
    let split = trimmed
        .find(|c: char| !(c.is_ascii_digit() || c == '.'))
        .unwrap_or(trimmed.len());
    let (number, unit) = trimmed.split_at(split);
    let refusal = || format!("`{text}` is not a time span; write it like 250ms, 2s, 10m, 24h or 7d");
    let number: f64 = number.parse().map_err(|_| refusal())?;
    let seconds = match unit.trim() {
        "us" => number / 1e6,
        "ms" => number / 1e3,
        "s" => number,
        "m" | "min" => number * 60.0,
        "h" => number * 3_600.0,
        "d" => number * 86_400.0,
        _ => return Err(refusal()),
    };
    Duration::try_from_secs_f64(seconds).map_err(|_| refusal())
}

/// Writes a span in the form that [`parse_duration`] reads, in the largest unit that loses nothing.
#[must_use]
pub fn format_duration(span: Duration) -> String {
    let us = span.as_micros();
    for (unit, size) in [
        ("d", 86_400_000_000),
        ("h", 3_600_000_000),
        ("m", 60_000_000),
        ("s", 1_000_000),
        ("ms", 1_000),
    ] {
        if us >= size && us.is_multiple_of(size) {
            return format!("{}{unit}", us / size);
        }
    }
    if us == 0 {
        "0s".to_owned()
    } else {
        format!("{us}us")
    }
}

/// Reads `32MiB`, `64KiB`, `1GiB`, `1MB`, `512B` or a bare number of bytes.
///
/// # Errors
/// A sentence that shows the accepted forms.
pub fn parse_bytes(text: &str) -> Result<u64, String> {
    let trimmed = text.trim();
    let split = trimmed
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(trimmed.len());
    let (number, unit) = trimmed.split_at(split);
    let refusal = || format!("`{text}` is not a size; write it like 512B, 64KiB, 32MiB or 20GiB");
    let number: u64 = number.parse().map_err(|_| refusal())?;
    let factor: u64 = match unit.trim() {
        "" | "B" => 1,
        "kB" | "KB" => 1_000,
        "KiB" => 1 << 10,
        "MB" => 1_000_000,
        "MiB" => 1 << 20,
        "GB" => 1_000_000_000,
        "GiB" => 1 << 30,
        "TiB" => 1 << 40,
        _ => return Err(refusal()),
    };
    number.checked_mul(factor).ok_or_else(refusal)
}

/// Writes a size in the form that [`parse_bytes`] reads, in the largest binary unit that loses nothing.
#[must_use]
pub fn format_bytes(bytes: u64) -> String {
    for (unit, shift) in [("TiB", 40), ("GiB", 30), ("MiB", 20), ("KiB", 10)] {
        let size = 1_u64 << shift;
        if bytes >= size && bytes.is_multiple_of(size) {
            return format!("{}{unit}", bytes / size);
        }
    }
    format!("{bytes}B")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_read_and_write_back() {
        for text in ["250ms", "2s", "10m", "24h", "7d", "15us"] {
            let span = parse_duration(text).unwrap();
            let again = parse_duration(&format_duration(span)).unwrap();
            assert_eq!(span, again, "{text} must survive a round trip");
        }
        assert_eq!(parse_duration("1.5s").unwrap(), Duration::from_millis(1_500));
        assert_eq!(format_duration(Duration::ZERO), "0s");
    }

    #[test]
    fn a_span_without_a_unit_is_refused_with_the_forms() {
        for text in ["5", "", "s", "-1s", "1 week", "1e400s", "..s"] {
            let refusal = parse_duration(text).unwrap_err();
            assert!(refusal.contains("250ms"), "{text}: {refusal}");
        }
    }

    #[test]
    fn sizes_read_and_write_back() {
        for text in ["512B", "64KiB", "32MiB", "20GiB", "3TiB"] {
            assert_eq!(format_bytes(parse_bytes(text).unwrap()), text);
        }
        assert_eq!(parse_bytes("1MB").unwrap(), 1_000_000);
        assert_eq!(parse_bytes("77").unwrap(), 77);
        for text in ["", "MiB", "-1", "1.5MiB", "99999999999999TiB"] {
            assert!(parse_bytes(text).is_err(), "{text} must be refused");
        }
    }

    #[test]
    fn an_unknown_count_makes_an_unknown_sum() {
        assert_eq!(Tokens::sum(Some(Tokens(1)), Some(Tokens(2))), Some(Tokens(3)));
        assert_eq!(Tokens::sum(Some(Tokens(1)), None), None, "unknown is not zero");
    }

    #[test]
    fn moments_in_the_future_have_no_age() {
        let now = UnixMillis(10_000);
        assert_eq!(UnixMillis(9_000).age_at(now), Duration::from_secs(1));
        assert_eq!(UnixMillis(11_000).age_at(now), Duration::ZERO);
        assert_eq!(
            now.minus(Duration::from_secs(1)).plus(Duration::from_secs(1)),
            now
        );
    }
}
