//! The columns of the `request` table: a record to bind values, a row to a record or to a sample.

mod values;

use crate::cell::Sample;
use crate::codes::Code;
use crate::error::QueryError;
use crate::identifier::{RowId, rid_bytes, rid_text};
use crate::spread::{Spread, unsigned_us};
use record::units::duration_us;
use record::{
    Attempts, Engine, Flags, Identity, MetricRecord, Name, Routing, Shape, Sketch, TAGS_MAX, UnixMillis,
};
use values::{Binder, Columns, tag_ids};

pub(crate) use values::{Row, Values};

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

// === impl Ids ===

impl Ids {
    /// All that are there.
    pub(crate) fn all(&self) -> impl Iterator<Item = i64> {
        [
            self.pool,
            self.model_requested,
            self.model,
            self.replica,
            self.error_type,
            self.key,
            self.user,
            self.sdk,
        ]
        .into_iter()
        .chain(self.tags)
        .flatten()
    }
}

/// Writes the values of one row, in the order of [`record_columns`].
pub(crate) fn bind(to: &mut impl Values, id: RowId, record: &MetricRecord, ids: &Ids) {
    let mut to = Binder { to };
    to.integer(Some(id.0));
    to.bytes(Some(&rid_bytes(&record.id)));
    to.bytes(record.trace_id.as_ref().map(<[u8; 16]>::as_slice));
    to.integer(Some(record.endpoint.code()));
    to.integer(Some(record.dialect.code()));
    to.integer(ids.pool);
    to.integer(ids.model_requested);
    to.integer(ids.model);
    to.integer(ids.replica);
    to.integer(Some(i64::from(record.attempts.0)));
    to.flag(record.shape.stream);
    to.integer(record.shape.choices.map(i64::from));
    to.tokens(record.shape.max_tokens);
    to.integer(record.shape.priority);
    to.integer(record.status.map(i64::from));
    to.integer(Some(record.outcome.code()));
    to.integer(ids.error_type);
    to.integer(record.finish_reason.map(Code::code));
    to.flag(record.terminal);
    to.times(&record.times);
    to.bytes((!record.gaps.is_empty()).then(|| record.gaps.encode()).as_deref());
    to.usage(&record.usage);
    to.integer(record.engine.queue.map(duration_us));
    to.integer(record.engine.ttft.map(duration_us));
    to.real(record.engine.tokens_per_second);
    to.real(record.engine.spec_accept_rate);
    to.integer(ids.key);
    to.integer(ids.user);
    to.text(record.identity.session.as_deref());
    to.integer(ids.sdk);
    to.integer(record.identity.sdk_retry.map(i64::from));
    to.count(record.request_bytes);
    to.count(record.response_bytes);
    to.flag(record.good);
    to.integer(Some(i64::from(record.flags.bits())));
    to.asked_and_routed(record, ids);
}

/// The dictionary ids that a row of [`record_columns`] names, to be looked up before [`record_of`].
pub(crate) fn ids_of(row: &impl Row) -> Result<Ids, QueryError> {
    Ok(Ids {
        pool: row.integer(5)?,
        model_requested: row.integer(6)?,
        model: row.integer(7)?,
        replica: row.integer(8)?,
        error_type: row.integer(16)?,
        key: row.integer(52)?,
        user: row.integer(53)?,
        sdk: row.integer(55)?,
        tags: tag_ids(row.text(68)?)?,
    })
}

/// Reads a row of [`record_columns`]; `name` knows the dictionary.
pub(crate) fn record_of(
    row: &impl Row,
    name: impl Fn(Option<i64>) -> Result<Option<Name>, QueryError>,
) -> Result<MetricRecord, QueryError> {
    let mut from = Columns::new(row);
    let started_at = RowId(from.number()?).started_at();
    let id = rid_text(from.bytes()?.ok_or(QueryError::Row)?).ok_or(QueryError::Row)?;
    let trace_id = match from.bytes()? {
        Some(bytes) => Some(bytes.try_into().map_err(|_| QueryError::Row)?),
        None => None,
    };
    let mut record = MetricRecord {
        id,
        started_at,
        trace_id,
        endpoint: from.code()?,
        dialect: from.code()?,
        pool: name(from.integer()?)?,
        model_requested: name(from.integer()?)?,
        model: name(from.integer()?)?,
        replica: name(from.integer()?)?,
        attempts: Attempts(from.number()?),
        attempt_log: Vec::new(),
        routing: Routing::default(),
        shape: Shape {
            stream: from.flag()?,
            choices: from.optional()?,
            max_tokens: from.tokens()?,
            priority: from.integer()?,
            ..Shape::default()
        },
        status: from.optional()?,
        outcome: from.code()?,
        error_type: name(from.integer()?)?,
        finish_reason: from.optional_code()?,
        terminal: from.flag()?,
        times: from.times()?,
        gaps: match from.bytes()? {
            Some(bytes) => Sketch::decode(&bytes).ok_or(QueryError::Row)?,
            None => Sketch::default(),
        },
        usage: from.usage()?,
        engine: Engine {
            queue: from.span()?,
            ttft: from.span()?,
            tokens_per_second: from.real()?,
            spec_accept_rate: from.real()?,
        },
        identity: Identity {
            key: name(from.integer()?)?,
            user: name(from.integer()?)?,
            session: from.text()?.map(Name::from),
            sdk: name(from.integer()?)?,
            sdk_retry: from.optional()?,
            ..Identity::default()
        },
        request_bytes: from.number()?,
        response_bytes: from.number()?,
        good: from.flag()?,
        flags: Flags::from_bits(from.number()?),
    };
    from.asked_and_routed(&mut record, name)?;
    Ok(record)
}

/// Reads a row of [`sample_columns`].
pub(crate) fn sample_of(row: &impl Row) -> Result<Sample, QueryError> {
    let mut from = Columns::new(row);
    let started_at = RowId(from.number()?).started_at();
    let stream = from.flag()?;
    let outcome = from.code()?;
    let exact = from.code::<record::UsageSource>()?.is_exact();
    let tokens = [
        from.optional()?,
        from.optional()?,
        from.optional()?,
        from.optional()?,
    ];
    let ttft_us = from.integer()?;
    let (mean_us, max_us, gaps) = (from.integer()?, from.integer()?, from.bytes()?);
    let gaps = match (mean_us, max_us, gaps) {
        (Some(mean), Some(max), Some(gaps)) => Spread::of_gaps(&gaps, unsigned_us(mean), unsigned_us(max)),
        _ => None,
    };
    let [prompt, completion, cached, reasoning] = tokens;
    Ok(Sample {
        started_at,
        stream,
        outcome,
        exact,
        prompt,
        completion,
        cached,
        reasoning,
        ttft_us,
        tpot_us: from.integer()?,
        e2e_us: from.number()?,
        queue_us: from.integer()?,
        overhead_us: from.number()?,
        gaps,
        good: from.flag()?,
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
