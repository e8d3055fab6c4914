//! `pools[].health`, `.queue` and `.retries`: what happens when replicas fail or are full.

use ::proxy::{HealthSettings, QueueSettings, RetrySettings};

use super::values::{absolute_path, at_least_one, span};
use crate::config::problem::Problem;
use crate::config::reader::Section;

pub(super) fn health(mut keys: Section<'_>, problems: &mut Vec<Problem>) -> HealthSettings {
    let usual = HealthSettings::default();
    let health = HealthSettings {
        path: keys.value("path", usual.path, problems, absolute_path),
        interval: keys.value("interval", usual.interval, problems, span),
        timeout: keys.value("timeout", usual.timeout, problems, span),
        passes: keys.value("passes", usual.passes, problems, at_least_one),
        failures: keys.value("failures", usual.failures, problems, at_least_one),
        eject_after: keys.value("eject_after", usual.eject_after, problems, at_least_one),
        eject_for: keys.value("eject_for", usual.eject_for, problems, span),
        eject_max: keys.value("eject_max", usual.eject_max, problems, span),
        slow_factor: keys.value("slow_factor", usual.slow_factor, problems, factor),
        panic_percent: keys.value("panic_percent", usual.panic_percent, problems, percent),
    };
    keys.finish(problems);
    health
}

pub(super) fn queue(mut keys: Section<'_>, problems: &mut Vec<Problem>) -> QueueSettings {
    let usual = QueueSettings::default();
    let queue = QueueSettings {
        max: keys.value("max", usual.max, problems, whole),
        timeout: keys.value("timeout", usual.timeout, problems, span),
    };
    keys.finish(problems);
    queue
}

pub(super) fn retries(mut keys: Section<'_>, problems: &mut Vec<Problem>) -> RetrySettings {
    let usual = RetrySettings::default();
    let retries = RetrySettings {
        attempts: keys.value("attempts", usual.attempts, problems, attempts),
        percent: keys.value("percent", usual.percent, problems, percent),
    };
    keys.finish(problems);
    retries
}

fn attempts(text: &str) -> Result<u16, String> {
    let most = RetrySettings::ATTEMPTS_MAX;
    let attempts = text
        .parse::<u16>()
        .ok()
        .filter(|count| (1..=most).contains(count));
    attempts.ok_or_else(|| format!("`{text}` is not a whole number from 1 (no retry) to {most}"))
}

fn factor(text: &str) -> Result<u32, String> {
    let factor = text.parse::<u32>().ok().filter(|factor| *factor != 1);
    factor.ok_or_else(|| format!("`{text}` is not a factor; write 2 or more, or 0 to switch it off"))
}

fn percent(text: &str) -> Result<u32, String> {
    let percent = text.parse::<u32>().ok().filter(|percent| *percent <= 100);
    percent.ok_or_else(|| format!("`{text}` is not a whole number from 0 to 100"))
}

fn whole(text: &str) -> Result<usize, String> {
    text.parse()
        .map_err(|_| format!("`{text}` is not a whole number; write 0 or more"))
}
