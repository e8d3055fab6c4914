//! The flags of `simulate --fleet`, and its table.

use std::fmt::Write as _;
use std::time::Duration;

use record::Policy;
use record::units::parse_duration;

use crate::fleet::cache_aware::CacheAware;
use crate::fleet::measured::Figures;
use crate::fleet::oracle::Oracle;
use crate::fleet::ours::Ours;
use crate::fleet::replica::Engine;
use crate::fleet::router::Micros;
use crate::fleet::router::Router;
use crate::fleet::run::{Plan, run};
use crate::fleet::scorers::Scorers;
use crate::fleet::workload::Traffic;

/// What the simulated fleet is asked.
#[derive(clap::Args, Clone, Debug)]
#[command(next_help_heading = "Fleet")]
pub(crate) struct FleetArgs {
    /// Compare routing policies over a simulated fleet of --replicas [default: 100], and print a table. No
    /// port is opened, and simulated time does not pass
    #[arg(long, conflicts_with = "drive")]
    pub(crate) fleet: bool,
    /// Applications with a system prompt each; their popularity is Zipf's
    #[arg(
        long,
        value_name = "N",
        requires = "fleet",
        default_value_t = 40,
        value_parser = clap::value_parser!(u32).range(1..=10_000)
    )]
    applications: u32,
    /// New sessions a second for the whole fleet; each has about five turns
    #[arg(
        long,
        value_name = "N",
        requires = "fleet",
        default_value_t = 25,
        value_parser = clap::value_parser!(u32).range(1..=10_000)
    )]
    sessions: u32,
    /// How long sessions arrive, in simulated time. The first fifth is not measured
    #[arg(
        long,
        value_name = "TIME",
        requires = "fleet",
        default_value = "400s",
        value_parser = parse_duration
    )]
    span: Duration,
    /// KV cache of a replica, in tokens
    #[arg(
        long,
        value_name = "TOKENS",
        requires = "fleet",
        default_value_t = 400_000,
        value_parser = clap::value_parser!(u64).range(1_000..)
    )]
    kv_cache: u64,
}

/// Replicas when nothing is said.
const REPLICAS: u16 = 100;

/// Runs every policy over the same traffic, and gives the table.
pub(crate) fn simulate(args: &FleetArgs, replicas: Option<u16>, seed: u64) -> String {
    let plan = Plan {
        replicas: usize::from(replicas.unwrap_or(REPLICAS)),
        engine: Engine {
            kv_tokens: args.kv_cache,
            ..Engine::default()
        },
        traffic: Traffic {
            applications: args.applications,
            sessions_per_second: f64::from(args.sessions),
            seed,
        },
        span: Micros::try_from(args.span.as_micros()).unwrap_or(Micros::MAX),
    };
    let lines: Vec<_> = routers(plan.replicas, seed)
        .into_iter()
        .map(|mut router| (router.name(), run(&plan, router.as_mut()).figures()))
        .collect();
    table(&lines)
}

/// Every policy of ours, those of others, and the oracle.
fn routers(replicas: usize, seed: u64) -> Vec<Box<dyn Router>> {
    let ours = |policy: &Policy| -> Box<dyn Router> { Box::new(Ours::new(*policy, replicas, seed)) };
    let mut routers: Vec<_> = Policy::ALL.iter().map(ours).collect();
    routers.push(Box::new(CacheAware::new(replicas)));
    routers.push(Box::new(Scorers::new(replicas, seed)));
    routers.push(Box::new(Oracle::new(replicas)));
    routers
}

fn table(lines: &[(String, Figures)]) -> String {
    let mut text = String::from(
        "| policy | requests | prefix hit | TTFT mean | p50 | p90 | p99 | max/mean in flight |\n\
         |---|--:|--:|--:|--:|--:|--:|--:|\n",
    );
    for (name, figures) in lines {
        let Figures {
            requests,
            hit_percent,
            ttft_mean,
            ttft_p50,
            ttft_p90,
            ttft_p99,
            spread,
        } = figures;
        // Writing to a string does not fail.
        let _ = writeln!(
            text,
            "| {name} | {requests} | {hit_percent:.1} % | {ttft_mean:.0} ms | {ttft_p50:.0} | {ttft_p90:.0} \
             | {ttft_p99:.0} | {spread:.2} |"
        );
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan() -> Plan {
        Plan {
            replicas: 12,
            engine: Engine::default(),
            traffic: Traffic {
                applications: 20,
                sessions_per_second: 3.0,
                seed: 5,
            },
            span: 60 * crate::fleet::router::SECOND,
        }
    }

    fn figures(router: &mut dyn Router) -> Figures {
        run(&plan(), router).figures()
    }

    #[test]
    fn prefix_beats_what_does_not_know_the_caches_and_comes_near_the_oracle() {
        let prefix = figures(&mut Ours::new(Policy::Prefix, 12, 1));
        let round_robin = figures(&mut Ours::new(Policy::RoundRobin, 12, 1));
        let oracle = figures(&mut Oracle::new(12));
        assert!(prefix.requests > 400, "{prefix:?}");
        assert!(
            prefix.ttft_p99 * 2.0 < round_robin.ttft_p99,
            "{prefix:?} {round_robin:?}"
        );
        assert!(
            prefix.hit_percent > round_robin.hit_percent + 15.0,
            "{prefix:?} {round_robin:?}"
        );
        assert!(
            prefix.hit_percent > oracle.hit_percent * 0.95,
            "{prefix:?} {oracle:?}"
        );
    }

    #[test]
    fn a_seed_gives_one_table() {
        let again = || table(&[(String::new(), figures(&mut Ours::new(Policy::Prefix, 12, 1)))]);
        assert_eq!(again(), again());
    }
}
