//! Ollama's `/api/chat` and `/api/generate`: newline-delimited JSON, ended by a line with `"done":true`.
//!
//! `prompt_eval_count` is left out when the prompt was cached (ollama #2068, #3427): it is unknown then, not
//! zero.

use std::time::Duration;

use crate::clock::Carried;
use crate::dialect::{Answer, Reading, is_filled};
use crate::json::{Kind, Malformed, Scan};
use crate::usage::Report;

/// Counts and durations of the last line.
#[derive(Debug, Default)]
pub(crate) struct Totals {
    prompt: Option<u64>,
    completion: Option<u64>,
    cached: Option<u64>,
    prompt_ns: Option<u64>,
    eval_ns: Option<u64>,
}

pub(crate) fn read(data: &[u8], answer: &mut Answer) -> Result<Reading, Malformed> {
    let mut scan = Scan::new(data);
    let (mut carried, mut done, mut reason) = (Carried::Nothing, false, None);
    let mut totals = Totals::default();
    scan.object(|key, scan| {
        match key {
            b"model" => answer.model(scan)?,
            b"message" if scan.kind()? == Kind::Object => {
                scan.object(|key, scan| payload(key, scan, &mut carried))?;
            }
            b"response" | b"thinking" => payload(key, scan, &mut carried)?,
            b"done" => done = scan.bool_or_skip()? == Some(true),
            b"done_reason" => reason = scan.string_or_skip()?,
            b"error" => {
                answer.error(scan)?;
            }
            _ => totals.field(key, scan)?,
        }
        Ok(())
    })?;
    if done {
        answer.terminal = true;
        if let Some(word) = reason {
            answer.finished(0, word);
        }
        totals.finish(answer);
    }
    Ok(Reading::of(carried))
}

fn payload(key: &[u8], scan: &mut Scan<'_>, carried: &mut Carried) -> Result<(), Malformed> {
    let seen = match key {
        b"content" | b"response" | b"tool_calls" if is_filled(scan)? => Carried::Output,
        b"thinking" if is_filled(scan)? => Carried::Hidden,
        b"content" | b"response" | b"tool_calls" | b"thinking" => Carried::Nothing,
        _ => {
            scan.skip()?;
            Carried::Nothing
        }
    };
    *carried = (*carried).max(seen);
    Ok(())
}

// === impl Totals ===

impl Totals {
    /// Reads a field of the last line, or skips another one.
    pub(crate) fn field(&mut self, key: &[u8], scan: &mut Scan<'_>) -> Result<(), Malformed> {
        match key {
            b"prompt_eval_count" => self.prompt = scan.count_or_skip()?,
            b"eval_count" => self.completion = scan.count_or_skip()?,
            b"prompt_eval_cached_count" => self.cached = scan.count_or_skip()?,
            b"prompt_eval_duration" => self.prompt_ns = scan.count_or_skip()?,
            b"eval_duration" => self.eval_ns = scan.count_or_skip()?,
            _ => scan.skip()?,
        }
        Ok(())
    }

    /// Adds what was counted to the answer; nothing when nothing was.
    pub(crate) fn finish(&self, answer: &mut Answer) {
        if self.prompt.is_some() || self.completion.is_some() {
            answer
                .tally
                .whole(Report::from_counts(self.prompt, self.completion, self.cached));
        }
        answer.engine.ttft = answer.engine.ttft.or(self.prompt_ns.map(Duration::from_nanos));
        if let (Some(tokens), Some(ns)) = (self.completion, self.eval_ns.filter(|ns| *ns > 0)) {
            let seconds = Duration::from_nanos(ns).as_secs_f64();
            answer.engine.tokens_per_second = Some(record::units::count_f64(tokens) / seconds);
        }
    }
}
