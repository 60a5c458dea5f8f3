//! What a socket may have and how long it may take, from the hub's config.

use std::time::Duration;

use crate::config::GatewayConfig;
use crate::gateway::ws::WsLimits;
use crate::http::body::time_for;

/// Frames of one message, before and after the client is known.
const FRAGMENTS_BEFORE_AUTH_MAX: usize = 16;
const FRAGMENTS_MAX: usize = 1_024;

/// Limits of sockets, from the hub's config.
#[derive(Clone, Copy, Debug)]
pub struct SocketLimits {
    /// How long a socket may take to say who it is.
    pub hello_within: Duration,
    /// A socket that was silent so long is pinged, and given up if it is silent as long again.
    pub ping_after: Duration,
    /// A socket that takes nothing of what is written for so long is given up.
    pub stalled_max: Duration,
    /// Bytes of one message.
    pub message_bytes_max: usize,
    /// Bytes of one message before the socket has said who it is.
    pub stranger_bytes_max: usize,
    /// Bytes of the unfinished messages of all sockets.
    pub unfinished_bytes_max: usize,
    /// Bytes queued before the socket is read to from the store instead.
    pub outbox_bytes_max: usize,
}

impl From<&GatewayConfig> for SocketLimits {
    fn from(config: &GatewayConfig) -> Self {
        let bytes = |bytes: u64| usize::try_from(bytes).unwrap_or(usize::MAX);
        SocketLimits {
            hello_within: Duration::from_millis(config.hello_timeout_ms),
            ping_after: Duration::from_millis(config.ping_ms),
            stalled_max: Duration::from_millis(config.stalled_ms),
            message_bytes_max: bytes(config.message_bytes_max),
            stranger_bytes_max: bytes(config.stranger_bytes_max),
            unfinished_bytes_max: bytes(config.unfinished_bytes_max),
            outbox_bytes_max: bytes(config.outbox_bytes_max),
        }
    }
}

impl SocketLimits {
    pub(super) fn before_auth(self) -> WsLimits {
        let bytes_max = self.message_bytes_max.min(self.stranger_bytes_max);
        WsLimits {
            frame_bytes_max: bytes_max,
            message_bytes_max: bytes_max,
            fragments_max: FRAGMENTS_BEFORE_AUTH_MAX,
        }
    }

    pub(super) fn after_auth(self) -> WsLimits {
        WsLimits {
            frame_bytes_max: self.message_bytes_max,
            message_bytes_max: self.message_bytes_max,
            fragments_max: FRAGMENTS_MAX,
        }
    }

    /// How long a message may be under way of which so many bytes have come.
    pub(super) fn message_within(self, arrived_bytes: usize) -> Duration {
        self.stalled_max + time_for(arrived_bytes)
    }

    /// How long a socket may sleep before its deadlines are looked at again.
    pub(super) fn look_every(self) -> Duration {
        self.ping_after.min(self.stalled_max)
    }
}
