//! What the user typed, and what it means.

use std::path::{Path, PathBuf};

use clap::{Parser, builder::FalseyValueParser};
use kubemonitor_hostfs::HostRoots;
use kubemonitor_model::{Interval, NameError, NodeName};

use crate::Endpoint;

const EXAMPLES: &str = "\
Examples:
  Send this host's figures to a server on this host:
    kubemonitor-collector
  Every second, to another host, encrypted and with a token:
    kubemonitor-collector --server https://monitor.example.com --interval 1s \\
      --token-file /etc/kubemonitor/token
  In a container that has the host's /proc and /sys mounted below /host:
    API_SERVER_URL=http://monitor-api HOST_PROC=/host/proc HOST_SYS=/host/sys \\
      HOST_CGROUP=/host/sys/fs/cgroup kubemonitor-collector

It runs until SIGTERM or SIGINT, then sends what it still has and ends with status 0; with 1 after
a failure, with 2 after a wrong option.";

/// Measures this host, its pods and its containers, and sends the figures to an API server.
///
/// It reads /proc and the cgroup tree on every tick of the clock, needs no rights in Kubernetes, and
/// runs as any user. Every option can be given as an environment variable instead; where both are
/// given, the option holds.
#[derive(Debug, Parser)]
#[command(name = "kubemonitor-collector", version, verbatim_doc_comment, after_help = EXAMPLES)]
pub struct Args {
    /// Where the API server is: http:// or https://, a host, perhaps a port and a path
    #[arg(long, value_name = "URL", env = "API_SERVER_URL", hide_env_values = true)]
    #[arg(default_value = "http://localhost:8080")]
    server: Endpoint,

    /// What this node is called [default: the host's name]
    #[arg(long, value_name = "NAME", env = "NODE_NAME", hide_env_values = true)]
    node: Option<NodeName>,

    /// The time between two ticks, from 100ms to 1h: seconds, or a number with ms, s or m
    #[arg(long, value_name = "TIME", env = "COLLECT_INTERVAL", hide_env_values = true)]
    #[arg(default_value = "5")]
    interval: Interval,

    /// Where the host's /proc is to be seen
    #[arg(long, value_name = "DIR", env = "HOST_PROC", hide_env_values = true)]
    #[arg(default_value = "/proc")]
    proc: PathBuf,

    /// Where the host's /sys/fs/cgroup is to be seen
    #[arg(long, value_name = "DIR", env = "HOST_CGROUP", hide_env_values = true)]
    #[arg(default_value = "/sys/fs/cgroup")]
    cgroup: PathBuf,

    /// Where the host's /sys is to be seen [default: /sys if --proc is /proc, else none]
    ///
    /// It tells which network interfaces are cards and which disks stand on others; without it their
    /// names do.
    #[arg(long, value_name = "DIR", env = "HOST_SYS", hide_env_values = true)]
    sys: Option<PathBuf>,

    /// A file with the token that the server wants of those who write [default: no token]
    #[arg(long, value_name = "FILE", env = "API_TOKEN_FILE", hide_env_values = true)]
    token_file: Option<PathBuf>,

    /// A PEM file with the certificates that vouch for an https server [default: the system's]
    #[arg(long, value_name = "FILE", env = "API_CA_FILE", hide_env_values = true)]
    ca_file: Option<PathBuf>,

    /// Say what counts on this host, as what and why, and end: a report for when figures are not what
    /// they should be. It names cgroups, devices and rights, and no secrets
    #[arg(long)]
    explain: bool,

    /// Log each tick
    #[arg(long, env = "DEBUG", hide_env_values = true, value_parser = FalseyValueParser::new())]
    debug: bool,
}

/// What a collector does: [`Args`] with the gaps filled in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Where frames go.
    pub server: Endpoint,
    /// Whose they are.
    pub node: NodeName,
    /// The time between two ticks.
    pub interval: Interval,
    /// Where the host is to be seen.
    pub host: HostRoots,
    /// A file with a bearer token for the server.
    pub token_file: Option<PathBuf>,
    /// A PEM file with the certificates that vouch for an https server, instead of the system's.
    pub ca_file: Option<PathBuf>,
}

#[cfg(test)]
impl Settings {
    /// Those of node `n`, which sends every second to this server.
    pub(crate) fn for_tests(server: &str) -> Self {
        Self {
            server: server.parse().expect("an address"),
            node: "n".parse().expect("a name"),
            interval: "1s".parse().expect("an interval"),
            host: HostRoots::default(),
            token_file: None,
            ca_file: None,
        }
    }
}

/// Options that are well-formed and mean nothing here.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum ConfigError {
    /// The host is called something that no node can be called.
    #[error("this host's name is none for a node, so give one with `--node` (NODE_NAME): {0}")]
    HostName(#[from] NameError),
}

impl Args {
    /// Whether this host is to be explained, and nothing sent.
    pub fn explain(&self) -> bool {
        self.explain
    }

    /// Where the host is to be seen.
    pub fn host(&self) -> HostRoots {
        // Where /proc is the host's own, so is /sys; a container's shows its own interfaces.
        let on_the_host = self.proc == Path::new("/proc");
        HostRoots {
            proc: self.proc.clone(),
            cgroup: self.cgroup.clone(),
            sys: self.sys.clone().or_else(|| on_the_host.then(|| PathBuf::from("/sys"))),
        }
    }

    /// Whether each tick is to be logged.
    pub fn debug(&self) -> bool {
        self.debug
    }

    /// What was typed, with the gaps filled in.
    pub fn settings(self) -> Result<Settings, ConfigError> {
        let host = self.host();
        let node = match self.node {
            Some(node) => node,
            None => rustix::system::uname().nodename().to_string_lossy().parse()?,
        };
        Ok(Settings {
            server: self.server,
            node,
            interval: self.interval,
            host,
            token_file: self.token_file,
            ca_file: self.ca_file,
        })
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    fn parse(options: &[&str]) -> Result<Args, clap::Error> {
        Args::try_parse_from([&["kubemonitor-collector"], options].concat())
    }

    #[test]
    fn the_options_are_well_formed() {
        Args::command().debug_assert();
    }

    #[test]
    fn nothing_typed_means_this_host_every_five_seconds() {
        let settings = parse(&[]).expect("options").settings().expect("settings");
        assert_eq!(settings.host, HostRoots::default());
        assert_eq!(settings.interval.millis(), 5000);
        assert_eq!(settings.server.to_string(), "http://localhost:8080");
        let host = rustix::system::uname();
        assert_eq!(Ok(settings.node.as_str()), host.nodename().to_str());
    }

    #[test]
    fn a_proc_elsewhere_says_nothing_of_this_sys() {
        let options = ["--proc", "/host/proc", "--cgroup", "/host/sys/fs/cgroup", "--node", "n"];
        let settings = |options: &[&str]| parse(options).expect("options").settings();
        let mounted = HostRoots::mounted_at(Path::new("/host"));
        let host = settings(&options).expect("settings").host;
        assert_eq!(host, HostRoots { sys: None, ..mounted.clone() });
        let host =
            settings(&[&options[..], &["--sys", "/host/sys"]].concat()).expect("settings").host;
        assert_eq!(host, mounted);
    }

    #[test]
    fn a_wrong_value_is_named_with_its_option_and_the_remedy() {
        for (option, value, remedy) in [
            ("--interval", "5h", "give seconds"),
            ("--interval", "1ms", "from 100ms to 1h"),
            ("--server", "monitor-api", "http://monitor-api"),
            ("--node", "a/b", "names are ASCII"),
        ] {
            let error = parse(&[option, value]).expect_err("a refusal");
            let said = error.to_string();
            assert!([option, value, remedy].iter().all(|part| said.contains(part)), "{said}");
            assert_eq!(error.exit_code(), 2);
        }
    }

    #[test]
    fn help_names_every_variable() {
        let help = Args::command().render_help().to_string();
        for variable in [
            "API_SERVER_URL",
            "NODE_NAME",
            "COLLECT_INTERVAL",
            "DEBUG",
            "HOST_PROC",
            "HOST_CGROUP",
            "HOST_SYS",
            "API_TOKEN_FILE",
            "API_CA_FILE",
        ] {
            assert!(help.contains(variable), "{variable} is not in:\n{help}");
        }
    }
}
