//! Connections: what each session sets before it does anything, and the locks that sessions hold against
//! each other.

use std::time::Duration;

use sqlx::postgres::PgConnection;
use sqlx::{ConnectOptions as _, Executor as _};

use super::address::Address;

/// How long a connection may take to be made. Why this number: a server that is there answers in
/// milliseconds.
const CONNECT_TIME_MAX: Duration = Duration::from_secs(5);

/// First number of all our advisory locks: the letters `SGgl`. Others in the same database use their own.
const LOCKS: i32 = 0x5347_676c;

/// First number of the locks of the proxies; the second is the proxy's number.
const INSTANCE_LOCKS: i32 = LOCKS + 1;

/// What a session may hold for itself or share with others. Advisory locks need no table, and end with the
/// session:
/// <https://www.postgresql.org/docs/current/explicit-locking.html#ADVISORY-LOCKS>
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Lock {
    /// Changing the tables.
    Schema,
    /// Retention: one proxy at a time does it for all.
    Retention,
    /// Making a partition.
    Partitions,
}

/// A session that writes. `statement_timeout` bounds what a batch can wait for; a proxy that hangs within a
/// transaction, or whose machine is gone, lets go of its locks within half a minute.
const WRITING: &str = "\
SET search_path = streamgauge;
SET client_min_messages = warning;
SET statement_timeout = '20s';
SET lock_timeout = '10s';
SET idle_in_transaction_session_timeout = '10s';
SET tcp_keepalives_idle = 10;
SET tcp_keepalives_interval = 5;
SET tcp_keepalives_count = 3";

/// A session that reads: it cannot write, whatever its user may, and no question takes longer than
/// `QUERY_TIME_MAX`.
pub(super) const READING: &str = "\
SET search_path = streamgauge;
SET client_min_messages = warning;
SET default_transaction_read_only = on;
SET statement_timeout = '5s';
SET idle_in_transaction_session_timeout = '10s';
SET tcp_keepalives_idle = 10;
SET tcp_keepalives_interval = 5;
SET tcp_keepalives_count = 3";

/// Connects for writing.
pub(super) async fn connect(address: &Address) -> Result<PgConnection, sqlx::Error> {
    let connected = tokio::time::timeout(CONNECT_TIME_MAX, async {
        let mut connection = address.options().connect().await?;
        connection.execute(sqlx::raw_sql(WRITING)).await?;
        Ok(connection)
    });
    connected.await.unwrap_or_else(|_| {
        Err(sqlx::Error::Io(std::io::Error::new(
            std::io::ErrorKind::TimedOut,
            format!("no answer within {} s", CONNECT_TIME_MAX.as_secs()),
        )))
    })
}

// === impl Lock ===

impl Lock {
    const fn number(self) -> i32 {
        match self {
            Self::Schema => 0,
            Self::Retention => 1,
            Self::Partitions => 2,
        }
    }

    /// Takes it alone, until the end of the transaction.
    pub(super) async fn take(self, connection: &mut PgConnection) -> Result<(), sqlx::Error> {
        sqlx::query("SELECT pg_advisory_xact_lock($1, $2)")
            .bind(LOCKS)
            .bind(self.number())
            .execute(connection)
            .await?;
        Ok(())
    }

    /// Takes it alone, until the end of the transaction, if nobody holds it.
    pub(super) async fn take_if_free(self, connection: &mut PgConnection) -> Result<bool, sqlx::Error> {
        let (taken,): (bool,) = sqlx::query_as("SELECT pg_try_advisory_xact_lock($1, $2)")
            .bind(LOCKS)
            .bind(self.number())
            .fetch_one(connection)
            .await?;
        Ok(taken)
    }
}

/// Takes the lock of a proxy for as long as the session lives; `false` when another process holds it. It is
/// waited for as long as a server takes to notice that a killed process closed its socket.
pub(super) async fn lock_instance(connection: &mut PgConnection, number: i32) -> Result<bool, sqlx::Error> {
    connection.execute("SET lock_timeout = '1s'").await?;
    let outcome = sqlx::query("SELECT pg_advisory_lock($1, $2)")
        .bind(INSTANCE_LOCKS)
        .bind(number)
        .execute(&mut *connection)
        .await;
    connection.execute("SET lock_timeout = '10s'").await?;
    match outcome {
        Ok(_) => Ok(true),
        Err(error) if is_lock_timeout(&error) => Ok(false),
        Err(error) => Err(error),
    }
}

/// Takes the lock of a proxy that is gone, if it is; `false` when somebody holds it.
pub(super) async fn lock_instance_if_free(
    connection: &mut PgConnection,
    number: i32,
) -> Result<bool, sqlx::Error> {
    let (taken,): (bool,) = sqlx::query_as("SELECT pg_try_advisory_lock($1, $2)")
        .bind(INSTANCE_LOCKS)
        .bind(number)
        .fetch_one(connection)
        .await?;
    Ok(taken)
}

/// Lets go of the lock of another proxy.
pub(super) async fn unlock_instance(connection: &mut PgConnection, number: i32) -> Result<(), sqlx::Error> {
    sqlx::query("SELECT pg_advisory_unlock($1, $2)")
        .bind(INSTANCE_LOCKS)
        .bind(number)
        .execute(connection)
        .await?;
    Ok(())
}

/// Runs the work in a transaction of its own, and undoes it when it fails.
pub(super) async fn transaction<T, E: From<sqlx::Error>>(
    connection: &mut PgConnection,
    work: impl AsyncFnOnce(&mut PgConnection) -> Result<T, E>,
) -> Result<T, E> {
    connection.execute("BEGIN").await?;
    match work(connection).await {
        Ok(done) => {
            connection.execute("COMMIT").await?;
            Ok(done)
        }
        Err(error) => {
            // A connection that cannot even do that is of no further use, which its next statement will tell.
            connection.execute("ROLLBACK").await?;
            Err(error)
        }
    }
}

/// `lock_not_available`: <https://www.postgresql.org/docs/current/errcodes-appendix.html>
pub(super) fn is_lock_timeout(error: &sqlx::Error) -> bool {
    error
        .as_database_error()
        .and_then(sqlx::error::DatabaseError::code)
        .is_some_and(|code| code == "55P03")
}
