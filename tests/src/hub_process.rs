//! The real program, in a process of its own.

use std::io::{BufRead, BufReader, Read};
use std::net::SocketAddr;
use std::process::{Child, ChildStdout, Command, Stdio};

/// A node of `serve --dev`; killed if the test fails before it ends.
#[derive(Debug)]
pub struct HubProcess {
    child: Child,
    /// Where clients connect.
    pub public: SocketAddr,
    /// Where operators connect.
    pub admin: SocketAddr,
    printed: BufReader<ChildStdout>,
}

impl HubProcess {
    /// Runs the command, which must be `hub serve --dev` in some form, until it says where it
    /// listens.
    pub fn start(mut command: Command) -> HubProcess {
        command.stderr(Stdio::null());
        HubProcess::start_logging(command)
    }

    /// The same; its logs go where the command says.
    pub fn start_logging(mut command: Command) -> HubProcess {
        let mut child = command.stdout(Stdio::piped()).spawn().expect("hub runs");
        let mut printed = BufReader::new(child.stdout.take().expect("it is piped"));
        let mut line = String::new();
        while !line.contains("://") {
            line.clear();
            let read = printed.read_line(&mut line).expect("text");
            assert_ne!(read, 0, "it ended without saying where it listens");
        }
        let mut addresses = line.split("://").skip(1).map(|rest| {
            let address = rest.split([' ', ')']).next().expect("an address");
            address.parse().expect("an address")
        });
        let mut address = || addresses.next().expect("two addresses");
        HubProcess {
            public: address(),
            admin: address(),
            child,
            printed,
        }
    }

    /// The process's number.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Bytes of memory the process holds now.
    pub fn rss_bytes(&self) -> u64 {
        let path = format!("/proc/{}/status", self.child.id());
        let status = std::fs::read_to_string(path).expect("it runs");
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let kib = line.and_then(|line| line.trim().strip_suffix(" kB"));
        kib.expect("its memory").parse::<u64>().expect("a number") << 10
    }

    /// Seconds of processor time it has used, to about a hundredth.
    pub fn cpu_s(&self) -> f64 {
        let path = format!("/proc/{}/stat", self.child.id());
        let stat = std::fs::read_to_string(path).expect("it runs");
        // Behind the name, which may hold anything: field 3 comes first, 14 and 15 are ticks.
        let (_, fields) = stat.rsplit_once(") ").expect("a name");
        let fields = fields.split(' ').skip(11).take(2);
        let ticks: u64 = fields
            .map(|field| field.parse::<u64>().expect("ticks"))
            .sum();
        ticks as f64 / 100.0
    }

    /// Sends the signal; the process goes on.
    pub fn signal(&self, signal: &str) {
        let kill = format!("kill -{signal} {}", self.child.id());
        let sent = Command::new("sh").args(["-c", &kill]).status();
        assert!(sent.expect("sh runs").success());
    }

    /// Sends the signal and returns the exit code and what else was printed.
    pub fn end(mut self, signal: &str) -> (Option<i32>, String) {
        self.signal(signal);
        let mut rest = String::new();
        self.printed.read_to_string(&mut rest).expect("text");
        (self.child.wait().expect("it ends").code(), rest)
    }
}

impl Drop for HubProcess {
    fn drop(&mut self) {
        // It has ended already unless the test failed.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
