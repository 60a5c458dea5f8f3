//! What a connection's clocks count: how long the peer was silent, how long it has taken nothing,
//! how long its message has been arriving, and how much it said lately that cost it nothing.
//!
//! They are moments of the node's wheel. One alarm, the earliest of all that may happen, wakes the
//! socket's task, and [`Link::keep_alive`] then looks at each.

use std::time::Duration;

use syncline_protocol::error::close;

use super::{Ending, Link};
use crate::gateway::frame::Frame;
use crate::gateway::ws::push_ping;
use crate::wheel::Tick;

/// Pings, pongs and other messages that cost the sender nothing, in about a second.
const CHEAP_MAX: u8 = 200;

/// Of those, one counts again for so many of its bytes.
const CHEAP_BYTES: usize = 4 << 10;

/// What a client that is known may do with tokens once in so long: have one verified.
const TOKEN_EVERY: Duration = Duration::from_secs(2);

/// How long the hub may take over something that it must do before it takes more of the peer. Its
/// store gives up sooner.
const HUB_WAIT_MAX: Duration = Duration::from_secs(60);

impl Link {
    /// How long a client that is known must wait until another of its tokens is verified, which
    /// costs the hub a signature and the client nothing. The time is then taken.
    pub(in crate::gateway) fn token_turn(&mut self) -> Duration {
        let wheel = &self.gateway.wheel;
        // The wheel's very first tick is how `opened_at` says that there was no token yet.
        let now = wheel.now().max(Tick(1));
        let turn = match self.opened_at {
            tick if tick == Tick::default() => now,
            last => now.max(wheel.after(last, TOKEN_EVERY)),
        };
        self.opened_at = turn;
        wheel.until(turn).unwrap_or_default()
    }

    /// How long the client may still take to be known; `None` if the time is over.
    pub(in crate::gateway) fn time_to_auth(&self, within: Duration) -> Option<Duration> {
        let wheel = &self.gateway.wheel;
        wheel.until(wheel.after(self.opened_at, within))
    }

    /// Counts something of so many bytes that costs the peer nothing to send; false if it sends
    /// too much of that. Then nothing more is read of it until the second is over.
    pub(in crate::gateway) fn may_be_cheap(&mut self, bytes: usize) -> bool {
        let now = self.gateway.wheel.now();
        if now >= self.second_ends() {
            (self.cheap_at, self.cheap) = (now, 0);
        }
        let count = u8::try_from(1 + bytes / CHEAP_BYTES).unwrap_or(u8::MAX);
        self.cheap = self.cheap.saturating_add(count);
        self.cheap <= CHEAP_MAX
    }

    fn second_ends(&self) -> Tick {
        let wheel = &self.gateway.wheel;
        wheel.after(self.cheap_at, Duration::from_secs(1))
    }

    /// It said too much that was cheap, and the second is not over.
    pub(super) fn is_paused(&self) -> bool {
        self.cheap > CHEAP_MAX && self.gateway.wheel.now() < self.second_ends()
    }

    /// The hub takes what comes: from now on the peer's silence counts.
    pub(in crate::gateway) fn listen(&mut self) {
        if !self.listens {
            let now = self.gateway.wheel.now();
            (self.listens, self.pinged) = (true, false);
            (self.silent_since, self.began_at) = (now, now);
        }
    }

    /// The hub takes nothing for now.
    pub(in crate::gateway) fn stop_listening(&mut self) {
        if self.listens {
            (self.listens, self.silent_since) = (false, self.gateway.wheel.now());
        }
    }

    /// It was heard, or took some of what waited for it.
    pub(super) fn is_alive(&mut self) {
        if self.listens {
            (self.silent_since, self.pinged) = (self.gateway.wheel.now(), false);
        }
    }

    /// Something was taken whole. What remains began now, unless it was a control frame inside
    /// a message: that message began before.
    pub(in crate::gateway) fn taken(&mut self) {
        if !self.reader.is_in_message() {
            self.began_at = self.gateway.wheel.now();
        }
    }

    /// How long the hub has not got on with what it took; when that is too long, an end.
    pub(in crate::gateway) fn check_wait(&self) -> Result<Duration, Ending> {
        let wheel = &self.gateway.wheel;
        let left = wheel.until(wheel.after(self.silent_since, HUB_WAIT_MAX));
        left.ok_or(Ending::Close(
            close::TRY_AGAIN_LATER,
            "the hub does not get on",
        ))
    }

    /// Pings a silent peer, gives up a dead or stalled one, and sets the alarm for the next
    /// look: at the latest after `wait`.
    pub(in crate::gateway) fn keep_alive(&mut self, wait: Duration) -> Result<(), Ending> {
        let (gateway, limits) = (self.gateway.clone(), self.gateway.limits);
        let wheel = &gateway.wheel;
        let over = |since, within| wheel.now() >= wheel.after(since, within);
        if self.waiting && over(self.took_at, limits.stalled_max) {
            return Err(Ending::Close(close::SLOW, "nothing is read"));
        }
        // What is kept whole waits for the hub, not for the peer.
        let unfinished = !self.reader.is_at_rest() && !self.reader.has_kept();
        let message_within = limits.message_within(self.reader.arrived_bytes());
        let mut next = wheel.after(wheel.now(), wait.min(limits.look_every()));
        if self.listens {
            if unfinished && over(self.began_at, message_within) {
                return Err(Ending::Close(close::SLOW, "a message takes too long"));
            }
            if over(self.silent_since, limits.ping_after) {
                if self.pinged {
                    return Err(Ending::Gone);
                }
                // After a stop of the whole process, too, it has the time of a ping to answer.
                self.put_ephemeral(Frame::encode(push_ping));
                (self.silent_since, self.pinged) = (wheel.now(), true);
            }
            next = next.min(wheel.after(self.silent_since, limits.ping_after));
            if unfinished {
                next = next.min(wheel.after(self.began_at, message_within));
            }
        } else if self.is_paused() {
            next = next.min(self.second_ends());
        }
        if self.waiting {
            next = next.min(wheel.after(self.took_at, limits.stalled_max));
        }
        wheel.wake_by(self.outbox.clone(), next);
        Ok(())
    }

    /// Has its deadlines looked at at the next tick.
    pub(in crate::gateway) fn look_soon(&self) {
        let wheel = &self.gateway.wheel;
        wheel.wake_by(self.outbox.clone(), Tick(wheel.now().0 + 1));
    }
}
