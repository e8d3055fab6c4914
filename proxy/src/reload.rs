//! A new configuration for a running proxy: taken over whole, or not at all.
//!
//! Requests that have begun notice nothing: they keep the pool and the limits that they were given. Called at
//! SIGHUP by `hooks/serve.rs`, on a thread that may block.

use crate::clock;
use crate::settings::{Reread, Settings};
use crate::shared::Shared;

/// Reads the configuration and takes it over; says in log and metrics how that went.
pub(crate) fn reload(shared: &Shared, reread: &Reread) {
    let refusals = match reread() {
        Ok(new) => match adopt(shared, new) {
            Ok(()) => return,
            Err(refusal) => vec![refusal],
        },
        Err(complaints) => complaints,
    };
    shared.telemetry.reloads.failed();
    for refusal in refusals {
        tracing::error!("the new configuration is refused, the old one stays: {refusal}");
    }
}

fn adopt(shared: &Shared, new: Settings) -> Result<(), String> {
    let fixed = shared.adopt(new).map_err(|error| format!("{error:#}"))?;
    shared.telemetry.reloads.succeeded(clock::wall());
    for key in fixed {
        tracing::warn!(key, "{key} changed; that takes a restart, or SIGUSR2 to `up`");
    }
    let replicas = shared.fleet.members().len();
    tracing::info!(replicas, "the new configuration is in force: {replicas} replicas");
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use super::*;
    use crate::fleet::settings;
    use crate::identity::{IdentitySettings, OriginMode, Secret, SecretSource, UserMode};
    use crate::settings::{BackupSettings, Limits, Retention};
    use crate::slo::Goals;

    fn settings_of(urls: &[&str]) -> Settings {
        let second = Duration::from_secs(1);
        Settings {
            instance: "here".into(),
            listen: vec!["127.0.0.1:1".to_owned()],
            ops_listen: "127.0.0.1:2".to_owned(),
            inherited: Vec::new(),
            successor: false,
            threads: 1,
            limits: Limits {
                connections: 1,
                in_flight: 1,
                body: 1,
                head: 1,
                head_deadline: second,
                body_deadline: second,
                write_deadline: second,
                idle: second,
            },
            grace: second,
            shutdown_lag: second,
            pools: vec![settings("chat", urls)],
            ledger: "sqlite://a.db".to_owned(),
            overflow: 1 << 20,
            backup: BackupSettings {
                every: None,
                to: "backups".into(),
                keep: 1,
            },
            identity: IdentitySettings {
                secret: SecretSource::Value(Secret::new("a secret that is long enough for a test")),
                keys: Vec::new(),
                user: UserMode::Off,
                user_header: None,
                origin: OriginMode::Off,
                trusted_proxies: Vec::new(),
                tags: Vec::new(),
            },
            slo: Goals::default(),
            retention: Retention {
                requests: second,
                minutes: second,
                hours: second,
                days: second,
                max_size: None,
            },
            revision: String::new(),
            rustc: String::new(),
        }
    }

    fn reread(read: impl Fn() -> Result<Settings, Vec<String>> + Send + Sync + 'static) -> Reread {
        Box::new(read)
    }

    fn counted(shared: &Shared, result: &str) -> bool {
        let line = format!(r#"streamgauge_config_reloads_total{{result="{result}"}} 1"#);
        shared.exposition().contains(&line)
    }

    #[test]
    fn what_cannot_be_used_changes_nothing_and_is_counted() {
        let (shared, _records) = Shared::new(settings_of(&["http://10.0.0.1:1"])).unwrap();
        let before = shared.fleet.first().unwrap();
        reload(&shared, &reread(|| Err(vec!["no such file".to_owned()])));
        assert!(counted(&shared, "failure"));
        let mut wrong = settings_of(&["nonsense"]);
        wrong.limits.body = 2;
        reload(&shared, &reread(move || Ok(wrong.clone())));
        assert!(Arc::ptr_eq(&before, &shared.fleet.first().unwrap()));
        assert_eq!(shared.settings().limits.body, 1, "not even a limit");
    }

    #[test]
    fn what_a_running_proxy_cannot_change_stays_and_is_named() {
        let old = settings_of(&["http://10.0.0.1:1"]);
        let (shared, _records) = Shared::new(old).unwrap();
        let mut new = settings_of(&["http://10.0.0.2:1"]);
        new.limits.body = 2;
        new.threads = 2;
        new.ledger = "sqlite://b.db".to_owned();
        assert_eq!(
            shared.adopt(new.clone()).unwrap(),
            ["proxy.threads", "ledger.url"]
        );
        assert_eq!(&*shared.fleet.first().unwrap().replicas[0].name, "10.0.0.2:1");
        assert_eq!((shared.settings().limits.body, shared.settings().threads), (2, 1));
        reload(&shared, &reread(move || Ok(new.clone())));
        assert!(counted(&shared, "success"));
    }
}
