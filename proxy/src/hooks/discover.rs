//! The background service that keeps what is found up to date (`discovery.rs`).

use std::sync::Arc;

use async_trait::async_trait;
use pingora::server::ShutdownWatch;
use pingora::services::background::BackgroundService;
use record::Name;
use tokio::task::{AbortHandle, JoinSet};

use crate::discovery;
use crate::settings::{Discover, ReadReplicas};
use crate::shared::Shared;

/// One task for each source that is configured.
pub(super) struct Discoverer {
    pub(super) shared: Arc<Shared>,
    pub(super) read: Arc<ReadReplicas>,
}

#[async_trait]
impl BackgroundService for Discoverer {
    async fn start(&self, mut shutdown: ShutdownWatch) {
        let mut swaps = self.shared.fleet.swaps();
        // Dropped, and so ended, with this task.
        let mut tasks = JoinSet::new();
        let mut watched: Vec<((Name, Discover), AbortHandle)> = Vec::new();
        loop {
            let sources = self.shared.fleet.sources();
            watched.retain(|(watched, task)| {
                let stays = sources.contains(watched);
                if !stays {
                    task.abort();
                    self.shared.telemetry.discovery.forget(&watched.0, &watched.1);
                }
                stays
            });
            for source in sources {
                if !watched.iter().any(|(watched, _)| *watched == source) {
                    let (shared, read) = (Arc::clone(&self.shared), Arc::clone(&self.read));
                    let (pool, own) = source.clone();
                    let task =
                        tasks.spawn(async move { discovery::watch(&shared, &pool, &own, &read).await });
                    watched.push((source, task));
                }
            }
            tokio::select! {
                _ = shutdown.wait_for(|stop| *stop) => return,
                swapped = swaps.changed() => if swapped.is_err() { return },
                Some(_) = tasks.join_next() => {}
            }
        }
    }
}
