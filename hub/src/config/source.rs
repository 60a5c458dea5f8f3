//! Reading the sources: the file, the variables, and errors that say which of them is wrong.

use std::ffi::OsString;
use std::path::PathBuf;

use serde::Deserialize;

use super::file::ConfigFile;
use super::setting::{Table, alone, deserializer, lay, leaves, of_file};
use super::telemetry::of_otel;
use super::variables::{Variable, ours, table};
use super::{Config, Problems, Role};

pub use super::file::DEFAULT_FILE;
pub use super::variables::{ENV_PREFIX, variable};

/// Where settings come from.
#[derive(Clone, Debug, Default)]
pub struct Sources {
    /// The file; it must exist. `None` takes `hub.toml` if there is one.
    pub file: Option<PathBuf>,
    /// Variables, those of others included. An empty value counts as not set.
    pub env: Vec<(OsString, OsString)>,
    /// `--dev` was given.
    pub dev: bool,
    /// What `--roles` says; nothing if it was not given.
    pub roles: Vec<Role>,
}

/// The configuration cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// A file that is not there, not readable or not TOML, or a value of the wrong type, or an
    /// unknown key.
    #[error("{}", lines(origin, messages))]
    Read {
        /// The file's path, or the environment.
        origin: String,
        /// What is wrong, each with its key or variable.
        messages: Vec<String>,
    },
    /// Values that can be read but not used.
    #[error("{0}")]
    Invalid(#[from] Problems),
}

fn lines(origin: &str, messages: &[String]) -> String {
    let lines: Vec<String> = messages
        .iter()
        .map(|message| format!("{origin}: {message}"))
        .collect();
    lines.join("\n")
}

impl Config {
    /// Defaults, then the file, then the environment, then the checks.
    pub fn load(sources: &Sources) -> Result<Config, ConfigError> {
        let config = Config::read_all(sources)?;
        config.validate()?;
        Ok(config)
    }

    /// The same for who needs nothing but the store: a backup runs where no issuer is named.
    pub fn load_for_store(sources: &Sources) -> Result<Config, ConfigError> {
        let config = Config::read_all(sources)?;
        config.validate_store()?;
        Ok(config)
    }

    fn read_all(sources: &Sources) -> Result<Config, ConfigError> {
        // Each source alone first: a wrong value in it is its own, whoever overrides it.
        let mut settings = of_otel(&sources.env);
        lay(
            &mut settings,
            file_settings(&ConfigFile::new(sources.file.as_deref()))?,
        );
        let variables = variables(&sources.env)?;
        lay(&mut settings, table(&variables));
        let mut config = read(settings).map_err(|why| in_environment(vec![why]))?;
        config.auth.dev |= sources.dev;
        if !sources.roles.is_empty() {
            config.roles = super::role::each_once(sources.roles.clone());
        }
        Ok(config)
    }
}

/// What the file sets, each value of which can be read.
fn file_settings(file: &ConfigFile) -> Result<Table, ConfigError> {
    let wrong = |messages| ConfigError::Read {
        origin: file.name(),
        messages,
    };
    let text = file
        .text()
        .map_err(|error| wrong(vec![error.to_string()]))?;
    let parsed: toml::Table = text
        .parse()
        .map_err(|error| wrong(vec![not_toml(&text, &error)]))?;
    let settings = of_file(parsed);
    let refused = leaves(&settings).into_iter().filter_map(|(path, setting)| {
        let why = read(alone(&path, setting)).err()?;
        Some(format!("{}: {why}", path.join(".")))
    });
    let refused: Vec<String> = refused.collect();
    if refused.is_empty() {
        Ok(settings)
    } else {
        Err(wrong(refused))
    }
}

/// Our variables, each of which can be read.
fn variables(env: &[(OsString, OsString)]) -> Result<Vec<Variable>, ConfigError> {
    let variables = ours(env).map_err(in_environment)?;
    let refused = variables.iter().filter_map(|variable| {
        let why = read(variable.alone()).err()?;
        Some(format!("{}: {why}", variable.name))
    });
    let mut refused: Vec<String> = refused.collect();
    if refused.is_empty() {
        return Ok(variables);
    }
    refused.sort_unstable();
    Err(in_environment(refused))
}

fn in_environment(messages: Vec<String>) -> ConfigError {
    ConfigError::Read {
        origin: "environment".into(),
        messages,
    }
}

fn read(settings: Table) -> Result<Config, String> {
    Config::deserialize(deserializer(settings)).map_err(|error| error.to_string())
}

/// Names the line and does not show it: it may hold a secret.
fn not_toml(text: &str, error: &toml::de::Error) -> String {
    let before = error.span().and_then(|span| text.get(..span.start));
    // The parser reads more than 64 bits and finds no type for it.
    let why = match error.message() {
        why if why.contains("i128") || why.contains("u128") => "a number does not fit into 64 bits",
        why => why,
    };
    match before {
        Some(before) => {
            let line = before.matches('\n').count() + 1;
            format!("line {line}: {why}")
        }
        None => why.to_owned(),
    }
}
