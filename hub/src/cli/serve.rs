//! `hub serve`: the node, from its start to a signal.

use std::io::Write;

use tokio::runtime;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tracing::{error, info};

use super::CliError;
use crate::app::App;
use crate::config::Config;
use crate::telemetry::logs;

/// A worker looks for what has arrived after so many polls of tasks, if it has no pause before.
/// Of sockets that have much to say each poll is a full turn of some milliseconds, so others
/// would wait for all of these.
const POLLS_BETWEEN_LOOKS: u32 = 8;

pub(super) fn run(config: Config) -> Result<(), CliError> {
    logs::init(&config.log);
    let runtime = runtime::Builder::new_multi_thread()
        .enable_all()
        .event_interval(POLLS_BETWEEN_LOOKS)
        .build()?;
    runtime.block_on(serve(config))
}

async fn serve(config: Config) -> Result<(), CliError> {
    // Before anything is bound: from here on a signal is never lost.
    let mut signals = Signals::new()?;
    let mut hangups = hangups(&config)?;
    let app = App::start(config).await?;
    if app.dev_issuer().is_some() {
        // A closed standard output does not stop a hub.
        let _ = std::io::stdout().write_all(welcome(&app).as_bytes());
    }
    let name = loop {
        tokio::select! {
            name = signals.next() => break name,
            () = next_of(&mut hangups) => read_certificate(&app),
        }
    };
    info!(signal = name, "stopping");
    tokio::select! {
        () = app.shutdown() => {}
        // Whoever asks twice does not want to wait.
        _ = signals.next() => {}
    }
    Ok(())
}

/// With TLS, SIGHUP has the certificate read again; without, it ends the process as it does
/// any other.
fn hangups(config: &Config) -> std::io::Result<Option<Signal>> {
    let files = config.tls.files();
    files.map(|_| signal(SignalKind::hangup())).transpose()
}

/// The next signal of a kind that may never come.
async fn next_of(signals: &mut Option<Signal>) {
    match signals {
        Some(signals) => drop(signals.recv().await),
        None => std::future::pending().await,
    }
}

fn read_certificate(app: &App) {
    match app.tls().map(|tls| tls.reload()) {
        Some(Ok(())) => info!("certificate read again"),
        Some(Err(error)) => error!(%error, "the certificate of before stays"),
        None => {}
    }
}

struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    fn new() -> std::io::Result<Signals> {
        Ok(Signals {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
        })
    }

    /// The next signal's name.
    async fn next(&mut self) -> &'static str {
        tokio::select! {
            _ = self.terminate.recv() => "SIGTERM",
            _ = self.interrupt.recv() => "SIGINT",
        }
    }
}

fn welcome(app: &App) -> String {
    let (public, admin) = (app.public_addr(), app.admin_addr());
    let scheme = match app.tls() {
        Some(_) => "https",
        None => "http",
    };
    format!(
        "
  Syncline runs at {scheme}://{public}  (admin: http://{admin})

  Get a token, valid for an hour:
    curl -s -d '{{\"user\":\"ada\",\"ttl_s\":3600}}' {scheme}://{public}/dev/token
  Look around:
    curl -s {scheme}://{public}/
    curl -s {scheme}://{public}/health
    curl -s {scheme}://{public}/metrics
  Stop with Ctrl-C. The README shows two devices in sync.

"
    )
}
