//! `kubemonitor up`: a server and a collector in one process, for this host alone.
//!
//! The collector's frames go the way they always go, over HTTP, here on loopback: what is shown is
//! what a cluster's server would show.

use std::{
    io::{self, Write},
    net::{IpAddr, Ipv4Addr, SocketAddr},
    path::PathBuf,
    process::ExitCode,
};

use anyhow::Context;
use kubemonitor_api::{Access, Opened, Prefix, Server, StorageArgs};
use kubemonitor_hostfs::HostRoots;
use kubemonitor_inventory::Cluster;
use kubemonitor_model::{Interval, NodeName};
use tokio::sync::oneshot;

const EXAMPLES: &str = "\
Examples:
  Look at this machine, then open http://localhost:8080:
    kubemonitor up
  Every second, on another port, for others on the network too:
    kubemonitor up --interval 1s --port 9090 --address 0.0.0.0
  Keep what was measured across restarts:
    kubemonitor up --data-dir /var/lib/kubemonitor

It runs until Ctrl-C or SIGTERM, then ends with status 0; with 1 after a failure, with 2 after a
wrong option.";

/// Measures this host and shows it: server and collector in one process, no Kubernetes needed.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    /// Where the dashboard and the API are
    #[arg(long, default_value_t = 8080)]
    port: u16,

    /// Who can reach them: 127.0.0.1 for this machine alone, 0.0.0.0 for everybody
    #[arg(long, default_value_t = IpAddr::V4(Ipv4Addr::LOCALHOST), value_name = "IP")]
    #[arg(value_parser = ip)]
    address: IpAddr,

    /// The time between two ticks, from 100ms to 1h: seconds, or a number with ms, s or m
    #[arg(long, default_value = "5s", value_name = "TIME")]
    interval: Interval,

    /// What this host is called [default: its own name]
    #[arg(long, value_name = "NAME")]
    node: Option<NodeName>,

    /// Where a Kubernetes cluster is that this host is a node of: pods then have their names
    #[arg(long, value_name = "FILE")]
    kubeconfig: Option<PathBuf>,

    #[command(flatten)]
    storage: StorageArgs,

    /// Log what is done
    #[arg(long)]
    debug: bool,
}

impl Args {
    pub(crate) fn debug(&self) -> bool {
        self.debug
    }
}

fn ip(text: &str) -> Result<IpAddr, &'static str> {
    text.parse()
        .map_err(|_| "give an IP address, such as 127.0.0.1 or 0.0.0.0; --port has the port")
}

/// Measures and serves until `stop` resolves.
pub(crate) async fn run(args: Args, stop: impl Future<Output = ()>) -> anyhow::Result<ExitCode> {
    let node = match args.node {
        Some(node) => node,
        None => rustix::system::uname()
            .nodename()
            .to_string_lossy()
            .parse()
            .context("this host's name is none for a node, so give one with `--node`")?,
    };
    let settings = kubemonitor_api::Settings {
        listen: SocketAddr::new(args.address, args.port),
        storage: args.storage.storage(),
        access: Access::Open,
        base_path: Prefix::default(),
        cluster: args.kubeconfig.map(|file| Cluster::Kubeconfig(vec![file])),
        metrics_api: None,
        log: String::new(),
    };
    let Opened { monitor, watchers, .. } = Opened::with(&settings).await?;
    let server = Server::bind(settings.listen, monitor).await?;
    let port = server.address().port();
    let collector = kubemonitor_collector::Settings {
        server: loopback(server.address()).parse().context("the collector's way to the server")?,
        node,
        interval: args.interval,
        host: HostRoots::default(),
        token_file: None,
        ca_file: None,
    };
    say(&welcome(&collector.node, args.interval, args.address, port))?;

    // The collector ends first and sends its last frame; then the server ends.
    let (measured, until_measured) = oneshot::channel();
    let serving = tokio::spawn(server.serve(async {
        let _ = until_measured.await;
    }));
    let outcome = kubemonitor_collector::run(collector, stop).await;
    // The server may be gone already only if it panicked, which its task then says.
    let _ = measured.send(());
    serving.await.context("the server failed")?;
    if let Some(watchers) = watchers {
        watchers.stop().await;
    }
    outcome?;
    Ok(ExitCode::SUCCESS)
}

/// How a process of this host reaches the server.
fn loopback(listening: SocketAddr) -> String {
    let ip = match listening.ip() {
        ip if !ip.is_unspecified() => ip,
        IpAddr::V4(_) => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(_) => std::net::Ipv6Addr::LOCALHOST.into(),
    };
    format!("http://{}", SocketAddr::new(ip, listening.port()))
}

fn welcome(node: &NodeName, interval: Interval, address: IpAddr, port: u16) -> String {
    let host = if address.is_loopback() || address.is_unspecified() {
        format!("localhost:{port}")
    } else {
        SocketAddr::new(address, port).to_string()
    };
    let reach = if address.is_loopback() {
        "Only this machine can reach it; --address 0.0.0.0 opens it to others. "
    } else {
        ""
    };
    format!(
        "kubemonitor {version} measures {node} every {interval}.\n\n  \
         Dashboard   http://{host}/\n  \
         Swagger UI  http://{host}/docs\n  \
         Try         curl -s http://{host}/api/nodes\n\n\
         {reach}Ctrl-C stops it.",
        version = env!("CARGO_PKG_VERSION"),
    )
}

/// Prints; that nobody reads is no reason to end.
fn say(text: &str) -> io::Result<()> {
    match writeln!(io::stdout(), "{text}") {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        outcome => outcome,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn welcomed(address: &str) -> String {
        welcome(&"n1".parse().unwrap(), Interval::default(), address.parse().unwrap(), 9090)
    }

    #[test]
    fn it_says_where_to_look_and_who_can() {
        let here = welcomed("127.0.0.1");
        for part in ["http://localhost:9090/docs", "n1 every 5s", "--address 0.0.0.0", "Ctrl-C"] {
            assert!(here.contains(part), "{part} is not in:\n{here}");
        }
        assert!(!welcomed("0.0.0.0").contains("Only this machine"));
        assert!(welcomed("fd00::1").contains("http://[fd00::1]:9090/"));
    }

    #[test]
    fn the_collector_goes_over_loopback_where_everybody_may_come() {
        for (listening, way) in [
            ("0.0.0.0:80", "http://127.0.0.1:80"),
            ("[::]:80", "http://[::1]:80"),
            ("192.0.2.7:80", "http://192.0.2.7:80"),
        ] {
            assert_eq!(loopback(listening.parse().unwrap()), way);
        }
    }
}
