//! `/api/v1/summary`, `/api/v1/timeseries` and `/api/v1/breakdown`.

use std::collections::BTreeMap;
use std::time::Duration;

use axum::Json;
use axum::extract::{RawQuery, State};
use ledger::{Dimension, Metric};
use record::UnixMillis;
use record::units::{duration_ms_i64, format_duration, parse_duration};

use crate::error::{ApiError, ErrorEnvelope};
use crate::model::{
    Breakdown, BreakdownRow, ByWord, Figures, MetricWord, Moment, Point, Series, Summary, Timeseries,
    UnitWord,
};
use crate::params::{BreakdownParams, FilterParams, Params, SeriesParams, WindowParams, Windowed, by, word};
use crate::state::AppState;

const ROWS_DEFAULT: usize = 50;
/// More rows than anyone reads, and far fewer than would strain a browser.
pub(crate) const ROWS_MAX: usize = 1_000;

/// The figures of a window
///
/// Requests, outcomes, tokens, latencies and goodput of the requests that started in the window.
#[utoipa::path(get, path = "/api/v1/summary", tag = "figures", operation_id = "summary",
    params(WindowParams, FilterParams),
    responses((status = OK, body = Summary), (status = BAD_REQUEST, body = ErrorEnvelope),
        (status = "default", body = ErrorEnvelope)))]
pub(crate) async fn summary(
    State(state): State<AppState>,
    RawQuery(raw): RawQuery,
) -> Result<Json<Summary>, ApiError> {
    let mut params = Params::parse(raw.as_deref());
    let Windowed { query, now } = params.windowed(state.now())?;
    params.finish()?;
    let summary = state.reader.summary(&query).await?;
    let covered = (summary.from, summary.to);
    Ok(Json(Summary {
        from: Moment(summary.from),
        to: Moment(summary.to),
        figures: Figures::of(&summary, rate_span(covered, summary.first_at, now)),
    }))
}

/// One metric over time
///
/// Every series has the same moments: multiples of `step_ms` since 1970. Null is a gap.
#[utoipa::path(get, path = "/api/v1/timeseries", tag = "figures", operation_id = "timeseries",
    params(SeriesParams, WindowParams, FilterParams),
    responses((status = OK, body = Timeseries), (status = BAD_REQUEST, body = ErrorEnvelope),
        (status = "default", body = ErrorEnvelope)))]
pub(crate) async fn timeseries(
    State(state): State<AppState>,
    RawQuery(raw): RawQuery,
) -> Result<Json<Timeseries>, ApiError> {
    let mut params = Params::parse(raw.as_deref());
    let metric = params
        .read("metric", |text| word(text, Metric::ALL, Metric::as_str))?
        .ok_or_else(|| missing("metric", Metric::ALL, Metric::as_str))?;
    let step = params.read("step", |text| {
        parse_duration(text).map_err(|_| "write a span such as 10s, 1m or 1h")
    })?;
    let split = params.read("by", by)?;
    let Windowed { query, .. } = params.windowed(state.now())?;
    params.finish()?;
    let step = step.unwrap_or_else(|| round_step(&query));
    let found = state
        .reader
        .timeseries(&query, metric, step, split)
        .await
        .map_err(|error| match error {
            ledger::QueryError::Step(reason) => ApiError::BadParameter(format!(
                "`step={}` is not accepted; {reason}",
                format_duration(step)
            )),
            other => other.into(),
        })?;
    Ok(Json(Timeseries {
        metric: MetricWord(found.metric),
        unit: UnitWord(found.metric.unit()),
        from: Moment(query.from),
        to: Moment(query.to),
        step_ms: u64::try_from(duration_ms_i64(found.step)).unwrap_or(0),
        series: found.series.into_iter().map(series).collect(),
    }))
}

/// The figures of a window, split by one dimension
///
/// One row per value, most requests first.
#[utoipa::path(get, path = "/api/v1/breakdown", tag = "figures", operation_id = "breakdown",
    params(BreakdownParams, WindowParams, FilterParams),
    responses((status = OK, body = Breakdown), (status = BAD_REQUEST, body = ErrorEnvelope),
        (status = "default", body = ErrorEnvelope)))]
pub(crate) async fn breakdown(
    State(state): State<AppState>,
    RawQuery(raw): RawQuery,
) -> Result<Json<Breakdown>, ApiError> {
    let mut params = Params::parse(raw.as_deref());
    let split = params
        .read("by", by)?
        .ok_or_else(|| missing("by", Dimension::ALL, Dimension::as_str))?;
    let limit = params.limit("limit", ROWS_MAX)?.unwrap_or(ROWS_DEFAULT);
    let Windowed { query, now } = params.windowed(state.now())?;
    params.finish()?;
    let rows = state.reader.breakdown(&query, split.clone(), limit).await?;
    let (from, to) = covered(&query, &rows);
    let span = rate_span((from, to), first_at(&state, &query, &rows, limit).await?, now);
    let row = |row: ledger::BreakdownRow| BreakdownRow {
        key: row.key.map(|key| key.to_string()),
        figures: Figures::of(&row.summary, span),
    };
    Ok(Json(Breakdown {
        by: ByWord(split),
        from: Moment(from),
        to: Moment(to),
        rows: rows.into_iter().map(row).collect(),
    }))
}

/// When the first request of all rows began. With a full page, rows are missing, and the whole must be asked.
pub(crate) async fn first_at(
    state: &AppState,
    query: &ledger::Query,
    rows: &[ledger::BreakdownRow],
    limit: usize,
) -> Result<Option<UnixMillis>, ApiError> {
    if rows.len() < limit {
        return Ok(rows.iter().filter_map(|row| row.summary.first_at).min());
    }
    Ok(state.reader.summary(query).await?.first_at)
}

/// The window that rows really cover, which is wider than asked for where finer rows have been pruned.
pub(crate) fn covered(query: &ledger::Query, rows: &[ledger::BreakdownRow]) -> (UnixMillis, UnixMillis) {
    rows.first()
        .map_or((query.from, query.to), |row| (row.summary.from, row.summary.to))
}

/// The time that rates are taken over: the window without the time before the first request and after now.
pub(crate) fn rate_span(
    (from, to): (UnixMillis, UnixMillis),
    first_at: Option<UnixMillis>,
    now: UnixMillis,
) -> Option<Duration> {
    let from = first_at.map_or(from, |first| from.max(first));
    let span = from.age_at(to.min(now));
    // Over less than a second, a single request would look like a flood.
    (span >= Duration::from_secs(1)).then_some(span)
}

/// A step that people read without calculating, and that gives about 60 to 120 points.
fn round_step(query: &ledger::Query) -> Duration {
    const STEPS: [u64; 15] = [
        1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 1_800, 3_600, 10_800, 21_600, 86_400,
    ];
    let seconds = query.from.age_at(query.to).as_secs();
    let step = STEPS.into_iter().find(|step| seconds / step <= 120);
    // Beyond 120 days: whole days, as many as it takes.
    Duration::from_secs(step.unwrap_or_else(|| seconds.div_ceil(120 * 86_400) * 86_400))
}

fn series(found: ledger::Series) -> Series {
    let labels = found
        .label
        .map(|(by, value)| (by.to_string(), value.map(|value| value.to_string())));
    Series {
        labels: BTreeMap::from_iter(labels),
        points: found
            .points
            .into_iter()
            .map(|(at, value)| Point(at.0, value))
            .collect(),
    }
}

fn missing<T: Copy>(name: &str, all: &[T], as_str: fn(T) -> &'static str) -> ApiError {
    let words: Vec<&str> = all.iter().map(|word| as_str(*word)).collect();
    ApiError::BadParameter(format!("`{name}` is missing; give one of {}", words.join(", ")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn window(seconds: i64) -> ledger::Query {
        ledger::Query::window(UnixMillis(0), UnixMillis(seconds * 1_000))
    }

    #[test]
    fn steps_are_round_and_points_few() {
        for (seconds, step) in [
            (60, 1),
            (900, 10),
            (3_600, 30),
            (21_600, 300),
            (86_400, 1_800),
            (604_800, 10_800),
            (31_536_000, 345_600),
        ] {
            assert_eq!(round_step(&window(seconds)).as_secs(), step, "{seconds} s");
        }
    }

    #[test]
    fn rates_leave_out_the_time_before_the_first_request_and_after_now() {
        let second = |second: i64| UnixMillis(second * 1_000);
        let window = (second(0), second(3_600));
        let span = |first: Option<i64>, now: i64| {
            rate_span(window, first.map(second), second(now)).map(|span| span.as_secs())
        };
        assert_eq!(
            span(Some(600), 9_999),
            Some(3_000),
            "the window began before the first request"
        );
        assert_eq!(span(Some(600), 1_200), Some(600), "the window ends in the future");
        assert_eq!(span(Some(1_200), 1_200), None, "too short to speak of a rate");
        assert_eq!(
            span(None, 3_600),
            Some(3_600),
            "no request at all: the whole window"
        );
    }
}
