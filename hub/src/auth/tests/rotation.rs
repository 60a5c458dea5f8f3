//! Keys that come and go, and an issuer that is not always there.

use axum::http::StatusCode;

use super::*;

#[tokio::test]
async fn keys_are_fetched_once_for_many_tokens() {
    let key = Signer::ed("k1");
    let issuer = TestIssuer::with(&[&key]).await;
    let verifier = verifier(&issuer.url);
    for user in ["ada", "bob", "ada"] {
        assert!(verifier.verify(&key.token(user), NOW_MS).await.is_ok());
    }
    assert_eq!(issuer.fetches(), 1);
    assert_eq!(verifier.cached_tokens(), 2);
}

#[tokio::test]
async fn new_key_is_found_but_not_asked_for_more_than_every_30_s() {
    let keys = ["k1", "k2", "k3"].map(Signer::ed);
    let [first, second, third] = keys.each_ref();
    let issuer = TestIssuer::with(&[first]).await;
    let verifier = verifier(&issuer.url);
    assert!(verifier.verify(&first.token("ada"), NOW_MS).await.is_ok());
    issuer.publish(&[first, second]);
    assert!(verifier.verify(&second.token("ada"), NOW_MS).await.is_ok());
    assert_eq!(issuer.fetches(), 2);
    issuer.publish(&[second, third]);
    let token = third.token("ada");
    let early = code(&verifier, &token, LATER_MS - 1).await;
    assert_eq!((early, issuer.fetches()), (Code::IssuerUnavailable, 2));
    assert!(verifier.verify(&token, LATER_MS).await.is_ok());
    assert_eq!(issuer.fetches(), 3);
}

#[tokio::test]
async fn hundred_unknown_keys_at_once_make_one_fetch() {
    let key = Signer::ed("k1");
    let issuer = TestIssuer::with(&[&key]).await;
    let verifier = verifier(&issuer.url);
    assert!(verifier.refresh(NOW_MS).await);
    let tokens: Vec<_> = (0..100)
        .map(|n| key.token_under(&format!("x{n}")))
        .collect();
    let asked = tokens.iter().map(|token| code(&verifier, token, NOW_MS));
    let codes = join_all(asked).await;
    assert!(codes.iter().all(|code| *code == Code::TokenInvalid));
    assert_eq!(issuer.fetches(), 2);
    for token in &tokens {
        let early = code(&verifier, token, LATER_MS - 1).await;
        assert_eq!(early, Code::IssuerUnavailable);
        assert_eq!(early.retry(), Retry::After);
    }
    assert_eq!(issuer.fetches(), 2);
    let late = code(&verifier, &tokens[0], LATER_MS).await;
    assert_eq!((late, issuer.fetches()), (Code::TokenInvalid, 3));
}

#[tokio::test]
async fn key_published_behind_a_strangers_token_is_only_a_matter_of_time() {
    let (old, new) = (Signer::ed("k1"), Signer::ed("k2"));
    let issuer = TestIssuer::with(&[&old]).await;
    let verifier = verifier(&issuer.url);
    assert!(verifier.refresh(NOW_MS).await);
    // Nothing is asked of the issuer for the next 30 seconds.
    let unsigned = Signer::ed("x").token("eve");
    assert_eq!(code(&verifier, &unsigned, NOW_MS).await, Code::TokenInvalid);
    issuer.publish(&[&old, &new]);
    let token = new.token("ada");
    let early = code(&verifier, &token, NOW_MS + 1).await;
    assert_eq!(early, Code::IssuerUnavailable);
    assert!(verifier.verify(&token, LATER_MS).await.is_ok());
}

#[tokio::test]
async fn key_replaced_under_the_same_name_is_found_by_its_signature() {
    let (mut old, mut new) = (Signer::ed("k1"), Signer::ed("k1"));
    for is_named in [true, false] {
        if !is_named {
            (old.header.kid, new.header.kid) = (None, None);
        }
        let issuer = TestIssuer::with(&[&old]).await;
        let verifier = verifier(&issuer.url);
        assert!(verifier.verify(&old.token("ada"), NOW_MS).await.is_ok());
        issuer.publish(&[&new]);
        assert!(verifier.verify(&new.token("bob"), NOW_MS).await.is_ok());
        assert_eq!(issuer.fetches(), 2);
        let gone = code(&verifier, &old.token("ada"), NOW_MS).await;
        assert_eq!((gone, issuer.fetches()), (Code::TokenInvalid, 2));
    }
}

#[tokio::test]
async fn bad_signatures_ask_at_most_every_30_s_and_hold_up_no_new_key() {
    let (key, new) = (Signer::ed("k1"), Signer::ed("k2"));
    let issuer = TestIssuer::with(&[&key]).await;
    let verifier = verifier(&issuer.url);
    assert!(verifier.refresh(NOW_MS).await);
    let forged: Vec<_> = (0..100).map(|_| Signer::ed("k1").token("ada")).collect();
    for token in &forged {
        assert_eq!(code(&verifier, token, NOW_MS).await, Code::TokenInvalid);
    }
    assert_eq!(issuer.fetches(), 2);
    issuer.publish(&[&key, &new]);
    assert!(verifier.verify(&new.token("ada"), NOW_MS).await.is_ok());
    assert_eq!(issuer.fetches(), 3);
    code(&verifier, &forged[0], LATER_MS - 1).await;
    assert_eq!(issuer.fetches(), 3);
    code(&verifier, &forged[0], LATER_MS).await;
    assert_eq!(issuer.fetches(), 4);
}

#[tokio::test]
async fn key_that_comes_back_has_another_number() {
    let (key, other) = (Signer::ed("k1"), Signer::ed("k2"));
    let issuer = TestIssuer::with(&[&key, &other]).await;
    let verifier = verifier(&issuer.url);
    let (lost, kept) = (key.token("ada"), other.token("ada"));
    let lost = verifier.verify(&lost, NOW_MS).await.unwrap().key;
    let kept = verifier.verify(&kept, NOW_MS).await.unwrap().key;
    assert_ne!(lost, kept);
    issuer.publish(&[&other]);
    assert!(verifier.refresh(NOW_MS).await);
    assert_eq!((verifier.holds(lost), verifier.holds(kept)), (false, true));
    issuer.publish(&[&key, &other]);
    assert!(verifier.refresh(NOW_MS).await);
    assert_eq!((verifier.holds(lost), verifier.holds(kept)), (false, true));
    let again = verifier.verify(&key.token("ada"), NOW_MS).await.unwrap();
    assert!(verifier.holds(again.key));
}

#[tokio::test]
async fn hundred_first_tokens_share_the_first_fetch() {
    let key = Signer::ed("k1");
    let issuer = TestIssuer::with(&[&key]).await;
    let verifier = verifier(&issuer.url);
    let tokens: Vec<_> = (0..100).map(|n| key.token(&format!("u{n}"))).collect();
    let verified = join_all(tokens.iter().map(|token| verifier.verify(token, NOW_MS))).await;
    assert!(verified.iter().all(Result::is_ok));
    assert_eq!(issuer.fetches(), 1);
}

#[tokio::test]
async fn clock_set_back_does_not_stop_fetches() {
    let (old, new) = (Signer::ed("k1"), Signer::ed("k2"));
    let issuer = TestIssuer::with(&[&old]).await;
    let verifier = verifier(&issuer.url);
    assert!(verifier.refresh(NOW_MS).await);
    let unknown = Signer::ed("k3").token("ada");
    assert_eq!(code(&verifier, &unknown, NOW_MS).await, Code::TokenInvalid);
    issuer.publish(&[&new]);
    let token = new.token("ada");
    assert!(verifier.verify(&token, NOW_MS - 86_400_000).await.is_ok());
}

#[tokio::test]
async fn stale_keys_serve_while_the_issuer_is_down() {
    let key = Signer::ed("k1");
    let issuer = TestIssuer::with(&[&key]).await;
    let verifier = verifier(&issuer.url);
    assert!(verifier.verify(&key.token("ada"), NOW_MS).await.is_ok());
    issuer.say(Answer::Status(StatusCode::INTERNAL_SERVER_ERROR));
    assert!(!verifier.refresh(LATER_MS).await);
    assert!(verifier.verify(&key.token("ada"), LATER_MS).await.is_ok());
    assert!(verifier.verify(&key.token("bob"), LATER_MS).await.is_ok());
    let unknown = Signer::ed("k2").token("ada");
    assert_eq!(
        code(&verifier, &unknown, LATER_MS).await,
        Code::IssuerUnavailable,
        "the issuer might know it"
    );
}

#[tokio::test]
async fn answers_that_are_no_jwks_change_nothing() {
    let key = Signer::ed("k1");
    let issuer = TestIssuer::with(&[&key]).await;
    let elsewhere = TestIssuer::with(&[&Signer::ed("k9")]).await;
    let verifier = verifier(&issuer.url);
    assert!(verifier.refresh(NOW_MS).await);
    let long = format!(r#"{{"keys":[],"x":"{}"}}"#, "x".repeat(256 << 10));
    for answer in [
        Answer::Body("<html>".into()),
        Answer::Body("{}".into()),
        Answer::Body(long),
        Answer::Status(StatusCode::NO_CONTENT),
        Answer::RedirectTo(elsewhere.url.clone()),
    ] {
        issuer.say(answer);
        assert!(!verifier.refresh(NOW_MS).await);
        assert!(verifier.verify(&key.token("ada"), NOW_MS).await.is_ok());
    }
    assert_eq!(elsewhere.fetches(), 0, "redirects are not followed");
}

#[tokio::test]
async fn without_any_key_the_issuer_is_unavailable_until_it_comes() {
    let key = Signer::ed("k1");
    let issuer = TestIssuer::with(&[&key]).await;
    issuer.say(Answer::Status(StatusCode::BAD_GATEWAY));
    let verifier = verifier(&issuer.url);
    let token = key.token("ada");
    assert_eq!(
        code(&verifier, &token, NOW_MS).await,
        Code::IssuerUnavailable
    );
    issuer.publish(&[&key]);
    assert_eq!(
        code(&verifier, &token, NOW_MS + 1_999).await,
        Code::IssuerUnavailable
    );
    assert_eq!(issuer.fetches(), 1);
    assert!(verifier.verify(&token, NOW_MS + 2_000).await.is_ok());
}

#[tokio::test]
async fn issuer_that_refuses_connections_is_unavailable() {
    let taken = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/jwks", taken.local_addr().unwrap());
    drop(taken);
    let code = code(&verifier(&url), &Signer::ed("k1").token("ada"), NOW_MS).await;
    assert_eq!(code, Code::IssuerUnavailable);
}

#[tokio::test]
async fn removed_key_is_worth_nothing_after_a_refresh() {
    let (old, new) = (Signer::ed("k1"), Signer::ed("k2"));
    let issuer = TestIssuer::with(&[&old, &new]).await;
    let verifier = verifier(&issuer.url);
    let (lost, kept) = (old.token("ada"), new.token("ada"));
    assert!(verifier.verify(&lost, NOW_MS).await.is_ok());
    assert!(verifier.verify(&kept, NOW_MS).await.is_ok());
    assert_eq!(verifier.cached_tokens(), 2);
    issuer.publish(&[&new]);
    assert!(verifier.verify(&lost, NOW_MS).await.is_ok(), "not read yet");
    assert!(verifier.refresh(NOW_MS).await);
    assert_eq!(code(&verifier, &lost, NOW_MS).await, Code::TokenInvalid);
    assert_eq!(verifier.cached_tokens(), 1);
    assert!(verifier.verify(&kept, NOW_MS).await.is_ok());
}

/// A thousand devices come back with tokens of a key that was removed: each learns at once that it
/// needs another one, though the issuer is asked for the first alone.
#[tokio::test]
async fn removed_key_is_known_to_be_removed_though_the_issuer_was_just_asked() {
    let (old, new) = (Signer::ed("k1"), Signer::ed("k2"));
    let issuer = TestIssuer::with(&[&old, &new]).await;
    let verifier = verifier(&issuer.url);
    assert!(verifier.refresh(NOW_MS).await);
    issuer.publish(&[&new]);
    assert!(verifier.refresh(NOW_MS).await);
    for user in ["ada", "bob", "eve"] {
        let refused = code(&verifier, &old.token(user), NOW_MS).await;
        assert_eq!(refused, Code::TokenInvalid, "{user}");
    }
    // Also while the issuer is away, and after the next set.
    issuer.say(Answer::Status(StatusCode::BAD_GATEWAY));
    let away = code(&verifier, &old.token("ada"), LATER_MS).await;
    assert_eq!(away, Code::TokenInvalid);
    issuer.publish(&[&new]);
    assert!(verifier.refresh(LATER_MS).await);
    let refused = code(&verifier, &old.token("bob"), LATER_MS).await;
    assert_eq!(refused, Code::TokenInvalid);
    // One that comes back is the issuer's again.
    issuer.publish(&[&old, &new]);
    assert!(verifier.refresh(LATER_MS).await);
    assert!(verifier.verify(&old.token("ada"), LATER_MS).await.is_ok());
}

#[tokio::test]
async fn what_would_be_refused_whoever_signed_it_asks_the_issuer_for_nothing() {
    let key = Signer::ed("k1");
    let issuer = TestIssuer::with(&[&key]).await;
    let verifier = verifier(&issuer.url);
    assert!(verifier.refresh(NOW_MS).await);
    let stranger = Signer::ed("x");
    let expired = stranger.sign(&json!({"sub": "ada", "exp": NOW_S}));
    assert_eq!(code(&verifier, &expired, NOW_MS).await, Code::TokenExpired);
    let nobody = stranger.sign(&json!({"exp": NOW_S + 1}));
    assert_eq!(code(&verifier, &nobody, NOW_MS).await, Code::TokenInvalid);
    assert_eq!(issuer.fetches(), 1);
}

#[tokio::test]
async fn key_replaced_under_the_same_name_drops_its_tokens() {
    let (old, new) = (Signer::ed("k1"), Signer::ed("k1"));
    let issuer = TestIssuer::with(&[&old]).await;
    let verifier = verifier(&issuer.url);
    let token = old.token("ada");
    assert!(verifier.verify(&token, NOW_MS).await.is_ok());
    issuer.publish(&[&new]);
    assert!(verifier.refresh(NOW_MS).await);
    assert_eq!(code(&verifier, &token, NOW_MS).await, Code::TokenInvalid);
}

#[tokio::test]
async fn issuer_that_revokes_everything_is_obeyed() {
    let key = Signer::ed("k1");
    let issuer = TestIssuer::with(&[&key]).await;
    let verifier = verifier(&issuer.url);
    let token = key.token("ada");
    assert!(verifier.verify(&token, NOW_MS).await.is_ok());
    issuer.publish(&[]);
    assert!(verifier.refresh(NOW_MS).await);
    assert_eq!(code(&verifier, &token, NOW_MS).await, Code::TokenInvalid);
}

#[tokio::test]
async fn client_that_goes_away_does_not_cancel_the_fetch() {
    let key = Signer::ed("k1");
    let issuer = TestIssuer::with(&[&key]).await;
    issuer.close_gate();
    let verifier = Arc::new(verifier(&issuer.url));
    let token = key.token("ada");
    let mut impatient = Box::pin(verifier.verify(&token, NOW_MS));
    // Polled until the issuer has its request: the fetch runs then.
    while issuer.fetches() == 0 {
        assert!(futures_util::poll!(impatient.as_mut()).is_pending());
        tokio::task::yield_now().await;
    }
    drop(impatient);
    issuer.open_gate();
    assert!(verifier.verify(&token, NOW_MS).await.is_ok());
    assert_eq!(issuer.fetches(), 1);
}
