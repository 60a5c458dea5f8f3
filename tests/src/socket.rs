//! One WebSocket, seen from outside, through an implementation that is not the hub's.

use std::net::SocketAddr;

use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};

use crate::HUNG;
use crate::node::TestNode;

/// A client's socket.
#[derive(Debug)]
pub struct Socket {
    stream: WebSocketStream<MaybeTlsStream<TcpStream>>,
}

/// What a socket got.
#[derive(Debug, PartialEq)]
pub enum Got {
    /// A message.
    Message(Value),
    /// The end, with its close code if there was one.
    Closed(Option<u16>),
}

impl Socket {
    /// Connects and says nothing.
    pub async fn connect(node: &TestNode) -> Socket {
        Socket::connect_at(node.app.public_addr()).await
    }

    /// The same at an address.
    pub async fn connect_at(address: SocketAddr) -> Socket {
        Socket::try_connect_at(address).await.expect("a socket")
    }

    /// The same; `None` if nobody takes it there.
    pub async fn try_connect_at(address: SocketAddr) -> Option<Socket> {
        let url = format!("ws://{address}/v1/ws");
        let mut request = url.into_client_request().expect("a request");
        let protocol = "syncline.v1".parse().expect("a header");
        request
            .headers_mut()
            .insert("sec-websocket-protocol", protocol);
        let (stream, response) = connect_async(request).await.ok()?;
        assert_eq!(response.headers()["sec-websocket-protocol"], "syncline.v1");
        Some(Socket { stream })
    }

    /// Connects to another route, without a subprotocol.
    pub async fn connect_to(node: &TestNode, path: &str) -> Socket {
        Socket::connect_to_at(node.app.public_addr(), path).await
    }

    /// The same at an address.
    pub async fn connect_to_at(address: SocketAddr, path: &str) -> Socket {
        let url = format!("ws://{address}{path}");
        let (stream, _) = connect_async(url).await.expect("a socket");
        Socket { stream }
    }

    /// Connects, says hello and returns the welcome.
    pub async fn hello(node: &TestNode, user: &str, mut more: Value) -> (Socket, Value) {
        if more.get("token").is_none() {
            more["token"] = node.token(user).into();
        }
        Socket::hello_at(node.app.public_addr(), more).await
    }

    /// The same at an address; `more` holds the token.
    pub async fn hello_at(address: SocketAddr, more: Value) -> (Socket, Value) {
        let mut socket = Socket::connect_at(address).await;
        let mut hello =
            json!({"t": "hello", "v": 1, "app": "todo", "client": "c1", "cursor": null});
        for (name, value) in more.as_object().expect("an object") {
            hello[name] = value.clone();
        }
        socket.send(&hello).await;
        let welcome = socket.message().await;
        assert_eq!(welcome["t"], "welcome", "{welcome}");
        (socket, welcome)
    }

    /// Sends a message.
    pub async fn send(&mut self, message: &Value) {
        self.send_raw(Message::text(message.to_string())).await;
    }

    /// Sends any text.
    pub async fn send_text(&mut self, text: String) {
        self.send_raw(Message::text(text)).await;
    }

    /// Sends any frame.
    pub async fn send_raw(&mut self, message: Message) {
        // A socket the hub has closed is noticed when it is read.
        let _ = self.stream.send(message).await;
    }

    /// What comes next.
    pub async fn next(&mut self) -> Got {
        loop {
            let next = timeout(HUNG, self.stream.next())
                .await
                .expect("the socket hangs");
            match next {
                Some(Ok(Message::Text(text))) => {
                    return Got::Message(serde_json::from_str(&text).expect("JSON"));
                }
                Some(Ok(Message::Close(frame))) => {
                    return Got::Closed(frame.map(|frame| frame.code.into()));
                }
                Some(Ok(_)) => {}
                Some(Err(_)) | None => return Got::Closed(None),
            }
        }
    }

    /// The next message.
    pub async fn message(&mut self) -> Value {
        match self.next().await {
            Got::Message(message) => message,
            Got::Closed(code) => panic!("closed with {code:?} instead of a message"),
        }
    }

    /// The next message of a type; others are passed over.
    pub async fn message_of(&mut self, t: &str) -> Value {
        loop {
            let message = self.message().await;
            if message["t"] == t {
                return message;
            }
        }
    }

    /// The close code; messages before it are passed over.
    pub async fn closed(&mut self) -> Option<u16> {
        loop {
            if let Got::Closed(code) = self.next().await {
                return code;
            }
        }
    }

    /// Whether nothing comes before the answer to a ping.
    pub async fn is_quiet(&mut self) -> bool {
        self.send(&json!({"t": "ping"})).await;
        self.message().await["t"] == "pong"
    }

    /// Breaks the connection without a goodbye.
    pub fn cut(self) {
        drop(self);
    }
}
