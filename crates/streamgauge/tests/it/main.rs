//! The real binary from outside: between real sockets, with the record that each request leaves, and its own
//! end.

mod attempts;
mod bytes;
mod ends;
mod exchange;
mod ledgers;
mod limits;
mod measures;
mod outcomes;
mod records;
mod reload;
mod secrets;
mod supervisor;
mod up;
