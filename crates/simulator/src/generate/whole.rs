//! Answers that go out whole: embeddings, and every body that is not a stream, with the faults that make
//! sense for one.

use std::time::Duration;

use rand::RngExt;

use crate::clock::{self, Pace};
use crate::emit::{self, Stop};
use crate::fault::Break;
use crate::generate::{Generation, count_finish, faulty};
use crate::replica::Draw;
use crate::shape::{WholeChoice, error_body};
use crate::stats::Held;
use crate::words;

/// Numbers in an embedding when the request does not say, and at most.
const DIMENSIONS: usize = 16;
const DIMENSIONS_MAX: usize = 8_192;

// === impl Generation ===

impl Generation<'_> {
    pub(super) async fn whole(mut self, prefill: Duration, mut memory: Held<'_>) -> Result<(), Stop> {
        let replica = self.replica;
        if !prefill.is_zero() {
            self.wire.pause_until(clock::now() + prefill).await?;
        }
        let mut pace = Pace::new(clock::now());
        replica.stats.ttft.observe(pace.since(self.arrived));
        let choices = std::mem::take(&mut self.draw.choices);
        let longest = choices.iter().map(|choice| choice.tokens).max().unwrap_or(0);
        for step in 0..longest {
            if step > 0
                && let Some(due) = pace.advance(replica.token_time(&mut self.draw))
            {
                self.wire.pause_until(due).await?;
            }
            let active = choices.iter().filter(|choice| step < choice.tokens).count();
            let active = u64::try_from(active).unwrap_or(u64::MAX);
            memory.grow(active);
            replica.stats.tokens_generated.add(active);
        }
        let mut texts = Vec::with_capacity(choices.len());
        for choice in &choices {
            let mut whole = WholeChoice {
                text: String::new(),
                reasoning: String::new(),
                finish: choice.finish,
            };
            words::push_words(&mut whole.reasoning, choice.reasoning, &mut self.draw.rng);
            words::push_words(
                &mut whole.text,
                choice.tokens - choice.reasoning,
                &mut self.draw.rng,
            );
            texts.push(whole);
        }
        let completion = choices.iter().map(|choice| choice.tokens).sum();
        let reasoning = choices.iter().map(|choice| choice.reasoning).sum();
        let usage = (!self.draw.plan.no_usage).then_some((completion, reasoning));
        let mut body = String::with_capacity(768);
        self.shape.whole(&mut body, &texts, usage);
        // Counted before the answer is sent, so that a client that has it finds it counted.
        if self.draw.plan.break_after.is_none() {
            count_finish(replica, choices.iter().map(|choice| choice.finish));
        }
        replica.stats.e2e.observe(clock::now() - self.arrived);
        self.answer(body).await
    }

    pub(super) async fn embed(mut self, prefill: Duration) -> Result<(), Stop> {
        if !prefill.is_zero() {
            self.wire.pause_until(clock::now() + prefill).await?;
        }
        let inputs = match serde_json::from_slice(self.ask.prompt(self.kind).unwrap_or_default()) {
            Ok(serde_json::Value::Array(items)) if items.first().is_some_and(|item| !item.is_number()) => {
                items.len()
            }
            _ => 1,
        };
        let dimensions = self
            .ask
            .dimensions()
            .unwrap_or(DIMENSIONS)
            .clamp(1, DIMENSIONS_MAX);
        let vectors: Vec<Vec<f32>> = (0..inputs)
            .map(|_| (0..dimensions).map(|_| component(&mut self.draw)).collect())
            .collect();
        let mut body = String::with_capacity(512);
        self.shape
            .embeddings(&mut body, &vectors, self.ask.wants_base64());
        if self.draw.plan.break_after.is_none() {
            count_finish(self.replica, std::iter::once("stop"));
        }
        self.answer(body).await
    }

    /// Sends a whole body with the faults that make sense for one.
    async fn answer(&mut self, body: String) -> Result<(), Stop> {
        let plan = self.draw.plan;
        let body = if plan.malformed.is_some() {
            half(&body).to_owned()
        } else {
            body
        };
        if let Some((_, Break::Error)) = plan.break_after {
            let answer = emit::whole(
                500,
                "application/json",
                "",
                &error_body(&faulty(500)),
                self.closes,
            );
            self.wire.send(answer.as_bytes()).await?;
            return Err(Stop::Ended);
        }
        let answer = emit::whole(200, "application/json", "", &body, self.closes);
        let head_len = answer.len() - body.len();
        if let Some((_, Break::Cut | Break::End | Break::Reset)) = plan.break_after {
            self.wire
                .send(&answer.as_bytes()[..head_len + half(&body).len()])
                .await?;
            if let Some((_, Break::Reset)) = plan.break_after {
                // Without the option the close is an ordinary one; there is nothing better to do.
                let _ = self.wire.reset_on_close();
            }
            return Err(Stop::Broken);
        }
        if plan.slow_head.is_some() || plan.split || plan.stall.is_some() {
            return self.answer_slowly(answer.as_bytes(), head_len).await;
        }
        Ok(self.wire.send(answer.as_bytes()).await?)
    }

    async fn answer_slowly(&mut self, answer: &[u8], head_len: usize) -> Result<(), Stop> {
        let plan = self.draw.plan;
        let (head, body) = answer.split_at(head_len);
        emit::send_head(self.wire, head, plan.slow_head).await?;
        match plan.stall {
            Some((_, Some(pause))) => self.wire.pause_until(clock::now() + pause).await?,
            Some((_, None)) => {
                self.wire.until_gone().await;
                return Err(Stop::Gone);
            }
            None => {}
        }
        if !plan.split {
            return Ok(self.wire.send(body).await?);
        }
        for (from, to) in emit::odd_pieces(body.len()) {
            self.wire.send(&body[from..to]).await?;
            tokio::task::yield_now().await;
        }
        Ok(())
    }
}

fn component(draw: &mut Draw) -> f32 {
    draw.rng.random_range(-1.0..1.0)
}

/// The first half of a text, cut between two characters.
fn half(text: &str) -> &str {
    let mut end = text.len() / 2;
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn half_a_text_ends_between_two_characters() {
        assert_eq!(half("abcd"), "ab");
        assert_eq!(half("\u{1f30a}"), "", "one character cannot be halved");
        assert_eq!(half("a\u{1f30a}b"), "a");
        assert_eq!(half(""), "");
    }
}
