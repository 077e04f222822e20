//! The server under test, in a process of its own: `kubemonitor-faults serve` takes the options of
//! `kubemonitor-api` and runs its code.

use clap::{Parser, Subcommand};

#[derive(Debug, Parser)]
struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the server
    Serve(Box<kubemonitor_api::Args>),
}

fn main() -> anyhow::Result<()> {
    let Command::Serve(args) = Args::parse().command;
    let settings = args.settings()?;
    tracing_subscriber::fmt()
        .with_env_filter(&settings.log)
        .with_writer(std::io::stderr)
        .with_ansi(false)
        .init();
    kubemonitor_api::run(settings)?;
    Ok(())
}
