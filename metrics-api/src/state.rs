//! What every handler shares.

use ledger::{OpenError, Reader};
use record::UnixMillis;
use tokio::sync::watch;

use crate::clock::Clock;
use crate::live::Feed;
use crate::settings::Settings;

/// The ledger's reader, the clock and the settings. Cheap to clone.
#[derive(Clone, Debug)]
pub struct AppState {
    pub(crate) reader: Reader,
    pub(crate) clock: Clock,
    pub(crate) feed: Feed,
    pub(crate) settings: std::sync::Arc<Settings>,
    stop: watch::Sender<bool>,
}

// === impl AppState ===

impl AppState {
    /// Prepares to read the ledger, which need not exist yet.
    ///
    /// # Errors
    /// When the ledger's URL is none that we can read.
    pub fn new(settings: Settings, clock: Clock) -> Result<Self, OpenError> {
        let reader = Reader::open(&settings.ledger)?;
        let (stop, _) = watch::channel(false);
        Ok(Self {
            feed: Feed::new(reader.clone(), clock.clone()),
            settings: std::sync::Arc::new(settings),
            reader,
            clock,
            stop,
        })
    }

    /// Ends all event streams, which would otherwise hold up a graceful shutdown for ever.
    pub fn stop(&self) {
        self.stop.send_replace(true);
    }

    pub(crate) fn now(&self) -> UnixMillis {
        self.clock.now()
    }

    /// Completes when [`Self::stop`] is called.
    pub(crate) fn stopped(&self) -> impl Future<Output = ()> + Send + use<> {
        let mut stop = self.stop.subscribe();
        async move {
            // The error means that every sender is gone, which is a stop as well.
            let _ = stop.wait_for(|stopped| *stopped).await;
        }
    }
}
