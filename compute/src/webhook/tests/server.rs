//! A server on a free port of 127.0.0.1 that takes requests and answers with given bytes.

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

/// What a server does with a request.
#[derive(Clone)]
pub(super) enum Answer {
    /// Writes this and closes.
    Bytes(Vec<u8>),
    /// Writes this and no more until the client goes.
    Stuck(&'static str),
    /// Writes a body until the client goes.
    Endless,
}

pub(super) struct Server {
    pub(super) url: String,
    pub(super) port: u16,
    /// Requests as they came, head and body.
    requests: mpsc::UnboundedReceiver<String>,
    serving: JoinHandle<()>,
}

impl Server {
    /// Answers every request with a head and a body.
    pub(super) async fn saying(head: &str, body: &str) -> Server {
        Server::answering(Answer::Bytes(reply(head, body))).await
    }

    pub(super) async fn answering(answer: Answer) -> Server {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let (told, requests) = mpsc::unbounded_channel();
        let serving = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, answer.clone(), told.clone()));
            }
        });
        Server {
            url: format!("http://127.0.0.1:{port}/hook"),
            port,
            requests,
            serving,
        }
    }

    /// The next request, head and body.
    pub(super) async fn request(&mut self) -> (String, String) {
        let text = self.requests.recv().await.unwrap();
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        (head.to_ascii_lowercase(), body.to_owned())
    }

    /// The next request, as it came.
    pub(super) async fn request_text(&mut self) -> String {
        self.requests.recv().await.unwrap()
    }

    /// Requests that came and were not looked at.
    pub(super) fn waiting(&self) -> usize {
        self.requests.len()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

/// An answer with the length of its body.
pub(super) fn reply(head: &str, body: &str) -> Vec<u8> {
    format!(
        "HTTP/1.1 {head}\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    )
    .into_bytes()
}

pub(super) async fn serve<S: AsyncRead + AsyncWrite + Unpin>(
    mut stream: S,
    answer: Answer,
    told: mpsc::UnboundedSender<String>,
) {
    let Some(request) = read(&mut stream).await else {
        return;
    };
    let _ = told.send(request);
    let written = match answer {
        Answer::Bytes(bytes) => stream.write_all(&bytes).await,
        Answer::Stuck(begun) => {
            let _ = stream.write_all(begun.as_bytes()).await;
            let mut rest = Vec::new();
            stream.read_to_end(&mut rest).await.map(|_| ())
        }
        Answer::Endless => endless(&mut stream).await,
    };
    if written.is_ok() {
        let _ = stream.shutdown().await;
    }
}

async fn endless<S: AsyncWrite + Unpin>(stream: &mut S) -> std::io::Result<()> {
    stream
        .write_all(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n")
        .await?;
    loop {
        stream.write_all(b"5\r\n[0,0,\r\n").await?;
    }
}

/// A request to the end of its body.
async fn read<S: AsyncRead + Unpin>(stream: &mut S) -> Option<String> {
    let mut text = String::new();
    let mut buffer = [0; 4_096];
    loop {
        let bytes = stream.read(&mut buffer).await.ok()?;
        if bytes == 0 {
            return None;
        }
        text.push_str(std::str::from_utf8(&buffer[..bytes]).ok()?);
        let Some((head, body)) = text.split_once("\r\n\r\n") else {
            continue;
        };
        let head = head.to_ascii_lowercase();
        let length = head
            .lines()
            .find_map(|line| line.strip_prefix("content-length: "));
        if body.len() == length?.parse::<usize>().ok()? {
            return Some(text);
        }
    }
}
