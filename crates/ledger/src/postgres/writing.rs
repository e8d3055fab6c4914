//! A session that writes: a connection, what is known about its content, and its transactions.

use std::time::Duration;

use record::{Name, Pulse};
use sqlx::Executor as _;
use sqlx::postgres::PgConnection;

use super::address::Address;
use super::connection::{connect, transaction};
use super::copied::{self, Progress};
use super::instance::{self, Backend};
use super::partitions::Days;
use super::sequence::Sequence;
use super::{adoption, insert, names, rows, schema, sheets};
use crate::dictionary::Entry;
use crate::engine::{Batch, Fold};
use crate::error::OpenError;
use crate::identifier::RowId;
use crate::rollup::TierStates;
use crate::sheet::Sheet;

/// How often a batch is given other row ids. Once is rare; this often means that something is wrong.
const IDS_ATTEMPTS: u32 = 8;

/// A connection, and what is known about its content.
#[derive(Debug)]
pub(super) struct Writing {
    pub(super) connection: PgConnection,
    pub(super) backend: Backend,
    pub(super) own: Identity,
    /// The proxy that is gone and whose sheets are put in order for it.
    pub(super) orphan: Option<Identity>,
    pub(super) sequence: Sequence,
    pub(super) days: Days,
    /// Something was begun and its end not seen.
    pub(super) busy: bool,
    /// A COMMIT was sent and not answered.
    pub(super) committing: bool,
}

/// A proxy and its last transaction.
#[derive(Clone, Copy, Debug)]
pub(super) struct Identity {
    pub(super) number: i32,
    pub(super) batch: i64,
}

// === impl Writing ===

impl Writing {
    pub(super) async fn open(
        address: &Address,
        name: &Name,
        before: Option<&Backend>,
    ) -> Result<Self, OpenError> {
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
    pub(super) fn acting(&self) -> Identity {
        self.orphan.unwrap_or(self.own)
    }

    pub(super) async fn append(&mut self, batch: Batch<'_>) -> Result<(), sqlx::Error> {
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

    /// Rows of a copy, and how far it is then.
    pub(super) async fn copy_rows(
        &mut self,
        entries: &[Entry<'_>],
        progress: Progress,
    ) -> Result<(), sqlx::Error> {
        let moments = entries.iter().map(|entry| entry.record.started_at);
        self.days.ready(&mut self.connection, moments).await?;
        let mut ids = self.sequence.ids(entries);
        let number = self.own.number;
        for _ in 0..IDS_ATTEMPTS {
            let taken = rows::taken(&mut self.connection, &ids).await?;
            self.sequence.change(&mut ids, &taken);
            let stored = transaction(&mut self.connection, async |connection| {
                let stored = insert::insert(connection, entries, &ids).await?;
                if stored {
                    copied::note(connection, number, progress).await?;
                    return Ok(());
                }
                Err(sqlx::Error::RowNotFound)
            });
            match stored.await {
                Err(sqlx::Error::RowNotFound) => {}
                outcome => return outcome,
            }
        }
        Err(sqlx::Error::Protocol(
            "row ids are taken again and again".to_owned(),
        ))
    }

    /// All sums of a copy, by which it ends. Returns how many requests they count.
    pub(super) async fn copy_sheets(
        &mut self,
        stored: &[Sheet],
        states: &TierStates,
    ) -> Result<u64, sqlx::Error> {
        let Identity { number, batch } = self.own;
        let requests = transaction(&mut self.connection, async |connection| {
            copied::finish(connection, number, batch + 1, stored, states).await
        })
        .await?;
        self.own.batch += 1;
        Ok(requests)
    }

    pub(super) async fn fold(&mut self, fold: &Fold) -> Result<(), sqlx::Error> {
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
    pub(super) async fn is_usable(&mut self) -> bool {
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
    ids: &[RowId],
) -> Result<bool, sqlx::Error> {
    if !insert::insert(connection, batch.rows, ids).await? {
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
