//! Which replica gets a request: pure policies, without Pingora, clock or sockets.
//!
//! A caller describes the request ([`Request`], with the hashes of its prompt from [`ChainHasher`]) and the
//! replicas that may take it ([`Candidate`]), and [`Balancer::choose`] answers with one of them and the
//! reason. [`Balancer::dispatch`] then counts the request in the replica's [`Load`] until the guard it gives
//! back is dropped. [`Balancer::finished`] takes what the replica reported, so that predictions get better.
//!
//! Each policy is one small file behind one trait (`chooser.rs`). All chance comes from a seed ([`Random`]),
//! so that the fleet simulation and the tests replay the very decisions of the proxy.

mod balancer;
mod calibration;
mod candidate;
mod chain;
mod chooser;
mod cost;
mod index;
mod least_work;
mod load;
mod prefix;
mod random;
mod random_two;
mod round_robin;
mod session;
mod slots;
mod trust;

pub use balancer::{Balancer, BalancerSettings, Seat};
pub use candidate::{Candidate, Scraped};
pub use chain::{BLOCKS_MAX, ChainHasher, Prompt, name_hash};
pub use chooser::{Choice, Request};
pub use index::{BlockMap, PrefixIndex, Unhashed};
pub use load::{Dispatched, Load};
pub use random::Random;
pub use slots::Slot;
