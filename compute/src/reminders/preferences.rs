//! How a user wants to be told: by which channels of which kind of notification, when not, and how
//! often at most. As JSON:
//!
//! ```json
//! {"timezone": "Europe/Berlin", "language": "de", "quiet": {"from": "22:00", "to": "07:00"},
//!  "limit": {"count": 20, "minutes": 60},
//!  "kinds": {"reminder": {"channels": ["push", "notice"], "inQuiet": "later"}}}
//! ```
//!
//! Nothing of it must be there. Who says nothing is told everything at once, by every channel.

mod written;

use std::collections::BTreeMap;

use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};
use syncline_protocol::stamp::WallMs;

use super::quiet::Quiet;
pub use written::{KINDS_MAX, LANGUAGE_BYTES_MAX, LIMIT_MAX, LIMIT_MINUTES_MAX};

/// A way to tell somebody.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Channel {
    /// The sockets that are open.
    Notice,
    /// Web Push.
    Push,
    /// A server of the config.
    Webhook,
    /// Mail.
    Mail,
}

impl Channel {
    /// All there are.
    pub const ALL: [Channel; 4] = [
        Channel::Notice,
        Channel::Push,
        Channel::Webhook,
        Channel::Mail,
    ];
}

/// What becomes of a notification in quiet hours.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum InQuiet {
    /// It is told when they end.
    #[default]
    Later,
    /// It is not told.
    Drop,
    /// It is told nevertheless.
    Now,
}

/// How a user wants to be told.
#[derive(Clone, Debug, Default)]
pub struct Preferences {
    zone: Option<TimeZone>,
    language: Option<String>,
    quiet: Option<Quiet>,
    limit: Option<Limit>,
    kinds: BTreeMap<String, OfKind>,
}

/// How often somebody is told at most.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limit {
    /// Notifications, at least one.
    pub count: usize,
    /// Within so many milliseconds.
    pub window_ms: u64,
}

#[derive(Clone, Debug)]
struct OfKind {
    channels: Vec<Channel>,
    in_quiet: InQuiet,
}

impl Default for OfKind {
    fn default() -> OfKind {
        OfKind {
            channels: Channel::ALL.to_vec(),
            in_quiet: InQuiet::default(),
        }
    }
}

/// What is to be told.
#[derive(Clone, Copy, Debug)]
pub struct Asked<'a> {
    /// What kind of notification it is, such as `reminder`.
    pub kind: &'a str,
    /// By what alone it is told, of what the user allows; `None`: by all of that.
    pub told_by: Option<&'a [Channel]>,
    /// Now.
    pub now_ms: WallMs,
    /// When it is of no use any more.
    pub expires_ms: WallMs,
    /// When the user was told something before, in any order: what is older than a day matters to no
    /// limit.
    pub told_ms: &'a [WallMs],
    /// How often anybody is told at most, whatever the user prefers.
    pub limits: &'a [Limit],
}

/// What becomes of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It is told now, by these channels.
    Now(Vec<Channel>),
    /// It is asked for again then. What was told meanwhile counts.
    Later(WallMs),
    /// It is not told.
    Dropped(Dropped),
}

/// Why something is not told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dropped {
    /// There is no channel by which the user wants it.
    NoChannel,
    /// Its time comes in quiet hours, and the user does not want it then, or it expires in them.
    Quiet,
    /// The user is told too much already, until it expires.
    Limit,
}

impl Preferences {
    /// Reads what a user wrote. Errors: the first thing that is wrong.
    pub fn read(json: &str) -> Result<Preferences, String> {
        written::read(json)
    }

    /// The user's zone, if the user has said one.
    pub fn zone(&self) -> Option<&TimeZone> {
        self.zone.as_ref()
    }

    /// The language the user wants to be told in, if the user has said one: a tag such as `de-AT`.
    pub fn language(&self) -> Option<&str> {
        self.language.as_deref()
    }

    /// How many notifications the limit is of, if there is one: so many that were told are to be
    /// known.
    pub fn limit_count(&self) -> Option<usize> {
        self.limit.map(|limit| limit.count)
    }

    /// By which channels the user is told of a kind, of those that are asked for (`None`: all).
    pub fn channels(&self, kind: &str, told_by: Option<&[Channel]>) -> Vec<Channel> {
        self.of_kind(kind, told_by).channels
    }

    fn of_kind(&self, kind: &str, told_by: Option<&[Channel]>) -> OfKind {
        let mut of_kind = self.kinds.get(kind).cloned().unwrap_or_default();
        if let Some(told_by) = told_by {
            of_kind.channels.retain(|channel| told_by.contains(channel));
        }
        of_kind
    }

    /// What becomes of a notification.
    pub fn verdict(&self, asked: &Asked<'_>) -> Verdict {
        let of_kind = self.of_kind(asked.kind, asked.told_by);
        if of_kind.channels.is_empty() {
            return Verdict::Dropped(Dropped::NoChannel);
        }
        let (at_ms, waited_for) = self.allowed(asked, of_kind.in_quiet);
        match waited_for {
            Some(Dropped::Quiet) if of_kind.in_quiet == InQuiet::Drop => {
                Verdict::Dropped(Dropped::Quiet)
            }
            None => Verdict::Now(of_kind.channels),
            Some(_) if at_ms < asked.expires_ms => Verdict::Later(at_ms),
            Some(waited_for) => Verdict::Dropped(waited_for),
        }
    }

    /// From when on the user may be told of something that is due at `now_ms`: then, or when what it
    /// waits for is over.
    pub fn allowed_ms(&self, asked: &Asked<'_>) -> WallMs {
        let of_kind = self.of_kind(asked.kind, asked.told_by);
        self.allowed(asked, of_kind.in_quiet).0
    }

    /// The same, and what it last waited for.
    fn allowed(&self, asked: &Asked<'_>, in_quiet: InQuiet) -> (WallMs, Option<Dropped>) {
        let (mut at_ms, mut waited_for) = (asked.now_ms, None);
        // Each turn waits for one of the two. Nothing is told meanwhile, so a limit is not reached again.
        loop {
            let quiet_ms = self.quiet_until_ms(in_quiet, at_ms);
            let limits = self.limit.iter().chain(asked.limits);
            let free = limits.map(|limit| limit.free_from_ms(at_ms, asked.told_ms));
            let free_ms = free.max().unwrap_or(at_ms);
            if quiet_ms > at_ms {
                (at_ms, waited_for) = (quiet_ms, Some(Dropped::Quiet));
                if in_quiet == InQuiet::Drop {
                    return (at_ms, waited_for);
                }
            } else if free_ms > at_ms {
                (at_ms, waited_for) = (free_ms, Some(Dropped::Limit));
            } else {
                return (at_ms, waited_for);
            }
        }
    }

    fn quiet_until_ms(&self, in_quiet: InQuiet, at_ms: WallMs) -> WallMs {
        match (self.quiet, &self.zone, in_quiet) {
            (Some(quiet), Some(zone), InQuiet::Later | InQuiet::Drop) => quiet.ends_ms(at_ms, zone),
            _ => at_ms,
        }
    }
}

impl Limit {
    /// The first time from `at_ms` on at which it is not reached. What is told later than that, by a
    /// clock that was ahead, does not count.
    fn free_from_ms(self, at_ms: WallMs, told_ms: &[WallMs]) -> WallMs {
        let counts = |told: &&WallMs| **told <= at_ms && at_ms - **told < self.window_ms;
        let mut told: Vec<WallMs> = told_ms.iter().filter(counts).copied().collect();
        told.sort_unstable();
        match told.len().checked_sub(self.count) {
            Some(oldest) => told[oldest] + self.window_ms,
            None => at_ms,
        }
    }
}
