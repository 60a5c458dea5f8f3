//! Numbers at the ends of what is allowed, and one past.

use super::*;

/// Each limit: its key, the least and the greatest value taken.
const LIMITS: &[(&str, u64, u64)] = &[
    ("drain_s", 0, 3_600),
    ("auth.jwks_refresh_s", 1, 86_400),
    ("auth.jwks_timeout_ms", 100, 60_000),
    ("auth.cached_tokens_max", 0, 10_000_000),
    ("session.idle_ms", 1, 3_600_000),
    ("session.cache_bytes", 0, 1 << 40),
    ("session.pending_bytes", 1 << 20, 1 << 30),
    ("session.pending_node_bytes", 1 << 20, 64 << 30),
    ("session.commit_mutations_max", 1, 10_000),
    ("session.commit_changes_max", 1, 100_000),
    ("session.commit_bytes_max", 1 << 20, 1 << 30),
    ("compat.pull_held_ms", 0, 3_600_000),
    ("jobs.concurrency", 1, 10_000),
    ("jobs.notify_concurrency", 1, 10_000),
    ("jobs.lease_ms", 5_000, 3_600_000),
    ("jobs.time_ms", 100, 3_600_000),
    ("jobs.attempts_max", 1, 1_000),
    ("jobs.retry_first_ms", 10, 3_600_000),
    ("jobs.retry_longest_ms", 10, 86_400_000),
    ("jobs.poll_ms", 10, 60_000),
    ("jobs.dead_days", 1, 3_650),
    ("jobs.depth_max", 1, 100),
    ("gateway.connections_max", 1, 1_000_000),
    ("gateway.connections_address_percent", 1, 100),
    ("gateway.header_timeout_ms", 100, 600_000),
    ("gateway.body_bytes_max", 1 << 10, 256 << 20),
    ("gateway.replies_bytes_max", 1 << 20, 64 << 30),
    ("gateway.body_timeout_ms", 100, 600_000),
    ("gateway.hello_timeout_ms", 100, 60_000),
    ("gateway.ping_ms", 100, 600_000),
    ("gateway.message_bytes_max", 1 << 10, 64 << 20),
    ("gateway.stranger_bytes_max", 1 << 10, 1 << 20),
    ("gateway.unfinished_bytes_max", 1 << 20, 64 << 30),
    ("gateway.outbox_bytes_max", 4 << 10, 64 << 20),
    ("gateway.stalled_ms", 100, 600_000),
    ("gateway.sockets_per_user_max", 1, 100_000),
    ("gateway.sockets_max", 10, 10_000_000),
    ("gateway.strangers_percent", 1, 100),
    ("limits.record_bytes_max", 1 << 10, 4 << 20),
    ("limits.fields_max", 1, 16_384),
    ("limits.json_depth_max", 1, 100),
    ("limits.changes_per_push_max", 1, 100_000),
    ("limits.mutation_bytes_max", 8 << 20, 1 << 30),
    ("limits.name_bytes_max", 16, 1_024),
    ("limits.user_changes_per_s", 1, 1_000_000_000),
    ("limits.user_bytes_per_s", 1 << 10, 64 << 30),
    ("limits.user_told_per_s", 1, 1_000_000_000),
];

#[test]
fn limits_are_taken_at_their_ends_and_refused_one_past() {
    for &(key, least, greatest) in LIMITS {
        let name = source::variable(key);
        let set = |value: u64| load("", &[(&name, &value.to_string())]);
        for good in [least, greatest] {
            assert!(set(good).is_ok(), "{key} = {good}");
        }
        let past = [least.checked_sub(1), Some(greatest + 1)];
        for bad in past.into_iter().flatten() {
            let said = set(bad).unwrap_err();
            assert!(said.contains(key) && said.contains(&name), "{said}");
        }
    }
}

#[test]
fn strangers_are_a_share_of_all_sockets_and_at_least_one() {
    let of = |sockets_max, strangers_percent| {
        let config = GatewayConfig {
            sockets_max,
            strangers_percent,
            ..GatewayConfig::default()
        };
        config.strangers_max()
    };
    assert_eq!(GatewayConfig::default().strangers_max(), 20_000);
    assert_eq!((of(10, 1), of(250, 3), of(10, 100)), (1, 7, 10));
}

#[test]
fn one_body_may_be_as_large_as_all_of_them_and_no_larger() {
    let load = |all: &str, one: &str| {
        let env = [
            ("HUB__GATEWAY__BODIES_BYTES_MAX", all),
            ("HUB__GATEWAY__BODY_BYTES_MAX", one),
        ];
        load("", &env)
    };
    assert!(load("2000000000", "1073741824").is_ok());
    assert!(load("1073741824", "1073741824").is_ok());
    let said = load("1073741823", "1073741824").unwrap_err();
    assert!(said.contains("gateway.bodies_bytes_max"), "{said}");
    assert!(load("2000000000", "1073741825").is_err());
    assert!(load("68719476736", "1024").is_ok());
    assert!(load("68719476737", "1024").is_err());
    assert!(load("1024", "1024").is_ok());
    assert!(load("1023", "1023").is_err());
}
