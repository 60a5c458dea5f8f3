//! Messages on the notice socket.

use tokio_tungstenite::tungstenite::Message;

use super::Case;
use super::Expect::{Close, Nothing, Told};
use super::When::{First, Later};
use super::{bad_text, case, frame};

/// On the notice socket: it says errors in `tables`, and closes with 1008.
pub(super) fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    for text in [
        "",
        "{",
        "[]",
        "null",
        "7",
        r#"["ping",null]"#,
        r#"["auth","x"]"#,
        "{}",
        r#"{"type":7}"#,
        r#"{"type":"auth","token":7}"#,
        r#"{"type":"\ud800"}"#,
        r#"{"type":"auth","type":"auth"}"#,
    ] {
        cases.push(case(First, text, Close(Some("invalid message"), 1008)));
        cases.push(case(Later, text, Nothing));
    }
    let invalid = Close(Some("invalid token"), 1008);
    let early = Close(Some("auth first"), 1008);
    cases.extend([
        case(First, r#"{"type":"auth"}"#, invalid),
        case(First, r#"{"type":"auth","token":null}"#, invalid),
        case(First, r#"{"type":"auth","token":""}"#, invalid),
        case(First, r#"{"type":"dance"}"#, early),
        case(First, r#"{"type":"__proto__"}"#, early),
        case(First, r#"{"type":"ping"}"#, Told("pong")),
        case(Later, r#"{"type":"dance","__proto__":{}}"#, Nothing),
        case(Later, r#"{"type":"auth","token":"x"}"#, invalid),
        frame(
            "binary",
            First,
            Message::binary(b"{}".to_vec()),
            Close(None, 1003),
        ),
        frame(
            "binary",
            Later,
            Message::binary(b"{}".to_vec()),
            Close(None, 1003),
        ),
        frame("no UTF-8", First, bad_text(), Close(None, 1007)),
        case(First, padded_ping(64 << 10), Told("pong")),
        case(First, padded_ping((64 << 10) + 1), Close(None, 1009)),
        case(Later, padded_ping(1 << 20), Told("pong")),
        case(Later, padded_ping((1 << 20) + 1), Close(None, 1009)),
    ]);
    cases
}

/// A ping of so many bytes.
fn padded_ping(bytes: usize) -> String {
    let (front, back) = (r#"{"type":"ping","x":""#, r#""}"#);
    let padding = "x".repeat(bytes - front.len() - back.len());
    format!("{front}{padding}{back}")
}
