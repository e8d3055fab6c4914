//! The simulator over real sockets: one test binary, so that the client is built and checked once.

mod client;
mod faults;
mod load;
mod scripts;
mod streams;
