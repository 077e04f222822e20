//! Network namespaces of the machine's own kernel.

use std::{
    fs,
    path::PathBuf,
    process::{Child, Command, Stdio},
    thread::sleep,
    time::{Duration, Instant},
};

/// A process in a network namespace of its own, with a `/sys` that shows it.
pub(crate) struct Namespace {
    process: Child,
}

impl Namespace {
    /// Makes one; says so where that is not possible.
    pub(crate) fn make() -> Option<Self> {
        let script = "mount -t sysfs sysfs /sys && ip link set lo up && exec sleep 600";
        let process = Command::new("unshare")
            .args(["--net", "--mount", "sh", "-c", script])
            .stderr(Stdio::null())
            .spawn();
        let namespace = Self { process: process.inspect_err(skipped).ok()? };
        let until = Instant::now() + Duration::from_secs(30);
        while Instant::now() < until {
            let name = fs::read_to_string(format!("/proc/{}/comm", namespace.pid()));
            match name.as_deref() {
                Ok("sleep\n") => return Some(namespace),
                Ok(_) if namespace.lives() => sleep(Duration::from_millis(5)),
                _ => break,
            }
        }
        skipped(&"unshare, mount or ip failed; this needs root");
        None
    }

    pub(crate) fn pid(&self) -> u32 {
        self.process.id()
    }

    /// Where its `/sys` is to be seen.
    pub(crate) fn sys(&self) -> PathBuf {
        format!("/proc/{}/root/sys", self.pid()).into()
    }

    /// Runs `ip` in it; whether it succeeded.
    pub(crate) fn try_ip(&self, arguments: &str) -> bool {
        self.run("ip", arguments)
    }

    /// Runs `ip` in it.
    pub(crate) fn ip(&self, arguments: &str) {
        assert!(self.try_ip(arguments), "ip {arguments}");
    }

    /// Connects an interface of this one with one of another, each with an address.
    pub(crate) fn connect(&self, here: &str, other: &Self, there: &str, network: &str) {
        let pid = other.pid();
        self.ip(&format!("link add {here} type veth peer name {there} netns {pid}"));
        for (namespace, name, host) in [(self, here, 1), (other, there, 2)] {
            namespace.ip(&format!("address add {network}.{host}/24 dev {name}"));
            namespace.ip(&format!("link set {name} up"));
        }
    }

    /// Sends some hundred kilobytes to this address.
    pub(crate) fn send_to(&self, address: &str) {
        // Nobody listens, which a write may be told of the one before.
        let script = format!(
            "text=$(printf %1000s); for i in {{1..400}}; do printf %s \"$text\"; done > /dev/udp/{address}/9"
        );
        let _ = self.command("bash").args(["-c", &script]).stderr(Stdio::null()).status();
    }

    /// The bytes an interface received and sent, by its own account.
    pub(crate) fn carried(&self, interface: &str) -> (u64, u64) {
        let counter = |name: &str| {
            let path = self.sys().join(format!("class/net/{interface}/statistics/{name}"));
            fs::read_to_string(path).unwrap().trim().parse().unwrap()
        };
        (counter("rx_bytes"), counter("tx_bytes"))
    }

    fn run(&self, program: &str, arguments: &str) -> bool {
        let mut command = self.command(program);
        command.args(arguments.split(' ')).stderr(Stdio::null());
        command.status().is_ok_and(|status| status.success())
    }

    fn command(&self, program: &str) -> Command {
        let mut command = Command::new("nsenter");
        command.args(["--net", "--mount", "-t", &self.pid().to_string(), program]);
        command
    }

    fn lives(&self) -> bool {
        fs::read_to_string(format!("/proc/{}/stat", self.pid()))
            .is_ok_and(|stat| !stat.contains(") Z "))
    }
}

impl Drop for Namespace {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn skipped(reason: &impl ToString) {
    eprintln!("skipped: cannot make network namespaces here: {}", reason.to_string());
}
