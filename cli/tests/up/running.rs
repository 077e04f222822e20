//! A process that runs, and what it answers.

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::{SocketAddr, TcpStream},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

/// How long anything may take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(30);

/// `kubemonitor up` with these options.
pub(crate) fn up(options: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_kubemonitor"));
    command.arg("up").args(options).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// A `kubemonitor up` on a port of its own.
pub(crate) struct Running {
    child: Child,
    pub(crate) address: SocketAddr,
    /// What it has said on standard output.
    pub(crate) said: String,
}

impl Running {
    pub(crate) fn start(options: &[&str]) -> Self {
        let mut child = up(&[&["--port", "0"], options].concat()).spawn().unwrap();
        let mut said = String::new();
        let mut output = BufReader::new(child.stdout.take().unwrap());
        while !said.contains("Ctrl-C") {
            let length = output.read_line(&mut said).unwrap();
            assert!(length > 0, "it ended, having said:\n{said}");
        }
        let (_, rest) = said.split_once("http://localhost:").unwrap();
        let port: u16 = rest.split('/').next().unwrap().parse().unwrap();
        Self { child, address: ([127, 0, 0, 1], port).into(), said }
    }

    /// What a question that must succeed is answered with.
    pub(crate) fn json(&self, path: &str) -> Value {
        let (status, body) = self.get(path);
        assert_eq!(status, 200, "{path}: {body}");
        serde_json::from_str(&body).unwrap()
    }

    /// Asks until the answer is as wanted.
    pub(crate) fn eventually(&self, path: &str, wanted: impl Fn(&Value) -> bool) -> Value {
        let until = Instant::now() + PATIENCE;
        loop {
            let (status, body) = self.get(path);
            if status == 200 {
                let answer = serde_json::from_str(&body).unwrap();
                if wanted(&answer) {
                    return answer;
                }
            }
            assert!(Instant::now() < until, "{path} stays {status} {body}");
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    fn get(&self, path: &str) -> (u16, String) {
        self.get_as("localhost", path)
    }

    /// Asks it by this name.
    pub(crate) fn get_as(&self, host: &str, path: &str) -> (u16, String) {
        let mut stream = TcpStream::connect(self.address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        // Without compression and chunks: the body is all that follows the empty line.
        write!(stream, "GET {path} HTTP/1.0\r\nHost: {host}\r\n\r\n").unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        (status, body.to_owned())
    }

    /// Tells it to end; what it ended with, and what it said on standard error.
    pub(crate) fn terminate(self) -> (Option<i32>, String) {
        self.end_with(Signal::TERM)
    }

    /// Like [`Running::terminate`], with this signal. What a host with very many cgroups makes it say is left
    /// out: a test machine may be one.
    pub(crate) fn end_with(mut self, signal: Signal) -> (Option<i32>, String) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
        let mut errors = String::new();
        self.child.stderr.take().unwrap().read_to_string(&mut errors).unwrap();
        let mut lines: Vec<&str> = errors.lines().collect();
        lines.retain(|line| !line.contains("not enough file descriptors"));
        (self.child.wait().unwrap().code(), lines.join("\n"))
    }

    /// Ends it without a word of warning.
    pub(crate) fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
