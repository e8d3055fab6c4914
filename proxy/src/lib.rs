//! The data path of streamgauge: a reverse proxy on Pingora that measures what passes.
//!
//! [`run`] is the whole interface: it takes [`Settings`] and serves until a signal ends it. [`sockets`] is
//! what a supervisor needs to own the listening sockets. All Pingora types live in `hooks`; replicas, records
//! and metrics know none of them.
//!
//! What does not belong here: reading files or flags (the binary), SQL (`ledger`), what bytes mean
//! (`observer`).

pub mod balance;
mod clock;
mod discovery;
mod estimate;
mod finish;
mod fleet;
mod hooks;
mod identity;
mod recorder;
mod reload;
mod replicas;
mod room;
mod routed;
mod routes;
mod settings;
mod shared;
mod slo;
pub mod sockets;
mod telemetry;
mod tracked;

pub use hooks::run;
pub use identity::{
    IdentitySettings, KeyMatch, NamedKey, OriginMode, SECRET_LEN_MIN, Secret, SecretError, SecretSource,
    TagSource, UserMode, header_may_be_a_tag,
};
pub use recorder::{Held, Sink};
pub use replicas::UrlError;
pub use settings::{
    BackupSettings, Discover, DnsSettings, FileSettings, HealthSettings, Limits, PoolSettings, QueueSettings,
    ReadReplicas, Readers, ReplicaSettings, Reread, Retention, RetrySettings, Settings, Timeouts, UsageMode,
};
pub use slo::Goals;
