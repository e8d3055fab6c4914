//! Counters of requests, answers and attempts.

use prometheus::{IntCounter, IntCounterVec};
use record::{Endpoint, FinishReason, Flags, MetricRecord, Outcome};

use super::maker::Maker;
use super::series::Found;

/// What came, and how it ended.
#[derive(Debug)]
pub(crate) struct Traffic {
    requests: IntCounterVec,
    success: IntCounterVec,
    responses: IntCounterVec,
    parse_errors: IntCounterVec,
    pub(crate) refused: IntCounterVec,
    pub(crate) upstream_errors: IntCounterVec,
    pub(crate) retries: IntCounterVec,
}

/// The counters of one model.
#[derive(Debug, Default)]
pub(super) struct ModelTraffic {
    requests: Found<(Endpoint, &'static str, Outcome), IntCounter>,
    success: Found<Option<FinishReason>, IntCounter>,
}

/// The counters of answers by endpoint and status.
pub(super) type Answers = Found<(Endpoint, u16), IntCounter>;

// === impl Traffic ===

impl Traffic {
    pub(super) fn new(make: &Maker) -> Self {
        Self {
            requests: make.counters(
                "requests_total",
                "Every request, once, by how it ended.",
                &["model_name", "endpoint", "stream", "outcome"],
            ),
            success: make.counters(
                "request_success_total",
                "Successful requests by finish reason; `none` for answers without one.",
                &["model_name", "finished_reason"],
            ),
            responses: make.counters(
                "http_responses_total",
                "Answers by the status that went to the client.",
                &["endpoint", "code"],
            ),
            parse_errors: make.counters(
                "parse_errors_total",
                "Answers that could not be read, or not whole, by kind.",
                &["kind"],
            ),
            refused: make.counters(
                "connections_refused_total",
                "Connections that ended with a refusal before there was a request, and so without a record.",
                &["reason"],
            ),
            upstream_errors: make.counters(
                "upstream_errors_total",
                "Failed attempts by replica and kind.",
                &["replica", "kind"],
            ),
            retries: make.counters(
                "retries_total",
                "Attempts after the first, by the replica that failed before and the reason.",
                &["replica", "reason"],
            ),
        }
    }

    /// A replica's success was in none of the formats that we read.
    pub(crate) fn answered_in_no_dialect(&self) {
        self.parse_errors.with_label_values(&["unknown_dialect"]).inc();
    }

    pub(super) fn observe(&self, record: &MetricRecord, model: &str, found: &mut ModelTraffic) {
        let (endpoint, stream, outcome) = (record.endpoint, stream_label(record), record.outcome);
        let labels = [model, endpoint.as_str(), stream, outcome.as_str()];
        let requests = || self.requests.with_label_values(&labels);
        found.requests.get((endpoint, stream, outcome), requests).inc();
        if outcome == Outcome::Success {
            let reason = record.finish_reason.map_or("none", FinishReason::as_str);
            let success = || self.success.with_label_values(&[model, reason]);
            found.success.get(record.finish_reason, success).inc();
        }
    }

    pub(super) fn observe_answer(&self, record: &MetricRecord, found: &mut Answers) {
        if let Some(status) = record.status {
            let endpoint = record.endpoint;
            let responses = || {
                self.responses
                    .with_label_values(&[endpoint.as_str(), &status.to_string()])
            };
            found.get((endpoint, status), responses).inc();
        }
        for (flag, kind) in [
            (Flags::PARSE_ERROR, "json"),
            (Flags::LINE_TOO_LONG, "line_too_long"),
            (Flags::COMPRESSED, "compressed"),
        ] {
            if record.flags.contains(flag) {
                self.parse_errors.with_label_values(&[kind]).inc();
            }
        }
    }
}

/// Whether a stream was asked for, as a label.
pub(super) const fn stream_label(record: &MetricRecord) -> &'static str {
    match record.shape.stream {
        Some(true) => "true",
        Some(false) => "false",
        None => "unknown",
    }
}
