//! What all parts of one proxy process share.

use std::future::{Future as _, poll_fn};
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering::Relaxed, Ordering::SeqCst};
use std::task::Poll;

use arc_swap::{ArcSwap, Guard};
use crossbeam_channel::Receiver;
use prometheus::{Encoder, ProtobufEncoder, TextEncoder};
use record::{LedgerPulse, Pulse, UnixMillis};

use tokio::sync::Notify;

use crate::clock;
use crate::fleet::{Audit, Fleet};
use crate::identity::Identifier;
use crate::recorder::{Held, Sink, WriterHealth};
use crate::settings::Settings;
use crate::telemetry::Telemetry;

/// The state of one proxy process.
#[derive(Debug)]
pub(crate) struct Shared {
    settings: ArcSwap<Settings>,
    pub(crate) fleet: Fleet,
    pub(crate) identifier: ArcSwap<Identifier>,
    pub(crate) telemetry: Telemetry,
    pub(crate) sink: Sink,
    pub(crate) writer_health: WriterHealth,
    /// Requests that have begun and not ended.
    pub(crate) in_flight: AtomicU64,
    /// Compares the counts of replicas with the requests that hold a place.
    pub(crate) audit: Audit,
    /// Open client connections.
    pub(crate) connections: AtomicUsize,
    /// The running requests are to end at once.
    pub(crate) cut: Cut,
    /// A shutdown was asked for: `/readyz` says no.
    pub(crate) draining: AtomicBool,
    /// The last request has ended: the writer writes what is left and ends.
    pub(crate) closing: AtomicBool,
    started_at: UnixMillis,
}

/// Whether the running requests are to end at once.
#[derive(Debug, Default)]
pub(crate) struct Cut {
    asked: AtomicBool,
    told: Notify,
}

// === impl Cut ===

impl Cut {
    /// Asks for it; there is no way back.
    pub(crate) fn ask(&self) {
        self.asked.store(true, SeqCst);
        self.told.notify_waiters();
    }

    /// Waits until it is asked for. Polled again and again by the task that polled it first, as beside a
    /// request's own work, it costs a load each time: its waker stays the same.
    pub(crate) async fn asked(&self) {
        let mut told = pin!(self.told.notified());
        let mut waits = false;
        poll_fn(|cx| {
            if self.asked.load(SeqCst) {
                return Poll::Ready(());
            }
            if std::mem::replace(&mut waits, true) {
                return Poll::Pending;
            }
            told.as_mut().poll(cx)
        })
        .await;
    }
}

// === impl Shared ===

impl Shared {
    pub(crate) fn new(settings: Settings) -> anyhow::Result<(Arc<Self>, Receiver<Held>)> {
        let fleet = Fleet::new(&settings.pools)?;
        let identifier = Identifier::new(&settings.identity)?;
        let telemetry = Telemetry::new([env!("CARGO_PKG_VERSION"), &settings.revision, &settings.rustc]);
        telemetry.reloads.started(clock::wall());
        let books = &telemetry.pipeline.books;
        let (sink, records) = Sink::new(books.finished(), books.queue_full());
        let shared = Self {
            settings: ArcSwap::from_pointee(settings),
            fleet,
            identifier: ArcSwap::from_pointee(identifier),
            telemetry,
            sink,
            writer_health: WriterHealth::default(),
            in_flight: AtomicU64::new(0),
            audit: Audit::default(),
            connections: AtomicUsize::new(0),
            cut: Cut::default(),
            draining: AtomicBool::new(false),
            closing: AtomicBool::new(false),
            started_at: clock::wall(),
        };
        Ok((Arc::new(shared), records))
    }

    /// When the process started.
    pub(crate) const fn started_at(&self) -> UnixMillis {
        self.started_at
    }

    /// The settings in force. Held for a moment only: what has begun keeps what it took from them.
    pub(crate) fn settings(&self) -> Guard<Arc<Settings>> {
        self.settings.load()
    }

    /// Takes over what a running proxy can change, all of it or nothing. Gives back the keys that differ and
    /// cannot change.
    ///
    /// # Errors
    /// When a replica's URL is not one, or the secret of the hashes cannot be had; nothing has changed then.
    pub(crate) fn adopt(&self, new: Settings) -> anyhow::Result<Vec<&'static str>> {
        let old = self.settings.load_full();
        let (new, fixed) = new.keeping(&old);
        // The same settings may make another secret.
        let identifier = if new.identity == old.identity {
            None
        } else {
            Some(Identifier::new(&new.identity)?)
        };
        self.fleet.replace(&new.pools)?;
        if let Some(identifier) = identifier {
            self.identifier.store(Arc::new(identifier));
        }
        self.settings.store(Arc::new(new));
        Ok(fixed)
    }

    /// Everything that this process says about itself now.
    pub(crate) fn pulse(&self) -> Pulse {
        self.refresh_gauges();
        let mut families = Vec::new();
        if let Err(error) = ProtobufEncoder::new().encode(&self.telemetry.gather(), &mut families) {
            tracing::warn!("a pulse goes without its metrics: {error}");
            families.clear();
        }
        Pulse {
            instance: self.settings().instance.clone(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            started_at: self.started_at,
            at: clock::wall(),
            in_flight: self.in_flight.load(Relaxed),
            waiting: self.fleet.waiting(),
            replicas: self.fleet.pulse(),
            ledger: Some(self.ledger_pulse()),
            families,
        }
    }

    /// How the records fare on their way to the ledger.
    pub(crate) fn ledger_pulse(&self) -> LedgerPulse {
        let balance = self.telemetry.pipeline.books.balance();
        let mut pulse = LedgerPulse {
            finished: balance.finished,
            written: balance.written,
            queued: balance.queued,
            dropped: balance.dropped,
            ..LedgerPulse::default()
        };
        self.writer_health.state().describe(clock::now(), &mut pulse);
        pulse
    }

    /// The registry in Prometheus' text format.
    pub(crate) fn exposition(&self) -> String {
        self.refresh_gauges();
        TextEncoder::new()
            .encode_to_string(&self.telemetry.gather())
            .unwrap_or_default()
    }

    fn refresh_gauges(&self) {
        let (now, replicas) = (clock::now(), self.fleet.pulse());
        let gauges = &self.telemetry.fleet;
        gauges.show(&replicas);
        for pool in self.fleet.pools().iter() {
            gauges.show_waiting(&pool.name, pool.waiting());
            for replica in &pool.replicas {
                gauges.show_weight(&pool.name, &replica.name, replica.weight());
                gauges.show_load(&pool.name, &replica.name, replica.load.fresh(now));
            }
        }
        let counted: u64 = replicas.iter().map(|replica| replica.in_flight).sum();
        gauges.show_difference(self.audit.compare(counted));
        self.telemetry
            .pipeline
            .refresh(&self.writer_health.state(), clock::now());
    }
}
