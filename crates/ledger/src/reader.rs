//! The reading side: answers about windows of time, from any process, without ever blocking the writer.

mod cells;
mod cover;
mod facets;
mod figures;
mod gather;
mod live;
mod names;
mod pages;
mod selection;

use std::future::Future;
use std::time::Duration;

use record::{MetricRecord, Pulse};

use crate::answer::{BreakdownRow, Facets, RequestsPage, Summary, Timeseries};
use crate::engine::{Engine, Session};
use crate::error::{OpenError, QueryError};
use crate::question::{Page, Query};
use crate::words::{By, Metric};

pub(crate) use names::NameCache;
pub(crate) use selection::Selection;

/// Longest time of one answer. A longer read transaction would keep the write-ahead log from being reused.
pub(crate) const QUERY_TIME_MAX: Duration = Duration::from_secs(5);

/// Reads a ledger. Cheap to clone; all clones share four connections.
#[derive(Clone, Debug)]
pub struct Reader {
    engine: Engine,
}

// === impl Reader ===

impl Reader {
    /// Names the ledger to read; nothing is opened yet, and the file need not exist. Until it does, answers
    /// are empty and [`Self::ready`] is false. A file that is replaced is noticed.
    ///
    /// # Errors
    /// The URL has no form that we know.
    pub fn open(url: &str) -> Result<Self, OpenError> {
        Ok(Self {
            engine: Engine::open(url)?,
        })
    }

    /// Whether there is a ledger that this version can read.
    pub async fn ready(&self) -> bool {
        matches!(limited(self.engine.session()).await, Ok(Some(_)))
    }

    /// The figures of a window.
    ///
    /// # Errors
    /// The ledger cannot be read, or not within five seconds.
    pub async fn summary(&self, query: &Query) -> Result<Summary, QueryError> {
        let answered = self
            .answer(async |session| figures::summary(session, query).await)
            .await?;
        Ok(answered.unwrap_or(Summary {
            from: query.from,
            to: query.to,
            ..Summary::default()
        }))
    }

    /// One metric over time, in buckets of `step` that begin at multiples of it; one series for each value of
    /// `by`, the busiest first, at most 50.
    ///
    /// # Errors
    /// The step is no whole number of seconds or makes more than [`crate::POINTS_MAX`] points; else as for
    /// [`Self::summary`].
    pub async fn timeseries(
        &self,
        query: &Query,
        metric: Metric,
        step: Duration,
        by: Option<By>,
    ) -> Result<Timeseries, QueryError> {
        let steps = figures::Steps::new(query, step)?;
        let answered =
            self.answer(async |session| figures::timeseries(session, query, metric, steps, by.clone()).await);
        let empty = || Timeseries {
            metric,
            step,
            series: Vec::new(),
        };
        Ok(answered.await?.unwrap_or_else(empty))
    }

    /// The figures of each value of a dimension, the busiest first, at most `limit`.
    ///
    /// # Errors
    /// As for [`Self::summary`].
    pub async fn breakdown(
        &self,
        query: &Query,
        by: impl Into<By>,
        limit: usize,
    ) -> Result<Vec<BreakdownRow>, QueryError> {
        let by = by.into();
        let answered =
            self.answer(async |session| figures::breakdown(session, query, by.clone(), limit).await);
        Ok(answered.await?.unwrap_or_default())
    }

    /// One page of records, newest first.
    ///
    /// # Errors
    /// The cursor is none of ours; else as for [`Self::summary`].
    pub async fn requests(&self, query: &Query, page: &Page) -> Result<RequestsPage, QueryError> {
        let position = pages::Position::new(query, page)?;
        let answered = self.answer(async |session| pages::requests(session, query, position).await);
        Ok(answered.await?.unwrap_or(RequestsPage {
            records: Vec::new(),
            next: None,
        }))
    }

    /// The newest record with this request id; `None` when there is none. Fast for an id that we made, since
    /// it tells its time; for a client's own id the rows are searched, newest first.
    ///
    /// # Errors
    /// As for [`Self::summary`].
    pub async fn request(&self, id: &str) -> Result<Option<MetricRecord>, QueryError> {
        let answered = self.answer(async |session| pages::request(session, id).await);
        Ok(answered.await?.flatten())
    }

    /// The last pulse of every proxy that writes to this ledger, fresh or stale, by instance name.
    ///
    /// # Errors
    /// As for [`Self::summary`].
    pub async fn pulses(&self) -> Result<Vec<Pulse>, QueryError> {
        let answered = self.answer(async |session| session.pulses().await);
        Ok(answered.await?.unwrap_or_default())
    }

    /// The values that each filter can take in the window.
    ///
    /// # Errors
    /// As for [`Self::summary`].
    pub async fn facets(&self, query: &Query) -> Result<Facets, QueryError> {
        let answered = self.answer(async |session| facets::facets(session, query).await);
        Ok(answered.await?.unwrap_or_default())
    }

    /// Runs one question in one read transaction, so that all its parts see the same rows; `None` without a
    /// ledger.
    async fn answer<T>(
        &self,
        work: impl AsyncFnOnce(&mut Session) -> Result<T, QueryError>,
    ) -> Result<Option<T>, QueryError> {
        limited(async {
            let Some(mut session) = self.engine.session().await? else {
                return Ok(None);
            };
            let answered = work(&mut session).await?;
            session.finish().await?;
            Ok(Some(answered))
        })
        .await
    }
}

/// Gives up after [`QUERY_TIME_MAX`]; the session that is dropped by that stops SQLite too.
async fn limited<T>(work: impl Future<Output = Result<T, QueryError>>) -> Result<T, QueryError> {
    match tokio::time::timeout(QUERY_TIME_MAX, work).await {
        Ok(outcome) => outcome,
        Err(_) => Err(QueryError::TooSlow(QUERY_TIME_MAX)),
    }
}
