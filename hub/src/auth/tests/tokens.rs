//! Which tokens are taken.

use aws_lc_rs::hmac;
use jsonwebtoken::{EncodingKey, Header, encode};

use super::*;

#[tokio::test]
async fn good_token_speaks_for_its_sub_until_exp() {
    let key = Signer::ed("k1");
    let issuer = TestIssuer::with(&[&key]).await;
    let identity = verifier(&issuer.url)
        .verify(&key.token("ada"), NOW_MS)
        .await;
    let Identity {
        user,
        expires_at_ms,
        ..
    } = identity.unwrap();
    assert_eq!(user.as_str(), "ada");
    assert_eq!(expires_at_ms, NOW_MS + 3_600_000);
}

#[tokio::test]
async fn every_allowed_algorithm_verifies() {
    let keys = [
        Signer::ed("ed"),
        Signer::new(Kind::Ec, "ec"),
        Signer::new(Kind::Rsa, "rsa"),
    ];
    let issuer = TestIssuer::with(&[&keys[0], &keys[1], &keys[2]]).await;
    let config = AuthConfig {
        algorithms: vec![Algorithm::EdDsa, Algorithm::Es256, Algorithm::Rs256],
        ..AuthConfig::default()
    };
    let verifier = verifier_with(&issuer.url, &config);
    for key in &keys {
        assert!(verifier.verify(&key.token("ada"), NOW_MS).await.is_ok());
    }
    assert_eq!(issuer.fetches(), 1);
}

#[tokio::test]
async fn algorithm_not_in_the_config_is_refused_although_the_key_is_published() {
    let (ec, rsa) = (Signer::new(Kind::Ec, "ec"), Signer::new(Kind::Rsa, "rsa"));
    let issuer = TestIssuer::with(&[&ec, &rsa]).await;
    let verifier = verifier(&issuer.url);
    for key in [ec, rsa] {
        let code = code(&verifier, &key.token("ada"), NOW_MS).await;
        assert_eq!(code, Code::TokenInvalid);
    }
    assert_eq!(issuer.fetches(), 0, "refused before any key is asked for");
}

#[tokio::test]
async fn public_key_is_no_hmac_secret() {
    let key = Signer::ed("k1");
    let issuer = TestIssuer::with(&[&key]).await;
    let verifier = verifier(&issuer.url);
    let public = key.jwk["x"].as_str().unwrap();
    let secrets = [
        EncodingKey::from_secret(public.as_bytes()),
        EncodingKey::from_urlsafe_base64_secret(&format!("{public}=")).unwrap(),
    ];
    for secret in secrets {
        let mut header = Header::new(jsonwebtoken::Algorithm::HS256);
        header.kid = Some("k1".into());
        let claims = json!({ "sub": "ada", "exp": NOW_S + 60 });
        let forged = encode(&header, &claims, &secret).unwrap();
        assert_eq!(code(&verifier, &forged, NOW_MS).await, Code::TokenInvalid);
    }
}

#[tokio::test]
async fn hmac_under_an_eddsa_header_is_refused() {
    let key = Signer::ed("k1");
    let issuer = TestIssuer::with(&[&key]).await;
    let token = key.token("ada");
    let (signed, _) = token.rsplit_once('.').unwrap();
    let secret = hmac::Key::new(hmac::HMAC_SHA256, key.jwk["x"].as_str().unwrap().as_bytes());
    let tag = hmac::sign(&secret, signed.as_bytes());
    let forged = format!("{signed}.{}", base64url(tag.as_ref()));
    assert_eq!(
        code(&verifier(&issuer.url), &forged, NOW_MS).await,
        Code::TokenInvalid
    );
}

#[tokio::test]
async fn unsigned_token_is_refused() {
    let key = Signer::ed("k1");
    let issuer = TestIssuer::with(&[&key]).await;
    let verifier = verifier(&issuer.url);
    let claims = base64url(format!(r#"{{"sub":"ada","exp":{}}}"#, NOW_S + 60).as_bytes());
    for header in [
        r#"{"alg":"none","kid":"k1"}"#,
        r#"{"alg":"None","kid":"k1"}"#,
        r#"{"kid":"k1"}"#,
        r#"{"alg":"EdDSA","kid":"k1"}"#,
    ] {
        let forged = format!("{}.{claims}.", base64url(header.as_bytes()));
        assert_eq!(
            code(&verifier, &forged, NOW_MS).await,
            Code::TokenInvalid,
            "{header}"
        );
    }
}

#[tokio::test]
async fn key_of_another_algorithm_is_refused_without_a_fetch() {
    let (ed, ec) = (Signer::ed("k1"), Signer::new(Kind::Ec, "k2"));
    let issuer = TestIssuer::with(&[&ed, &ec]).await;
    let config = AuthConfig {
        algorithms: vec![Algorithm::EdDsa, Algorithm::Es256],
        ..AuthConfig::default()
    };
    let verifier = verifier_with(&issuer.url, &config);
    let mixed = ed.token_under("k2");
    assert_eq!(code(&verifier, &mixed, NOW_MS).await, Code::TokenInvalid);
    assert_eq!(code(&verifier, &mixed, LATER_MS).await, Code::TokenInvalid);
    assert_eq!(issuer.fetches(), 1);
}

#[tokio::test]
async fn other_key_under_a_known_name_is_refused() {
    let key = Signer::ed("k1");
    let issuer = TestIssuer::with(&[&key]).await;
    let forged = Signer::ed("k1").token("ada");
    let code = code(&verifier(&issuer.url), &forged, NOW_MS).await;
    assert_eq!(code, Code::TokenInvalid);
}

#[tokio::test]
async fn changed_token_is_refused() {
    let key = Signer::ed("k1");
    let issuer = TestIssuer::with(&[&key]).await;
    let verifier = verifier(&issuer.url);
    let token = key.token("ada");
    assert!(verifier.verify(&token, NOW_MS).await.is_ok());
    let [header, _, signature] = token.split('.').collect::<Vec<_>>()[..] else {
        panic!("a token has three parts");
    };
    let eve = base64url(format!(r#"{{"sub":"eve","exp":{}}}"#, NOW_S + 60).as_bytes());
    let long = format!("{header}.{}.{signature}", "x".repeat(20 << 10));
    for changed in [
        format!("{header}.{eve}.{signature}"),
        format!("{token}x"),
        format!("{token}.x"),
        token[1..].to_owned(),
        long,
        String::new(),
        "..".to_owned(),
        "héé.é.é".to_owned(),
    ] {
        assert_eq!(
            code(&verifier, &changed, NOW_MS).await,
            Code::TokenInvalid,
            "{changed}"
        );
    }
}

#[tokio::test]
async fn critical_extension_is_refused() {
    let mut key = Signer::ed("k1");
    let issuer = TestIssuer::with(&[&key]).await;
    key.header.crit = Some(vec!["b64".into()]);
    let code = code(&verifier(&issuer.url), &key.token("ada"), NOW_MS).await;
    assert_eq!(code, Code::TokenInvalid);
}

#[tokio::test]
async fn signed_but_wrong_claims_are_refused() {
    let key = Signer::ed("k1");
    let issuer = TestIssuer::with(&[&key]).await;
    let verifier = verifier(&issuer.url);
    let hour = NOW_S + 3_600;
    let signed = |claims: serde_json::Value| key.sign(&claims);
    for (token, expected) in [
        (
            signed(json!({"sub": "ada", "exp": NOW_S})),
            Code::TokenExpired,
        ),
        (
            signed(json!({"sub": "ada", "exp": NOW_S - 1})),
            Code::TokenExpired,
        ),
        (
            signed(json!({"sub": "ada", "exp": hour.to_string()})),
            Code::TokenInvalid,
        ),
        (signed(json!({"sub": "ada"})), Code::TokenInvalid),
        (
            signed(json!(["ada", hour, null, null, null])),
            Code::TokenInvalid,
        ),
        (signed(json!({"exp": hour})), Code::TokenInvalid),
        (
            signed(json!({"sub": "@hub", "exp": hour})),
            Code::TokenInvalid,
        ),
        (
            signed(json!({"sub": "ada", "exp": hour, "nbf": NOW_S + 31})),
            Code::TokenInvalid,
        ),
    ] {
        assert_eq!(code(&verifier, &token, NOW_MS).await, expected, "{token}");
    }
    assert_eq!(
        verifier.cached_tokens(),
        0,
        "what is refused is not remembered"
    );
}

#[tokio::test]
async fn remembered_token_expires_on_time() {
    let key = Signer::ed("k1");
    let issuer = TestIssuer::with(&[&key]).await;
    let verifier = verifier(&issuer.url);
    let token = key.sign(&json!({"sub": "ada", "exp": NOW_S + 1}));
    assert!(verifier.verify(&token, NOW_MS).await.is_ok());
    assert!(verifier.verify(&token, NOW_MS + 999).await.is_ok());
    assert_eq!(verifier.cached_tokens(), 1);
    assert_eq!(
        code(&verifier, &token, NOW_MS + 1_000).await,
        Code::TokenExpired
    );
    assert_eq!(verifier.cached_tokens(), 0);
}

#[tokio::test]
async fn token_without_kid_needs_a_single_key() {
    let (mut one, other) = (Signer::ed("k1"), Signer::ed("k2"));
    let issuer = TestIssuer::with(&[&one]).await;
    one.header.kid = None;
    let verifier = verifier(&issuer.url);
    assert!(verifier.verify(&one.token("ada"), NOW_MS).await.is_ok());
    issuer.publish(&[&one, &other]);
    assert!(verifier.refresh(NOW_MS).await);
    assert_eq!(
        code(&verifier, &one.token("bob"), NOW_MS).await,
        Code::TokenInvalid
    );
}

#[tokio::test]
async fn refusals_are_counted_by_code() {
    let key = Signer::ed("k1");
    let issuer = TestIssuer::with(&[&key]).await;
    let metrics = Arc::new(Metrics::new());
    let jwks = JwksSource::new(issuer.url.parse().unwrap(), Duration::from_secs(5)).unwrap();
    let keys = KeySource::Jwks(jwks);
    let verifier = Verifier::new(&AuthConfig::default(), keys, metrics.clone());
    code(&verifier, "x", NOW_MS).await;
    code(
        &verifier,
        &key.sign(&json!({"sub": "ada", "exp": 1})),
        NOW_MS,
    )
    .await;
    assert_eq!(metrics.auth_failures.get(AuthFailure::TokenInvalid), 1);
    assert_eq!(metrics.auth_failures.get(AuthFailure::TokenExpired), 1);
}

#[tokio::test]
async fn development_tokens_verify_beside_the_issuers() {
    let dir = tempfile::tempdir().unwrap();
    let key = Signer::ed("k1");
    let issuer = TestIssuer::with(&[&key]).await;
    let config = AuthConfig {
        audience: Some("hub".into()),
        issuer: Some("us".into()),
        ..AuthConfig::default()
    };
    let dev = DevIssuer::open(dir.path(), &config).unwrap();
    let jwks = JwksSource::new(issuer.url.parse().unwrap(), Duration::from_secs(5)).unwrap();
    let keys = KeySource::Both(dev.keys(), jwks);
    let verifier = Verifier::new(&config, keys, Arc::new(Metrics::new()));
    let token = dev.token("ada", 60, NOW_MS).unwrap();
    let identity = verifier.verify(&token, NOW_MS).await.unwrap();
    assert_eq!(identity.user.as_str(), "ada");
    assert_eq!(identity.expires_at_ms, NOW_MS + 60_000);
    assert_eq!(issuer.fetches(), 0);
    let claims = json!({"sub": "bob", "exp": NOW_S + 60, "iss": "us", "aud": ["hub"]});
    assert!(verifier.verify(&key.sign(&claims), NOW_MS).await.is_ok());
}

#[tokio::test]
async fn development_tokens_of_before_a_restart_verify() {
    let dir = tempfile::tempdir().unwrap();
    let config = AuthConfig::default();
    let before = DevIssuer::open(dir.path(), &config).unwrap();
    let token = before.token("ada", 60, NOW_MS).unwrap();
    let after = DevIssuer::open(dir.path(), &config).unwrap();
    let keys = KeySource::Dev(after.keys());
    let verifier = Verifier::new(&config, keys, Arc::new(Metrics::new()));
    assert!(verifier.verify(&token, NOW_MS).await.is_ok());
    assert!(verifier.refresh(NOW_MS).await);
    let stranger = Signer::ed("k1").token("ada");
    assert_eq!(code(&verifier, &stranger, NOW_MS).await, Code::TokenInvalid);
}

/// RFC 4648 §5 without padding.
fn base64url(bytes: &[u8]) -> String {
    const DIGITS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let mut out = String::new();
    for three in bytes.chunks(3) {
        let bits = three
            .iter()
            .fold(0, |bits, byte| bits << 8 | u32::from(*byte));
        let bits = bits << (8 * (3 - three.len()));
        for digit in 0..=three.len() {
            out.push(char::from(DIGITS[(bits >> (18 - 6 * digit)) as usize & 63]));
        }
    }
    out
}
