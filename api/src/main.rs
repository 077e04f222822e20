//! `kubemonitor-api`: takes collectors' frames and answers over REST.

mod descriptors;

use std::{
    io::{self, IsTerminal},
    process::ExitCode,
};

use anyhow::{Context, anyhow};
use clap::Parser;
use kubemonitor_api::{Args, Monitor, Server, Settings};
use tokio::signal::unix::{SignalKind, signal};
use tracing_subscriber::EnvFilter;

/// What programs end with after a wrong option.
const USAGE: u8 = 2;

fn main() -> ExitCode {
    let settings = match Args::parse().settings() {
        Ok(settings) => settings,
        Err(error) => return failed(&error, USAGE),
    };
    if let Err(error) = log(&settings.log) {
        return failed(&error, USAGE);
    }
    match run(settings) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => failed(&error, 1),
    }
}

fn failed(error: &dyn std::fmt::Display, status: u8) -> ExitCode {
    eprintln!("error: {error}");
    ExitCode::from(status)
}

fn run(settings: Settings) -> anyhow::Result<()> {
    descriptors::raise_limit();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .context("cannot start the runtime")?;
    runtime.block_on(serve(settings))
}

async fn serve(settings: Settings) -> anyhow::Result<()> {
    let mut term = signal(SignalKind::terminate()).context("cannot listen for SIGTERM")?;
    let mut int = signal(SignalKind::interrupt()).context("cannot listen for SIGINT")?;
    let (inventory, watchers) = settings.cluster.inventory().await?;
    let monitor = Monitor::open(&settings, inventory)?;
    let server = Server::bind(settings.listen, monitor).await?;
    tracing::info!(address = %server.address(), cluster = ?settings.cluster, "serving");
    let stop = async {
        tokio::select! {
            _ = term.recv() => {}
            _ = int.recv() => {}
        }
    };
    server.serve(stop).await;
    drop(watchers);
    Ok(())
}

/// Logs lines of `key=value` to standard error, as containers do.
fn log(filter: &str) -> anyhow::Result<()> {
    let filter = EnvFilter::try_new(filter).map_err(|error| anyhow!("--log {filter}: {error}"))?;
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(io::stderr)
        .with_ansi(io::stderr().is_terminal())
        .init();
    Ok(())
}
