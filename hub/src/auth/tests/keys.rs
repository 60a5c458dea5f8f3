//! Which published keys are used.

use serde_json::Value;

use super::*;

fn usable(keys: &[Value]) -> usize {
    let jwks = json!({ "keys": keys }).to_string();
    KeySet::parse(jwks.as_bytes()).unwrap().len()
}

fn with(jwk: &Value, field: &str, value: &str) -> Value {
    let mut jwk = jwk.clone();
    jwk[field] = json!(value);
    jwk
}

fn of_operations(jwk: &Value, operations: Value) -> Value {
    let mut jwk = jwk.clone();
    jwk["key_ops"] = operations;
    jwk
}

#[test]
fn keys_of_every_kind_taken_are_used() {
    let kinds = [Kind::Ed, Kind::Ec, Kind::Rsa];
    let keys = kinds.map(|kind| Signer::new(kind, "k").jwk);
    assert_eq!(usable(&keys), 3);
    for key in &keys {
        assert_eq!(usable(&[with(key, "use", "sig")]), 1);
        for operations in [json!(["verify"]), json!(["sign", "verify"]), json!(null)] {
            assert_eq!(usable(&[of_operations(key, operations)]), 1);
        }
    }
}

#[test]
fn unusable_keys_are_left_out_and_spoil_nothing() {
    let good = Signer::ed("k").jwk;
    let ec = Signer::new(Kind::Ec, "k").jwk;
    let rsa = Signer::new(Kind::Rsa, "k").jwk;
    let short = &rsa["n"].as_str().unwrap()[..170];
    let bad = [
        with(&good, "use", "enc"),
        of_operations(&good, json!(["sign"])),
        of_operations(&good, json!([])),
        of_operations(&good, json!("verify")),
        json!([
            "OKP",
            "Ed25519",
            "k",
            "EdDSA",
            "sig",
            good["x"],
            null,
            null,
            null,
            ["verify"]
        ]),
        with(&good, "alg", "ES256"),
        with(&good, "crv", "X25519"),
        with(&good, "kty", "EC"),
        with(&good, "x", "AAAA"),
        with(&good, "x", "not base64!"),
        with(&ec, "crv", "P-384"),
        with(&ec, "y", "AAAA"),
        with(&rsa, "alg", "PS256"),
        with(&rsa, "n", short),
        json!({"kty": "oct", "k": "c2VjcmV0", "kid": "k", "alg": "HS256"}),
        json!({"kty": 7}),
        json!("x"),
        json!(null),
    ];
    for key in &bad {
        assert_eq!(usable(std::slice::from_ref(key)), 0, "{key}");
        assert_eq!(usable(&[key.clone(), good.clone()]), 1, "{key}");
    }
}

#[test]
fn list_is_no_jwks() {
    let list = json!([[Signer::ed("k").jwk]]).to_string();
    assert!(KeySet::parse(list.as_bytes()).is_err());
}

#[test]
fn keys_past_the_limit_are_not_taken() {
    let key = Signer::ed("k").jwk;
    assert_eq!(usable(&vec![key.clone(); 64]), 64);
    assert_eq!(usable(&vec![key; 65]), 64);
}

#[test]
fn fully_specified_algorithm_name_of_ed25519_is_known() {
    let key = with(&Signer::ed("k").jwk, "alg", "Ed25519");
    assert_eq!(usable(&[key]), 1);
}
