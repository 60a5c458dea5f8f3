//! Sockets and requests: how many, how large, how patient.

use serde::{Deserialize, Serialize};
use syncline_protocol::limits;

use super::Problems;

/// Limits of the two listeners and of the sockets.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct GatewayConfig {
    /// HTTP connections open at once on a listener, upgraded ones not counted. One more is
    /// closed at once. 1 to 1,000,000, default 20,000.
    pub connections_max: u64,
    /// The percentage of `connections_max` that one address may have, an IPv6 /64 counting as
    /// one, at least one, and of the places of sockets that wait for their `hello`. One more is
    /// closed at once. Where all come from a proxy's address, 100 lets it have all. 1 to 100,
    /// default 25.
    pub connections_address_percent: u64,
    /// Milliseconds a connection may take for its TLS handshake, for a request's head, or stay
    /// idle between two.
    /// 100 to 600,000, default 15,000.
    pub header_timeout_ms: u64,
    /// Bytes of a request's body. One more is answered 413. 1 KiB to 1 GiB and not more than
    /// `bodies_bytes_max`, default 10 MiB.
    pub body_bytes_max: u64,
    /// Bytes of the bodies of all requests under way on the node; a user has at most an eighth of
    /// it, or one body. One that finds no room within `body_timeout_ms` is answered `slow`. 1 KiB to 64 GiB, default 256 MiB.
    pub bodies_bytes_max: u64,
    /// Bytes of the replies that wait to be written on the node, with what is read for them, which
    /// takes twice its bytes. In one half of it a user has at most a thirty-second of the whole; a
    /// larger reply, one of each user, is in the other half and takes at most all of that. One that
    /// finds no room is answered 503 with `Retry-After`. The pull of a table of more than that half,
    /// which is of more stored bytes than a quarter of the whole, is refused for good, 413
    /// `reply_too_large`, and `syncline_replies_too_large_total` counts it; a changeset is then
    /// answered with less and its device pulls. 1 MiB to 64 GiB, default 256 MiB.
    pub replies_bytes_max: u64,
    /// Milliseconds a body may wait for room, and then take to arrive, where each 4 KiB of it give a
    /// second more. One that is later is answered `slow`. 100 to 600,000, default 30,000.
    pub body_timeout_ms: u64,
    /// Milliseconds from a socket's opening to its `hello`. 100 to 60,000, default 5,000. Sockets
    /// of the compatibility protocol have ten seconds, as their clients expect.
    pub hello_timeout_ms: u64,
    /// Milliseconds between the hub's pings; a socket silent for two of them is closed. 100 to
    /// 600,000, default 30,000.
    pub ping_ms: u64,
    /// Bytes of one message. One more closes the socket. 1 KiB to 64 MiB, default 1 MiB.
    pub message_bytes_max: u64,
    /// Bytes of one message before the socket has said who it is. One more closes the socket. 1
    /// KiB to 1 MiB, default 64 KiB.
    pub stranger_bytes_max: u64,
    /// Bytes of the messages that have begun to arrive on all sockets of the node and are not
    /// whole; those before their `hello` may take a quarter, and each user an eighth. A socket that needs more than 4 KiB
    /// when there is none is closed. 1 MiB to 64 GiB, default 256 MiB.
    pub unfinished_bytes_max: u64,
    /// Bytes queued for one socket before it is read again from the store instead. 4 KiB to
    /// 64 MiB, default 256 KiB.
    pub outbox_bytes_max: u64,
    /// Milliseconds a socket or connection may take nothing of what is written to it, or a message
    /// may take to arrive, before it is closed; a message has a second more for each 4 KiB of it that
    /// came. So is a connection that takes less than 4 KiB/s of
    /// its answers while they wait for it, over ten times this, or that has not taken a reply whole
    /// this long after the time it takes at 4 KiB/s (16 KiB/s if it is more than a user's share of
    /// `replies_bytes_max`). 100 to 600,000, default 30,000.
    pub stalled_ms: u64,
    /// Sockets of one user. One more is refused, unless it replaces the older one of its client. 1
    /// to 100,000, default 100.
    pub sockets_per_user_max: u64,
    /// Sockets from one address, an IPv6 /64 counting as one; 0 does not count them. One more is
    /// refused. Behind a proxy all come from its address. 0 to 10,000,000, default 0.
    pub sockets_per_address_max: u64,
    /// Sockets of the node. One more is refused. 10 to 10,000,000, default 200,000.
    pub sockets_max: u64,
    /// The percentage of `sockets_max` that may wait for their `hello`, at least one. One more is
    /// refused. 1 to 100, default 10.
    pub strangers_percent: u64,
}

impl Default for GatewayConfig {
    fn default() -> Self {
        GatewayConfig {
            connections_max: 20_000,
            connections_address_percent: 25,
            header_timeout_ms: 15_000,
            body_bytes_max: limits::HTTP_BODY_BYTES_MAX as u64,
            bodies_bytes_max: 256 << 20,
            replies_bytes_max: 256 << 20,
            body_timeout_ms: 30_000,
            hello_timeout_ms: 5_000,
            ping_ms: 30_000,
            message_bytes_max: limits::MESSAGE_BYTES_MAX as u64,
            stranger_bytes_max: limits::FRAME_BYTES_BEFORE_AUTH_MAX as u64,
            unfinished_bytes_max: 256 << 20,
            outbox_bytes_max: limits::OUTBOX_BYTES_MAX as u64,
            stalled_ms: 30_000,
            sockets_per_user_max: limits::SOCKETS_PER_USER_MAX as u64,
            sockets_per_address_max: 0,
            sockets_max: 200_000,
            strangers_percent: 10,
        }
    }
}

impl GatewayConfig {
    /// Sockets that may wait for their `hello` at once.
    pub fn strangers_max(&self) -> u64 {
        (self.sockets_max * self.strangers_percent / 100).max(1)
    }

    /// Bytes of bodies one user may have under way: an eighth of the node's, and any one body.
    pub fn body_share(&self) -> usize {
        let share = (self.bodies_bytes_max / 8).max(self.body_bytes_max);
        usize::try_from(share).unwrap_or(usize::MAX)
    }

    /// Of those, from one address.
    pub fn strangers_per_address_max(&self) -> u64 {
        (self.strangers_max() * self.connections_address_percent / 100).max(1)
    }

    /// Connections one address may have open at once on a listener.
    pub fn per_address_max(&self) -> u64 {
        (self.connections_max * self.connections_address_percent / 100).max(1)
    }

    pub(super) fn check(&self, problems: &mut Problems) {
        let ranges = [
            (
                "gateway.connections_max",
                self.connections_max,
                1..=1_000_000,
            ),
            (
                "gateway.connections_address_percent",
                self.connections_address_percent,
                1..=100,
            ),
            (
                "gateway.header_timeout_ms",
                self.header_timeout_ms,
                100..=600_000,
            ),
            (
                "gateway.body_bytes_max",
                self.body_bytes_max,
                1 << 10..=1 << 30,
            ),
            (
                "gateway.bodies_bytes_max",
                self.bodies_bytes_max,
                1 << 10..=64 << 30,
            ),
            (
                "gateway.replies_bytes_max",
                self.replies_bytes_max,
                1 << 20..=64 << 30,
            ),
            (
                "gateway.body_timeout_ms",
                self.body_timeout_ms,
                100..=600_000,
            ),
            (
                "gateway.hello_timeout_ms",
                self.hello_timeout_ms,
                100..=60_000,
            ),
            ("gateway.ping_ms", self.ping_ms, 100..=600_000),
            (
                "gateway.message_bytes_max",
                self.message_bytes_max,
                1 << 10..=64 << 20,
            ),
            (
                "gateway.stranger_bytes_max",
                self.stranger_bytes_max,
                1 << 10..=1 << 20,
            ),
            (
                "gateway.unfinished_bytes_max",
                self.unfinished_bytes_max,
                1 << 20..=64 << 30,
            ),
            (
                "gateway.outbox_bytes_max",
                self.outbox_bytes_max,
                4 << 10..=64 << 20,
            ),
            ("gateway.stalled_ms", self.stalled_ms, 100..=600_000),
            (
                "gateway.sockets_per_user_max",
                self.sockets_per_user_max,
                1..=100_000,
            ),
            (
                "gateway.sockets_per_address_max",
                self.sockets_per_address_max,
                0..=10_000_000,
            ),
            ("gateway.sockets_max", self.sockets_max, 10..=10_000_000),
            ("gateway.strangers_percent", self.strangers_percent, 1..=100),
        ];
        for (key, value, allowed) in ranges {
            problems.range(key, value, allowed);
        }
        if self.body_bytes_max > self.bodies_bytes_max {
            let message = "is more than gateway.bodies_bytes_max, the room of all bodies";
            problems.push("gateway.body_bytes_max", message);
        }
    }
}
