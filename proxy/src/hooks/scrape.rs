//! Asks every replica once a second how loaded it is, over a connection that is kept.
//!
//! Only a few figures of its `/metrics` are read (`replicas/scrape.rs`). A replica without them is left alone
//! for a while: its load is then known by what this proxy sends it, and nothing else is missing.

use std::time::Duration;

use tokio::time::{MissedTickBehavior, interval, sleep};

use crate::clock;
use crate::fleet::Member;
use crate::hooks::inquiry::{Inquirer, Question};
use crate::replicas::{Load, Standing};
use crate::shared::Shared;

/// Between two questions.
const EVERY: Duration = Duration::from_secs(1);

/// A replica that does not say how loaded it is is asked again after this time.
const SILENT_FOR: Duration = Duration::from_secs(30);

/// Largest answer that is read. Why this number: vLLM's `/metrics` with one model has about 60 KiB, and its
/// histograms grow with each model.
const ANSWER_LEN_MAX: usize = 2 << 20;

/// Asks one replica until it is aborted or its pool is gone.
pub(super) async fn watch(shared: &Shared, member: &Member) {
    let replica = &member.replica;
    let inquirer = Inquirer::new();
    // Each replica has its own moment within the second, so that they are not all asked at once.
    sleep(replica.moment(EVERY)).await;
    let mut look = interval(EVERY);
    look.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        look.tick().await;
        let Some(pool) = shared.fleet.pool(&member.pool) else {
            return;
        };
        if replica.standing() == Standing::Gone {
            continue;
        }
        let question = Question {
            path: "/metrics",
            limit: EVERY,
            len_max: ANSWER_LEN_MAX,
            keep: Some(EVERY * 3),
        };
        match inquirer.ask(&pool, replica, question).await {
            Ok(answer) if answer.status == 200 => {
                let load = Load::read(&answer.body);
                replica.load.store(&load, clock::now());
                if load == Load::default() {
                    sleep(SILENT_FOR).await;
                }
            }
            Ok(_) => sleep(SILENT_FOR).await,
            // Health is the prober's matter; an old figure ages by itself.
            Err(_) => {}
        }
    }
}
