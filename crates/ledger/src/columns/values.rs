//! One value after the other: into the arguments of a statement, and out of a row.

use record::units::{duration_from_us, duration_us};
use record::{Attempt, MetricRecord, Name, Routing, TAGS_MAX, Tag, Times, Tokens, Usage};

use super::Ids;
use crate::codes::Code;
use crate::error::QueryError;
use crate::packed;

/// Takes the values of a row from left to right: the arguments of a statement. A yes or no is 1 or 0.
pub(crate) trait Values {
    /// A whole number.
    fn integer(&mut self, value: Option<i64>);
    /// A number with a fraction.
    fn real(&mut self, value: Option<f64>);
    /// Bytes.
    fn bytes(&mut self, value: Option<&[u8]>);
    /// Text.
    fn text(&mut self, value: Option<&str>);
}

/// A stored row, by the place of its columns.
pub(crate) trait Row {
    /// A whole number.
    fn integer(&self, at: usize) -> Result<Option<i64>, QueryError>;
    /// A number with a fraction.
    fn real(&self, at: usize) -> Result<Option<f64>, QueryError>;
    /// Bytes.
    fn bytes(&self, at: usize) -> Result<Option<Vec<u8>>, QueryError>;
    /// Text.
    fn text(&self, at: usize) -> Result<Option<String>, QueryError>;
}

/// Writes the values of one row.
pub(super) struct Binder<'a, V> {
    pub(super) to: &'a mut V,
}

/// Reads the columns of one row from left to right.
pub(super) struct Columns<'a, R> {
    row: &'a R,
    at: usize,
}

// === impl Binder ===

impl<V: Values> Binder<'_, V> {
    pub(super) fn integer(&mut self, value: Option<i64>) {
        self.to.integer(value);
    }

    pub(super) fn real(&mut self, value: Option<f64>) {
        self.to.real(value);
    }

    pub(super) fn bytes(&mut self, value: Option<&[u8]>) {
        self.to.bytes(value);
    }

    pub(super) fn text(&mut self, value: Option<&str>) {
        self.to.text(value);
    }

    pub(super) fn flag(&mut self, value: Option<bool>) {
        self.integer(value.map(i64::from));
    }

    /// A count beyond 2^63 is stored as 2^63 - 1: SQLite has no larger integer.
    pub(super) fn count(&mut self, count: u64) {
        self.integer(Some(i64::try_from(count).unwrap_or(i64::MAX)));
    }

    pub(super) fn tokens(&mut self, tokens: Option<Tokens>) {
        self.integer(tokens.map(Tokens::as_i64));
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
            self.integer(span.map(duration_us));
        }
        self.count(times.itl_count);
        self.integer(Some(i64::from(times.stalls)));
        self.integer(Some(duration_us(times.e2e)));
        for span in [times.upload, times.queue, times.connect] {
            self.integer(span.map(duration_us));
        }
        self.integer(Some(duration_us(times.overhead)));
        self.integer(times.client_stall.map(duration_us));
        self.integer(times.client_gone.map(duration_us));
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
        self.real(usage.audio_seconds);
        self.integer(Some(usage.source.code()));
        self.tokens(usage.completion_estimated);
        self.tokens(usage.token_events.map(Tokens));
        self.tokens(usage.arrivals.map(Tokens));
    }

    /// The columns of schema 2.
    pub(super) fn asked_and_routed(&mut self, record: &MetricRecord, ids: &Ids) {
        let (shape, identity, routing) = (&record.shape, &record.identity, &record.routing);
        self.integer(shape.tools.map(i64::from));
        self.integer(shape.response_format.map(Code::code));
        self.integer(shape.images.map(i64::from));
        self.integer(shape.audios.map(i64::from));
        self.integer(shape.service_tier.map(Code::code));
        self.text(identity.client_net.as_deref());
        self.integer(identity.hash_key_id.map(i64::from));
        self.text(packed::pack_ids(ids.tags.iter().flatten().copied()).as_deref());
        self.integer(routing.policy.map(Code::code));
        self.integer(routing.prefix_blocks.map(i64::from));
        self.integer(routing.matched_blocks.map(i64::from));
        self.tokens(routing.predicted_cached);
        self.text(packed::pack_attempts(&record.attempt_log).as_deref());
    }
}

// === impl Columns ===

impl<'a, R: Row> Columns<'a, R> {
    pub(super) const fn new(row: &'a R) -> Self {
        Self { row, at: 0 }
    }

    pub(super) fn integer(&mut self) -> Result<Option<i64>, QueryError> {
        let at = self.step();
        self.row.integer(at)
    }

    pub(super) fn real(&mut self) -> Result<Option<f64>, QueryError> {
        let at = self.step();
        self.row.real(at)
    }

    pub(super) fn bytes(&mut self) -> Result<Option<Vec<u8>>, QueryError> {
        let at = self.step();
        self.row.bytes(at)
    }

    pub(super) fn text(&mut self) -> Result<Option<String>, QueryError> {
        let at = self.step();
        self.row.text(at)
    }

    pub(super) fn flag(&mut self) -> Result<Option<bool>, QueryError> {
        Ok(self.integer()?.map(|value| value != 0))
    }

    pub(super) fn number<T: TryFrom<i64>>(&mut self) -> Result<T, QueryError> {
        T::try_from(self.integer()?.ok_or(QueryError::Row)?).map_err(|_| QueryError::Row)
    }

    pub(super) fn optional<T: TryFrom<i64>>(&mut self) -> Result<Option<T>, QueryError> {
        self.integer()?
            .map(|number| T::try_from(number).map_err(|_| QueryError::Row))
            .transpose()
    }

    pub(super) fn code<C: Code>(&mut self) -> Result<C, QueryError> {
        C::from_code(self.number()?).ok_or(QueryError::Row)
    }

    pub(super) fn optional_code<C: Code>(&mut self) -> Result<Option<C>, QueryError> {
        self.integer()?
            .map(|code| C::from_code(code).ok_or(QueryError::Row))
            .transpose()
    }

    pub(super) fn span(&mut self) -> Result<Option<std::time::Duration>, QueryError> {
        Ok(self.integer()?.map(duration_from_us))
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
            e2e: duration_from_us(self.number()?),
            upload: self.span()?,
            queue: self.span()?,
            connect: self.span()?,
            overhead: duration_from_us(self.number()?),
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
            audio_seconds: self.real()?,
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
        record.identity.client_net = self.text()?.map(Name::from);
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

    fn step(&mut self) -> usize {
        let at = self.at;
        self.at += 1;
        at
    }

    fn tags(
        &mut self,
        name: impl Fn(Option<i64>) -> Result<Option<Name>, QueryError>,
    ) -> Result<Vec<Tag>, QueryError> {
        tag_ids(self.text()?)?
            .into_iter()
            .filter_map(|id| name(id).transpose())
            .map(|text| packed::tag_of(&text?).ok_or(QueryError::Row))
            .collect()
    }

    fn attempts(&mut self) -> Result<Vec<Attempt>, QueryError> {
        match self.text()? {
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
