//! `kubemonitor-api`: takes collectors' frames and answers over REST.

use std::{
    io::{self, IsTerminal},
    process::ExitCode,
};

use anyhow::anyhow;
use kubemonitor_api::{Args, run};
use kubemonitor_arguments::parse;
use kubemonitor_model::told;
use tracing_subscriber::EnvFilter;

/// What programs end with after a wrong option.
const USAGE: u8 = 2;

fn main() -> ExitCode {
    let settings = match parse::<Args>().settings() {
        Ok(settings) => settings,
        Err(error) => return failed(&error, USAGE),
    };
    if let Err(error) = log(&settings.log) {
        return failed(&error, USAGE);
    }
    match run(settings) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => failed(&told(&error), 1),
    }
}

fn failed(error: &dyn std::fmt::Display, status: u8) -> ExitCode {
    eprintln!("error: {error}");
    ExitCode::from(status)
}

/// Logs lines of `key=value` to standard error, as containers do.
fn log(filter: &str) -> anyhow::Result<()> {
    // The client logs each question that fails, as often as strangers make the server ask; what matters of it
    // is said by those who asked.
    let quiet = format!("kube_client::client::builder=off,{filter}");
    let filter =
        EnvFilter::try_new(quiet).map_err(|error| anyhow!("--log (LOG) {filter}: {error}"))?;
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(io::stderr)
        .with_ansi(io::stderr().is_terminal())
        .init();
    Ok(())
}
