//! A proxy among the others: its number, its lock, and the count of its batches.

use record::Name;
use sqlx::postgres::PgConnection;

use super::address::Address;
use super::connection::lock_instance;
use super::names::without_nul;
use crate::error::OpenError;

/// The server's process behind a session of ours, told apart from a later one of the same number.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Backend {
    process: i32,
    started: String,
}

/// Finds or makes the number of a proxy, and takes its lock. `before` is the session that this proxy had
/// before: it may hang where we have given it up, so it is ended first.
pub(super) async fn enter(
    connection: &mut PgConnection,
    address: &Address,
    name: &Name,
    before: Option<&Backend>,
) -> Result<i32, OpenError> {
    let refusal = |source| OpenError::Postgres {
        ledger: address.shown().to_owned(),
        source,
    };
    let number = number(connection, name).await.map_err(refusal)?;
    if let Some(before) = before {
        end(connection, before).await.map_err(refusal)?;
    }
    if lock_instance(connection, number).await.map_err(refusal)? {
        return Ok(number);
    }
    Err(OpenError::InstanceTaken {
        instance: name.to_string(),
        ledger: address.shown().to_owned(),
    })
}

/// Batches of a proxy that are in the ledger.
pub(super) async fn batch(connection: &mut PgConnection, number: i32) -> Result<i64, sqlx::Error> {
    let (batch,): (i64,) = sqlx::query_as("SELECT batch FROM instance WHERE number = $1")
        .bind(number)
        .fetch_one(connection)
        .await?;
    Ok(batch)
}

/// Counts a batch, in its transaction.
pub(super) async fn count_batch(
    connection: &mut PgConnection,
    number: i32,
    batch: i64,
) -> Result<(), sqlx::Error> {
    sqlx::query("UPDATE instance SET batch = $2 WHERE number = $1")
        .bind(number)
        .bind(batch)
        .execute(connection)
        .await?;
    Ok(())
}

/// The server's process behind this session.
pub(super) async fn backend(connection: &mut PgConnection) -> Result<Backend, sqlx::Error> {
    let (process, started): (i32, String) =
        sqlx::query_as("SELECT pid, backend_start::text FROM pg_stat_activity WHERE pid = pg_backend_pid()")
            .fetch_one(connection)
            .await?;
    Ok(Backend { process, started })
}

async fn end(connection: &mut PgConnection, backend: &Backend) -> Result<(), sqlx::Error> {
    sqlx::query(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid = $1 AND backend_start::text = $2",
    )
    .bind(backend.process)
    .bind(&backend.started)
    .execute(connection)
    .await?;
    Ok(())
}

async fn number(connection: &mut PgConnection, name: &Name) -> Result<i32, sqlx::Error> {
    let name = without_nul(name);
    let known = "SELECT number FROM instance WHERE name = $1";
    if let Some((number,)) = sqlx::query_as(known)
        .bind(&name)
        .fetch_optional(&mut *connection)
        .await?
    {
        return Ok(number);
    }
    // Not at once with a conflict clause: that would use up a number at each start.
    sqlx::query("INSERT INTO instance (name) VALUES ($1) ON CONFLICT (name) DO NOTHING")
        .bind(&name)
        .execute(&mut *connection)
        .await?;
    let (number,): (i32,) = sqlx::query_as(known).bind(&name).fetch_one(connection).await?;
    Ok(number)
}
