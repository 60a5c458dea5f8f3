//! An issuer of tokens on a free port: it publishes an Ed25519 and a P-256 key, or one of them,
//! signs whatever it is asked to, and counts how often its keys are fetched.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair};
use jsonwebtoken::jwk::Jwk;
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use serde_json::{Value, json};
use syncline_hub::clock::{Clock, SystemClock};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

/// The key ids it publishes.
pub const ED_KID: &str = "ed";
/// The id of the P-256 key.
pub const EC_KID: &str = "ec";

/// The issuer.
pub struct Issuer {
    /// Where its keys are.
    pub jwks_url: String,
    ed: EncodingKey,
    ec: EncodingKey,
    ed_public: String,
    keys: [Value; 2],
    published: Arc<Mutex<String>>,
    fetches: Arc<AtomicU64>,
    serving: JoinHandle<()>,
}

impl std::fmt::Debug for Issuer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Issuer").finish_non_exhaustive()
    }
}

impl Issuer {
    /// Makes keys and listens.
    pub async fn start() -> Issuer {
        let random = SystemRandom::new();
        let pkcs8 = Ed25519KeyPair::generate_pkcs8v1(&random).expect("a key");
        let ed = EncodingKey::from_ed_der(pkcs8.as_ref());
        let pkcs8 = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &random);
        let ec = EncodingKey::from_ec_der(pkcs8.expect("a key").as_ref());
        let ed_jwk = jwk(&ed, Algorithm::EdDSA, ED_KID);
        let ed_public = ed_jwk["x"].as_str().expect("a public key").to_owned();
        let keys = [ed_jwk, jwk(&ec, Algorithm::ES256, EC_KID)];
        let published = Arc::new(Mutex::new(json!({"keys": keys}).to_string()));

        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let fetches = Arc::new(AtomicU64::new(0));
        let counted = fetches.clone();
        let shown = published.clone();
        let serving = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                counted.fetch_add(1, Ordering::SeqCst);
                let jwks = shown.lock().unwrap_or_else(PoisonError::into_inner).clone();
                answer(stream, &jwks).await;
            }
        });
        Issuer {
            jwks_url: format!("http://{address}/jwks"),
            ed,
            ec,
            ed_public,
            keys,
            published,
            fetches,
            serving,
        }
    }

    /// From now on only the keys of these names are published.
    pub fn publish_only(&self, kids: &[&str]) {
        let named = |key: &&Value| kids.iter().any(|kid| key["kid"] == *kid);
        let keys: Vec<&Value> = self.keys.iter().filter(named).collect();
        let mut published = self
            .published
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        *published = json!({"keys": keys}).to_string();
    }

    /// How often its keys were fetched.
    pub fn fetches(&self) -> u64 {
        self.fetches.load(Ordering::SeqCst)
    }

    /// A good token for an hour.
    pub fn token(&self, user: &str) -> String {
        self.sign(&json!({"sub": user, "exp": now_s() + 3_600}))
    }

    /// Any claims, signed with the Ed25519 key under its name.
    pub fn sign(&self, claims: &Value) -> String {
        self.sign_under(ED_KID, claims)
    }

    /// Any claims, signed with the Ed25519 key under any name.
    pub fn sign_under(&self, kid: &str, claims: &Value) -> String {
        sign(Algorithm::EdDSA, kid, claims, &self.ed)
    }

    /// Any claims, signed with the P-256 key under its name.
    pub fn sign_ec(&self, claims: &Value) -> String {
        sign(Algorithm::ES256, EC_KID, claims, &self.ec)
    }

    /// Any claims, signed with the public Ed25519 key as if it were a secret.
    pub fn forge(&self, claims: &Value) -> String {
        let secret = EncodingKey::from_secret(self.ed_public.as_bytes());
        sign(Algorithm::HS256, ED_KID, claims, &secret)
    }
}

impl Drop for Issuer {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

/// Seconds since 1970.
pub fn now_s() -> u64 {
    SystemClock.now_ms() / 1_000
}

fn sign(algorithm: Algorithm, kid: &str, claims: &Value, key: &EncodingKey) -> String {
    let mut header = Header::new(algorithm);
    header.kid = Some(kid.into());
    encode(&header, claims, key).expect("a token")
}

fn jwk(key: &EncodingKey, algorithm: Algorithm, kid: &str) -> Value {
    let jwk = Jwk::from_encoding_key(key, algorithm).expect("a public key");
    let mut jwk = serde_json::to_value(jwk).expect("JSON");
    jwk["kid"] = json!(kid);
    jwk
}

async fn answer(mut stream: TcpStream, jwks: &str) {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        match stream.read_u8().await {
            Ok(byte) => head.push(byte),
            Err(_) => return,
        }
    }
    let length = jwks.len();
    let head = format!("HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n");
    // Who does not read it asks again.
    let _ = stream.write_all(format!("{head}{jwks}").as_bytes()).await;
}
