//! Token counts: what servers report, merged field by field, never guessed.
//!
//! A later report overwrites an earlier one only in the fields that it carries, because `cached_tokens`
//! appears only in some reports and servers send `"usage":null` in between. An explicit zero is a count, not
//! a gap.

use record::{Dialect, Tokens, Usage, UsageSource};

use crate::json::{Kind, Malformed, Scan};

/// Most choices whose running counts are kept apart. Why this number: vLLM's own limit on `n` defaults to
/// 16,384, real requests stay below ten; a request beyond this limit falls back to the final count.
const CHOICES_MAX: usize = 64;

/// One usage object, in the union of all servers' fields.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Report {
    prompt: Option<u64>,
    completion: Option<u64>,
    cached: Option<u64>,
    cache_write: Option<u64>,
    reasoning: Option<u64>,
    total: Option<u64>,
    audio_seconds: Option<f64>,
    /// It counts the whole answer, wherever it stands.
    about_all: bool,
}

/// How the counts of an answer add up.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Terms {
    pub(crate) dialect: Dialect,
    /// Independent prompts, each with as many choices as the others.
    pub(crate) prompts: u32,
    /// Choices over all prompts.
    pub(crate) choices: u32,
}

/// All reports of one answer.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    /// Reports about the whole answer, merged.
    whole: Report,
    whole_seen: Whole,
    /// Running reports by choice.
    running: Vec<(u64, Report)>,
    /// There were more choices than are kept apart.
    crowded: bool,
    /// Choices whose running report is their last one.
    closed: u32,
    timings: Option<Report>,
}

/// How far a report about the whole answer got.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
enum Whole {
    #[default]
    Nothing,
    /// The prompt's part only, as Anthropic's `message_start` gives it.
    Begun,
    Final,
}

// === impl Report ===

impl Report {
    /// Reads a usage object; anything but an object (servers send `null`) is `None`.
    pub(crate) fn read(scan: &mut Scan<'_>) -> Result<Option<Self>, Malformed> {
        if scan.kind()? != Kind::Object {
            scan.skip()?;
            return Ok(None);
        }
        let mut report = Self::default();
        scan.object(|key, scan| report.field(key, scan))?;
        Ok(Some(report))
    }

    fn field(&mut self, key: &[u8], scan: &mut Scan<'_>) -> Result<(), Malformed> {
        match key {
            b"prompt_tokens" | b"input_tokens" => keep(&mut self.prompt, scan.count_or_skip()?),
            b"completion_tokens" | b"output_tokens" => keep(&mut self.completion, scan.count_or_skip()?),
            b"cache_read_input_tokens" | b"prompt_cache_hit_tokens" => {
                keep(&mut self.cached, scan.count_or_skip()?);
            }
            b"cache_creation_input_tokens" => keep(&mut self.cache_write, scan.count_or_skip()?),
            b"reasoning_tokens" => keep(&mut self.reasoning, scan.count_or_skip()?),
            b"total_tokens" => keep(&mut self.total, scan.count_or_skip()?),
            b"seconds" => {
                let seconds = scan.float_or_skip()?;
                keep(
                    &mut self.audio_seconds,
                    seconds.filter(|s| s.is_finite() && *s >= 0.0),
                );
            }
            b"prompt_tokens_details" | b"input_tokens_details" => self.prompt_details(scan)?,
            b"completion_tokens_details" | b"output_tokens_details" => self.completion_details(scan)?,
            _ => scan.skip()?,
        }
        Ok(())
    }

    fn prompt_details(&mut self, scan: &mut Scan<'_>) -> Result<(), Malformed> {
        if scan.kind()? != Kind::Object {
            return scan.skip();
        }
        scan.object(|key, scan| {
            match key {
                b"cached_tokens" => keep(&mut self.cached, scan.count_or_skip()?),
                b"created_cache_tokens" | b"cache_write_tokens" => {
                    keep(&mut self.cache_write, scan.count_or_skip()?);
                }
                _ => scan.skip()?,
            }
            Ok(())
        })
    }

    fn completion_details(&mut self, scan: &mut Scan<'_>) -> Result<(), Malformed> {
        if scan.kind()? != Kind::Object {
            return scan.skip();
        }
        scan.object(|key, scan| {
            match key {
                b"reasoning_tokens" => keep(&mut self.reasoning, scan.count_or_skip()?),
                _ => scan.skip()?,
            }
            Ok(())
        })
    }

    /// A report from llama.cpp's `timings`: the prompt is what was computed plus what was cached.
    pub(crate) fn from_timings(computed: Option<u64>, cached: Option<u64>, predicted: Option<u64>) -> Self {
        let prompt = computed.map(|computed| computed.saturating_add(cached.unwrap_or(0)));
        Self {
            prompt,
            completion: predicted,
            cached,
            ..Self::default()
        }
    }

    /// A report from Ollama's counts, which leave out what they do not know.
    pub(crate) fn from_counts(prompt: Option<u64>, completion: Option<u64>, cached: Option<u64>) -> Self {
        Self {
            prompt,
            completion,
            cached,
            ..Self::default()
        }
    }

    /// The same report, about the whole answer.
    pub(crate) const fn about_all(self) -> Self {
        Self {
            about_all: true,
            ..self
        }
    }

    /// Whether it counts the whole answer although it may stand beside a choice.
    pub(crate) const fn is_about_all(&self) -> bool {
        self.about_all
    }

    fn merge(&mut self, later: Self) {
        keep(&mut self.prompt, later.prompt);
        keep(&mut self.completion, later.completion);
        keep(&mut self.cached, later.cached);
        keep(&mut self.cache_write, later.cache_write);
        keep(&mut self.reasoning, later.reasoning);
        keep(&mut self.total, later.total);
        keep(&mut self.audio_seconds, later.audio_seconds);
    }
}

fn keep<T>(kept: &mut Option<T>, seen: Option<T>) {
    if seen.is_some() {
        *kept = seen;
    }
}

// === impl Tally ===

impl Tally {
    /// A report about the whole answer.
    pub(crate) fn whole(&mut self, report: Report) {
        self.whole.merge(report);
        self.whole_seen = Whole::Final;
    }

    /// A report that knows the prompt and not yet the completion.
    pub(crate) fn begun(&mut self, report: Report) {
        self.whole.merge(report);
        if self.whole_seen == Whole::Nothing {
            self.whole_seen = Whole::Begun;
        }
    }

    /// A running report that counts one choice so far: the last one of each choice holds.
    pub(crate) fn running(&mut self, choice: u64, report: Report) {
        if let Some((_, kept)) = self.running.iter_mut().find(|(index, _)| *index == choice) {
            kept.merge(report);
        } else if self.running.len() < CHOICES_MAX {
            self.running.push((choice, report));
        } else {
            self.crowded = true;
        }
    }

    /// The last report of one choice (llama.cpp sends one behind each, and none about all).
    pub(crate) fn closed(&mut self, choice: u64, report: Report) {
        self.running(choice, report);
        self.closed = self.closed.saturating_add(1);
    }

    /// The tokens counted so far when the answer has one choice and its count is running; `None` otherwise.
    pub(crate) fn running_of_one(&self) -> Option<u64> {
        match self.running.as_slice() {
            [(_, report)] => report.completion,
            _ => None,
        }
    }

    /// llama.cpp's own counts.
    pub(crate) fn timings(&mut self, report: Report) {
        self.timings = Some(report);
    }

    /// The counts of the answer by the best source there is.
    pub(crate) fn finish(&self, terms: Terms, token_events: u64) -> Usage {
        let (report, source) = if self.whole_seen == Whole::Final {
            // The prompt's part may stand in running reports alone.
            let mut merged = self.sum_of_choices(terms);
            merged.completion = None;
            merged.reasoning = None;
            merged.merge(self.whole);
            (merged, UsageSource::Final)
        } else if !self.running.is_empty() {
            let source = if self.closed >= terms.choices.max(1) {
                UsageSource::Final
            } else {
                UsageSource::Continuous
            };
            (self.sum_of_choices(terms), source)
        } else if let Some(timings) = self.timings {
            (timings, UsageSource::Timings)
        } else if self.whole_seen == Whole::Begun {
            // What was generated since the beginning is not known, unless nothing was.
            let completion = self.whole.completion.filter(|_| token_events == 0);
            (
                Report {
                    completion,
                    ..self.whole
                },
                UsageSource::Continuous,
            )
        } else {
            (Report::default(), UsageSource::None)
        };
        let prompt = match terms.dialect {
            // The prompt is reported in three parts.
            Dialect::Anthropic => report.prompt.map(|fresh| {
                fresh
                    .saturating_add(report.cached.unwrap_or(0))
                    .saturating_add(report.cache_write.unwrap_or(0))
            }),
            // Nothing is generated: all tokens are the prompt's (rerankers report nothing else).
            Dialect::Json if report.completion.unwrap_or(0) == 0 => report.prompt.or(report.total),
            _ => report.prompt,
        };
        Usage {
            prompt: prompt.map(Tokens),
            completion: report.completion.map(Tokens),
            cached: report.cached.map(Tokens),
            cache_write: report.cache_write.map(Tokens),
            reasoning: report.reasoning.map(Tokens),
            audio_seconds: report.audio_seconds,
            source,
            completion_estimated: None,
            token_events: None,
            arrivals: None,
        }
    }

    /// Running counts are per choice (vLLM `chat_completion/serving.py`): the completion is their sum. The
    /// choices of one prompt share its count; a text completion has several prompts, one after the other
    /// (`completion/serving.py`), and their sum is known once each of them has reported.
    fn sum_of_choices(&self, terms: Terms) -> Report {
        let mut sum = Report::default();
        let (mut completion, mut reasoning) = (None, None);
        for (_, report) in &self.running {
            completion = add(completion, report.completion);
            reasoning = add(reasoning, report.reasoning);
            sum.merge(*report);
        }
        let prompts = u64::from(terms.prompts.max(1));
        if prompts > 1 {
            let each = u64::from(terms.choices / terms.prompts.max(1)).max(1);
            sum.prompt = (0..prompts).try_fold(0_u64, |sum, prompt| {
                let mut of_prompt = self.running.iter().filter(|(index, _)| index / each == prompt);
                of_prompt
                    .find_map(|(_, report)| report.prompt)
                    .map(|count| sum.saturating_add(count))
            });
            // Parts of one prompt say nothing about the others.
            sum.cached = None;
            sum.cache_write = None;
        }
        sum.completion = completion.filter(|_| !self.crowded);
        sum.reasoning = reasoning.filter(|_| !self.crowded);
        sum
    }
}

fn add(left: Option<u64>, right: Option<u64>) -> Option<u64> {
    match (left, right) {
        (Some(left), Some(right)) => Some(left.saturating_add(right)),
        (left, right) => left.or(right),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CHAT: Terms = Terms {
        dialect: Dialect::OpenaiChat,
        prompts: 1,
        choices: 1,
    };

    fn report(text: &str) -> Report {
        Report::read(&mut Scan::new(text.as_bytes())).unwrap().unwrap()
    }

    #[test]
    fn a_later_report_overwrites_only_what_it_carries() {
        let mut tally = Tally::default();
        tally.whole(report(r#"{"prompt_tokens":9,"completion_tokens":3}"#));
        tally.whole(report(
            r#"{"prompt_tokens":9,"completion_tokens":null,"prompt_tokens_details":{"cached_tokens":4}}"#,
        ));
        let usage = tally.finish(CHAT, 3);
        assert_eq!(
            (usage.prompt, usage.completion, usage.cached),
            (Some(Tokens(9)), Some(Tokens(3)), Some(Tokens(4)))
        );
    }

    #[test]
    fn null_is_no_report_and_zero_is_one() {
        assert_eq!(Report::read(&mut Scan::new(b"null")), Ok(None));
        let mut tally = Tally::default();
        tally.whole(report(r#"{"prompt_tokens":0,"completion_tokens":0}"#));
        let usage = tally.finish(CHAT, 0);
        assert_eq!(
            (usage.completion, usage.source),
            (Some(Tokens(0)), UsageSource::Final)
        );
        assert_eq!(Tally::default().finish(CHAT, 0).source, UsageSource::None);
    }

    #[test]
    fn running_counts_are_summed_over_choices_and_the_prompt_is_not() {
        let mut tally = Tally::default();
        tally.running(0, report(r#"{"prompt_tokens":4,"completion_tokens":1}"#));
        tally.running(1, report(r#"{"prompt_tokens":4,"completion_tokens":5}"#));
        tally.running(0, report(r#"{"prompt_tokens":4,"completion_tokens":2}"#));
        let usage = tally.finish(CHAT, 8);
        assert_eq!(
            (usage.prompt, usage.completion),
            (Some(Tokens(4)), Some(Tokens(7)))
        );
        assert_eq!(usage.source, UsageSource::Continuous);
    }

    #[test]
    fn a_message_that_was_cut_has_a_prompt_and_no_completion() {
        let mut tally = Tally::default();
        tally.begun(report(r#"{"input_tokens":9,"output_tokens":1}"#));
        let usage = tally.finish(
            Terms {
                dialect: Dialect::Anthropic,
                ..CHAT
            },
            3,
        );
        assert_eq!((usage.prompt, usage.completion), (Some(Tokens(9)), None));
    }
}
