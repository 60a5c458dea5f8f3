//! What is refused, and what is said of it.

use super::*;

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

#[test]
fn a_number_that_does_not_fit_is_called_so() {
    let said = refused("drain_s = 99999999999999999999", &[]);
    assert!(
        said.ends_with("my.toml: line 1: a number does not fit into 64 bits"),
        "{said}"
    );
    let said = refused("", &[("HUB__DRAIN_S", "99999999999999999999")]);
    assert!(said.ends_with("is no whole number that fits"), "{said}");
}

#[test]
fn a_choice_names_what_may_be_chosen() {
    for toml in ["log.format = 1", "log.format = true", "log.format.text = 1"] {
        let said = refused(toml, &[]);
        assert!(said.contains(r#"must be one of "text", "json""#), "{said}");
    }
    let said = refused("", &[("HUB__LOG__FORMAT", "xml")]);
    assert!(said.contains("`xml`, expected `text` or `json`"), "{said}");
}

#[test]
fn a_variable_holds_a_list_without_brackets_and_quotes() {
    for list in ["[a]", " [a]", r#""a","b""#, "a, 'b'"] {
        let said = refused("", &[("HUB__APPS", list)]);
        assert!(
            said.contains("without brackets and quotes"),
            "{list}: {said}"
        );
    }
}

#[test]
fn a_directory_without_a_page_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let toml = format!("web.dir = {:?}", dir.path().to_str().unwrap());
    assert!(refused(&toml, &[]).contains("web.dir names "));
    fs::write(dir.path().join("index.html"), "").unwrap();
    assert_eq!(load(&toml, &[]).unwrap().web.dir.unwrap(), dir.path());
}
