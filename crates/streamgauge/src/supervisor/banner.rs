//! What `up` says when everything serves: where, in front of what, and where to look.

use std::fmt::Write;
use std::net::SocketAddr;

use super::launch::reachable;
use super::probe::Probe;
use crate::cli::VERSION;
use crate::config::Config;

/// One replica's answer to the question for its models, or why there is none.
pub(super) type Answer = (String, Result<Vec<String>, String>);

/// Asks all replicas at once which models they serve.
pub(super) async fn ask_replicas(probe: &Probe, config: &Config) -> Vec<Answer> {
    let pools = config.proxy.pools.iter();
    let asked: Vec<_> = pools
        .flat_map(|pool| pool.replicas.iter().map(|replica| (replica, &pool.upstream_key)))
        .map(|(replica, key)| {
            let (probe, key, url) = (probe.clone(), key.clone(), replica.url.clone());
            tokio::spawn(async move {
                let models = probe.models(&url, key.as_deref()).await;
                (url, models)
            })
        })
        .collect();
    let mut answers = Vec::new();
    for answer in asked {
        // A question that panicked is left out; it is not the replica's fault.
        answers.extend(answer.await);
    }
    answers
}

/// The block of lines, ending with a line end.
pub(super) fn banner(config: &Config, answers: &[Answer]) -> String {
    let mut text = format!("streamgauge {VERSION}\n");
    for listen in &config.proxy.listen {
        let _ = writeln!(text, "  proxy      {listen}   clients use {}/v1", url(listen));
    }
    let api = url(&config.metrics_api.listen.to_string());
    let ops = url(&config.proxy.ops_listen);
    let _ = writeln!(text, "  dashboard  {api}/");
    let _ = writeln!(
        text,
        "  metrics    {api}/metrics   this proxy alone: {ops}/metrics"
    );
    let _ = writeln!(text, "  ledger     {}", ledger::masked_url(&config.proxy.ledger));
    let alive = answers.iter().filter(|(_, models)| models.is_ok()).count();
    let verb = if alive == 1 { "answers" } else { "answer" };
    let _ = writeln!(text, "  replicas   {alive} of {} {verb}", answers.len());
    for (url, models) in answers {
        let _ = match models {
            Ok(models) if models.is_empty() => writeln!(text, "    {url}   up, lists no model"),
            Ok(models) => writeln!(text, "    {url}   up, {}", models.join(", ")),
            Err(reason) => writeln!(text, "    {url}   DOWN, {reason}"),
        };
    }
    for source in config.proxy.pools.iter().flat_map(|pool| &pool.discover) {
        let _ = writeln!(text, "    and those from {source}");
    }
    text
}

fn url(listen: &str) -> String {
    match listen.parse::<SocketAddr>() {
        Ok(address) => format!("http://{}", reachable(address)),
        Err(_) => format!("http://{listen}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Environment, Flags, load};

    #[test]
    fn the_block_says_where_and_in_front_of_what() {
        let config = load(None, &Environment::default(), &Flags::default()).unwrap();
        let answers = vec![
            (
                "http://a:1".to_owned(),
                Ok(vec!["llama".to_owned(), "adapter".to_owned()]),
            ),
            ("http://b:2".to_owned(), Err("connection refused".to_owned())),
        ];
        let text = banner(&config, &answers);
        for line in [
            "  proxy      0.0.0.0:8001   clients use http://127.0.0.1:8001/v1",
            "  dashboard  http://127.0.0.1:8002/",
            "  replicas   1 of 2 answers",
            "    http://a:1   up, llama, adapter",
            "    http://b:2   DOWN, connection refused",
        ] {
            assert!(
                text.lines().any(|found| found == line),
                "`{line}` is missing in:\n{text}"
            );
        }
    }
}
