//! What one node tells is what another hears.

use syncline_protocol::given::{Carried, ChangeHash, Given, Part};
use syncline_protocol::ids::FieldName;
use syncline_protocol::json::Json;
use syncline_protocol::record::Field;
use syncline_protocol::stamp::Stamp;

use super::*;

const ONE: u64 = 1;
const OTHER: u64 = 2;
const ROOM: usize = 64 << 10;

fn space() -> SpaceKey {
    SpaceKey {
        app: AppId::trusted("todo"),
        space: SpaceId::trusted("ada"),
    }
}

fn record(value: &str) -> Record {
    let stamp = Stamp {
        at: Hlc::new(1_795_514_400_000, 3),
        writer: WriterNo(1),
    };
    Record {
        inserted: Some(stamp),
        seq: Seq(8),
        by: WriterNo(1),
        inserted_seq: Seq(8),
        fields: vec![Field {
            name: FieldName::trusted("title"),
            value: Json::trusted(&format!("{value:?}")),
            stamp,
            seq: Seq(8),
        }],
        ..Record::default()
    }
}

fn event(value: &str) -> CommitEvent {
    let key = RecordKey {
        table: TableName::trusted("tasks"),
        id: RecordId::trusted("k1"),
    };
    let mark = |client: &str, last| MarkMoved {
        client: ClientKey {
            user: UserId::trusted("ada"),
            client: ClientId::trusted(client),
        },
        writer: WriterNo(1),
        last,
        given: last.is_none().then(Arc::default),
    };
    CommitEvent {
        node: NodeId::trusted("n1"),
        space: space(),
        epoch: Epoch(u64::MAX),
        from: Seq(7),
        to: Seq(8),
        clock: Hlc::new(5, 6),
        live: 3,
        writers: WriterNo(2),
        records: vec![(key, Arc::new(record(value)))],
        marks: vec![mark("phone", Some(4)), mark("laptop", None)],
        jobs_due_ms: Some(9),
        followed: None,
    }
}

fn hear(bytes: &[u8]) -> Option<Heard> {
    let (kind, heard) = decode(Place::Commit(space()), bytes, OTHER)?;
    assert_eq!(kind, Kind::Commit);
    Some(heard)
}

#[test]
fn a_commit_is_heard_as_it_was_told() {
    let told = event("Buy milk");
    let Some(Heard::Commit(heard)) = hear(&encode_commit(&told, ONE, ROOM)) else {
        panic!("it is not heard")
    };
    assert_eq!(format!("{heard:?}"), format!("{told:?}"));
}

#[test]
fn a_process_does_not_hear_itself_whatever_its_name() {
    let bytes = encode_commit(&event("a"), OTHER, ROOM);
    assert!(hear(&bytes).is_none());
    let heads = encode_heads(&[event("a").space_head()], OTHER);
    assert!(decode(Place::Heads, &heads, OTHER).is_none());
}

/// At the limit whole, above it by number only.
#[test]
fn what_is_too_large_is_told_by_number() {
    let told = event("Buy milk");
    let whole = encode_commit(&told, ONE, ROOM);
    let room = whole.len().max(estimate(&told));
    assert_eq!(encode_commit(&told, ONE, room), whole);
    let bare = encode_commit(&told, ONE, room - 1);
    assert!(bare.len() < 40, "{}", bare.len());
    let Some(Heard::Heads(heads, HeadsWhy::TooLarge)) = hear(&bare) else {
        panic!("it is not heard")
    };
    assert_eq!(heads, [told.space_head()]);
}

/// What waits is bounded by it, so it may not be less than what is sent.
#[test]
fn what_a_client_was_given_is_counted() {
    let with_claims = |claims: u32| {
        let claimed = |n: u32| (ChangeHash::of(&n.to_string()).claimed(None, 0), n);
        // Far apart, so that no two are written as one run.
        let stamped = (0..claims).map(claimed);
        let fresh = stamped.map(|(claim, n)| (claim, Hlc::new(u64::from(n) << 20, 0)));
        let carried = Carried {
            fresh: fresh.collect(),
            ..Carried::default()
        };
        let given = Given::default().and(carried, Part::whole(Seq(1)));
        let mut told = event("a");
        told.marks[1].given = Some(Arc::new(given));
        told.marks[1].client.user = UserId::trusted(&"u".repeat(128));
        told
    };
    for claims in [0, 1, 100, 2_000] {
        let told = with_claims(claims);
        let bytes = encode_commit(&told, ONE, usize::MAX).len();
        assert!(bytes <= estimate(&told), "{claims}: {bytes}");
        assert!(estimate(&told) <= 2 * bytes + 256, "{claims}: {bytes}");
    }
}

#[test]
fn heads_are_heard_in_pieces_of_their_shard() {
    let heads: Vec<SpaceHead> = (0..5_000)
        .map(|at| SpaceHead {
            space: SpaceKey {
                app: AppId::trusted("todo"),
                space: SpaceId::trusted(&format!("{at:0>128}")),
            },
            epoch: Epoch(at),
            head: Seq(at),
        })
        .collect();
    let node = NodeId::trusted("n1");
    let told = Heads { node, heads };
    let mut all = Vec::new();
    for (shard, piece) in by_shard(&told) {
        let bytes = encode_heads(&piece, ONE);
        assert!(bytes.len() <= ROOM);
        let Some((Kind::Heads, Heard::Heads(heard, HeadsWhy::Again))) =
            decode(Place::Heads, &bytes, OTHER)
        else {
            panic!("they are not heard")
        };
        assert!(heard.iter().all(|at| subject::shard(&at.space) == shard));
        all.extend(heard);
    }
    all.sort_by_key(|at| at.head);
    assert_eq!(all, told.heads);
}

/// A hub of the next version beside one of this.
#[test]
fn what_a_newer_version_tells_is_heard_as_something_unread() {
    let mut bytes = encode_commit(&event("a"), ONE, ROOM);
    bytes[0] = COMMIT_VERSION + 1;
    let Some(Heard::Unread(of, UnreadWhy::Newer)) = hear(&bytes) else {
        panic!("it is not heard")
    };
    assert_eq!(of, space());
    let mut bytes = encode_heads(&[event("a").space_head()], ONE);
    bytes[0] = HEADS_VERSION + 1;
    let heard = decode(Place::Heads, &bytes, OTHER);
    let missed = Some((Kind::Heads, Heard::Missed(MissedWhy::Newer)));
    assert_eq!(format!("{heard:?}"), format!("{missed:?}"));
}

/// What a hub of the first version wrote stays readable for ever.
#[test]
fn bytes_of_the_first_version_are_read() {
    let bytes = [1, 1, 2, b'n', b'1', 9, 7, 8, 0];
    let Some(Heard::Heads(heads, HeadsWhy::TooLarge)) = hear(&bytes) else {
        panic!("it is not heard")
    };
    let (epoch, head) = (Epoch(9), Seq(8));
    assert_eq!(
        heads,
        [SpaceHead {
            space: space(),
            epoch,
            head
        }]
    );
}

#[test]
fn heads_of_the_first_version_are_read() {
    let bytes = [
        1, 1, 1, 4, b't', b'o', b'd', b'o', 3, b'a', b'd', b'a', 9, 8,
    ];
    let heard = decode(Place::Heads, &bytes, OTHER);
    let Some((Kind::Heads, Heard::Heads(heads, HeadsWhy::Again))) = heard else {
        panic!("they are not heard")
    };
    let (space, epoch, head) = (space(), Epoch(9), Seq(8));
    assert_eq!(heads, [SpaceHead { space, epoch, head }]);
    assert!(decode(Place::Heads, &bytes[..13], OTHER).is_none());
}

#[test]
fn damaged_bytes_are_heard_as_something_unread() {
    let whole = encode_commit(&event("Buy milk"), ONE, ROOM);
    for cut in 1..whole.len() {
        assert!(
            matches!(
                hear(&whole[..cut]),
                Some(Heard::Unread(_, UnreadWhy::Damaged))
            ),
            "{cut}"
        );
    }
    for at in 1..whole.len() {
        let mut bytes = whole.clone();
        bytes[at] ^= 0xff;
        // It may happen to mean something, but nothing panics.
        hear(&bytes);
    }
    assert!(matches!(
        hear(&[]),
        Some(Heard::Unread(_, UnreadWhy::Damaged))
    ));
}
