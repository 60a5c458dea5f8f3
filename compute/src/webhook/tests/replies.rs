//! What becomes of a job by what comes back.

use super::*;
use crate::outgoing::tests::server::{Answer, Server, reply};
use crate::worker::Changes;

async fn worked(server: &Server, members: &Value) -> Worked {
    at(&server.url, members).work(&task()).await
}

async fn answered(head: &str, body: &str) -> Worked {
    worked(&Server::saying(head, body).await, &json!({})).await
}

const JSON: &str = "200 OK\r\ncontent-type: application/json; charset=utf-8";

#[tokio::test]
async fn changes_that_come_back_are_the_jobs() {
    let changes = r#"[{"table":"tasks","id":"k1","op":"delete"}]"#;
    let body = format!(r#"{{"other":1, "changes":{changes}}}"#);
    let expected = || Worked::Done(Some(Changes(changes.to_owned())));
    assert_eq!(answered(JSON, &body).await, expected());
    assert_eq!(
        answered("201 Created", &body).await,
        expected(),
        "of whatever type"
    );
}

#[tokio::test]
async fn what_holds_no_changes_is_done() {
    for (head, body) in [
        ("204 No Content", ""),
        ("202 Accepted", ""),
        (JSON, ""),
        (JSON, " \r\n"),
        (JSON, "{}"),
        (JSON, "[1]"),
        (JSON, "\"ok\""),
        (JSON, r#"{"ok":true}"#),
        (JSON, r#"{"changes":null}"#),
        (JSON, r#"{"changes":[ ]}"#),
        ("200 OK", "ok"),
        ("200 OK\r\ncontent-type: text/html", "<p>{</p>"),
        ("200 OK", "\u{feff}"),
    ] {
        assert_eq!(
            answered(head, body).await,
            Worked::Done(None),
            "{head} {body}"
        );
    }
}

/// Where should they go? Whoever wrote the server is to hear of it.
#[tokio::test]
async fn changes_that_answer_a_schedule_are_unwanted() {
    let task = with_args(&json!({"args": {"to": "llm"}}));
    let body = r#"{"changes":[{"table":"tasks","id":"k1","op":"delete"}]}"#;
    let server = Server::saying(JSON, body).await;
    let said = hopeless(at(&server.url, &json!({})).work(&task).await);
    assert!(
        said.starts_with("changes_unwanted: the answer holds"),
        "{said}"
    );
    let none = Server::saying(JSON, r#"{"changes":[]}"#).await;
    let worked = at(&none.url, &json!({})).work(&task).await;
    assert_eq!(worked, Worked::Done(None));
}

#[tokio::test]
async fn what_is_no_answer_fails() {
    for (head, body, why) in [
        (JSON, "{", "the answer is no JSON"),
        (JSON, "ok", "the answer is no JSON"),
        (
            "200 OK\r\ncontent-type: application/problem+json",
            "x",
            "no JSON",
        ),
        (JSON, r#"{"changes":{}}"#, "changes are no list"),
        (JSON, r#"{"changes":"[]"}"#, "changes are no list"),
        (JSON, r#"{"changes":[],"changes":[]}"#, "cannot be read"),
        ("500 Oops", "sorry", "500 Internal Server Error: sorry"),
        ("502 Bad Gateway", "", "502 Bad Gateway: "),
        ("599 What", "", "599"),
    ] {
        let (said, wait_ms) = failed(answered(head, body).await);
        assert!(
            said.starts_with("webhook_failed: ") && said.contains(why),
            "{said}"
        );
        assert_eq!(wait_ms, 0);
    }
}

#[tokio::test]
async fn what_the_same_event_gets_again_is_hopeless_and_what_is_mended_is_not() {
    for status in [400, 410, 413, 422] {
        let said = hopeless(answered(&format!("{status} X"), "no\u{7}!").await);
        assert!(
            said.starts_with(&format!("webhook_refused: {status}")),
            "{said}"
        );
        assert!(said.ends_with(": no!"), "{said}");
    }
    for status in [
        401, 402, 403, 404, 405, 408, 409, 411, 412, 414, 418, 421, 423, 425, 429, 451,
    ] {
        let (said, _) = failed(answered(&format!("{status} X"), "no\u{7}!").await);
        assert!(
            said.starts_with(&format!("webhook_failed: {status}")),
            "{said}"
        );
        assert!(said.ends_with(": no!"), "{said}");
    }
}

#[tokio::test]
async fn a_server_may_ask_for_time() {
    // Now is Tue, 24 Nov 2026 10:00:00.123 GMT.
    for (status, after, expected) in [
        ("429", "0", 0),
        ("429", "7", 7_000),
        ("503", "120", 120_000),
        ("429", "86400", 86_400_000),
        ("429", "86401", 86_400_000),
        ("429", "99999999999999999999999", 86_400_000),
        ("503", "Tue, 24 Nov 2026 10:00:10 GMT", 9_877),
        ("503", "Tue, 24 Nov 2026 09:00:10 GMT", 0),
        ("503", "Fri, 31 Dec 2027 23:59:59 GMT", 86_400_000),
        ("429", "soon", 0),
        ("429", "-5", 0),
        ("429", "", 0),
        ("500", "7", 0),
        ("409", "7", 0),
    ] {
        let answer = answered(&format!("{status} X\r\nretry-after: {after}"), "").await;
        assert_eq!(failed(answer).1, expected, "{status} {after}");
    }
}

/// What is behind a redirect was never looked at.
#[tokio::test]
async fn redirects_are_not_followed() {
    let behind = Server::saying("200 OK", "").await;
    for status in ["301", "302", "303", "307", "308"] {
        let head = format!("{status} Elsewhere\r\nlocation: {}", behind.url);
        let said = hopeless(answered(&head, "").await);
        assert!(
            said.starts_with(&format!("webhook_redirected: {status}")),
            "{said}"
        );
    }
    assert_eq!(behind.waiting(), 0);
}

#[tokio::test]
async fn an_answer_of_the_longest_is_read_and_one_byte_more_is_not() {
    let body = format!("{{\"x\":\"{}\"}}", "y".repeat(92));
    assert_eq!(body.len(), 100);
    let server = Server::saying(JSON, &body).await;
    let exact = worked(&server, &json!({"reply_bytes_max": 100})).await;
    assert_eq!(exact, Worked::Done(None));
    let (said, _) = failed(worked(&server, &json!({"reply_bytes_max": 99})).await);
    assert!(
        said.ends_with("the answer is longer than 99 bytes"),
        "{said}"
    );
}

/// The same where nothing but its end says how long it is.
#[tokio::test]
async fn an_answer_without_a_length_is_measured_while_it_is_read() {
    let head = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n\r\n";
    let answer = format!("{head}{{\"x\":\"{}\"}}", "y".repeat(92)).into_bytes();
    let server = Server::answering(Answer::Bytes(answer)).await;
    let exact = worked(&server, &json!({"reply_bytes_max": 100})).await;
    assert_eq!(exact, Worked::Done(None));
    let (said, _) = failed(worked(&server, &json!({"reply_bytes_max": 99})).await);
    assert!(
        said.ends_with("the answer is longer than 99 bytes"),
        "{said}"
    );
}

/// It says no length, so only reading tells.
#[tokio::test]
async fn an_endless_answer_is_left() {
    let server = Server::answering(Answer::Endless).await;
    let members = json!({"reply_bytes_max": 100_000, "timeout_ms": 120_000});
    let (said, _) = failed(worked(&server, &members).await);
    assert!(
        said.ends_with("the answer is longer than 100000 bytes"),
        "{said}"
    );
}

#[tokio::test]
async fn an_answer_that_lies_about_its_length_fails() {
    let short = b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\n{}".to_vec();
    let (said, _) =
        failed(worked(&Server::answering(Answer::Bytes(short)).await, &json!({})).await);
    assert!(said.starts_with("webhook_failed: 200 OK: "), "{said}");
    let huge = b"HTTP/1.1 200 OK\r\ncontent-length: 18446744073709551615\r\n\r\n{}".to_vec();
    failed(worked(&Server::answering(Answer::Bytes(huge)).await, &json!({})).await);
    // What is behind a body that said to be shorter is no part of it.
    let long = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}{}".to_vec();
    let done = worked(&Server::answering(Answer::Bytes(long)).await, &json!({})).await;
    assert_eq!(done, Worked::Done(None));
}

#[tokio::test]
async fn what_does_not_come_in_time_fails() {
    for begun in [
        "",
        "HTTP/1.1 200 OK\r\n",
        "HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\n{",
    ] {
        let server = Server::answering(Answer::Stuck(begun)).await;
        let (said, _) = failed(worked(&server, &json!({"timeout_ms": 100})).await);
        assert!(said.ends_with("no answer within 100 ms"), "{said}");
    }
}

/// What refuses is told, although the rest of its page never comes.
#[tokio::test]
async fn a_refusal_that_gets_stuck_is_one() {
    let stuck = "HTTP/1.1 410 Gone\r\ncontent-length: 1000\r\n\r\nnothing here";
    let server = Server::answering(Answer::Stuck(stuck)).await;
    let said = hopeless(worked(&server, &json!({"timeout_ms": 200})).await);
    assert_eq!(said, "webhook_refused: 410 Gone: nothing here");
}

#[tokio::test]
async fn a_connection_that_ends_fails() {
    for bytes in ["", "HTTP/1.1 200", "\u{0}\u{1}garbage\r\n\r\n"] {
        let server = Server::answering(Answer::Bytes(bytes.into())).await;
        let (said, _) = failed(worked(&server, &json!({})).await);
        assert!(said.starts_with("webhook_failed: "), "{said}");
    }
}

#[tokio::test]
async fn nobody_there_fails() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let gone = format!("http://{}/", listener.local_addr().unwrap());
    drop(listener);
    let (said, _) = failed(at(&gone, &json!({})).work(&task()).await);
    assert!(said.contains("refused"), "{said}");
    assert!(!said.contains("127.0.0.1"), "no address: {said}");
}

/// Whoever reads dead jobs need not know what is secret.
#[tokio::test]
async fn an_error_holds_no_secret_and_a_short_beginning() {
    let page = format!(
        "cannot POST /hook?token=abcdef for abcdef or hunter2 of eve {}",
        "é".repeat(300)
    );
    let server = Server::answering(Answer::Bytes(reply("400 Bad Request", &page))).await;
    let url = format!(
        "http://eve:hunter2@127.0.0.1:{}/hook?token=abcdef",
        server.port
    );
    let said = hopeless(at(&url, &json!({})).work(&task()).await);
    assert!(
        said.starts_with("webhook_refused: 400 Bad Request: cannot POST /hook?… for … or … of … é"),
        "{said}"
    );
    assert!(said.len() < 350, "{}", said.len());
    drop(server);
    let (said, _) = failed(at(&url, &json!({})).work(&task()).await);
    for hidden in ["eve", "hunter2", "abcdef", SECRET] {
        assert!(!said.contains(hidden), "{said}");
    }
}

/// A token that begins in what is shown of a page and ends behind it.
#[tokio::test]
async fn a_secret_across_the_end_of_what_is_shown_is_not_begun() {
    let page = format!("{}abcdefghijklmnop{}", "x".repeat(250), "y".repeat(5_000));
    for answer in [reply("500 Oops", &page), reply("422 No", &page)] {
        let server = Server::answering(Answer::Bytes(answer)).await;
        let url = format!("http://127.0.0.1:{}/?token=abcdefghijklmnop", server.port);
        let said = match at(&url, &json!({})).work(&task()).await {
            Worked::Failed { error, .. } | Worked::Hopeless(error) => error,
            other => panic!("{other:?}"),
        };
        assert!(said.as_str().ends_with("x…"), "{}", said.as_str());
    }
}
