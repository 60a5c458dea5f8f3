//! Events to standard error, as the config says. User content is never logged.

use std::io::{self, IsTerminal};
use std::panic;
use std::sync::OnceLock;

use tracing::error;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::SubscriberBuilder;

use super::lines::Lines;
use crate::config::{LogConfig, LogFormat};

/// What this process logs to, once it does.
static LINES: OnceLock<Lines> = OnceLock::new();

/// Writes what is logged before it is dropped, at the end of the process.
#[derive(Debug)]
#[must_use = "what is logged last is written when it is dropped"]
pub struct Logging(());

impl Drop for Logging {
    fn drop(&mut self) {
        if let Some(lines) = LINES.get() {
            lines.finish();
        }
    }
}

/// Starts logging, panics included, for the rest of the process; if something else logs already,
/// that stays. Errors: the system gives no thread.
pub fn init(config: &LogConfig) -> io::Result<Logging> {
    let filter = EnvFilter::try_new(&config.filter).unwrap_or_else(|_| EnvFilter::new("info"));
    let lines = Lines::to(io::stderr())?;
    let builder = SubscriberBuilder::default()
        .with_env_filter(filter)
        .with_ansi(is_for_eyes())
        .with_writer(lines.clone());
    let started = match config.format {
        LogFormat::Text => builder.try_init(),
        LogFormat::Json => builder.json().flatten_event(true).try_init(),
    };
    if started.is_ok() {
        LINES.get_or_init(|| lines);
        panic::set_hook(Box::new(log_panic));
    }
    Ok(Logging(()))
}

/// Colours are for a terminal, and not for who wants none (no-color.org).
fn is_for_eyes() -> bool {
    io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|none| none.is_empty())
}

/// Lines that this process did not log, since nobody took those before.
pub fn dropped() -> u64 {
    LINES.get().map_or(0, Lines::dropped)
}

/// Where it happened and what it says: an assert's message holds states, not user content.
fn log_panic(info: &panic::PanicHookInfo<'_>) {
    let at = info.location().map(ToString::to_string).unwrap_or_default();
    let message = info.payload_as_str().unwrap_or("no message");
    error!(at, message, "panic");
}
