//! The room for messages that have begun to arrive: all sockets share it, and no user has more
//! than a share.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use prometheus::IntGauge;
use syncline_protocol::ids::UserId;

use super::link::SocketLimits;

/// Those who have not said who they are may fill this part of the room together.
const STRANGERS_PART: usize = 4;

/// A user may fill this part of it, and always with one message, for which a buffer may hold twice
/// its bytes.
const USERS_PART: usize = 8;

/// What is held, by user; `None` are all who have not said who they are.
#[derive(Debug)]
pub struct Unfinished {
    all: IntGauge,
    held: Mutex<HashMap<Option<UserId>, usize>>,
    bytes_max: usize,
    user_bytes_max: usize,
}

impl Unfinished {
    /// Nothing is held. `all` tells the operator of all of it.
    pub fn new(limits: &SocketLimits, all: IntGauge) -> Unfinished {
        let bytes_max = limits.unfinished_bytes_max;
        Unfinished {
            all,
            held: Mutex::default(),
            bytes_max,
            user_bytes_max: (bytes_max / USERS_PART).max(2 * limits.message_bytes_max),
        }
    }

    /// Counts that a socket of this user holds so many bytes now in place of so many before. False
    /// if there is no room for as much as is held then: of this user's, or of all.
    pub(super) fn count(&self, user: Option<&UserId>, before: usize, now: usize) -> bool {
        let signed = |bytes: usize| i64::try_from(bytes).unwrap_or(i64::MAX);
        self.all.add(signed(now) - signed(before));
        let all = usize::try_from(self.all.get()).unwrap_or(0);
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        let own = held.entry(user.cloned()).or_default();
        *own = (*own + now).saturating_sub(before);
        let fits = all <= self.bytes_max && *own <= self.share(user);
        if *own == 0 {
            held.remove(&user.cloned());
        }
        fits
    }

    fn share(&self, user: Option<&UserId>) -> usize {
        match user {
            None => self.bytes_max / STRANGERS_PART,
            Some(_) => self.user_bytes_max,
        }
    }
}
