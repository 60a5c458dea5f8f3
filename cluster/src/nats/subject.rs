//! Subjects: where what is told is found.
//!
//! `sync.v1.chg.<shard>.<app>.<space>` is a commit of a space, `sync.v1.head.<shard>.<node>` are
//! heads of spaces of that shard. Names are encoded: a `.`, `*`, `>` or blank in one would make it
//! another subject, or the wildcard of many.

use syncline_protocol::ids::{AppId, NodeId, SpaceId, SpaceKey};

/// Every subject begins so.
const PREFIX: &str = "sync.v1";

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
}

/// The shard of a space (FNV-1a).
pub(super) fn shard(space: &SpaceKey) -> u64 {
    let names = [space.app.as_str(), "/", space.space.as_str()];
    let bytes = names.iter().flat_map(|name| name.bytes());
    let hash = bytes.fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    (hash ^ hash >> 32) % SHARDS
}

/// Of a space's commits.
pub(super) fn commit(space: &SpaceKey) -> String {
    let (app, name) = (encode(space.app.as_str()), encode(space.space.as_str()));
    format!("{PREFIX}.chg.{}.{app}.{name}", shard(space))
}

/// Of heads of a shard's spaces, by a node.
pub(super) fn heads(shard: u64, node: &NodeId) -> String {
    format!("{PREFIX}.head.{shard}.{}", encode(node.as_str()))
}

/// Everything of a shard, in one order.
pub(super) fn all_of(shard: u64) -> String {
    format!("{PREFIX}.*.{shard}.>")
}

/// What is told in a subject; `None` if it is none of ours.
pub(super) fn parse(subject: &str) -> Option<Place> {
    let rest = subject.strip_prefix(PREFIX)?.strip_prefix('.')?;
    let tokens: Vec<&str> = rest.split('.').collect();
    match tokens[..] {
        ["chg", _, app, space] => Some(Place::Commit(SpaceKey {
            app: AppId::parse(&decode(app)?).ok()?,
            space: SpaceId::parse(&decode(space)?).ok()?,
        })),
        ["head", _, _] => Some(Place::Heads),
        _ => None,
    }
}

/// A name as one token: letters, digits, `-` and `_` stand for themselves, any other byte is `=`
/// and two hexadecimal digits.
fn encode(name: &str) -> String {
    let mut token = String::with_capacity(name.len());
    for byte in name.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' => token.push(byte.into()),
            _ => token.push_str(&format!("={byte:02X}")),
        }
    }
    token
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
            let subject = commit(&space(&app, &user));
            prop_assert_eq!(subject.split('.').count(), 6);
            prop_assert!(subject.bytes().all(|byte| byte.is_ascii_graphic()));
            prop_assert!(!subject.contains(['*', '>']));
            let own = format!("{PREFIX}.chg.");
            prop_assert!(subject.starts_with(&own));
            let heads = heads(3, &NodeId::trusted(&app));
            prop_assert_eq!(heads.split('.').count(), 5);
            prop_assert!(!heads.contains(['*', '>', ' ']));
        }

        #[test]
        fn a_space_is_read_from_its_subject(app in name(), user in name()) {
            let space = space(&app, &user);
            prop_assert_eq!(parse(&commit(&space)), Some(Place::Commit(space)));
        }

        #[test]
        fn no_subject_stops_a_hearer(subject in ".{0,60}") {
            parse(&subject);
        }
    }

    #[test]
    fn a_subject_is_read_by_people_where_names_are_plain() {
        let subject = commit(&space("todo", "ada"));
        assert_eq!(
            subject,
            format!("sync.v1.chg.{}.todo.ada", shard(&space("todo", "ada")))
        );
        assert_eq!(encode("a b.c"), "a=20b=2Ec");
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
