//! The bodies of all answers: what they hold, in which unit, and what null means.
//!
//! These types are the source of `openapi.json`, so their comments are the public documentation. Moments are
//! RFC 3339 strings in UTC with milliseconds, spans are numbers of milliseconds, and null is unknown.

mod figures;
mod identity;
mod live;
mod moment;
mod replicas;
mod requests;
mod routing;
mod words;

pub(crate) use figures::{Breakdown, BreakdownRow, Figures, Point, Series, Summary, Timeseries};
pub(crate) use live::{Live, LiveReplica, RateSet};
pub(crate) use moment::Moment;
pub(crate) use replicas::{About, Facets, LedgerRow, ProxyRow, ReplicaRow, ReplicaView, Replicas};
pub(crate) use requests::{RequestRecord, RequestsPage};
pub(crate) use words::{
    AttemptEndWord, ByWord, DialectWord, EndpointWord, FinishReasonWord, MetricWord, OutcomeWord, PolicyWord,
    ReplicaStateWord, ResponseFormatWord, ServiceTierWord, UnitWord, UsageSourceWord,
};

/// A span as JSON shows it: milliseconds, to the microsecond.
pub(crate) fn span_ms(span: std::time::Duration) -> f64 {
    // The rounding takes away the last bits that a division by 1,000 leaves, such as 12.299999999999999.
    (record::units::duration_ms(span) * 1e3).round() / 1e3
}
