//! What an import of the old server's log found.

use std::collections::{BTreeMap, BTreeSet};

use syncline_protocol::error::Code;

use super::row::Adjusted;

/// Bad names that are shown; the others are counted.
pub const NAMES_SHOWN_MAX: usize = 10;

/// Bytes of a bad name that are shown.
const NAME_SHOWN_BYTES_MAX: usize = 64;

/// Why a row is set aside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Aside {
    /// Its `app_id` is no name of an app: it has no place at all.
    App,
    /// Its `user_id` is no name of a user, likewise.
    User,
    /// What it says can never be stored. It is a dead letter of its user.
    Change(Code),
}

impl Aside {
    /// A stable word.
    pub fn as_str(self) -> &'static str {
        match self {
            Aside::App => "app_invalid",
            Aside::User => "user_invalid",
            Aside::Change(code) => code.as_str(),
        }
    }
}

/// What the log held and what became of it. An import that was interrupted and run again ends with
/// the numbers of one that was not, but for `spaces_before`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    /// Rows of the log.
    pub rows: u64,
    /// Of these, rows that were merged, also those that lost to others.
    pub folded: u64,
    /// The others, by reason.
    pub aside: BTreeMap<&'static str, u64>,
    /// App and user names that are none, shortened and quoted: the first
    /// [`NAMES_SHOWN_MAX`].
    pub bad_names: BTreeSet<String>,
    /// Times too far ahead of the arrival of their row, which stands in their place.
    pub times_ahead: u64,
    /// Times that no stamp may have; the next best stands in their place.
    pub times_unusable: u64,
    /// Merged rows whose client has no name that a client may have. Such a client is not known
    /// again.
    pub rows_unnamed: u64,
    /// Spaces, those of an earlier run included.
    pub spaces: u64,
    /// Spaces that an earlier run had brought in.
    pub spaces_before: u64,
    /// Clients.
    pub clients: u64,
    /// Live records.
    pub records: u64,
    /// Records that are deleted.
    pub tombstones: u64,
    /// Records of which there are only updates: hidden until they are inserted.
    pub hidden: u64,
    /// Rows set aside that are kept as dead letters.
    pub dead_letters: u64,
    /// Rows that came or went while it was read: at least so many.
    pub late: u64,
}

impl Summary {
    pub(super) fn set_aside(&mut self, why: Aside) {
        *self.aside.entry(why.as_str()).or_default() += 1;
    }

    /// Notes a name that is none.
    pub(super) fn bad_name(&mut self, what: &str, name: &str) {
        let shown = &name[..name.floor_char_boundary(NAME_SHOWN_BYTES_MAX)];
        let cut = if shown.len() < name.len() { "…" } else { "" };
        if self.bad_names.len() < NAMES_SHOWN_MAX {
            self.bad_names.insert(format!("{what} {shown:?}{cut}"));
        }
    }

    pub(super) fn adjusted(&mut self, adjusted: Adjusted) {
        self.times_ahead += adjusted.ahead;
        self.times_unusable += adjusted.unusable;
    }
}
