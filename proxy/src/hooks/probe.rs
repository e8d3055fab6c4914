//! The prober: asks every replica whether it is there, what models it serves, and where its name points.
//!
//! A probe passes with anything below 500: a server without that path is a server all the same. What follows
//! from probes is decided in `replicas/health.rs`. The prober also keeps time for that state machine, gives
//! free places to requests that wait, and compares how fast replicas answer.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use pingora::server::ShutdownWatch;
use pingora::services::background::BackgroundService;
use record::{Name, ReplicaState};
use serde::Deserialize;
use serde_json::Value;
use tokio::task::{AbortHandle, JoinSet};
use tokio::time::{MissedTickBehavior, interval};

use crate::clock;
use crate::fleet::{Member, Pool};
use crate::hooks::inquiry::{Inquirer, NoAnswer, Question};
use crate::hooks::scrape;
use crate::replicas::{Event, Model, Replica, outliers};
use crate::shared::Shared;

/// How often names are resolved and models are listed anew.
const REFRESH_EVERY: Duration = Duration::from_secs(30);

/// How often a probe may come early because a request failed, and ejections and waiting requests are looked
/// at.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// How often replicas of a pool are compared with each other.
const COMPARE_EVERY: Duration = Duration::from_secs(10);

/// Fewest first tokens of a replica between two comparisons for it to be judged.
const COMPARED_MIN: u32 = 20;

/// Largest answer of a probe that is read. Why this number: a list of 64 models has about 30 KiB.
const ANSWER_LEN_MAX: usize = 1 << 20;

/// The background service that probes.
pub(super) struct Prober(pub(super) Arc<Shared>);

#[derive(Deserialize)]
struct ModelList {
    data: Vec<Value>,
}

#[async_trait]
impl BackgroundService for Prober {
    async fn start(&self, mut shutdown: ShutdownWatch) {
        let mut swaps = self.0.fleet.swaps();
        // Dropped, and so ended, with this task.
        let mut tasks = JoinSet::new();
        let mut watched: Vec<(Member, [AbortHandle; 2])> = Vec::new();
        let mut compare = interval(COMPARE_EVERY);
        compare.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let members = self.0.fleet.members();
            watched.retain(|(watched, tasks)| {
                let stays = members.iter().any(|member| watched.is(member));
                if !stays {
                    tasks.iter().for_each(AbortHandle::abort);
                }
                stays
            });
            for member in members {
                if !watched.iter().any(|(watched, _)| watched.is(&member)) {
                    let (shared, own) = (Arc::clone(&self.0), member.clone());
                    let probe = tasks.spawn(async move { watch(&shared, &own).await });
                    let (shared, own) = (Arc::clone(&self.0), member.clone());
                    let scrape = tasks.spawn(async move { scrape::watch(&shared, &own).await });
                    watched.push((member, [probe, scrape]));
                }
            }
            tokio::select! {
                _ = shutdown.wait_for(|stop| *stop) => return,
                swapped = swaps.changed() => if swapped.is_err() { return },
                Some(_) = tasks.join_next() => {}
                _ = compare.tick() => compare_pools(&self.0),
            }
        }
    }
}

/// Probes one replica, as its pool says at each time, until it is aborted or the pool is gone.
async fn watch(shared: &Shared, member: &Member) {
    let inquirer = Inquirer::new();
    let replica = &member.replica;
    let (mut due_at, mut refreshed) = (None::<Instant>, None::<Instant>);
    let Some(pool) = shared.fleet.pool(&member.pool) else {
        return;
    };
    let mut look = interval(LOOK_EVERY.min(pool.settings.health.interval));
    look.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        look.tick().await;
        let now = clock::now();
        let Some(pool) = shared.fleet.pool(&member.pool) else {
            return;
        };
        replica.tick(now);
        // Whoever waits for the first byte of a replica that does not speak is better off with another one.
        let forsaken = replica.is_silent() && pool.has_other(std::slice::from_ref(&replica.name));
        replica.forsaken().store(forsaken, Relaxed);
        pool.fill(replica);
        let health = &pool.settings.health;
        let refresh = refreshed.is_none_or(|last| now - last >= REFRESH_EVERY);
        if !(refresh || due_at.is_none_or(|due| now >= due) || replica.take_suspicion()) {
            continue;
        }
        // Up to a tenth later, each replica by its own share, so that they are not all asked at once.
        due_at = now.checked_add(health.interval + replica.moment(health.interval / 10));
        if refresh && !replica.is_fixed() {
            resolve(replica).await;
        }
        let before = replica.state();
        probe(&inquirer, &pool, replica).await;
        let state = replica.state();
        if state != ReplicaState::Down && (refresh || before != state || replica.models().is_none()) {
            refreshed = Some(clock::now());
            list_models(&inquirer, shared, &pool, member).await;
        }
        pool.fill(replica);
    }
}

async fn probe(inquirer: &Inquirer, pool: &Pool, replica: &Replica) {
    let health = &pool.settings.health;
    let question = Question {
        path: &health.path,
        limit: health.timeout,
        len_max: ANSWER_LEN_MAX,
        keep: None,
    };
    let answer = inquirer.ask(pool, replica, question).await;
    let event = match &answer {
        Ok(answer) if answer.status < 500 => Event::ProbePassed,
        Err(NoAnswer::Refused) => Event::Refused,
        Err(NoAnswer::Silent) => Event::ProbeSilent,
        Ok(_) | Err(NoAnswer::Unclear(_)) => Event::ProbeFailed,
    };
    let name = &replica.name;
    match answer {
        Ok(answer) if event == Event::ProbeFailed => {
            tracing::debug!(replica = %name, "a probe of {name} was answered with {}", answer.status);
        }
        Err(NoAnswer::Unclear(reason)) => {
            tracing::debug!(replica = %name, "a probe of {name} failed: {reason}");
        }
        _ => {}
    }
    replica.learn(event, clock::now());
}

/// Ejects the replicas whose first tokens come far later than those of their peers.
fn compare_pools(shared: &Shared) {
    for pool in shared.fleet.pools().iter() {
        let waits = pool
            .replicas
            .iter()
            .map(|replica| replica.pace.median(COMPARED_MIN));
        let waits: Vec<_> = waits.collect();
        for slow in outliers(&waits, pool.settings.health.slow_factor) {
            if let Some(replica) = pool.replicas.get(slow) {
                replica.learn(Event::Slow, clock::now());
            }
        }
        pool.replicas.iter().for_each(|replica| replica.pace.forget());
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

async fn list_models(inquirer: &Inquirer, shared: &Shared, pool: &Pool, member: &Member) {
    let question = Question {
        path: "/v1/models",
        limit: pool.settings.health.timeout,
        len_max: ANSWER_LEN_MAX,
        keep: None,
    };
    let Ok(answer) = inquirer.ask(pool, &member.replica, question).await else {
        return;
    };
    if answer.status != 200 {
        return;
    }
    if let Ok(list) = serde_json::from_slice::<ModelList>(&answer.body) {
        let named = |card: Value| {
            let name: Name = card.get("id")?.as_str()?.into();
            let card = Arc::new(card);
            Some(Model { name, card })
        };
        let models: Vec<_> = list.data.into_iter().filter_map(named).collect();
        for model in &models {
            shared.telemetry.models.allow(&model.name);
        }
        if member.lists(models) {
            shared.fleet.models_changed();
        }
    }
}
