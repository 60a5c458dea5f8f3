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
#[derive(Debug)]
pub struct Hub {
    child: Child,
    /// Where it listens.
    pub address: String,
    /// Where it tells of itself, never encrypted.
    admin: String,
    dir: Option<TempDir>,
    /// From its start to the first `/ready`.
    pub started_in: Duration,
}

impl Hub {
    /// Starts one on a new directory.
    pub async fn start(program: &Path) -> anyhow::Result<Hub> {
        Hub::start_with(program, &[]).await
    }

    /// The same, with settings as environment variables without `HUB__`.
    pub async fn start_with(program: &Path, settings: &[(&str, &str)]) -> anyhow::Result<Hub> {
        Hub::start_in(program, TempDir::new()?, settings).await
    }

    /// The same, with a configuration file.
    pub async fn start_of_file(program: &Path, file: &str) -> anyhow::Result<Hub> {
        let dir = TempDir::new()?;
        std::fs::write(dir.path().join("hub.toml"), file)?;
        Hub::start_in(program, dir, &[]).await
    }

    /// Stops it, as an operator does. Returns its directory.
    pub async fn stop(mut self) -> anyhow::Result<TempDir> {
        let id = self.child.id().context("it runs")?;
        let signal = Command::new("kill").arg(id.to_string()).status().await?;
        anyhow::ensure!(signal.success(), "it cannot be stopped");
        self.child.wait().await?;
        self.dir.take().context("a directory")
    }

    async fn start_in(
        program: &Path,
        dir: TempDir,
        settings: &[(&str, &str)],
    ) -> anyhow::Result<Hub> {
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
            // What the hub can do is measured, not what one user may.
            .env("HUB__LIMITS__USER_CHANGES_PER_S", "1000000000")
            .env("HUB__LIMITS__USER_BYTES_PER_S", "68719476736")
            .envs(
                settings
                    .iter()
                    .map(|(name, value)| (format!("HUB__{name}"), value)),
            )
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()?;
        let printed = child.stdout.take().context("it is piped")?;
        let mut lines = BufReader::new(printed).lines();
        let (address, admin) = loop {
            let Some(line) = lines.next_line().await? else {
                bail!("the hub ended at once")
            };
            // http or https://public  (admin: http://admin)
            let mut urls = line.split("://").skip(1);
            if let (Some(public), Some(admin)) = (urls.next(), urls.next()) {
                let public = public.split(' ').next().unwrap_or_default();
                break (public.to_owned(), admin.trim_end_matches(')').to_owned());
            }
        };
        let mut probe = Connection::open(&admin).await?;
        probe.get("/ready", "").await?;
        let started_in = began.elapsed();
        Ok(Hub {
            child,
            address,
            admin,
            dir: Some(dir),
            started_in,
        })
    }

    /// Stops it and starts another on its data.
    pub async fn restart(self, program: &Path) -> anyhow::Result<Hub> {
        self.restart_with(program, &[]).await
    }

    /// The same, with other settings.
    pub async fn restart_with(
        mut self,
        program: &Path,
        settings: &[(&str, &str)],
    ) -> anyhow::Result<Hub> {
        self.child.kill().await?;
        let dir = self.dir.take().context("a directory")?;
        Hub::start_in(program, dir, settings).await
    }

    /// A token for a user.
    pub async fn token(&self, user: &str) -> anyhow::Result<String> {
        let mut connection = Connection::open(&self.address).await?;
        let body = serde_json::json!({"user": user, "ttl_s": 86_400}).to_string();
        let reply = connection.post("/dev/token", "", &body).await?;
        let reply: serde_json::Value = serde_json::from_slice(&reply)?;
        Ok(reply["token"].as_str().context("a token")?.to_owned())
    }

    /// Resident memory in MB.
    pub fn resident_mb(&self) -> anyhow::Result<f64> {
        Ok(self.memory("status", "VmRSS")? / 1_048_576.0)
    }

    /// A line of `/proc/<hub>/<file>` that is given in kB, in bytes: `VmRSS` of `status`, `Pss`
    /// of `smaps_rollup`.
    pub fn memory(&self, file: &str, line: &str) -> anyhow::Result<f64> {
        let id = self.child.id().context("it runs")?;
        let text = std::fs::read_to_string(format!("/proc/{id}/{file}"))?;
        kib_of(&text, line).map(|kib| kib * 1024.0)
    }

    /// A metric without labels.
    pub async fn metric(&self, name: &str) -> anyhow::Result<f64> {
        let mut connection = Connection::open(&self.admin).await?;
        let text = String::from_utf8(connection.get("/metrics", "").await?)?;
        let value = text
            .lines()
            .find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        Ok(value.with_context(|| name.to_owned())?.parse()?)
    }

    /// CPU seconds it has used.
    pub fn cpu_s(&self) -> anyhow::Result<f64> {
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

/// The number of a line such as `VmRSS:   1234 kB`.
pub fn kib_of(text: &str, name: &str) -> anyhow::Result<f64> {
    let line = text.lines().find(|line| line.starts_with(name));
    let number = line.and_then(|line| line.split_whitespace().nth(1));
    Ok(number.with_context(|| name.to_owned())?.parse()?)
}
