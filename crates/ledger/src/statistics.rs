//! What a ledger holds and what it takes on the disk. For people; SQLite only.

use record::UnixMillis;
use sqlx::Connection as _;
use sqlx::sqlite::SqliteConnection;

use crate::audit::AuditError;
use crate::backup::read_only;
use crate::error::QueryError;
use crate::identifier::RowId;
use crate::rollup::Cube;
use crate::sqlite::{self, schema};

/// What a ledger holds.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Statistics {
    /// Version of its tables.
    pub schema: u64,
    /// Bytes of the file, the free pages included.
    pub file_bytes: u64,
    /// Bytes of free pages: room for what comes.
    pub free_bytes: u64,
    /// Bytes of the write-ahead log beside it.
    pub wal_bytes: u64,
    /// Stored requests.
    pub requests: u64,
    /// When the oldest and the newest of them began; `None` without any.
    pub oldest: Option<UnixMillis>,
    /// When the newest of them began.
    pub newest: Option<UnixMillis>,
    /// Tables and indexes by size, the largest first.
    pub tables: Vec<TableSize>,
    /// Tiers of sums.
    pub tiers: Vec<TierSize>,
    /// How many strings of each kind are stored: models, users, keys and so on.
    pub names: Vec<(&'static str, u64)>,
}

/// What a table or an index takes.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct TableSize {
    /// Its name.
    pub name: String,
    /// Bytes of its pages.
    pub bytes: u64,
}

/// What a tier of sums takes.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct TierSize {
    /// What it tells apart: `model`, `route`, `key`, `user`, `tag`.
    pub cube: &'static str,
    /// Width of its buckets in seconds.
    pub seconds: u64,
    /// Stored values; a bucket has one or a few.
    pub sheets: u64,
    /// Requests in them.
    pub requests: u64,
    /// Bytes of the values.
    pub bytes: u64,
    /// Begin of its first bucket.
    pub oldest: UnixMillis,
    /// Begin of its last bucket.
    pub newest: UnixMillis,
}

/// Kinds of strings by their stored number.
const KINDS: [&str; 8] = [
    "model",
    "pool",
    "replica",
    "key",
    "user",
    "error_type",
    "sdk",
    "tag",
];

/// Measures a ledger, also while it is written to. Reads the structure of all of it: seconds for gigabytes.
///
/// # Errors
/// It cannot be read, or is not in SQLite.
pub async fn statistics(url: &str) -> Result<Option<Statistics>, AuditError> {
    let Some(path) = sqlite::path_of(url)? else {
        return Ok(None);
    };
    let location = sqlite::location::Location::parse(url)?;
    if location.identity().is_none() {
        return Err(AuditError::Missing { url: url.to_owned() });
    }
    let measured = async {
        let mut connection = read_only(&path).await?;
        let mut statistics = Statistics {
            wal_bytes: location.wal_bytes(),
            ..Statistics::default()
        };
        statistics.measure(&mut connection).await?;
        connection.close().await?;
        Ok::<_, sqlx::Error>(statistics)
    };
    Ok(Some(measured.await.map_err(QueryError::from)?))
}

// === impl Statistics ===

impl Statistics {
    async fn measure(&mut self, connection: &mut SqliteConnection) -> Result<(), sqlx::Error> {
        self.schema = whole(schema::stamp(connection).await?.version);
        let (file, free): (i64, i64) = sqlx::query_as(
            "SELECT page_count * page_size, freelist_count * page_size \
             FROM pragma_page_count, pragma_freelist_count, pragma_page_size",
        )
        .fetch_one(&mut *connection)
        .await?;
        (self.file_bytes, self.free_bytes) = (whole(file), whole(free));
        let (requests, oldest, newest): (i64, Option<i64>, Option<i64>) =
            sqlx::query_as("SELECT count(*), min(id), max(id) FROM request")
                .fetch_one(&mut *connection)
                .await?;
        self.requests = whole(requests);
        self.oldest = oldest.map(|id| RowId(id).started_at());
        self.newest = newest.map(|id| RowId(id).started_at());
        let tables: Vec<(String, i64)> = sqlx::query_as(
            "SELECT name, pgsize FROM dbstat WHERE aggregate = TRUE ORDER BY pgsize DESC, name",
        )
        .fetch_all(&mut *connection)
        .await?;
        let size = |(name, bytes): (String, i64)| TableSize {
            name,
            bytes: whole(bytes),
        };
        self.tables = tables.into_iter().map(size).collect();
        self.tiers = tiers(connection).await?;
        let names: Vec<(i64, i64)> =
            sqlx::query_as("SELECT kind, count(*) FROM dim GROUP BY kind ORDER BY kind")
                .fetch_all(connection)
                .await?;
        self.names = names
            .into_iter()
            .filter_map(|(kind, count)| Some((*KINDS.get(usize::try_from(kind).ok()?)?, whole(count))))
            .collect();
        Ok(())
    }
}

async fn tiers(connection: &mut SqliteConnection) -> Result<Vec<TierSize>, sqlx::Error> {
    let rows: Vec<(i64, i64, i64, i64, i64, i64, i64)> = sqlx::query_as(
        "SELECT cube, seconds, count(*), sum(requests), sum(length(cells)), min(at_s), max(at_s) FROM sheet \
         GROUP BY cube, seconds ORDER BY cube, seconds",
    )
    .fetch_all(connection)
    .await?;
    let cube_of = |code: i64| Cube::ALL.into_iter().find(|cube| cube.code() == code);
    let tiers =
        rows.into_iter()
            .filter_map(|(cube, seconds, sheets, requests, bytes, oldest_s, newest_s)| {
                Some(TierSize {
                    cube: cube_of(cube)?.word(),
                    seconds: whole(seconds),
                    sheets: whole(sheets),
                    requests: whole(requests),
                    bytes: whole(bytes),
                    oldest: UnixMillis(oldest_s.saturating_mul(1_000)),
                    newest: UnixMillis(newest_s.saturating_mul(1_000)),
                })
            });
    Ok(tiers.collect())
}

/// Counts and sizes are never negative.
fn whole(number: i64) -> u64 {
    u64::try_from(number).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codes::{Code as _, Kind};

    #[test]
    fn kinds_have_their_names_in_the_order_of_their_numbers() {
        let place = |kind: Kind| usize::try_from(kind.code()).unwrap();
        for (kind, name) in [
            (Kind::Model, "model"),
            (Kind::Pool, "pool"),
            (Kind::Replica, "replica"),
            (Kind::Key, "key"),
            (Kind::User, "user"),
            (Kind::ErrorType, "error_type"),
            (Kind::Sdk, "sdk"),
            (Kind::Tag, "tag"),
        ] {
            assert_eq!(KINDS[place(kind)], name);
        }
    }
}
