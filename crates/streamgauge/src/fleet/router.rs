//! What all routers of the simulation have in common: ours, and those of others for comparison.

use proxy::balance::Scraped;

use crate::fleet::replica::Replica;

/// Simulated time: microseconds since the simulation began.
pub(crate) type Micros = u64;

/// A second.
pub(crate) const SECOND: Micros = 1_000_000;

/// A request as a router sees it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Asked<'a> {
    /// Which request.
    pub(crate) request: usize,
    /// Whose session it is.
    pub(crate) session: u64,
    /// The JSON text of its messages.
    pub(crate) prompt: &'a [u8],
    /// The hashes of its blocks of 16 tokens: what only an oracle knows.
    pub(crate) chain: &'a [u64],
}

/// What a replica reported at the end of an answer.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Reported {
    pub(crate) prompt: u64,
    pub(crate) cached: u64,
}

/// Decides which replica gets a request.
pub(crate) trait Router {
    /// Its line in the table.
    fn name(&self) -> String;

    /// Which replica. `replicas` is for the oracle only.
    fn choose(&mut self, asked: &Asked<'_>, replicas: &[Replica]) -> usize;

    /// The first token of a request has come.
    fn first_token(&mut self, _request: usize) {}

    /// A request is done.
    fn finished(&mut self, request: usize, reported: Reported);

    /// The replicas' own figures, at every [`Router::scrape_interval`].
    fn scraped(&mut self, _figures: &[Scraped]) {}

    /// How often it looks at the replicas' own figures.
    fn scrape_interval(&self) -> Micros {
        SECOND
    }
}

/// Requests in flight by replica, as counted by a router that counts nothing else.
#[derive(Debug)]
pub(crate) struct Counts {
    of_replica: Vec<u32>,
    /// The replica of each running request.
    running: std::collections::HashMap<usize, usize>,
}

// === impl Counts ===

impl Counts {
    pub(crate) fn new(replicas: usize) -> Self {
        Self {
            of_replica: vec![0; replicas],
            running: std::collections::HashMap::new(),
        }
    }

    pub(crate) fn of_replicas(&self) -> &[u32] {
        &self.of_replica
    }

    pub(crate) fn add(&mut self, request: usize, at: usize) {
        self.running.insert(request, at);
        if let Some(count) = self.of_replica.get_mut(at) {
            *count += 1;
        }
    }

    pub(crate) fn remove(&mut self, request: usize) {
        let at = self.running.remove(&request);
        if let Some(count) = at.and_then(|at| self.of_replica.get_mut(at)) {
            *count -= 1;
        }
    }
}
