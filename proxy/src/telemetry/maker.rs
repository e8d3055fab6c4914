//! Makes metrics and registers each as it is made, under the project's prefix.

use std::cell::RefCell;

use prometheus::core::{Collector, Desc};
use prometheus::{
    Gauge, Histogram, HistogramOpts, HistogramVec, IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Opts,
    Registry,
};

use super::books::Books;

/// Names, labels and buckets are constants of this folder, each used once: a mistake ends the first start and
/// every test, never a request.
const CONSTANT: &str = "names and labels are constants of this folder, each used once";

/// The registry that metrics are made in, and what is made as it is made: a registry shows only those that
/// have a value already.
#[derive(Debug, Default)]
pub(super) struct Maker {
    pub(super) registry: Registry,
    pub(super) made: RefCell<Vec<Desc>>,
}

// === impl Maker ===

impl Maker {
    pub(super) fn histograms(
        &self,
        name: &str,
        help: &str,
        labels: &[&str],
        buckets: &[f64],
    ) -> HistogramVec {
        let options = HistogramOpts::new(format!("streamgauge_{name}"), help).buckets(buckets.to_vec());
        self.keep(HistogramVec::new(options, labels).expect(CONSTANT))
    }

    pub(super) fn histogram(&self, name: &str, help: &str, buckets: &[f64]) -> Histogram {
        let options = HistogramOpts::new(format!("streamgauge_{name}"), help).buckets(buckets.to_vec());
        self.keep(Histogram::with_opts(options).expect(CONSTANT))
    }

    pub(super) fn counters(&self, name: &str, help: &str, labels: &[&str]) -> IntCounterVec {
        let options = Opts::new(format!("streamgauge_{name}"), help);
        self.keep(IntCounterVec::new(options, labels).expect(CONSTANT))
    }

    pub(super) fn counter(&self, name: &str, help: &str) -> IntCounter {
        self.keep(IntCounter::new(format!("streamgauge_{name}"), help).expect(CONSTANT))
    }

    pub(super) fn gauges(&self, name: &str, help: &str, labels: &[&str]) -> IntGaugeVec {
        let options = Opts::new(format!("streamgauge_{name}"), help);
        self.keep(IntGaugeVec::new(options, labels).expect(CONSTANT))
    }

    pub(super) fn gauge(&self, name: &str, help: &str) -> IntGauge {
        self.keep(IntGauge::new(format!("streamgauge_{name}"), help).expect(CONSTANT))
    }

    /// A gauge that is no whole number.
    pub(super) fn number(&self, name: &str, help: &str) -> Gauge {
        self.keep(Gauge::new(format!("streamgauge_{name}"), help).expect(CONSTANT))
    }

    /// What became of every record.
    pub(super) fn books(&self) -> Books {
        self.keep(Books::new().expect(CONSTANT))
    }

    fn keep<C: Collector + Clone + 'static>(&self, collector: C) -> C {
        self.made
            .borrow_mut()
            .extend(collector.desc().into_iter().cloned());
        self.registry
            .register(Box::new(collector.clone()))
            .expect(CONSTANT);
        collector
    }
}
