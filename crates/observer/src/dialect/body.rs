//! Answers that are one JSON body: every dialect's fields in one reader, since their names do not clash.

use std::time::Duration;

use record::Dialect;

use crate::dialect::{Answer, ollama};
use crate::json::{Kind, Malformed, Raw, Scan};
use crate::usage::Report;

/// Reads what a whole body says about itself.
///
/// # Errors
/// [`Malformed`] when the body is not a JSON object; what was read before stays.
pub(crate) fn read_body(dialect: Dialect, text: &[u8], answer: &mut Answer) -> Result<(), Malformed> {
    let mut scan = Scan::new(text);
    if dialect == Dialect::Json && scan.kind()? == Kind::Array {
        // text-embeddings-inference answers a rerank with a bare list.
        return scan.skip();
    }
    let mut totals = ollama::Totals::default();
    let mut flat_error = false;
    let walked = scan.object(|key, scan| {
        if key.starts_with(b"eval_") || key.starts_with(b"prompt_eval_") {
            return totals.field(key, scan);
        }
        if key == b"object" {
            flat_error |= scan.string_or_skip()?.is_some_and(|object| object.0 == b"error");
            return Ok(());
        }
        field(dialect, key, scan, answer)
    });
    totals.finish(answer);
    if flat_error {
        // Old vLLM: `{"object":"error","message":...}`.
        answer.error(&mut Scan::new(text))?;
    }
    walked
}

/// Reads one field of a body, or of the `response` object of a terminal event.
pub(crate) fn field(
    dialect: Dialect,
    key: &[u8],
    scan: &mut Scan<'_>,
    answer: &mut Answer,
) -> Result<(), Malformed> {
    match key {
        b"model" => answer.model(scan)?,
        b"usage" => {
            if let Some(report) = Report::read(scan)? {
                answer.tally.whole(report);
            }
        }
        b"choices" if scan.kind()? == Kind::Array => choices(scan, answer)?,
        b"stop_reason" | b"done_reason" => {
            if let Some(word) = scan.string_or_skip()? {
                answer.finished(0, word);
            }
        }
        // A response that runs in the background has not ended; one that is incomplete says why in
        // `incomplete_details`, which stands before or behind.
        b"status" if dialect == Dialect::OpenaiResponses => {
            if let Some(word) = scan.string_or_skip()?
                && matches!(word.0, b"completed" | b"incomplete" | b"failed" | b"cancelled")
                && answer.finish.is_none()
            {
                answer.finished(0, word);
            }
        }
        b"incomplete_details" if dialect == Dialect::OpenaiResponses => {
            if let Some(word) = reason(scan)? {
                answer.finished(0, word);
            }
        }
        b"error" => {
            answer.error(scan)?;
        }
        b"error_type" => answer.error_type(scan)?,
        b"timings" => timings(scan, answer)?,
        b"metrics" => metrics(scan, answer)?,
        _ => scan.skip()?,
    }
    Ok(())
}

/// The reason in an `incomplete_details` object.
pub(crate) fn reason<'a>(scan: &mut Scan<'a>) -> Result<Option<Raw<'a>>, Malformed> {
    if scan.kind()? != Kind::Object {
        return scan.skip().map(|()| None);
    }
    let mut reason = None;
    scan.object(|key, scan| {
        match key {
            b"reason" => reason = scan.string_or_skip()?,
            _ => scan.skip()?,
        }
        Ok(())
    })?;
    Ok(reason)
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
            b"predicted_per_second" => engine.tokens_per_second = scan.float_or_skip()?.filter(is_real),
            b"draft_n" => drafted = scan.float_or_skip()?,
            b"draft_n_accepted" => accepted = scan.float_or_skip()?,
            _ => scan.skip()?,
        }
        Ok(())
    })?;
    engine.spec_accept_rate = rate(accepted, drafted).or(engine.spec_accept_rate);
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
            b"tokens_per_second" => engine.tokens_per_second = scan.float_or_skip()?.filter(is_real),
            b"speculative_decoding" if scan.kind()? == Kind::Object => {
                engine.spec_accept_rate = speculation(scan)?.or(engine.spec_accept_rate);
            }
            _ => scan.skip()?,
        }
        Ok(())
    })
}

/// vLLM's `speculative_decoding`: the rate, or the counts that make it.
fn speculation(scan: &mut Scan<'_>) -> Result<Option<f64>, Malformed> {
    let (mut given, mut drafted, mut accepted) = (None, None, None);
    scan.object(|key, scan| {
        match key {
            b"draft_acceptance_rate" => given = scan.float_or_skip()?,
            b"num_draft_tokens" => drafted = scan.float_or_skip()?,
            b"num_accepted_tokens" => accepted = scan.float_or_skip()?,
            _ => scan.skip()?,
        }
        Ok(())
    })?;
    let given = given.filter(|rate| (0.0..=1.0).contains(rate));
    Ok(given.or_else(|| rate(accepted, drafted)))
}

/// A share between 0 and 1; without a whole there is none.
fn rate(part: Option<f64>, whole: Option<f64>) -> Option<f64> {
    let share = part? / whole.filter(|whole| *whole > 0.0)?;
    (0.0..=1.0).contains(&share).then_some(share)
}

/// A JSON number may be larger than any float.
fn is_real(number: &f64) -> bool {
    number.is_finite() && *number >= 0.0
}

fn span_of_ms(ms: f64) -> Option<Duration> {
    Duration::try_from_secs_f64(ms / 1e3).ok()
}
