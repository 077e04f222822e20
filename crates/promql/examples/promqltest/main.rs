//! Runs scripts of Prometheus' test language: `promqltest FILE…`. Ends with 1 where a case failed.

use std::{fs, process::ExitCode};

use anyhow::Context;
use kubemonitor_promql::{
    Engine,
    script::{Failure, run},
};

fn main() -> anyhow::Result<ExitCode> {
    let files: Vec<String> = std::env::args().skip(1).collect();
    anyhow::ensure!(!files.is_empty(), "give the files of scripts to run");
    // As Prometheus runs its own scripts.
    let engine = Engine { delays_name_removal: true, ..Engine::default() };
    let mut has_failed = false;
    for file in files {
        let script = fs::read_to_string(&file).with_context(|| format!("cannot read {file}"))?;
        let report = run(&engine, &script).with_context(|| format!("{file} is no script"))?;
        println!("{file}: {report}");
        for Failure { line, query, problem } in &report.failures {
            println!("  {file}:{line}: {query}\n    {problem}");
        }
        has_failed |= !report.failures.is_empty();
    }
    Ok(if has_failed { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}
