//! Stable error codes, each with its retry class and HTTP status.
//!
//! A code never changes its meaning. Messages are for people and may change.

use serde::{Serialize, Serializer};

use crate::limits::REFUSAL_BYTES_MAX;

/// What a client should do about an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Retry {
    /// The same request will be refused again.
    Never,
    /// Try again at once, after correcting what the error names.
    Now,
    /// Try again later; `Retry-After` or `retry_ms` may say when.
    After,
    /// Get a new token first.
    Reauth,
    /// The client speaks an older protocol than this hub takes.
    Upgrade,
}

impl Retry {
    /// The word on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Retry::Never => "never",
            Retry::Now => "now",
            Retry::After => "after",
            Retry::Reauth => "reauth",
            Retry::Upgrade => "upgrade",
        }
    }
}

macro_rules! codes {
    ($($(#[$doc:meta])* $variant:ident = $text:literal, $retry:ident, $status:literal;)*) => {
        /// A stable error code. `as_str` is the form on the wire and in logs.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum Code { $($(#[$doc])* $variant,)* }

        impl Code {
            /// Every code, for documentation and tests.
            pub const ALL: &'static [Code] = &[$(Code::$variant,)*];

            /// The form on the wire.
            pub const fn as_str(self) -> &'static str {
                match self { $(Code::$variant => $text,)* }
            }

            /// What the client should do.
            pub const fn retry(self) -> Retry {
                match self { $(Code::$variant => Retry::$retry,)* }
            }

            /// The HTTP status that carries it.
            pub const fn status(self) -> u16 {
                match self { $(Code::$variant => $status,)* }
            }

            /// The code of a stored or received text; `None` for a code of a newer version.
            pub fn parse(text: &str) -> Option<Code> {
                match text { $($text => Some(Code::$variant),)* _ => None }
            }
        }
    };
}

codes! {
    /// Not JSON, not an object, or a known message with a field of the wrong type.
    BadMessage = "bad_message", Never, 400;
    /// A message type this hub does not know.
    UnknownType = "unknown_type", Never, 400;
    /// The client asked for a protocol version this hub does not speak.
    VersionUnsupported = "version_unsupported", Upgrade, 400;
    /// Anything but `hello` before `hello`, or a second `hello`.
    OutOfOrder = "out_of_order", Never, 400;
    /// An empty, too long, or control-character-bearing name.
    NameInvalid = "name_invalid", Never, 422;
    /// A change that has not the shape of a change.
    ChangeInvalid = "change_invalid", Never, 422;
    /// An `op` that is not insert, update or delete.
    OpUnknown = "op_unknown", Never, 422;
    /// A table that only the hub writes: its name begins with `@`.
    TableReserved = "table_reserved", Never, 422;
    /// A field operation whose name is reserved for later.
    OpReserved = "op_reserved", Never, 422;
    /// A stamp that is no RFC 3339 time, or outside 2020 to 9999.
    StampInvalid = "stamp_invalid", Never, 422;
    /// A value that is no JSON, or a number no IEEE double can hold.
    ValueInvalid = "value_invalid", Never, 422;
    /// A string value with NUL, which some stores cannot hold.
    NulInString = "nul_in_string", Never, 422;
    /// A value nested deeper than the limit.
    JsonTooDeep = "json_too_deep", Never, 422;
    /// The merged record would be larger than the limit.
    RecordTooLarge = "record_too_large", Never, 422;
    /// The merged record would have more fields than the limit, or a change has.
    TooManyFields = "too_many_fields", Never, 422;
    /// The records a mutation touches are more bytes than the limit: split it.
    MutationTooLarge = "mutation_too_large", Never, 422;
    /// An update or delete of a record never inserted, or already collected.
    RecordUnknown = "record_unknown", Never, 422;
    /// More mutations in a push than may be in flight: split it. None was taken.
    TooManyMutations = "too_many_mutations", Never, 413;
    /// More changes in a push than the limit.
    TooManyChanges = "too_many_changes", Never, 413;
    /// More tables in a hello than the limit.
    TooManyTables = "too_many_tables", Never, 400;
    /// With these more mutations of a client would be in flight than the limit; none was taken.
    TooManyInFlight = "too_many_in_flight", After, 429;
    /// Mutation numbers are not consecutive; `acked` says where to go on. None was taken.
    Gap = "gap", Now, 409;
    /// The number was used for another payload.
    NumberReused = "number_reused", Never, 409;
    /// Presence state or broadcast data over the limit.
    EphemeralTooLarge = "ephemeral_too_large", Never, 413;
    /// The store's history is not the cursor's: take a snapshot.
    Reset = "reset", Now, 410;
    /// A changeset of before an erasure, as its cursor says: nothing of it is stored.
    Erased = "erased", Never, 410;
    /// A cursor, limit or `next` that cannot be read.
    CursorInvalid = "cursor_invalid", Never, 400;
    /// No token, or one that cannot be verified.
    TokenInvalid = "token_invalid", Reauth, 401;
    /// The token's time is over.
    TokenExpired = "token_expired", Reauth, 401;
    /// The issuer's keys cannot be had now, and none of those known is the token's.
    IssuerUnavailable = "issuer_unavailable", After, 503;
    /// The user may not use this space, app or origin.
    Forbidden = "forbidden", Never, 403;
    /// The app is not served here.
    AppUnknown = "app_unknown", Never, 404;
    /// No such route.
    NotFound = "not_found", Never, 404;
    /// The route does not take this method.
    MethodNotAllowed = "method_not_allowed", Never, 405;
    /// The body is larger than the limit.
    BodyTooLarge = "body_too_large", Never, 413;
    /// What was asked for is more than one answer may hold. It cannot be had so until the operator
    /// allows more.
    ReplyTooLarge = "reply_too_large", Never, 413;
    /// More sockets of one user than the limit.
    TooManySockets = "too_many_sockets", After, 429;
    /// No `hello` in time.
    AuthTimeout = "auth_timeout", Now, 401;
    /// The hub is loaded; nothing was taken.
    Slow = "slow", After, 429;
    /// The node is going down; another takes over.
    Draining = "draining", Now, 503;
    /// The store did not answer. Whether the write is durable is decided by repeating it.
    Unavailable = "unavailable", After, 503;
    /// A fault of the hub.
    Internal = "internal", After, 500;
}

impl Serialize for Code {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.serialize_str(self.as_str())
    }
}

impl std::fmt::Display for Code {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A refusal: the stable code and a sentence for people.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{code}: {message}")]
pub struct Refusal {
    /// The stable code.
    pub code: Code,
    /// For people; says what was wrong and, where it helps, where.
    pub message: String,
}

impl Refusal {
    /// A refusal with a message, cut at [`REFUSAL_BYTES_MAX`].
    pub fn new(code: Code, message: impl Into<String>) -> Self {
        let mut message = message.into();
        if message.len() > REFUSAL_BYTES_MAX {
            let end = message.floor_char_boundary(REFUSAL_BYTES_MAX);
            message.truncate(end);
            message.push('\u{2026}');
        }
        Refusal { code, message }
    }
}

/// What the close codes of a socket mean. 1002, 1003, 1007 and 1009 are RFC 6455's.
pub mod close {
    /// RFC 6455: this kind of message is not taken.
    pub const UNSUPPORTED: u16 = 1003;
    /// Its registry: the service restarts.
    pub const SERVICE_RESTART: u16 = 1012;
    /// Its registry: the hub cannot now.
    pub const TRY_AGAIN_LATER: u16 = 1013;
    /// The token is missing, bad or expired.
    pub const AUTH: u16 = 4001;
    /// The user may not use this space, app or origin.
    pub const FORBIDDEN: u16 = 4003;
    /// The client did not read for too long. It may resume from its cursor.
    pub const SLOW: u16 = 4008;
    /// The same client id opened another socket.
    pub const REPLACED: u16 = 4009;
    /// The node drains. Connect again.
    pub const DRAINING: u16 = 4010;
    /// A limit on sockets or messages.
    pub const LIMITS: u16 = 4029;
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_code_has_a_text_of_its_own() {
        let texts: BTreeSet<_> = Code::ALL.iter().map(|code| code.as_str()).collect();
        assert_eq!(texts.len(), Code::ALL.len());
    }

    #[test]
    fn every_code_is_read_back() {
        for code in Code::ALL {
            assert_eq!(Code::parse(code.as_str()), Some(*code));
            assert_eq!(serde_json::to_string(code).unwrap(), format!("\"{code}\""));
        }
        assert_eq!(Code::parse("from_a_newer_hub"), None);
    }

    #[test]
    fn a_code_is_written_in_lower_case_words() {
        for code in Code::ALL {
            let word = |byte| matches!(byte, b'a'..=b'z' | b'_');
            assert!(code.as_str().bytes().all(word), "{code}");
        }
    }

    #[test]
    fn retry_and_status_say_the_same() {
        for code in Code::ALL {
            let status = code.status();
            let fits = match code.retry() {
                Retry::Never | Retry::Upgrade => matches!(status, 400..=499),
                Retry::Now => matches!(status, 401 | 409 | 410 | 503),
                Retry::After => matches!(status, 429 | 500 | 503),
                Retry::Reauth => status == 401,
            };
            assert!(fits, "{code}: {status}");
        }
    }

    #[test]
    fn only_what_uses_no_number_invites_a_retry() {
        let asked_again = |code: &&Code| matches!(code.retry(), Retry::Now | Retry::After);
        let texts: Vec<_> = Code::ALL
            .iter()
            .filter(asked_again)
            .map(|code| code.as_str())
            .collect();
        assert_eq!(
            texts,
            [
                "too_many_in_flight",
                "gap",
                "reset",
                "issuer_unavailable",
                "too_many_sockets",
                "auth_timeout",
                "slow",
                "draining",
                "unavailable",
                "internal",
            ]
        );
    }

    #[test]
    fn what_a_refusal_quotes_is_cut() {
        let message = |text: String| Refusal::new(Code::OpUnknown, text).message;
        let longest = "x".repeat(REFUSAL_BYTES_MAX);
        assert_eq!(message(longest.clone()), longest);
        assert_eq!(message(format!("{longest}x")), format!("{longest}\u{2026}"));
        let wide = message("\u{20ac}".repeat(REFUSAL_BYTES_MAX));
        assert!(wide.len() <= REFUSAL_BYTES_MAX + 3, "{wide}");
    }

    #[test]
    fn a_refusal_reads_code_first() {
        assert_eq!(Refusal::new(Code::Gap, "why").to_string(), "gap: why");
    }
}
