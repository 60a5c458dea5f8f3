//! Where values come from, and which of them counts.

use super::*;

#[test]
fn defaults_are_those_documented() {
    let config = load("", &[]).unwrap();
    assert_eq!(config.listen.to_string(), "127.0.0.1:3010");
    assert_eq!(config.admin_listen.to_string(), "127.0.0.1:3011");
    assert_eq!(config.data_dir, PathBuf::from("./data"));
    assert_eq!(config.drain_s, 10);
    assert_eq!(config.store_url(), StoreUrl::Sqlite("./data/hub.db".into()));
    assert_eq!(config.auth.algorithms, [Algorithm::EdDsa]);
    assert!(config.auth.origins.is_empty());
    assert!(config.auth.service_key.is_none());
    assert!(config.metrics.public);
    assert_eq!(config.log.format, LogFormat::Text);
    assert_eq!(config.session.idle_ms, 30_000);
    assert_eq!(config.session.cache_bytes, 64 << 20);
    assert_eq!(config.retention.days, 30);
    assert!(config.compat.enabled);
    assert!(!config.node.as_str().is_empty());
}

#[test]
fn environment_wins_over_file_and_file_over_default() {
    let toml = "drain_s = 20\n[session]\nidle_ms = 5\ncache_bytes = 7";
    let env = [("HUB__SESSION__IDLE_MS", "6")];
    let config = load(toml, &env).unwrap();
    assert_eq!(config.drain_s, 20);
    assert_eq!(config.session.idle_ms, 6);
    assert_eq!(config.session.cache_bytes, 7);
    assert_eq!(config.session.commit_mutations_max, 256);
}

#[test]
fn fixed_variable_names_are_read() {
    let env = [
        ("HUB__LISTEN", "127.0.0.1:0"),
        ("HUB__ADMIN_LISTEN", "[::1]:4000"),
        ("HUB__STORE__URL", "sqlite:/tmp/x.db"),
        ("HUB__AUTH__SERVICE_KEY", "0123456789"),
    ];
    let config = load("", &env).unwrap();
    assert_eq!(config.listen.port(), 0);
    assert_eq!(config.admin_listen.to_string(), "[::1]:4000");
    assert_eq!(config.store_url(), StoreUrl::Sqlite("/tmp/x.db".into()));
    assert_eq!(config.auth.jwks_url.unwrap().as_str(), JWKS.1);
    assert!(config.auth.service_key.unwrap().matches("0123456789"));
}

#[test]
fn text_that_looks_like_a_number_stays_text() {
    let config = load("", &[("HUB__NODE", "007")]).unwrap();
    assert_eq!(config.node.as_str(), "007");
}

#[test]
fn lists_are_read_from_both_sources() {
    let toml = "apps = [\"todo\", \"chat\"]";
    assert_eq!(load(toml, &[]).unwrap().apps.len(), 2);
    let env = [
        ("HUB__APPS", "todo, chat,calendar"),
        ("HUB__AUTH__ALGORITHMS", "ES256,RS256"),
        (
            "HUB__AUTH__ORIGINS",
            "http://localhost:5173,https://app.example",
        ),
    ];
    let config = load(toml, &env).unwrap();
    assert_eq!(config.apps.len(), 3);
    assert_eq!(config.auth.algorithms, [Algorithm::Es256, Algorithm::Rs256]);
    assert_eq!(
        config.auth.origins,
        ["http://localhost:5173", "https://app.example"]
    );
}

#[test]
fn empty_variable_counts_as_not_set() {
    let config = load(
        "drain_s = 3",
        &[("HUB__NATS__URL", ""), ("HUB__DRAIN_S", "")],
    );
    assert_eq!(config.unwrap().drain_s, 3);
}

#[test]
fn variables_of_others_are_left_alone() {
    let env = [
        ("HUB_PORT", "tcp://10.0.0.1:80"),
        ("HUBBLE__X", "1"),
        ("PATH", "/bin"),
    ];
    assert!(load("", &env).is_ok());
}

#[test]
fn named_file_must_exist() {
    let sources = Sources {
        file: Some("/nowhere/hub.toml".into()),
        ..Sources::default()
    };
    let said = Config::load(&sources).unwrap_err().to_string();
    assert!(said.contains("/nowhere/hub.toml"), "{said}");
}

#[test]
fn derived_names_of_one_host_differ() {
    let names: std::collections::HashSet<_> = (0..8).map(|_| node::derived()).collect();
    assert!(names.len() > 1);
    for name in names {
        assert_eq!(NodeId::parse(name.as_str()), Ok(name));
    }
}

#[test]
fn a_named_file_is_the_one_of_that_very_name() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("my.toml"), "drain_s = 3").unwrap();
    let load = |name: &str| {
        let file = Some(dir.path().join(name));
        Config::load(&Sources {
            file,
            dev: true,
            ..Sources::default()
        })
    };
    assert_eq!(load("my.toml").unwrap().drain_s, 3);
    let said = load("my").unwrap_err().to_string();
    assert!(said.starts_with(&dir.path().join("my").display().to_string()));
}
