//! The writer's side of the dictionary: a string to its number, made on first sight. Bounded: strings come
//! from clients (a model that does not exist, a user that is made up), and must not fill the ledger.

use foldhash::HashMap;
use record::{MetricRecord, Name, TAGS_MAX};

use crate::codes::{Code as _, Kind};
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
    known: [HashMap<Name, i64>; Kind::LIST.len()],
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
            self.known = Default::default();
            self.len = 0;
        }
        // Almost every string is known, and looked up once. Where one is not, all are asked for together.
        let mut missing = Vec::new();
        let mut entries: Vec<_> = records
            .iter()
            .map(|record| {
                let ids = self.ids(record, |kind, name| missing.push((kind, name.into())));
                Entry { record, ids }
            })
            .collect();
        if !missing.is_empty() {
            missing.sort_unstable();
            missing.dedup();
            self.learn(store, missing).await?;
            for Entry { record, ids } in &mut entries {
                *ids = self.ids(record, |_, _| {});
            }
        }
        Ok(entries)
    }

    /// The numbers of all strings of a record, counted up here where they are new: for who cannot ask the
    /// ledger for its own. See [`Self::numbered`].
    pub(crate) fn number(&mut self, record: &MetricRecord) -> Ids {
        let mut missing: Vec<(Kind, Name)> = Vec::new();
        let ids = self.ids(record, |kind, name| missing.push((kind, name.into())));
        if missing.is_empty() {
            return ids;
        }
        for (kind, name) in &missing {
            if self.get(*kind, name).is_none() {
                let next = i64::try_from(self.len).unwrap_or(i64::MAX).saturating_add(1);
                self.keep(*kind, name, next);
            }
        }
        self.ids(record, |_, _| {})
    }

    /// Every string with the number that [`Self::number`] gave it.
    pub(crate) fn numbered(&self) -> Vec<(i64, (Kind, Name))> {
        let of_kind = |(kind, names): (&Kind, &HashMap<Name, i64>)| -> Vec<_> {
            let each = names.iter();
            each.map(|(name, id)| (*id, (*kind, Name::clone(name)))).collect()
        };
        Kind::LIST.iter().zip(&self.known).flat_map(of_kind).collect()
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
        let number = |(kind, name): &(Kind, Name)| self.id(*kind, name, |_, _| {}).unwrap_or(0);
        Ok(names.iter().map(number).collect())
    }

    /// Looks up, or makes, the numbers of the strings of one record.
    pub(crate) async fn ids_of(
        &mut self,
        store: &mut Store,
        record: &MetricRecord,
    ) -> Result<Ids, AppendError> {
        let mut known = true;
        let ids = self.ids(record, |_, _| known = false);
        if known {
            return Ok(ids);
        }
        self.entries(store, std::slice::from_ref(record)).await?;
        Ok(self.ids(record, |_, _| {}))
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
        if let Some(names) = self.known.get_mut(place(kind)) {
            let kept = names.insert(Name::clone(name), id);
            self.len += usize::from(kept.is_none());
        }
    }

    fn get(&self, kind: Kind, name: &str) -> Option<i64> {
        self.known.get(place(kind))?.get(name).copied()
    }

    /// The number of a string. Where it has none, `unknown` is called, and the number of [`OTHER`] stands in.
    fn id(&self, kind: Kind, name: &str, unknown: impl FnOnce(Kind, &str)) -> Option<i64> {
        self.get(kind, name).or_else(|| {
            unknown(kind, name);
            self.get(kind, OTHER)
        })
    }

    /// The numbers of all strings of a record, each as [`Self::id`] finds it.
    fn ids(&self, record: &MetricRecord, mut unknown: impl FnMut(Kind, &str)) -> Ids {
        let mut id = |kind: Kind, name: &str| self.id(kind, name, &mut unknown);
        let identity = &record.identity;
        let mut tags = [None; TAGS_MAX];
        for (number, tag) in tags.iter_mut().zip(&identity.tags) {
            *number = id(Kind::Tag, &tag_text(tag));
        }
        let mut of = |kind: Kind, name: &Option<Name>| name.as_ref().and_then(|name| id(kind, name));
        Ids {
            pool: of(Kind::Pool, &record.pool),
            model_requested: of(Kind::Model, &record.model_requested),
            model: of(Kind::Model, &record.model),
            replica: of(Kind::Replica, &record.replica),
            error_type: of(Kind::ErrorType, &record.error_type),
            key: of(Kind::Key, &identity.key),
            user: of(Kind::User, &identity.user),
            sdk: of(Kind::Sdk, &identity.sdk),
            tags,
        }
    }
}

fn place(kind: Kind) -> usize {
    usize::try_from(kind.code()).unwrap_or(usize::MAX)
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
