//! The queue of frames between a session and one socket.
//!
//! It never holds more than it promises: a live delta that does not fit is refused, and the
//! session tells it again from the store when the socket has drained; ephemeral frames that do
//! not fit are dropped; answers beyond any honest client's reach close the socket.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use syncline_protocol::error::close;
use syncline_protocol::ids::Seq;
use tokio::sync::Notify;

use crate::session::event::FrameKind;

/// Answers a socket may leave unread before it is closed as slow, in outboxes.
const ANSWERS_MAX: usize = 16;

/// A queue of frames. The session pushes, the socket takes.
#[derive(Debug)]
pub struct Outbox {
    /// Bytes of live frames it holds.
    bytes_max: usize,
    queue: Mutex<Queue>,
    wake: Notify,
}

#[derive(Debug, Default)]
struct Queue {
    frames: VecDeque<Bytes>,
    bytes: usize,
    /// A live frame was refused; until the session resumes, all of them are.
    lagging: bool,
    /// The session wants to know when everything is written.
    tell_drained: bool,
    end: Option<End>,
}

/// Why nothing more will be queued.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// Close with this code after what is queued.
    Close(u16, &'static str),
    /// The session ended by itself: it failed.
    SessionGone,
}

/// A live frame that was not queued.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refused {
    /// Its `from`: what the socket has.
    pub from: Seq,
}

impl Outbox {
    /// An empty one for so many bytes.
    pub fn new(bytes_max: usize) -> Outbox {
        Outbox {
            bytes_max,
            queue: Mutex::default(),
            wake: Notify::new(),
        }
    }

    /// Queues a frame, or says that a live one does not fit.
    pub fn push(&self, frame: Bytes, kind: FrameKind) -> Option<Refused> {
        let mut queue = self.lock();
        if queue.end.is_some() {
            return None;
        }
        let fits = queue.bytes == 0 || queue.bytes + frame.len() <= self.bytes_max;
        match kind {
            FrameKind::Live { from } if queue.lagging || !fits => {
                queue.lagging = true;
                queue.tell_drained = true;
                drop(queue);
                self.wake.notify_one();
                return Some(Refused { from });
            }
            FrameKind::Ephemeral if !fits => return None,
            FrameKind::Answer if queue.bytes > ANSWERS_MAX * self.bytes_max => {
                queue.end = Some(End::Close(close::SLOW, "answers are not read"));
            }
            FrameKind::Bulk | FrameKind::Part => queue.tell_drained = true,
            _ => {}
        }
        queue.bytes += frame.len();
        queue.frames.push_back(frame);
        drop(queue);
        self.wake.notify_one();
        None
    }

    /// Takes live frames again.
    pub fn resume(&self) {
        self.lock().lagging = false;
    }

    /// Queues nothing more; the socket closes after what is queued.
    pub fn close(&self, code: u16, reason: &'static str) {
        self.end(End::Close(code, reason));
    }

    /// The session ended.
    pub fn session_gone(&self) {
        self.end(End::SessionGone);
    }

    fn end(&self, end: End) {
        self.lock().end.get_or_insert(end);
        self.wake.notify_one();
    }

    /// Takes frames up to about `bytes_max`, at least one if there is one.
    pub fn take(&self, frames: &mut Vec<Bytes>, bytes_max: usize) {
        let mut queue = self.lock();
        let mut taken = 0;
        while taken < bytes_max {
            let Some(frame) = queue.frames.pop_front() else {
                break;
            };
            taken += frame.len();
            frames.push(frame);
        }
        queue.bytes -= taken;
    }

    /// True once after everything was taken, if the session wants to know.
    pub fn take_drained(&self) -> bool {
        let mut queue = self.lock();
        queue.frames.is_empty() && std::mem::take(&mut queue.tell_drained)
    }

    /// The end, if it has come. What is still queued may be written before it, if the peer
    /// takes it soon.
    pub fn ended(&self) -> Option<End> {
        self.lock().end
    }

    /// Waits until something changed since the last wait. Cancel-safe.
    pub async fn changed(&self) {
        self.wake.notified().await;
    }

    fn lock(&self) -> MutexGuard<'_, Queue> {
        // Every field is whole whatever panicked while it was locked.
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BYTES_MAX: usize = 1_000;

    fn outbox() -> Outbox {
        Outbox::new(BYTES_MAX)
    }

    fn frame(bytes: usize) -> Bytes {
        Bytes::from(vec![b'x'; bytes])
    }

    fn live(from: u64) -> FrameKind {
        FrameKind::Live { from: Seq(from) }
    }

    fn take_all(outbox: &Outbox) -> usize {
        let mut frames = Vec::new();
        outbox.take(&mut frames, usize::MAX);
        frames.len()
    }

    #[test]
    fn a_live_frame_is_taken_up_to_the_limit_and_refused_one_byte_past_it() {
        let outbox = outbox();
        assert_eq!(outbox.push(frame(1), FrameKind::Answer), None);
        assert_eq!(outbox.push(frame(BYTES_MAX - 1), live(1)), None);
        assert_eq!(
            outbox.push(frame(1), live(2)),
            Some(Refused { from: Seq(2) })
        );
    }

    #[test]
    fn after_a_refusal_all_live_frames_are_refused_until_the_session_resumes() {
        let outbox = outbox();
        outbox.push(frame(BYTES_MAX), live(1));
        assert!(outbox.push(frame(1), live(2)).is_some());
        assert_eq!(take_all(&outbox), 1);
        assert!(outbox.push(frame(1), live(3)).is_some());
        assert!(outbox.take_drained());
        assert!(!outbox.take_drained());
        outbox.resume();
        assert_eq!(outbox.push(frame(1), live(2)), None);
    }

    #[test]
    fn answers_and_bulk_are_queued_past_the_limit_but_ephemeral_frames_are_dropped() {
        let outbox = outbox();
        outbox.push(frame(BYTES_MAX), FrameKind::Bulk);
        outbox.push(frame(1), FrameKind::Answer);
        outbox.push(frame(1), FrameKind::Ephemeral);
        assert_eq!(take_all(&outbox), 2);
    }

    #[test]
    fn a_client_that_never_reads_its_answers_is_closed_as_slow() {
        let outbox = outbox();
        for _ in 0..=ANSWERS_MAX {
            outbox.push(frame(BYTES_MAX), FrameKind::Answer);
        }
        assert_eq!(outbox.ended(), None);
        outbox.push(frame(1), FrameKind::Answer);
        let slow = End::Close(close::SLOW, "answers are not read");
        assert_eq!(outbox.ended(), Some(slow));
        outbox.push(frame(1), FrameKind::Answer);
        assert_eq!(take_all(&outbox), ANSWERS_MAX + 2);
    }

    #[test]
    fn bulk_asks_to_be_told_when_it_is_written() {
        let outbox = outbox();
        outbox.push(frame(1), FrameKind::Bulk);
        assert!(!outbox.take_drained());
        take_all(&outbox);
        assert!(outbox.take_drained());
    }

    #[test]
    fn nothing_is_queued_after_the_end_and_the_first_end_counts() {
        let outbox = outbox();
        outbox.push(frame(1), FrameKind::Answer);
        outbox.close(close::REPLACED, "replaced");
        outbox.session_gone();
        assert_eq!(outbox.push(frame(1), live(1)), None);
        assert_eq!(take_all(&outbox), 1);
        assert_eq!(
            outbox.ended(),
            Some(End::Close(close::REPLACED, "replaced"))
        );
    }
}
