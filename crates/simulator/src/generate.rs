//! One generation: waiting for a seat, prefill, tokens, the end; streamed or not.

mod whole;

use std::time::{Duration, Instant};

use rand::RngExt;
use rand::rngs::SmallRng;

use crate::ask::{Ask, Kind, Overrides, Refusal};
use crate::cache::PromptTokens;
use crate::clock::{self, Pace};
use crate::emit::{self, Emitter, Stop};
use crate::fault::{Break, Plan};
use crate::replica::{Choice, Draw, Replica};
use crate::shape::{Piece, Shape, error_body};
use crate::stats::Held;
use crate::wire::{Received, Wire};
use crate::words;

/// One request on its way through the engine.
struct Generation<'a> {
    replica: &'a Replica,
    wire: &'a mut Wire,
    kind: Kind,
    ask: &'a Ask<'a>,
    draw: Draw,
    shape: Shape,
    prompt: PromptTokens,
    arrived: Instant,
    closes: bool,
}

/// Answers a generation request. `Ok` leaves the connection usable.
pub(crate) async fn serve(
    replica: &Replica,
    wire: &mut Wire,
    request: &Received,
    kind: Kind,
) -> Result<(), Stop> {
    let closes = request.closes();
    let outcome = match prepare(replica, request, kind) {
        Ok((ask, overrides, draw, model)) => {
            let arrived = clock::now();
            if let Some(status) = draw.plan.status {
                let refusal = faulty(status);
                let extra = if matches!(status, 429 | 503) {
                    "retry-after: 1\r\n"
                } else {
                    ""
                };
                let answer = emit::whole(status, "application/json", extra, &error_body(&refusal), closes);
                replica.stats.finished.error.add(1);
                return Ok(emit::send_head(wire, answer.as_bytes(), draw.plan.slow_head).await?);
            }
            let prompt = replica.admit(model, ask.prompt(kind).unwrap_or_default());
            let id = overrides
                .request_id
                .map_or_else(|| made_up_id(&draw), str::to_owned);
            let continuous = ask.wants_continuous_usage() && !draw.plan.no_usage;
            let shape = Shape::new(kind, ask.streams(), &id, model, clock::unix_seconds()).with_prompt(
                prompt,
                replica.settings.prompt_tokens_details,
                continuous,
            );
            let ask = &ask;
            let generation = Generation {
                replica,
                wire,
                kind,
                ask,
                draw,
                shape,
                prompt,
                arrived,
                closes,
            };
            generation.run().await
        }
        Err(refusal) => {
            let answer = emit::whole(
                refusal.status,
                "application/json",
                "",
                &error_body(&refusal),
                closes,
            );
            return Ok(wire.send(answer.as_bytes()).await?);
        }
    };
    match outcome {
        Err(Stop::Gone) => {
            replica
                .stats
                .note_abort(request.header("x-request-id").unwrap_or_default());
            Err(Stop::Gone)
        }
        Err(Stop::Ended) => {
            replica.stats.finished.error.add(1);
            Ok(())
        }
        other => other,
    }
}

fn prepare<'a>(
    replica: &'a Replica,
    request: &'a Received,
    kind: Kind,
) -> Result<(Ask<'a>, Overrides<'a>, Draw, &'a str), Refusal> {
    let mut overrides = Overrides::read(request)?;
    let ask = Ask::read(kind, &request.body)?;
    let model = replica.model(ask.model().map(|(model, _)| model))?;
    if let Some((_, faults)) = ask.model() {
        overrides.add_faults(faults)?;
    }
    let draw = replica.draw(kind, &ask, &overrides);
    Ok((ask, overrides, draw, model))
}

// === impl Generation ===

impl Generation<'_> {
    async fn run(mut self) -> Result<(), Stop> {
        let Plan {
            hang,
            break_after,
            slow_head,
            ..
        } = self.draw.plan;
        if hang {
            self.wire.until_gone().await;
            return Err(Stop::Gone);
        }
        match break_after {
            Some((0, Break::Cut)) => return Err(Stop::Broken),
            Some((0, Break::Reset)) => {
                // Without the option the close is an ordinary one; there is nothing better to do.
                let _ = self.wire.reset_on_close();
                return Err(Stop::Broken);
            }
            _ => {}
        }
        let streams = self.ask.streams() && self.kind != Kind::Embedding;
        if streams {
            emit::send_head(self.wire, emit::stream_head(self.closes).as_bytes(), slow_head).await?;
        }
        let stats = &self.replica.stats;
        let _seat = match self.replica.batch.try_acquire() {
            Ok(seat) => seat,
            Err(_) => {
                let _waiting = stats.waiting.hold(1);
                let seat = self.wire.watch(self.replica.batch.acquire()).await?;
                seat.map_err(|_| Stop::Broken)?
            }
        };
        let _running = stats.running.hold(1);
        let memory = stats.kv_tokens.hold(self.prompt.total);
        let prefill = self.replica.prefill_time(&mut self.draw, self.prompt);
        match (self.kind, streams) {
            (Kind::Embedding, _) => self.embed(prefill).await,
            (_, true) => self.stream(prefill, memory).await,
            (_, false) => self.whole(prefill, memory).await,
        }
    }

    async fn stream(mut self, prefill: Duration, mut memory: Held<'_>) -> Result<(), Stop> {
        let replica = self.replica;
        let plan = self.draw.plan;
        let mut emitter = Emitter::new(self.wire, plan);
        if !prefill.is_zero() {
            wait_with_pings(&mut emitter, clock::now() + prefill, plan.ping).await?;
        }
        let mut pace = Pace::new(clock::now());
        replica.stats.ttft.observe(pace.since(self.arrived));
        let shape = &self.shape;
        let choices = std::mem::take(&mut self.draw.choices);
        if self.kind == Kind::Chat {
            for index in indices(choices.len()) {
                emitter.event(|out| shape.role(out, index)).await?;
            }
        }
        let longest = choices
            .iter()
            .map(|choice| choice.tokens)
            .max()
            .unwrap_or(0)
            .max(1);
        for step in 0..longest {
            if step > 0
                && let Some(due) = pace.advance(replica.token_time(&mut self.draw))
            {
                emitter.wire.pause_until(due).await?;
            }
            say_step(
                &mut emitter,
                shape,
                &choices,
                step,
                &mut self.draw.rng,
                |generated| {
                    memory.grow(generated);
                    replica.stats.tokens_generated.add(generated);
                },
            )
            .await?;
        }
        if self.ask.wants_usage() && !plan.no_usage {
            let completion = choices.iter().map(|choice| choice.tokens).sum();
            let reasoning = choices.iter().map(|choice| choice.reasoning).sum();
            emitter
                .event(|out| shape.usage(out, completion, reasoning))
                .await?;
        }
        // Counted before the end is sent, so that a client that has the end finds it counted.
        count_finish(replica, choices.iter().map(|choice| choice.finish));
        replica.stats.e2e.observe(clock::now() - self.arrived);
        emitter.finish().await
    }
}

/// Sends the token of each choice that is not at its end; `count` hears of each token before it is sent.
async fn say_step(
    emitter: &mut Emitter<'_>,
    shape: &Shape,
    choices: &[Choice],
    step: u64,
    rng: &mut SmallRng,
    mut count: impl FnMut(u64),
) -> Result<(), Stop> {
    for (index, choice) in indices(choices.len()).zip(choices) {
        if step >= choice.tokens.max(1) {
            continue;
        }
        // A cap of zero tokens still gets its finish event, with no text.
        let silent = choice.tokens == 0;
        count(u64::from(!silent));
        let piece = Piece {
            choice: index,
            text: if silent { "" } else { words::word(rng) },
            reasoning: step < choice.reasoning,
            finish: (step + 1 >= choice.tokens).then_some(choice.finish),
            tokens: (step + 1).min(choice.tokens),
        };
        emitter.event(|out| shape.piece(out, piece)).await?;
    }
    Ok(())
}

async fn wait_with_pings(
    emitter: &mut Emitter<'_>,
    until: Instant,
    every: Option<Duration>,
) -> Result<(), Stop> {
    if let Some(every) = every {
        let mut due = clock::now() + every;
        while due < until {
            emitter.wire.pause_until(due).await?;
            emitter.ping().await?;
            due += every;
        }
    }
    Ok(emitter.wire.pause_until(until).await?)
}

fn count_finish(replica: &Replica, reasons: impl Iterator<Item = &'static str>) {
    for reason in reasons {
        match reason {
            "length" => replica.stats.finished.length.add(1),
            _ => replica.stats.finished.stop.add(1),
        }
    }
}

fn faulty(status: u16) -> Refusal {
    let kind = match status {
        429 => "TooManyRequestsError",
        503 => "ServiceUnavailableError",
        400..500 => "BadRequestError",
        _ => "InternalServerError",
    };
    Refusal {
        status,
        kind,
        param: None,
        message: format!("simulated fault: status {status}"),
    }
}

fn made_up_id(draw: &Draw) -> String {
    format!("{:016x}", draw.rng.clone().random::<u64>())
}

fn indices(count: usize) -> impl Iterator<Item = u32> {
    (0..).take(count)
}
