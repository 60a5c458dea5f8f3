//! The node's name.

use std::fs;

use serde::Deserializer;
use syncline_protocol::ids::NodeId;

use super::parse;

/// Bytes of the host's name that are kept.
const HOST_BYTES_MAX: usize = 63;

/// The host's name and four random hex digits, so that two nodes of one host differ.
pub(super) fn derived() -> NodeId {
    let host = fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let host: String = host
        .trim()
        .chars()
        .filter(|c| c.is_ascii_graphic())
        .collect();
    let host = host.get(..HOST_BYTES_MAX).unwrap_or(&host);
    let host = if host.is_empty() { "node" } else { host };
    // Without randomness the process number has to do.
    let unique = getrandom::u32().unwrap_or_else(|_| std::process::id()) & 0xffff;
    NodeId::trusted(&format!("{host}-{unique:04x}"))
}

pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<NodeId, D::Error> {
    parse::text(from, NodeId::parse)
}
