//! The `kubemonitor` command line: what to do, and what it ends with.

mod up;

use std::{io, process::ExitCode};

use clap::{Parser, Subcommand};
use kubemonitor_api::avoid_huge_pages;
use kubemonitor_arguments::parse;
use kubemonitor_model::told;
use tokio::signal::unix::{SignalKind, signal};
use tracing_subscriber::{filter::LevelFilter, fmt, layer::SubscriberExt, util::SubscriberInitExt};

/// Who uses what: CPU, memory, disk and network of this host, or of a whole Kubernetes cluster.
#[derive(Debug, Parser)]
#[command(name = "kubemonitor", version, arg_required_else_help = true)]
struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Measure this host and show it: server and collector in one process, no Kubernetes needed
    Up(up::Args),
    /// Load a server with the collectors of a cluster that does not exist
    Simulate(kubemonitor_simulate::Args),
}

fn main() -> ExitCode {
    match run(parse::<Args>().command) {
        Ok(status) => status,
        Err(error) => {
            eprintln!("error: {}", told(error.as_ref()));
            ExitCode::FAILURE
        }
    }
}

fn run(command: Command) -> anyhow::Result<ExitCode> {
    match command {
        Command::Up(args) => {
            log(if args.debug() { LevelFilter::DEBUG } else { LevelFilter::WARN });
            avoid_huge_pages();
            let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
            runtime.block_on(async { up::run(args, interrupted()?).await })
        }
        // One thread: what it loads is to have the others.
        Command::Simulate(args) => tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?
            .block_on(kubemonitor_simulate::run(args)),
    }
}

/// Resolves at Ctrl-C, or when somebody ends the process politely.
fn interrupted() -> io::Result<impl Future<Output = ()>> {
    let mut int = signal(SignalKind::interrupt())?;
    let mut term = signal(SignalKind::terminate())?;
    Ok(async move {
        tokio::select! {
            _ = int.recv() => {}
            _ = term.recv() => {}
        }
    })
}

/// Logs lines of `key=value` to standard error; of other crates warnings only.
fn log(level: LevelFilter) {
    let filter =
        tracing_subscriber::filter::Targets::new().with_default(LevelFilter::WARN).with_targets(
            ["api", "collector", "hostfs", "inventory", "store"]
                .map(|part| (format!("kubemonitor_{part}"), level)),
        );
    let lines =
        fmt::layer().with_writer(io::stderr).with_ansi(io::IsTerminal::is_terminal(&io::stderr()));
    tracing_subscriber::registry().with(lines).with(filter).init();
}
