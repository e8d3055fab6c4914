//! `/api/v1/replicas`, `/api/v1/facets` and `/api/v1/about`.

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::{RawQuery, State};
use ledger::Dimension;
use record::units::{count_f64, duration_ms_i64};
use record::{LedgerPulse, Name, Pulse, UnixMillis};

use super::figures::{ROWS_MAX, covered, first_at, rate_span};
use crate::error::{ApiError, ErrorEnvelope};
use crate::exposition::{STALE_AFTER, is_fresh, is_remembered};
use crate::live::worse;
use crate::model::{
    About, Facets, Figures, LedgerRow, Moment, ProxyRow, ReplicaRow, ReplicaStateWord, ReplicaView, Replicas,
};
use crate::params::{FilterParams, Params, WindowParams, Windowed};
use crate::state::AppState;

/// Replicas and proxies
///
/// State and load come from the pulses of the proxies, figures from the requests of the window. A proxy that
/// has been silent for an hour is no longer listed.
#[utoipa::path(get, path = "/api/v1/replicas", tag = "fleet", operation_id = "replicas",
    params(WindowParams, FilterParams),
    responses((status = OK, body = Replicas), (status = BAD_REQUEST, body = ErrorEnvelope),
        (status = "default", body = ErrorEnvelope)))]
pub(crate) async fn replicas(
    State(state): State<AppState>,
    RawQuery(raw): RawQuery,
) -> Result<Json<Replicas>, ApiError> {
    let mut params = Params::parse(raw.as_deref());
    let Windowed { query, now } = params.windowed(state.now())?;
    params.finish()?;
    let mut pulses = state.reader.pulses().await?;
    pulses.retain(|pulse| is_remembered(pulse, now));
    let figures = state
        .reader
        .breakdown(&query, Dimension::Replica, ROWS_MAX)
        .await?;
    let (from, to) = covered(&query, &figures);
    let span = rate_span(
        (from, to),
        first_at(&state, &query, &figures, ROWS_MAX).await?,
        now,
    );
    let mut rows = rows_of_pulses(
        &pulses,
        &query.filter,
        now,
        &Figures::of(&ledger::Summary::default(), span),
    );
    for found in figures {
        let Some(name) = found.key else { continue };
        let row = rows.entry(name.clone()).or_insert_with(|| ReplicaRow {
            replica: name.to_string(),
            pool: None,
            state: None,
            in_flight: None,
            models: Vec::new(),
            views: Vec::new(),
            figures: Figures::default(),
        });
        row.figures = Figures::of(&found.summary, span);
    }
    Ok(Json(Replicas {
        from: Moment(from),
        to: Moment(to),
        stale_after_ms: whole_ms(STALE_AFTER),
        proxies: pulses.iter().map(|pulse| proxy_row(pulse, now)).collect(),
        replicas: rows.into_values().collect(),
    }))
}

/// Values to filter by
///
/// What occurs in the window, among the requests that the other filters let pass.
#[utoipa::path(get, path = "/api/v1/facets", tag = "fleet", operation_id = "facets",
    params(WindowParams, FilterParams),
    responses((status = OK, body = Facets), (status = BAD_REQUEST, body = ErrorEnvelope),
        (status = "default", body = ErrorEnvelope)))]
pub(crate) async fn facets(
    State(state): State<AppState>,
    RawQuery(raw): RawQuery,
) -> Result<Json<Facets>, ApiError> {
    let mut params = Params::parse(raw.as_deref());
    let Windowed { query, .. } = params.windowed(state.now())?;
    params.finish()?;
    let found = state.reader.facets(&query).await?;
    Ok(Json(Facets {
        from: Moment(query.from),
        to: Moment(query.to),
        model: texts(&found.model),
        pool: texts(&found.pool),
        replica: texts(&found.replica),
        endpoint: texts(&found.endpoint),
        outcome: texts(&found.outcome),
        key: texts(&found.key),
        user: texts(&found.user),
    }))
}

/// The service itself
///
/// What a page needs before there is any data.
#[utoipa::path(get, path = "/api/v1/about", tag = "fleet", operation_id = "about",
    responses((status = OK, body = About), (status = "default", body = ErrorEnvelope)))]
pub(crate) async fn about(
    State(state): State<AppState>,
    RawQuery(raw): RawQuery,
) -> Result<Json<About>, ApiError> {
    Params::parse(raw.as_deref()).finish()?;
    Ok(Json(About {
        version: env!("CARGO_PKG_VERSION"),
        now: Moment(state.now()),
        proxy_url: state.settings.proxy_url.clone(),
        ready: state.reader.ready().await,
    }))
}

/// The replicas that pulses name and the filter lets pass, without their requests.
fn rows_of_pulses(
    pulses: &[Pulse],
    filter: &ledger::Filter,
    now: UnixMillis,
    idle: &Figures,
) -> BTreeMap<Name, ReplicaRow> {
    let passes = |wanted: &[Name], name: &Name| wanted.is_empty() || wanted.contains(name);
    let mut rows: BTreeMap<Name, ReplicaRow> = BTreeMap::new();
    for pulse in pulses {
        let stale = !is_fresh(pulse, now);
        for seen in &pulse.replicas {
            if !passes(&filter.replica, &seen.replica) || !passes(&filter.pool, &seen.pool) {
                continue;
            }
            let row = rows.entry(seen.replica.clone()).or_insert_with(|| ReplicaRow {
                replica: seen.replica.to_string(),
                pool: Some(seen.pool.to_string()),
                state: None,
                in_flight: None,
                models: Vec::new(),
                views: Vec::new(),
                figures: idle.clone(),
            });
            if !stale {
                let known = row.state.map_or(seen.state, |state| worse(state.0, seen.state));
                row.state = Some(ReplicaStateWord(known));
                row.in_flight = Some(row.in_flight.unwrap_or(0).saturating_add(seen.in_flight));
                row.models.extend(texts(&seen.models));
                row.models.sort();
                row.models.dedup();
            }
            row.views.push(ReplicaView {
                instance: pulse.instance.to_string(),
                stale,
                state: ReplicaStateWord(seen.state),
                changed_at: seen.changed_at.map(Moment),
                in_flight: seen.in_flight,
                requests_total: seen.requests_total,
                errors_total: seen.errors_total,
            });
        }
    }
    rows
}

fn proxy_row(pulse: &Pulse, now: UnixMillis) -> ProxyRow {
    ProxyRow {
        instance: pulse.instance.to_string(),
        version: pulse.version.clone(),
        started_at: Moment(pulse.started_at),
        at: Moment(pulse.at),
        age_ms: whole_ms(pulse.at.age_at(now)),
        stale: !is_fresh(pulse, now),
        in_flight: pulse.in_flight,
        waiting: pulse.waiting,
        ledger: pulse.ledger.as_ref().map(ledger_row),
    }
}

fn ledger_row(pulse: &LedgerPulse) -> LedgerRow {
    let share = count_f64(pulse.backlog_bytes) / count_f64(pulse.backlog_bytes_max.max(1));
    LedgerRow {
        finished: pulse.finished,
        written: pulse.written,
        queued: pulse.queued,
        dropped: pulse.dropped.values().sum(),
        errors: pulse.errors.values().sum(),
        degraded: pulse.degraded,
        lag_ms: pulse.lag_ms,
        backlog: share.min(1.0),
        last_write_at: pulse.last_write_at.map(Moment),
        file_bytes: pulse.file_bytes,
        wal_bytes: pulse.wal_bytes,
        last_backup_at: pulse.last_backup_at.map(Moment),
        backup_failed: pulse.backup_error.is_some(),
    }
}

fn texts(names: &[Name]) -> Vec<String> {
    names.iter().map(ToString::to_string).collect()
}

fn whole_ms(span: std::time::Duration) -> u64 {
    u64::try_from(duration_ms_i64(span)).unwrap_or(0)
}
