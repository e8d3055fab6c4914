//! The columns of the `request` table: a record to bind values, a row to a record or to a sample.

mod values;

use record::units::duration_us;
use record::{
    Attempts, Engine, Flags, Identity, MetricRecord, Name, Routing, Shape, Sketch, TAGS_MAX, UnixMillis,
};
use sqlx::Row as _;
use sqlx::sqlite::{SqliteArguments, SqliteRow};

use crate::cell::Sample;
use crate::codes::Code;
use crate::error::QueryError;
use crate::identifier::{RowId, rid_bytes, rid_text};
use values::{Binder, Columns, tag_ids};

/// All columns of a record, in the order in which [`bind`] writes and [`record_of`] reads them.
macro_rules! record_columns {
    () => {
        "id, rid, trace_id, endpoint, dialect, pool_id, model_requested_id, model_id, replica_id, \
         attempts, stream, choices, max_tokens, priority, status, outcome, error_type_id, finish_reason, \
         terminal, ttfb_us, ttft_us, upstream_ttft_us, ttfo_us, ttst_us, generation_us, tpot_us, \
         itl_mean_us, itl_max_us, itl_count, stalls, e2e_us, upload_us, queue_us, connect_us, \
         overhead_us, client_stall_us, client_gone_us, gaps, prompt_tokens, completion_tokens, \
         cached_tokens, cache_write_tokens, reasoning_tokens, audio_seconds, usage_source, \
         completion_tokens_estimated, token_events, arrivals, engine_queue_us, engine_ttft_us, \
         engine_tokens_per_second, spec_accept_rate, key_id, user_id, session, sdk_id, sdk_retry, \
         request_bytes, response_bytes, good, flags, tools, response_format, images, audios, service_tier, \
         client_net, hash_key_id, tag_ids, policy, prefix_blocks, matched_blocks, \
         predicted_cached_tokens, attempt_log"
    };
}

/// The columns of a sample, in the order in which [`sample_of`] reads them.
macro_rules! sample_columns {
    () => {
        "id, stream, outcome, usage_source, prompt_tokens, completion_tokens, cached_tokens, \
         reasoning_tokens, ttft_us, itl_mean_us, itl_max_us, gaps, tpot_us, e2e_us, queue_us, \
         overhead_us, good"
    };
}
pub(crate) use {record_columns, sample_columns};

/// Number of columns that [`record_columns`] names.
pub(crate) const RECORD_COLUMNS_LEN: usize = 74;

/// Number of columns that [`sample_columns`] names.
pub(crate) const SAMPLE_COLUMNS_LEN: usize = 17;

/// The dictionary ids of a record's strings.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Ids {
    pub(crate) pool: Option<i64>,
    pub(crate) model_requested: Option<i64>,
    pub(crate) model: Option<i64>,
    pub(crate) replica: Option<i64>,
    pub(crate) error_type: Option<i64>,
    pub(crate) key: Option<i64>,
    pub(crate) user: Option<i64>,
    pub(crate) sdk: Option<i64>,
    pub(crate) tags: [Option<i64>; TAGS_MAX],
}

/// Appends the values of one row.
pub(crate) fn bind(
    arguments: &mut SqliteArguments,
    id: RowId,
    record: &MetricRecord,
    ids: &Ids,
) -> Result<(), sqlx::Error> {
    let mut to = Binder {
        arguments,
        refused: None,
    };
    to.value(id.0);
    to.value(rid_bytes(&record.id));
    to.value(record.trace_id.map(|bytes| bytes.to_vec()));
    to.value(record.endpoint.code());
    to.value(record.dialect.code());
    to.value(ids.pool);
    to.value(ids.model_requested);
    to.value(ids.model);
    to.value(ids.replica);
    to.value(i64::from(record.attempts.0));
    to.value(record.shape.stream);
    to.value(record.shape.choices.map(i64::from));
    to.tokens(record.shape.max_tokens);
    to.value(record.shape.priority);
    to.value(record.status.map(i64::from));
    to.value(record.outcome.code());
    to.value(ids.error_type);
    to.value(record.finish_reason.map(Code::code));
    to.value(record.terminal);
    to.times(&record.times);
    to.value((!record.gaps.is_empty()).then(|| record.gaps.encode()));
    to.usage(&record.usage);
    to.value(record.engine.queue.map(duration_us));
    to.value(record.engine.ttft.map(duration_us));
    to.value(record.engine.tokens_per_second);
    to.value(record.engine.spec_accept_rate);
    to.value(ids.key);
    to.value(ids.user);
    to.value(record.identity.session.as_deref().map(str::to_owned));
    to.value(ids.sdk);
    to.value(record.identity.sdk_retry.map(i64::from));
    to.count(record.request_bytes);
    to.count(record.response_bytes);
    to.value(record.good);
    to.value(i64::from(record.flags.bits()));
    to.asked_and_routed(record, ids);
    to.refused
        .map_or(Ok(()), |refused| Err(sqlx::Error::Encode(refused)))
}

/// The dictionary ids that a row of [`record_columns`] names, to be looked up before [`record_of`].
pub(crate) fn ids_of(row: &SqliteRow) -> Result<Ids, QueryError> {
    Ok(Ids {
        pool: row.try_get(5)?,
        model_requested: row.try_get(6)?,
        model: row.try_get(7)?,
        replica: row.try_get(8)?,
        error_type: row.try_get(16)?,
        key: row.try_get(52)?,
        user: row.try_get(53)?,
        sdk: row.try_get(55)?,
        tags: tag_ids(row.try_get(68)?)?,
    })
}

/// Reads a row of [`record_columns`]; `name` knows the dictionary.
pub(crate) fn record_of(
    row: &SqliteRow,
    name: impl Fn(Option<i64>) -> Result<Option<Name>, QueryError>,
) -> Result<MetricRecord, QueryError> {
    let mut from = Columns { row, at: 0 };
    let started_at = RowId(from.value()?).started_at();
    let id = rid_text(from.value()?).ok_or(QueryError::Row)?;
    let trace_id = match from.value::<Option<Vec<u8>>>()? {
        Some(bytes) => Some(bytes.try_into().map_err(|_| QueryError::Row)?),
        None => None,
    };
    let mut record = MetricRecord {
        id,
        started_at,
        trace_id,
        endpoint: from.code()?,
        dialect: from.code()?,
        pool: name(from.value()?)?,
        model_requested: name(from.value()?)?,
        model: name(from.value()?)?,
        replica: name(from.value()?)?,
        attempts: Attempts(from.number()?),
        attempt_log: Vec::new(),
        routing: Routing::default(),
        shape: Shape {
            stream: from.value()?,
            choices: from.optional()?,
            max_tokens: from.tokens()?,
            priority: from.value()?,
            ..Shape::default()
        },
        status: from.optional()?,
        outcome: from.code()?,
        error_type: name(from.value()?)?,
        finish_reason: from.optional_code()?,
        terminal: from.value()?,
        times: from.times()?,
        gaps: match from.value::<Option<Vec<u8>>>()? {
            Some(bytes) => Sketch::decode(&bytes).ok_or(QueryError::Row)?,
            None => Sketch::default(),
        },
        usage: from.usage()?,
        engine: Engine {
            queue: from.span()?,
            ttft: from.span()?,
            tokens_per_second: from.value()?,
            spec_accept_rate: from.value()?,
        },
        identity: Identity {
            key: name(from.value()?)?,
            user: name(from.value()?)?,
            session: from.value::<Option<String>>()?.map(Name::from),
            sdk: name(from.value()?)?,
            sdk_retry: from.optional()?,
            ..Identity::default()
        },
        request_bytes: from.number()?,
        response_bytes: from.number()?,
        good: from.value()?,
        flags: Flags::from_bits(from.number()?),
    };
    from.asked_and_routed(&mut record, name)?;
    Ok(record)
}

/// Reads a row of [`sample_columns`].
pub(crate) fn sample_of(row: &SqliteRow) -> Result<Sample, QueryError> {
    let mut from = Columns { row, at: 0 };
    Ok(Sample {
        started_at: RowId(from.value()?).started_at(),
        stream: from.value()?,
        outcome: from.code()?,
        exact: from.code::<record::UsageSource>()?.is_exact(),
        prompt: from.optional()?,
        completion: from.optional()?,
        cached: from.optional()?,
        reasoning: from.optional()?,
        ttft_us: from.value()?,
        itl_mean_us: from.value()?,
        itl_max_us: from.value()?,
        gaps: from.value::<Option<Vec<u8>>>()?.unwrap_or_default(),
        tpot_us: from.value()?,
        e2e_us: from.value()?,
        queue_us: from.value()?,
        overhead_us: from.value()?,
        good: from.value()?,
    })
}

/// The moment before which a row id lies, for a window of milliseconds.
pub(crate) fn first_id_at(moment: UnixMillis) -> i64 {
    RowId::first_at(moment).0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_counts_of_columns_are_right() {
        assert_eq!(record_columns!().split(',').count(), RECORD_COLUMNS_LEN);
        assert_eq!(sample_columns!().split(',').count(), SAMPLE_COLUMNS_LEN);
        let names: Vec<&str> = record_columns!().split(',').map(str::trim).collect();
        for (at, name) in [
            (5, "pool_id"),
            (8, "replica_id"),
            (16, "error_type_id"),
            (52, "key_id"),
            (55, "sdk_id"),
            (68, "tag_ids"),
        ] {
            assert_eq!(
                names[at], name,
                "`ids_of` reads the dictionary ids by their place"
            );
        }
    }
}
