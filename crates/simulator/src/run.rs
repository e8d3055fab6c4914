//! `streamgauge simulate`: serves the replicas, sends the load, or both, and says so.

use std::io::{self, Write};

use anyhow::Context;

use crate::args::Args;
use crate::load::{Summary, compare, drive};
use crate::server::Simulator;
use crate::settings::Settings;

/// Runs until SIGINT or SIGTERM, or until the load has been sent when there are no replicas to serve. Says
/// what happens on the standard output.
///
/// # Errors
/// When a port cannot be listened on, or the server to drive cannot be reached.
pub async fn run(args: Args) -> anyhow::Result<()> {
    run_until(args, &mut io::stdout(), stop_signal()).await
}

/// Like [`run`], with its own writer and its own end.
///
/// # Errors
/// As for [`run`], and when the writer fails.
pub async fn run_until(
    args: Args,
    out: &mut (impl Write + Send),
    stop: impl Future<Output = ()>,
) -> anyhow::Result<()> {
    let mut replicas = Vec::new();
    for settings in args.replicas()? {
        replicas.push(serve(settings, out).await?);
    }
    let mut stop = std::pin::pin!(stop);
    match args.load() {
        Some(load) => {
            writeln!(out, "sending requests to {}", load.target)?;
            out.flush()?;
            let progress = |summary: &Summary| {
                // A broken pipe must not end the load: the replicas may still be of use to somebody.
                let _ = writeln!(out, "{}", one_line(summary)).and_then(|()| out.flush());
            };
            let mut stopped = false;
            let watched = async {
                (&mut stop).await;
                stopped = true;
            };
            let summary = drive(load, watched, progress).await?;
            write!(out, "{summary}")?;
            if let Some(path) = &args.ids {
                let mut ids = summary.whole_ids.join("\n");
                ids.push_str(if ids.is_empty() { "" } else { "\n" });
                std::fs::write(path, ids).with_context(|| format!("cannot write `{}`", path.display()))?;
            }
            if let Some(api) = &args.compare {
                write!(out, "{}", compare(api, &summary.times).await?)?;
            }
            out.flush()?;
            if !stopped && !replicas.is_empty() {
                stop.await;
            }
        }
        None => stop.await,
    }
    for replica in replicas {
        replica.stop().await;
    }
    Ok(())
}

async fn serve(settings: Settings, out: &mut (impl Write + Send)) -> anyhow::Result<Simulator> {
    let listen = settings.listen;
    let models = settings.models.join(", ");
    let replica = match Simulator::start(settings).await {
        Ok(replica) => replica,
        Err(error) if error.kind() == io::ErrorKind::AddrInUse => {
            anyhow::bail!("{listen} is in use by another process; stop it or choose another --port")
        }
        Err(error) => {
            return Err(error).with_context(|| format!("cannot listen on {listen} for a simulated replica"));
        }
    };
    writeln!(out, "simulated replica on {} serves {models}", replica.url())?;
    out.flush()?;
    Ok(replica)
}

fn one_line(summary: &Summary) -> String {
    let ms = |times: Option<crate::load::Percentiles>| {
        times.map_or_else(|| "-".to_owned(), |times| format!("{}", times.p50.as_millis()))
    };
    format!(
        "{} requests, {} whole, {} aborted, {} broken; median TTFT {} ms, end to end {} ms",
        summary.requests,
        summary.whole,
        summary.aborted,
        summary.broken,
        ms(summary.ttft()),
        ms(summary.e2e()),
    )
}

/// Waits for SIGINT or SIGTERM.
async fn stop_signal() {
    use tokio::signal::unix::{SignalKind, signal};
    match (signal(SignalKind::interrupt()), signal(SignalKind::terminate())) {
        (Ok(mut interrupt), Ok(mut terminate)) => {
            tokio::select! {
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
            }
        }
        // Without handlers the signals' own action ends the process.
        _ => std::future::pending().await,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    #[derive(Parser)]
    struct Cli {
        #[command(flatten)]
        args: Args,
    }

    #[tokio::test]
    async fn a_port_in_use_is_named_with_the_way_out() {
        let taken = Simulator::start(Settings::default()).await.unwrap();
        let port = taken.addr().port().to_string();
        let args = Cli::try_parse_from(["simulate", "--port", &port]).unwrap().args;
        let error = run_until(args, &mut Vec::new(), std::future::ready(()))
            .await
            .unwrap_err();
        let text = format!("{error:#}");
        assert!(text.contains(&port) && text.contains("--port"), "{text}");
    }

    #[tokio::test]
    async fn load_alone_ends_by_itself_with_a_summary() {
        let replica = Simulator::start(Settings::default()).await.unwrap();
        let url = replica.url();
        let folder = tempfile::tempdir().unwrap();
        let ids = folder.path().join("ids");
        let numbers = ["--requests", "25", "--abort-rate", "0", "--mistake-rate", "0"];
        let line = ["simulate", "--drive", &url, "--ids", ids.to_str().unwrap()];
        let line = line.into_iter().chain(numbers);
        let args = Cli::try_parse_from(line).unwrap().args;
        let mut out = Vec::new();
        run_until(args, &mut out, std::future::pending()).await.unwrap();
        let text = String::from_utf8(out).unwrap();
        assert!(
            text.contains("25 requests in") && text.contains("25 whole (200: 25)"),
            "{text}"
        );
        let ids = std::fs::read_to_string(ids).unwrap();
        assert_eq!(ids.lines().count(), 25, "one id for each whole answer: {ids}");
        assert_eq!(replica.stats().requests(), 26, "one more asked for the models");
    }
}
