//! Bad messages on the two sockets.

mod compat;
mod native;

use anyhow::{Result, bail, ensure};
use serde_json::{Value, json};
use syncline_tests::socket::{Got, Socket};
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::frame::Frame;
use tokio_tungstenite::tungstenite::protocol::frame::coding::{Data, OpCode};

use super::request::REFUSAL_BYTES_MAX;
use super::{ADA, Hub};

/// When a message comes.
#[derive(Clone, Copy, PartialEq)]
enum When {
    /// As the first one.
    First,
    /// After a good hello or auth.
    Later,
}

/// What must come back.
#[derive(Clone, Copy)]
enum Expect {
    /// An error with this code; the socket stays.
    Error(&'static str),
    /// An error with this code if one is named, and this close code.
    Close(Option<&'static str>, u16),
    /// Nothing; the socket stays.
    Nothing,
    /// A message of this type.
    Told(&'static str),
}

use Expect::{Close, Error, Nothing, Told};
use When::Later;

struct Case {
    name: String,
    when: When,
    message: Message,
    expect: Expect,
}

fn case(when: When, text: impl Into<String>, expect: Expect) -> Case {
    let text = text.into();
    Case {
        name: text.chars().take(80).collect(),
        when,
        message: Message::text(text),
        expect,
    }
}

fn frame(name: &str, when: When, message: Message, expect: Expect) -> Case {
    Case {
        name: name.into(),
        when,
        message,
        expect,
    }
}

/// A text message whose bytes are none.
fn bad_text() -> Message {
    let data = OpCode::Data(Data::Text);
    Message::Frame(Frame::message(b"{\"t\":\"\xff\"}".to_vec(), data, true))
}

/// Sends every message on a socket of its own. Returns how many.
pub(super) async fn send_all(hub: &Hub) -> usize {
    let (native, compat) = (native::cases(hub), compat::cases());
    for case in &native {
        hub.note(&case.name, native_case(hub, case).await);
    }
    for case in &compat {
        hub.note(&case.name, compat_case(hub, case).await);
    }
    native.len() + compat.len()
}

/// Where a protocol says what a message is, and what of an error is stable.
struct Dialect {
    kind: &'static str,
    named: fn(&Value) -> &Value,
}

const NATIVE: Dialect = Dialect {
    kind: "t",
    named: |message| &message["code"],
};

const COMPAT: Dialect = Dialect {
    kind: "type",
    named: |message| &message["tables"][0],
};

async fn native_case(hub: &Hub, case: &Case) -> Result<()> {
    let mut socket = Socket::connect_at(hub.process.public).await;
    if case.when == Later {
        let token = hub.issuer.token(ADA);
        let hello = json!({"t": "hello", "v": 1, "app": "todo", "client": "m", "token": token});
        socket.send(&hello).await;
        // The end of its snapshot.
        socket.message_of("delta").await;
    }
    socket.send_raw(case.message.clone()).await;
    check(&mut socket, case, &NATIVE).await
}

async fn compat_case(hub: &Hub, case: &Case) -> Result<()> {
    let mut socket = Socket::connect_to_at(hub.process.public, "/ws/todo").await;
    if case.when == Later {
        let token = hub.issuer.token(ADA);
        socket.send(&json!({"type": "auth", "token": token})).await;
        assert_eq!(socket.message().await["type"], "auth-ok");
    }
    socket.send_raw(case.message.clone()).await;
    check(&mut socket, case, &COMPAT).await
}

async fn check(socket: &mut Socket, case: &Case, dialect: &Dialect) -> Result<()> {
    match case.expect {
        Nothing => stays(socket, dialect).await,
        Told(kind) => loop {
            let got = socket.next().await;
            match &got {
                Got::Message(message) if message[dialect.kind] == kind => return Ok(()),
                Got::Message(message) if message[dialect.kind] == "welcome" => {}
                _ => bail!("{got:?}, not {kind}"),
            }
        },
        Error(code) => {
            error(socket, code, dialect).await?;
            stays(socket, dialect).await
        }
        Close(code, closed) => {
            if let Some(code) = code {
                error(socket, code, dialect).await?;
            }
            let got = socket.next().await;
            ensure!(got == Got::Closed(Some(closed)), "{got:?}, not {closed}");
            Ok(())
        }
    }
}

/// The next message is the error, and not long.
async fn error(socket: &mut Socket, code: &str, dialect: &Dialect) -> Result<()> {
    let got = socket.next().await;
    let Got::Message(message) = &got else {
        bail!("{got:?}, not {code}");
    };
    let is_error = message[dialect.kind] == "error" && (dialect.named)(message) == code;
    ensure!(is_error, "{message}, not {code}");
    ensure!(
        message.to_string().len() <= REFUSAL_BYTES_MAX,
        "the error is long"
    );
    Ok(())
}

/// Nothing comes before the answer to a ping.
async fn stays(socket: &mut Socket, dialect: &Dialect) -> Result<()> {
    socket.send(&json!({dialect.kind: "ping"})).await;
    let got = socket.next().await;
    ensure!(
        got == Got::Message(json!({dialect.kind: "pong"})),
        "{got:?}, not a pong"
    );
    Ok(())
}
