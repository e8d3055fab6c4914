//! What the proxy is told at start: plain values, already checked. The binary reads files, flags and
//! environment.

mod discover;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use ledger::Keep;
use record::{Name, Policy};

pub use discover::{Discover, DnsSettings, FileSettings, ReadReplicas};

use crate::identity::IdentitySettings;
use crate::slo::Goals;
use crate::sockets::Inherited;

/// All settings of one proxy process.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Name of this process in records, pulses and metrics.
    pub instance: Name,
    /// Addresses of the inference port, as they were written; the text is also the key of an inherited
    /// socket.
    pub listen: Vec<String>,
    /// Address of `/healthz`, `/readyz` and `/metrics`; like `listen`, the text is the key of an inherited
    /// socket.
    pub ops_listen: String,
    /// Listening sockets that a supervisor has bound and this process inherited; the others are bound here.
    pub inherited: Vec<Inherited>,
    /// A proxy before this one may still write to the ledger: records wait in memory until it has left.
    pub successor: bool,
    /// Worker threads; at least 1.
    pub threads: usize,
    /// Limits of the front door.
    pub limits: Limits,
    /// How long running requests may take after SIGTERM before they are cut.
    pub grace: Duration,
    /// How long `/readyz` says no before the port closes.
    pub shutdown_lag: Duration,
    /// The pools of replicas, each with a name of its own; at least one.
    pub pools: Vec<PoolSettings>,
    /// How requests are told apart.
    pub identity: IdentitySettings,
    /// The service goals.
    pub slo: Goals,
    /// Where records go: `sqlite:///path/file.db`.
    pub ledger: String,
    /// Memory in bytes for records that the ledger does not take at present; beyond it rows are dropped and
    /// counted.
    pub overflow: u64,
    /// When the ledger is backed up, and where to.
    pub backup: BackupSettings,
    /// How long requests are kept in the ledger.
    pub retention: Retention,
    /// The source revision of the binary, for `streamgauge_build_info`; may be empty.
    pub revision: String,
    /// The version of the compiler that built it, for the same.
    pub rustc: String,
}

/// Scheduled backups.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct BackupSettings {
    /// Time between two; `None` makes none.
    pub every: Option<Duration>,
    /// The folder they go to.
    pub to: PathBuf,
    /// How many stay; at least 1.
    pub keep: usize,
}

/// Reads the configuration anew, on a thread that may block. `Err` holds every complaint, a line each.
pub type Reread = Box<dyn Fn() -> Result<Settings, Vec<String>> + Send + Sync>;

/// How files are read while the proxy runs.
#[expect(missing_debug_implementations, reason = "functions show nothing")]
pub struct Readers {
    /// The configuration.
    pub config: Reread,
    /// A file of replicas.
    pub replicas: ReadReplicas,
}

/// What goes from the ledger, and when. See [`Keep`] for what each span is about.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Retention {
    /// How long single requests are kept.
    pub requests: Duration,
    /// How long sums of ten minutes are kept.
    pub minutes: Duration,
    /// How long sums of six hours are kept.
    pub hours: Duration,
    /// How long sums of a day are kept.
    pub days: Duration,
    /// Size of the ledger in bytes beyond which the oldest requests go before their time; `None` is no limit.
    pub max_size: Option<u64>,
}

// === impl Retention ===

impl Retention {
    /// The same in the ledger's words.
    #[must_use]
    pub fn keep(self) -> Keep {
        Keep {
            requests: self.requests,
            minutes: self.minutes,
            hours: self.hours,
            days: self.days,
            max_bytes: self.max_size,
        }
    }
}

/// Limits of the front door. Each one answers with its own status.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Open client connections; one more is closed at once.
    pub connections: usize,
    /// Requests in flight; one more is a 503.
    pub in_flight: usize,
    /// Bytes of a request body; a larger one is a 413.
    pub body: u64,
    /// Bytes of a request head; a larger one is a 431.
    pub head: usize,
    /// Time for the whole head; after it, a 408.
    pub head_deadline: Duration,
    /// Time for the whole body; after it, a 408.
    pub body_deadline: Duration,
    /// How long a client may take no byte of its answer; after it, the client counts as gone.
    pub write_deadline: Duration,
    /// How long an idle connection of a client is kept.
    pub idle: Duration,
}

/// One pool of replicas.
#[derive(Clone, Debug)]
pub struct PoolSettings {
    /// Its name in records and labels.
    pub name: Name,
    /// The models that it serves, `*` for any; empty takes what its replicas list.
    pub models: Vec<Name>,
    /// Other names of its models: what clients write, and what the replicas are asked for.
    pub aliases: Vec<(Name, Name)>,
    /// Which replica gets a request.
    pub balance: Policy,
    /// Its replicas; those that are found come beside them.
    pub replicas: Vec<ReplicaSettings>,
    /// Where more of its replicas are found.
    pub discover: Vec<Discover>,
    /// The four deadlines towards a replica.
    pub timeouts: Timeouts,
    /// How it is found out which replicas take requests.
    pub health: HealthSettings,
    /// Requests that may be with its replicas at once; `None` is no limit.
    pub max_in_flight: Option<usize>,
    /// Room for requests that find no place at a replica.
    pub queue: QueueSettings,
    /// When a request is tried again.
    pub retries: RetrySettings,
    /// Whether the usage chunk is asked for on behalf of the client.
    pub usage: UsageMode,
    /// Sent as `Authorization: Bearer` to the replicas in place of the client's.
    pub upstream_key: Option<String>,
}

/// One replica.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ReplicaSettings {
    /// `http://host:port` or `https://host:port`, without a path.
    pub url: String,
    /// Where it is, when that is known already: one of several addresses behind the host of its URL. Its name
    /// is the address then.
    pub address: Option<SocketAddr>,
    /// Its share beside the others' shares; at least 1.
    pub weight: u32,
    /// Requests that may be with it at once; `None` is no limit.
    pub max_in_flight: Option<usize>,
    /// It gets no new requests; those that it has go on.
    pub drain: bool,
}

/// Room for requests that find no place at a replica.
#[derive(Clone, Copy, Debug)]
pub struct QueueSettings {
    /// Requests that may wait; one more is refused. 0: nobody waits.
    pub max: usize,
    /// How long a request waits.
    pub timeout: Duration,
}

/// When a request is tried again on another replica. Never after the first byte of an answer.
#[derive(Clone, Copy, Debug)]
pub struct RetrySettings {
    /// Attempts for one request, the first one included; at least 1.
    pub attempts: u16,
    /// Retries that the pool may make, as a share of its requests; a few a second come on top.
    pub percent: u32,
}

/// Deadlines towards a replica, each its own outcome.
#[derive(Clone, Copy, Debug, Hash)]
pub struct Timeouts {
    /// For the TCP (and TLS) connection.
    pub connect: Duration,
    /// From the sent request to the response head: the prefill of a long prompt fits in.
    pub first_byte: Duration,
    /// Between two reads of an answer.
    pub idle: Duration,
    /// For the whole request.
    pub total: Duration,
    /// How long an unused connection to a replica is kept. Below the replica's own limit (uvicorn: 5 s), or
    /// requests race with its close.
    pub keepalive: Duration,
}

/// How it is found out whether a replica takes requests.
#[derive(Clone, Debug)]
pub struct HealthSettings {
    /// Path of the probe (GET).
    pub path: String,
    /// Time between two probes of one replica.
    pub interval: Duration,
    /// Time for one probe.
    pub timeout: Duration,
    /// Passed probes in a row that bring a replica back; at least 1.
    pub passes: u32,
    /// Failed probes in a row that take a replica out; at least 1.
    pub failures: u32,
    /// Failed requests in a row that eject a replica; at least 1.
    pub eject_after: u32,
    /// How long the first ejection lasts; the next one soon after lasts twice as long.
    pub eject_for: Duration,
    /// The longest ejection.
    pub eject_max: Duration,
    /// A replica whose median wait for a first token is so many times that of its peers is ejected; 0 ejects
    /// nobody for that.
    pub slow_factor: u32,
    /// When more than this share of a pool's replicas is out, those that are only in doubt take requests.
    pub panic_percent: u32,
}

/// Whether and how we ask for token usage that the client did not ask for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum UsageMode {
    /// `stream_options.include_usage` is spliced in, and its chunk taken out again.
    Inject,
    /// As [`Self::Inject`], and running counts in every event are asked for and taken out again: a stream
    /// that is cut has exact counts.
    Continuous,
    /// The request is sent as it came.
    Passthrough,
}

// === impl HealthSettings ===

impl Default for HealthSettings {
    fn default() -> Self {
        Self {
            path: "/health".to_owned(),
            interval: Duration::from_secs(2),
            timeout: Duration::from_secs(2),
            passes: 1,
            failures: 3,
            eject_after: 5,
            eject_for: Duration::from_secs(10),
            eject_max: Duration::from_secs(300),
            slow_factor: 8,
            panic_percent: 50,
        }
    }
}

// === impl QueueSettings ===

impl Default for QueueSettings {
    fn default() -> Self {
        Self {
            max: 1_000,
            timeout: Duration::from_secs(10),
        }
    }
}

// === impl RetrySettings ===

impl RetrySettings {
    /// Most attempts that a pool may allow. Why this number: after ten replicas have failed, it is no longer
    /// the replicas.
    pub const ATTEMPTS_MAX: u16 = 10;
}

impl Default for RetrySettings {
    fn default() -> Self {
        Self {
            attempts: 3,
            percent: 20,
        }
    }
}

// === impl Settings ===

impl Settings {
    /// These settings with everything kept from `old` that a running proxy cannot change, and the keys of
    /// what was not the same.
    pub(crate) fn keeping(self, old: &Self) -> (Self, Vec<&'static str>) {
        let fixed = [
            ("proxy.instance", self.instance == old.instance),
            ("proxy.listen", self.listen == old.listen),
            ("proxy.ops_listen", self.ops_listen == old.ops_listen),
            ("proxy.threads", self.threads == old.threads),
            ("proxy.grace", self.grace == old.grace),
            ("ledger.url", self.ledger == old.ledger),
            ("ledger.overflow", self.overflow == old.overflow),
            ("ledger.backup", self.backup == old.backup),
        ];
        let differ = fixed.into_iter().filter(|(_, same)| !same).map(|(key, _)| key);
        let kept = Self {
            instance: old.instance.clone(),
            listen: old.listen.clone(),
            ops_listen: old.ops_listen.clone(),
            inherited: old.inherited.clone(),
            successor: old.successor,
            threads: old.threads,
            grace: old.grace,
            ledger: old.ledger.clone(),
            overflow: old.overflow,
            backup: old.backup.clone(),
            revision: old.revision.clone(),
            rustc: old.rustc.clone(),
            ..self
        };
        (kept, differ.collect())
    }
}
