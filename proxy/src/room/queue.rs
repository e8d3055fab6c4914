//! The order of waiting: one line for each key, and the lines take turns. No tasks, no time.

use std::collections::{HashMap, VecDeque};

/// A waiter's number; never given twice.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Ticket(u64);

/// Why nobody else may wait.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Full {
    /// The room is full, and this key has the most requests in it.
    Key,
    /// The room is full, and no key has more in it than its share.
    Pool,
}

/// Waiters in lines.
#[derive(Debug)]
pub(crate) struct Queue<T> {
    len_max: usize,
    len: usize,
    lines: HashMap<u64, VecDeque<(Ticket, T)>>,
    /// The keys with a line, in the order of their turns.
    turns: VecDeque<u64>,
    tickets: u64,
}

// === impl Queue ===

impl<T> Queue<T> {
    pub(crate) fn new(len_max: usize) -> Self {
        Self {
            len_max,
            len: 0,
            lines: HashMap::new(),
            turns: VecDeque::new(),
            tickets: 0,
        }
    }

    pub(crate) const fn len(&self) -> usize {
        self.len
    }

    pub(crate) const fn resize(&mut self, len_max: usize) {
        self.len_max = len_max;
    }

    /// Adds a waiter to the line of its key. When the queue is full, the last waiter of the longest line has
    /// to go for it; no key can shut another one out.
    pub(crate) fn join(&mut self, key: u64, waiter: T) -> Result<(Ticket, Option<T>), Full> {
        let displaced = if self.len < self.len_max {
            None
        } else {
            Some(self.displace(key)?)
        };
        self.tickets += 1;
        let ticket = Ticket(self.tickets);
        let line = self.lines.entry(key).or_default();
        if line.is_empty() {
            self.turns.push_back(key);
        }
        line.push_back((ticket, waiter));
        self.len += 1;
        Ok((ticket, displaced))
    }

    /// Takes the waiter whose turn it is among those that `fits` accepts. Its key goes to the end of the
    /// turns; a key none of whose waiters fits keeps its turn.
    pub(crate) fn next(&mut self, mut fits: impl FnMut(&T) -> bool) -> Option<T> {
        for turn in 0..self.turns.len() {
            let key = *self.turns.get(turn)?;
            let line = self.lines.get_mut(&key)?;
            let Some(place) = line.iter().position(|(_, waiter)| fits(waiter)) else {
                continue;
            };
            let (_, waiter) = line.remove(place)?;
            self.len -= 1;
            self.turns.remove(turn);
            if line.is_empty() {
                self.lines.remove(&key);
            } else {
                self.turns.push_back(key);
            }
            return Some(waiter);
        }
        None
    }

    /// Takes a waiter out; `None` when it was called before.
    pub(crate) fn leave(&mut self, key: u64, ticket: Ticket) -> Option<T> {
        let line = self.lines.get_mut(&key)?;
        let place = line.iter().position(|(own, _)| *own == ticket)?;
        let (_, waiter) = line.remove(place)?;
        self.len -= 1;
        if line.is_empty() {
            self.close(key);
        }
        Some(waiter)
    }

    /// The last waiter of the longest line, if that line is longer than the one of `key` would become.
    fn displace(&mut self, key: u64) -> Result<T, Full> {
        let own = self.lines.get(&key).map_or(0, VecDeque::len);
        let longest = self.lines.iter().max_by_key(|(_, line)| line.len());
        let Some((&longest, len)) = longest.map(|(key, line)| (key, line.len())) else {
            return Err(Full::Pool);
        };
        if len <= own + 1 {
            let alone = self.lines.len() == 1 && own == len;
            return Err(if alone || own == 0 { Full::Pool } else { Full::Key });
        }
        let line = self.lines.get_mut(&longest).ok_or(Full::Pool)?;
        let (_, waiter) = line.pop_back().ok_or(Full::Pool)?;
        self.len -= 1;
        if line.is_empty() {
            self.close(longest);
        }
        Ok(waiter)
    }

    fn close(&mut self, key: u64) {
        self.lines.remove(&key);
        self.turns.retain(|other| *other != key);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn order(queue: &mut Queue<&'static str>) -> Vec<&'static str> {
        std::iter::from_fn(|| queue.next(|_| true)).collect()
    }

    fn full(queue: &mut Queue<&'static str>, key: u64) -> Full {
        queue.join(key, "one too many").unwrap_err()
    }

    #[test]
    fn keys_take_turns_whatever_their_lines() {
        let mut queue = Queue::new(10);
        for waiter in ["a1", "a2", "a3", "a4"] {
            queue.join(1, waiter).unwrap();
        }
        for (key, waiter) in [(2, "b1"), (3, "c1"), (2, "b2")] {
            queue.join(key, waiter).unwrap();
        }
        assert_eq!(order(&mut queue), ["a1", "b1", "c1", "a2", "b2", "a3", "a4"]);
        assert_eq!(queue.len(), 0);
        assert!(
            queue.lines.is_empty() && queue.turns.is_empty(),
            "nothing is left behind"
        );
    }

    #[test]
    fn whoever_leaves_is_not_called_and_its_line_goes_with_the_last() {
        let mut queue = Queue::new(10);
        let (first, _) = queue.join(1, "a1").unwrap();
        queue.join(2, "b1").unwrap();
        assert_eq!(queue.leave(1, first), Some("a1"));
        assert_eq!(queue.leave(1, first), None, "once");
        assert_eq!(order(&mut queue), ["b1"]);
        assert!(queue.lines.is_empty() && queue.turns.is_empty());
    }

    #[test]
    fn a_place_that_fits_others_keeps_nobody_from_it() {
        let mut queue = Queue::new(10);
        for (key, waiter) in [(1, "x1"), (1, "y1"), (2, "y2"), (1, "y3")] {
            queue.join(key, waiter).unwrap();
        }
        let mut y = || queue.next(|waiter| waiter.starts_with('y'));
        assert_eq!([y(), y(), y(), y()], [Some("y1"), Some("y2"), Some("y3"), None]);
        assert_eq!(order(&mut queue), ["x1"]);
    }

    #[test]
    fn in_a_full_room_the_longest_line_makes_place() {
        let mut queue = Queue::new(4);
        for waiter in ["a1", "a2", "a3", "a4"] {
            queue.join(1, waiter).unwrap();
        }
        assert_eq!(full(&mut queue, 1), Full::Pool, "there is only one key");
        assert_eq!(queue.join(2, "b1").unwrap().1, Some("a4"));
        assert_eq!(queue.join(2, "b2").unwrap().1, Some("a3"));
        assert_eq!(full(&mut queue, 2), Full::Key, "both have two");
        assert_eq!(full(&mut queue, 1), Full::Key);
        assert_eq!(queue.join(3, "c1").unwrap().1.map(str::len), Some(2));
        assert_eq!(queue.len(), 4);
    }

    #[test]
    fn a_room_without_places_takes_nobody() {
        let mut queue = Queue::new(0);
        assert_eq!(full(&mut queue, 1), Full::Pool);
        queue.resize(1);
        assert!(queue.join(1, "a").is_ok());
        assert_eq!(full(&mut queue, 2), Full::Pool, "one each is nobody's fault");
    }
}
