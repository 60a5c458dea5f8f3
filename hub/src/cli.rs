//! The commands. Each is a file; this one reads the line and picks.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};
use syncline_protocol::error::Refusal;

use crate::app::StartError;
use crate::auth::DevKeyError;
use crate::config::source::Sources;
use crate::config::{Config, ConfigError};

mod check_config;
mod serve;
mod token;

/// Syncline: a realtime sync hub for local-first apps.
#[derive(Clone, Debug, Parser)]
#[command(name = "hub", version)]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Clone, Debug, Subcommand)]
enum Command {
    /// Run the node until SIGTERM or SIGINT.
    Serve(Settings),
    /// Read the configuration, say what is wrong with it, and start nothing.
    CheckConfig(Settings),
    /// Print a token of the development issuer.
    Token(TokenArgs),
}

#[derive(Clone, Debug, Args)]
struct Settings {
    /// The configuration file; default: hub.toml, if there is one.
    #[arg(long, value_name = "PATH")]
    config: Option<PathBuf>,
    /// Run the development issuer, which gives anyone a token for any user. Loopback only.
    #[arg(long)]
    dev: bool,
}

#[derive(Clone, Debug, Args)]
struct TokenArgs {
    #[command(flatten)]
    settings: Settings,
    /// Whom the token speaks for.
    #[arg(long)]
    user: String,
    /// Seconds until it expires.
    #[arg(long, value_name = "S", default_value_t = 3_600)]
    ttl: u64,
}

/// A command failed. The text is for the person at the terminal.
#[derive(Debug, thiserror::Error)]
pub enum CliError {
    /// The configuration cannot be used.
    #[error("configuration: {0}")]
    Config(#[from] ConfigError),
    /// The node cannot start.
    #[error("cannot start: {0}")]
    Start(#[from] StartError),
    /// The development issuer has no key.
    #[error("development issuer: {0}")]
    DevKey(#[from] DevKeyError),
    /// The development issuer refuses.
    #[error("{0}")]
    Refused(#[from] Refusal),
    /// `token` without `--dev`.
    #[error("hub token signs with the development issuer's key: add --dev")]
    NeedsDev,
    /// The system gives no threads, signals or output.
    #[error(transparent)]
    System(#[from] std::io::Error),
}

impl Cli {
    /// Carries out the command. `env` are the process's variables.
    pub fn run(self, env: impl Iterator<Item = (OsString, OsString)>) -> Result<(), CliError> {
        let env = env.collect();
        match self.command {
            Command::Serve(settings) => serve::run(settings.load(env)?),
            Command::CheckConfig(settings) => check_config::run(&settings.load(env)?),
            Command::Token(args) => token::run(&args, env),
        }
    }
}

impl Settings {
    fn load(&self, env: Vec<(OsString, OsString)>) -> Result<Config, ConfigError> {
        Config::load(&Sources {
            file: self.config.clone(),
            env,
            dev: self.dev,
        })
    }
}

#[cfg(test)]
mod tests;
