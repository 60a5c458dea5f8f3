//! The configuration as an operator writes it.

mod across;
mod jobs;
mod limits;
mod nats;
mod reading;
mod refusing;
mod showing;
mod stores;
mod telemetry;

use std::fs;
use std::path::PathBuf;

use super::source::Sources;
use super::*;
use crate::auth::Algorithm;

const JWKS: (&str, &str) = ("HUB__AUTH__JWKS_URL", "https://issuer.example/jwks");

/// What a file with `toml` and the variables `env` load to.
fn load(toml: &str, env: &[(&str, &str)]) -> Result<Config, String> {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("my.toml");
    fs::write(&file, toml).unwrap();
    let env = env.iter().chain([&JWKS]);
    let sources = Sources {
        file: Some(file),
        env: env.map(|(k, v)| ((*k).into(), (*v).into())).collect(),
        ..Sources::default()
    };
    Config::load(&sources).map_err(|error| error.to_string())
}

fn refused(toml: &str, env: &[(&str, &str)]) -> String {
    load(toml, env).expect_err("it should be refused")
}
