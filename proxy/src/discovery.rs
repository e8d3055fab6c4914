//! Replicas that are found: by name in DNS, or in a file.
//!
//! Each source of a pool has a task of its own, away from the data path. What it finds takes the place of
//! what it had found before, in one swap of the fleet: a replica that is new is probed and served, one that
//! is gone gets nothing new and finishes what it has. A source that cannot be read, or that has nothing,
//! keeps what it had: name servers fail more often than whole fleets disappear, and replicas that are gone
//! are found out by their probes.

mod dns;
mod file;

use record::Name;
use tokio::time::{MissedTickBehavior, interval};

use crate::settings::{Discover, ReadReplicas, ReplicaSettings};
use crate::shared::Shared;
use dns::Names;
use file::ReplicaFile;

/// Most replicas that are taken from one source. Why this number: far beyond any fleet behind one proxy, and
/// a bound on what a name server can make us probe.
const REPLICAS_MAX: usize = 1_024;

/// A source that is looked at again and again.
enum Finder<'a> {
    Dns(Box<Names<'a>>),
    File(ReplicaFile<'a>),
}

/// What a look at a source brought.
#[derive(Debug)]
enum Look {
    /// The same as before.
    Unchanged,
    /// These, and addresses that may not be a replica's.
    Found {
        replicas: Vec<ReplicaSettings>,
        refused: Vec<String>,
    },
}

/// Keeps the replicas of one source up to date, until it is aborted.
pub(crate) async fn watch(shared: &Shared, pool: &Name, source: &Discover, read: &ReadReplicas) {
    let (mut finder, every) = match source {
        Discover::Dns(settings) => (Finder::Dns(Box::new(Names::new(settings))), settings.every),
        Discover::File(settings) => (Finder::File(ReplicaFile::new(settings, read)), settings.every),
    };
    let mut complaint = None::<String>;
    let mut look = interval(every);
    look.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        look.tick().await;
        let looked = match finder.look().await {
            Ok(found) => take(shared, pool, source, found),
            Err(error) => Err(error),
        };
        shared.telemetry.discovery.looked(pool, source, looked.is_ok());
        match looked {
            Ok(()) => complaint = None,
            // Once, not at every look.
            Err(error) if complaint.as_ref() != Some(&error) => {
                tracing::warn!(pool = %pool, "pool {pool} keeps its replicas from {source}: {error}");
                complaint = Some(error);
            }
            Err(_) => {}
        }
    }
}

fn take(shared: &Shared, pool: &Name, source: &Discover, found: Look) -> Result<(), String> {
    let Look::Found {
        mut replicas,
        refused,
    } = found
    else {
        return Ok(());
    };
    if replicas.is_empty() && refused.is_empty() {
        return Err("there are none".to_owned());
    }
    if replicas.is_empty() {
        let refused = refused.join(", ");
        return Err(format!(
            "no replica may be at {refused}; name their networks under `networks`"
        ));
    }
    replicas.truncate(REPLICAS_MAX);
    let count = replicas.len();
    let news = shared
        .fleet
        .found(pool, source, replicas)
        .map_err(|error| error.to_string())?;
    shared.telemetry.discovery.found(pool, source, count);
    if news {
        tracing::info!(pool = %pool, count, "pool {pool} has {count} replicas from {source}");
        for address in refused {
            tracing::warn!(pool = %pool, "{address}, from {source}, may not be a replica: it is passed over");
        }
    }
    Ok(())
}

// === impl Finder ===

impl Finder<'_> {
    /// Looks at the source.
    ///
    /// # Errors
    /// A sentence, when it cannot be read.
    async fn look(&mut self) -> Result<Look, String> {
        match self {
            Self::Dns(names) => names.look().await,
            Self::File(file) => file.look().await,
        }
    }
}
