//! The write connection of a proxy: opened and opened again, and its transactions.

use std::time::Duration;

use record::{MetricRecord, Name, Pulse};
use sqlx::postgres::PgConnection;
use sqlx::{Connection as _, Executor as _};

use super::address::Address;
use super::connection::{connect, transaction};
use super::doubt::Doubts;
use super::instance::{self, Backend};
use super::partitions::Days;
use super::sequence::Sequence;
use super::{adoption, names, retention, rows, schema, sheets};
use crate::codes::Kind;
use crate::engine::{Batch, Fold};
use crate::error::{AppendError, OpenError};
use crate::retention::{Prune, Pruned};
use crate::rollup::{Cube, Slice, TierStates};
use crate::writer::WriterHealth;

/// How long any piece of work may take before the connection is given up: longer than the server's own
/// limit on a statement, so that only a server that is not there any more is met by it.
const WORK_TIME_MAX: Duration = Duration::from_secs(30);

/// How often a batch is given other row ids. Once is rare; this often means that something is wrong.
const IDS_ATTEMPTS: u32 = 8;

/// Writes one PostgreSQL ledger as one proxy.
#[derive(Debug)]
pub(crate) struct Store {
    address: Address,
    instance: Name,
    session: Option<Session>,
    /// The session was opened after the last [`Self::ready`].
    fresh: bool,
    /// The server's process of a session that was given up.
    before: Option<Backend>,
    doubts: Doubts,
    /// Bytes of the ledger, as of the start or the last step of retention.
    bytes: Option<u64>,
}

/// A connection, and what is known about its content.
#[derive(Debug)]
struct Session {
    connection: PgConnection,
    backend: Backend,
    own: Identity,
    /// The proxy that is gone and whose sheets are put in order for it.
    orphan: Option<Identity>,
    sequence: Sequence,
    days: Days,
    /// Something was begun and its end not seen.
    busy: bool,
    /// A COMMIT was sent and not answered.
    committing: bool,
}

/// A proxy and its last transaction.
#[derive(Clone, Copy, Debug)]
struct Identity {
    number: i32,
    batch: i64,
}

// === impl Store ===

impl Store {
    pub(crate) async fn open(url: &str, instance: &Name) -> Result<Self, OpenError> {
        let address = Address::parse(url)?;
        let mut session = Session::open(&address, instance, None).await?;
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
            let session = Session::open(&self.address, &self.instance, self.before.as_ref()).await?;
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
        work: impl AsyncFnOnce(&mut Session) -> Result<T, sqlx::Error>,
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

// === impl Session ===

impl Session {
    async fn open(address: &Address, name: &Name, before: Option<&Backend>) -> Result<Self, OpenError> {
        let refusal = |source| OpenError::Postgres {
            ledger: address.shown().to_owned(),
            source,
        };
        let mut connection = connect(address).await.map_err(refusal)?;
        schema::migrate(&mut connection)
            .await
            .map_err(|error| error.into_error(address.shown()))?;
        let number = instance::enter(&mut connection, address, name, before).await?;
        adoption::register(&mut connection, number)
            .await
            .map_err(refusal)?;
        let batch = instance::batch(&mut connection, number).await.map_err(refusal)?;
        let newest = rows::newest(&mut connection).await.map_err(refusal)?;
        Ok(Self {
            backend: instance::backend(&mut connection).await.map_err(refusal)?,
            connection,
            own: Identity { number, batch },
            orphan: None,
            sequence: Sequence::new(number, newest),
            days: Days::default(),
            busy: false,
            committing: false,
        })
    }

    /// For whom sheets are put in order.
    fn acting(&self) -> Identity {
        self.orphan.unwrap_or(self.own)
    }

    async fn append(&mut self, batch: Batch<'_>) -> Result<(), sqlx::Error> {
        let outcome = self.append_with_ids(batch).await;
        if outcome.is_err() {
            // Another proxy may have dropped the partition of a late row.
            self.days = Days::default();
        }
        outcome
    }

    async fn append_with_ids(&mut self, batch: Batch<'_>) -> Result<(), sqlx::Error> {
        let moments = batch.rows.iter().map(|entry| entry.record.started_at);
        self.days.ready(&mut self.connection, moments).await?;
        let mut ids = self.sequence.ids(batch.rows);
        let own = self.own;
        for _ in 0..IDS_ATTEMPTS {
            self.connection.execute("BEGIN").await?;
            match fill(&mut self.connection, own, batch, &ids).await {
                Ok(true) => {
                    self.committing = true;
                    self.connection.execute("COMMIT").await?;
                    self.committing = false;
                    self.own.batch += 1;
                    return Ok(());
                }
                Ok(false) => {
                    self.connection.execute("ROLLBACK").await?;
                    let taken = rows::taken(&mut self.connection, &ids).await?;
                    self.sequence.change(&mut ids, &taken);
                }
                Err(error) => {
                    self.connection.execute("ROLLBACK").await?;
                    return Err(error);
                }
            }
        }
        Err(sqlx::Error::Protocol(format!(
            "row ids were taken {IDS_ATTEMPTS} times in a row"
        )))
    }

    async fn fold(&mut self, fold: &Fold) -> Result<(), sqlx::Error> {
        let Identity { number, batch } = self.acting();
        let batch = batch + 1;
        transaction(&mut self.connection, async |connection| {
            sheets::fold(connection, number, fold, batch).await?;
            instance::count_batch(connection, number, batch).await
        })
        .await?;
        self.orphan.as_mut().unwrap_or(&mut self.own).batch = batch;
        Ok(())
    }

    /// Whether the connection answers and is in no transaction.
    async fn is_usable(&mut self) -> bool {
        // Outside of a transaction this is a warning.
        let answer = self.connection.execute("ROLLBACK");
        matches!(
            tokio::time::timeout(Duration::from_secs(1), answer).await,
            Ok(Ok(_))
        )
    }
}

/// Everything of a batch, in the open transaction; `false` when a row id is taken.
async fn fill(
    connection: &mut PgConnection,
    own: Identity,
    batch: Batch<'_>,
    ids: &[crate::identifier::RowId],
) -> Result<bool, sqlx::Error> {
    if !rows::insert(connection, batch.rows, ids).await? {
        return Ok(false);
    }
    sheets::add(connection, own.number, batch.sheets, own.batch + 1).await?;
    if let Some(pulse) = batch.pulse {
        put_pulse(connection, pulse).await?;
    }
    instance::count_batch(connection, own.number, own.batch + 1).await?;
    Ok(true)
}

async fn put_pulse(connection: &mut PgConnection, pulse: &Pulse) -> Result<(), sqlx::Error> {
    let text = serde_json::to_string(pulse).map_err(|error| sqlx::Error::Encode(error.into()))?;
    sqlx::query(
        "INSERT INTO pulse (instance, at_ms, pulse, families) VALUES ($1, $2, $3, $4) \
         ON CONFLICT (instance) DO UPDATE \
         SET at_ms = excluded.at_ms, pulse = excluded.pulse, families = excluded.families",
    )
    .bind(names::without_nul(&pulse.instance))
    .bind(pulse.at.0)
    .bind(text)
    .bind(pulse.families.as_slice())
    .execute(connection)
    .await?;
    Ok(())
}
