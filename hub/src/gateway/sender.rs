//! Writing to one connection: frames that others share go out without being copied, many in
//! one call, and nothing is held once all is written.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::AsyncWrite;

use super::frame::Frame;
use super::outbox::Outbox;
use super::stream::Stream;

/// About how many bytes, and at most how many frames, go out in one call.
const WRITE_BYTES: usize = 64 << 10;
const SLICES_MAX: usize = 128;

/// Writes to one connection. At rest: one pointer.
#[derive(Debug, Default)]
pub(super) struct Sender {
    unwritten: Option<Box<Unwritten>>,
}

/// Frames the stream did not take yet.
#[derive(Debug, Default)]
struct Unwritten {
    frames: VecDeque<Frame>,
    /// Bytes of the first that it took.
    taken: usize,
}

/// How far writing got.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Sent {
    /// The peer took something.
    pub(super) some: bool,
    /// Nothing is left.
    pub(super) all: bool,
}

impl Sender {
    /// Writes what the outbox holds until the stream takes no more; then the task is woken when
    /// it does.
    pub(super) fn send(
        &mut self,
        outbox: &Outbox,
        stream: &mut Stream,
        cx: &mut Context<'_>,
    ) -> io::Result<Sent> {
        let mut some = false;
        loop {
            if let Some(unwritten) = &mut self.unwritten {
                some |= unwritten.write(stream, cx)?;
                if !unwritten.frames.is_empty() {
                    return Ok(Sent { some, all: false });
                }
                self.unwritten = None;
            }
            let mut batch = Unwritten {
                frames: outbox.take(WRITE_BYTES),
                taken: 0,
            };
            if batch.frames.is_empty() {
                let sent = flush(stream, cx)?;
                let some = some || sent.some;
                return Ok(Sent { some, ..sent });
            }
            some |= batch.write(stream, cx)?;
            if !batch.frames.is_empty() {
                self.unwritten = Some(Box::new(batch));
                return Ok(Sent { some, all: false });
            }
        }
    }

    /// Writes what is left, what the outbox holds, and a last frame.
    pub(super) async fn finish(
        mut self,
        outbox: &Outbox,
        last: Frame,
        stream: &mut Stream,
    ) -> io::Result<()> {
        let mut unwritten = self.unwritten.take().unwrap_or_default();
        unwritten.frames.append(&mut outbox.take(usize::MAX));
        unwritten.frames.push_back(last);
        poll_fn(|cx| match unwritten.write(stream, cx) {
            Ok(_) if !unwritten.frames.is_empty() => Poll::Pending,
            written => Poll::Ready(written.map(drop)),
        })
        .await
    }
}

impl Unwritten {
    fn slices(&self) -> impl Iterator<Item = IoSlice<'_>> {
        let skips = std::iter::once(self.taken).chain(std::iter::repeat(0));
        let frames = self.frames.iter().zip(skips);
        frames.map(|(frame, skip)| IoSlice::new(&frame.bytes()[skip..]))
    }

    /// Writes until all is written or the stream takes no more. True if it took something.
    fn write(
        &mut self,
        stream: &mut (impl AsyncWrite + Unpin),
        cx: &mut Context<'_>,
    ) -> io::Result<bool> {
        let mut some = false;
        while !self.frames.is_empty() {
            let mut slices = [IoSlice::new(&[]); SLICES_MAX];
            let mut count = 0;
            for (slot, slice) in slices.iter_mut().zip(self.slices()) {
                *slot = slice;
                count += 1;
            }
            let taken = match Pin::new(&mut *stream).poll_write_vectored(cx, &slices[..count]) {
                Poll::Ready(taken) => taken?,
                Poll::Pending => break,
            };
            if taken == 0 {
                return Err(io::ErrorKind::WriteZero.into());
            }
            some = true;
            self.advance(taken);
        }
        Ok(some)
    }

    fn advance(&mut self, taken: usize) {
        self.taken += taken;
        while let Some(first) = self.frames.front()
            && self.taken >= first.size_bytes()
        {
            self.taken -= first.size_bytes();
            self.frames.pop_front();
        }
    }
}

/// Has an encrypted stream send what it holds.
fn flush(stream: &mut Stream, cx: &mut Context<'_>) -> io::Result<Sent> {
    let Stream::Tls(tls) = stream else {
        let (some, all) = (false, true);
        return Ok(Sent { some, all });
    };
    let before = tls.get_ref().0.written();
    let all = match Pin::new(&mut *tls).poll_flush(cx) {
        Poll::Ready(flushed) => flushed.map(|()| true)?,
        Poll::Pending => false,
    };
    let some = tls.get_ref().0.written() > before;
    Ok(Sent { some, all })
}

#[cfg(test)]
mod tests {
    use std::task::Waker;

    use super::*;

    /// Takes all it is given and counts the calls.
    #[derive(Default)]
    struct Calls(usize);

    impl AsyncWrite for Calls {
        fn poll_write(
            mut self: Pin<&mut Self>,
            _: &mut Context<'_>,
            bytes: &[u8],
        ) -> Poll<io::Result<usize>> {
            self.0 += 1;
            Poll::Ready(Ok(bytes.len()))
        }

        fn poll_write_vectored(
            mut self: Pin<&mut Self>,
            _: &mut Context<'_>,
            slices: &[IoSlice<'_>],
        ) -> Poll<io::Result<usize>> {
            self.0 += 1;
            Poll::Ready(Ok(slices.iter().map(|slice| slice.len()).sum()))
        }

        fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }

        fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }
    }

    #[test]
    fn many_frames_go_out_in_one_call() {
        for (count, calls) in [(1, 1), (SLICES_MAX, 1), (SLICES_MAX + 1, 2)] {
            let mut unwritten = Unwritten {
                frames: (0..count).map(|n| Frame::text(&n.to_string())).collect(),
                taken: 0,
            };
            let mut stream = Calls::default();
            let cx = &mut Context::from_waker(Waker::noop());
            assert!(unwritten.write(&mut stream, cx).unwrap());
            assert_eq!((unwritten.frames.len(), stream.0), (0, calls));
        }
    }

    #[test]
    fn what_was_taken_is_gone_from_the_front_wherever_it_ends() {
        let texts = ["abc", "d", "", "efghi"];
        let frames: VecDeque<Frame> = texts.map(Frame::text).into();
        let all: Vec<u8> = frames.iter().flat_map(|f| f.bytes().to_vec()).collect();
        for taken in 0..=all.len() {
            let frames = frames.clone();
            let mut unwritten = Unwritten { frames, taken: 0 };
            unwritten.advance(taken);
            let left: Vec<u8> = unwritten.slices().flat_map(|s| s.to_vec()).collect();
            assert_eq!(left, all[taken..]);
            assert_eq!(unwritten.frames.is_empty(), taken == all.len());
        }
    }
}
