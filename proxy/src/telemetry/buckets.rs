//! Bucket limits in seconds or tokens, and where they come from.
//!
//! TTFT and E2E are vLLM's own, so that one query serves both. ITL begins finer than vLLM's 10 ms, which is
//! blind above a hundred tokens a second; E2E begins finer for embeddings.

/// Time to first token and queue times: vLLM's limits, a superset of OpenTelemetry's.
pub(super) const TTFT: [f64; 22] = [
    0.001, 0.005, 0.01, 0.02, 0.04, 0.06, 0.08, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0, 20.0, 40.0,
    80.0, 160.0, 640.0, 2560.0,
];

/// Gaps between tokens and time per output token.
pub(super) const ITL: [f64; 22] = [
    0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5,
    10.0, 20.0, 40.0, 80.0,
];

/// End to end.
pub(super) const E2E: [f64; 26] = [
    0.01, 0.025, 0.05, 0.1, 0.2, 0.3, 0.5, 0.8, 1.0, 1.5, 2.0, 2.5, 5.0, 10.0, 15.0, 20.0, 30.0, 40.0, 50.0,
    60.0, 120.0, 240.0, 480.0, 960.0, 1920.0, 7680.0,
];

/// Tokens of one request: 1-2-5 up to a million.
pub(super) const TOKENS: [f64; 19] = [
    1.0,
    2.0,
    5.0,
    10.0,
    20.0,
    50.0,
    100.0,
    200.0,
    500.0,
    1_000.0,
    2_000.0,
    5_000.0,
    10_000.0,
    20_000.0,
    50_000.0,
    100_000.0,
    200_000.0,
    500_000.0,
    1_000_000.0,
];

/// Time in our own code.
pub(super) const OVERHEAD: [f64; 11] = [
    10e-6, 25e-6, 50e-6, 100e-6, 250e-6, 500e-6, 1e-3, 2.5e-3, 5e-3, 10e-3, 50e-3,
];

/// One batch into the ledger.
pub(super) const WRITE: [f64; 11] = [
    0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 5.0,
];

/// Age of a record at its commit. The writer looks every 0.4 s; half a second is the promise.
pub(super) const AGE: [f64; 12] = [
    0.01, 0.025, 0.05, 0.1, 0.15, 0.2, 0.5, 1.0, 5.0, 30.0, 120.0, 600.0,
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_rise() {
        let all: [&[f64]; 7] = [&TTFT, &ITL, &E2E, &TOKENS, &OVERHEAD, &WRITE, &AGE];
        for limits in all {
            assert!(limits.is_sorted_by(|left, right| left < right), "{limits:?}");
        }
    }
}
