//! What an answer means.

use super::*;

#[tokio::test]
async fn what_may_pass_is_tried_again_and_nothing_else() {
    for (status, tries, code) in [
        ("400 X", 1, "checkout_refused"),
        ("401 X", 1, "payments_unauthorized"),
        ("402 X", 1, "checkout_refused"),
        ("403 X", 1, "payments_unauthorized"),
        ("404 X", 1, "checkout_refused"),
        ("409 X", 3, "payments_unavailable"),
        ("429 X", 3, "payments_unavailable"),
        ("500 X", 3, "payments_unavailable"),
        ("503 X", 3, "payments_unavailable"),
        (
            "302 X\r\nlocation: https://evil.example/",
            1,
            "checkout_refused",
        ),
        (
            "500 X\r\nstripe-should-retry: false",
            1,
            "payments_unavailable",
        ),
        (
            "400 X\r\nstripe-should-retry: true",
            3,
            "payments_unavailable",
        ),
        (
            "500 X\r\nstripe-should-retry: maybe",
            3,
            "payments_unavailable",
        ),
    ] {
        let (begun, tried) = begun(vec![failing(status)]).await;
        assert_eq!(
            (begun.unwrap_err().code(), tried),
            (code, tries),
            "{status}"
        );
    }
}

#[tokio::test]
async fn a_key_that_was_used_for_something_else_is_told_apart() {
    let body =
        r#"{"error":{"type":"idempotency_error","message":"Keys for idempotent requests…"}}"#;
    let (begun, tries) = begun(vec![saying("400 X", body)]).await;
    assert_eq!((begun, tries), (Err(GatewayError::KeyReused), 1));
}

/// Words for people may quote who buys.
#[tokio::test]
async fn of_an_error_only_words_for_machines_are_shown() {
    let body = r#"{"error":{"type":"invalid_request_error","code":"resource_missing",
        "param":"line_items[0][price]","message":"No such price for ada@example.com"}}"#;
    let (begun, _) = begun(vec![saying("400 X\r\nrequest-id: req_1", body)]).await;
    let said =
        "checkout_refused: 400 invalid_request_error resource_missing line_items[0][price] req_1";
    assert_eq!(begun.unwrap_err().to_string(), said);
    for body in [
        format!(
            r#"{{"error":{{"type":"ada@example.com","code":"{}"}}}}"#,
            "x".repeat(65)
        ),
        r#"{"error":{"type":["a"]}}"#.to_owned(),
        "<html>ada@example.com".to_owned(),
        "[]".to_owned(),
        String::new(),
    ] {
        let (begun, _) = self::begun(vec![saying("404 X", &body)]).await;
        assert_eq!(
            begun.unwrap_err().to_string(),
            "checkout_refused: 404",
            "{body}"
        );
    }
}

#[tokio::test]
async fn an_answer_that_is_no_checkout_is_unreadable() {
    for body in [
        "",
        "[]",
        "{}",
        r#"{"id":"cs_1"}"#,
        r#"{"id":"cs_1","url":null}"#,
        r#"{"id":"cs_1","url":"javascript:alert(1)"}"#,
        r#"{"id":"cs_1","url":"http://pay.example/"}"#,
        r#"{"id":1,"url":"https://pay.example/"}"#,
    ] {
        let (begun, tries) = begun(vec![saying("200 OK", body)]).await;
        assert_eq!(
            (begun.unwrap_err().code(), tries),
            ("payments_unreadable", 1),
            "{body}"
        );
    }
    let body = r#"{"id":"cs_1","url":"https://pay.example/"}"#;
    let (begun, _) = begun(vec![saying("200 OK", body)]).await;
    assert_eq!(begun.unwrap().expires_at_s, 0);
}

#[tokio::test]
async fn an_answer_without_end_is_not_read_to_it() {
    let (begun, tries) = begun(vec![Answer::Endless]).await;
    assert_eq!(
        (begun.unwrap_err().code(), tries),
        ("payments_unavailable", 3)
    );
    let of_bytes = |bytes: usize| format!("{BEGUN}{}", " ".repeat(bytes - BEGUN.len()));
    let (whole, _) = self::begun(vec![saying("200 OK", &of_bytes(reply::REPLY_BYTES_MAX))]).await;
    assert!(whole.is_ok());
    let longer = of_bytes(reply::REPLY_BYTES_MAX + 1);
    let (longer, _) = self::begun(vec![saying("200 OK", &longer)]).await;
    assert!(longer.is_err());
}
