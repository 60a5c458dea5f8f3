use std::fs;
use std::path::PathBuf;

use super::source::Sources;
use super::*;
use crate::auth::Algorithm;

const JWKS: (&str, &str) = ("HUB__AUTH__JWKS_URL", "https://issuer.example/jwks");

/// What a file with `toml` and the variables `env` load to.
fn load(toml: &str, env: &[(&str, &str)]) -> Result<Config, String> {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("my.toml");
    fs::write(&file, toml).unwrap();
    let env = env.iter().chain([&JWKS]);
    let sources = Sources {
        file: Some(file),
        env: env.map(|(k, v)| ((*k).into(), (*v).into())).collect(),
        dev: false,
    };
    Config::load(&sources).map_err(|error| error.to_string())
}

fn refused(toml: &str, env: &[(&str, &str)]) -> String {
    load(toml, env).expect_err("it should be refused")
}

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
fn unknown_key_is_refused_with_its_source() {
    let said = refused("drian_s = 1", &[]);
    assert!(
        said.contains("my.toml") && said.contains("`drian_s`"),
        "{said}"
    );
    let said = refused("[session]\nidle_s = 1", &[]);
    assert!(
        said.contains("my.toml: session") && said.contains("`idle_s`"),
        "{said}"
    );
    let said = refused("", &[("HUB__AUTH__JWKS", "x")]);
    assert!(
        said.contains("HUB__AUTH") && said.contains("`jwks`"),
        "{said}"
    );
    let said = refused("", &[("HUB__DRIAN_S", "1")]);
    assert!(
        said.contains("environment") && said.contains("`drian_s`"),
        "{said}"
    );
}

#[test]
fn value_of_the_wrong_type_names_key_and_source() {
    let said = refused("drain_s = \"soon\"", &[("HUB__DRAIN_S", "4")]);
    assert!(
        said.contains("my.toml: drain_s") && said.contains("soon"),
        "{said}"
    );
    let said = refused("", &[("HUB__SESSION__IDLE_MS", "long")]);
    assert!(
        said.contains("environment: HUB__SESSION__IDLE_MS"),
        "{said}"
    );
    let said = refused("", &[("HUB__LISTEN", "localhost:3010")]);
    assert!(said.contains("environment: HUB__LISTEN"), "{said}");
    let said = refused("", &[("HUB__DRAIN_S", "-1")]);
    assert!(said.contains("environment: HUB__DRAIN_S"), "{said}");
    let said = refused("", &[("HUB__LOG__FORMAT", "xml")]);
    assert!(said.contains("environment: HUB__LOG__FORMAT"), "{said}");
}

#[test]
fn broken_file_is_named() {
    let said = refused("drain_s = ", &[]);
    assert!(said.contains("my.toml"), "{said}");
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
fn what_is_not_built_yet_says_so() {
    for (name, value) in [
        ("HUB__NATS__URL", "nats://127.0.0.1:4222"),
        ("HUB__STORE__URL", "scylla://u:secret@db:9042/hub"),
    ] {
        let said = refused("", &[(name, value)]);
        assert!(
            said.contains("not built yet") && said.contains(name),
            "{said}"
        );
        assert!(!said.contains("secret"), "{said}");
    }
}

#[test]
fn store_urls_of_no_engine_are_refused() {
    for url in ["sqlite:", "sqlite::memory:", "mysql://x", "/tmp/hub.db"] {
        let said = refused("", &[("HUB__STORE__URL", url)]);
        assert!(said.contains("HUB__STORE__URL"), "{said}");
    }
}

#[test]
fn sqlite_may_keep_neither_nothing_nor_everything() {
    for (kib, is_good) in [
        ("255", false),
        ("256", true),
        ("16777216", true),
        ("16777217", false),
    ] {
        let env = [("HUB__STORE__SQLITE_CACHE_KIB", kib)];
        if is_good {
            let config = load("", &env).unwrap();
            assert_eq!(config.store.sqlite_cache_kib.to_string(), kib);
        } else {
            assert!(refused("", &env).contains("HUB__STORE__SQLITE_CACHE_KIB"));
        }
    }
}

#[test]
fn behind_sqlite_stands_the_path_of_a_file() {
    let dir = tempfile::tempdir().unwrap();
    let directory = format!("sqlite:{}", dir.path().display());
    for (url, why) in [
        ("sqlite:file:hub.db", "no URI"),
        ("sqlite:file::memory:", "no URI"),
        ("sqlite:file:x?mode=memory&cache=shared", "no URI"),
        ("sqlite://data/hub.db", "right behind sqlite:"),
        ("sqlite:///data/hub.db", "right behind sqlite:"),
        ("sqlite:.", "directory"),
        ("sqlite:..", "directory"),
        ("sqlite:/", "directory"),
        ("sqlite:./not-there/", "directory"),
        (&directory, "directory"),
    ] {
        let said = refused("", &[("HUB__STORE__URL", url)]);
        assert!(said.contains(why), "{url}: {said}");
    }
    for url in ["sqlite:hub.db", "sqlite:./files:x", "sqlite:/a/b?c=d"] {
        assert!(load("", &[("HUB__STORE__URL", url)]).is_ok(), "{url}");
    }
}

#[test]
fn a_database_that_could_not_be_reached_is_refused_without_its_password() {
    for (url, why) in [
        ("postgres://u:secret@db:port/hub", "cannot be read"),
        ("postgres:///hub", "names no host"),
        (
            "postgres://u:secret@db/hub?sslmode=prefer",
            "must be disable",
        ),
    ] {
        let said = refused("", &[("HUB__STORE__URL", url)]);
        assert!(said.contains(why) && !said.contains("secret"), "{said}");
    }
}

#[test]
fn bad_auth_values_are_refused() {
    for (name, value) in [
        ("HUB__AUTH__JWKS_URL", "ftp://issuer.example/"),
        ("HUB__AUTH__JWKS_URL", "issuer.example"),
        ("HUB__AUTH__JWKS_URL", "https://a:b@issuer.example/"),
        ("HUB__AUTH__ALGORITHMS", "HS256"),
        ("HUB__AUTH__ALGORITHMS", "none"),
        ("HUB__AUTH__ORIGINS", "https://app.example/"),
        ("HUB__AUTH__ORIGINS", "*"),
        ("HUB__AUTH__ORIGINS", "app.example"),
        ("HUB__APPS", "todo,,chat"),
        ("HUB__NODE", "a\nb"),
    ] {
        // The last one of a name is the one read.
        let sources = Sources {
            env: vec![(JWKS.0.into(), JWKS.1.into()), (name.into(), value.into())],
            ..Sources::default()
        };
        let said = Config::load(&sources).unwrap_err().to_string();
        assert!(said.contains(name), "{name}={value}: {said}");
    }
}

#[test]
fn without_keys_and_without_dev_nothing_starts() {
    let said = Config::load(&Sources::default()).unwrap_err().to_string();
    assert!(
        said.contains("auth.jwks_url") && said.contains("--dev"),
        "{said}"
    );
    let dev = Sources {
        dev: true,
        ..Sources::default()
    };
    assert!(Config::load(&dev).unwrap().auth.dev);
}

#[test]
fn development_issuer_is_for_loopback_only() {
    let load = |listen: &str| {
        Config::load(&Sources {
            env: vec![("HUB__LISTEN".into(), listen.into())],
            dev: true,
            ..Sources::default()
        })
    };
    assert!(load("127.0.0.1:3010").is_ok());
    assert!(load("[::1]:3010").is_ok());
    for open in ["0.0.0.0:3010", "[::]:3010", "192.168.1.5:3010"] {
        let said = load(open).unwrap_err().to_string();
        assert!(
            said.contains("HUB__LISTEN") && said.contains(open),
            "{said}"
        );
    }
    let said = load("127.0.0.1:3011").unwrap_err().to_string();
    assert!(said.contains("admin_listen"), "{said}");
}

#[test]
fn every_problem_is_told_at_once() {
    let toml = "drain_s = 9999\n[session]\nidle_ms = 0\n[log]\nfilter = \"a=b=c\"";
    let said = refused(toml, &[]);
    for key in ["drain_s", "session.idle_ms", "log.filter"] {
        assert!(said.contains(key), "{key} in {said}");
    }
    assert_eq!(said.lines().count(), 3);
}

/// Each limit: its key, the least and the greatest value taken.
const LIMITS: &[(&str, u64, u64)] = &[
    ("drain_s", 0, 3_600),
    ("auth.jwks_refresh_s", 1, 86_400),
    ("auth.jwks_timeout_ms", 100, 60_000),
    ("auth.cached_tokens_max", 0, 10_000_000),
    ("session.idle_ms", 1, 3_600_000),
    ("session.cache_bytes", 0, 1 << 40),
    ("session.pending_bytes", 1 << 20, 1 << 30),
    ("session.commit_mutations_max", 1, 10_000),
    ("session.commit_changes_max", 1, 100_000),
    ("session.commit_bytes_max", 1 << 20, 1 << 30),
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
fn every_bad_value_is_named() {
    let said = refused(
        "drain_s = \"long\"\n[gateway]\nping_ms = \"often\"\n[auth]\nnope = 1\n",
        &[],
    );
    for key in ["drain_s", "gateway.ping_ms", "nope"] {
        assert!(said.contains(key), "{key} in {said}");
    }
    let env = [("HUB__LISTEN", "here"), ("HUB__LOG__FORMAT", "xml")];
    let said = refused("", &env);
    assert!(
        said.contains("HUB__LISTEN") && said.contains("HUB__LOG__FORMAT"),
        "{said}"
    );
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

#[test]
fn values_of_another_type_are_refused_not_converted() {
    for (toml, key) in [
        ("drain_s = true", "drain_s"),
        ("drain_s = 9.7", "drain_s"),
        ("drain_s = \"3\"", "drain_s"),
        ("drain_s = [3]", "drain_s"),
        ("node = 7", "node"),
        ("listen = 3010", "listen"),
        ("apps = \"todo, chat\"", "apps"),
        ("[metrics]\npublic = 7", "metrics.public"),
        ("[metrics]\npublic = \"yes\"", "metrics.public"),
        ("[auth]\ndev = 1", "auth.dev"),
        ("[auth]\nissuer = true", "auth.issuer"),
        ("[auth]\nalgorithms = \"EdDSA\"", "auth.algorithms"),
        ("auth = 7", "auth"),
        ("auth = [true]", "auth"),
        ("[drain_s]\nx = 1", "drain_s.x"),
    ] {
        let said = refused(toml, &[]);
        assert!(
            said.contains(&format!("my.toml: {key}: ")),
            "{toml}: {said}"
        );
    }
    for (name, value) in [
        ("HUB__DRAIN_S", "9.7"),
        ("HUB__DRAIN_S", "true"),
        ("HUB__DRAIN_S", "+3"),
        ("HUB__DRAIN_S", " 3"),
        ("HUB__DRAIN_S", "0x3"),
        ("HUB__METRICS__PUBLIC", "7"),
        ("HUB__METRICS__PUBLIC", "1"),
        ("HUB__METRICS__PUBLIC", "yes"),
        ("HUB__METRICS__PUBLIC", "TRUE"),
        ("HUB__METRICS", "true"),
        ("HUB__APPS", "[\"a\"]"),
        ("HUB__AUTH__ORIGINS", "[\"https://a.example\"]"),
    ] {
        let said = refused("", &[(name, value)]);
        assert!(
            said.contains(&format!("environment: {name}: ")),
            "{value}: {said}"
        );
    }
}

#[test]
fn variables_have_one_spelling() {
    for (name, right) in [
        ("hub__drain_s", "HUB__DRAIN_S"),
        ("HUB__drain_s", "HUB__DRAIN_S"),
        ("Hub__Auth__Dev", "HUB__AUTH__DEV"),
    ] {
        for env in [&[(name, "3"), ("HUB__DRAIN_S", "4")][..], &[(name, "3")]] {
            let said = refused("", env);
            assert!(said.contains(&format!("environment: {name}: ")), "{said}");
            assert!(said.contains(right), "{said}");
        }
    }
}

#[test]
fn a_variable_that_names_no_key_is_named() {
    for name in ["HUB__", "HUB____", "HUB__AUTH__", "HUB____DRAIN_S"] {
        let said = refused("", &[(name, "1")]);
        assert!(said.contains(&format!("environment: {name}: ")), "{said}");
    }
}

#[test]
fn a_wrong_item_of_a_list_is_told_by_its_type() {
    let said = refused("apps = [1, 2]", &[]);
    assert!(said.contains("my.toml: apps: "), "{said}");
    assert!(
        said.contains("integer") && said.contains("string"),
        "{said}"
    );
}

#[test]
fn a_secret_is_not_told_with_what_is_wrong_with_it() {
    for toml in [
        "[auth]\nservice_key = 8812345",
        "[auth]\nservice_key = \"8812345",
        "[auth]\nservice_key = [\"8812345\"]",
        "[nats]\nurl = 8812345",
    ] {
        let said = refused(toml, &[]);
        assert!(!said.contains("8812345"), "{said}");
    }
}
