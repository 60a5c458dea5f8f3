//! What the rest of the hub holds of one socket: the queue of frames to it, and how it is woken.
//!
//! The queue never holds more than it promises: a live delta that does not fit is refused, and
//! the session tells it again from the store when the socket has drained; ephemeral frames that
//! do not fit are dropped; while more than that waits, answers above all, nothing more is read
//! from the peer. Only answers to what it had under way then can still come: too many of those
//! close the socket.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Waker;

use futures_util::task::AtomicWaker;
use syncline_protocol::error::close;
use syncline_protocol::ids::Seq;
use syncline_protocol::wire::hub;

use super::frame::Frame;
use crate::session::event::{ConnId, FrameKind};
use crate::wheel::{Alarm, Sleeper};

/// What may be queued before the socket is closed as slow, in outboxes. A peer is not read from
/// the second one on, so the others are for answers to what it sent before.
const ANSWERS_MAX: usize = 4;

/// A socket, from outside its task.
#[derive(Debug)]
pub struct Outbox {
    /// The socket's number.
    pub conn: ConnId,
    /// Bytes of live frames it holds.
    bytes_max: usize,
    queue: Mutex<Queue>,
    /// The socket's task.
    task: AtomicWaker,
    alarm: Alarm,
    speech: Speech,
    /// The alarm rang and the task has not looked yet.
    due: AtomicBool,
}

/// What is said over a socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Speech {
    /// The native protocol.
    Native,
    /// The first user's.
    Compat,
}

/// Empty and without an end, it holds no memory beyond itself.
#[derive(Debug, Default)]
struct Queue {
    frames: VecDeque<Frame>,
    bytes: usize,
    /// A live frame was refused; until the session resumes, all of them are.
    lagging: bool,
    /// The session wants to know when everything is written.
    tell_drained: bool,
    /// Boxed, since nearly no socket has one.
    end: Option<Box<End>>,
}

/// Why nothing more will be queued.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// Close with this code after what is queued.
    Close(u16, &'static str),
    /// The session ended by itself: it failed.
    SessionGone,
    /// The connection is no more.
    Over,
}

/// A live frame that was not queued.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refused {
    /// Its `from`: what the socket has.
    pub from: Seq,
}

impl Outbox {
    /// An empty one for so many bytes.
    pub fn new(conn: ConnId, bytes_max: usize) -> Outbox {
        Outbox {
            conn,
            bytes_max,
            queue: Mutex::default(),
            task: AtomicWaker::new(),
            alarm: Alarm::default(),
            speech: Speech::Native,
            due: AtomicBool::new(false),
        }
    }

    /// The same, of a socket that speaks otherwise.
    #[must_use]
    pub fn speaking(self, speech: Speech) -> Outbox {
        Outbox { speech, ..self }
    }

    /// Has the socket close because the node goes down. Who understands it is told to come back
    /// after so many milliseconds; the first user's clients come back by themselves.
    pub fn drain(&self, after_ms: u64) {
        if self.speech == Speech::Native {
            self.push(Frame::text(&hub::reconnect(after_ms)), FrameKind::Answer);
        }
        self.close(close::DRAINING, "this node is going down");
    }

    /// Queues a frame and wakes the socket, or says that a live one does not fit.
    pub fn push(&self, frame: Frame, kind: FrameKind) -> Option<Refused> {
        let refused = self.put(frame, kind);
        self.task.wake();
        refused
    }

    /// Queues another socket's presence and wakes the socket. One that does not fit comes back,
    /// and the session is told when there is room.
    pub fn push_presence(&self, frame: Frame) -> Option<Frame> {
        let mut queue = self.lock();
        if queue.end.is_some() {
            return None;
        }
        if queue.bytes > 0 && queue.bytes + frame.size_bytes() > self.bytes_max {
            queue.tell_drained = true;
            return Some(frame);
        }
        queue.bytes += frame.size_bytes();
        queue.frames.push_back(frame);
        drop(queue);
        self.task.wake();
        None
    }

    /// Queues a frame that is no presence; for the socket's own task, which is awake.
    pub fn put(&self, frame: Frame, kind: FrameKind) -> Option<Refused> {
        let mut queue = self.lock();
        if queue.end.is_some() {
            return None;
        }
        let fits = queue.bytes == 0 || queue.bytes + frame.size_bytes() <= self.bytes_max;
        match kind {
            FrameKind::Live { from } if queue.lagging || !fits => {
                queue.lagging = true;
                queue.tell_drained = true;
                return Some(Refused { from });
            }
            FrameKind::Ephemeral if !fits => return None,
            FrameKind::Answer if queue.bytes > ANSWERS_MAX * self.bytes_max => {
                let end = End::Close(close::SLOW, "answers are not read");
                queue.end = Some(Box::new(end));
            }
            FrameKind::Bulk | FrameKind::Part => queue.tell_drained = true,
            _ => {}
        }
        queue.bytes += frame.size_bytes();
        queue.frames.push_back(frame);
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

    /// The connection is no more: what is queued is for nobody, and nothing more is taken,
    /// however long others still hold this.
    pub fn abandon(&self) {
        let mut queue = self.lock();
        queue.end = Some(Box::new(End::Over));
        (queue.frames, queue.bytes) = (VecDeque::new(), 0);
    }

    /// More waits than a peer may leave unread and still be read from.
    pub fn is_choked(&self) -> bool {
        self.lock().bytes > self.bytes_max
    }

    /// Bytes that wait in it.
    pub fn held_bytes(&self) -> usize {
        self.lock().bytes
    }

    fn end(&self, end: End) {
        self.lock().end.get_or_insert_with(|| Box::new(end));
        self.task.wake();
    }

    /// Takes frames up to about `bytes_max`, at least one if there is
    /// one.
    pub fn take(&self, bytes_max: usize) -> VecDeque<Frame> {
        let mut queue = self.lock();
        if queue.bytes <= bytes_max {
            queue.bytes = 0;
            return std::mem::take(&mut queue.frames);
        }
        let mut taken = VecDeque::new();
        let mut bytes = 0;
        while bytes < bytes_max
            && let Some(frame) = queue.frames.pop_front()
        {
            bytes += frame.size_bytes();
            taken.push_back(frame);
        }
        queue.bytes -= bytes;
        taken
    }

    /// True once after everything was taken, if the session wants to know.
    pub fn take_drained(&self) -> bool {
        let mut queue = self.lock();
        queue.frames.is_empty() && std::mem::take(&mut queue.tell_drained)
    }

    /// The end, if it has come. What is still queued may be written before it, if the peer
    /// takes it soon.
    pub fn ended(&self) -> Option<End> {
        self.lock().end.as_deref().copied()
    }

    /// The task to wake whenever something changes.
    pub fn wakes(&self, task: &Waker) {
        self.task.register(task);
    }

    /// Whether the alarm rang since the last time.
    pub fn take_due(&self) -> bool {
        self.due.swap(false, Ordering::Relaxed)
    }

    fn lock(&self) -> MutexGuard<'_, Queue> {
        // Every field is whole whatever panicked while it was locked.
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Sleeper for Outbox {
    fn alarm(&self) -> &Alarm {
        &self.alarm
    }

    fn ring(self: Arc<Self>) {
        self.due.store(true, Ordering::Relaxed);
        self.task.wake();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BYTES_MAX: usize = 1_000;

    fn outbox() -> Outbox {
        Outbox::new(ConnId(1), BYTES_MAX)
    }

    /// A frame of so many bytes on the wire.
    fn frame(bytes: usize) -> Frame {
        let head = if bytes < 128 { 2 } else { 4 };
        let frame = Frame::text(&"x".repeat(bytes - head));
        assert_eq!(frame.size_bytes(), bytes);
        frame
    }

    fn live(from: u64) -> FrameKind {
        FrameKind::Live { from: Seq(from) }
    }

    fn take_all(outbox: &Outbox) -> usize {
        outbox.take(usize::MAX).len()
    }

    #[test]
    fn a_live_frame_is_taken_up_to_the_limit_and_refused_one_byte_past_it() {
        for (bytes, taken) in [(BYTES_MAX - 2, true), (BYTES_MAX - 1, false)] {
            let outbox = outbox();
            assert_eq!(outbox.push(frame(2), FrameKind::Answer), None);
            let refused = (!taken).then_some(Refused { from: Seq(1) });
            assert_eq!(outbox.push(frame(bytes), live(1)), refused);
        }
    }

    #[test]
    fn after_a_refusal_all_live_frames_are_refused_until_the_session_resumes() {
        let outbox = outbox();
        outbox.push(frame(BYTES_MAX), live(1));
        assert!(outbox.push(frame(2), live(2)).is_some());
        assert_eq!(take_all(&outbox), 1);
        assert!(outbox.push(frame(2), live(3)).is_some());
        assert!(outbox.take_drained());
        assert!(!outbox.take_drained());
        outbox.resume();
        assert_eq!(outbox.push(frame(2), live(2)), None);
    }

    #[test]
    fn answers_and_bulk_are_queued_past_the_limit_but_ephemeral_frames_are_dropped() {
        let outbox = outbox();
        outbox.push(frame(BYTES_MAX), FrameKind::Bulk);
        outbox.push(frame(2), FrameKind::Answer);
        outbox.push(frame(2), FrameKind::Ephemeral);
        assert_eq!(take_all(&outbox), 2);
    }

    #[test]
    fn a_client_that_never_reads_its_answers_is_closed_as_slow() {
        let outbox = outbox();
        for _ in 0..=ANSWERS_MAX {
            outbox.push(frame(BYTES_MAX), FrameKind::Answer);
        }
        assert_eq!(outbox.ended(), None);
        outbox.push(frame(2), FrameKind::Answer);
        let slow = End::Close(close::SLOW, "answers are not read");
        assert_eq!(outbox.ended(), Some(slow));
        outbox.push(frame(2), FrameKind::Answer);
        assert_eq!(take_all(&outbox), ANSWERS_MAX + 2);
    }

    #[test]
    fn a_peer_is_read_from_until_more_than_one_outbox_waits() {
        let outbox = outbox();
        outbox.push(frame(BYTES_MAX), FrameKind::Answer);
        assert!(!outbox.is_choked());
        outbox.push(frame(2), FrameKind::Answer);
        assert!(outbox.is_choked());
        outbox.take(2);
        assert!(!outbox.is_choked());
    }

    #[test]
    fn a_presence_that_does_not_fit_comes_back_and_the_session_is_told_of_room() {
        let outbox = outbox();
        assert!(outbox.push_presence(frame(BYTES_MAX)).is_none());
        assert!(outbox.push_presence(frame(2)).is_some());
        assert!(!outbox.take_drained());
        assert_eq!(take_all(&outbox), 1);
        assert!(outbox.take_drained());
    }

    #[test]
    fn an_abandoned_outbox_holds_nothing_and_takes_nothing() {
        let outbox = outbox();
        outbox.push(frame(BYTES_MAX), FrameKind::Answer);
        outbox.abandon();
        outbox.push(frame(2), FrameKind::Answer);
        assert_eq!(outbox.push(frame(2), live(1)), None);
        let queue = outbox.lock();
        assert_eq!((queue.bytes, queue.frames.capacity()), (0, 0));
    }

    #[test]
    fn bulk_asks_to_be_told_when_it_is_written() {
        let outbox = outbox();
        outbox.push(frame(2), FrameKind::Bulk);
        assert!(!outbox.take_drained());
        take_all(&outbox);
        assert!(outbox.take_drained());
    }

    #[test]
    fn nothing_is_queued_after_the_end_and_the_first_end_counts() {
        let outbox = outbox();
        outbox.push(frame(2), FrameKind::Answer);
        outbox.close(close::REPLACED, "replaced");
        outbox.session_gone();
        assert_eq!(outbox.push(frame(2), live(1)), None);
        assert_eq!(take_all(&outbox), 1);
        assert_eq!(
            outbox.ended(),
            Some(End::Close(close::REPLACED, "replaced"))
        );
    }
}
