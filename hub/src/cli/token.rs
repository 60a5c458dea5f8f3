//! `hub token`: a token of the development issuer, and nothing else, on standard output.

use std::ffi::OsString;
use std::io::Write;

use super::{CliError, TokenArgs};
use crate::auth::DevIssuer;
use crate::clock::{Clock, SystemClock};

pub(super) fn run(args: &TokenArgs, env: Vec<(OsString, OsString)>) -> Result<(), CliError> {
    if !args.settings.dev {
        return Err(CliError::NeedsDev);
    }
    let config = args.settings.load(env)?;
    let issuer = DevIssuer::open(&config.data_dir, &config.auth)?;
    let token = issuer.token(&args.user, args.ttl, SystemClock.now_ms())?;
    writeln!(std::io::stdout(), "{token}")?;
    Ok(())
}
