//! The simulation as a program of its own: `cargo run --profile quick --example simulate -- --help`.

use std::process::ExitCode;

use clap::Parser;
use kubemonitor_simulate::{Args, run};

#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<ExitCode> {
    run(Args::parse()).await
}
