//! Answers made of cells: summary, time series, breakdown.

use std::collections::HashMap;
use std::time::Duration;

use record::UnixMillis;
use record::units::{count_f64, duration_ms, duration_ms_i64};

use super::gather::{Gathered, Grouping, gather};
use super::live::Live;
use super::names::words;
use crate::answer::{BreakdownRow, Series, Summary, Timeseries};
use crate::cell::Cell;
use crate::engine::Session;
use crate::error::QueryError;
use crate::question::{POINTS_MAX, Query};
use crate::spread::Spread;
use crate::words::{By, Metric};

/// Most series of one chart; the busiest are shown. More lines than this no one can tell apart.
const SERIES_MAX: usize = 50;

/// The buckets of a time series, checked.
#[derive(Clone, Copy, Debug)]
pub(super) struct Steps {
    step: Duration,
    step_ms: i64,
    /// Begin of the first bucket.
    first: i64,
    count: u32,
}

// === impl Steps ===

impl Steps {
    pub(super) fn new(query: &Query, step: Duration) -> Result<Self, QueryError> {
        let step_ms = duration_ms_i64(step);
        if step.is_zero() || step.subsec_nanos() != 0 {
            return Err(QueryError::Step(
                "the step must be a whole number of seconds".to_owned(),
            ));
        }
        if query.is_empty() {
            return Ok(Self {
                step,
                step_ms,
                first: 0,
                count: 0,
            });
        }
        let first = query.from.0 - query.from.0.rem_euclid(step_ms);
        let width = query.to.0.saturating_sub(first).unsigned_abs();
        match u32::try_from(width.div_ceil(step_ms.unsigned_abs())) {
            Ok(count) if count <= POINTS_MAX => Ok(Self {
                step,
                step_ms,
                first,
                count,
            }),
            _ => Err(QueryError::Step(format!(
                "a step of {} s makes more than {POINTS_MAX} points; choose a larger one",
                step.as_secs()
            ))),
        }
    }

    fn moments(self) -> impl Iterator<Item = UnixMillis> {
        (0..i64::from(self.count)).map(move |place| UnixMillis(self.first + place * self.step_ms))
    }

    /// The seconds of a bucket that lie in a window.
    fn seconds(self, bucket: UnixMillis, from: UnixMillis, to: UnixMillis) -> f64 {
        let end = bucket.plus(self.step).min(to);
        bucket.max(from).age_at(end).as_secs_f64()
    }
}

/// The figures of a window.
pub(super) async fn summary(session: &mut Session, query: &Query) -> Result<Summary, QueryError> {
    let gathered = gather(session, query, Grouping::default()).await?;
    let cell = gathered.cells.into_values().next().unwrap_or_default();
    Ok(cell.summary(gathered.from, gathered.to))
}

/// The figures of each value of a dimension.
pub(super) async fn breakdown(
    session: &mut Session,
    query: &Query,
    by: By,
    limit: usize,
) -> Result<Vec<BreakdownRow>, QueryError> {
    let Gathered { mut cells, from, to } =
        gather(session, query, Grouping::new(Some(by.clone()), None)).await?;
    // Their keys are sorted, not the cells: those are large, and most of them are not shown.
    let mut busiest: Vec<_> = cells
        .iter()
        .map(|(key, cell)| (*key, cell.counts.requests))
        .collect();
    busiest.sort_unstable_by(|(a, a_count), (b, b_count)| b_count.cmp(a_count).then(a.cmp(b)));
    busiest.truncate(limit);
    let groups: Vec<(Option<i64>, Cell)> = busiest
        .into_iter()
        .filter_map(|(key, _)| Some((key.0, cells.remove(&key)?)))
        .collect();
    let values = groups.iter().filter_map(|(value, _)| *value);
    let names = words(session, &by, values).await?;
    let row = |(value, cell): (Option<i64>, Cell)| BreakdownRow {
        key: value.and_then(|value| names.get(&value).cloned()),
        summary: cell.summary(from, to),
    };
    Ok(groups.into_iter().map(row).collect())
}

/// One metric over time.
pub(super) async fn timeseries(
    session: &mut Session,
    query: &Query,
    metric: Metric,
    steps: Steps,
    by: Option<By>,
) -> Result<Timeseries, QueryError> {
    let mut grouping = Grouping::new(by.clone(), Some(steps.step));
    grouping.wanted = metric.wanted();
    let Gathered { mut cells, from, .. } = gather(session, query, grouping).await?;
    let states = session.states().await?;
    let live = Live::of(session, query, steps.step, &states).await?;
    let mut busy: HashMap<Option<i64>, u64> = HashMap::new();
    for ((value, _), cell) in &cells {
        *busy.entry(*value).or_default() += cell.counts.requests;
    }
    let mut groups: Vec<(Option<i64>, u64)> = busy.into_iter().collect();
    groups.sort_by(|(a, a_count), (b, b_count)| b_count.cmp(a_count).then(a.cmp(b)));
    groups.truncate(SERIES_MAX);
    if by.is_none() && groups.is_empty() {
        // A chart of nothing still has its time axis.
        groups.push((None, 0));
    }
    let names = match &by {
        Some(by) => {
            let values = groups.iter().filter_map(|(value, _)| *value);
            words(session, by, values).await?
        }
        None => HashMap::new(),
    };
    let series = groups.into_iter().map(|(value, _)| Series {
        label: by
            .clone()
            .map(|by| (by, value.and_then(|value| names.get(&value).cloned()))),
        points: steps
            .moments()
            .map(|at| {
                let cell = cells.remove(&(value, at));
                if at.plus(steps.step) <= from || (cell.is_none() && !live.touches(at, steps.step)) {
                    // Pruned, or nobody was there to be asked: not zero, but not known.
                    return (at, None);
                }
                let cell = cell.unwrap_or_default();
                (at, point(metric, &cell, steps.seconds(at, from, query.to)))
            })
            .collect(),
    });
    Ok(Timeseries {
        metric,
        step: steps.step,
        series: series.collect(),
    })
}

/// The value of a metric in one bucket. No requests are 0 requests, but no percentile, no ratio and no mean.
fn point(metric: Metric, cell: &Cell, seconds: f64) -> Option<f64> {
    let ratio = |part: u64, whole: u64| (whole > 0).then(|| count_f64(part) / count_f64(whole));
    let rate = |count: u64| (seconds > 0.0).then(|| count_f64(count) / seconds);
    let counts = &cell.counts;
    let tokens = counts.tokens();
    // In a bucket with requests of which none reported its tokens, the rate is unknown, not zero.
    let token_rate = |sum: Option<u64>| {
        if counts.requests == 0 {
            rate(0)
        } else {
            sum.and_then(rate)
        }
    };
    match metric {
        Metric::Requests => Some(count_f64(counts.requests)),
        Metric::RequestsPerSecond => rate(counts.requests),
        Metric::ErrorRate => ratio(counts.failures(), counts.requests),
        Metric::Goodput => ratio(counts.goodput().good, counts.goodput().eligible),
        Metric::PromptTokens => token_rate(tokens.prompt),
        Metric::CompletionTokens => token_rate(tokens.completion),
        Metric::CachedTokens => token_rate(tokens.cached),
        Metric::TtftMean => mean(&cell.ttft),
        Metric::TtftP50 => quantile(&cell.ttft, 500),
        Metric::TtftP90 => quantile(&cell.ttft, 900),
        Metric::TtftP95 => quantile(&cell.ttft, 950),
        Metric::TtftP99 => quantile(&cell.ttft, 990),
        Metric::ItlMean => mean(&cell.itl),
        Metric::ItlP50 => quantile(&cell.itl, 500),
        Metric::ItlP95 => quantile(&cell.itl, 950),
        Metric::ItlP99 => quantile(&cell.itl, 990),
        Metric::TpotMean => mean(&cell.tpot),
        Metric::TpotP50 => quantile(&cell.tpot, 500),
        Metric::TpotP90 => quantile(&cell.tpot, 900),
        Metric::TpotP95 => quantile(&cell.tpot, 950),
        Metric::TpotP99 => quantile(&cell.tpot, 990),
        Metric::E2eMean => mean(&cell.e2e),
        Metric::E2eP50 => quantile(&cell.e2e, 500),
        Metric::E2eP90 => quantile(&cell.e2e, 900),
        Metric::E2eP95 => quantile(&cell.e2e, 950),
        Metric::E2eP99 => quantile(&cell.e2e, 990),
        Metric::QueueP95 => quantile(&cell.queue, 950),
        Metric::OverheadP99 => quantile(&cell.overhead, 990),
    }
}

fn quantile(spread: &Spread, permille: u64) -> Option<f64> {
    spread
        .quantile_us(permille)
        .map(|us| duration_ms(Duration::from_micros(us)))
}

fn mean(spread: &Spread) -> Option<f64> {
    spread.mean_us().map(|us| us / 1e3)
}
