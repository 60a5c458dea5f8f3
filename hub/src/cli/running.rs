//! What commands that wait share: a runtime, and the signals that end them.

use std::time::Duration;

use tokio::runtime;
use tokio::signal::unix::{Signal, SignalKind, signal};

/// A worker looks for what has arrived after so many polls of tasks, if it has no pause before.
/// Of sockets that have much to say each poll is a full turn of some milliseconds, so others
/// would wait for all of these.
const POLLS_BETWEEN_LOOKS: u32 = 8;

/// What is still running when the work has ended is waited for so long: nobody needs its outcome.
/// A name server that does not answer holds up a look-up for many seconds.
const LEFTOVERS: Duration = Duration::from_millis(100);

/// Runs it, and ends soon after it did, whatever it left running.
pub(super) fn run_to_its_end<T>(work: impl Future<Output = T>) -> std::io::Result<T> {
    let runtime = runtime::Builder::new_multi_thread()
        .enable_all()
        .event_interval(POLLS_BETWEEN_LOOKS)
        .build()?;
    let outcome = runtime.block_on(work);
    runtime.shutdown_timeout(LEFTOVERS);
    Ok(outcome)
}

/// The signals that ask for an end. From its making on none is lost.
pub(super) struct Signals {
    terminate: Signal,
    interrupt: Signal,
    /// A file that may not grow is an error of the write; unheard, this would end the process.
    _outgrown: Signal,
}

impl Signals {
    pub(super) fn new() -> std::io::Result<Signals> {
        Ok(Signals {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            _outgrown: signal(SignalKind::from_raw(libc::SIGXFSZ))?,
        })
    }

    /// The next signal's name.
    pub(super) async fn next(&mut self) -> &'static str {
        tokio::select! {
            _ = self.terminate.recv() => "SIGTERM",
            _ = self.interrupt.recv() => "SIGINT",
        }
    }
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
