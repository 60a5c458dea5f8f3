//! A hub process in a directory of its own.

use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};

use crate::http::Connection;

/// A running hub with the development issuer.
pub(crate) struct Hub {
    child: Child,
    /// Where it listens.
    pub(crate) address: String,
    dir: Option<TempDir>,
    /// From its start to the first `/ready`.
    pub(crate) started_in: Duration,
}

impl Hub {
    /// Starts one on a new directory.
    pub(crate) async fn start(program: &Path) -> anyhow::Result<Hub> {
        Hub::start_in(program, TempDir::new()?).await
    }

    async fn start_in(program: &Path, dir: TempDir) -> anyhow::Result<Hub> {
        let program = program
            .canonicalize()
            .context("build it: cargo build --release")?;
        let began = Instant::now();
        let mut child = Command::new(program)
            .args(["serve", "--dev"])
            .current_dir(dir.path())
            .env_clear()
            .env("HUB__LISTEN", "127.0.0.1:0")
            .env("HUB__ADMIN_LISTEN", "127.0.0.1:0")
            .env("HUB__LOG__FILTER", "error")
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()?;
        let printed = child.stdout.take().context("it is piped")?;
        let mut lines = BufReader::new(printed).lines();
        let address = loop {
            let Some(line) = lines.next_line().await? else {
                bail!("the hub ended at once")
            };
            if let Some(rest) = line.split("http://").nth(1) {
                break rest.split(' ').next().unwrap_or_default().to_owned();
            }
        };
        let mut probe = Connection::open(&address).await?;
        probe.get("/ready", "").await?;
        let started_in = began.elapsed();
        Ok(Hub {
            child,
            address,
            dir: Some(dir),
            started_in,
        })
    }

    /// Stops it and starts another on its data.
    pub(crate) async fn restart(mut self, program: &Path) -> anyhow::Result<Hub> {
        self.child.kill().await?;
        let dir = self.dir.take().context("a directory")?;
        Hub::start_in(program, dir).await
    }

    /// A token for a user.
    pub(crate) async fn token(&self, user: &str) -> anyhow::Result<String> {
        let mut connection = Connection::open(&self.address).await?;
        let body = serde_json::json!({"user": user, "ttl_s": 86_400}).to_string();
        let reply = connection.post("/dev/token", "", &body).await?;
        let reply: serde_json::Value = serde_json::from_slice(&reply)?;
        Ok(reply["token"].as_str().context("a token")?.to_owned())
    }

    /// Resident memory in MB.
    pub(crate) fn resident_mb(&self) -> anyhow::Result<f64> {
        let id = self.child.id().context("it runs")?;
        let status = std::fs::read_to_string(format!("/proc/{id}/status"))?;
        let line = status
            .lines()
            .find(|line| line.starts_with("VmRSS"))
            .context("VmRSS")?;
        let kib: f64 = line
            .split_whitespace()
            .nth(1)
            .context("a number")?
            .parse()?;
        Ok(kib / 1024.0)
    }

    /// CPU seconds it has used.
    pub(crate) fn cpu_s(&self) -> anyhow::Result<f64> {
        let id = self.child.id().context("it runs")?;
        let stat = std::fs::read_to_string(format!("/proc/{id}/stat"))?;
        let fields = stat.rsplit(')').next().context("fields")?;
        let ticks = |at: usize| -> anyhow::Result<f64> {
            Ok(fields
                .split_whitespace()
                .nth(at)
                .context("a field")?
                .parse()?)
        };
        // User and system time, in ticks of 10 ms.
        Ok((ticks(11)? + ticks(12)?) / 100.0)
    }
}
