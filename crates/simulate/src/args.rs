//! The command line of a simulation.

use std::{fs, num::NonZero, path::PathBuf, process::ExitCode, sync::Arc, time::Duration};

use anyhow::Context;
use clap::Parser;
use kubemonitor_model::{Interval, IntervalError, told};

use crate::{
    Description, Fleet, NamedFleet, Shape,
    load::{self, Pace, Plan, Server, ServerError},
};

const EXAMPLES: &str = "\
Examples:
  An hour of 100 nodes, as fast as the server takes it:
    kubemonitor simulate --nodes 100 --pods 30 --containers 2 --ticks 720 --fast
  The largest cluster Kubernetes supports, for ten minutes by the clock, with names:
    kubemonitor simulate --nodes 5000 --ticks 120 --kubernetes-api /tmp/simulated \\
      --token-file /tmp/token &
    kubemonitor-api --kubeconfig /tmp/simulated --token-file /tmp/token
  What is in the data:
    kubemonitor simulate --describe

It ends with status 0 when every frame was taken, with 1 when some were not, with 2 after a wrong
option. Ctrl-C ends it early, with the report of what was sent.";

/// Sends a server what the collectors of a made-up cluster would, and reports how it took it.
///
/// Most containers are idle, memory moves by pages, CPU time is in nanoseconds or microseconds as
/// cgroup v1 and v2 have it, and now and then a pod ends and another one begins. The same seed makes
/// the same fleet.
#[derive(Clone, Debug, Parser)]
#[command(name = "simulate", verbatim_doc_comment, after_help = EXAMPLES)]
pub struct Args {
    /// Nodes
    #[arg(long, value_name = "COUNT", default_value_t = 100)]
    #[arg(value_parser = clap::value_parser!(u32).range(1..))]
    nodes: u32,

    /// Pods on each node
    #[arg(long, value_name = "COUNT", default_value_t = 30)]
    pods: u32,

    /// Containers in each pod
    #[arg(long, value_name = "COUNT", default_value_t = 2)]
    containers: u32,

    /// The time between two ticks, from 100ms to 1h: seconds, or a number with ms, s or m
    #[arg(long, value_name = "TIME", default_value = "5s")]
    interval: Interval,

    /// Ticks to send
    #[arg(long, value_name = "COUNT", default_value_t = 120)]
    #[arg(value_parser = clap::value_parser!(u32).range(1..))]
    ticks: u32,

    /// Ticks to send before those, as fast as the server takes them: what happened until now
    #[arg(long, value_name = "COUNT", default_value_t = 0)]
    history: u32,

    /// Send as fast as the server takes it, ticks that end now, instead of one each interval
    #[arg(long)]
    fast: bool,

    /// Where the API server is
    #[arg(long, value_name = "URL", default_value = "http://localhost:8080")]
    server: Server,

    /// Send to the store that takes Prometheus' remote write at this URL instead
    #[arg(long, value_name = "URL", value_parser = Server::of_remote_write)]
    #[arg(conflicts_with = "server")]
    remote_write: Option<Server>,

    /// A file with the token that the server wants of those who write
    #[arg(long, value_name = "FILE")]
    token_file: Option<PathBuf>,

    /// Connections [default: one a node by the clock, as collectors have; 8 with --fast]
    #[arg(long, value_name = "COUNT")]
    connections: Option<NonZero<usize>>,

    /// How long into a tick the last node sends its frame, by the clock; the others before it
    /// [default: as the server asks, which collectors heed]
    #[arg(long, value_name = "TIME", value_parser = spread)]
    #[arg(conflicts_with = "fast")]
    spread: Option<Duration>,

    /// Containers, in percent, that do nothing but answer a probe once a minute
    #[arg(long, value_name = "PERCENT", default_value_t = 60)]
    #[arg(value_parser = clap::value_parser!(u8).range(0..=100))]
    idle: u8,

    /// Nodes, in percent, that have cgroup v1
    #[arg(long, value_name = "PERCENT", default_value_t = 25)]
    #[arg(value_parser = clap::value_parser!(u8).range(0..=100))]
    legacy: u8,

    /// Minutes a pod lives on average
    #[arg(long, value_name = "MINUTES", default_value_t = 720)]
    #[arg(value_parser = clap::value_parser!(u32).range(1..))]
    pod_lifetime: u32,

    /// What everything random derives from
    #[arg(long, value_name = "NUMBER", default_value_t = 1)]
    seed: u64,

    /// Serve the pods' names as a Kubernetes API on loopback, and write a kubeconfig to this file
    #[arg(long, value_name = "FILE")]
    kubernetes_api: Option<PathBuf>,

    /// Say what is in the data instead of sending it
    #[arg(long)]
    describe: bool,

    /// Report as JSON
    #[arg(long)]
    json: bool,
}

/// How long a server that is just being started is waited for.
const PATIENCE: Duration = Duration::from_secs(30);

/// What programs end with after a wrong option.
const USAGE: u8 = 2;

/// Does what was asked for, and prints what it was like on standard output.
pub async fn run(args: Args) -> anyhow::Result<ExitCode> {
    let shape = args.shape();
    // Made first of all: options may be well-formed each and impossible together.
    let (fleet, plan) = match (Fleet::new(shape), args.plan()) {
        (Ok(fleet), Ok(plan)) => (fleet, plan),
        (Err(error), _) => return Ok(wrong_options(&error)),
        (_, Err(error)) => return Ok(wrong_options(&error)),
    };
    if args.describe {
        let description = Description::of(shape, args.ticks)?;
        println!("{}", shown(&description, args.json)?);
        return Ok(ExitCode::SUCCESS);
    }
    let names = match &args.kubernetes_api {
        Some(file) => Some(named(shape, file).await?),
        None => None,
    };
    let waiting = |error: &ServerError| {
        eprintln!("{error}; trying for {} s", PATIENCE.as_secs());
    };
    plan.server.wait(PATIENCE, waiting).await?;
    let interrupted = async {
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending::<()>().await;
        }
    };
    let report = load::run(fleet, &plan, names, interrupted).await;
    println!("{}", shown(&report, args.json)?);
    Ok(if report.is_clean() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn wrong_options(error: &dyn std::error::Error) -> ExitCode {
    eprintln!("error: {}", told(error));
    ExitCode::from(USAGE)
}

async fn named(shape: Shape, file: &PathBuf) -> anyhow::Result<Arc<NamedFleet>> {
    let names = NamedFleet::serve(shape).await;
    fs::write(file, names.kubeconfig())
        .with_context(|| format!("--kubernetes-api {}", file.display()))?;
    Ok(Arc::new(names))
}

fn shown<T: serde::Serialize + std::fmt::Display>(value: &T, json: bool) -> anyhow::Result<String> {
    Ok(if json { serde_json::to_string_pretty(value)? } else { value.to_string() })
}

/// A time like the interval's, or 0.
fn spread(text: &str) -> Result<Duration, IntervalError> {
    if text == "0" { Ok(Duration::ZERO) } else { text.parse().map(Interval::duration) }
}

impl Args {
    fn shape(&self) -> Shape {
        Shape {
            nodes: self.nodes,
            pods: self.pods,
            containers: self.containers,
            interval: self.interval,
            idle_percent: self.idle,
            legacy_percent: self.legacy,
            pod_lifetime: Duration::from_secs(u64::from(self.pod_lifetime) * 60),
            seed: self.seed,
        }
    }

    fn plan(&self) -> Result<Plan, ServerError> {
        let server = self.remote_write.as_ref().unwrap_or(&self.server).clone();
        let (pace, connections) = if self.fast {
            (Pace::Unpaced, 8)
        } else {
            (Pace::Clock(self.spread), self.nodes as usize)
        };
        Ok(Plan {
            server: match &self.token_file {
                Some(file) => server.with_token_file(file)?,
                None => server,
            },
            history: self.history,
            ticks: self.ticks,
            pace,
            connections: self.connections.map_or(connections, NonZero::get),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn args(flags: &[&str]) -> Args {
        Args::try_parse_from(["simulate"].iter().chain(flags)).unwrap()
    }

    #[test]
    fn by_the_clock_every_node_has_its_connection() {
        let plan = args(&["--nodes", "7"]).plan().unwrap();
        assert_eq!((plan.connections, plan.ticks), (7, 120));
        assert_eq!(plan.pace, Pace::Clock(None));
        let plan = args(&["--nodes", "7", "--fast"]).plan().unwrap();
        assert_eq!((plan.connections, plan.pace), (8, Pace::Unpaced));
    }

    #[test]
    fn flags_shape_the_fleet() {
        let shape =
            args(&["--nodes=5000", "--interval=1s", "--idle=90", "--pod-lifetime=2"]).shape();
        assert_eq!((shape.nodes, shape.pods, shape.containers), (5000, 30, 2));
        assert_eq!((shape.interval.millis(), shape.idle_percent), (1000, 90));
        assert_eq!(shape.pod_lifetime, Duration::from_secs(120));
        assert_eq!(args(&["--spread=0"]).plan().unwrap().pace, Pace::Clock(Some(Duration::ZERO)));
        let wrong = [
            "--idle=101",
            "--interval=0",
            "--server=example",
            "--fast --spread=1s",
            "--nodes=0",
            "--ticks=0",
            "--connections=0",
        ];
        for flags in wrong {
            let flags = ["simulate"].into_iter().chain(flags.split(' '));
            assert!(Args::try_parse_from(flags).is_err());
        }
    }
}
