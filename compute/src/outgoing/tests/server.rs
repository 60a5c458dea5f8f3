//! A server on a free port of 127.0.0.1 that takes requests and answers with given bytes.

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

/// What a server does with a request.
#[derive(Clone)]
pub(crate) enum Answer {
    /// Writes this and closes.
    Bytes(Vec<u8>),
    /// Writes this and no more until the client goes.
    Stuck(&'static str),
    /// Writes a body until the client goes.
    Endless,
}

pub(crate) struct Server {
    pub(crate) url: String,
    pub(crate) port: u16,
    /// Requests as they came, head and body.
    requests: mpsc::UnboundedReceiver<Vec<u8>>,
    serving: JoinHandle<()>,
}

impl Server {
    /// Answers every request with a head and a body.
    pub(crate) async fn saying(head: &str, body: &str) -> Server {
        Server::answering(Answer::Bytes(reply(head, body))).await
    }

    pub(crate) async fn answering(answer: Answer) -> Server {
        Server::answering_each(vec![answer]).await
    }

    /// A connection after the other, the last ones alike.
    pub(crate) async fn answering_each(answers: Vec<Answer>) -> Server {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let (told, requests) = mpsc::unbounded_channel();
        let serving = tokio::spawn(async move {
            let mut n = 0;
            while let Ok((stream, _)) = listener.accept().await {
                let answer = answers[n.min(answers.len() - 1)].clone();
                n += 1;
                tokio::spawn(serve(stream, answer, told.clone()));
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
    pub(crate) async fn request(&mut self) -> (String, String) {
        let text = self.request_text().await;
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        (head.to_ascii_lowercase(), body.to_owned())
    }

    /// The next request, as it came.
    pub(crate) async fn request_text(&mut self) -> String {
        String::from_utf8(self.request_bytes().await).unwrap()
    }

    /// The next request, as it came, of whatever bytes.
    pub(crate) async fn request_bytes(&mut self) -> Vec<u8> {
        self.requests.recv().await.unwrap()
    }

    /// Requests that came and were not looked at.
    pub(crate) fn waiting(&self) -> usize {
        self.requests.len()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

/// An answer with the length of its body.
pub(crate) fn reply(head: &str, body: &str) -> Vec<u8> {
    format!(
        "HTTP/1.1 {head}\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    )
    .into_bytes()
}

pub(crate) async fn serve<S: AsyncRead + AsyncWrite + Unpin>(
    mut stream: S,
    answer: Answer,
    told: mpsc::UnboundedSender<Vec<u8>>,
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
async fn read<S: AsyncRead + Unpin>(stream: &mut S) -> Option<Vec<u8>> {
    let mut request = Vec::new();
    let mut buffer = [0; 4_096];
    loop {
        let bytes = stream.read(&mut buffer).await.ok()?;
        if bytes == 0 {
            return None;
        }
        request.extend_from_slice(&buffer[..bytes]);
        let Some(at) = request.windows(4).position(|four| four == b"\r\n\r\n") else {
            continue;
        };
        let head = String::from_utf8_lossy(&request[..at]).to_ascii_lowercase();
        let length = head
            .lines()
            .find_map(|line| line.strip_prefix("content-length: "));
        if request.len() - at - 4 == length?.parse::<usize>().ok()? {
            return Some(request);
        }
    }
}
