//! The shared words of streamgauge.
//!
//! Every crate speaks in these types: the proxy fills a [`MetricRecord`], the ledger stores it, the
//! metrics API shows it. Nothing here knows a socket, a clock, SQL or HTTP.
//!
//! Rule for every field: unknown is `None`, never zero. Definitions of the figures stand in
//! `docs/metrics.md`.

mod labels;
mod outcome;
mod pulse;
mod request;
mod routing;
mod sketch;
pub mod units;

pub use labels::{Dialect, Endpoint, FinishReason, ResponseFormat, ServiceTier, UsageSource};
pub use outcome::{Outcome, TimeoutKind};
pub use pulse::{LedgerPulse, LedgerTrouble, Pulse, ReplicaPulse, ReplicaState};
pub use request::{Attempts, Engine, Flags, Identity, MetricRecord, Shape, TAGS_MAX, Tag, Times, Usage};
pub use routing::{Attempt, AttemptEnd, Policy, Routing};
pub use sketch::Sketch;
pub use units::{Tokens, UnixMillis};

/// A model, replica, pool or user name that many records share without copying it.
pub type Name = std::sync::Arc<str>;
