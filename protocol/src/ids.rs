//! Names and numbers that could be swapped by mistake, as types of their own. Names are parsed
//! once at the edge and trusted afterwards.

use std::borrow::Borrow;
use std::fmt;
use std::sync::Arc;

use crate::error::{Code, Refusal};
use crate::limits::NAME_BYTES_MAX;

/// Checks a name: 1 to `bytes_max` bytes, no control characters, not `__proto__` (which poisons
/// objects in clients that copy keys).
pub fn check_name(what: &str, text: &str, bytes_max: usize) -> Result<(), Refusal> {
    let refuse = |why: &str| Err(Refusal::new(Code::NameInvalid, format!("{what} {why}")));
    if text.is_empty() {
        return refuse("is empty");
    }
    if text.len() > bytes_max {
        return refuse(&format!("is longer than {bytes_max} bytes"));
    }
    if text.chars().any(char::is_control) {
        return refuse("holds a control character");
    }
    if text == "__proto__" {
        return refuse("may not be __proto__");
    }
    Ok(())
}

macro_rules! name {
    ($(#[$doc:meta])* $type:ident, $what:literal) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $type(Arc<str>);

        impl $type {
            /// Parses a name of at most [`NAME_BYTES_MAX`] from outside. Errors: `name_invalid`.
            pub fn parse(text: &str) -> Result<Self, Refusal> {
                Self::parse_within(text, NAME_BYTES_MAX)
            }

            /// Parses a name of at most `bytes_max` from outside. Errors: `name_invalid`.
            pub fn parse_within(text: &str, bytes_max: usize) -> Result<Self, Refusal> {
                check_name($what, text, bytes_max)?;
                Ok(Self(text.into()))
            }

            /// A name that was checked before it was stored.
            pub fn trusted(text: &str) -> Self {
                Self(text.into())
            }

            /// The text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{:?}", &*self.0)
            }
        }

        impl Borrow<str> for $type {
            fn borrow(&self) -> &str {
                &self.0
            }
        }
    };
}

name!(
    /// An application, for example `todo`.
    AppId, "app"
);
name!(
    /// A set of data inside an app with one order of commits. A user's personal space has the
    /// user's id.
    SpaceId, "space"
);
name!(
    /// Who a token speaks for: its `sub`.
    UserId, "user"
);
name!(
    /// One installation of an app: it numbers its own mutations.
    ClientId, "client"
);
name!(
    /// A table (collection) of records.
    TableName, "table"
);
name!(
    /// A record's id, unique in its table and space.
    RecordId, "id"
);
name!(
    /// A field of a record.
    FieldName, "field"
);
name!(
    /// A node of the cluster.
    NodeId, "node"
);

impl TableName {
    /// Whether it is a table of the hub, which devices read and only the hub writes: its name begins
    /// with `@`.
    pub fn is_hubs(&self) -> bool {
        self.0.starts_with('@')
    }

    /// Whether it is a table of the hub that no device is shown: its name begins with `@@`.
    pub fn is_private(&self) -> bool {
        self.0.starts_with("@@")
    }
}

impl SpaceId {
    /// The personal space of a user.
    pub fn personal(user: &UserId) -> Self {
        SpaceId(user.0.clone())
    }
}

/// A space of an app: the unit of order, of sessions and of storage.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SpaceKey {
    /// The app.
    pub app: AppId,
    /// The space inside the app.
    pub space: SpaceId,
}

impl fmt::Display for SpaceKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.app, self.space)
    }
}

impl fmt::Debug for SpaceKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

/// A record's place in a space. Ordered by table, then id, by bytes: the order of snapshots.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RecordKey {
    /// The table.
    pub table: TableName,
    /// The id inside the table.
    pub id: RecordId,
}

impl fmt::Display for RecordKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.table, self.id)
    }
}

impl fmt::Debug for RecordKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

/// A client of a user in a space: who numbers mutations and who a mark belongs to. Equal client
/// ids of two users share nothing.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ClientKey {
    /// The user.
    pub user: UserId,
    /// The user's client.
    pub client: ClientId,
}

/// The number of a commit in its space: 1, 2, 3… without gaps. 0 is the empty space.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Seq(pub u64);

impl Seq {
    /// The commit after this one.
    #[must_use]
    pub const fn next(self) -> Seq {
        Seq(self.0 + 1)
    }
}

impl fmt::Display for Seq {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The identity of a space's history, random. A cursor of another epoch is of another history.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Epoch(pub u64);

impl Epoch {
    /// Reads the form on the wire; `None` if it is none, which no epoch of ours is.
    pub fn parse(text: &str) -> Option<Epoch> {
        let wire_form =
            text.len() == 16 && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
        wire_form
            .then(|| u64::from_str_radix(text, 16).ok().map(Epoch))
            .flatten()
    }
}

impl fmt::Display for Epoch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

impl fmt::Debug for Epoch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

/// A (user, client) of a space as a short number, given by the space at its first commit and
/// never given again. 0 is the hub itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct WriterNo(pub u32);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_taken_at_128_bytes_and_refused_at_129() {
        let longest = "n".repeat(NAME_BYTES_MAX);
        assert_eq!(AppId::parse(&longest).unwrap().as_str(), longest);
        let refusal = AppId::parse(&format!("{longest}n")).unwrap_err();
        assert_eq!(refusal.code, Code::NameInvalid);
    }

    #[test]
    fn a_refused_name_is_told_what_it_names() {
        assert!(
            TableName::parse("")
                .unwrap_err()
                .message
                .starts_with("table ")
        );
        assert!(
            ClientId::parse("a\tb")
                .unwrap_err()
                .message
                .starts_with("client ")
        );
    }

    #[test]
    fn names_that_poison_or_break_lines_are_refused() {
        for name in ["", "__proto__", "a\n", "\u{7f}", "\u{9f}", "\0"] {
            assert!(FieldName::parse(name).is_err(), "{name:?}");
        }
        for name in [
            "a b",
            "proto",
            "a/b",
            "a.b",
            "*",
            ">",
            "\u{a0}",
            "\u{1f600}",
        ] {
            assert!(FieldName::parse(name).is_ok(), "{name:?}");
        }
    }

    #[test]
    fn an_epoch_is_read_in_its_one_form_only() {
        let epoch = Epoch(0x00ab);
        assert_eq!(epoch.to_string(), "00000000000000ab");
        assert_eq!(Epoch::parse("00000000000000ab"), Some(epoch));
        for text in [
            "",
            "ab",
            "00000000000000AB",
            "+0000000000000ab",
            "00000000000000abc",
            "e1",
        ] {
            assert_eq!(Epoch::parse(text), None, "{text}");
        }
    }

    #[test]
    fn records_are_ordered_by_table_then_id_by_bytes() {
        let key = |table: &str, id: &str| RecordKey {
            table: TableName::trusted(table),
            id: RecordId::trusted(id),
        };
        let keys = [
            key("a", "b"),
            key("ab", "a"),
            key("b", "A"),
            key("b", "a"),
            key("b", "\u{e9}"),
        ];
        assert!(keys.is_sorted_by(|a, b| a < b));
    }

    #[test]
    fn a_personal_space_has_the_users_id() {
        assert_eq!(
            SpaceId::personal(&UserId::trusted("ada")),
            SpaceId::trusted("ada")
        );
    }

    #[test]
    fn seqs_are_dense() {
        assert_eq!(Seq::default().next(), Seq(1));
    }
}
