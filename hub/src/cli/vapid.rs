//! `hub vapid`: a new key pair for Web Push, as the configuration has it, on standard output.

use std::io::Write;

use syncline_compute::push::VapidKeys;

use super::CliError;

pub(super) fn run() -> Result<(), CliError> {
    let keys = VapidKeys::generate().map_err(CliError::Vapid)?;
    let mut out = std::io::stdout();
    writeln!(
        out,
        "# Whom push services know this hub by. Keep it: with another key every browser"
    )?;
    writeln!(
        out,
        "# must subscribe anew. Also as HUB__PUSH__PRIVATE_KEY."
    )?;
    writeln!(out, "[push]")?;
    writeln!(out, "private_key = \"{}\"", keys.private_key())?;
    writeln!(out, "contact = \"mailto:you@example.com\"")?;
    writeln!(
        out,
        "# What browsers subscribe with; GET /api/v1/devices tells it too:"
    )?;
    writeln!(out, "# {}", keys.public_key())?;
    Ok(())
}
