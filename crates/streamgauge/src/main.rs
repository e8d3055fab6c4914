//! streamgauge.
fn main() {}
