//! `hub serve`: the node, from its start to a signal.

use std::io::Write;

use tokio::signal::unix::{SignalKind, signal};
use tracing::{error, info};

use super::CliError;
use super::running::{Signals, run_to_its_end};
use crate::app::App;
use crate::config::Config;
use crate::telemetry::logs;

pub(super) fn run(config: Config) -> Result<(), CliError> {
    // What is logged to the very end is written when this is dropped.
    let _logging = logs::init(&config.log)?;
    run_to_its_end(serve(config))?
}

async fn serve(config: Config) -> Result<(), CliError> {
    // Before anything is bound: from here on a signal is never lost.
    let mut signals = Signals::new()?;
    let mut hangups = signal(SignalKind::hangup())?;
    let shown = Shown {
        public_metrics: config.metrics.public,
        has_files: config.web.dir.is_some(),
    };
    let app = tokio::select! {
        app = App::start(config) => app?,
        // The store may keep it waiting.
        name = signals.next() => {
            info!(signal = name, "stopped while it started");
            return Ok(());
        }
    };
    if app.dev_issuer().is_some() {
        let text = welcome(&app, &shown);
        // A closed standard output does not stop a hub.
        let _ = std::io::stdout().write_all(text.as_bytes());
    }
    let name = loop {
        tokio::select! {
            name = signals.next() => break name,
            _ = hangups.recv() => read_again(&app),
        }
    };
    info!(signal = name, "stopping");
    // A task of its own: given up, it does not hold up this thread while it is taken apart.
    let stopping = tokio::spawn(app.shutdown());
    tokio::select! {
        _ = stopping => {}
        // Whoever asks twice does not want to wait.
        name = signals.next() => info!(signal = name, "stopped at once"),
    }
    Ok(())
}

/// SIGHUP: what may change while a node runs is its certificate.
fn read_again(app: &App) {
    match app.tls().map(|tls| tls.reload()) {
        Some(Ok(())) => info!("certificate read again"),
        Some(Err(error)) => error!(%error, "the certificate of before stays"),
        None => info!("nothing to read again: SIGHUP is for the certificate of [tls]"),
    }
}

/// What the public listener shows besides sync.
struct Shown {
    public_metrics: bool,
    has_files: bool,
}

fn welcome(app: &App, shown: &Shown) -> String {
    let (public, admin) = (app.public_addr(), app.admin_addr());
    let scheme = match app.tls() {
        Some(_) => "https",
        None => "http",
    };
    let metrics = match shown.public_metrics {
        true => format!("{scheme}://{public}"),
        false => format!("http://{admin}"),
    };
    let open = match shown.has_files {
        true => format!("  Open it in a browser: {scheme}://{public}/\n\n"),
        false => String::new(),
    };
    format!(
        "
  Syncline runs at {scheme}://{public}  (admin: http://{admin})

{open}  Get a token, valid for an hour:
    curl -s -d '{{\"user\":\"ada\",\"ttl_s\":3600}}' {scheme}://{public}/dev/token
  Look around:
    curl -s {scheme}://{public}/
    curl -s {scheme}://{public}/health
    curl -s {metrics}/metrics
  Stop with Ctrl-C. The README shows two devices in sync.

"
    )
}
