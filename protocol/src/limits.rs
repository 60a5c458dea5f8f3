//! Every limit of the protocol, with what happens when it is reached.
//!
//! These are the defaults and the hard shape of the data; what an operator may lower or raise
//! is read from the hub's config, which starts from these values.

/// Bytes of one WebSocket message, either direction. One more closes the socket with 1009.
pub const MESSAGE_BYTES_MAX: usize = 1 << 20;

/// Bytes of one frame before the socket has authenticated. One more closes it with 1009.
pub const FRAME_BYTES_BEFORE_AUTH_MAX: usize = 64 << 10;

/// Changes in one push. One more is refused with `too_many_changes`.
pub const CHANGES_PER_PUSH_MAX: usize = 5_000;

/// Bytes of a record (names and canonical values, see [`crate::record::Record::size_bytes`]).
/// A mutation that would make a record larger is rejected with `record_too_large`.
pub const RECORD_BYTES_MAX: usize = 256 << 10;

/// Fields of a record, hidden ones included, and of one change. One more rejects with
/// `too_many_fields`.
pub const FIELDS_PER_RECORD_MAX: usize = 1_024;

/// Nesting of arrays and objects inside one field value. One more rejects with `json_too_deep`.
pub const JSON_DEPTH_MAX: usize = 32;

/// Bytes of a table, record id, field, app, space, user or client name; at least one byte.
pub const NAME_BYTES_MAX: usize = 128;

/// Bytes of an HTTP request body. One more is answered 413 `body_too_large`.
pub const HTTP_BODY_BYTES_MAX: usize = 10 << 20;

/// Sockets of one user on one node. One more is refused with `too_many_sockets` and 4029.
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
