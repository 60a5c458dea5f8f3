//! What `check-config` shows.

use super::*;

#[test]
fn secrets_are_not_shown() {
    let env = [("HUB__AUTH__SERVICE_KEY", "very-secret")];
    let config = load("", &env).unwrap();
    for shown in [format!("{config:?}"), config.settings()] {
        assert!(!shown.contains("very-secret"), "{shown}");
    }
    // Read again, it sets nothing that nobody chose.
    let env = [
        ("HUB__AUTH__SERVICE_KEY", "very-secret"),
        ("HUB__STORE__URL", "postgres://u:very-secret@db/hub"),
    ];
    let shown = load("", &env).unwrap().settings();
    for line in [
        "# auth.service_key: (set, not shown)",
        "# store.url: postgres://… (set, not shown)",
    ] {
        assert!(shown.lines().any(|shown| shown == line), "{shown}");
    }
    let again = load(&shown, &[]).unwrap();
    assert_eq!((again.auth.service_key, again.store.url), (None, None));
}

#[test]
fn what_is_shown_is_a_file_that_gives_the_same() {
    let file = "apps = [\"todo\", \"chat\"]\n[auth]\njwks_url = \"https://issuer.example/jwks\"\n[log]\nformat = \"json\"\n";
    let config = load(file, &[("HUB__GATEWAY__PING_MS", "5000")]).unwrap();
    let shown = config.settings();
    for line in [
        "drain_s = 10",
        "gateway.ping_ms = 5000",
        "# auth.service_key is not set",
    ] {
        assert!(
            shown.lines().any(|shown| shown == line),
            "{line} in {shown}"
        );
    }
    let again = load(&shown, &[]).unwrap();
    assert_eq!(again.settings(), shown);
    let store = StoreConfig {
        url: Some(config.store_url()),
        ..StoreConfig::default()
    };
    assert_eq!(again, Config { store, ..config });
}

#[test]
fn control_characters_are_shown_as_toml_takes_them() {
    let config = load(r#"data_dir = "a\u007f\u0001b""#, &[]).unwrap();
    let shown = config.settings();
    assert!(!shown.contains(['\u{7f}', '\u{1}']), "{shown}");
    let read = load(&shown, &[]).unwrap();
    assert_eq!(read.data_dir, config.data_dir);
}
