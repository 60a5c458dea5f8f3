//! Sockets that end in the middle of something: what they still say, and what they give back.

use syncline_protocol::error::close;

use super::hub::{Got, Hub};
use crate::gateway::frame::Frame;
use crate::gateway::socket::Native;
use crate::gateway::task::Task;
use crate::session::event::FrameKind;

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
