//! `kubemonitor-api`: takes collectors' frames and answers over REST.

mod descriptors;

use std::io::{self, IsTerminal};

use anyhow::Context;
use clap::Parser;
use kubemonitor_api::{Args, Monitor, Server, Settings};
use tokio::signal::unix::{SignalKind, signal};
use tracing_subscriber::EnvFilter;

fn main() -> anyhow::Result<()> {
    let args = Args::parse();
    let settings = args.settings().unwrap_or_else(|error| {
        eprintln!("error: {error}");
        std::process::exit(2);
    });
    log(&settings.log)?;
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
    let server = Server::bind(settings.listen, Monitor::new(&settings, inventory)).await?;
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
    let filter = EnvFilter::try_new(filter).with_context(|| format!("--log {filter}"))?;
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(io::stderr)
        .with_ansi(io::stderr().is_terminal())
        .init();
    Ok(())
}
