//! Reading the sources: which file, which variables, and errors that say which of them is wrong.

use std::path::{Path, PathBuf};

use config::{
    ConfigBuilder, ConfigError as SourceError, Environment, File, FileFormat, Map, Source, Value,
    ValueKind,
};

use super::{Config, Problems};

/// Read from the working directory if no other file is named. It need not exist.
pub const DEFAULT_FILE: &str = "hub.toml";

/// Before every variable of ours.
pub const ENV_PREFIX: &str = "HUB";

/// Where settings come from.
#[derive(Clone, Debug, Default)]
pub struct Sources {
    /// The file; it must exist. `None` takes `hub.toml` if there is one.
    pub file: Option<PathBuf>,
    /// Variables, those of others included. An empty value counts as not set.
    pub env: Vec<(String, String)>,
    /// `--dev` was given.
    pub dev: bool,
}

/// The configuration cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// A file that is not there, not readable or not TOML, or a value of the wrong type, or an
    /// unknown key.
    #[error("{origin}: {message}")]
    Read {
        /// The file's path, or the environment.
        origin: String,
        /// What is wrong, with the key.
        message: String,
    },
    /// Values that can be read but not used.
    #[error("{0}")]
    Invalid(#[from] Problems),
}

impl Config {
    /// Defaults, then the file, then the environment, then the checks.
    pub fn load(sources: &Sources) -> Result<Config, ConfigError> {
        let file = builder().add_source(file_source(sources.file.as_deref()));
        // The file alone first: a wrong value in it is then the file's, whoever overrides it.
        read(
            file.clone(),
            &file_name(sources.file.as_deref()),
            str::to_owned,
        )?;
        let env = Environment::with_prefix(ENV_PREFIX)
            .prefix_separator("__")
            .separator("__")
            .ignore_empty(true)
            .source(Some(sources.env.iter().cloned().collect()));
        let mut config = read(file.add_source(env), "environment", variable)?;
        config.auth.dev |= sources.dev;
        config.validate()?;
        Ok(config)
    }
}

type Builder = ConfigBuilder<config::builder::DefaultState>;

fn builder() -> Builder {
    config::Config::builder()
}

fn file_source(named: Option<&Path>) -> File<config::FileSourceFile, FileFormat> {
    let path = named.unwrap_or(Path::new(DEFAULT_FILE));
    File::new(&path.to_string_lossy(), FileFormat::Toml).required(named.is_some())
}

fn file_name(named: Option<&Path>) -> String {
    named.map_or(DEFAULT_FILE.into(), |path| path.display().to_string())
}

fn read(
    builder: Builder,
    origin: &str,
    name_of: impl Fn(&str) -> String,
) -> Result<Config, ConfigError> {
    let failed = |messages: &[String]| ConfigError::Read {
        origin: origin.to_owned(),
        message: messages.join(&format!("\n{origin}: ")),
    };
    let built = builder
        .build()
        .map_err(|error| failed(&[message(error, &name_of)]))?;
    let each = built.collect().unwrap_or_default();
    built.try_deserialize().map_err(|first| {
        let mut messages: Vec<String> = leaves(each)
            .filter_map(|(key, value)| refusal_of(&key, value))
            .map(|error| message(error, &name_of))
            .collect();
        messages.sort_unstable();
        if messages.is_empty() {
            messages.push(message(first, &name_of));
        }
        failed(&messages)
    })
}

/// Every key that is set, with its value.
fn leaves(tables: Map<String, Value>) -> impl Iterator<Item = (String, Value)> {
    tables
        .into_iter()
        .flat_map(|(key, value)| match value.kind.clone() {
            ValueKind::Table(members) => members
                .into_iter()
                .map(|(name, value)| (format!("{key}.{name}"), value))
                .collect::<Vec<_>>(),
            _ => vec![(key, value)],
        })
}

/// Why one value cannot be used, be the others as they may.
fn refusal_of(key: &str, value: Value) -> Option<SourceError> {
    let alone = builder().set_override(key, value).and_then(Builder::build);
    alone
        .and_then(config::Config::try_deserialize::<Config>)
        .err()
}

/// The error with the key first, named as its source names it.
fn message(error: SourceError, name_of: &impl Fn(&str) -> String) -> String {
    let (key, why) = match error {
        SourceError::At { error, key, .. } => (key, error.to_string()),
        SourceError::Type {
            unexpected,
            expected,
            key,
            ..
        } => (key, format!("{unexpected} is not {expected}")),
        other => (None, other.to_string()),
    };
    match key {
        Some(key) => format!("{}: {why}", name_of(&key)),
        None => why,
    }
}

/// The variable that sets a key: `auth.jwks_url` is `HUB__AUTH__JWKS_URL`.
pub fn variable(key: &str) -> String {
    format!("{ENV_PREFIX}__{}", key.to_uppercase().replace('.', "__"))
}
