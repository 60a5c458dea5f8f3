//! Sockets that end in the middle of something: what they still say, and what they give back.

use std::sync::Arc;
use std::time::Duration;

use syncline_protocol::error::close;
use syncline_protocol::ids::UserId;

use super::hub::{Got, Hub, frame};
use super::{TEXT, TEXT_BEGINS};
use crate::gateway::frame::Frame;
use crate::gateway::link::{Ending, Link};
use crate::gateway::outbox::Speech;
use crate::gateway::socket::Native;
use crate::gateway::task::{Protocol, Task, Wait};
use crate::session::entry::Entry;
use crate::session::event::FrameKind;

/// Fails over every message.
struct Failing;

impl Protocol for Failing {
    type Done = ();

    const SPEECH: Speech = Speech::Native;

    fn take(&mut self, _: &mut Link, text: &str) -> Result<Option<Wait<()>>, Ending> {
        panic!("a message of {} bytes", text.len());
    }

    fn go_on(&mut self, _: &mut Link, (): ()) -> Result<Option<Wait<()>>, Ending> {
        Ok(None)
    }

    fn entry(&self) -> Option<&Arc<Entry>> {
        None
    }

    fn look_at_clock(&mut self, _: &mut Link) -> Result<Duration, Ending> {
        Ok(Duration::MAX)
    }
}

#[tokio::test]
async fn a_fault_over_a_message_gives_back_what_was_counted_while_it_arrived() {
    const BYTES: usize = 40_000;
    let hub = Hub::start(|_| {}).await;
    let held = || hub.gateway().metrics.unfinished_bytes.get();
    let whole = frame(TEXT, &[b'x'; BYTES]);
    let (front, back) = whole.split_at(BYTES / 2);
    // The message in one frame, and in two.
    let begun = frame(TEXT_BEGINS, &[b'x'; BYTES]);
    for (front, back) in [(front, back), (&begun, &frame(0x80, b"")[..])] {
        let (mut link, mut peer) = hub.link().await;
        link.authenticate(&UserId::trusted("ada")).unwrap();
        let task = tokio::spawn(Task::new(link, Failing));
        peer.send(front).await;
        hub.until(|| held() >= BYTES as i64 / 2).await;
        peer.send(back).await;
        assert!(task.await.unwrap_err().is_panic());
        assert_eq!(held(), 0);
    }
}

#[tokio::test]
async fn a_goodbye_says_what_was_queued_and_copies_none_of_it() {
    let hub = Hub::start(|_| {}).await;
    let (link, mut peer) = hub.link().await;
    let outbox = link.outbox.clone();
    // More than the kernel holds for a peer that does not read.
    let text = |n| format!(r#"{{"t":"n{n}","x":"{}"}}"#, "y".repeat(60_000));
    let frames: Vec<Frame> = (0..300).map(|n| Frame::text(&text(n))).collect();
    for frame in &frames {
        outbox.push(frame.clone(), FrameKind::Bulk);
    }
    let full = outbox.held_bytes();
    let task = tokio::spawn(Task::new(link, Native::new()));
    hub.until(|| outbox.held_bytes() < full).await;
    outbox.close(close::REPLACED, "replaced");
    hub.until(|| outbox.held_bytes() == 0).await;
    let last = frames.last().unwrap().bytes();
    assert!(!last.is_unique(), "it waits as it was queued");
    for n in 0..frames.len() {
        assert_eq!(peer.got().await, Got::message(&format!("n{n}")));
    }
    assert_eq!(peer.got().await, Got::Closed(close::REPLACED));
    drop(peer);
    task.await.unwrap();
    assert!(frames.iter().all(|frame| frame.bytes().is_unique()));
}
