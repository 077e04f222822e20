//! `kubemonitor-api`: takes collectors' frames and answers over REST.

mod descriptors;

use std::{
    io::{self, IsTerminal},
    process::ExitCode,
};

use anyhow::{Context, anyhow};
use clap::Parser;
use futures::future::{FutureExt, OptionFuture};
use kubemonitor_api::{Args, MetricsApi, Opened, Server, Settings, avoid_huge_pages};
use kubemonitor_model::told;
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
        Err(error) => failed(&told(error.as_ref()), 1),
    }
}

fn failed(error: &dyn std::fmt::Display, status: u8) -> ExitCode {
    eprintln!("error: {error}");
    ExitCode::from(status)
}

fn run(settings: Settings) -> anyhow::Result<()> {
    avoid_huge_pages();
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
    let Opened { monitor, client, watchers } = Opened::with(&settings).await?;
    let server = Server::bind(settings.listen, monitor).await?;
    tracing::info!(address = %server.address(), cluster = ?settings.cluster, "serving");
    let metrics_api = match settings.metrics_api.zip(client) {
        Some((settings, client)) => Some(MetricsApi::bind(settings, client, &server).await?),
        None => None,
    };
    let stop = async {
        tokio::select! {
            _ = term.recv() => {}
            _ = int.recv() => {}
        }
    };
    let stop = stop.shared();
    let metrics_api = metrics_api.map(|metrics_api| metrics_api.serve(stop.clone()));
    tokio::join!(server.serve(stop), OptionFuture::from(metrics_api));
    if let Some(watchers) = watchers {
        watchers.stop().await;
    }
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
