//! `hub serve`: the node, from its start to a signal.

use std::io::Write;
use std::time::Duration;

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

/// What is still running when the node has stopped is waited for so long: nobody needs its outcome.
/// A name server that does not answer holds up a look-up for many seconds.
const LEFTOVERS: Duration = Duration::from_millis(100);

pub(super) fn run(config: Config) -> Result<(), CliError> {
    // What is logged to the very end is written when this is dropped.
    let _logging = logs::init(&config.log)?;
    run_to_its_end(serve(config))?
}

/// Runs it, and ends soon after it did, whatever it left running.
fn run_to_its_end<T>(work: impl Future<Output = T>) -> std::io::Result<T> {
    let runtime = runtime::Builder::new_multi_thread()
        .enable_all()
        .event_interval(POLLS_BETWEEN_LOOKS)
        .build()?;
    let outcome = runtime.block_on(work);
    runtime.shutdown_timeout(LEFTOVERS);
    Ok(outcome)
}

async fn serve(config: Config) -> Result<(), CliError> {
    // Before anything is bound: from here on a signal is never lost.
    let mut signals = Signals::new()?;
    // A file that may not grow is an error of the write; unheard, the signal would end the hub.
    let _outgrown = signal(SignalKind::from_raw(libc::SIGXFSZ))?;
    let mut hangups = signal(SignalKind::hangup())?;
    let public_metrics = config.metrics.public;
    let app = tokio::select! {
        app = App::start(config) => app?,
        // The store may keep it waiting.
        name = signals.next() => {
            info!(signal = name, "stopped while it started");
            return Ok(());
        }
    };
    if app.dev_issuer().is_some() {
        let text = welcome(&app, public_metrics);
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

fn welcome(app: &App, public_metrics: bool) -> String {
    let (public, admin) = (app.public_addr(), app.admin_addr());
    let scheme = match app.tls() {
        Some(_) => "https",
        None => "http",
    };
    let metrics = match public_metrics {
        true => format!("{scheme}://{public}"),
        false => format!("http://{admin}"),
    };
    format!(
        "
  Syncline runs at {scheme}://{public}  (admin: http://{admin})

  Get a token, valid for an hour:
    curl -s -d '{{\"user\":\"ada\",\"ttl_s\":3600}}' {scheme}://{public}/dev/token
  Look around:
    curl -s {scheme}://{public}/
    curl -s {scheme}://{public}/health
    curl -s {metrics}/metrics
  Stop with Ctrl-C. The README shows two devices in sync.

"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_does_not_wait_for_what_nobody_needs() {
        let (answer, answered) = std::sync::mpsc::channel::<()>();
        let outcome = run_to_its_end(async move {
            let (begins, began) = tokio::sync::oneshot::channel();
            tokio::task::spawn_blocking(move || {
                begins.send(()).unwrap();
                answered.recv()
            });
            began.await.unwrap();
            7
        });
        assert_eq!(outcome.unwrap(), 7);
        // Until now it had none.
        drop(answer);
    }
}
