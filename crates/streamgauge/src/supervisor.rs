//! `up`: one supervisor, two children of the same executable.
//!
//! The supervisor owns the listening sockets and never accepts on them: it hands them to each proxy it
//! starts. A crashed proxy leaves its waiting clients in the backlog of a socket that lives on; a replaced
//! one overlaps with its successor. `docs/adr/0001-two-processes-one-binary.md` says why.

mod backoff;
mod banner;
mod child;
mod gate;
mod keeper;
mod launch;
mod lines;
mod probe;
mod run;
mod sockets;

pub(crate) use run::up;
