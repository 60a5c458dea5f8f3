//! A service that a script of this directory runs: it ends with this, however this ends.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};

const DIRECTORY: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/services/");

/// A running service.
#[derive(Debug)]
pub(crate) struct Service(Mutex<Script>);

#[derive(Debug)]
struct Script {
    child: Child,
    /// The script ends when this does.
    commands: Option<ChildStdin>,
    answers: BufReader<ChildStdout>,
}

impl Service {
    /// Runs a script, and returns the URL it says, which begins so.
    pub(crate) fn run(script: &str, args: &[&str], scheme: &str) -> (Service, String) {
        let mut child = Command::new(format!("{DIRECTORY}{script}"))
            .arg("run")
            .args(args)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("the script runs");
        let mut script = Script {
            commands: child.stdin.take(),
            answers: BufReader::new(child.stdout.take().expect("it is piped")),
            child,
        };
        let url = script.answer();
        assert!(url.starts_with(scheme), "no server: {url:?}");
        (Service(Mutex::new(script)), url)
    }

    /// Gives the script a command, and waits until it is done.
    pub(crate) fn tell(&self, command: &str) {
        let mut script = self.lock();
        let commands = script.commands.as_mut().expect("it runs");
        writeln!(commands, "{command}").expect("the script reads");
        assert_eq!(script.answer(), "ok", "{command}");
    }

    fn lock(&self) -> MutexGuard<'_, Script> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        let mut script = self.lock();
        script.commands = None;
        // It takes the directory away; if it cannot, there is nobody to tell.
        let _ = script.child.wait();
    }
}

impl Script {
    fn answer(&mut self) -> String {
        let mut line = String::new();
        self.answers.read_line(&mut line).expect("text");
        line.trim_end().to_owned()
    }
}
