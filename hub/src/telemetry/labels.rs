//! The values labels can take. Every one is an enum: an id as a label would make a series for
//! each user, and a node's memory grow with them.

use syncline_cluster::bus::Kind;
use syncline_protocol::error::Code;
use syncline_protocol::verdict::Status;
use syncline_protocol::wire::hub::{Answer, ResetWhy};

/// The values of one label.
pub trait Label: Copy + PartialEq + 'static {
    /// The label's name.
    const NAME: &'static str;
    /// All values; each is shown from the start, with 0.
    const ALL: &'static [Self];
    /// The value's text.
    fn as_str(self) -> &'static str;
}

macro_rules! label {
    ($(#[$doc:meta])* $type:ident($name:literal) { $($(#[$vdoc:meta])* $variant:ident = $text:literal,)* }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum $type { $($(#[$vdoc])* $variant,)* }

        impl Label for $type {
            const NAME: &'static str = $name;
            const ALL: &'static [Self] = &[$($type::$variant,)*];
            fn as_str(self) -> &'static str {
                match self { $($type::$variant => $text,)* }
            }
        }
    };
}

label! {
    /// What a mutation was answered.
    VerdictStatus("status") {
        /// Something of it took effect.
        Applied = "applied",
        /// Nothing did.
        Superseded = "superseded",
        /// A permanent refusal.
        Rejected = "rejected",
        /// It had a verdict long ago.
        Known = "known",
        /// Not judged: its number belongs to another payload.
        Refused = "refused",
    }
}

impl From<&Answer> for VerdictStatus {
    fn from(answer: &Answer) -> Self {
        match answer {
            Answer::Known => VerdictStatus::Known,
            Answer::Refused(_) => VerdictStatus::Refused,
            Answer::Verdict(verdict) => match verdict.status {
                Status::Applied => VerdictStatus::Applied,
                Status::Superseded => VerdictStatus::Superseded,
                Status::Rejected(_) => VerdictStatus::Rejected,
            },
        }
    }
}

label! {
    /// Why a session read the store for what other nodes committed.
    CatchUpCause("cause") {
        /// A commit of another node did not continue what was known.
        Gap = "gap",
        /// A head that was said again was further.
        Repeat = "repeat",
        /// The commit was too large for a message.
        Large = "large",
        /// The connection to the bus had ended.
        Reconnect = "reconnect",
        /// Messages came faster than they were taken.
        Slow = "slow",
        /// A node went without a word: what it committed last it may have told nobody.
        Silent = "silent",
        /// The regular look at the store.
        Audit = "audit",
        /// A newer hub told it in a form unknown here.
        Newer = "newer",
        /// The message was damaged.
        Damaged = "damaged",
    }
}

label! {
    /// Why a trigger that fired made no job.
    JobCut("why") {
        /// Jobs follow from each other in a circle.
        TooDeep = "too_deep",
        /// What it would have been told is too large.
        ArgsTooLarge = "args_too_large",
        /// The commit makes too many.
        TooMany = "too_many",
    }
}

label! {
    /// Why somebody was not let in.
    AuthFailure("code") {
        /// No token, or one that cannot be verified.
        TokenInvalid = "token_invalid",
        /// The token's time is over.
        TokenExpired = "token_expired",
        /// The issuer's keys cannot be had.
        IssuerUnavailable = "issuer_unavailable",
        /// A user or origin that may not.
        Forbidden = "forbidden",
        /// No `hello` in time.
        AuthTimeout = "auth_timeout",
        /// Any other refusal.
        Other = "other",
    }
}

impl From<Code> for AuthFailure {
    fn from(code: Code) -> Self {
        match code {
            Code::TokenInvalid => AuthFailure::TokenInvalid,
            Code::TokenExpired => AuthFailure::TokenExpired,
            Code::IssuerUnavailable => AuthFailure::IssuerUnavailable,
            Code::Forbidden => AuthFailure::Forbidden,
            Code::AuthTimeout => AuthFailure::AuthTimeout,
            _ => AuthFailure::Other,
        }
    }
}

label! {
    /// Where a commit was made that a device has applied.
    MadeAt("made") {
        /// On the node that the device is connected to.
        Here = "here",
        /// On another one.
        Elsewhere = "elsewhere",
    }
}

label! {
    /// What became of a span.
    SpanFate("fate") {
        /// The collector took it.
        Exported = "exported",
        /// There was no room: the collector is too slow, or is not there.
        Dropped = "dropped",
        /// The collector did not take it, several times.
        Failed = "failed",
    }
}

label! {
    /// Why a trace that a client is part of does not go on here.
    TraceIgnored("why") {
        /// What it said is no `traceparent`.
        Unreadable = "unreadable",
        /// There were more in that second than `telemetry.traces.followed_per_s_max`.
        TooMany = "too_many",
    }
}

label! {
    /// An HTTP route.
    Route("route") {
        /// `/`
        Root = "root",
        /// `/health`
        Health = "health",
        /// `/ready`
        Ready = "ready",
        /// `/metrics`
        Metrics = "metrics",
        /// `/dev/token`
        DevToken = "dev_token",
        /// `/api/v1/auth/jwks`
        Jwks = "jwks",
        /// `/v1/ws`
        Ws = "ws",
        /// `/v1/{app}/push`
        Push = "push",
        /// `/v1/{app}/changes`
        Changes = "changes",
        /// `/v1/{app}/snapshot`
        Snapshot = "snapshot",
        /// `/sync/{app}`
        Sync = "sync",
        /// `/sync/{app}/pull`
        Pull = "pull",
        /// `/ws/{app}`
        CompatWs = "compat_ws",
        /// `/api/v1/admin/user-data/{user}`
        UserData = "user_data",
        /// `/api/v1/admin/cluster`
        Cluster = "cluster",
        /// `/api/v1/admin/jobs…`, `/api/v1/admin/reminders/plan`
        Jobs = "jobs",
        /// `/api/v1/compute/…`
        Compute = "compute",
        /// `/api/v1/devices`, `/api/v1/notifications…`, `/api/v1/admin/notifications…`, reminders of tasks
        Notify = "notify",
        /// No route of ours.
        Other = "other",
    }
}

label! {
    /// The class of an HTTP status.
    StatusClass("class") {
        /// 1xx: an upgrade.
        Informational = "1xx",
        /// 2xx
        Success = "2xx",
        /// 3xx
        Redirect = "3xx",
        /// 4xx
        ClientError = "4xx",
        /// 5xx
        ServerError = "5xx",
    }
}

impl From<u16> for StatusClass {
    fn from(status: u16) -> Self {
        match status {
            ..200 => StatusClass::Informational,
            200..300 => StatusClass::Success,
            300..400 => StatusClass::Redirect,
            400..500 => StatusClass::ClientError,
            500.. => StatusClass::ServerError,
        }
    }
}

impl Label for Kind {
    const NAME: &'static str = "kind";
    const ALL: &'static [Self] = &[Kind::Commit, Kind::Heads, Kind::Node, Kind::Ephemeral];
    fn as_str(self) -> &'static str {
        match self {
            Kind::Commit => "commit",
            Kind::Heads => "heads",
            Kind::Node => "node",
            Kind::Ephemeral => "ephemeral",
        }
    }
}

impl Label for ResetWhy {
    const NAME: &'static str = "why";
    const ALL: &'static [Self] = &[
        ResetWhy::Epoch,
        ResetWhy::Gc,
        ResetWhy::Cursor,
        ResetWhy::Erased,
    ];
    fn as_str(self) -> &'static str {
        ResetWhy::as_str(self)
    }
}
