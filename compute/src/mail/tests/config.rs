//! Configs.

use super::*;

fn wrong(config: &MailConfig) -> Vec<String> {
    MailService::of(config).map(|_| ()).unwrap_err()
}

fn with_url(url: &str, private: bool) -> MailConfig {
    MailConfig {
        url: Secret::new(url),
        private,
        ..at(25)
    }
}

#[test]
fn a_config_says_where_and_by_whom() {
    let json = r#"{"url":"smtps://ada:p%40ss@mail.example","from":"todo@example.com"}"#;
    let config: MailConfig = serde_json::from_str(json).unwrap();
    assert_eq!((config.timeout_ms, config.private), (TIMEOUT_MS, false));
    for (url, private, server) in [
        ("smtps://ada:p%40ss@mail.example", false, "mail.example:465"),
        ("smtp://mail.example", false, "mail.example:587"),
        (
            "smtp://mail.example?tls=required",
            false,
            "mail.example:587",
        ),
        ("smtp://mail:25/", true, "mail:25"),
        ("smtp://mail:25?tls=required", true, "mail:25"),
        ("smtps://[::1]:2465", true, "::1:2465"),
    ] {
        let service = MailService::of(&with_url(url, private)).unwrap();
        assert_eq!(service.server(), server);
        assert_eq!(format!("{service:?}"), format!("MailService({server})"));
    }
    let unknown = r#"{"url":"smtp://a","from":"a@b","port":25}"#;
    assert!(serde_json::from_str::<MailConfig>(unknown).is_err());
}

#[test]
fn all_that_is_wrong_is_said_at_once() {
    let config = MailConfig {
        url: Secret::new("http://mail.example"),
        from: "Todo".to_owned(),
        timeout_ms: TIMEOUT_MS_MIN - 1,
        private: false,
    };
    let expected = [
        "mail: url: neither smtps nor smtp",
        "mail: from: NAME@HOST or NAME <NAME@HOST>, at most 256 bytes",
        "mail: timeout_ms: between 100 and 120000",
    ];
    assert_eq!(wrong(&config), expected);
}

#[test]
fn what_is_no_server_is_refused_without_saying_it() {
    for (url, why) in [
        ("", "smtps://USER"),
        ("hidden-host", "smtps://USER"),
        ("smtp:hidden-host", "smtps://USER"),
        ("smtp:///hidden", "smtps://USER"),
        (
            &format!("smtp://hidden/{}", "x".repeat(2_048)),
            "smtps://USER",
        ),
        ("mailto://hidden", "neither smtps nor smtp"),
        ("smtp://hidden/path", "no path"),
        ("smtp://hidden#part", "no path"),
        ("smtp://hidden:0", "port 0"),
        ("smtp://hidden@host", "a user and a password"),
        ("smtp://:hidden@host", "a user and a password"),
        ("smtp://host?tls=opportunistic", "tls=required"),
        ("smtps://host?tls=required", "tls=required"),
    ] {
        let said = wrong(&with_url(url, true));
        assert!(
            said[0].starts_with("mail: url: ") && said[0].contains(why),
            "{said:?}"
        );
        assert!(!said[0].contains("hidden"), "{said:?}");
    }
    let shown = format!("{:?}", with_url("smtp://ada:hidden@host", true));
    assert!(
        !shown.contains("hidden") && !shown.contains("ada"),
        "{shown}"
    );
}

#[test]
fn limits_hold_at_the_limit_and_not_past_it() {
    for (timeout_ms, is_well) in [
        (TIMEOUT_MS_MIN, true),
        (TIMEOUT_MS_MIN - 1, false),
        (TIMEOUT_MS_CEILING, true),
        (TIMEOUT_MS_CEILING + 1, false),
    ] {
        let config = MailConfig {
            timeout_ms,
            ..at(25)
        };
        assert_eq!(MailService::of(&config).is_ok(), is_well, "{timeout_ms}");
    }
    // A name in quotes, since an address itself is shorter.
    let from = |bytes: usize| format!("\"{}\" <a@b.c>", "x".repeat(bytes - 10));
    for (bytes, is_well) in [(FROM_BYTES_MAX, true), (FROM_BYTES_MAX + 1, false)] {
        let config = MailConfig {
            from: from(bytes),
            ..at(25)
        };
        assert_eq!(config.from.len(), bytes);
        assert_eq!(MailService::of(&config).is_ok(), is_well, "{bytes}");
    }
}

#[test]
fn who_writes_is_somebody() {
    for from in [
        "todo@example.com",
        "Todo <todo@example.com>",
        "\"Todo, Inc.\" <a@b.c>",
    ] {
        let config = MailConfig {
            from: from.to_owned(),
            ..at(25)
        };
        assert!(MailService::of(&config).is_ok(), "{from}");
    }
    for from in [
        "",
        "todo",
        "todo@",
        "@example.com",
        "a@b.c\r\nBcc: eve@b.c",
        "T\n <a@b.c>",
    ] {
        let config = MailConfig {
            from: from.to_owned(),
            ..at(25)
        };
        assert_eq!(wrong(&config).len(), 1, "{from}");
    }
}
