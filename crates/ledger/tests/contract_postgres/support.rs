//! Ledgers in databases of a PostgreSQL server of our own.

use std::str::FromStr as _;
use std::sync::atomic::{AtomicU32, Ordering};

use ledger::{Reader, Writer};
use sqlx::postgres::{PgConnectOptions, PgConnection};
use sqlx::{AssertSqlSafe, ConnectOptions as _, Executor as _, Row as _};

use crate::cluster::Cluster;
pub(crate) use crate::records::{NOON, block_on, plain, pulse, records};
use crate::relay::Relay;

/// Databases that were made.
static DATABASES: AtomicU32 = AtomicU32::new(0);

/// A database that goes away with it.
pub(crate) struct Place {
    cluster: &'static Cluster,
    database: String,
}

impl Place {
    /// Whether requests that are past their time go by whole days.
    pub(crate) const ROWS_GO_BY_DAY: bool = true;

    pub(crate) fn new() -> Self {
        // Without a server all tests of this binary are skipped.
        let cluster = Cluster::get().unwrap_or_else(|| std::process::exit(0));
        let number = DATABASES.fetch_add(1, Ordering::Relaxed);
        let place = Self {
            cluster,
            database: format!("test{number}"),
        };
        place.administer(format!("CREATE DATABASE {}", place.database));
        place
    }

    pub(crate) fn url(&self) -> String {
        self.cluster.url(&self.database)
    }

    /// A way to the server that can be cut.
    pub(crate) fn relay(&self) -> Relay {
        let url = self.url();
        let (_, folder) = url.split_once("host=").unwrap();
        Relay::new(format!("{folder}/.s.PGSQL.5432"))
    }

    /// The URL of the database through a relay.
    pub(crate) fn url_through(&self, relay: &Relay) -> String {
        let port = relay.port();
        format!(
            "postgres://streamgauge@127.0.0.1:{port}/{}?sslmode=disable",
            self.database
        )
    }

    pub(crate) async fn writer(&self) -> Writer {
        Writer::open(&self.url()).await.unwrap()
    }

    pub(crate) async fn writer_as(&self, instance: &str) -> Writer {
        Writer::open_as(&self.url(), instance).await.unwrap()
    }

    pub(crate) fn reader(&self) -> Reader {
        Reader::open(&self.url()).unwrap()
    }

    /// Another program in the same database.
    pub(crate) async fn stranger(&self) -> PgConnection {
        let mut connection = PgConnectOptions::from_str(&self.url())
            .unwrap()
            .connect()
            .await
            .unwrap();
        connection.execute("SET search_path = streamgauge").await.unwrap();
        connection
    }

    /// Rows of whole numbers that a statement finds.
    pub(crate) async fn numbers(&self, text: &'static str) -> Vec<Vec<i64>> {
        let rows = sqlx::raw_sql(text)
            .fetch_all(&mut self.stranger().await)
            .await
            .unwrap();
        rows.iter()
            .map(|row| {
                (0..row.len())
                    .map(|at| row.try_get_unchecked::<String, _>(at).unwrap().parse().unwrap())
                    .collect()
            })
            .collect()
    }

    /// Runs a statement of the server's administrator, on a thread of its own: the caller may be within a
    /// runtime.
    fn administer(&self, text: String) {
        let url = self.cluster.url("postgres");
        let work = move || {
            block_on(async {
                let mut connection = PgConnectOptions::from_str(&url).unwrap().connect().await.unwrap();
                connection.execute(AssertSqlSafe(text)).await.unwrap();
            });
        };
        std::thread::spawn(work).join().unwrap();
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            self.administer(format!("DROP DATABASE {} WITH (FORCE)", self.database));
        }
    }
}
