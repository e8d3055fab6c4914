//! The parameters as the OpenAPI document shows them.
//!
//! These structs describe; [`super::Params`] reads. A test compares the two for every path.

use utoipa::IntoParams;

use crate::model::{ByWord, EndpointWord, MetricWord, OutcomeWord};

/// The window in time.
#[derive(Debug, IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(
    dead_code,
    reason = "read by the derive, which makes the documentation from the fields"
)]
pub(crate) struct WindowParams {
    /// Start of the window, included: RFC 3339, `now`, or `now-15m` (units `s`, `m`, `h`, `d`).
    #[param(default = "now-1h", example = "now-15m")]
    from: Option<String>,
    /// End of the window, not included; in the same forms.
    #[param(default = "now", example = "2026-11-23T09:00:00Z")]
    to: Option<String>,
}

/// The filters. A parameter that is given several times means "one of these"; different parameters must all
/// hold.
#[derive(Debug, IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(
    dead_code,
    reason = "read by the derive, which makes the documentation from the fields"
)]
pub(crate) struct FilterParams {
    /// Model: what the answer named, else what the request named. Repeatable.
    model: Option<Vec<String>>,
    /// Pool. Repeatable.
    pool: Option<Vec<String>>,
    /// Replica of the last attempt. Repeatable.
    replica: Option<Vec<String>>,
    /// Endpoint. Repeatable.
    endpoint: Option<Vec<EndpointWord>>,
    /// Outcome. Repeatable.
    outcome: Option<Vec<OutcomeWord>>,
    /// Whether a stream was asked for.
    stream: Option<bool>,
    /// API key, by its hash or alias. Repeatable.
    key: Option<Vec<String>>,
    /// End user, by the stored hash or name. Repeatable.
    user: Option<Vec<String>>,
    /// Configured tag: `tag.team=search` for a tag `team`. Repeatable, also with other names.
    #[param(rename = "tag.<name>")]
    tag: Option<Vec<String>>,
}

/// What a time series shows.
#[derive(Debug, IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(
    dead_code,
    reason = "read by the derive, which makes the documentation from the fields"
)]
pub(crate) struct SeriesParams {
    /// The figure to show.
    metric: MetricWord,
    /// Time between two points, such as `10s`, `1m` or `1h`; at least one second, and at most 1,500 points
    /// for the window. Left out, a round step is chosen that gives 60 to 120 points.
    #[param(example = "1m")]
    step: Option<String>,
    /// One series for each value of this dimension or tag.
    by: Option<ByWord>,
}

/// How a window is split.
#[derive(Debug, IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(
    dead_code,
    reason = "read by the derive, which makes the documentation from the fields"
)]
pub(crate) struct BreakdownParams {
    /// The dimension or tag to split by.
    by: ByWord,
    /// Most rows to answer.
    #[param(default = 50, minimum = 1, maximum = 1000)]
    limit: Option<u32>,
}

/// Which page of a list.
#[derive(Debug, IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(
    dead_code,
    reason = "read by the derive, which makes the documentation from the fields"
)]
pub(crate) struct PageParams {
    /// Most requests to answer.
    #[param(default = 50, minimum = 1, maximum = 1000)]
    limit: Option<u32>,
    /// `next` of the page before. Keep the other parameters as they were.
    cursor: Option<String>,
}
