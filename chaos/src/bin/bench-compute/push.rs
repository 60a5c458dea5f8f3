//! Pushes a second: what one core encrypts and signs, beside the bare operations that no program can do
//! without; and what a hub delivers to a push service that answers after 100 ms.

mod bare;
mod service;

use std::path::Path;
use std::time::Instant;

use anyhow::{Context, Result, ensure};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use clap::Args;
use futures_util::future::try_join_all;
use serde_json::{Value, json};
use syncline_chaos::http::Connection;
use syncline_chaos::hub::Hub;
use syncline_compute::push::{
    Push, PushConfig, PushService, Subscription, SubscriptionText, Topic, Urgency, VapidKeys,
};
use syncline_hub::clock::{Clock, SystemClock};
use syncline_protocol::stamp::WallMs;

use self::service::Service;
use super::reminders::{HUNG_S, Load, reach, spread, users};

/// Bytes of a typical payload: a notification of one reminder.
const PAYLOAD_BYTES: usize = 400;

/// How long the push service takes for an answer, in milliseconds.
const ANSWERS_AFTER_MS: u64 = 100;

/// After so long a token is signed anew, in milliseconds.
const TOKEN_MS: u64 = 13 * 3_600_000;

/// Connections that register browsers.
const CONNECTIONS: usize = 32;

/// How many.
#[derive(Clone, Debug, Args)]
pub(crate) struct Pushes {
    /// Users with a browser each, all of whom are told at one moment.
    #[arg(long, default_value_t = 20_000)]
    pub(crate) browsers: usize,
    /// Seconds until then: all must be there by then.
    #[arg(long, default_value_t = 120)]
    pub(crate) browsers_lead_s: u64,
}

/// Measures what one core does and prints the rows.
pub(crate) fn sealed(seconds: f64) -> Result<()> {
    println!("\npushes a second on one core, of {PAYLOAD_BYTES} bytes");
    let service = push_service()?;
    let to = subscription(&service, "https://push.example/1")?;
    let push = push();
    let now_ms = SystemClock.now_ms();
    let seal = |now_ms: WallMs| -> Result<usize> {
        let sealed = service.sealed(&to, &push, now_ms);
        let sealed = sealed.map_err(|error| anyhow::anyhow!("{error}"))?;
        Ok(std::hint::black_box(sealed.body).len())
    };
    let kept = rate(seconds, |_| seal(now_ms))?;
    let signed = rate(seconds, |n| seal(now_ms + n * TOKEN_MS))?;
    let bytes = seal(now_ms)?;
    let bare = bare::Bare::new(&public_key()?)?;
    let encrypted = rate(seconds, |_| bare.encrypted(bytes))?;
    let both = rate(seconds, |_| {
        bare.signed()?;
        bare.encrypted(bytes)
    })?;
    for (name, ours, bare) in [
        (
            "encrypted, to a service that was told who sends",
            kept,
            encrypted,
        ),
        ("encrypted and signed anew", signed, both),
    ] {
        let part = 100.0 * ours / bare;
        println!("{name:<50}  here {ours:>8.0}  bare {bare:>8.0}  {part:>4.0}%");
    }
    Ok(())
}

/// How often a second.
fn rate(seconds: f64, work: impl Fn(u64) -> Result<usize>) -> Result<f64> {
    let begin = Instant::now();
    let mut times = 0_u32;
    while begin.elapsed().as_secs_f64() < seconds {
        work(u64::from(times))?;
        times += 1;
    }
    Ok(f64::from(times) / begin.elapsed().as_secs_f64())
}

/// Measures what a hub delivers and prints the row.
pub(crate) async fn delivered(pushes: &Pushes, program: &Path) -> Result<()> {
    println!("\npushes a second to a service that answers after {ANSWERS_AFTER_MS} ms");
    let service = Service::start(ANSWERS_AFTER_MS).await?;
    let key = VapidKeys::generate().context("a key pair")?;
    let file = format!(
        "[push]\nprivate_key = \"{}\"\ncontact = \"mailto:ops@example.com\"\nprivate = true\n\
         [app.todo.reminders]\n",
        key.private_key()
    );
    let hub = Hub::start_of_file(program, &file).await?;
    register(&hub, pushes.browsers, &service).await?;
    let load = Load {
        users: pushes.browsers,
        watched_of: 1,
        lead_ms: pushes.browsers_lead_s * 1_000,
        within_ms: 0,
    };
    let due_ms = SystemClock.now_ms() + load.lead_ms;
    users::write(&hub, &load, due_ms).await?;
    ensure!(
        SystemClock.now_ms() < due_ms,
        "they are due already: raise --browsers-lead-s"
    );
    let sent = "syncline_notification_deliveries_total{channel=\"push\",how=\"sent\"}";
    reach(&hub, sent, load.users, due_ms + HUNG_S * 1_000).await?;
    let cpu_s = hub.cpu_s()?;
    let mut arrived = service.arrived();
    ensure!(arrived.len() >= load.users, "{} arrived", arrived.len());
    arrived.sort_unstable();
    let lasted_ms = arrived
        .last()
        .zip(arrived.first())
        .map(|(last, first)| last - first);
    let rate = arrived.len() as f64 * 1_000.0 / lasted_ms.unwrap_or(0).max(1) as f64;
    let mut lags: Vec<u64> = arrived
        .iter()
        .map(|at_ms| at_ms.saturating_sub(due_ms))
        .collect();
    println!(
        "{:>7} at one moment  {rate:>6.0} a second  ms from when they were due: {}   \
         ({cpu_s:.0} s of processor in all)",
        arrived.len(),
        spread(&mut lags),
    );
    Ok(())
}

/// Has every user register a browser.
async fn register(hub: &Hub, browsers: usize, service: &Service) -> Result<()> {
    let public = public_key()?;
    let registering = (0..CONNECTIONS).map(|at| {
        let public = &public;
        async move {
            let mut connection = Connection::open(&hub.address).await?;
            for user in (at..browsers).step_by(CONNECTIONS) {
                let token = users::token(&mut connection, user).await?;
                let header = format!("authorization: Bearer {token}\r\n");
                let endpoint = format!("{}/{user}", service.url());
                let subscription = subscription_json(&endpoint, public);
                let body = json!({"app": "todo", "kind": "push", "name": "browser",
                    "subscription": subscription});
                let path = "/api/v1/devices";
                connection.post(path, &header, &body.to_string()).await?;
            }
            Ok::<(), anyhow::Error>(())
        }
    });
    try_join_all(registering).await?;
    Ok(())
}

fn push_service() -> Result<PushService> {
    let key = VapidKeys::generate().context("a key pair")?;
    let config = PushConfig {
        private_key: key.private_key().to_owned(),
        contact: "mailto:ops@example.com".to_owned(),
        timeout_ms: 10_000,
        private: true,
        ports: Vec::new(),
    };
    PushService::of(&config).map_err(|wrong| anyhow::anyhow!(wrong.join("; ")))
}

fn push() -> Push {
    Push {
        payload: vec![b'x'; PAYLOAD_BYTES],
        ttl_s: 3_600,
        urgency: Urgency::High,
        topic: Some(Topic::of("a notification")),
    }
}

/// A browser's public key: a point of P-256, uncompressed.
fn public_key() -> Result<Vec<u8>> {
    use aws_lc_rs::agreement::{ECDH_P256, PrivateKey};
    let key = PrivateKey::generate(&ECDH_P256).ok().context("a key")?;
    let public = key.compute_public_key().ok().context("its point")?;
    Ok(public.as_ref().to_vec())
}

fn subscription_json(endpoint: &str, public: &[u8]) -> Value {
    json!({"endpoint": endpoint, "keys": {
        "p256dh": URL_SAFE_NO_PAD.encode(public),
        "auth": URL_SAFE_NO_PAD.encode([7; 16]),
    }})
}

fn subscription(service: &PushService, endpoint: &str) -> Result<Subscription> {
    let text = subscription_json(endpoint, &public_key()?);
    let text: SubscriptionText = serde_json::from_value(text)?;
    let subscription = service.subscription(&text);
    subscription.map_err(|error| anyhow::anyhow!("{error}"))
}
