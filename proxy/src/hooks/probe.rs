//! The prober: asks every replica whether it is there, what models it serves, and where its name points.
//!
//! A replica is up while it answers its probe with anything below 500: a server without that path is a server
//! all the same.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, bail};
use async_trait::async_trait;
use http::header;
use pingora::connectors::http::Connector;
use pingora::http::RequestHeader;
use pingora::prelude::HttpPeer;
use pingora::server::ShutdownWatch;
use pingora::services::background::BackgroundService;
use record::{Name, ReplicaState};
use serde::Deserialize;
use tokio::task::{AbortHandle, JoinSet};
use tokio::time::{Instant, MissedTickBehavior, interval, timeout};

use crate::clock;
use crate::fleet::{Member, Pool};
use crate::replicas::Replica;
use crate::shared::Shared;

/// How often names are resolved and models are listed anew.
const REFRESH_EVERY: Duration = Duration::from_secs(30);

/// How often a probe may come early because a connection failed.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// Largest answer of a probe that is read. Why this number: a list of 64 models has about 30 KiB.
const ANSWER_LEN_MAX: usize = 1 << 20;

/// The background service that probes.
pub(super) struct Prober(pub(super) Arc<Shared>);

#[derive(Deserialize)]
struct ModelList {
    data: Vec<Model>,
}

#[derive(Deserialize)]
struct Model {
    id: String,
}

#[async_trait]
impl BackgroundService for Prober {
    async fn start(&self, mut shutdown: ShutdownWatch) {
        let mut swaps = self.0.fleet.swaps();
        // Dropped, and so ended, with this task.
        let mut tasks = JoinSet::new();
        let mut watched: Vec<(Member, AbortHandle)> = Vec::new();
        loop {
            let members = self.0.fleet.members();
            watched.retain(|(watched, task)| {
                let stays = members.iter().any(|member| watched.is(member));
                if !stays {
                    task.abort();
                }
                stays
            });
            for member in members {
                if !watched.iter().any(|(watched, _)| watched.is(&member)) {
                    let (shared, watched_by) = (Arc::clone(&self.0), member.clone());
                    let task = tasks.spawn(async move { watch(&shared, &watched_by).await });
                    watched.push((member, task));
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

/// Probes one replica, as its pool says at each time, until it is aborted or the pool is gone.
async fn watch(shared: &Shared, member: &Member) {
    let connector = Connector::<()>::new(None);
    let replica = &member.replica;
    let (mut probed, mut refreshed) = (None::<Instant>, None::<Instant>);
    let Some(pool) = shared.fleet.pool(&member.pool) else {
        return;
    };
    let mut look = interval(LOOK_EVERY.min(pool.settings.health.interval));
    look.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        let now = look.tick().await;
        let Some(pool) = shared.fleet.pool(&member.pool) else {
            return;
        };
        let health = &pool.settings.health;
        let due = |last: Option<Instant>, every: Duration| last.is_none_or(|last| now - last >= every);
        let refresh = due(refreshed, REFRESH_EVERY);
        if !(refresh || due(probed, health.interval) || replica.take_suspicion()) {
            continue;
        }
        probed = Some(now);
        if refresh {
            resolve(replica).await;
        }
        let probe = timeout(health.timeout, get(&connector, &pool, replica, &health.path));
        let answer = probe
            .await
            .unwrap_or_else(|_| Err(anyhow::anyhow!("no answer in {:?}", health.timeout)));
        let was_down = replica.state() != ReplicaState::Up;
        match answer {
            Ok((status, _)) if status < 500 => {
                if replica.probe_passed(clock::wall()) {
                    tracing::info!(replica = %replica.name, "replica {} is up", replica.name);
                }
                if refresh || was_down || replica.models().is_none() {
                    refreshed = Some(now);
                    list_models(&connector, shared, &pool, replica).await;
                }
            }
            Ok((status, _)) => {
                note_failure(&pool, replica, &format!("its probe was answered with {status}"));
            }
            Err(error) => note_failure(&pool, replica, &format!("{error:#}")),
        }
    }
}

fn note_failure(pool: &Pool, replica: &Replica, reason: &str) {
    if replica.probe_failed(pool.settings.health.failures, clock::wall()) {
        tracing::warn!(replica = %replica.name, "replica {} is out: {reason}", replica.name);
    }
}

/// Finds the address behind a host name, off the data path. An old address stays when the resolver fails.
async fn resolve(replica: &Replica) {
    match tokio::net::lookup_host((replica.host.trim_matches(['[', ']']), replica.port)).await {
        Ok(mut addresses) => {
            let first: Option<SocketAddr> = addresses.next();
            if let Some(address) = first {
                replica.resolved(address);
            }
        }
        Err(error) => tracing::warn!(replica = %replica.name, "cannot resolve {}: {error}", replica.host),
    }
}

async fn list_models(connector: &Connector<()>, shared: &Shared, pool: &Pool, replica: &Replica) {
    let limit = pool.settings.health.timeout;
    let Ok(Ok((200, body))) = timeout(limit, get(connector, pool, replica, "/v1/models")).await else {
        return;
    };
    if let Ok(list) = serde_json::from_slice::<ModelList>(&body) {
        let models: Vec<Name> = list.data.into_iter().map(|model| model.id.into()).collect();
        for model in &models {
            shared.telemetry.models.allow(model);
        }
        replica.set_models(models);
    }
}

/// One GET: the status and the body.
async fn get(
    connector: &Connector<()>,
    pool: &Pool,
    replica: &Replica,
    path: &str,
) -> anyhow::Result<(u16, Vec<u8>)> {
    let address = replica.address().context("its name is not resolved")?;
    let mut peer = HttpPeer::new(address, replica.tls, replica.host.clone());
    peer.options.connection_timeout = Some(pool.settings.timeouts.connect);
    let (mut session, _) = connector.get_http_session(&peer).await?;
    let mut head = RequestHeader::build("GET", path.as_bytes(), Some(4))?;
    head.insert_header(header::HOST, &*replica.name)?;
    head.insert_header(
        header::USER_AGENT,
        concat!("streamgauge/", env!("CARGO_PKG_VERSION")),
    )?;
    head.insert_header(header::CONNECTION, "close")?;
    if let Some(key) = &pool.settings.upstream_key {
        head.insert_header(header::AUTHORIZATION, format!("Bearer {key}"))?;
    }
    session.write_request_header(Box::new(head)).await?;
    session.finish_request_body().await?;
    session.read_response_header().await?;
    let status = session
        .response_header()
        .context("no response head")?
        .status
        .as_u16();
    let mut body = Vec::new();
    while let Some(piece) = session.read_response_body().await? {
        if body.len() + piece.len() > ANSWER_LEN_MAX {
            bail!("the answer is larger than {ANSWER_LEN_MAX} bytes");
        }
        body.extend_from_slice(&piece);
    }
    Ok((status, body))
}
