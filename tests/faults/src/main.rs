//! The server under test, in a process of its own: `kubemonitor-faults serve` takes the options of
//! `kubemonitor-api` and runs its code. And faults that are worth more rounds than a test run has.

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
    },
}

fn main() -> anyhow::Result<()> {
    let args = match Args::parse().command {
        Command::Serve(args) => args,
        Command::Kill { rounds } => {
            let seen = kubemonitor_faults::kill::rounds(&std::env::current_exe()?, rounds)?;
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
