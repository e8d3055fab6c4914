//! One value after the other: into the arguments of a statement, and out of a row.

use record::units::{duration_from_us, duration_us};
use record::{Attempt, MetricRecord, Name, Routing, TAGS_MAX, Tag, Times, Tokens, Usage};
use sqlx::Row as _;
use sqlx::sqlite::{SqliteArguments, SqliteRow};

use super::Ids;
use crate::codes::Code;
use crate::error::QueryError;
use crate::packed;

/// Collects the values of one statement.
pub(super) struct Binder<'a> {
    pub(super) arguments: &'a mut SqliteArguments,
    pub(super) refused: Option<sqlx::error::BoxDynError>,
}

/// Reads the columns of one row from left to right.
pub(super) struct Columns<'a> {
    pub(super) row: &'a SqliteRow,
    pub(super) at: usize,
}

// === impl Binder ===

impl Binder<'_> {
    pub(super) fn value<'t, T: sqlx::Encode<'t, sqlx::Sqlite> + sqlx::Type<sqlx::Sqlite>>(
        &mut self,
        value: T,
    ) {
        if let Err(refused) = sqlx::Arguments::add(self.arguments, value) {
            self.refused.get_or_insert(refused);
        }
    }

    /// A count beyond 2^63 is stored as 2^63 - 1: SQLite has no larger integer.
    pub(super) fn count(&mut self, count: u64) {
        self.value(i64::try_from(count).unwrap_or(i64::MAX));
    }

    pub(super) fn tokens(&mut self, tokens: Option<Tokens>) {
        self.value(tokens.map(Tokens::as_i64));
    }

    pub(super) fn times(&mut self, times: &Times) {
        for span in [
            times.ttfb,
            times.ttft,
            times.upstream_ttft,
            times.ttfo,
            times.ttst,
            times.generation,
            times.tpot,
            times.itl_mean,
            times.itl_max,
        ] {
            self.value(span.map(duration_us));
        }
        self.count(times.itl_count);
        self.value(i64::from(times.stalls));
        self.value(duration_us(times.e2e));
        for span in [times.upload, times.queue, times.connect] {
            self.value(span.map(duration_us));
        }
        self.value(duration_us(times.overhead));
        self.value(times.client_stall.map(duration_us));
        self.value(times.client_gone.map(duration_us));
    }

    pub(super) fn usage(&mut self, usage: &Usage) {
        for tokens in [
            usage.prompt,
            usage.completion,
            usage.cached,
            usage.cache_write,
            usage.reasoning,
        ] {
            self.tokens(tokens);
        }
        self.value(usage.audio_seconds);
        self.value(usage.source.code());
        self.tokens(usage.completion_estimated);
        self.tokens(usage.token_events.map(Tokens));
        self.tokens(usage.arrivals.map(Tokens));
    }

    /// The columns of schema 2.
    pub(super) fn asked_and_routed(&mut self, record: &MetricRecord, ids: &Ids) {
        let (shape, identity, routing) = (&record.shape, &record.identity, &record.routing);
        self.value(shape.tools.map(i64::from));
        self.value(shape.response_format.map(Code::code));
        self.value(shape.images.map(i64::from));
        self.value(shape.audios.map(i64::from));
        self.value(shape.service_tier.map(Code::code));
        self.value(identity.client_net.as_deref().map(str::to_owned));
        self.value(identity.hash_key_id.map(i64::from));
        self.value(packed::pack_ids(ids.tags.iter().flatten().copied()));
        self.value(routing.policy.map(Code::code));
        self.value(routing.prefix_blocks.map(i64::from));
        self.value(routing.matched_blocks.map(i64::from));
        self.tokens(routing.predicted_cached);
        self.value(packed::pack_attempts(&record.attempt_log));
    }
}

// === impl Columns ===

impl<'a> Columns<'a> {
    pub(super) fn value<T: sqlx::Decode<'a, sqlx::Sqlite> + sqlx::Type<sqlx::Sqlite>>(
        &mut self,
    ) -> Result<T, QueryError> {
        let at = self.at;
        self.at += 1;
        Ok(self.row.try_get(at)?)
    }

    pub(super) fn number<T: TryFrom<i64>>(&mut self) -> Result<T, QueryError> {
        T::try_from(self.value::<i64>()?).map_err(|_| QueryError::Row)
    }

    pub(super) fn optional<T: TryFrom<i64>>(&mut self) -> Result<Option<T>, QueryError> {
        self.value::<Option<i64>>()?
            .map(|number| T::try_from(number).map_err(|_| QueryError::Row))
            .transpose()
    }

    pub(super) fn code<C: Code>(&mut self) -> Result<C, QueryError> {
        C::from_code(self.value()?).ok_or(QueryError::Row)
    }

    pub(super) fn optional_code<C: Code>(&mut self) -> Result<Option<C>, QueryError> {
        self.value::<Option<i64>>()?
            .map(|code| C::from_code(code).ok_or(QueryError::Row))
            .transpose()
    }

    pub(super) fn span(&mut self) -> Result<Option<std::time::Duration>, QueryError> {
        Ok(self.value::<Option<i64>>()?.map(duration_from_us))
    }

    pub(super) fn tokens(&mut self) -> Result<Option<Tokens>, QueryError> {
        Ok(self.optional()?.map(Tokens))
    }

    /// Fields are evaluated in the order in which they are written here: the order of the columns.
    pub(super) fn times(&mut self) -> Result<Times, QueryError> {
        Ok(Times {
            ttfb: self.span()?,
            ttft: self.span()?,
            upstream_ttft: self.span()?,
            ttfo: self.span()?,
            ttst: self.span()?,
            generation: self.span()?,
            tpot: self.span()?,
            itl_mean: self.span()?,
            itl_max: self.span()?,
            itl_count: self.number()?,
            stalls: self.number()?,
            e2e: duration_from_us(self.value()?),
            upload: self.span()?,
            queue: self.span()?,
            connect: self.span()?,
            overhead: duration_from_us(self.value()?),
            client_stall: self.span()?,
            client_gone: self.span()?,
        })
    }

    pub(super) fn usage(&mut self) -> Result<Usage, QueryError> {
        Ok(Usage {
            prompt: self.tokens()?,
            completion: self.tokens()?,
            cached: self.tokens()?,
            cache_write: self.tokens()?,
            reasoning: self.tokens()?,
            audio_seconds: self.value()?,
            source: self.code()?,
            completion_estimated: self.tokens()?,
            token_events: self.optional()?,
            arrivals: self.optional()?,
        })
    }

    /// The columns of schema 2, in the order in which they are written.
    pub(super) fn asked_and_routed(
        &mut self,
        record: &mut MetricRecord,
        name: impl Fn(Option<i64>) -> Result<Option<Name>, QueryError>,
    ) -> Result<(), QueryError> {
        record.shape.tools = self.optional()?;
        record.shape.response_format = self.optional_code()?;
        record.shape.images = self.optional()?;
        record.shape.audios = self.optional()?;
        record.shape.service_tier = self.optional_code()?;
        record.identity.client_net = self.value::<Option<String>>()?.map(Name::from);
        record.identity.hash_key_id = self.optional()?;
        record.identity.tags = self.tags(name)?;
        record.routing = Routing {
            policy: self.optional_code()?,
            prefix_blocks: self.optional()?,
            matched_blocks: self.optional()?,
            predicted_cached: self.tokens()?,
        };
        record.attempt_log = self.attempts()?;
        Ok(())
    }

    fn tags(
        &mut self,
        name: impl Fn(Option<i64>) -> Result<Option<Name>, QueryError>,
    ) -> Result<Vec<Tag>, QueryError> {
        tag_ids(self.value()?)?
            .into_iter()
            .filter_map(|id| name(id).transpose())
            .map(|text| packed::tag_of(&text?).ok_or(QueryError::Row))
            .collect()
    }

    fn attempts(&mut self) -> Result<Vec<Attempt>, QueryError> {
        match self.value::<Option<String>>()? {
            Some(packed) => packed::unpack_attempts(&packed).ok_or(QueryError::Row),
            None => Ok(Vec::new()),
        }
    }
}

/// The numbers of a packed list, each in its place.
pub(super) fn tag_ids(packed: Option<String>) -> Result<[Option<i64>; TAGS_MAX], QueryError> {
    let mut ids = [None; TAGS_MAX];
    if let Some(packed) = packed {
        let listed = packed::unpack_ids(&packed).ok_or(QueryError::Row)?;
        for (id, listed) in ids.iter_mut().zip(listed) {
            *id = Some(listed);
        }
    }
    Ok(ids)
}
