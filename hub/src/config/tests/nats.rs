//! The bus between nodes.

use super::*;

const URL: (&str, &str) = ("HUB__NATS__URL", "nats://127.0.0.1:4222");

/// The example of NATS's own documentation.
const SEED: &str = "SUACSSL3UAHUDXKFSNVUZRF5UHPMWZ6BFDTJ7M6USDXIEDNPPQYYYCU3VY";

#[test]
fn one_way_to_show_who_it_is_is_taken() {
    assert_eq!(load("", &[]).unwrap().nats.url, None);
    let ways: [&[(&str, &str)]; 6] = [
        &[],
        &[("HUB__NATS__NKEY", SEED)],
        &[("HUB__NATS__TOKEN", "t")],
        &[("HUB__NATS__USER", "u"), ("HUB__NATS__PASSWORD", "p")],
        &[("HUB__NATS__PREFIX", "todo-prod_2")],
        &[("HUB__NATS__CONNECTIONS", "16")],
    ];
    for way in ways {
        let env = [&[URL], way].concat();
        assert!(load("", &env).is_ok(), "{way:?}");
    }
    let several = "nats.url = \"nats://one:4222, tls://two:4222\"";
    assert!(load(several, &[]).is_ok());
}

#[test]
fn what_cannot_be_used_is_told_by_its_key() {
    let cases: [(&[(&str, &str)], &str); 16] = [
        (
            &[("HUB__NATS__URL", "http://h")],
            "HUB__NATS__URL: must be nats://",
        ),
        (
            &[("HUB__NATS__URL", "nats://h:x")],
            "HUB__NATS__URL: holds an address",
        ),
        (
            &[("HUB__NATS__URL", "nats://u:p@h")],
            "HUB__NATS__URL: may hold no user",
        ),
        (
            &[("HUB__NATS__TOKEN", "t")],
            "nats.token is set, but nats.url",
        ),
        (&[URL, ("HUB__NATS__USER", "u")], "nats.password is not set"),
        (&[URL, ("HUB__NATS__PASSWORD", "p")], "nats.user is not set"),
        (&[URL, ("HUB__NATS__NKEY", "SUxyz")], "nats.nkey is no seed"),
        (
            &[URL, ("HUB__NATS__CREDENTIALS", "/no/file")],
            "nats.credentials /no/file: ",
        ),
        (&[URL, ("HUB__NATS__CA", "/no/file")], "nats.ca /no/file: "),
        (
            &[URL, ("HUB__NATS__CERT", "/no/file")],
            "nats.key is not set",
        ),
        (
            &[URL, ("HUB__NATS__KEY", "/no/file")],
            "nats.cert is not set",
        ),
        (
            &[URL, ("HUB__NATS__TOKEN", "t"), ("HUB__NATS__NKEY", SEED)],
            "only one can be used",
        ),
        (
            &[URL, ("HUB__NATS__PREFIX", "todo.prod")],
            "HUB__NATS__PREFIX: must be 1 to 32 letters",
        ),
        (
            &[URL, ("HUB__NATS__PREFIX", "*")],
            "HUB__NATS__PREFIX: must be 1 to 32 letters",
        ),
        (
            &[URL, ("HUB__NATS__CONNECTIONS", "0")],
            "nats.connections is 0",
        ),
        (
            &[URL, ("HUB__NATS__CONNECTIONS", "17")],
            "nats.connections is 17",
        ),
    ];
    for (env, what) in cases {
        let said = refused("", env);
        assert!(said.contains(what), "{env:?}: {said}");
    }
}

#[test]
fn the_prefix_is_that_of_always_unless_another_is_set() {
    assert_eq!(load("", &[]).unwrap().nats.prefix, "sync");
    let config = load("nats.prefix = \"todo\"", &[URL]).unwrap();
    assert_eq!(config.nats.prefix, "todo");
    assert!(config.settings().contains("nats.prefix = \"todo\""));
}

#[test]
fn secrets_of_the_bus_are_not_told() {
    let secrets = [
        ("HUB__NATS__URL", "nats://u:very-secret@h:1"),
        ("HUB__NATS__NKEY", "very-secret"),
        ("HUB__NATS__TOKEN", "very-secret"),
        ("HUB__NATS__PASSWORD", "very-secret"),
    ];
    let said = refused("", &secrets);
    assert!(!said.contains("very-secret"), "{said}");
    for secret in &secrets[1..] {
        let said = refused("", &[URL, *secret, ("HUB__NATS__CA", "/no/file")]);
        assert!(!said.contains("very-secret"), "{said}");
    }
    let env = [
        URL,
        ("HUB__NATS__USER", "u"),
        ("HUB__NATS__PASSWORD", "very-secret"),
    ];
    let config = load("", &env).unwrap();
    for shown in [format!("{config:?}"), config.settings()] {
        assert!(!shown.contains("very-secret"), "{shown}");
    }
    let shown = config.settings();
    for line in [
        "# nats.password: (set, not shown)",
        "nats.url = \"nats://127.0.0.1:4222\"",
    ] {
        assert!(shown.lines().any(|shown| shown == line), "{shown}");
    }
}
