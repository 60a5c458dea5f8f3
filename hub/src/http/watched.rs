//! A connection's stream while HTTP is spoken on it: a peer that takes nothing of an answer for
//! too long is an error, so that the connection ends and what it holds is freed.
//!
//! hyper has no such limit. An upgrade takes the stream out of it; sockets look after their own.

use std::io::{self, ErrorKind, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep, sleep_until};

use crate::gateway::stream::Stream;
use crate::lifecycle::{Lifecycle, Stage};

/// How long a peer may take nothing while the node stops. Whoever reads at all takes something
/// sooner, and the others are waiting for the node's end.
const WHILE_DRAINING: Duration = Duration::from_secs(2);

/// How long a peer may take nothing.
#[derive(Clone, Debug)]
pub struct Patience {
    /// The most, in any stage.
    pub stalled: Duration,
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
    /// Since the last write that had to wait, if none was taken since.
    stall: Option<Stall>,
}

#[derive(Debug)]
struct Stall {
    since: Instant,
    due: Pin<Box<Sleep>>,
}

impl Watched {
    /// Watches a stream.
    pub fn new(stream: Stream, patience: Patience) -> Watched {
        Watched {
            stream,
            patience,
            stall: None,
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
        let written = write(Pin::new(&mut self.stream), cx);
        if written.is_ready() {
            self.stall = None;
            return written;
        }
        let stall = self.stall.get_or_insert_with(Stall::begin);
        // The stage may have changed since it began.
        let due = stall.since + self.patience.now();
        if stall.due.deadline() != due {
            stall.due.as_mut().reset(due);
        }
        ready!(stall.due.as_mut().poll(cx));
        Poll::Ready(Err(ErrorKind::TimedOut.into()))
    }
}

impl Stall {
    fn begin() -> Stall {
        let since = Instant::now();
        Stall {
            since,
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
        self.write(cx, |stream, cx| stream.poll_write(cx, bytes))
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.write(cx, |stream, cx| stream.poll_write_vectored(cx, slices))
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
