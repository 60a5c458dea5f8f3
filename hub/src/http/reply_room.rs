//! Room for the replies of all requests of a node, in bytes: what is read of the store for them,
//! and then their text until it is written.
//!
//! A peer that reads slowly or not at all holds its reply; without this, the node would hold as
//! many as there are connections, each as large as a space.

use std::time::Duration;

use axum::http::StatusCode;
use axum::response::Response;
use bytes::Bytes;
use syncline_protocol::error::Code;
use tokio::time::Instant;

use super::HttpError;
use super::error::json;
use super::room::{NoRoom, Room, Taken};

/// How long a reply may wait to begin. What is begun and needs more never waits for it: two of
/// those could wait for each other.
const BEGIN_WITHIN: Duration = Duration::from_secs(2);

/// Bytes held for a stored byte that is read: records take more in memory.
const HELD_PER_STORED: usize = 2;

/// What a reply's reading grows by.
const GROWTH: usize = 4;

/// The room. Clones share it.
#[derive(Clone, Debug)]
pub struct ReplyRoom(Room);

/// A reply's part of it, given back when the reply is written or given up.
#[derive(Debug)]
pub struct ReplyHeld {
    taken: Taken,
    page_bytes: usize,
    /// One that would fill half of the room is read whole: it counts as half, or it could never
    /// be answered.
    page_bytes_end: usize,
}

impl ReplyRoom {
    /// Room for so many bytes.
    pub fn new(bytes_max: usize) -> ReplyRoom {
        ReplyRoom(Room::new(bytes_max))
    }

    /// Room to read so many stored bytes; first come, first served. Errors: `unavailable`.
    pub async fn begin(&self, page_bytes: usize) -> Result<ReplyHeld, HttpError> {
        let due = Instant::now() + BEGIN_WITHIN;
        let bytes = page_bytes.saturating_mul(HELD_PER_STORED);
        let taken = self.0.take(bytes.min(self.0.half()), due).await;
        Ok(ReplyHeld {
            taken: taken.map_err(no_room)?,
            page_bytes,
            page_bytes_end: self.0.half() / HELD_PER_STORED,
        })
    }
}

impl ReplyHeld {
    /// Stored bytes that may be read now.
    pub fn page_bytes(&self) -> usize {
        if self.page_bytes < self.page_bytes_end {
            self.page_bytes
        } else {
            usize::MAX
        }
    }

    /// Makes room to read more than that, all from the start. Errors: `unavailable`.
    pub fn grow(&mut self) -> Result<(), HttpError> {
        let page_bytes = self.page_bytes.saturating_mul(GROWTH);
        self.page_bytes = page_bytes.min(self.page_bytes_end);
        let bytes = self.page_bytes.saturating_mul(HELD_PER_STORED);
        self.taken.fit_now(bytes).map_err(no_room)
    }

    /// The reply, a JSON text, which keeps its room until it is written. Errors: `unavailable`.
    pub fn json(mut self, text: String) -> Result<Response, HttpError> {
        let bytes = text.len().min(self.page_bytes_end * HELD_PER_STORED);
        self.taken.fit_now(bytes).map_err(no_room)?;
        let text = Bytes::from_owner(HeldText {
            text,
            _taken: self.taken,
        });
        Ok(json(StatusCode::OK, text))
    }
}

/// A text and its part of the room.
struct HeldText {
    text: String,
    _taken: Taken,
}

impl AsRef<[u8]> for HeldText {
    fn as_ref(&self) -> &[u8] {
        self.text.as_bytes()
    }
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
        let room = ReplyRoom::new(64 * KIB);
        let mut first = room.begin(2 * KIB).await.unwrap();
        first.grow().unwrap();
        assert_eq!(first.page_bytes(), 8 * KIB);
        // 16 are held, 48 are free.
        let mut second = room.begin(8 * KIB).await.unwrap();
        let third = room.begin(16 * KIB).await.unwrap();
        assert_eq!(second.grow().unwrap_err().0.code, Code::Unavailable);
        let response = first.json("x".repeat(4 * KIB)).unwrap();
        // Now 12 more are free.
        drop(room.begin(6 * KIB).await.unwrap());
        let refused = room.begin(6 * KIB + 1).await.unwrap_err();
        assert_eq!(refused.0.code, Code::Unavailable);
        assert_eq!(response.body().size_hint().exact(), Some(4 * KIB as u64));
        drop((second, third));
        let half = room.begin(16 * KIB).await.unwrap();
        drop(room.begin(14 * KIB).await.unwrap());
        assert!(room.begin(14 * KIB + 1).await.is_err());
        drop(response);
        drop(room.begin(16 * KIB).await.unwrap());
        drop(half);
    }

    #[tokio::test(start_paused = true)]
    async fn a_reply_larger_than_half_of_the_room_counts_as_half() {
        let room = ReplyRoom::new(64 * KIB);
        let mut large = room.begin(8 * KIB).await.unwrap();
        large.grow().unwrap();
        assert_eq!(large.page_bytes(), usize::MAX);
        let large = large.json("x".repeat(100 * KIB)).unwrap();
        let small = room.begin(16 * KIB).await.unwrap();
        assert!(room.begin(1).await.is_err());
        drop((large, small));
    }
}
