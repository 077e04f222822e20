//! What tells a process of the server to end.

use std::{fs, future::pending, io};

use tokio::signal::unix::{Signal, SignalKind, signal};

/// Resolves at SIGTERM, at Ctrl-C, and when the terminal is closed (SIGHUP), unless the process was
/// started to outlive that, as `nohup` does.
///
/// # Errors
/// If the system lets no signal be listened for.
///
/// # Panics
/// Outside a tokio runtime.
pub fn told_to_end() -> io::Result<impl Future<Output = ()>> {
    let mut term = signal(SignalKind::terminate())?;
    let mut int = signal(SignalKind::interrupt())?;
    // To listen for a signal is to ignore it no longer.
    let hup = if ignores_hangups() { None } else { Some(signal(SignalKind::hangup())?) };
    Ok(async move {
        tokio::select! {
            _ = term.recv() => {}
            _ = int.recv() => {}
            () = received(hup) => {}
        }
    })
}

async fn received(signal: Option<Signal>) {
    match signal {
        Some(mut signal) => drop(signal.recv().await),
        None => pending().await,
    }
}

/// Whether the process was started with SIGHUP ignored.
fn ignores_hangups() -> bool {
    // Where it cannot be known, it is as usual.
    fs::read_to_string("/proc/self/status").is_ok_and(|status| ignored_in(&status))
}

/// Whether `/proc/<pid>/status` says that SIGHUP, the first signal, is ignored.
fn ignored_in(status: &str) -> bool {
    let ignored = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    ignored
        .and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok())
        .is_some_and(|mask| mask & 1 == 1)
}

#[cfg(test)]
mod tests {
    use super::ignored_in;

    #[test]
    fn hangups_are_ignored_where_the_first_bit_says_so() {
        assert!(ignored_in("Name:\ta\nSigIgn:\t0000000000001001\n"));
        assert!(!ignored_in("Name:\ta\nSigIgn:\t0000000000001000\n"));
        assert!(!ignored_in("Name:\ta\n"));
    }
}
