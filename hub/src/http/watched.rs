//! A connection's stream while HTTP is spoken on it: a peer that takes nothing of an answer for
//! too long, or too little for much longer, or does not take a reply that holds room whole in its
//! time, or takes it slowly while others wait for the room, is an error, so that the connection ends and what it holds is freed.
//!
//! hyper has no such limit. An upgrade takes the stream out of it; sockets look after their own.

use std::io::{self, ErrorKind, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep, sleep_until};

use super::owed::Owed;
use crate::gateway::stream::Stream;
use crate::lifecycle::{Lifecycle, Stage};

/// How long a peer may take nothing while the node stops. Whoever reads at all takes something
/// sooner, and the others are waiting for the node's end.
const WHILE_DRAINING: Duration = Duration::from_secs(2);

/// What a peer must take at least while it is waited for. Only time in which a write waits counts.
#[derive(Clone, Copy, Debug)]
pub struct LeastRate {
    /// On average over a window.
    pub bytes_per_s: u64,
    /// The window. What is in the kernel's buffers moves in large steps, so it should be long.
    pub window: Duration,
}

impl LeastRate {
    /// Bytes of a window.
    fn bytes(self) -> u64 {
        let bytes = u128::from(self.bytes_per_s) * self.window.as_millis() / 1_000;
        u64::try_from(bytes).unwrap_or(u64::MAX)
    }
}

/// How long a peer may take nothing, and how little it may take.
#[derive(Clone, Debug)]
pub struct Patience {
    /// The most, in any stage.
    pub stalled: Duration,
    /// How little it may take.
    pub least: LeastRate,
    /// The node's.
    pub lifecycle: Arc<Lifecycle>,
}

impl Patience {
    fn now(&self) -> Duration {
        match self.lifecycle.stage() {
            Stage::Draining => self.stalled.min(WHILE_DRAINING),
            _ => self.stalled,
        }
    }
}

/// The stream, watched.
#[derive(Debug)]
pub struct Watched {
    stream: Stream,
    patience: Patience,
    /// The replies that hold room, told by whoever serves the connection.
    owed: Owed,
    /// Since the last write that had to wait, if none was taken since.
    stall: Option<Stall>,
    pace: Pace,
}

#[derive(Debug)]
struct Stall {
    since: Instant,
    /// Up to when it is in the pace.
    counted: Instant,
    due: Pin<Box<Sleep>>,
}

/// What a peer takes, in the present window.
#[derive(Debug, Default)]
struct Pace {
    taken: u64,
    waited: Duration,
}

impl Pace {
    /// Ends the window if it is over. Whether too little was taken in it.
    fn was_too_slow(&mut self, least: LeastRate) -> bool {
        if self.waited < least.window {
            return false;
        }
        std::mem::take(self).taken < least.bytes()
    }
}

impl Watched {
    /// Watches a stream.
    pub(super) fn new(stream: Stream, patience: Patience, owed: Owed) -> Watched {
        Watched {
            stream,
            patience,
            owed,
            stall: None,
            pace: Pace::default(),
        }
    }

    /// Ends the watch.
    pub fn into_inner(self) -> Stream {
        self.stream
    }

    /// Carries a write out. What TLS has encrypted but not sent (64 KiB) is one write.
    fn write<T>(
        &mut self,
        cx: &mut Context<'_>,
        write: impl FnOnce(Pin<&mut Stream>, &mut Context<'_>) -> Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        if self.owed.is_given_up(cx) {
            return Poll::Ready(Err(ErrorKind::TimedOut.into()));
        }
        let written = write(Pin::new(&mut self.stream), cx);
        let least = self.patience.least;
        if written.is_ready() {
            if let Some(stall) = self.stall.take() {
                self.pace.waited += stall.counted.elapsed();
            }
            return written;
        }
        let stall = self.stall.get_or_insert_with(Stall::begin);
        let owed_until = self.owed.due(self.patience.stalled);
        loop {
            if self.pace.was_too_slow(least) {
                return Poll::Ready(Err(ErrorKind::TimedOut.into()));
            }
            // The stage may have changed since it began.
            let given_up = stall.since + self.patience.now();
            let given_up = owed_until.map_or(given_up, |due| given_up.min(due));
            let window_ends = stall.counted + least.window.saturating_sub(self.pace.waited);
            let due = given_up.min(window_ends);
            if stall.due.deadline() != due {
                stall.due.as_mut().reset(due);
            }
            ready!(stall.due.as_mut().poll(cx));
            if due == given_up {
                return Poll::Ready(Err(ErrorKind::TimedOut.into()));
            }
            self.pace.waited += due - stall.counted;
            stall.counted = due;
        }
    }

    fn write_some(
        &mut self,
        cx: &mut Context<'_>,
        write: impl FnOnce(Pin<&mut Stream>, &mut Context<'_>) -> Poll<io::Result<usize>>,
    ) -> Poll<io::Result<usize>> {
        let written = self.write(cx, write);
        if let Poll::Ready(Ok(bytes)) = written {
            self.pace.taken += bytes as u64;
            self.owed.took(bytes as u64);
        }
        written
    }
}

impl Stall {
    fn begin() -> Stall {
        let since = Instant::now();
        Stall {
            since,
            counted: since,
            due: Box::pin(sleep_until(since)),
        }
    }
}

impl AsyncRead for Watched {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buffer)
    }
}

impl AsyncWrite for Watched {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.write_some(cx, |stream, cx| stream.poll_write(cx, bytes))
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.write_some(cx, |stream, cx| stream.poll_write_vectored(cx, slices))
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.write(cx, |stream, cx| stream.poll_flush(cx))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.write(cx, |stream, cx| stream.poll_shutdown(cx))
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::{TcpListener, TcpSocket};

    use super::super::owed::ToBeTaken;
    use super::super::taking::Taking;
    use super::*;

    const LEAST: LeastRate = LeastRate {
        bytes_per_s: 100,
        window: Duration::from_secs(10),
    };

    #[test]
    fn a_window_is_judged_when_it_is_over_and_the_next_begins_anew() {
        let mut pace = Pace {
            taken: 999,
            waited: Duration::from_millis(9_999),
        };
        assert!(!pace.was_too_slow(LEAST));
        pace.taken += 1;
        pace.waited += Duration::from_millis(1);
        assert!(!pace.was_too_slow(LEAST));
        assert_eq!((pace.taken, pace.waited), (0, Duration::ZERO));
        pace.taken = 999;
        pace.waited = Duration::from_secs(10);
        assert!(pace.was_too_slow(LEAST));
    }

    const STEP_BYTES: usize = 64 << 10;

    /// Writes a reply to a peer that takes a little of it a hundred times a second. The bytes taken
    /// if it was given up.
    async fn taken(least: Duration, reply_bytes: usize) -> Result<(), usize> {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let socket = TcpSocket::new_v4().unwrap();
        socket.set_recv_buffer_size(4_096).unwrap();
        let peer = socket.connect(listener.local_addr().unwrap());
        let (peer, accepted) = tokio::join!(peer, listener.accept());
        let (mut peer, stream) = (peer.unwrap(), accepted.unwrap().0);
        let patience = Patience {
            stalled: Duration::from_secs(2),
            least: LEAST,
            lifecycle: Arc::new(Lifecycle::starting()),
        };
        let (held, owed) = (Taking::begin(), Owed::default());
        let held_by_reply = Arc::downgrade(&held);
        owed.add(ToBeTaken {
            held: held_by_reply,
            least,
        });
        let mut watched = Watched::new(Stream::Plain(stream), patience, owed);
        let written = tokio::spawn(async move {
            let written = watched.write_all(&vec![b'x'; reply_bytes]).await;
            drop(held);
            written.map_err(|error| error.kind())
        });
        let (mut read, mut bytes) = (vec![0; STEP_BYTES], 0);
        while bytes < reply_bytes && peer.read_exact(&mut read).await.is_ok() {
            bytes += STEP_BYTES;
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        match written.await.unwrap() {
            Ok(()) => Ok(()),
            Err(kind) => {
                assert_eq!(kind, ErrorKind::TimedOut);
                Err(bytes)
            }
        }
    }

    #[tokio::test]
    async fn a_reply_that_holds_room_is_taken_whole_in_its_time_or_given_up() {
        assert_eq!(taken(Duration::from_secs(60), 16 << 20).await, Ok(()));
        let late = taken(Duration::ZERO, 256 << 20).await;
        assert!(late.is_err_and(|bytes| bytes > 0), "{late:?}");
    }
}
