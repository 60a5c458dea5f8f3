//! What is sent, and how often.

use super::*;

#[tokio::test]
async fn a_checkout_is_one_form_with_its_key_and_version() {
    let mut server = Server::saying("200 OK", BEGUN).await;
    let checkout = checkout();
    let begun = at(&server).begin(&checkout).await.unwrap();
    let expected = Begun {
        id: "cs_1".to_owned(),
        url: "https://pay.example/cs_1".to_owned(),
        expires_at_s: 1_795_600_800,
    };
    assert_eq!(begun, expected);
    let (head, body) = server.request().await;
    assert!(
        head.starts_with("post /v1/checkout/sessions http/1.1\r\n"),
        "{head}"
    );
    for line in [
        format!("authorization: bearer {KEY}"),
        format!("idempotency-key: {}", checkout.key.as_str()),
        "stripe-version: 2025-09-30.clover".to_owned(),
        "content-type: application/x-www-form-urlencoded".to_owned(),
    ] {
        assert!(head.lines().any(|one| one == line), "{line}: {head}");
    }
    let expected = [
        "mode=payment",
        "line_items%5B0%5D%5Bprice%5D=price_1",
        "line_items%5B0%5D%5Bquantity%5D=1",
        "adaptive_pricing%5Benabled%5D=false",
        "client_reference_id=ada%20%26%20bob%2F%C3%A9",
        "metadata%5Bsyncline_user%5D=ada%20%26%20bob%2F%C3%A9",
        "metadata%5Bsyncline_package%5D=small",
        "success_url=https%3A%2F%2Ftodo.example%2Fpaid%3Fcheckout%3D%7BCHECKOUT_SESSION_ID%7D",
        "cancel_url=https%3A%2F%2Ftodo.example%2F",
    ];
    assert_eq!(body, expected.join("&"));
}

#[tokio::test]
async fn a_try_is_repeated_byte_for_byte() {
    let answers = vec![failing("500 X"), saying("200 OK", BEGUN)];
    let mut server = Server::answering_each(answers).await;
    at(&server).begin(&checkout()).await.unwrap();
    let sorted = |(head, body): (String, String)| {
        let mut lines: Vec<String> = head.lines().map(str::to_owned).collect();
        lines.sort();
        (lines, body)
    };
    let first = sorted(server.request().await);
    assert_eq!(sorted(server.request().await), first);
    assert_eq!(server.waiting(), 0);
}

#[tokio::test]
async fn three_tries_are_the_end() {
    let (begun, tries) = begun(vec![failing("500 X")]).await;
    assert_eq!(begun.unwrap_err().code(), "payments_unavailable");
    assert_eq!(tries, 3);
}

#[tokio::test]
async fn who_hangs_is_tried_again() {
    let mut config = config_at("");
    config.timeout_ms = 100;
    for stuck in ["", "HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n{"] {
        let answers = vec![Answer::Stuck(stuck), saying("200 OK", BEGUN)];
        let server = Server::answering_each(answers).await;
        config.api = server.url.clone();
        let stripe = Stripe::trying(&config, AT_ONCE).unwrap();
        assert!(stripe.begin(&checkout()).await.is_ok());
        assert_eq!(server.waiting(), 2);
    }
    let server = Server::answering(Answer::Stuck("")).await;
    config.api = server.url.clone();
    let stripe = Stripe::trying(&config, AT_ONCE).unwrap();
    let error = stripe.begin(&checkout()).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "payments_unavailable: no answer within 100 ms"
    );
}

#[tokio::test]
async fn who_closes_the_connection_is_tried_again() {
    let (begun, tries) = begun(vec![Answer::Bytes(Vec::new()), saying("200 OK", BEGUN)]).await;
    assert!(begun.is_ok(), "{begun:?}");
    assert_eq!(tries, 2);
}

#[tokio::test]
async fn who_is_not_there_is_unavailable() {
    let server = Server::saying("200 OK", BEGUN).await;
    let stripe = at(&server);
    drop(server);
    let error = stripe.begin(&checkout()).await.unwrap_err();
    assert_eq!(error.code(), "payments_unavailable");
}

/// Else a user would look at a spinner for as long as Stripe likes.
#[tokio::test]
async fn a_wait_that_is_longer_than_a_user_has_is_left_to_who_asked() {
    let head = "429 X\r\nretry-after: 60";
    let (begun, tries) = begun(vec![failing(head)]).await;
    let GatewayError::Unavailable { wait_ms, .. } = begun.unwrap_err() else {
        panic!("it is unavailable");
    };
    assert_eq!((wait_ms, tries), (60_000, 1));
    let longest: u64 = (1..TRIES.attempts_max)
        .map(|attempt| {
            (0..100)
                .map(|seed| TRIES.wait_ms(attempt, seed))
                .max()
                .unwrap()
        })
        .sum();
    assert!(longest <= 2 * TRIES.longest_ms, "{longest}");
}
