//! Answers that are one JSON body: every dialect's fields in one reader, since their names do not clash.

use std::time::Duration;

use crate::dialect::{Answer, ollama};
use crate::json::{Kind, Malformed, Raw, Scan};
use crate::usage::Report;

/// Reads what a whole body says about itself.
///
/// # Errors
/// [`Malformed`] when the body is not a JSON object; what was read before stays.
pub(crate) fn read_body(text: &[u8], answer: &mut Answer) -> Result<(), Malformed> {
    let mut totals = ollama::Totals::default();
    let walked = Scan::new(text).object(|key, scan| {
        if key.starts_with(b"eval_") || key.starts_with(b"prompt_eval_") {
            return totals.field(key, scan);
        }
        field(key, scan, answer)
    });
    totals.finish(answer);
    walked
}

/// Reads one field of a body, or of the `response` object of a terminal event.
pub(crate) fn field(key: &[u8], scan: &mut Scan<'_>, answer: &mut Answer) -> Result<(), Malformed> {
    match key {
        b"model" => answer.model(scan)?,
        b"usage" => {
            if let Some(report) = Report::read(scan)? {
                answer.tally.whole(report);
            }
        }
        b"choices" if scan.kind()? == Kind::Array => choices(scan, answer)?,
        b"stop_reason" | b"done_reason" | b"status" => {
            if let Some(word) = scan.string_or_skip()? {
                answer.finished(0, word);
            }
        }
        b"error" => answer.error(scan)?,
        b"timings" => timings(scan, answer)?,
        b"metrics" => metrics(scan, answer)?,
        _ => scan.skip()?,
    }
    Ok(())
}

fn choices(scan: &mut Scan<'_>, answer: &mut Answer) -> Result<(), Malformed> {
    let mut place = 0;
    scan.array(|scan| {
        let (mut index, mut reason) = (place, None::<Raw<'_>>);
        scan.object(|key, scan| {
            match key {
                b"index" => index = scan.count_or_skip()?.unwrap_or(place),
                b"finish_reason" => reason = scan.string_or_skip()?,
                _ => scan.skip()?,
            }
            Ok(())
        })?;
        if let Some(word) = reason {
            answer.finished(index, word);
        }
        place += 1;
        Ok(())
    })
}

/// llama.cpp's `timings` (`server-task.cpp`): exact counts and the engine's own times, sent without being
/// asked for.
pub(crate) fn timings(scan: &mut Scan<'_>, answer: &mut Answer) -> Result<(), Malformed> {
    if scan.kind()? != Kind::Object {
        return scan.skip();
    }
    let (mut cached, mut computed, mut predicted) = (None, None, None);
    let (mut drafted, mut accepted) = (None, None);
    let engine = &mut answer.engine;
    scan.object(|key, scan| {
        match key {
            b"cache_n" => cached = scan.count_or_skip()?,
            b"prompt_n" => computed = scan.count_or_skip()?,
            b"predicted_n" => predicted = scan.count_or_skip()?,
            b"prompt_ms" => engine.ttft = scan.float_or_skip()?.and_then(span_of_ms),
            b"predicted_per_second" => engine.tokens_per_second = scan.float_or_skip()?,
            b"draft_n" => drafted = scan.float_or_skip()?,
            b"draft_n_accepted" => accepted = scan.float_or_skip()?,
            _ => scan.skip()?,
        }
        Ok(())
    })?;
    if let (Some(accepted), Some(drafted)) = (accepted, drafted.filter(|drafted| *drafted > 0.0)) {
        engine.spec_accept_rate = Some(accepted / drafted);
    }
    answer
        .tally
        .timings(Report::from_timings(computed, cached, predicted));
    Ok(())
}

/// vLLM's `metrics` (`--enable-per-request-metrics`). Its TTFT runs from scheduling, without the queue.
pub(crate) fn metrics(scan: &mut Scan<'_>, answer: &mut Answer) -> Result<(), Malformed> {
    if scan.kind()? != Kind::Object {
        return scan.skip();
    }
    let engine = &mut answer.engine;
    scan.object(|key, scan| {
        match key {
            b"queue_time_ms" => engine.queue = scan.float_or_skip()?.and_then(span_of_ms),
            b"time_to_first_token_ms" => engine.ttft = scan.float_or_skip()?.and_then(span_of_ms),
            b"tokens_per_second" => engine.tokens_per_second = scan.float_or_skip()?,
            b"speculative_decoding" if scan.kind()? == Kind::Object => scan.object(|key, scan| {
                match key {
                    b"draft_acceptance_rate" => engine.spec_accept_rate = scan.float_or_skip()?,
                    _ => scan.skip()?,
                }
                Ok(())
            })?,
            _ => scan.skip()?,
        }
        Ok(())
    })
}

fn span_of_ms(ms: f64) -> Option<Duration> {
    Duration::try_from_secs_f64(ms / 1e3).ok()
}
