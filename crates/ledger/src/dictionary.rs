//! The writer's side of the dictionary: a string to its number, made on first sight. Bounded: strings come
//! from clients (a model that does not exist, a user that is made up), and must not fill the ledger.

use foldhash::HashMap;
use record::{MetricRecord, Name, TAGS_MAX};

use crate::codes::Kind;
use crate::columns::Ids;
use crate::engine::Store;
use crate::error::AppendError;
use crate::packed::tag_text;

/// Most strings kept in memory. Beyond it the cache starts over; the numbers stay in the ledger.
const CACHE_LEN_MAX: usize = 200_000;

/// Stands for every string beyond the bound of its kind.
const OTHER: &str = "other";

/// Numbers of strings that this writer has seen.
#[derive(Debug, Default)]
pub(crate) struct Dictionary {
    known: HashMap<Kind, HashMap<Name, i64>>,
    len: usize,
    /// How many strings of each kind the ledger holds.
    counts: HashMap<Kind, u64>,
}

/// A record of a batch with the numbers of its strings.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Entry<'a> {
    pub(crate) record: &'a MetricRecord,
    pub(crate) ids: Ids,
}

// === impl Dictionary ===

impl Dictionary {
    /// Knows nothing but how many strings the ledger holds.
    pub(crate) async fn open(store: &mut Store) -> Result<Self, AppendError> {
        Ok(Self {
            counts: store.name_counts().await?.into_iter().collect(),
            ..Self::default()
        })
    }

    /// Looks up, or makes, the numbers of all strings of a batch.
    pub(crate) async fn entries<'a>(
        &mut self,
        store: &mut Store,
        records: &'a [MetricRecord],
    ) -> Result<Vec<Entry<'a>>, AppendError> {
        if self.len > CACHE_LEN_MAX {
            self.known.clear();
            self.len = 0;
        }
        let mut missing = Vec::new();
        for record in records {
            each_name(record, |kind, name| {
                if self.get(kind, name).is_none() {
                    missing.push((kind, Name::clone(name)));
                }
            });
        }
        if !missing.is_empty() {
            missing.sort_unstable();
            missing.dedup();
            self.learn(store, missing).await?;
        }
        Ok(records
            .iter()
            .map(|record| Entry {
                record,
                ids: self.ids(record),
            })
            .collect())
    }

    /// The numbers of all strings of a record, counted up here where they are new: for who cannot ask the
    /// ledger for its own. See [`Self::numbered`].
    pub(crate) fn number(&mut self, record: &MetricRecord) -> Ids {
        each_name(record, |kind, name| {
            if self.get(kind, name).is_none() {
                let next = i64::try_from(self.len).unwrap_or(i64::MAX).saturating_add(1);
                self.keep(kind, name, next);
            }
        });
        self.ids(record)
    }

    /// Every string with the number that [`Self::number`] gave it.
    pub(crate) fn numbered(&self) -> Vec<(i64, (Kind, Name))> {
        let of_kind = |(kind, names): (&Kind, &HashMap<Name, i64>)| -> Vec<_> {
            let each = names.iter();
            each.map(|(name, id)| (*id, (*kind, Name::clone(name)))).collect()
        };
        self.known.iter().flat_map(of_kind).collect()
    }

    /// Looks up, or makes, the numbers of some strings, in their order.
    pub(crate) async fn numbers(
        &mut self,
        store: &mut Store,
        names: &[(Kind, Name)],
    ) -> Result<Vec<i64>, AppendError> {
        let unknown = names
            .iter()
            .filter(|(kind, name)| self.get(*kind, name).is_none());
        let mut missing: Vec<_> = unknown.cloned().collect();
        missing.sort_unstable();
        if !missing.is_empty() {
            self.learn(store, missing).await?;
        }
        let number = |(kind, name): &(Kind, Name)| self.id(*kind, Some(name)).unwrap_or(0);
        Ok(names.iter().map(number).collect())
    }

    /// Looks up, or makes, the numbers of the strings of one record.
    pub(crate) async fn ids_of(
        &mut self,
        store: &mut Store,
        record: &MetricRecord,
    ) -> Result<Ids, AppendError> {
        let mut known = true;
        each_name(record, |kind, name| known &= self.get(kind, name).is_some());
        if !known {
            self.entries(store, std::slice::from_ref(record)).await?;
        }
        Ok(self.ids(record))
    }

    async fn learn(&mut self, store: &mut Store, names: Vec<(Kind, Name)>) -> Result<(), AppendError> {
        let mut counts = self.counts.clone();
        let mut fresh = Vec::new();
        for ((kind, name), id) in names.iter().zip(store.find_names(&names).await?) {
            let count = counts.entry(*kind).or_default();
            match id {
                Some(id) => self.keep(*kind, name, id),
                None if *count < len_max(*kind) => {
                    *count += 1;
                    fresh.push((*kind, Name::clone(name)));
                }
                // Not remembered: the next batch asks again, and the cache stays as small as the ledger.
                None => fresh.push((*kind, OTHER.into())),
            }
        }
        fresh.sort_unstable();
        fresh.dedup();
        if !fresh.is_empty() {
            let ids = store.make_names(&fresh).await?;
            for ((kind, name), id) in fresh.iter().zip(ids) {
                self.keep(*kind, name, id);
            }
            self.counts = counts;
        }
        Ok(())
    }

    fn keep(&mut self, kind: Kind, name: &Name, id: i64) {
        let kept = self.known.entry(kind).or_default().insert(Name::clone(name), id);
        self.len += usize::from(kept.is_none());
    }

    fn get(&self, kind: Kind, name: &str) -> Option<i64> {
        self.known.get(&kind)?.get(name).copied()
    }

    fn id(&self, kind: Kind, name: Option<&Name>) -> Option<i64> {
        let name = name?;
        self.get(kind, name).or_else(|| self.get(kind, OTHER))
    }

    fn ids(&self, record: &MetricRecord) -> Ids {
        let identity = &record.identity;
        let mut tags = [None; TAGS_MAX];
        for (id, tag) in tags.iter_mut().zip(&identity.tags) {
            *id = self.id(Kind::Tag, Some(&tag_text(tag)));
        }
        Ids {
            pool: self.id(Kind::Pool, record.pool.as_ref()),
            model_requested: self.id(Kind::Model, record.model_requested.as_ref()),
            model: self.id(Kind::Model, record.model.as_ref()),
            replica: self.id(Kind::Replica, record.replica.as_ref()),
            error_type: self.id(Kind::ErrorType, record.error_type.as_ref()),
            key: self.id(Kind::Key, identity.key.as_ref()),
            user: self.id(Kind::User, identity.user.as_ref()),
            sdk: self.id(Kind::Sdk, identity.sdk.as_ref()),
            tags,
        }
    }
}

fn each_name(record: &MetricRecord, mut each: impl FnMut(Kind, &Name)) {
    let identity = &record.identity;
    for (kind, name) in [
        (Kind::Pool, &record.pool),
        (Kind::Model, &record.model_requested),
        (Kind::Model, &record.model),
        (Kind::Replica, &record.replica),
        (Kind::ErrorType, &record.error_type),
        (Kind::Key, &identity.key),
        (Kind::User, &identity.user),
        (Kind::Sdk, &identity.sdk),
    ] {
        if let Some(name) = name {
            each(kind, name);
        }
    }
    for tag in identity.tags.iter().take(TAGS_MAX) {
        each(Kind::Tag, &tag_text(tag));
    }
}

/// Most strings of a kind in a ledger. Why these numbers: far beyond what a fleet has, and together below
/// 200 MB of names.
const fn len_max(kind: Kind) -> u64 {
    match kind {
        Kind::Model | Kind::Pool | Kind::ErrorType | Kind::Sdk => 2_000,
        Kind::Replica | Kind::Tag => 20_000,
        Kind::Key => 100_000,
        Kind::User => 1_000_000,
    }
}
