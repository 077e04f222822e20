//! `kubemonitor-collector`: samples this host and sends the figures to an API server.

use std::{
    io::{self, IsTerminal},
    process::ExitCode,
};

use anyhow::Context;
use kubemonitor_arguments::parse;
use kubemonitor_collector::{Args, run};
use kubemonitor_model::told;
use tokio::signal::unix::{SignalKind, signal};
use tracing_subscriber::{filter::LevelFilter, fmt, layer::SubscriberExt, util::SubscriberInitExt};

fn main() -> ExitCode {
    let args: Args = parse();
    log(if args.debug() { LevelFilter::DEBUG } else { LevelFilter::INFO });
    match collect(args) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {}", told(error.as_ref()));
            ExitCode::FAILURE
        }
    }
}

fn collect(args: Args) -> anyhow::Result<()> {
    let settings = args.settings()?;
    // One thread: sending is all it does, and each further thread costs an arena of malloc's.
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("cannot start the runtime")?;
    runtime.block_on(async {
        let mut term = signal(SignalKind::terminate()).context("cannot listen for SIGTERM")?;
        let mut int = signal(SignalKind::interrupt()).context("cannot listen for SIGINT")?;
        let shutdown = async {
            tokio::select! {
                _ = term.recv() => {}
                _ = int.recv() => {}
            }
        };
        Ok(run(settings, shutdown).await?)
    })
}

/// Logs lines of `key=value` to standard error, as containers do; of other crates warnings only.
fn log(level: LevelFilter) {
    let filter = tracing_subscriber::filter::Targets::new()
        .with_default(LevelFilter::WARN)
        .with_target("kubemonitor_collector", level)
        .with_target("kubemonitor_hostfs", level);
    let lines = fmt::layer().with_writer(io::stderr).with_ansi(io::stderr().is_terminal());
    tracing_subscriber::registry().with(lines).with(filter).init();
}
