//! How a node is, as bytes.

use serde::{Deserialize, Serialize};
use syncline_protocol::codec::{decode_begin, encode_versioned_as};
use syncline_protocol::ids::NodeId;

use crate::heartbeat::{Heartbeat, Instance, Standing};

/// The version this hub writes.
const VERSION: u8 = 1;

/// Bytes of a version's name. A longer one is nothing that a hub says.
const VERSION_NAME_BYTES_MAX: usize = 64;

/// Every later version begins so, and says what it has more behind it: nodes of all versions list each
/// other.
#[derive(Serialize, Deserialize)]
struct HeartbeatV1<'a> {
    origin: u64,
    #[serde(borrow)]
    node: &'a str,
    instance: u64,
    no: u64,
    version: &'a str,
    started_at_ms: u64,
    /// 0 serves, 1 drains, 2 is gone, 3 works. What else a later version says is somebody who is there.
    standing: u8,
    sockets: u64,
    sessions: u64,
    commits_per_s: u64,
}

/// How a node is, told by the process `origin`.
pub(in super::super) fn encode_heartbeat(said: &Heartbeat, origin: u64) -> Vec<u8> {
    let told = HeartbeatV1 {
        origin,
        node: said.node.as_str(),
        instance: said.instance.0,
        no: said.no,
        version: &said.version,
        started_at_ms: said.started_at_ms,
        standing: match said.standing {
            Standing::Serving => 0,
            Standing::Draining => 1,
            Standing::Gone => 2,
            Standing::Working => 3,
        },
        sockets: said.sockets,
        sessions: said.sessions,
        commits_per_s: said.commits_per_s,
    };
    encode_versioned_as(VERSION, &told)
}

/// `None` if `own` says so itself, or it cannot be read.
pub(super) fn decode_heartbeat(bytes: &[u8], own: u64) -> Option<Heartbeat> {
    let (version, told, left): (_, HeartbeatV1<'_>, _) = decode_begin(bytes).ok()?;
    let is_newer = version > VERSION;
    if version < VERSION || (left > 0 && !is_newer) {
        return None;
    }
    if told.origin == own || told.version.len() > VERSION_NAME_BYTES_MAX {
        return None;
    }
    Some(Heartbeat {
        node: NodeId::parse(told.node).ok()?,
        instance: Instance(told.instance),
        no: told.no,
        version: told.version.to_owned(),
        started_at_ms: told.started_at_ms,
        standing: match told.standing {
            0 => Standing::Serving,
            1 => Standing::Draining,
            2 => Standing::Gone,
            3 => Standing::Working,
            _ if is_newer => Standing::Serving,
            _ => return None,
        },
        sockets: told.sockets,
        sessions: told.sessions,
        commits_per_s: told.commits_per_s,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: u64 = 1;
    const OTHER: u64 = 2;

    fn said(standing: Standing) -> Heartbeat {
        Heartbeat {
            node: NodeId::trusted("n1"),
            instance: Instance(u64::MAX),
            no: 7,
            version: "0.1.0".to_owned(),
            started_at_ms: 1_795_514_400_000,
            standing,
            sockets: 3,
            sessions: 4,
            commits_per_s: 5,
        }
    }

    #[test]
    fn how_a_node_is_is_heard_as_it_was_said() {
        for standing in [
            Standing::Serving,
            Standing::Working,
            Standing::Draining,
            Standing::Gone,
        ] {
            let bytes = encode_heartbeat(&said(standing), ONE);
            assert_eq!(decode_heartbeat(&bytes, OTHER), Some(said(standing)));
            assert_eq!(decode_heartbeat(&bytes, ONE), None);
        }
    }

    /// What a hub of the first version wrote stays readable for ever.
    #[test]
    fn bytes_of_the_first_version_are_read() {
        let bytes = [1, 1, 2, b'n', b'1', 9, 7, 1, b'v', 8, 1, 3, 4, 5];
        let read = decode_heartbeat(&bytes, OTHER).unwrap();
        assert_eq!((read.node.as_str(), &read.version[..]), ("n1", "v"));
        assert_eq!((read.instance, read.no), (Instance(9), 7));
        assert_eq!(read.standing, Standing::Draining);
        assert_eq!((read.sockets, read.sessions, read.commits_per_s), (3, 4, 5));
    }

    #[test]
    fn a_node_of_a_newer_version_is_listed_whatever_else_it_says() {
        let whole = encode_heartbeat(&said(Standing::Draining), ONE);
        let newer = [&[VERSION + 1], &whole[1..], b"and more"].concat();
        assert_eq!(
            decode_heartbeat(&newer, OTHER),
            Some(said(Standing::Draining))
        );
        assert_eq!(decode_heartbeat(&newer, ONE), None);
        // The standing is a byte of its own, before three numbers below 251.
        let mut elsewhere = newer;
        elsewhere[whole.len() - 4] = 9;
        let read = decode_heartbeat(&elsewhere, OTHER).unwrap();
        assert_eq!(read.standing, Standing::Serving);
    }

    #[test]
    fn what_cannot_be_read_is_nothing() {
        let whole = encode_heartbeat(&said(Standing::Serving), ONE);
        for cut in 0..whole.len() {
            assert_eq!(decode_heartbeat(&whole[..cut], OTHER), None, "{cut}");
        }
        assert_eq!(decode_heartbeat(&[&whole[..], &[0]].concat(), OTHER), None);
        let older = [&[VERSION - 1], &whole[1..]].concat();
        assert_eq!(decode_heartbeat(&older, OTHER), None);
        let long = Heartbeat {
            version: "v".repeat(VERSION_NAME_BYTES_MAX + 1),
            ..said(Standing::Serving)
        };
        assert_eq!(decode_heartbeat(&encode_heartbeat(&long, ONE), OTHER), None);
        let unnamed = Heartbeat {
            node: NodeId::trusted("a\nb"),
            ..said(Standing::Serving)
        };
        assert_eq!(
            decode_heartbeat(&encode_heartbeat(&unnamed, ONE), OTHER),
            None
        );
    }
}
