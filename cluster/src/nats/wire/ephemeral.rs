//! Presence and broadcasts, as bytes.

use serde::{Deserialize, Serialize};
use syncline_protocol::codec::{decode_versioned_as, encode_versioned_as};
use syncline_protocol::ids::{ClientId, ClientKey, NodeId, SpaceKey, UserId};
use syncline_protocol::json::Json;

use crate::ephemeral::{Broadcast, Ephemeral, Presence, RollCall, Spoken};
use crate::heartbeat::Instance;

/// The version this hub writes.
const VERSION: u8 = 1;

#[derive(Serialize, Deserialize)]
struct EphemeralV1<'a> {
    origin: u64,
    #[serde(borrow)]
    node: &'a str,
    instance: u64,
    what: SpokenV1<'a>,
}

/// Variants are only added, at the end.
#[derive(Serialize, Deserialize)]
enum SpokenV1<'a> {
    Presence {
        conn: u64,
        no: u64,
        #[serde(borrow)]
        user: &'a str,
        client: &'a str,
        state: Option<&'a str>,
    },
    RollCall {
        upto: u64,
        shown: Vec<(u64, u64)>,
    },
    Broadcast {
        user: &'a str,
        client: &'a str,
        room: &'a str,
        data: &'a str,
    },
    Asked,
    Late,
}

/// Something ephemeral, told by the process `origin`.
pub(in super::super) fn encode_ephemeral(told: &Ephemeral, origin: u64) -> Vec<u8> {
    let what = match &told.what {
        Spoken::Presence(shown) => SpokenV1::Presence {
            conn: shown.conn,
            no: shown.no,
            user: shown.client.user.as_str(),
            client: shown.client.client.as_str(),
            state: shown.state.as_ref().map(Json::as_str),
        },
        Spoken::RollCall(call) => SpokenV1::RollCall {
            upto: call.upto,
            shown: call.shown.clone(),
        },
        Spoken::Broadcast(said) => SpokenV1::Broadcast {
            user: said.client.user.as_str(),
            client: said.client.client.as_str(),
            room: &said.room,
            data: said.data.as_str(),
        },
        Spoken::Asked => SpokenV1::Asked,
        Spoken::Late => SpokenV1::Late,
    };
    let told = EphemeralV1 {
        origin,
        node: told.node.as_str(),
        instance: told.instance.0,
        what,
    };
    encode_versioned_as(VERSION, &told)
}

/// `None` if `own` says so itself, or it cannot be read: the next roll call tells. What a newer hub
/// says is not shown at all, and nothing of it is stored.
pub(super) fn decode_ephemeral(space: SpaceKey, bytes: &[u8], own: u64) -> Option<Ephemeral> {
    let told: EphemeralV1<'_> = decode_versioned_as(VERSION, bytes).ok()?;
    if told.origin == own {
        return None;
    }
    let key = |user: &str, client: &str| ClientKey {
        user: UserId::trusted(user),
        client: ClientId::trusted(client),
    };
    let what = match told.what {
        SpokenV1::Presence {
            conn,
            no,
            user,
            client,
            state,
        } => Spoken::Presence(Presence {
            conn,
            no,
            client: key(user, client),
            state: state.map(Json::trusted),
        }),
        SpokenV1::RollCall { upto, shown } => Spoken::RollCall(RollCall { upto, shown }),
        SpokenV1::Broadcast {
            user,
            client,
            room,
            data,
        } => Spoken::Broadcast(Broadcast {
            client: key(user, client),
            room: room.to_owned(),
            data: Json::trusted(data),
        }),
        SpokenV1::Asked => Spoken::Asked,
        SpokenV1::Late => Spoken::Late,
    };
    Some(Ephemeral {
        node: NodeId::trusted(told.node),
        instance: Instance(told.instance),
        space,
        what,
    })
}

#[cfg(test)]
mod tests {
    use syncline_protocol::ids::{AppId, SpaceId};

    use super::*;

    const ONE: u64 = 1;
    const OTHER: u64 = 2;

    fn space() -> SpaceKey {
        SpaceKey {
            app: AppId::trusted("todo"),
            space: SpaceId::trusted("ada"),
        }
    }

    fn all() -> Vec<Ephemeral> {
        let client = ClientKey {
            user: UserId::trusted("ada"),
            client: ClientId::trusted("phone"),
        };
        let presence = |state| {
            Spoken::Presence(Presence {
                conn: 300,
                no: u64::MAX,
                client: client.clone(),
                state,
            })
        };
        let spoken = vec![
            presence(Some(Json::trusted(r#"{"at":"k1"}"#))),
            presence(None),
            Spoken::RollCall(RollCall {
                upto: 9,
                shown: vec![(1, 2), (300, 9)],
            }),
            Spoken::Broadcast(Broadcast {
                client: client.clone(),
                room: "r1".to_owned(),
                data: Json::trusted("[1]"),
            }),
            Spoken::Asked,
            Spoken::Late,
        ];
        let told = spoken.into_iter().map(|what| Ephemeral {
            node: NodeId::trusted("n1"),
            instance: Instance(5),
            space: space(),
            what,
        });
        told.collect()
    }

    #[test]
    fn what_is_ephemeral_is_heard_as_it_was_told() {
        for told in all() {
            let bytes = encode_ephemeral(&told, ONE);
            assert_eq!(decode_ephemeral(space(), &bytes, ONE), None);
            assert_eq!(decode_ephemeral(space(), &bytes, OTHER), Some(told));
        }
    }

    /// What a hub of the first version wrote stays readable for ever.
    #[test]
    fn bytes_of_the_first_version_are_read() {
        let bytes = [
            1, 1, 2, b'n', b'1', 5, 0, 7, 8, 1, b'u', 1, b'c', 1, 1, b'1',
        ];
        let read = decode_ephemeral(space(), &bytes, OTHER).unwrap();
        let Spoken::Presence(shown) = read.what else {
            panic!("{read:?}")
        };
        assert_eq!((shown.conn, shown.no), (7, 8));
        assert_eq!(shown.state, Some(Json::trusted("1")));
        let asked = [1, 1, 2, b'n', b'1', 5, 3];
        let read = decode_ephemeral(space(), &asked, OTHER).unwrap();
        assert_eq!(read.what, Spoken::Asked);
    }

    #[test]
    fn what_cannot_be_read_is_nothing() {
        for told in all() {
            let whole = encode_ephemeral(&told, ONE);
            for cut in 0..whole.len() {
                assert_eq!(decode_ephemeral(space(), &whole[..cut], OTHER), None);
            }
            let newer = [&[VERSION + 1], &whole[1..]].concat();
            assert_eq!(decode_ephemeral(space(), &newer, OTHER), None);
        }
    }
}
