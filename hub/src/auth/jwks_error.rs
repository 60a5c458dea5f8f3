//! Why an issuer's keys could not be read, in words that say where to look.

use std::error::Error;
use std::io;

use reqwest::StatusCode;
use tokio_rustls::rustls;

/// Why a fetch failed.
#[derive(Debug, thiserror::Error)]
pub enum JwksError {
    /// No connection, no answer in time, or no TLS roots.
    #[error("{}", causes(.0))]
    Http(#[from] reqwest::Error),
    /// An answer other than 200.
    #[error("status {0}")]
    Status(StatusCode),
    /// An answer over 256 KiB.
    #[error("the answer is too long")]
    TooLong,
    /// An answer that is no JWKS.
    #[error("no JWKS: {0}")]
    NotJwks(#[from] serde_json::Error),
    /// A fault of the hub.
    #[error("the fetch panicked")]
    Panicked,
}

/// All that lies behind an error, the outermost first. By itself it only says that a request could
/// not be sent; whether names, the network or certificates are to blame is in its sources.
fn causes(error: &reqwest::Error) -> String {
    let mut said: Vec<String> = Vec::new();
    let mut cause = error.source();
    while let Some(error) = cause {
        let text = match is_tls(error) {
            true => format!("TLS: {error}"),
            false => error.to_string(),
        };
        // Wrappers say what they wrap.
        if !said.last().is_some_and(|last| last.ends_with(&text)) {
            said.push(text);
        }
        cause = error.source();
    }
    if said.is_empty() {
        said.push(error.to_string());
    }
    said.join(": ")
}

/// Is it the TLS library's error, which does not name itself? It may be inside others of the system,
/// which are not its sources.
fn is_tls(error: &(dyn Error + 'static)) -> bool {
    let inside = error
        .downcast_ref::<io::Error>()
        .and_then(io::Error::get_ref);
    error.is::<rustls::Error>() || inside.is_some_and(|inside| is_tls(inside))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::io::AsyncWriteExt;
    use tokio::net::TcpListener;

    use super::*;

    /// What is said of a fetch that fails.
    async fn said(url: String) -> String {
        let client = reqwest::Client::builder()
            .no_proxy()
            .tls_certs_only([])
            .timeout(Duration::from_millis(200));
        let answer = client.build().unwrap().get(url).send().await;
        JwksError::from(answer.unwrap_err()).to_string()
    }

    #[tokio::test]
    async fn names_the_network_certificates_and_silence_are_told_apart() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        // No name has a part so long, so nobody is asked for it.
        let name = format!("http://{}.invalid/jwks", "x".repeat(64));
        let dns = said(name).await;
        assert!(dns.contains("dns error: "), "{dns}");
        // It listens and answers nothing.
        let silent = said(format!("http://{address}/jwks")).await;
        assert!(silent.contains("timed out"), "{silent}");
        let plain = tokio::spawn(async move {
            loop {
                let (mut stream, _) = listener.accept().await.unwrap();
                // Who left has read enough.
                let _ = stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await;
            }
        });
        let tls = said(format!("https://{address}/jwks")).await;
        assert!(tls.contains("TLS: "), "{tls}");
        plain.abort();
        // Its listener goes with it.
        assert!(plain.await.is_err());
        let refused = said(format!("http://{address}/jwks")).await;
        assert!(refused.contains("refused"), "{refused}");
        for told in [dns, silent, tls, refused] {
            assert!(!told.contains("error sending request"), "{told}");
        }
    }
}
