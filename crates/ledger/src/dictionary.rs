//! The writer's side of the dictionary: a string to its number, made on first sight.

use std::collections::HashMap;

use record::{MetricRecord, Name, TAGS_MAX, Tag};
use sqlx::sqlite::SqliteConnection;

use crate::codes::{Code, Kind};
use crate::columns::Ids;
use crate::packed::tag_text;

/// Most strings kept in memory. Beyond it the cache starts over; the numbers stay in the file.
const CACHE_LEN_MAX: usize = 200_000;

/// Numbers of strings that this writer has seen.
#[derive(Debug, Default)]
pub(crate) struct Dictionary {
    known: HashMap<Kind, HashMap<Name, i64>>,
    len: usize,
    /// Made in the open transaction: not to be believed when it rolls back.
    fresh: Vec<(Kind, Name)>,
}

/// A record of a batch with the numbers of its strings.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Entry<'a> {
    pub(crate) record: &'a MetricRecord,
    pub(crate) ids: Ids,
}

// === impl Dictionary ===

impl Dictionary {
    /// Looks up, or makes, the numbers of all strings of a batch.
    pub(crate) async fn entries<'a>(
        &mut self,
        connection: &mut SqliteConnection,
        records: &'a [MetricRecord],
    ) -> Result<Vec<Entry<'a>>, sqlx::Error> {
        let mut entries = Vec::with_capacity(records.len());
        for record in records {
            entries.push(Entry {
                record,
                ids: self.ids(connection, record).await?,
            });
        }
        Ok(entries)
    }

    async fn ids(
        &mut self,
        connection: &mut SqliteConnection,
        record: &MetricRecord,
    ) -> Result<Ids, sqlx::Error> {
        let identity = &record.identity;
        Ok(Ids {
            pool: self.id(connection, Kind::Pool, record.pool.as_ref()).await?,
            model_requested: self
                .id(connection, Kind::Model, record.model_requested.as_ref())
                .await?,
            model: self.id(connection, Kind::Model, record.model.as_ref()).await?,
            replica: self
                .id(connection, Kind::Replica, record.replica.as_ref())
                .await?,
            error_type: self
                .id(connection, Kind::ErrorType, record.error_type.as_ref())
                .await?,
            key: self.id(connection, Kind::Key, identity.key.as_ref()).await?,
            user: self.id(connection, Kind::User, identity.user.as_ref()).await?,
            sdk: self.id(connection, Kind::Sdk, identity.sdk.as_ref()).await?,
            tags: self.tags(connection, &identity.tags).await?,
        })
    }

    async fn tags(
        &mut self,
        connection: &mut SqliteConnection,
        tags: &[Tag],
    ) -> Result<[Option<i64>; TAGS_MAX], sqlx::Error> {
        let mut ids = [None; TAGS_MAX];
        for (id, tag) in ids.iter_mut().zip(tags) {
            *id = self.id(connection, Kind::Tag, Some(&tag_text(tag))).await?;
        }
        Ok(ids)
    }

    /// The transaction is in the file: its numbers may be believed.
    pub(crate) fn committed(&mut self) {
        self.fresh.clear();
        if self.len > CACHE_LEN_MAX {
            *self = Self::default();
        }
    }

    /// The transaction is gone, and with it the numbers that it made.
    pub(crate) fn rolled_back(&mut self) {
        for (kind, name) in self.fresh.drain(..) {
            if self
                .known
                .get_mut(&kind)
                .and_then(|names| names.remove(&name))
                .is_some()
            {
                self.len -= 1;
            }
        }
    }

    async fn id(
        &mut self,
        connection: &mut SqliteConnection,
        kind: Kind,
        name: Option<&Name>,
    ) -> Result<Option<i64>, sqlx::Error> {
        let Some(name) = name else { return Ok(None) };
        if let Some(id) = self.known.get(&kind).and_then(|names| names.get(name)) {
            return Ok(Some(*id));
        }
        // The update changes nothing: it makes RETURNING answer for a row that was there.
        let (id,): (i64,) = sqlx::query_as(
            "INSERT INTO dim (kind, name) VALUES (?1, ?2) \
             ON CONFLICT (kind, name) DO UPDATE SET name = excluded.name RETURNING id",
        )
        .bind(kind.code())
        .bind(&**name)
        .fetch_one(connection)
        .await?;
        self.known.entry(kind).or_default().insert(Name::clone(name), id);
        self.len += 1;
        self.fresh.push((kind, Name::clone(name)));
        Ok(Some(id))
    }
}
