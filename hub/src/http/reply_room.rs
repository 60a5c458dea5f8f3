//! Room for the replies of all requests of a node, in bytes: what is read of the store for them,
//! and then their text until it is written.
//!
//! A peer that reads slowly or not at all holds its reply; without this, the node would hold as
//! many as there are connections, each as large as a space. Ordinary replies are in one half of the
//! room, where a user has a share. A reply larger than that goes to the other half, where such
//! replies wait for each other only, one of each user. Each must be taken whole in a time by its
//! size ([`ToBeTaken`]), and an ordinary one faster while others wait for its room ([`Takings`]).

use std::sync::Arc;
use std::time::Duration;

use axum::http::StatusCode;
use axum::response::Response;
use bytes::Bytes;
use prometheus::IntCounter;
use syncline_protocol::error::Code;
use tokio::time::Instant;

use super::HttpError;
use super::error::json;
use super::owed::ToBeTaken;
use super::room::NoRoom;
use super::shares::{Share, Shares};
use super::taking::{Listed, Taking, Takings};

/// How long a reply may wait to begin, and again each time that it needs more.
const ROOM_WITHIN: Duration = Duration::from_secs(2);

/// A user's ordinary replies have this part of the room at most.
const SHARE: usize = 32;

/// A large reply has this part of the room at most, and large replies together as well.
const LARGE: usize = 2;

/// Bytes held for a stored byte that is read: records take more in memory.
const HELD_PER_STORED: usize = 2;

/// What a reply's reading grows by, and that of a large one, which takes room from others.
const GROWTH: usize = 4;
const LARGE_GROWTH: usize = 2;

/// How fast an ordinary reply must be taken, and a large one, of which there is room for few.
const ORDINARY_BYTES_PER_S: usize = 4 << 10;
const LARGE_BYTES_PER_S: usize = 16 << 10;

/// The room. Clones share it.
#[derive(Clone, Debug)]
pub struct ReplyRoom {
    ordinary: Shares,
    large: Shares,
    /// The ordinary replies that are being taken.
    takings: Takings,
    /// Bytes an ordinary reply may hold, and any one.
    ordinary_max: usize,
    large_max: usize,
}

/// A reply's part of it, given back when the reply is written or given up.
#[derive(Debug)]
pub struct ReplyHeld {
    room: ReplyRoom,
    user: String,
    share: Share,
    size: Size,
    page_bytes: usize,
}

/// In which half a reply is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Size {
    Ordinary,
    Large,
}

impl ReplyRoom {
    /// Room for so many bytes. What is given up because its peer takes it too slowly while others
    /// wait is counted.
    pub fn new(bytes_max: usize, given_up: IntCounter) -> ReplyRoom {
        let (large_max, ordinary_max) = (bytes_max / LARGE, bytes_max / SHARE);
        ReplyRoom {
            ordinary: Shares::new(bytes_max - large_max, ordinary_max),
            // What is more than a share takes all of it: so a user has one large reply at once.
            large: Shares::new(large_max, ordinary_max),
            takings: Takings::new(given_up),
            ordinary_max,
            large_max,
        }
    }

    /// Bytes one reply may have.
    pub fn reply_bytes_max(&self) -> usize {
        self.large_max
    }

    /// Room to read so many stored bytes for a user, or as many as an ordinary reply may; first
    /// come, first served. Errors: `unavailable`.
    pub async fn begin(&self, user: &str, page_bytes: usize) -> Result<ReplyHeld, HttpError> {
        let page_bytes = page_bytes.min(self.ordinary_max / HELD_PER_STORED);
        let bytes = page_bytes * HELD_PER_STORED;
        let press = || self.takings.press(bytes);
        let share = self.ordinary.take_or(user, bytes, soon(), press).await;
        Ok(ReplyHeld {
            room: self.clone(),
            user: user.to_owned(),
            share: share.map_err(no_room)?,
            size: Size::Ordinary,
            page_bytes,
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
        self.page_bytes >= self.room.large_max / HELD_PER_STORED
    }

    /// Makes room to read more than that, all from the start: what was read must be gone. Errors:
    /// `unavailable`; `reply_too_large` for the largest.
    pub async fn grow(&mut self) -> Result<(), HttpError> {
        if self.is_largest() {
            return Err(too_large());
        }
        let ordinary = self.room.ordinary_max / HELD_PER_STORED;
        let (growth, most) = match self.page_bytes < ordinary {
            true => (GROWTH, ordinary),
            false => (LARGE_GROWTH, self.room.large_max / HELD_PER_STORED),
        };
        self.page_bytes = self.page_bytes.saturating_mul(growth).min(most);
        let bytes = self.page_bytes * HELD_PER_STORED;
        if bytes > self.room.ordinary_max && self.size == Size::Ordinary {
            // Whoever waits for the other half holds nothing of this one.
            self.share.fit_now(0).map_err(no_room)?;
            return self.become_large(bytes).await;
        }
        if self.share.fit_now(bytes).is_err() {
            self.share.fit_now(0).map_err(no_room)?;
            self.grow_to(bytes).await?;
        }
        Ok(())
    }

    /// Makes room for a text of so many bytes before it is made, unless what was read for it holds
    /// as much. What must be told, whatever it takes, has all there is. Errors: `unavailable`.
    pub async fn hold(&mut self, bytes: usize) -> Result<(), HttpError> {
        let bytes = bytes.min(self.room.large_max);
        if bytes > self.room.ordinary_max && self.size == Size::Ordinary {
            // What it was read with is held meanwhile. Nobody waits the other way.
            return self.become_large(bytes).await;
        }
        self.grow_to(bytes).await
    }

    /// Waits for so many bytes in all. Who waits for others that are slow has them given up.
    async fn grow_to(&mut self, bytes: usize) -> Result<(), HttpError> {
        let ReplyHeld { room, size, .. } = &*self;
        let (takings, is_ordinary) = (room.takings.clone(), *size == Size::Ordinary);
        let press = || {
            if is_ordinary {
                takings.press(bytes);
            }
        };
        let grown = self.share.grow_or(bytes, soon(), press).await;
        grown.map_err(no_room)
    }

    /// The reply, a JSON text, which keeps its room until it is written. Errors: those of
    /// [`ReplyHeld::hold`], which is better called before.
    pub async fn json(mut self, text: String) -> Result<Response, HttpError> {
        self.hold(text.len()).await?;
        let bytes = text.len().min(self.room.large_max);
        self.share.fit_now(bytes).map_err(no_room)?;
        let bytes_per_s = match self.size {
            Size::Ordinary => ORDINARY_BYTES_PER_S,
            Size::Large => LARGE_BYTES_PER_S,
        };
        let taking = Taking::begin();
        let is_ordinary = self.size == Size::Ordinary;
        let listed = is_ordinary.then(|| self.room.takings.add(&taking, bytes));
        let to_be_taken = ToBeTaken {
            held: Arc::downgrade(&taking),
            least: Duration::from_secs(text.len().div_ceil(bytes_per_s) as u64),
        };
        let text = Bytes::from_owner(HeldText {
            text,
            _share: self.share,
            _taking: taking,
            _listed: listed,
        });
        let mut response = json(StatusCode::OK, text);
        response.extensions_mut().insert(to_be_taken);
        Ok(response)
    }

    async fn become_large(&mut self, bytes: usize) -> Result<(), HttpError> {
        let share = self.room.large.take(&self.user, bytes, soon()).await;
        self.share = share.map_err(no_room)?;
        self.size = Size::Large;
        Ok(())
    }
}

/// A text and its part of the room.
struct HeldText {
    text: String,
    _share: Share,
    _taking: Arc<Taking>,
    _listed: Option<Listed>,
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

/// What is asked for is more than a reply may ever hold.
pub fn too_large() -> HttpError {
    let message = "this is more than one reply may hold: half of gateway.replies_bytes_max";
    HttpError::new(Code::ReplyTooLarge, message)
}

#[cfg(test)]
mod tests {
    use axum::body::HttpBody;

    use super::*;

    const KIB: usize = 1_024;
    const MIB: usize = 1_024 * KIB;

    fn room() -> ReplyRoom {
        ReplyRoom::new(2 * MIB, IntCounter::new("given_up", "given up").unwrap())
    }

    fn code<T: std::fmt::Debug>(refused: Result<T, HttpError>) -> Code {
        refused.unwrap_err().0.code
    }

    async fn large(room: &ReplyRoom, user: &str, text_bytes: usize) -> Result<Response, HttpError> {
        let mut held = room.begin(user, 2 * KIB).await?;
        held.hold(text_bytes).await?;
        held.json("x".repeat(text_bytes)).await
    }

    #[tokio::test(start_paused = true)]
    async fn a_reply_holds_what_it_is_read_with_and_then_its_text() {
        let room = room();
        // The share is 64.
        let mut first = room.begin("ada", 2 * KIB).await.unwrap();
        first.grow().await.unwrap();
        assert_eq!(first.page_bytes(), 8 * KIB);
        // 16 are held, 48 are free.
        let second = room.begin("ada", 8 * KIB).await.unwrap();
        let mut third = room.begin("ada", 16 * KIB).await.unwrap();
        assert_eq!(code(third.grow().await), Code::Unavailable);
        drop(third);
        let third = room.begin("ada", 16 * KIB).await.unwrap();
        let response = first.json("x".repeat(4 * KIB)).await.unwrap();
        // Now 12 more are free.
        drop(room.begin("ada", 6 * KIB).await.unwrap());
        assert_eq!(
            code(room.begin("ada", 6 * KIB + 1).await),
            Code::Unavailable
        );
        assert_eq!(response.body().size_hint().exact(), Some(4 * KIB as u64));
        drop((second, third));
        assert!(room.begin("ada", 30 * KIB + 1).await.is_err());
        drop(response);
        drop(room.begin("ada", 32 * KIB).await.unwrap());
    }

    #[tokio::test(start_paused = true)]
    async fn a_text_takes_its_room_before_it_is_made() {
        let room = room();
        let mut held = room.begin("ada", 2 * KIB).await.unwrap();
        held.hold(40 * KIB).await.unwrap();
        assert!(room.begin("ada", 12 * KIB + 1).await.is_err());
        drop(room.begin("ada", 12 * KIB).await.unwrap());
    }

    #[tokio::test(start_paused = true)]
    async fn who_fills_its_share_leaves_the_room_to_others() {
        let room = room();
        let mut unread = Vec::new();
        while let Ok(held) = room.begin("ada", 2 * KIB).await {
            unread.push(held.json("x".repeat(16 * KIB)).await.unwrap());
        }
        assert_eq!(unread.len(), 4);
        drop(room.begin("bob", 32 * KIB).await.unwrap());
    }

    #[tokio::test(start_paused = true)]
    async fn large_replies_nobody_takes_leave_the_room_of_ordinary_ones_as_it_is() {
        let room = room();
        let mut unread = Vec::new();
        for user in ["ada", "bob", "eve"] {
            if let Ok(held) = large(&room, user, 512 * KIB).await {
                unread.push(held);
            }
        }
        assert_eq!(unread.len(), 2, "half of the room is full");
        assert_eq!(code(large(&room, "dan", 65 * KIB).await), Code::Unavailable);
        for user in ["ada", "bob", "eve", "dan"] {
            let held = room.begin(user, 32 * KIB).await.unwrap();
            unread.push(held.json("x".repeat(64 * KIB)).await.unwrap());
        }
        drop(unread);
        drop(large(&room, "dan", MIB).await.unwrap());
    }

    #[tokio::test(start_paused = true)]
    async fn a_user_has_one_large_reply_and_ordinary_ones_beside_it() {
        let room = room();
        let held = large(&room, "ada", 100 * KIB).await.unwrap();
        assert_eq!(code(large(&room, "ada", 65 * KIB).await), Code::Unavailable);
        drop(large(&room, "bob", 65 * KIB).await.unwrap());
        drop(room.begin("ada", 32 * KIB).await.unwrap());
        drop(held);
        drop(large(&room, "ada", 65 * KIB).await.unwrap());
    }

    #[tokio::test(start_paused = true)]
    async fn reading_grows_to_a_share_and_then_to_half_of_the_room() {
        let room = room();
        let mut held = room.begin("ada", MIB).await.unwrap();
        assert_eq!(held.page_bytes(), 32 * KIB);
        for page in [64, 128, 256, 512].map(|kib| kib * KIB) {
            assert!(!held.is_largest());
            held.grow().await.unwrap();
            assert_eq!(held.page_bytes(), page);
        }
        assert!(held.is_largest());
        assert_eq!(code(held.grow().await), Code::ReplyTooLarge);
        // What must be told whatever it takes has all there is, and no more is free.
        let all = held.json("x".repeat(3 * MIB)).await.unwrap();
        assert_eq!(code(large(&room, "bob", 65 * KIB).await), Code::Unavailable);
        drop(all);
    }

    #[tokio::test(start_paused = true)]
    async fn a_reply_says_until_when_it_must_be_taken() {
        let room = room();
        for (bytes, least_s) in [(64 * KIB, 16), (512 * KIB, 32)] {
            let response = large(&room, "ada", bytes).await.unwrap();
            let to_be_taken: &ToBeTaken = response.extensions().get().unwrap();
            assert_eq!(to_be_taken.least, Duration::from_secs(least_s));
            let held = to_be_taken.held.clone();
            assert_eq!(held.strong_count(), 1);
            drop(response);
            assert_eq!(held.strong_count(), 0);
        }
    }

    /// Serves a reply to a peer that takes nothing, until it is given up.
    fn serve_nobody(response: Response) -> tokio::task::JoinHandle<()> {
        let to_be_taken: &ToBeTaken = response.extensions().get().unwrap();
        let held = to_be_taken.held.clone();
        tokio::spawn(async move {
            let given_up = std::future::poll_fn(|cx| match held.upgrade() {
                Some(taking) if !taking.is_given_up(cx) => std::task::Poll::Pending,
                _ => std::task::Poll::Ready(()),
            });
            given_up.await;
            drop(response);
        })
    }

    #[tokio::test(start_paused = true)]
    async fn peers_that_take_nothing_keep_nobody_out_of_the_room_however_many() {
        let room = room();
        let mut served = Vec::new();
        for user in 0..SHARE / LARGE {
            let held = room.begin(&user.to_string(), 32 * KIB).await.unwrap();
            served.push(serve_nobody(held.json("x".repeat(64 * KIB)).await.unwrap()));
        }
        // They are slow only when they have had the time to begin.
        assert_eq!(code(room.begin("ada", 1).await), Code::Unavailable);
        tokio::time::advance(Duration::from_secs(5)).await;
        let mut held = room.begin("ada", 2 * KIB).await.unwrap();
        held.grow().await.unwrap();
        let is_over = |one: &&tokio::task::JoinHandle<()>| one.is_finished();
        assert_eq!(served.iter().filter(is_over).count(), 1);
        held.hold(64 * KIB).await.unwrap();
        drop(room.begin("bob", 32 * KIB).await.unwrap());
    }
}
