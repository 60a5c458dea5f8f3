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
        let mut child = command
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("hub runs");
        let mut printed = BufReader::new(child.stdout.take().expect("it is piped"));
        let mut line = String::new();
        while !line.contains("http://") {
            line.clear();
            let read = printed.read_line(&mut line).expect("text");
            assert_ne!(read, 0, "it ended without saying where it listens");
        }
        let mut addresses = line.split("http://").skip(1).map(|rest| {
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

    /// Bytes of memory the process holds now.
    pub fn rss_bytes(&self) -> u64 {
        let path = format!("/proc/{}/status", self.child.id());
        let status = std::fs::read_to_string(path).expect("it runs");
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let kib = line.and_then(|line| line.trim().strip_suffix(" kB"));
        kib.expect("its memory").parse::<u64>().expect("a number") << 10
    }

    /// Sends the signal and returns the exit code and what else was printed.
    pub fn end(mut self, signal: &str) -> (Option<i32>, String) {
        let kill = format!("kill -{signal} {}", self.child.id());
        let sent = Command::new("sh").args(["-c", &kill]).status();
        assert!(sent.expect("sh runs").success());
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
