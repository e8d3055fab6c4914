//! Log lines: one for each event, text or JSON, on stderr.
//!
//! Pingora's own targets are held at `info` whatever the user asks for: at `debug` it prints whole request
//! heads, keys included. Below a warning they say nothing that our own lines do not say better, so `info` is
//! only for who asks: `--log-level info,pingora=info`.

use std::io::IsTerminal;

use tracing::Level;
use tracing::Metadata;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::{FilterExt, filter_fn};
use tracing_subscriber::layer::{Layer, SubscriberExt};
use tracing_subscriber::util::SubscriberInitExt;

use crate::cli::{LogFormat, LogOptions};

/// Targets that print request heads below `info`.
const CAPPED: &str = "pingora";

/// Sets the global subscriber. Call once, before anything logs.
///
/// # Errors
/// A sentence, when the filter cannot be read.
pub(crate) fn start(options: &LogOptions, rust_log: Option<&str>) -> Result<(), String> {
    let wanted = options
        .log_level
        .as_deref()
        .or(rust_log)
        .filter(|text| !text.is_empty());
    let wanted = wanted.unwrap_or("info");
    // A directive of the user's for the same target stands behind ours and replaces it.
    let filter = EnvFilter::builder()
        .parse(format!("{CAPPED}=warn,{wanted}"))
        .map_err(|error| {
            format!("`{wanted}` is not a log level ({error}); write error, warn, info, debug or trace")
        })?;
    let filter = filter.and(filter_fn(is_allowed));
    let lines = tracing_subscriber::fmt::layer().with_writer(std::io::stderr);
    let layer = match options.log_format {
        LogFormat::Text => lines.with_ansi(std::io::stderr().is_terminal()).boxed(),
        LogFormat::Json => lines.json().flatten_event(true).boxed(),
    };
    // A second start can only happen inside one test process; the first subscriber stays.
    let _ = tracing_subscriber::registry()
        .with(layer.with_filter(filter))
        .try_init();
    Ok(())
}

/// Whether an event may be logged at all. Tracing orders levels by verbosity: `DEBUG > INFO`.
fn is_allowed(metadata: &Metadata<'_>) -> bool {
    allows(metadata.target(), *metadata.level())
}

fn allows(target: &str, level: Level) -> bool {
    level <= Level::INFO || !target.starts_with(CAPPED)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pingora_never_logs_below_info() {
        for (target, level, allowed) in [
            ("pingora_proxy", Level::DEBUG, false),
            ("pingora_core::protocols::http", Level::TRACE, false),
            ("pingora_core", Level::INFO, true),
            ("pingora_proxy", Level::ERROR, true),
            ("proxy", Level::TRACE, true),
        ] {
            assert_eq!(allows(target, level), allowed, "{target} at {level}");
        }
    }

    #[test]
    fn a_level_that_is_none_is_refused_in_words() {
        let options = LogOptions {
            log_level: Some("proxy=loud".to_owned()),
            log_format: LogFormat::Text,
        };
        let refusal = start(&options, None).unwrap_err();
        assert!(refusal.contains("`proxy=loud`"), "{refusal}");
    }
}
