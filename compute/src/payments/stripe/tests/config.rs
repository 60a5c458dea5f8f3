//! What a config may say.

use super::*;

fn wrong(change: impl FnOnce(&mut StripeConfig)) -> Vec<String> {
    let mut config = config_at("http://127.0.0.1:12111/");
    change(&mut config);
    Stripe::of(&config).map(|_| ()).err().unwrap_or_default()
}

#[test]
fn a_config_says_how_stripe_is_reached() {
    let json = r#"{"secret_key":"rk_live_0123456789abcdef","webhook_secrets":["whsec_0123456789abcdef"],
        "success_url":"https://todo.example/paid","cancel_url":"https://todo.example/"}"#;
    let config: StripeConfig = serde_json::from_str(json).unwrap();
    assert_eq!(
        (config.api.as_str(), config.timeout_ms, config.private),
        (API, TIMEOUT_MS, false)
    );
    assert_eq!(config.check().unwrap().mode, Mode::Live);
    let unknown = json.replacen("cancel_url", "cancelled_url", 1);
    assert!(serde_json::from_str::<StripeConfig>(&unknown).is_err());
}

#[test]
fn a_key_is_one_of_stripes() {
    for (key, mode) in [
        ("sk_live_0123456789", Some(Mode::Live)),
        ("rk_live_0123456789", Some(Mode::Live)),
        ("sk_test_0123456789", Some(Mode::Test)),
        ("rk_test_0123456789", Some(Mode::Test)),
        ("pk_live_0123456789", None),
        ("whsec_0123456789abc", None),
        ("sk_live_", None),
        ("sk_live_01234567 9", None),
        ("sk_live_0123456789\n", None),
    ] {
        let mut config = config_at("http://127.0.0.1:12111/");
        config.secret_key = Secret::new(key);
        assert_eq!(
            config.check().ok().map(|checked| checked.mode),
            mode,
            "{key}"
        );
    }
}

#[test]
fn everything_that_is_wrong_is_said_and_nothing_secret() {
    let said = wrong(|config| {
        *config = StripeConfig {
            secret_key: Secret::new("hunter2"),
            webhook_secrets: vec![Secret::new("hunter3")],
            success_url: "http://".to_owned(),
            cancel_url: "javascript:alert(1)".to_owned(),
            timeout_ms: 1,
            api: "http://api.stripe.com".to_owned(),
            private: false,
        };
    });
    assert_eq!(said.len(), 6, "{said:?}");
    assert!(!said.concat().contains("hunter"), "{said:?}");
    assert!(
        said.iter().all(|why| why.starts_with("credits: stripe: ")),
        "{said:?}"
    );
    let config = config_at("http://127.0.0.1:12111/");
    let shown = format!("{config:?} {:?}", Stripe::of(&config).unwrap());
    assert!(!shown.contains("0123456789abcdef"), "{shown}");
    assert!(shown.ends_with("Stripe(Test)"), "{shown}");
}

#[test]
fn limits_are_taken_and_one_more_is_not() {
    let secrets = |count: usize| vec![Secret::new("whsec_0123456789abcdef"); count];
    for (count, is_taken) in [
        (0, false),
        (1, true),
        (SECRETS_MAX, true),
        (SECRETS_MAX + 1, false),
    ] {
        let said = wrong(|config| config.webhook_secrets = secrets(count));
        assert_eq!(said.is_empty(), is_taken, "{count}: {said:?}");
    }
    for (ms, is_taken) in [
        (TIMEOUT_MS_MIN - 1, false),
        (TIMEOUT_MS_MIN, true),
        (TIMEOUT_MS_CEILING, true),
        (TIMEOUT_MS_CEILING + 1, false),
    ] {
        assert_eq!(
            wrong(|config| config.timeout_ms = ms).is_empty(),
            is_taken,
            "{ms}"
        );
    }
    let url = |bytes: usize| {
        let begins = "https://todo.example/";
        format!("{begins}{}", "x".repeat(bytes - begins.len()))
    };
    assert!(wrong(|config| config.success_url = url(RETURN_URL_BYTES_MAX)).is_empty());
    assert!(!wrong(|config| config.success_url = url(RETURN_URL_BYTES_MAX + 1)).is_empty());
}
