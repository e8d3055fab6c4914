//! Prometheus text for a whole fleet, made from the registries that the live proxies put into their pulses.
//!
//! Counters and histograms are passed on as the proxies counted them, each series under its proxy's name:
//! they are never computed from rows, so pruning the ledger resets nothing.

use std::collections::BTreeMap;
use std::time::Duration;

use prometheus::proto::{Gauge, LabelPair, Metric, MetricFamily, MetricType};
use prometheus::{Encoder, TextEncoder};
use protobuf::CodedInputStream;
use record::{Pulse, UnixMillis};

/// A pulse older than this speaks no longer for the present.
/// Why this number: proxies write one a second, so fifteen were missed, and a scrape every 15 s still sees
/// each.
pub(crate) const STALE_AFTER: Duration = Duration::from_secs(15);

/// A proxy whose pulse is older than this is no longer listed: it was replaced, under another name.
const FORGOTTEN_AFTER: Duration = Duration::from_secs(3_600);

/// The label that tells the proxies of a fleet apart.
const PROXY_LABEL: &str = "proxy";

/// Whether a pulse speaks for the present.
pub(crate) fn is_fresh(pulse: &Pulse, now: UnixMillis) -> bool {
    pulse.at.age_at(now) <= STALE_AFTER
}

/// Whether a proxy was there so lately that its absence is news.
pub(crate) fn is_remembered(pulse: &Pulse, now: UnixMillis) -> bool {
    pulse.at.age_at(now) <= FORGOTTEN_AFTER
}

/// Reads length-delimited protobuf, as `prometheus::ProtobufEncoder` writes it.
///
/// # Errors
/// When the bytes are none or are cut.
pub(crate) fn decode(bytes: &[u8]) -> Result<Vec<MetricFamily>, protobuf::Error> {
    let mut input = CodedInputStream::from_bytes(bytes);
    let mut families = Vec::new();
    while !input.eof()? {
        families.push(input.read_message::<MetricFamily>()?);
    }
    Ok(families)
}

/// The text for one scrape. `pulses` is `None` when the ledger could not be read.
///
/// # Errors
/// When the encoder refuses a family, which the checks in here prevent.
pub(crate) fn text(pulses: Option<&[Pulse]>, now: UnixMillis) -> Result<Vec<u8>, prometheus::Error> {
    let mut merged = Merged::default();
    merged.gauge(
        "streamgauge_api_build_info",
        "Version of the process that answers this scrape; always 1.",
        &[("version", env!("CARGO_PKG_VERSION"))],
        1.0,
    );
    merged.gauge(
        "streamgauge_api_ledger_up",
        "Whether the ledger could be read for this scrape. When 0, the series of all proxies are missing.",
        &[],
        if pulses.is_some() { 1.0 } else { 0.0 },
    );
    let remembered = |pulse: &&Pulse| is_remembered(pulse, now);
    for pulse in pulses.unwrap_or_default().iter().filter(remembered) {
        merged.pulse(pulse, now);
    }
    merged.encode()
}

/// The families of all proxies, one per name.
#[derive(Debug, Default)]
struct Merged(BTreeMap<String, MetricFamily>);

// === impl Merged ===

impl Merged {
    fn pulse(&mut self, pulse: &Pulse, now: UnixMillis) {
        let proxy = [(PROXY_LABEL, &*pulse.instance)];
        self.gauge(
            "streamgauge_pulse_age_seconds",
            "Age of a proxy's last pulse. Above 15 the proxy is stale and its other series are left out.",
            &proxy,
            pulse.at.age_at(now).as_secs_f64(),
        );
        if !is_fresh(pulse, now) {
            return;
        }
        let decoded = decode(&pulse.families);
        self.gauge(
            "streamgauge_pulse_readable",
            "Whether the registry in a fresh pulse could be decoded. When 0, the proxy's series are missing.",
            &proxy,
            if decoded.is_ok() { 1.0 } else { 0.0 },
        );
        match decoded {
            Ok(families) => families
                .into_iter()
                .for_each(|family| self.family(family, &pulse.instance)),
            Err(error) => {
                tracing::warn!(proxy = %pulse.instance, %error, "cannot decode the registry in a pulse");
            }
        }
    }

    /// Adds the series of one proxy.
    fn family(&mut self, mut family: MetricFamily, proxy: &str) {
        for metric in &mut family.metric {
            name_proxy(metric, proxy);
        }
        let name = family.name().to_owned();
        // A family without a name or a series is refused by the encoder, and would take the scrape with it.
        if name.is_empty() || family.metric.is_empty() {
            return;
        }
        let Some(merged) = self.0.get_mut(&name) else {
            self.0.insert(name, family);
            return;
        };
        // While a fleet is upgraded, two versions may give one name two types. One exposition can hold only
        // one.
        if merged.type_() == family.type_() {
            merged.metric.append(&mut family.metric);
        } else {
            tracing::warn!(
                proxy,
                metric = name,
                "two proxies give one metric different types; left out"
            );
        }
    }

    /// Adds a series of our own.
    fn gauge(&mut self, name: &str, help: &str, labels: &[(&str, &str)], value: f64) {
        let mut gauge = Gauge::default();
        gauge.set_value(value);
        let mut metric = Metric::from_gauge(gauge);
        metric.set_label(labels.iter().map(|(name, value)| label(name, value)).collect());
        let family = self.0.entry(name.to_owned()).or_insert_with(|| {
            let mut family = MetricFamily::default();
            family.set_name(name.to_owned());
            family.set_help(help.to_owned());
            family.set_field_type(MetricType::GAUGE);
            family
        });
        family.metric.push(metric);
    }

    fn encode(self) -> Result<Vec<u8>, prometheus::Error> {
        let families: Vec<MetricFamily> = self.0.into_values().collect();
        let mut text = Vec::new();
        TextEncoder::new().encode(&families, &mut text)?;
        Ok(text)
    }
}

/// Puts the proxy's name among a series' labels, in place of any other of that name.
fn name_proxy(metric: &mut Metric, proxy: &str) {
    let mut labels = metric.take_label();
    labels.retain(|label| label.name() != PROXY_LABEL);
    labels.push(label(PROXY_LABEL, proxy));
    labels.sort_by(|left, right| left.name().cmp(right.name()));
    metric.set_label(labels);
}

fn label(name: &str, value: &str) -> LabelPair {
    let mut pair = LabelPair::default();
    pair.set_name(name.to_owned());
    pair.set_value(value.to_owned());
    pair
}

#[cfg(test)]
mod tests;
