//! A server in a process of its own, which a test may kill, stop, starve and start again.

use std::{
    io::{BufRead, BufReader},
    net::SocketAddr,
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    sync::{Arc, Mutex},
    thread,
    time::{Duration, Instant},
};

use rustix::process::{Pid, Signal, kill_process};

use crate::{MemoryCgroup, Reply, Request};

/// How long a server may take to begin to serve.
const START: Duration = Duration::from_secs(60);

/// How a server is to be started.
#[derive(Clone, Debug)]
pub struct ServerBuilder {
    program: PathBuf,
    options: Vec<String>,
    environment: Vec<(String, String)>,
    prelude: String,
}

impl ServerBuilder {
    /// The server that `program` (`env!("CARGO_BIN_EXE_kubemonitor-faults")`) runs, on a free port.
    pub fn new(program: impl Into<PathBuf>) -> Self {
        let options = ["serve", "--listen", "127.0.0.1:0", "--log", "info"];
        Self {
            program: program.into(),
            options: options.map(str::to_owned).to_vec(),
            environment: Vec::new(),
            prelude: String::new(),
        }
    }

    /// Adds an option, such as `--max-series=10`.
    #[must_use]
    pub fn option(mut self, option: impl Into<String>) -> Self {
        self.options.push(option.into());
        self
    }

    /// Keeps what it takes in in this folder.
    #[must_use]
    pub fn data_dir(self, folder: &Path) -> Self {
        self.option(format!("--data-dir={}", folder.display()))
    }

    /// Adds a variable to its environment.
    #[must_use]
    pub fn variable(mut self, name: &str, value: impl Into<String>) -> Self {
        self.environment.push((name.to_owned(), value.into()));
        self
    }

    /// Starts it where it must not come to serve. Gives what it said.
    ///
    /// # Panics
    /// If it serves, or does not end by itself within a minute.
    pub fn refused(&self) -> String {
        let mut server = self.spawn();
        let began = Instant::now();
        loop {
            if let Some(status) = server.child.try_wait().expect("it is ours") {
                assert!(!status.success(), "it ended as if all were well");
                // The reader of its log may be a moment behind.
                thread::sleep(Duration::from_millis(100));
                return server.log();
            }
            let log = server.log();
            assert!(!log.contains("serving") && began.elapsed() < START, "it serves:\n{log}");
            thread::sleep(Duration::from_millis(5));
        }
    }

    /// Has a shell run this before the server takes its place, such as `ulimit -n 256`.
    #[must_use]
    pub fn after(mut self, prelude: &str) -> Self {
        self.prelude.push_str(prelude);
        self.prelude.push_str("; ");
        self
    }

    /// Has it run in this cgroup from its first moment on.
    #[must_use]
    pub fn in_cgroup(self, cgroup: &MemoryCgroup) -> Self {
        self.after(&format!("echo $$ > '{}'", cgroup.procs().display()))
    }

    fn command(&self) -> Command {
        if self.prelude.is_empty() {
            return Command::new(&self.program);
        }
        let mut shell = Command::new("sh");
        shell.args(["-c", &format!("{}exec \"$@\"", self.prelude), "sh"]).arg(&self.program);
        shell
    }

    /// Starts it and waits until it serves.
    ///
    /// # Panics
    /// If it ends, or does not serve within a minute; with what it said.
    pub fn start(&self) -> Server {
        let mut server = self.spawn();
        server.address = server.wait_for_address();
        server
    }

    fn spawn(&self) -> Server {
        let mut child = self
            .command()
            .args(&self.options)
            .envs(self.environment.iter().cloned())
            .stderr(Stdio::piped())
            .stdout(Stdio::null())
            .stdin(Stdio::null())
            .spawn()
            .expect("the server's program can be started");
        let stderr = child.stderr.take().expect("it is piped");
        let log = Arc::new(Mutex::new(String::new()));
        let lines = Arc::clone(&log);
        thread::spawn(move || {
            for line in BufReader::new(stderr).lines().map_while(Result::ok) {
                let mut log = lines.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
                log.push_str(&line);
                log.push('\n');
            }
        });
        Server { child, log, address: ([127, 0, 0, 1], 0).into() }
    }
}

/// A server that runs. It is killed when this is dropped.
#[derive(Debug)]
pub struct Server {
    child: Child,
    log: Arc<Mutex<String>>,
    address: SocketAddr,
}

impl Server {
    fn wait_for_address(&mut self) -> SocketAddr {
        let began = Instant::now();
        loop {
            let log = self.log();
            let served = log.lines().filter(|line| line.contains("serving"));
            let mut words = served.flat_map(str::split_whitespace);
            let address = words.find_map(|word| word.strip_prefix("address="));
            if let Some(address) = address.and_then(|address| address.parse().ok()) {
                return address;
            }
            let ended = self.child.try_wait().expect("it is ours");
            assert!(ended.is_none(), "the server ended with {ended:?}:\n{}", self.log());
            assert!(began.elapsed() < START, "the server does not serve:\n{}", self.log());
            thread::sleep(Duration::from_millis(5));
        }
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Its process.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// What it has logged up to now.
    pub fn log(&self) -> String {
        self.log.lock().unwrap_or_else(std::sync::PoisonError::into_inner).clone()
    }

    /// Asks it, over a connection of its own.
    ///
    /// # Panics
    /// If it gives no HTTP answer.
    pub fn get(&self, path: &str) -> Reply {
        Request::get(path)
            .send(self.address)
            .unwrap_or_else(|error| panic!("GET {path}: {error}; the server said:\n{}", self.log()))
    }

    /// What a question that must succeed is answered with.
    ///
    /// # Panics
    /// If it does not succeed.
    pub fn json(&self, path: &str) -> serde_json::Value {
        let reply = self.get(path);
        assert_eq!(reply.status, 200, "GET {path}: {}", reply.text());
        reply.json()
    }

    /// Sends a frame as collectors do.
    ///
    /// # Panics
    /// If it gives no HTTP answer.
    pub fn frame(&self, frame: &[u8]) -> Reply {
        self.try_frame(frame)
            .unwrap_or_else(|error| panic!("a frame: {error}; the server said:\n{}", self.log()))
    }

    /// Sends a frame to a server that may be gone.
    ///
    /// # Errors
    /// If the connection fails.
    pub fn try_frame(&self, frame: &[u8]) -> std::io::Result<Reply> {
        Request::post("/api/frames", kubemonitor_frame::CONTENT_TYPE, frame).send(self.address)
    }

    /// Memory that it has in RAM, in bytes (`VmRSS`).
    ///
    /// # Panics
    /// If it has ended.
    pub fn resident_bytes(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.id()))
            .expect("the server runs");
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let kib = line.and_then(|line| line.trim().strip_suffix(" kB")?.parse::<u64>().ok());
        kib.unwrap_or_else(|| panic!("the server has ended:\n{}", self.log())) * 1024
    }

    /// Sends it a signal.
    ///
    /// # Panics
    /// If it has ended.
    pub fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).expect("the server runs");
    }

    /// Whether it still runs.
    pub fn is_running(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }

    /// Kills it as the kernel does when memory is short, and waits until it is gone.
    pub fn kill(mut self) {
        self.end();
    }

    /// Asks it to end and waits until it has.
    ///
    /// # Panics
    /// If that takes longer than `patience`.
    pub fn stop(self, patience: Duration) -> ExitStatus {
        self.stop_with(Signal::TERM, patience)
    }

    /// Sends it a signal that ends it and waits until it has.
    ///
    /// # Panics
    /// If that takes longer than `patience`.
    pub fn stop_with(mut self, signal: Signal, patience: Duration) -> ExitStatus {
        self.signal(signal);
        let began = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().expect("it is ours") {
                return status;
            }
            assert!(began.elapsed() < patience, "the server does not end:\n{}", self.log());
            thread::sleep(Duration::from_millis(5));
        }
    }

    fn end(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.end();
    }
}
