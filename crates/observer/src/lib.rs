//! Reads LLM traffic without touching it.
//!
//! Sans-IO: bytes and instants in, an [`Observation`] out. No socket, no clock, no task; everything that is
//! hard about TTFT, usage and truncated streams is a table of bytes here and can be tested at every cut.
//!
//! - [`ObservedStream`] watches a streamed answer and takes out the usage chunk that only we asked for.
//! - [`ObservedBody`] watches an answer that is one JSON body.
//! - [`RequestFacts`] are the few fields of a request body that routing and the record need.
//! - [`outcome`] decides how a request ended.
//!
//! The definitions of all figures stand in `docs/metrics.md`.

mod body;
mod clock;
mod dialect;
mod json;
mod observation;
mod request;
mod sse;
mod stream;
mod strip;
mod usage;

pub use body::ObservedBody;
pub use clock::STALL;
pub use observation::{End, Ending, Observation, Sent, outcome};
pub use request::{BodyError, Claims, RequestFacts, Splice, UsageAsked, UsageStrip, UsageWanted, apply_all};
pub use sse::{EVENT_LEN_MAX, Event, Framer, Framing};
pub use stream::{ObservedStream, StreamKind};
pub use strip::Forward;
