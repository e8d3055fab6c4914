//! Moments in a query string: RFC 3339, `now`, `now-15m`.

use record::UnixMillis;
use record::units::parse_duration;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

/// The accepted forms, for a refusal.
const FORMS: &str = "write RFC 3339 such as 2026-11-23T09:00:00Z, or now, or now-15m (units s, m, h, d)";

/// Reads a moment, relative to `now`.
///
/// # Errors
/// The accepted forms.
pub(super) fn moment(text: &str, now: UnixMillis) -> Result<UnixMillis, &'static str> {
    let text = text.trim();
    if let Some(rest) = text.strip_prefix("now") {
        return relative(rest, now).ok_or(FORMS);
    }
    // An unescaped `+` in a query string is a space: `2026-11-23T10:00:00+01:00` arrives as `...00 01:00`.
    let absolute = match text.split_once(' ') {
        Some((head, offset)) if head.contains('T') => format!("{head}+{offset}"),
        _ => text.to_owned(),
    };
    let parsed = OffsetDateTime::parse(&absolute, &Rfc3339).map_err(|_| FORMS)?;
    let ms = parsed.unix_timestamp_nanos().div_euclid(1_000_000);
    i64::try_from(ms).map(UnixMillis).map_err(|_| FORMS)
}

/// Reads what follows `now`: nothing, or a minus and a span.
fn relative(rest: &str, now: UnixMillis) -> Option<UnixMillis> {
    if rest.is_empty() {
        return Some(now);
    }
    let span = rest.strip_prefix('-')?;
    let starts_with_a_digit = span.starts_with(|c: char| c.is_ascii_digit());
    let span = parse_duration(span).ok().filter(|_| starts_with_a_digit)?;
    Some(now.minus(span))
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: UnixMillis = UnixMillis(1_795_424_574_007);

    #[test]
    fn every_accepted_form_is_read() {
        for (text, ms) in [
            ("now", 1_795_424_574_007),
            ("now-15m", 1_795_423_674_007),
            ("now-1.5s", 1_795_424_572_507),
            ("now-7d", 1_794_819_774_007),
            ("2026-11-23T09:02:54.007Z", 1_795_424_574_007),
            ("2026-11-23T10:02:54+01:00", 1_795_424_574_000),
            ("2026-11-23T10:02:54 01:00", 1_795_424_574_000),
            ("2026-11-23 09:02:54Z", 1_795_424_574_000),
            ("1969-12-31T23:59:59.9999Z", -1),
        ] {
            assert_eq!(moment(text, NOW), Ok(UnixMillis(ms)), "{text}");
        }
    }

    #[test]
    fn everything_else_is_refused_with_the_forms() {
        for text in [
            "",
            "yesterday",
            "now+1h",
            "now-",
            "now-5",
            "now--5m",
            "now-1w",
            "nowhere",
            "1795424574007",
            "2026-11-23",
            "2026-11-23T09:00:00",
            "2026-13-01T00:00:00Z",
        ] {
            assert_eq!(moment(text, NOW), Err(FORMS), "{text}");
        }
    }
}
