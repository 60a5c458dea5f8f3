//! Preferences as a user writes them, and what is wrong with that.

use std::collections::BTreeMap;

use jiff::civil::Time;
use jiff::tz::TimeZone;
use serde::Deserialize;
use syncline_protocol::object::{self, Object};

use super::{Channel, InQuiet, Limit, OfKind, Preferences};
use crate::reminders::quiet::Quiet;

/// Kinds that a user may say something of.
pub const KINDS_MAX: usize = 32;

/// Bytes of a language's tag, as RFC 5646 (4.4.1) has it.
pub const LANGUAGE_BYTES_MAX: usize = 35;

/// Notifications that a limit may be of.
pub const LIMIT_MAX: u32 = 1_000;

/// Minutes that a limit may be for: a day.
pub const LIMIT_MINUTES_MAX: u32 = 24 * 60;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Written {
    timezone: Option<String>,
    language: Option<String>,
    quiet: Option<Object<WrittenQuiet>>,
    limit: Option<Object<WrittenLimit>>,
    #[serde(default)]
    kinds: BTreeMap<String, Object<WrittenKind>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenQuiet {
    from: String,
    to: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenLimit {
    count: u32,
    minutes: u32,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct WrittenKind {
    channels: Option<Vec<Channel>>,
    #[serde(default)]
    in_quiet: InQuiet,
}

/// Errors: the first thing that is wrong.
pub(super) fn read(json: &str) -> Result<Preferences, String> {
    let written: Written = object::from_str(json).map_err(|error| error.to_string())?;
    let zone = written.timezone.map(|name| {
        TimeZone::get(&name).map_err(|_| format!("timezone {name:?}: not in the tz database"))
    });
    let zone = zone.transpose()?;
    let language = written.language;
    if let Some(tag) = language.as_deref().filter(|tag| !is_tag(tag)) {
        return Err(format!("language {tag:?}: a tag such as en or de-AT"));
    }
    let quiet = written
        .quiet
        .map(|Object(quiet)| quiet.checked())
        .transpose()?;
    if quiet.is_some() && zone.is_none() {
        return Err("quiet: hours of which timezone?".to_owned());
    }
    if written.kinds.len() > KINDS_MAX {
        return Err(format!("kinds: at most {KINDS_MAX}"));
    }
    let kinds = written.kinds.into_iter();
    Ok(Preferences {
        zone,
        language,
        quiet,
        limit: written
            .limit
            .map(|Object(limit)| limit.checked())
            .transpose()?,
        kinds: kinds.map(|(kind, Object(of))| (kind, of.into())).collect(),
    })
}

/// Whether a text has the form of a language's tag: parts of letters and digits.
fn is_tag(text: &str) -> bool {
    let is_part = |part: &str| {
        let is_short = (1..=8).contains(&part.len());
        is_short && part.bytes().all(|byte| byte.is_ascii_alphanumeric())
    };
    text.len() <= LANGUAGE_BYTES_MAX && text.split('-').all(is_part)
}

impl WrittenQuiet {
    fn checked(&self) -> Result<Quiet, String> {
        let time = |text: &str| {
            let time = text.parse::<Time>();
            time.map_err(|_| format!("quiet {text:?}: a time such as 22:00"))
        };
        Quiet::new(time(&self.from)?, time(&self.to)?)
            .ok_or_else(|| "quiet: from and to are the same".to_owned())
    }
}

impl WrittenLimit {
    fn checked(&self) -> Result<Limit, String> {
        if !(1..=LIMIT_MAX).contains(&self.count) {
            return Err(format!("limit: count: between 1 and {LIMIT_MAX}"));
        }
        if !(1..=LIMIT_MINUTES_MAX).contains(&self.minutes) {
            return Err(format!("limit: minutes: between 1 and {LIMIT_MINUTES_MAX}"));
        }
        Ok(Limit {
            count: self.count as usize,
            window_ms: u64::from(self.minutes) * 60_000,
        })
    }
}

impl From<WrittenKind> for OfKind {
    fn from(written: WrittenKind) -> OfKind {
        let mut channels = written.channels.unwrap_or(Channel::ALL.to_vec());
        channels.sort_unstable();
        channels.dedup();
        OfKind {
            channels,
            in_quiet: written.in_quiet,
        }
    }
}
