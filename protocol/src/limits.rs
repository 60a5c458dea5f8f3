//! Every limit of the protocol, with what happens when it is reached.
//!
//! [`Limits`] is what an operator may lower or raise of the data itself; it comes in as a value.
//! The constants are the hard shape of the protocol, and defaults of the hub's config.

/// What a change may hold and a record may become. A hub whose limits were lowered keeps what it
/// has: only what grows is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of a record (names and canonical values, see
    /// [`crate::record::Record::size_bytes`]). A mutation that would make a record larger is
    /// rejected with `record_too_large`.
    pub record_bytes_max: usize,
    /// Fields of a record, hidden ones included, and of one change. One more rejects with
    /// `too_many_fields`.
    pub fields_max: usize,
    /// Nesting of arrays and objects inside one field value. One more rejects with
    /// `json_too_deep`.
    pub json_depth_max: usize,
    /// Changes in one push. One more is refused with `too_many_changes`.
    pub changes_per_push_max: usize,
    /// Bytes of the stored records one mutation touches, by the hub's estimate of what they take
    /// in memory. More rejects it with `mutation_too_large`.
    pub mutation_bytes_max: usize,
    /// Bytes of a table's, record's or field's name. One more is refused with `name_invalid`.
    pub name_bytes_max: usize,
}

impl Limits {
    /// What holds where nobody says otherwise.
    pub const DEFAULT: Limits = Limits {
        record_bytes_max: 256 << 10,
        fields_max: 1_024,
        json_depth_max: 32,
        changes_per_push_max: 5_000,
        mutation_bytes_max: 64 << 20,
        name_bytes_max: 128,
    };
}

/// The deepest nesting an operator may allow. Reading is recursive, and its own bound is at 127
/// with what is around a value.
pub const JSON_DEPTH_CEILING: usize = 100;

/// The longest name an operator may allow for tables, records and fields.
pub const NAME_BYTES_CEILING: usize = 1_024;

/// Bytes of one WebSocket message, either direction. One more closes the socket with 1009.
pub const MESSAGE_BYTES_MAX: usize = 1 << 20;

/// Bytes of one frame before the socket has authenticated. One more closes it with 1009.
pub const FRAME_BYTES_BEFORE_AUTH_MAX: usize = 64 << 10;

/// Bytes of an app, space, user, client, node or room name; at least one byte.
pub const NAME_BYTES_MAX: usize = 128;

/// Bytes of an HTTP request body. One more is answered 413 `body_too_large`.
pub const HTTP_BODY_BYTES_MAX: usize = 10 << 20;

/// Sockets of one user on one node. One more is refused with `too_many_sockets` and 4029, unless
/// it replaces the older one of its client.
pub const SOCKETS_PER_USER_MAX: usize = 100;

/// Bytes queued for one socket before its changes are no longer queued but read again later
/// from the store, from its cursor.
pub const OUTBOX_BYTES_MAX: usize = 256 << 10;

/// Mutations of one client without a verdict, and verdicts a mark remembers. A push that would
/// bring one more in flight is refused with `too_many_in_flight`; one that holds more itself,
/// with `too_many_mutations`.
pub const MUTATIONS_IN_FLIGHT_MAX: usize = 256;

/// Bytes of winning values kept in one verdict. Winners past it are named without values; the
/// values reach the device with its delta anyway.
pub const VERDICT_WINNERS_BYTES_MAX: usize = 4 << 10;

/// Milliseconds a stamp may be ahead of the hub's clock before it is clamped.
pub const STAMP_AHEAD_MS_MAX: u64 = 60_000;

/// Earliest wall time a stamp may claim, ms since 1970: 2020-01-01T00:00:00Z.
pub const STAMP_WALL_MS_MIN: u64 = 1_577_836_800_000;

/// Bytes of one decoded value at rest or between nodes: bounds what a damaged length can claim.
pub const DECODE_BYTES_MAX: usize = 64 << 20;

/// Tables one socket may name in `hello`. One more is refused with `too_many_tables`.
pub const TABLES_PER_HELLO_MAX: usize = 256;

/// Bytes of a presence state or a broadcast's data. One more is refused with `ephemeral_too_large`.
pub const EPHEMERAL_BYTES_MAX: usize = 4 << 10;

/// Bytes of the text one may arrive in, which may have white space and escapes. A longer one is
/// refused unread with the same code: rewriting a whole message's worth of it costs milliseconds.
pub const EPHEMERAL_TEXT_BYTES_MAX: usize = 16 * EPHEMERAL_BYTES_MAX;

/// Bytes of a refusal's message. It may quote what came; a longer one is cut there, so that an
/// answer, or the verdict a mark remembers, is never as long as what it refuses.
pub const REFUSAL_BYTES_MAX: usize = 256;

/// Records a snapshot's place may say were sent: what a client counts to. More is refused with
/// `cursor_invalid`.
pub const SNAPSHOT_RECORDS_MAX: u64 = (1 << 53) - 1;
