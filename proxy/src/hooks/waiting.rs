//! Waiting for a place at a replica: in fair turns, for a limited time, and not for a client that has left.
//!
//! A request waits when every replica is full, and when none is there but one was not long ago: a replica
//! that is restarted costs its clients a wait instead of an error.

use std::collections::hash_map::RandomState;
use std::hash::BuildHasher as _;
use std::sync::LazyLock;

use http::header;
use pingora::ErrorSource;
use pingora::http::RequestHeader;
use pingora::prelude::{Error, ErrorType, Result, Session};

use crate::clock;
use crate::fleet::{Pool, WithReplica};
use crate::hooks::Hooks;
use crate::hooks::answer::Refusal;
use crate::hooks::context::Ctx;
use crate::room::{Called, Full};

/// Hashes keys for the turns; its secret is this process's own, so that no client can choose a key that
/// shares its turns with another one.
static TURNS: LazyLock<RandomState> = LazyLock::new(RandomState::new);

// === impl Hooks ===

impl Hooks {
    /// Waits for a place. `Err`: nobody can be waited for, the room is full, it took too long, or the client
    /// left.
    pub(super) async fn wait(
        &self,
        session: &mut Session,
        ctx: &mut Ctx,
        pool: &Pool,
    ) -> Result<WithReplica> {
        let began = clock::now();
        if !pool.is_worth_waiting_for(began) {
            return Err(self.leave(ctx, pool, "nobody", Refusal::no_replica()));
        }
        let mut place = match pool.join(key(session.req_header())) {
            Ok(place) => place,
            Err(full) => return Err(self.leave(ctx, pool, "full", refusal(full, wait_s(pool)))),
        };
        if let Some(with) = pool.admit(&mut ctx.tracked.routed, &ctx.tried, clock::now()) {
            return Ok(with);
        }
        let limit = pool.settings.queue.timeout;
        // A body that was not read whole would be eaten here; then a client that leaves is noticed later.
        let read = session.as_downstream_mut().is_body_done();
        let called = tokio::select! {
            biased;
            called = place.called() => called,
            gone = session.as_downstream_mut().read_body_or_idle(true), if read => {
                self.count_left(pool, "client_gone");
                ctx.tracked.admitted.get_or_insert(clock::now());
                let error = gone.err().unwrap_or_else(|| Error::new(ErrorType::ConnectionClosed));
                return Err(error.into_down());
            }
            () = tokio::time::sleep(limit) => {
                let away = !pool.has_other(&[]);
                let refusal = if away {
                    Refusal::no_replica()
                } else {
                    Refusal::waited(limit, wait_s(pool))
                };
                return Err(self.leave(ctx, pool, "timeout", refusal));
            }
        };
        match called {
            Called::In(with) => {
                pool.called(&mut ctx.tracked.routed, with.replica(), clock::now());
                self.count_left(pool, "served");
                Ok(with)
            }
            Called::Out => Err(self.leave(ctx, pool, "displaced", refusal(Full::Key, wait_s(pool)))),
        }
    }

    fn leave(&self, ctx: &mut Ctx, pool: &Pool, how: &str, refusal: Refusal) -> Box<Error> {
        self.count_left(pool, how);
        ctx.tracked.admitted.get_or_insert(clock::now());
        ctx.refuse(refusal)
    }

    fn count_left(&self, pool: &Pool, how: &str) {
        let left = &self.shared.telemetry.fleet.queue_left;
        left.with_label_values(&[&*pool.name, how]).inc();
    }
}

// === impl Ctx ===

impl Ctx {
    /// Ends the search for a replica with this answer.
    pub(super) fn refuse(&mut self, refusal: Refusal) -> Box<Error> {
        let error = Error::create(
            ErrorType::HTTPStatus(refusal.status),
            ErrorSource::Internal,
            Some("no place at a replica".into()),
            None,
        );
        self.refusal = Some(refusal);
        error
    }
}

fn refusal(full: Full, wait_s: u64) -> Refusal {
    match full {
        Full::Key => Refusal::too_many_waiting(wait_s),
        Full::Pool => Refusal::room_full(wait_s),
    }
}

/// In how many seconds the client should come back.
fn wait_s(pool: &Pool) -> u64 {
    let now = clock::now();
    pool.wait_s(TURNS.hash_one(now) % 1_000, now)
}

/// Whose request this is, as far as turns are concerned: its key, or nobody's in particular.
fn key(head: &RequestHeader) -> u64 {
    let names = [header::AUTHORIZATION.as_str(), "x-api-key", "api-key"];
    let key = names.iter().find_map(|name| head.headers.get(*name));
    TURNS.hash_one(key.map(http::HeaderValue::as_bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(name: &'static str, value: &'static str) -> u64 {
        let mut head = RequestHeader::build("POST", b"/", None).unwrap();
        head.insert_header(name, value).unwrap();
        key(&head)
    }

    #[test]
    fn requests_of_one_key_share_its_turns() {
        let anonymous = with("user-agent", "x");
        assert_eq!(with("accept", "y"), anonymous);
        assert_eq!(
            with("authorization", "Bearer a"),
            with("authorization", "Bearer a")
        );
        assert_ne!(
            with("authorization", "Bearer a"),
            with("authorization", "Bearer b")
        );
        assert_ne!(with("x-api-key", "a"), anonymous);
    }
}
