//! The log's way out: a bounded queue and a thread that writes.
//!
//! Whoever logs never waits for the reader of the log, and never learns that there is none: a log
//! that nobody takes, or a disk that is full, costs lines and no service. (`tracing-appender` is
//! nearly this, but says on standard error, and waits for it, that standard error is stuck.)

use std::io::{self, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;
use std::time::Duration;

use tracing_subscriber::fmt::MakeWriter;

/// Lines that wait to be written. One more is dropped.
const WAITING_MAX: usize = 1_024;

/// How long the end waits for the lines before it.
const LAST_WITHIN: Duration = Duration::from_secs(1);

enum Message {
    Line(Vec<u8>),
    /// Answered when all before it is written.
    Last(SyncSender<()>),
}

/// Where lines go. Clones share it.
#[derive(Clone, Debug)]
pub(super) struct Lines {
    queue: SyncSender<Message>,
    dropped: Arc<AtomicU64>,
}

impl Lines {
    /// Lines that a thread writes to `out`. Errors: the system gives no thread.
    pub(super) fn to(out: impl Write + Send + 'static) -> io::Result<Lines> {
        let (queue, lines) = sync_channel(WAITING_MAX);
        let named = thread::Builder::new().name("log".to_owned());
        named.spawn(move || write(&lines, out))?;
        let dropped = Arc::default();
        Ok(Lines { queue, dropped })
    }

    /// Lines that found no place so far.
    pub(super) fn dropped(&self) -> u64 {
        self.dropped.load(Ordering::Relaxed)
    }

    /// Returns when what was logged before is written, or soon.
    pub(super) fn finish(&self) {
        let (written, is_written) = sync_channel(1);
        if self.queue.try_send(Message::Last(written)).is_ok() {
            let _ = is_written.recv_timeout(LAST_WITHIN);
        }
    }
}

fn write(lines: &Receiver<Message>, mut out: impl Write) {
    for message in lines {
        // A reader that is gone, a disk that is full: the next line may fare better.
        let _ = match message {
            Message::Line(line) => out.write_all(&line),
            Message::Last(written) => {
                let flushed = out.flush();
                let _ = written.try_send(());
                flushed
            }
        };
    }
}

impl Write for Lines {
    /// Takes one line, which the caller has put together. It is never an error.
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        if self.queue.try_send(Message::Line(line.to_vec())).is_err() {
            self.dropped.fetch_add(1, Ordering::Relaxed);
        }
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl MakeWriter<'_> for Lines {
    type Writer = Lines;

    fn make_writer(&self) -> Lines {
        self.clone()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;
    use std::sync::mpsc::channel;

    use super::*;

    #[derive(Clone, Default)]
    struct Kept(Arc<Mutex<Vec<u8>>>);

    impl Write for Kept {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().extend(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    /// Fails every other time.
    struct Flaky(Kept, bool);

    impl Write for Flaky {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.1 = !self.1;
            match self.1 {
                true => Err(io::ErrorKind::StorageFull.into()),
                false => self.0.write(bytes),
            }
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn lines_are_written_in_their_order_before_the_end() {
        let kept = Kept::default();
        let mut lines = Lines::to(kept.clone()).unwrap();
        for line in ["a\n", "b\n", "c\n"] {
            lines.write_all(line.as_bytes()).unwrap();
        }
        lines.finish();
        assert_eq!(*kept.0.lock().unwrap(), b"a\nb\nc\n");
    }

    #[test]
    fn a_line_that_cannot_be_written_stops_none_behind_it() {
        let kept = Kept::default();
        let mut lines = Lines::to(Flaky(kept.clone(), false)).unwrap();
        for line in ["a\n", "b\n", "c\n", "d\n"] {
            lines.write_all(line.as_bytes()).unwrap();
        }
        lines.finish();
        assert_eq!(*kept.0.lock().unwrap(), b"b\nd\n");
    }

    #[test]
    fn who_logs_never_waits_for_the_reader() {
        struct Stuck(Receiver<()>);
        impl Write for Stuck {
            fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
                let _ = self.0.recv();
                Ok(bytes.len())
            }
            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }
        let (go_on, waits) = channel();
        let mut lines = Lines::to(Stuck(waits)).unwrap();
        for _ in 0..WAITING_MAX + 10 {
            lines.write_all(b"a\n").unwrap();
        }
        // The thread may hold one line more.
        assert!((9..=10).contains(&lines.dropped()), "{}", lines.dropped());
        lines.finish();
        drop(go_on);
    }
}
