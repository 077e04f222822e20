//! The server under test, in a process of its own: `kubemonitor-faults serve` takes the options of
//! `kubemonitor-api` and runs its code. And faults that are worth more rounds than a test run has.

use std::time::Duration;

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
    /// Kill a server while it takes frames in, and look whether it has lost any that was safe
    Kill {
        /// How many times
        #[arg(long, default_value_t = 20)]
        rounds: u32,
        /// How long before a kill what was acknowledged must be on the disk, where frames are written every
        /// 100 ms; needs a machine that has nothing else to do
        #[arg(long, default_value_t = 600)]
        committed_ms: u64,
    },
}

fn main() -> anyhow::Result<()> {
    let args = match Args::parse().command {
        Command::Serve(args) => args,
        Command::Kill { rounds, committed_ms } => {
            let committed = Some(Duration::from_millis(committed_ms));
            let program = std::env::current_exe()?;
            let seen = kubemonitor_faults::kill::rounds(&program, rounds, committed)?;
            println!(
                "{rounds} rounds: {} frames acknowledged, {} of them safe, and none of those lost",
                seen.acknowledged, seen.safe
            );
            return Ok(());
        }
    };
    let settings = args.settings()?;
    tracing_subscriber::fmt()
        .with_env_filter(&settings.log)
        .with_writer(std::io::stderr)
        .with_ansi(false)
        .init();
    kubemonitor_api::run(settings)?;
    Ok(())
}
