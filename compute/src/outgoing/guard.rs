//! Which addresses something may be sent to. Pure: an address in, a verdict out.
//!
//! What IANA's registries of special addresses name is not public, also the few ranges of them that
//! are reachable everywhere: nothing we send to is served there. Of IPv6 only global unicast (2000::/3) is,
//! so what is given out later must be let in here first. An IPv6 address that stands for an IPv4
//! address, for whoever translates it, is judged as that; where nobody does so any more, it is none.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// What kind of address one is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Of the internet.
    Public,
    /// Of a cluster or of this machine: for what may be sent there. What it is called.
    Private(&'static str),
    /// Nobody's to send to. What it is called.
    Never(&'static str),
}

/// How far something may be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reach {
    /// To public addresses.
    Public,
    /// To private ones too.
    Cluster,
}

/// An address where this may not be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("address_refused: {address} is {kind}")]
pub struct Refused {
    /// The address.
    pub address: IpAddr,
    /// What it is called.
    pub kind: &'static str,
}

impl Reach {
    /// Whether something may be sent to an address. Errors: it may not.
    pub fn check(self, address: IpAddr) -> Result<(), Refused> {
        match (kind_of(address), self) {
            (Kind::Public, _) | (Kind::Private(_), Reach::Cluster) => Ok(()),
            (Kind::Private(kind) | Kind::Never(kind), _) => Err(Refused { address, kind }),
        }
    }
}

/// The kind of an address.
pub fn kind_of(address: IpAddr) -> Kind {
    match address {
        IpAddr::V4(address) => kind_of_v4(address),
        IpAddr::V6(address) => kind_of_v6(address),
    }
}

/// What says who a machine is, and what it may do: AWS, Azure, Google, Alibaba, Oracle, Scaleway.
const METADATA: &str = "a cloud's metadata service";

/// (first address, bits of the network, what it is). The first that fits decides.
const V4: [([u8; 4], u32, Kind); 23] = [
    ([0, 0, 0, 0], 8, Kind::Never("of this network")),
    ([10, 0, 0, 0], 8, Kind::Private("private")),
    ([100, 100, 100, 200], 32, Kind::Never(METADATA)),
    ([100, 64, 0, 0], 10, Kind::Private("shared by a provider")),
    ([127, 0, 0, 0], 8, Kind::Private("loopback")),
    ([168, 63, 129, 16], 32, Kind::Never(METADATA)),
    ([169, 254, 169, 254], 32, Kind::Never(METADATA)),
    ([169, 254, 0, 0], 16, Kind::Never("link-local")),
    ([172, 16, 0, 0], 12, Kind::Private("private")),
    ([192, 0, 0, 0], 24, Kind::Never("of IETF protocols")),
    ([192, 0, 2, 0], 24, Kind::Never("for documentation")),
    ([192, 31, 196, 0], 24, Kind::Never("of AS112")),
    ([192, 52, 193, 0], 24, Kind::Never("of multicast tunnels")),
    ([192, 88, 99, 0], 24, Kind::Never("of 6to4 relays")),
    ([192, 168, 0, 0], 16, Kind::Private("private")),
    ([192, 175, 48, 0], 24, Kind::Never("of AS112")),
    ([198, 18, 0, 0], 15, Kind::Never("for benchmarks")),
    ([198, 51, 100, 0], 24, Kind::Never("for documentation")),
    ([203, 0, 113, 0], 24, Kind::Never("for documentation")),
    ([224, 0, 0, 0], 4, Kind::Never("multicast")),
    ([255, 255, 255, 255], 32, Kind::Never("broadcast")),
    ([240, 0, 0, 0], 4, Kind::Never("reserved")),
    ([0, 0, 0, 0], 0, Kind::Public),
];

fn kind_of_v4(address: Ipv4Addr) -> Kind {
    let holds = |first: [u8; 4], bits: u32| {
        let apart = u32::from(address) ^ u32::from_be_bytes(first);
        bits == 0 || apart >> (32 - bits) == 0
    };
    let found = V4.iter().find(|(first, bits, _)| holds(*first, *bits));
    found.map_or(Kind::Public, |(_, _, kind)| *kind)
}

/// The same of IPv6. What is in none of these is reserved.
const V6: [([u16; 8], u32, Kind); 19] = [
    ([0; 8], 128, Kind::Never("unspecified")),
    ([0, 0, 0, 0, 0, 0, 0, 1], 128, Kind::Private("loopback")),
    ([0; 8], 96, Kind::Never("IPv4-compatible")),
    (
        [0x64, 0xff9b, 1, 0, 0, 0, 0, 0],
        48,
        Kind::Never("of a local NAT64"),
    ),
    ([0x100, 0, 0, 0, 0, 0, 0, 0], 63, Kind::Never("discarded")),
    ([0x2001, 0, 0, 0, 0, 0, 0, 0], 32, Kind::Never("of Teredo")),
    (
        [0x2001, 0, 0, 0, 0, 0, 0, 0],
        23,
        Kind::Never("of IETF protocols"),
    ),
    (
        [0x2001, 0xdb8, 0, 0, 0, 0, 0, 0],
        32,
        Kind::Never("for documentation"),
    ),
    ([0x2002, 0, 0, 0, 0, 0, 0, 0], 16, Kind::Never("of 6to4")),
    (
        [0x2620, 0x4f, 0x8000, 0, 0, 0, 0, 0],
        48,
        Kind::Never("of AS112"),
    ),
    (
        [0x3fff, 0, 0, 0, 0, 0, 0, 0],
        20,
        Kind::Never("for documentation"),
    ),
    ([0x2000, 0, 0, 0, 0, 0, 0, 0], 3, Kind::Public),
    ([0xfd00, 0xec2, 0, 0, 0, 0, 0, 0], 32, Kind::Never(METADATA)),
    (
        [0xfd20, 0xce, 0, 0, 0, 0, 0, 0x254],
        128,
        Kind::Never(METADATA),
    ),
    (
        [0xfd00, 0xc1, 0, 0, 0, 0, 0xa9fe, 0xa9fe],
        128,
        Kind::Never(METADATA),
    ),
    (
        [0xfd00, 0x42, 0, 0, 0, 0, 0, 0x42],
        128,
        Kind::Never(METADATA),
    ),
    (
        [0xfc00, 0, 0, 0, 0, 0, 0, 0],
        7,
        Kind::Private("unique-local"),
    ),
    ([0xfe80, 0, 0, 0, 0, 0, 0, 0], 10, Kind::Never("link-local")),
    ([0xff00, 0, 0, 0, 0, 0, 0, 0], 8, Kind::Never("multicast")),
];

fn kind_of_v6(address: Ipv6Addr) -> Kind {
    if let Some(embedded) = embedded_v4(address) {
        return kind_of_v4(embedded);
    }
    let holds = |first: [u16; 8], bits: u32| {
        let apart = u128::from(address) ^ u128::from(Ipv6Addr::from(first));
        apart >> (128 - bits) == 0
    };
    let found = V6.iter().find(|(first, bits, _)| holds(*first, *bits));
    found.map_or(Kind::Never("reserved"), |(_, _, kind)| *kind)
}

/// The IPv4 address that is reached in fact: of `::ffff:0:0/96` by the operating system, of
/// `64:ff9b::/96` by a NAT64.
fn embedded_v4(address: Ipv6Addr) -> Option<Ipv4Addr> {
    let translated = match address.segments() {
        [0x64, 0xff9b, 0, 0, 0, 0, high, low] => Some(u32::from(high) << 16 | u32::from(low)),
        _ => None,
    };
    address.to_ipv4_mapped().or(translated.map(Ipv4Addr::from))
}
