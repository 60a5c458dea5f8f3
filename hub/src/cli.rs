//! The commands. Each is a file; this one reads the line and picks.

use std::ffi::OsString;
use std::fmt;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use syncline_protocol::error::Refusal;

use crate::app::StartError;
use crate::auth::DevKeyError;
use crate::config::source::Sources;
use crate::config::{Config, ConfigError, Role};

mod check_config;
mod new_epoch;
mod running;
mod serve;
mod token;
mod transfer;
mod vapid;

pub use self::transfer::TransferError;

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
    /// Write everything that the store holds into a file, also while a hub runs.
    Export(ExportArgs),
    /// Bring everything of such a file, or of another server, into an empty store, or go on with it.
    Import(ImportArgs),
    /// Read such a file and say whether it is whole.
    Verify(VerifyArgs),
    /// Tell the devices of a store that was restored as it was: give each space a new epoch.
    NewEpoch(NewEpochArgs),
    /// Print a new key pair for Web Push.
    Vapid,
}

#[derive(Clone, Debug, Args)]
struct Settings {
    /// The configuration file; default: hub.toml, if there is one.
    #[arg(long, value_name = "PATH")]
    config: Option<PathBuf>,
    /// Run the development issuer, which gives anyone a token for any user. Loopback only.
    #[arg(long)]
    dev: bool,
    /// What this node is there for, in place of what the configuration says: sync, compute.
    #[arg(long, value_name = "ROLES", value_delimiter = ',')]
    roles: Vec<Role>,
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

#[derive(Clone, Debug, Args)]
struct ExportArgs {
    /// The configuration file; default: hub.toml, if there is one.
    #[arg(long, value_name = "PATH")]
    config: Option<PathBuf>,
    /// The file to write; - is the standard output.
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
}

#[derive(Clone, Debug, Args)]
struct ImportArgs {
    /// The configuration file; default: hub.toml, if there is one.
    #[arg(long, value_name = "PATH")]
    config: Option<PathBuf>,
    /// The file to read, twice: first to verify it.
    #[arg(long = "in", value_name = "FILE", required_unless_present = "from")]
    file: Option<PathBuf>,
    /// The server to take everything from, in place of a file.
    #[arg(long, value_name = "SERVER", conflicts_with = "file", requires = "url")]
    from: Option<OtherServer>,
    /// That server's database: postgres://…
    #[arg(
        value_name = "POSTGRES_URL",
        requires = "from",
        conflicts_with = "file"
    )]
    url: Option<DatabaseUrl>,
}

/// A server that can be left.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum OtherServer {
    /// The first user's old server.
    SyncChanges,
}

/// It may hold a password.
#[derive(Clone)]
struct DatabaseUrl(String);

impl fmt::Debug for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("…")
    }
}

impl From<String> for DatabaseUrl {
    fn from(url: String) -> DatabaseUrl {
        DatabaseUrl(url)
    }
}

#[derive(Clone, Debug, Args)]
struct VerifyArgs {
    /// The file to read; - is the standard input.
    #[arg(long = "in", value_name = "FILE")]
    file: PathBuf,
}

#[derive(Clone, Debug, Args)]
struct NewEpochArgs {
    /// The configuration file; default: hub.toml, if there is one.
    #[arg(long, value_name = "PATH")]
    config: Option<PathBuf>,
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
    /// There is no key pair.
    #[error("no key pair was made: {0}")]
    Vapid(syncline_compute::push::KeyError),
    /// `token` without `--dev`.
    #[error("hub token signs with the development issuer's key: add --dev")]
    NeedsDev,
    /// An archive was not written, not read or not brought in, or a store not moved on.
    #[error(transparent)]
    Transfer(#[from] TransferError),
    /// The system gives no threads, signals or output.
    #[error(transparent)]
    System(#[from] std::io::Error),
}

impl CliError {
    /// The exit code of the program.
    pub fn exit_code(&self) -> u8 {
        match self {
            CliError::Transfer(error) => error.exit_code(),
            _ => 1,
        }
    }
}

impl Cli {
    /// Carries out the command. `env` are the process's variables.
    pub fn run(self, env: impl Iterator<Item = (OsString, OsString)>) -> Result<(), CliError> {
        let env = env.collect();
        match self.command {
            Command::Serve(settings) => serve::run(settings.load(env)?),
            Command::CheckConfig(settings) => check_config::run(&settings.load(env)?),
            Command::Token(args) => token::run(&args, env),
            Command::Export(args) => {
                let config = for_store(args.config, env)?;
                Ok(transfer::run_export(&config, &args.out)?)
            }
            Command::Import(args) => {
                let config = for_store(args.config, env)?;
                match (args.from, args.url, args.file) {
                    (Some(OtherServer::SyncChanges), Some(DatabaseUrl(url)), _) => {
                        Ok(transfer::run_import_log(&config, &url)?)
                    }
                    (_, _, Some(file)) => Ok(transfer::run_import(&config, &file)?),
                    _ => unreachable!("the line has a file, or a server and its URL"),
                }
            }
            Command::Vapid => vapid::run(),
            Command::Verify(args) => Ok(transfer::run_verify(&args.file)?),
            Command::NewEpoch(args) => {
                let config = for_store(args.config, env)?;
                Ok(new_epoch::run(&config)?)
            }
        }
    }
}

impl Settings {
    fn load(&self, env: Vec<(OsString, OsString)>) -> Result<Config, ConfigError> {
        Config::load(&Sources {
            file: self.config.clone(),
            env,
            dev: self.dev,
            roles: self.roles.clone(),
        })
    }
}

fn for_store(file: Option<PathBuf>, env: Vec<(OsString, OsString)>) -> Result<Config, ConfigError> {
    Config::load_for_store(&Sources {
        file,
        env,
        ..Sources::default()
    })
}

#[cfg(test)]
mod tests;
