//! A simulated vLLM replica, a scripted upstream, and a load generator: for the demo, the tests and the
//! benches.
//!
//! [`Simulator`] answers like vLLM 0.33 does, down to the bytes, with chosen delays and faults. It stands on
//! raw TCP, because an HTTP server library would hide what the faults are made of. [`Scripted`] plays fixed
//! bytes. [`load`] is the client side. [`run`] is `streamgauge simulate`.
//!
//! A request can choose what happens to it, with headers that a proxy passes through:
//!
//! | header | meaning |
//! |---|---|
//! | `x-request-id: abc` | the answer's id is `chatcmpl-abc`; all its chance comes from seed and id |
//! | `x-sim-ttft-ms: 12.5` | exactly this prefill time |
//! | `x-sim-itl-ms: 3` | exactly this time between tokens |
//! | `x-sim-tokens: 7` | exactly this many completion tokens of each choice, whatever `max_tokens` says |
//! | `x-sim-fault: split,cut=3` | these faults, see [`Fault`] |
//!
//! A model name may carry faults too, as in `sim-model#cut=3`, for clients that cannot set headers. One token
//! of a prompt is four bytes of its JSON text (`messages`, `prompt` or `input` as they stand in the body).

mod args;
mod ask;
mod cache;
mod clock;
mod emit;
mod exposition;
mod fault;
mod generate;
pub mod load;
mod past;
mod replica;
mod routes;
mod run;
mod scripted;
mod server;
mod settings;
mod shape;
mod stats;
mod wire;
mod words;

pub use args::{Args, ArgsError};
pub use fault::{Fault, FaultRate, parse_faults};
pub use past::{Past, PastSettings};
pub use run::{run, run_until};
pub use scripted::{Scripted, Step};
pub use server::Simulator;
pub use settings::{Settings, TokenRange};
pub use stats::{ABORTS_KEPT, Stats, WaitError, wait_until};
pub use wire::Received;
