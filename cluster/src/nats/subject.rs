//! Subjects: where what is told is found.
//!
//! `sync.v1.chg.<shard>.<app>.<space>` is a commit of a space, `sync.v1.head.<shard>.<node>` are
//! heads of spaces of that shard, `sync.v1.node.<shard>.<node>` is how a node is,
//! `sync.v1.eph.<shard>.<app>.<space>` is what is shown and said of a space. Names are encoded: a
//! `.`, `*`, `>` or blank in one would make it another subject, or the wildcard of many. Hubs of
//! another prefix than `sync` are another hub.

use std::sync::Arc;

use syncline_protocol::ids::{AppId, NodeId, SpaceId, SpaceKey};

/// What the subjects of a hub begin with, and of no other on the same servers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Prefix(Arc<str>);

impl Prefix {
    /// Where nothing else is wanted.
    pub const DEFAULT: &'static str = "sync";

    /// Bytes of one, at most.
    const BYTES_MAX: usize = 32;

    /// Reads one. Errors: a sentence.
    pub fn parse(text: &str) -> Result<Prefix, &'static str> {
        let is_plain = text.bytes().all(is_plain);
        match (1..=Prefix::BYTES_MAX).contains(&text.len()) && is_plain {
            true => Ok(Prefix(text.into())),
            false => Err("must be 1 to 32 letters, digits, - and _"),
        }
    }
}

impl Default for Prefix {
    fn default() -> Prefix {
        Prefix(Prefix::DEFAULT.into())
    }
}

/// Shards: what is told of a space keeps its order in one, and connections share them out. Who
/// publishes chooses, so other numbers could live beside this one; who hears takes all of them.
pub(super) const SHARDS: u64 = 16;

/// What is told in a subject.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// A commit of this space.
    Commit(SpaceKey),
    /// Heads.
    Heads,
    /// How a node is.
    Node,
    /// What is shown and said of this space.
    Ephemeral(SpaceKey),
}

/// The shard of a space.
pub(super) fn shard(space: &SpaceKey) -> u64 {
    shard_of(&[space.app.as_str(), "/", space.space.as_str()])
}

/// By the FNV-1a hash.
fn shard_of(names: &[&str]) -> u64 {
    let bytes = names.iter().flat_map(|name| name.bytes());
    let hash = bytes.fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    (hash ^ hash >> 32) % SHARDS
}

/// The subjects of a hub. Clones share them.
#[derive(Clone, Debug)]
pub(super) struct Subjects {
    /// Every one begins so.
    begin: Arc<str>,
}

impl Subjects {
    pub(super) fn of(prefix: &Prefix) -> Subjects {
        let begin = format!("{}.v1.", prefix.0).into();
        Subjects { begin }
    }

    /// Of a space's commits.
    pub(super) fn commit(&self, space: &SpaceKey) -> String {
        self.of_space("chg", space)
    }

    /// Of what is shown and said of a space.
    pub(super) fn ephemeral(&self, space: &SpaceKey) -> String {
        self.of_space("eph", space)
    }

    fn of_space(&self, kind: &str, space: &SpaceKey) -> String {
        let (app, name) = (encode(space.app.as_str()), encode(space.space.as_str()));
        format!("{}{kind}.{}.{app}.{name}", self.begin, shard(space))
    }

    /// Of heads of a shard's spaces, by a node.
    pub(super) fn heads(&self, shard: u64, node: &NodeId) -> String {
        format!("{}head.{shard}.{}", self.begin, encode(node.as_str()))
    }

    /// Of how a node is.
    pub(super) fn node(&self, node: &NodeId) -> String {
        let shard = shard_of(&[node.as_str()]);
        format!("{}node.{shard}.{}", self.begin, encode(node.as_str()))
    }

    /// Everything of a shard, in one order.
    pub(super) fn all_of(&self, shard: u64) -> String {
        format!("{}*.{shard}.>", self.begin)
    }

    /// What is told in a subject; `None` if it is none of this hub's.
    pub(super) fn parse(&self, subject: &str) -> Option<Place> {
        let rest = subject.strip_prefix(&*self.begin)?;
        let tokens: Vec<&str> = rest.split('.').collect();
        match tokens[..] {
            ["chg", _, app, space] => Some(Place::Commit(space_of(app, space)?)),
            ["eph", _, app, space] => Some(Place::Ephemeral(space_of(app, space)?)),
            ["head", _, _] => Some(Place::Heads),
            ["node", _, _] => Some(Place::Node),
            _ => None,
        }
    }
}

fn space_of(app: &str, space: &str) -> Option<SpaceKey> {
    Some(SpaceKey {
        app: AppId::parse(&decode(app)?).ok()?,
        space: SpaceId::parse(&decode(space)?).ok()?,
    })
}

/// A name as one token: letters, digits, `-` and `_` stand for themselves, any other byte is `=`
/// and two hexadecimal digits.
fn encode(name: &str) -> String {
    let mut token = String::with_capacity(name.len());
    for byte in name.bytes() {
        match is_plain(byte) {
            true => token.push(byte.into()),
            false => token.push_str(&format!("={byte:02X}")),
        }
    }
    token
}

fn is_plain(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_'
}

fn decode(token: &str) -> Option<String> {
    let mut bytes = token.bytes();
    let mut name = Vec::with_capacity(token.len());
    while let Some(byte) = bytes.next() {
        if byte != b'=' {
            name.push(byte);
            continue;
        }
        let mut digit = || char::from(bytes.next()?).to_digit(16);
        let value = digit()? << 4 | digit()?;
        name.push(u8::try_from(value).ok()?);
    }
    String::from_utf8(name).ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn subjects() -> Subjects {
        Subjects::of(&Prefix::default())
    }

    fn space(app: &str, name: &str) -> SpaceKey {
        SpaceKey {
            app: AppId::trusted(app),
            space: SpaceId::trusted(name),
        }
    }

    /// Names as hostile as they may be: what subjects are made of, and anything else.
    fn name() -> impl Strategy<Value = String> {
        let hostile = prop::collection::vec(
            prop::sample::select(vec![".", "*", ">", " ", "=", "a"]),
            1..12,
        );
        let hostile = hostile.prop_map(|parts| parts.concat());
        let any = ".{1,40}".prop_filter("names hold no control character", |name| {
            AppId::parse(name).is_ok()
        });
        prop_oneof![hostile, any]
    }

    proptest! {
        #[test]
        fn no_name_gets_out_of_its_token(app in name(), user in name()) {
            let subject = subjects().commit(&space(&app, &user));
            prop_assert_eq!(subject.split('.').count(), 6);
            prop_assert!(subject.bytes().all(|byte| byte.is_ascii_graphic()));
            prop_assert!(!subject.contains(['*', '>']));
            let own = "sync.v1.chg.";
            prop_assert!(subject.starts_with(own));
            let named = NodeId::trusted(&app);
            for subject in [subjects().heads(3, &named), subjects().node(&named)] {
                prop_assert_eq!(subject.split('.').count(), 5);
                prop_assert!(!subject.contains(['*', '>', ' ']));
            }
        }

        #[test]
        fn a_space_is_read_from_its_subject(app in name(), user in name()) {
            let space = space(&app, &user);
            let (own, of) = (subjects(), Place::Commit(space.clone()));
            prop_assert_eq!(own.parse(&own.commit(&space)), Some(of));
            let of = Place::Ephemeral(space.clone());
            prop_assert_eq!(own.parse(&own.ephemeral(&space)), Some(of));
        }

        #[test]
        fn no_subject_stops_a_hearer(subject in ".{0,60}") {
            subjects().parse(&subject);
        }
    }

    #[test]
    fn a_subject_is_read_by_people_where_names_are_plain() {
        let subject = subjects().commit(&space("todo", "ada"));
        assert_eq!(
            subject,
            format!("sync.v1.chg.{}.todo.ada", shard(&space("todo", "ada")))
        );
        assert_eq!(encode("a b.c"), "a=20b=2Ec");
    }

    #[test]
    fn other_subjects_are_nothing_to_hear() {
        for subject in [
            "",
            "sync.v1",
            "sync.v1.new.1.x",
            "sync.v1.chg.1.todo",
            "sync.v2.chg.1.todo.ada",
        ] {
            assert_eq!(subjects().parse(subject), None, "{subject}");
        }
    }

    #[test]
    fn a_prefix_is_one_token_and_its_subjects_are_nobody_elses() {
        for good in ["sync", "todo-prod_2", &"x".repeat(32)] {
            assert!(Prefix::parse(good).is_ok(), "{good}");
        }
        for bad in ["", "a.b", "*", ">", "a b", "ä", &"x".repeat(33)] {
            assert!(Prefix::parse(bad).is_err(), "{bad}");
        }
        let of = |prefix| Subjects::of(&Prefix::parse(prefix).unwrap());
        let subject = of("a").commit(&space("todo", "ada"));
        assert!(subject.starts_with("a.v1.chg."), "{subject}");
        for other in ["b", "aa", "sync"] {
            assert_eq!(of(other).parse(&subject), None, "{other}");
        }
    }

    #[test]
    fn shards_are_used_alike() {
        let mut counts = [0; SHARDS as usize];
        for at in 0..16_000 {
            counts[shard(&space("todo", &format!("user{at}"))) as usize] += 1;
        }
        assert!(
            counts.iter().all(|count| (800..1_200).contains(count)),
            "{counts:?}"
        );
    }
}
