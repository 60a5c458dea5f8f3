//! Room for the replies of all requests of a node, in bytes: what is read of the store for them,
//! and then their text until it is written.
//!
//! A peer that reads slowly or not at all holds its reply; without this, the node would hold as
//! many as there are connections, each as large as a space. A user's replies have a share of the
//! room, or it is one reply that is larger, of at most half of the room.

use std::time::Duration;

use axum::http::StatusCode;
use axum::response::Response;
use bytes::Bytes;
use syncline_protocol::error::Code;
use tokio::time::Instant;

use super::HttpError;
use super::error::json;
use super::room::NoRoom;
use super::shares::{Share, Shares};

/// How long a reply may wait to begin, and again each time that it needs more.
const ROOM_WITHIN: Duration = Duration::from_secs(2);

/// A user has at most this part of the room, or one reply.
const SHARE: usize = 8;

/// Bytes held for a stored byte that is read: records take more in memory.
const HELD_PER_STORED: usize = 2;

/// What a reply's reading grows by.
const GROWTH: usize = 4;

/// The room. Clones share it.
#[derive(Clone, Debug)]
pub struct ReplyRoom(Shares);

/// A reply's part of it, given back when the reply is written or given up.
#[derive(Debug)]
pub struct ReplyHeld {
    share: Share,
    page_bytes: usize,
    /// What is read with half of the room: nothing is read with more.
    page_bytes_max: usize,
}

impl ReplyRoom {
    /// Room for so many bytes.
    pub fn new(bytes_max: usize) -> ReplyRoom {
        ReplyRoom(Shares::new(bytes_max, bytes_max / SHARE))
    }

    /// Room to read so many stored bytes for a user; first come, first served. Errors:
    /// `unavailable`.
    pub async fn begin(&self, user: &str, page_bytes: usize) -> Result<ReplyHeld, HttpError> {
        let page_bytes_max = self.0.half() / HELD_PER_STORED;
        let page_bytes = page_bytes.min(page_bytes_max);
        let bytes = page_bytes * HELD_PER_STORED;
        let share = self.0.take(user, bytes, soon()).await;
        Ok(ReplyHeld {
            share: share.map_err(no_room)?,
            page_bytes,
            page_bytes_max,
        })
    }
}

impl ReplyHeld {
    /// Stored bytes that may be read now.
    pub fn page_bytes(&self) -> usize {
        self.page_bytes
    }

    /// Whether it is as large as a reply may be: it cannot [grow](ReplyHeld::grow).
    pub fn is_largest(&self) -> bool {
        self.page_bytes == self.page_bytes_max
    }

    /// Makes room to read more than that, all from the start: what was read must be gone. Errors:
    /// `unavailable`.
    pub async fn grow(&mut self) -> Result<(), HttpError> {
        if self.is_largest() {
            let message = "the reply is larger than half of gateway.replies_bytes_max";
            return Err(HttpError::new(Code::Unavailable, message));
        }
        let page_bytes = self.page_bytes.saturating_mul(GROWTH);
        self.page_bytes = page_bytes.min(self.page_bytes_max);
        let bytes = self.page_bytes * HELD_PER_STORED;
        if self.share.fit_now(bytes).is_err() {
            let waited = self.share.wait_for(bytes, soon()).await;
            waited.map_err(no_room)?;
        }
        Ok(())
    }

    /// The reply, a JSON text, which keeps its room until it is written. Errors: `unavailable`.
    pub fn json(mut self, text: String) -> Result<Response, HttpError> {
        // Names and times may make it longer than what it was read with: then it counts as half.
        let bytes = text.len().min(self.page_bytes_max * HELD_PER_STORED);
        self.share.fit_now(bytes).map_err(no_room)?;
        let text = Bytes::from_owner(HeldText {
            text,
            _share: self.share,
        });
        Ok(json(StatusCode::OK, text))
    }
}

/// A text and its part of the room.
struct HeldText {
    text: String,
    _share: Share,
}

impl AsRef<[u8]> for HeldText {
    fn as_ref(&self) -> &[u8] {
        self.text.as_bytes()
    }
}

fn soon() -> Instant {
    Instant::now() + ROOM_WITHIN
}

fn no_room(_: NoRoom) -> HttpError {
    let message = "the node has no room for the reply now; try again";
    HttpError::new(Code::Unavailable, message)
}

#[cfg(test)]
mod tests {
    use axum::body::HttpBody;

    use super::*;

    const KIB: usize = 1_024;

    #[tokio::test(start_paused = true)]
    async fn a_reply_holds_what_it_is_read_with_and_then_its_text() {
        let room = ReplyRoom::new(512 * KIB);
        // The share is 64.
        let mut first = room.begin("ada", 2 * KIB).await.unwrap();
        first.grow().await.unwrap();
        assert_eq!(first.page_bytes(), 8 * KIB);
        // 16 are held, 48 are free.
        let second = room.begin("ada", 8 * KIB).await.unwrap();
        let mut third = room.begin("ada", 16 * KIB).await.unwrap();
        assert_eq!(third.grow().await.unwrap_err().0.code, Code::Unavailable);
        drop(third);
        let third = room.begin("ada", 16 * KIB).await.unwrap();
        let response = first.json("x".repeat(4 * KIB)).unwrap();
        // Now 12 more are free.
        drop(room.begin("ada", 6 * KIB).await.unwrap());
        let refused = room.begin("ada", 6 * KIB + 1).await.unwrap_err();
        assert_eq!(refused.0.code, Code::Unavailable);
        assert_eq!(response.body().size_hint().exact(), Some(4 * KIB as u64));
        drop((second, third));
        assert!(room.begin("ada", 30 * KIB + 1).await.is_err());
        drop(response);
        drop(room.begin("ada", 32 * KIB).await.unwrap());
    }

    #[tokio::test(start_paused = true)]
    async fn who_fills_its_share_leaves_the_room_to_others() {
        let room = ReplyRoom::new(512 * KIB);
        let mut unread = Vec::new();
        while let Ok(held) = room.begin("ada", 2 * KIB).await {
            unread.push(held.json("x".repeat(16 * KIB)).unwrap());
        }
        assert_eq!(unread.len(), 4);
        let mut other = room.begin("bob", 32 * KIB).await.unwrap();
        other.grow().await.unwrap();
    }

    #[tokio::test(start_paused = true)]
    async fn one_reply_may_be_larger_than_a_share_and_none_than_half_of_the_room() {
        let room = ReplyRoom::new(512 * KIB);
        let mut large = room.begin("ada", 32 * KIB).await.unwrap();
        large.grow().await.unwrap();
        assert_eq!((large.page_bytes(), large.is_largest()), (128 * KIB, true));
        assert_eq!(large.grow().await.unwrap_err().0.code, Code::Unavailable);
        let large = large.json("x".repeat(600 * KIB)).unwrap();
        assert!(room.begin("ada", 1).await.is_err());
        let other = room.begin("bob", 128 * KIB).await.unwrap();
        assert!(room.begin("eve", 1).await.is_err());
        drop((large, other));
    }
}
