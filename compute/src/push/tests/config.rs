//! What a config may say.

use super::*;

fn wrong(config: &PushConfig) -> Vec<String> {
    PushService::of(config).err().unwrap_or_default()
}

#[test]
fn a_key_and_a_contact_are_enough() {
    let text = format!(r#"{{"private_key":"{PRIVATE}","contact":"https://example.com"}}"#);
    let config: PushConfig = serde_json::from_str(&text).unwrap();
    assert_eq!((config.timeout_ms, config.private), (10_000, false));
    let service = PushService::of(&config).unwrap();
    assert_eq!(
        service.public_key(),
        VapidKeys::parse(PRIVATE).unwrap().public_key()
    );
    let shown = format!("{config:?}");
    assert!(!shown.contains(PRIVATE), "{shown}");
    assert!(!format!("{service:?}").contains(PRIVATE));
}

#[test]
fn everything_that_is_wrong_is_said_at_once() {
    let config = PushConfig {
        private_key: "short".to_owned(),
        contact: "ada".to_owned(),
        timeout_ms: 99,
        private: false,
        ports: vec![0],
    };
    let said = wrong(&config);
    assert_eq!(said.len(), 4, "{said:?}");
    assert!(said.iter().all(|why| why.starts_with("push: ")));
}

#[test]
fn numbers_are_within_their_limits() {
    let timeout = |timeout_ms| {
        wrong(&PushConfig {
            timeout_ms,
            ..config()
        })
        .is_empty()
    };
    assert!(timeout(100) && timeout(120_000));
    assert!(!timeout(99) && !timeout(120_001));
    let ports = |most: u16| {
        let ports = (1..=most).collect();
        wrong(&PushConfig { ports, ..config() }).is_empty()
    };
    assert!(ports(32) && !ports(33));
}

#[test]
fn a_config_that_names_something_else_is_refused() {
    let text = format!(r#"{{"private_key":"{PRIVATE}","contact":"https://a.b","key":1}}"#);
    assert!(serde_json::from_str::<PushConfig>(&text).is_err());
}
