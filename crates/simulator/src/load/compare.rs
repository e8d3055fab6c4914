//! The client's clock against the records: what streamgauge says of a stream, and what its client saw.
//!
//! Both ran on one machine but in two processes, so a difference holds the loopback interface and the time
//! that either waited for a processor. The client's times are the longer ones.

use std::fmt;
use std::time::Duration;

use record::units::duration_ms;
use serde_json::Value;
use thiserror::Error;

use crate::clock;
use crate::load::exchange::Line;
use crate::load::settings::LoadSettings;
use crate::load::summary::Timed;

/// Why nothing could be compared.
#[derive(Debug, Error)]
pub enum CompareError {
    /// The address of the metrics API is not one.
    #[error("{0}")]
    Target(String),
    /// Nothing accepts a connection there.
    #[error("no metrics API answers at `{0}`")]
    Unreachable(String),
}

/// The client's times minus the recorded ones, over all streams with a record.
#[derive(Clone, Debug, Default)]
pub struct Comparison {
    /// Streams whose record was not there in time.
    pub missing: Vec<String>,
    /// Time to first token, in milliseconds.
    pub ttft_ms: Vec<f64>,
    /// Mean gap between arrivals, in milliseconds; only where client and proxy saw as many.
    pub itl_ms: Vec<f64>,
    /// End to end, in milliseconds.
    pub e2e_ms: Vec<f64>,
}

/// How long a record may take to appear: the promise is one second.
const PATIENCE: Duration = Duration::from_secs(5);
/// Time between two looks for a record.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// Looks up the record of each stream.
///
/// # Errors
/// When there is no metrics API.
pub async fn compare(api: &str, times: &[Timed]) -> Result<Comparison, CompareError> {
    let host = LoadSettings::new(api).authority().map_err(CompareError::Target)?;
    let unreachable = || CompareError::Unreachable(api.to_owned());
    let addr = tokio::net::lookup_host(&host)
        .await
        .ok()
        .and_then(|mut addrs| addrs.next())
        .ok_or_else(unreachable)?;
    let mut line = Line::connect(addr).await.map_err(|_| unreachable())?;
    let mut comparison = Comparison::default();
    let give_up = clock::now() + PATIENCE;
    for timed in times {
        let path = format!("/api/v1/requests/{}", timed.id);
        loop {
            match line.json(&host, &path, None).await {
                Some((200, record)) => {
                    comparison.add(timed, &record);
                    break;
                }
                // A record needs a moment; a connection that has ended is no answer.
                None => line = Line::connect(addr).await.map_err(|_| unreachable())?,
                Some(_) => {}
            }
            if clock::now() >= give_up {
                comparison.missing.push(timed.id.clone());
                break;
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }
    Ok(comparison)
}

// === impl Comparison ===

impl Comparison {
    fn add(&mut self, timed: &Timed, record: &Value) {
        let note = |differences: &mut Vec<f64>, client: Option<Duration>, name: &str| {
            if let (Some(client), Some(recorded)) = (client, record[name].as_f64()) {
                differences.push(duration_ms(client) - recorded);
            }
        };
        note(&mut self.ttft_ms, Some(timed.ttft), "ttft_ms");
        note(&mut self.e2e_ms, Some(timed.e2e), "e2e_ms");
        if record["itl_count"].as_u64() == Some(timed.gaps) {
            note(&mut self.itl_ms, timed.itl_mean, "itl_mean_ms");
        }
    }
}

impl fmt::Display for Comparison {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "client's time minus the recorded one; {} streams without a record",
            self.missing.len()
        )?;
        writeln!(
            f,
            "{:<6}{:>9}{:>12}{:>12}{:>12}{:>12}",
            "", "count", "min ms", "p50 ms", "p99 ms", "max ms"
        )?;
        for (name, differences) in [
            ("ttft", &self.ttft_ms),
            ("itl", &self.itl_ms),
            ("e2e", &self.e2e_ms),
        ] {
            let mut sorted = differences.clone();
            sorted.sort_by(f64::total_cmp);
            write!(f, "{name:<6}{:>9}", sorted.len())?;
            for (numerator, denominator) in [(0, 1), (1, 2), (99, 100), (1, 1)] {
                // The nearest rank, so that the largest of few is not averaged away.
                let rank = (sorted.len() * numerator).div_ceil(denominator).max(1) - 1;
                match sorted.get(rank) {
                    Some(difference) => write!(f, "{difference:>12.3}")?,
                    None => write!(f, "{:>12}", "-")?,
                }
            }
            writeln!(f)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn timed(gaps: u64) -> Timed {
        Timed {
            id: "r".to_owned(),
            ttft: Duration::from_millis(101),
            gaps,
            itl_mean: Some(Duration::from_millis(12)),
            e2e: Duration::from_millis(500),
        }
    }

    #[test]
    fn what_both_saw_alike_is_compared() {
        let mut comparison = Comparison::default();
        let record = json!({"ttft_ms": 100.5, "itl_mean_ms": 12.0, "itl_count": 4, "e2e_ms": 499.0});
        comparison.add(&timed(4), &record);
        comparison.add(&timed(3), &record);
        comparison.add(&timed(3), &json!({"ttft_ms": null}));
        assert_eq!(comparison.ttft_ms, [0.5, 0.5]);
        assert_eq!(comparison.itl_ms, [0.0], "other gaps are other figures");
        assert_eq!(comparison.e2e_ms, [1.0, 1.0]);
        let text = comparison.to_string();
        assert!(
            text.contains("ttft          2       0.500       0.500       0.500       0.500"),
            "{text}"
        );
    }

    #[tokio::test]
    async fn an_address_without_an_api_is_named() {
        for api in ["nowhere", "http://127.0.0.1:1"] {
            let error = compare(api, &[]).await.unwrap_err();
            assert!(error.to_string().contains(api), "{error}");
        }
    }
}
