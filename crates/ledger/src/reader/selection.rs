//! A filter as values to bind. The SQL text is the same for every filter: a list that is NULL lets everything
//! pass.

use sqlx::Sqlite;
use sqlx::query::Query as SqlQuery;
use sqlx::sqlite::{SqliteArguments, SqliteConnection};

use super::names::{ids, json};
use crate::codes::{Code, Kind};
use crate::error::QueryError;
use crate::question::Filter;

/// The condition on raw rows. `?1` and `?2` are the row ids of the window, `?3` to `?10` a [`Selection`].
macro_rules! request_condition {
    () => {
        "id >= ?1 AND id < ?2 \
         AND (?3 IS NULL OR coalesce(model_id, model_requested_id) IN (SELECT value FROM json_each(?3))) \
         AND (?4 IS NULL OR pool_id IN (SELECT value FROM json_each(?4))) \
         AND (?5 IS NULL OR replica_id IN (SELECT value FROM json_each(?5))) \
         AND (?6 IS NULL OR endpoint IN (SELECT value FROM json_each(?6))) \
         AND (?7 IS NULL OR outcome IN (SELECT value FROM json_each(?7))) \
         AND (?8 IS NULL OR stream = ?8) \
         AND (?9 IS NULL OR key_id IN (SELECT value FROM json_each(?9))) \
         AND (?10 IS NULL OR user_id IN (SELECT value FROM json_each(?10)))"
    };
}
pub(super) use request_condition;

/// The stored numbers that a filter lets pass, each a JSON list.
#[derive(Clone, Debug, Default)]
pub(super) struct Selection {
    pub(super) model: Option<String>,
    pub(super) pool: Option<String>,
    pub(super) replica: Option<String>,
    pub(super) endpoint: Option<String>,
    pub(super) outcome: Option<String>,
    pub(super) stream: Option<bool>,
    pub(super) key: Option<String>,
    pub(super) user: Option<String>,
}

// === impl Selection ===

impl Selection {
    pub(super) async fn new(connection: &mut SqliteConnection, filter: &Filter) -> Result<Self, QueryError> {
        Ok(Self {
            model: ids(connection, Kind::Model, &filter.model).await?,
            pool: ids(connection, Kind::Pool, &filter.pool).await?,
            replica: ids(connection, Kind::Replica, &filter.replica).await?,
            endpoint: codes(&filter.endpoint),
            outcome: codes(&filter.outcome),
            stream: filter.stream,
            key: ids(connection, Kind::Key, &filter.key).await?,
            user: ids(connection, Kind::User, &filter.user).await?,
        })
    }

    /// Binds `?3` to `?10` of [`request_condition`].
    pub(super) fn bind<'q>(
        &'q self,
        query: SqlQuery<'q, Sqlite, SqliteArguments>,
    ) -> SqlQuery<'q, Sqlite, SqliteArguments> {
        query
            .bind(self.model.as_deref())
            .bind(self.pool.as_deref())
            .bind(self.replica.as_deref())
            .bind(self.endpoint.as_deref())
            .bind(self.outcome.as_deref())
            .bind(self.stream)
            .bind(self.key.as_deref())
            .bind(self.user.as_deref())
    }
}

fn codes<C: Code>(values: &[C]) -> Option<String> {
    (!values.is_empty()).then(|| json(&values.iter().map(|value| value.code()).collect::<Vec<_>>()))
}
