//! What an endpoint of the config may be, and what is said of one that may not.

use super::*;
use crate::outgoing::guard::Reach;

fn wrong(members: Value) -> Vec<String> {
    match Webhooks::of(&one(members), POOL) {
        Ok(_) => Vec::new(),
        Err(wrong) => wrong,
    }
}

fn is_taken(members: Value) -> bool {
    wrong(members).is_empty()
}

/// Every way to write an address of this machine or network.
#[test]
fn no_spelling_of_a_private_address_is_public() {
    for host in [
        "127.0.0.1",
        "127.1",
        "127.0.1",
        "2130706433",
        "0x7f000001",
        "0x7f.0.0.1",
        "0x7F.1",
        "0177.0.0.1",
        "017700000001",
        "127.0.0.1.",
        "127.1.",
        "%31%32%37.0.0.1",
        "１２７.0.0.1",
        "127。0。0。1",
        "0",
        "0.0.0.0",
        "10.1",
        "0xa000001",
        "192.168.257",
        "169.254.169.254",
        "0xa9fea9fe",
        "2852039166",
        "0251.0376.0251.0376",
        "100.64.0.1",
        "172.16.1",
        "255.255.255.255",
        "4294967295",
        "localhost",
        "LocalHost",
        "localhost.",
        "a.localhost",
        "[::1]",
        "[::]",
        "[0:0:0:0:0:0:0:1]",
        "[::ffff:127.0.0.1]",
        "[::ffff:7f00:1]",
        "[::ffff:a9fe:a9fe]",
        "[::127.0.0.1]",
        "[64:ff9b::127.0.0.1]",
        "[2002:7f00:1::]",
        "[2001:0:1::1]",
        "[fe80::1]",
        "[fd00::1]",
        "[ff02::1]",
    ] {
        let said = wrong(json!({"url": format!("https://{host}/hook")}));
        assert_eq!(said.len(), 1, "{host}: {said:?}");
        assert!(said[0].contains("url: address_refused: "), "{said:?}");
    }
}

#[test]
fn what_is_no_address_is_none() {
    for url in [
        "",
        "hook",
        "/hook",
        "https://",
        "https:///",
        "https://256.0.0.1/",
        "https://1.2.3.4.5/",
        "https://0x100000000/",
        "https://[::1",
        "https://[fe80::1%25eth0]/",
        "https://a b/",
        "mailto:ada@example.com",
    ] {
        let said = wrong(json!({"url": url}));
        assert!(said.concat().contains("url: "), "{url}: {said:?}");
    }
}

#[test]
fn public_addresses_are_taken() {
    for url in [
        "https://example.com",
        "https://example.com:443/hook?token=1",
        "https://example.com:80/hook",
        "https://ada:hunter2@example.com/hook",
        "https://8.8.8.8/hook",
        "https://[2606:4700:4700::1111]/hook",
        "https://localhost.example.com/",
    ] {
        assert!(is_taken(json!({"url": url})), "{url}");
    }
}

#[test]
fn a_server_of_the_cluster_may_be_anywhere_in_it() {
    for url in [
        "http://127.0.0.1:8080/hook",
        "http://localhost:1/",
        "https://10.0.0.1:8443/",
        "http://[fd00::1]:9/",
        "http://llm.internal/",
    ] {
        assert!(is_taken(json!({"url": url, "private": true})), "{url}");
        assert!(!is_taken(json!({"url": url})), "{url}");
    }
    for url in [
        "http://169.254.169.254/",
        "http://[fe80::1]/",
        "http://0.0.0.0/",
        "http://10.0.0.1:0/",
        "ftp://10.0.0.1/",
    ] {
        assert!(!is_taken(json!({"url": url, "private": true})), "{url}");
    }
}

#[test]
fn other_ports_are_to_be_named() {
    let at = |url: &str, ports: &[u16]| is_taken(json!({"url": url, "ports": ports}));
    assert!(!at("https://example.com:8443/", &[]));
    assert!(!at("https://example.com:22/", &[8443]));
    assert!(at("https://example.com:8443/", &[22, 8443]));
    assert!(at("https://example.com/", &[8443]));
    assert!(!at("https://example.com/", &[0]));
    let most: Vec<u16> = (1..=32).collect();
    assert!(at("https://example.com/", &most));
    let more: Vec<u16> = (1..=33).collect();
    assert!(!at("https://example.com/", &more));
}

#[test]
fn numbers_are_within_their_limits() {
    for (name, least, most) in [
        ("timeout_ms", 100, 120_000),
        ("reply_bytes_max", 1, 10 << 20),
    ] {
        assert!(is_taken(json!({name: least})) && is_taken(json!({name: most})));
        assert!(!is_taken(json!({name: least - 1})), "{name}");
        assert!(!is_taken(json!({name: most + 1})), "{name}");
    }
    let url = |bytes: usize| {
        let begins = "https://example.com/";
        json!({"url": format!("{begins}{}", "x".repeat(bytes - begins.len()))})
    };
    assert!(is_taken(url(URL_BYTES_MAX)) && !is_taken(url(URL_BYTES_MAX + 1)));
}

#[test]
fn a_secret_is_32_bytes_and_not_one_less() {
    for name in ["secret", "old_secret"] {
        assert!(is_taken(json!({name: "x".repeat(32)})));
        assert!(!is_taken(json!({name: "x".repeat(31)})), "{name}");
        assert!(is_taken(json!({name: "x".repeat(1_024)})));
        assert!(!is_taken(json!({name: "x".repeat(1_025)})), "{name}");
        let encoded = |bytes: usize| format!("whsec_{}", base64(bytes));
        assert!(is_taken(json!({name: encoded(32)})));
        assert!(!is_taken(json!({name: encoded(31)})), "{name}");
        let said = wrong(json!({name: format!("whsec_{}", "!".repeat(64))}));
        let expected = format!("webhook \"llm\": {name}: what follows whsec_ is no base64");
        assert_eq!(said, [expected]);
    }
}

fn base64(bytes: usize) -> String {
    use ::base64::Engine;
    ::base64::engine::general_purpose::STANDARD.encode(vec![7; bytes])
}

#[test]
fn everything_that_is_wrong_is_said_at_once() {
    let mut configs = one(json!({
        "url": "http://127.0.0.1:22/", "secret": "short", "timeout_ms": 1, "reply_bytes_max": 0,
    }));
    configs.insert("n".repeat(65), config(json!({})));
    let said = Webhooks::of(&configs, POOL).unwrap_err();
    assert_eq!(said.len(), 7, "{said:?}");
    assert!(
        !format!("{said:?} {configs:?}").contains("short"),
        "{said:?}"
    );
}

#[test]
fn names_and_their_number_have_limits() {
    let named = |name: String| {
        let one = BTreeMap::from([(name, config(json!({})))]);
        Webhooks::of(&one, POOL).is_ok()
    };
    assert!(named("n".repeat(64)) && !named("n".repeat(65)));
    assert!(!named(String::new()) && !named("a\n".to_owned()));
    let private = || config(json!({"url": "http://llm/", "private": true}));
    let many = |n: usize| (0..n).map(|n| (n.to_string(), private())).collect();
    let said = Webhooks::of(&many(WEBHOOKS_MAX + 1), POOL).unwrap_err();
    assert_eq!(said, ["webhooks: there are more than 1000"]);
}

/// Each would hold connections, and the machine's root certificates, of its own.
#[test]
fn many_endpoints_share_a_client_for_each_reach() {
    let clients = |members: &[Value]| {
        let all = members.iter().enumerate();
        let all = all.map(|(n, members)| (n.to_string(), config(members.clone())));
        let checked = crate::webhook::config::check(&all.collect(), &mut Vec::new());
        assert_eq!(checked.len(), members.len());
        let system: Arc<dyn Names> = Arc::new(System);
        let clients = Clients::of(&checked, &system).unwrap();
        let has = |reach| clients.of_reach(reach).is_some();
        (has(Reach::Public), has(Reach::Cluster))
    };
    let public = json!({});
    let plain = json!({"url": "http://llm/", "private": true});
    let private = json!({"url": "https://llm/", "private": true});
    assert_eq!(clients(&[]), (false, false));
    assert_eq!(clients(&[public.clone(), public.clone()]), (true, false));
    assert_eq!(clients(&[plain.clone(), private]), (false, true));
    assert_eq!(clients(&[plain, public]), (true, true));
}

#[test]
fn an_endpoint_is_known_by_its_name() {
    let webhooks = Webhooks::of(&one(json!({})), POOL).unwrap();
    assert!(webhooks.has("llm") && !webhooks.has("LLM"));
    assert_eq!(format!("{webhooks:?}"), "{\"llm\"}");
}

#[test]
fn what_a_job_is_told_names_an_endpoint_and_holds_nothing_unknown() {
    let check = |args: Value| check_args(&args, |name| name == "llm");
    for args in [
        json!({"to": "llm"}),
        json!({"to": "llm", "data": null}),
        json!({"to": "llm", "data": {"to": 1, "url": 2}}),
    ] {
        assert_eq!(check(args.clone()), Ok(()), "{args}");
    }
    for (args, why) in [
        (json!(null), "name the endpoint"),
        (json!("llm"), "name the endpoint"),
        (json!([{"to": "llm"}]), "name the endpoint"),
        (json!({"data": 1}), "name the endpoint"),
        (json!({"to": 7}), "name the endpoint"),
        (json!({"to": "other"}), "there is no [webhooks.other]"),
        (
            json!({"to": "llm", "text": "x"}),
            "`to` and `data`, not \"text\"",
        ),
        (json!({"to": "llm", "Data": "x"}), "not \"Data\""),
    ] {
        let said = check(args.clone()).unwrap_err();
        assert!(said.starts_with("args: ") && said.contains(why), "{said}");
    }
}

#[test]
fn a_config_that_names_something_else_is_refused() {
    for members in [
        json!({"url": "https://example.com", "secret": SECRET, "urls": []}),
        json!({"url": "https://example.com"}),
        json!({"secret": SECRET}),
        json!({"url": "https://example.com", "secret": SECRET, "timeout_ms": -1}),
        json!({"url": "https://example.com", "secret": SECRET, "ports": [65_536]}),
    ] {
        assert!(
            serde_json::from_value::<WebhookConfig>(members.clone()).is_err(),
            "{members}"
        );
    }
}
