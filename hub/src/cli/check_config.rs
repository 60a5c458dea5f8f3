//! `hub check-config`: what the node would run with.

use std::io::Write;

use super::CliError;
use crate::config::Config;

pub(super) fn run(config: &Config) -> Result<(), CliError> {
    let mut out = std::io::stdout().lock();
    writeln!(out, "# the configuration is good")?;
    write!(out, "{}", config.settings())?;
    Ok(())
}
