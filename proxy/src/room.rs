//! Room for requests that find every replica full or away: they wait here, in fair turns, for a limited time.
//!
//! Whoever frees a place offers it with [`Room::offer`]; it goes to exactly one waiter, who owns it from then
//! on. A waiter leaves by dropping its [`Place`]. Time is the waiter's own matter: the room has no clock.

mod queue;

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::SeqCst};

use parking_lot::Mutex;
use tokio::sync::oneshot;

pub(crate) use queue::Full;
use queue::{Queue, Ticket};

/// What a waiter is told.
#[derive(Debug)]
pub(crate) enum Called<S> {
    /// A place is free, and it is the waiter's.
    In(S),
    /// Somebody with fewer waiting requests came and the room was full.
    Out,
}

/// Whether a place suits a waiter.
type Suits<S> = Box<dyn Fn(&S) -> bool + Send>;

/// The room of one pool; `S` is a place at a replica.
#[derive(Debug)]
pub(crate) struct Room<S> {
    queue: Mutex<Queue<Waiter<S>>>,
    waiting: AtomicUsize,
    joined: AtomicU64,
}

struct Waiter<S> {
    suits: Suits<S>,
    call: oneshot::Sender<Called<S>>,
}

/// One request's place in the queue; dropping it leaves.
#[derive(Debug)]
pub(crate) struct Place<S> {
    room: Arc<Room<S>>,
    key: u64,
    ticket: Ticket,
    call: oneshot::Receiver<Called<S>>,
}

// === impl Room ===

impl<S> Room<S> {
    /// A room for `len_max` waiting requests.
    pub(crate) fn new(len_max: usize) -> Self {
        Self {
            queue: Mutex::new(Queue::new(len_max)),
            waiting: AtomicUsize::new(0),
            joined: AtomicU64::new(0),
        }
    }

    /// Requests that wait now.
    pub(crate) fn waiting(&self) -> usize {
        self.waiting.load(SeqCst)
    }

    /// Requests that have ever waited. Who finds it changed looks again: see [`Self::offer`].
    pub(crate) fn joined(&self) -> u64 {
        self.joined.load(SeqCst)
    }

    /// Another limit from now on; who waits already stays.
    pub(crate) fn resize(&self, len_max: usize) {
        self.queue.lock().resize(len_max);
    }

    /// Waits for a place that `suits`. `key` says whose request it is: keys take turns.
    ///
    /// A place that became free just before is not seen: look for one again after this returns.
    pub(crate) fn join(
        self: &Arc<Self>,
        key: u64,
        suits: impl Fn(&S) -> bool + Send + 'static,
    ) -> Result<Place<S>, Full> {
        let (call, called) = oneshot::channel();
        let waiter = Waiter {
            suits: Box::new(suits),
            call,
        };
        let mut queue = self.queue.lock();
        let (ticket, displaced) = queue.join(key, waiter)?;
        self.waiting.store(queue.len(), SeqCst);
        self.joined.fetch_add(1, SeqCst);
        drop(queue);
        if let Some(waiter) = displaced {
            // It may have left by itself just now.
            let _left = waiter.call.send(Called::Out).is_err();
        }
        Ok(Place {
            room: Arc::clone(self),
            key,
            ticket,
            call: called,
        })
    }

    /// Gives a place to the waiter whose turn it is among those that it suits; gives it back when there is
    /// none. Wakes one waiter at most.
    pub(crate) fn offer(&self, mut place: S) -> Result<(), S> {
        loop {
            let mut queue = self.queue.lock();
            let waiter = queue.next(|waiter| (waiter.suits)(&place));
            self.waiting.store(queue.len(), SeqCst);
            drop(queue);
            let Some(waiter) = waiter else {
                return Err(place);
            };
            match waiter.call.send(Called::In(place)) {
                Ok(()) => return Ok(()),
                // It left in this moment: the next one gets it.
                Err(Called::In(refused)) => place = refused,
                Err(Called::Out) => return Ok(()),
            }
        }
    }
}

impl<S> fmt::Debug for Waiter<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Waiter")
    }
}

// === impl Place ===

impl<S> Place<S> {
    /// Waits until it is this request's turn. May be dropped and called again.
    pub(crate) async fn called(&mut self) -> Called<S> {
        // The sender is dropped only with the room or by `leave`, which takes the place along.
        (&mut self.call).await.unwrap_or(Called::Out)
    }
}

impl<S> Drop for Place<S> {
    fn drop(&mut self) {
        let mut queue = self.room.queue.lock();
        let waiter = queue.leave(self.key, self.ticket);
        self.room.waiting.store(queue.len(), SeqCst);
        drop(queue);
        drop(waiter);
    }
}

#[cfg(test)]
mod tests;
