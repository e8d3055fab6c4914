//! The write connection of a proxy: opened and opened again, and its transactions.

use std::time::Duration;

use record::{MetricRecord, Name};
use sqlx::Connection as _;

use super::address::Address;
use super::copied::{self, Progress};
use super::doubt::Doubts;
use super::instance::{self, Backend};
use super::writing::{Identity, Writing};
use super::{adoption, names, retention, sheets};
use crate::codes::Kind;
use crate::dictionary::Entry;
use crate::engine::{Batch, Fold};
use crate::error::{AppendError, OpenError};
use crate::retention::{Prune, Pruned};
use crate::rollup::{Cube, Slice, TierStates};
use crate::sheet::Sheet;
use crate::writer::WriterHealth;

/// How long any piece of work may take before the connection is given up: longer than the server's own
/// limit on a statement, so that only a server that is not there any more is met by it.
const WORK_TIME_MAX: Duration = Duration::from_secs(30);

/// Writes one PostgreSQL ledger as one proxy.
#[derive(Debug)]
pub(crate) struct Store {
    address: Address,
    instance: Name,
    session: Option<Writing>,
    /// The session was opened after the last [`Self::ready`].
    fresh: bool,
    /// The server's process of a session that was given up.
    before: Option<Backend>,
    doubts: Doubts,
    /// Bytes of the ledger, as of the start or the last step of retention.
    bytes: Option<u64>,
}

// === impl Store ===

impl Store {
    pub(crate) async fn open(url: &str, instance: &Name) -> Result<Self, OpenError> {
        let address = Address::parse(url)?;
        let mut session = Writing::open(&address, instance, None).await?;
        let bytes = retention::used_bytes(&mut session.connection).await;
        Ok(Self {
            address,
            instance: Name::clone(instance),
            session: Some(session),
            fresh: true,
            before: None,
            doubts: Doubts::default(),
            bytes: bytes.ok(),
        })
    }

    pub(crate) async fn ready(&mut self) -> Result<bool, AppendError> {
        if self.session.as_ref().is_some_and(|session| session.busy) {
            self.give_up();
        }
        if self.session.is_none() {
            let session = Writing::open(&self.address, &self.instance, self.before.as_ref()).await?;
            self.before = None;
            self.doubts.settle(session.own.batch);
            self.session = Some(session);
            self.fresh = true;
        }
        Ok(std::mem::take(&mut self.fresh))
    }

    pub(crate) fn already_stored(&self, records: &[MetricRecord]) -> usize {
        self.doubts.already_stored(records)
    }

    pub(crate) fn confirmed(&mut self, records: &[MetricRecord]) {
        self.doubts.confirmed(records);
    }

    pub(crate) async fn find_names(
        &mut self,
        names: &[(Kind, Name)],
    ) -> Result<Vec<Option<i64>>, AppendError> {
        self.work(async |session| names::find(&mut session.connection, names).await)
            .await
    }

    pub(crate) async fn make_names(&mut self, names: &[(Kind, Name)]) -> Result<Vec<i64>, AppendError> {
        self.work(async |session| names::make(&mut session.connection, names).await)
            .await
    }

    pub(crate) async fn name_counts(&mut self) -> Result<Vec<(Kind, u64)>, AppendError> {
        self.work(async |session| names::counts(&mut session.connection).await)
            .await
    }

    pub(crate) async fn states(&mut self) -> Result<TierStates, AppendError> {
        self.work(async |session| {
            let number = session.acting().number;
            sheets::states(&mut session.connection, number).await
        })
        .await
    }

    pub(crate) async fn sheets(&mut self, slice: Slice) -> Result<Vec<(i64, Vec<u8>)>, AppendError> {
        self.work(async |session| {
            let number = session.acting().number;
            sheets::of_instance(&mut session.connection, number, slice).await
        })
        .await
    }

    pub(crate) async fn first_sheet(
        &mut self,
        cube: Cube,
        seconds: i64,
        from_s: i64,
    ) -> Result<Option<i64>, AppendError> {
        self.work(async |session| {
            let number = session.acting().number;
            sheets::first(&mut session.connection, number, cube, seconds, from_s).await
        })
        .await
    }

    pub(crate) async fn append(&mut self, batch: Batch<'_>) -> Result<(), AppendError> {
        let number = self.session.as_ref().map(|session| session.own.batch + 1);
        let outcome = self.work(async |session| session.append(batch).await).await;
        // `work` has given the session up; the next one will know.
        if outcome.is_err()
            && let Some(number) = number.filter(|_| self.in_doubt())
        {
            self.doubts.begin(number, batch.records);
        }
        outcome
    }

    pub(crate) async fn fold(&mut self, fold: &Fold) -> Result<(), AppendError> {
        self.work(async |session| session.fold(fold).await).await
    }

    /// Looks for a proxy that is gone and whose tiers lag behind those of the others, and acts for it until
    /// [`Self::let_go`].
    pub(crate) async fn adopt(&mut self) -> Result<bool, AppendError> {
        self.work(async |session| {
            let own = session.own.number;
            let Some(number) = adoption::find(&mut session.connection, own).await? else {
                return Ok(false);
            };
            let batch = instance::batch(&mut session.connection, number).await?;
            session.orphan = Some(Identity { number, batch });
            Ok(true)
        })
        .await
    }

    /// Stops acting for another proxy.
    pub(crate) async fn let_go(&mut self) -> Result<(), AppendError> {
        self.work(async |session| {
            if let Some(orphan) = session.orphan.take() {
                adoption::leave(&mut session.connection, session.own.number, orphan.number).await?;
            }
            Ok(())
        })
        .await
    }

    /// How far the copy of this name is; `None` when it was finished.
    pub(crate) async fn copied(&mut self) -> Result<Option<Progress>, AppendError> {
        self.work(async |session| copied::progress(&mut session.connection, session.own.number).await)
            .await
    }

    /// Stores rows of a copy, and how far it is then, in one transaction.
    pub(crate) async fn copy_rows(
        &mut self,
        entries: &[Entry<'_>],
        progress: Progress,
    ) -> Result<(), AppendError> {
        self.work(async |session| session.copy_rows(entries, progress).await)
            .await
    }

    /// Stores all sums of a copy in one transaction, which takes as long as it takes, and ends the copy.
    /// Returns how many requests they count.
    pub(crate) async fn copy_sheets(
        &mut self,
        stored: &[Sheet],
        states: &TierStates,
    ) -> Result<u64, AppendError> {
        let Some(session) = &mut self.session else {
            return Err(AppendError::Database(sqlx::Error::PoolClosed));
        };
        Ok(session.copy_sheets(stored, states).await?)
    }

    pub(crate) async fn prune(&mut self, prune: &Prune) -> Result<Pruned, AppendError> {
        let (pruned, bytes) = self
            .work(async |session| {
                let number = session.own.number;
                let pruned = retention::step(&mut session.connection, number, prune).await?;
                session.days.forget_until(prune.rows_until_s);
                let bytes = retention::used_bytes(&mut session.connection).await?;
                Ok((pruned, bytes))
            })
            .await?;
        self.bytes = Some(bytes);
        Ok(pruned)
    }

    pub(crate) fn health(&self) -> WriterHealth {
        WriterHealth {
            file_bytes: self.bytes,
            wal_bytes: 0,
        }
    }

    pub(crate) async fn close(mut self) -> Result<(), AppendError> {
        if let Some(session) = self.session.take().filter(|session| !session.busy) {
            session.connection.close().await?;
        }
        Ok(())
    }

    /// Runs a piece of work. A connection that did not come through it is given up, and the next
    /// [`Self::ready`] makes another.
    async fn work<T>(
        &mut self,
        work: impl AsyncFnOnce(&mut Writing) -> Result<T, sqlx::Error>,
    ) -> Result<T, AppendError> {
        let Some(session) = &mut self.session else {
            return Err(AppendError::Database(sqlx::Error::PoolClosed));
        };
        session.busy = true;
        let error = match tokio::time::timeout(WORK_TIME_MAX, work(session)).await {
            Ok(Ok(done)) => {
                session.busy = false;
                return Ok(done);
            }
            Ok(Err(error)) => error,
            Err(_) => sqlx::Error::Io(std::io::ErrorKind::TimedOut.into()),
        };
        // What the server refused is rolled back; everything else leaves the connection in an unknown state.
        if error.as_database_error().is_some() && session.is_usable().await {
            session.busy = false;
            session.committing = false;
        } else if !session.committing {
            self.give_up();
        }
        Err(error.into())
    }

    /// Whether the last append may be stored or not. Gives its session up.
    fn in_doubt(&mut self) -> bool {
        let committing = self.session.as_ref().is_some_and(|session| session.committing);
        if committing {
            self.give_up();
        }
        committing
    }

    /// Drops the connection. What it had begun is undone by the server.
    fn give_up(&mut self) {
        if let Some(session) = self.session.take() {
            self.before = Some(session.backend);
        }
    }
}
