//! What one request carries from hook to hook.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Instant;

use bytes::Bytes;
use observer::UsageStrip;
use prometheus::IntCounter;
use record::Name;

use crate::fleet::{Hold, Pool};
use crate::hooks::answer::Refusal;
use crate::hooks::stall::Stall;
use crate::shared::Shared;
use crate::tracked::{Tracked, Watched};

/// The context of one request.
#[derive(Debug)]
pub(crate) struct Ctx {
    pub(crate) tracked: Tracked,
    pub(crate) body: HeldBody,
    /// What only we asked for; it is taken out of the answer.
    pub(crate) strip: UsageStrip,
    /// The pool that serves this request, as it was when the request came.
    pub(crate) pool: Option<Arc<Pool>>,
    pub(crate) stall: Stall,
    /// The place at the replica of the running attempt.
    pub(crate) with: Hold,
    /// Replicas that failed for this request.
    pub(crate) tried: Vec<Name>,
    /// The door has refused the upload with this status.
    pub(crate) refused: Option<u16>,
    /// Why no replica was found; the client is told.
    pub(crate) refusal: Option<Refusal>,
    /// The next attempt must not use a pooled connection: one of those was stale.
    pub(crate) fresh: bool,
    in_flight: u64,
    in_flight_max: u64,
    /// The live counter of token events, resolved at the first one, and how many were counted.
    events: Option<(IntCounter, u64)>,
}

/// What the door tells a request's context about what happened before there was one.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Arrival {
    /// The head was complete.
    pub(crate) began: Instant,
    /// The upload was refused with this status.
    pub(crate) refused: Option<u16>,
}

/// The request body as the replica gets it; each attempt takes it once.
#[derive(Debug, Default)]
pub(crate) struct HeldBody {
    bytes: Option<Bytes>,
    given: bool,
}

// === impl Ctx ===

impl Ctx {
    pub(crate) fn new(shared: &Arc<Shared>) -> Self {
        let in_flight_max = u64::try_from(shared.settings().limits.in_flight).unwrap_or(u64::MAX);
        let tracked = Tracked::new(Arc::clone(shared));
        Self {
            tracked,
            body: HeldBody::default(),
            strip: UsageStrip::Nothing,
            pool: None,
            stall: Stall::default(),
            with: Hold::nothing(Arc::clone(shared)),
            tried: Vec::new(),
            refused: None,
            refusal: None,
            fresh: false,
            in_flight: shared.in_flight.load(Relaxed),
            in_flight_max,
            events: None,
        }
    }

    /// This pool serves the request, to its end.
    pub(crate) fn serve_by(&mut self, pool: Arc<Pool>) {
        self.tracked.pool = Some(Arc::clone(&pool.name));
        self.pool = Some(pool);
    }

    /// Whether more requests were in flight at this one's start than may be, this one included.
    pub(crate) const fn over_in_flight_limit(&self) -> bool {
        self.in_flight > self.in_flight_max
    }

    /// Adds the token events since the last call to the live counter; the first one also says how fast the
    /// replica is.
    #[inline]
    pub(crate) fn count_events(&mut self, shared: &Shared, now: Instant) {
        let Watched::Stream(stream) = &self.tracked.answer else {
            return;
        };
        let seen = stream.token_events();
        if seen == 0 {
            return;
        }
        if self.events.is_none() {
            self.tracked.routed.first_token();
        }
        if self.events.is_none()
            && let (Some(sent), Some(with)) = (self.tracked.sent, self.with.get())
        {
            with.replica().pace.waited(now.saturating_duration_since(sent));
        }
        let (counter, counted) = self.events.get_or_insert_with(|| {
            let model = stream.model().or(self.tracked.facts.model.as_ref());
            if let Some(model) = stream.model() {
                shared.telemetry.models.allow(model);
            }
            (shared.telemetry.stream_events(model), 0)
        });
        counter.inc_by(seen - *counted);
        *counted = seen;
    }
}

// === impl HeldBody ===

impl HeldBody {
    pub(crate) fn set(&mut self, bytes: Bytes) {
        self.bytes = (!bytes.is_empty()).then_some(bytes);
    }

    pub(crate) fn get(&self) -> Option<&Bytes> {
        self.bytes.as_ref()
    }

    /// A new attempt begins: it gets the whole body again.
    pub(crate) const fn rewind(&mut self) {
        self.given = false;
    }

    /// The whole body the first time in an attempt, then nothing. Never an empty piece: Pingora would end a
    /// chunked body twice with one (cloudflare/pingora#935).
    pub(crate) fn take_once(&mut self) -> Option<Bytes> {
        if std::mem::replace(&mut self.given, true) {
            None
        } else {
            self.bytes.clone()
        }
    }
}
