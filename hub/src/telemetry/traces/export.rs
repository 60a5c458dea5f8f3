//! Spans on their way to the collector: OTLP over HTTP, as protobuf.
//!
//! They go in batches. A collector that is down or slow keeps one batch waiting, which is tried again
//! a few times; what comes meanwhile waits in a queue with a bound, and past that is dropped.

use std::sync::Arc;
use std::time::Duration;

use opentelemetry_proto::tonic::collector::trace::v1::{
    ExportTraceServiceRequest, ExportTraceServiceResponse,
};
use opentelemetry_proto::tonic::common::v1::{
    AnyValue, InstrumentationScope, KeyValue, any_value::Value,
};
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span};
use prost::Message;
use reqwest::header::{CONTENT_TYPE, HeaderMap};
use reqwest::{Client, StatusCode, Url, redirect};
use syncline_protocol::ids::NodeId;
use tokio::sync::{mpsc, watch};
use tokio::time::sleep;
use tracing::{info, warn};

use crate::config::TracesConfig;
use crate::telemetry::Metrics;
use crate::telemetry::labels::SpanFate;

/// Spans of one request.
const BATCH_MAX: usize = 512;

/// How long the first of a batch waits for others.
const GATHERING: Duration = Duration::from_secs(1);

/// How often a batch is sent before it is dropped, and the wait after the first time, which doubles.
const TRIES: u32 = 4;
const RETRY: Duration = Duration::from_secs(1);

/// Bytes of a collector's answer that are looked at.
const ANSWER_BYTES_MAX: usize = 64 << 10;

/// Where spans go.
#[derive(Debug)]
pub(super) struct Collector {
    client: Client,
    url: Url,
    headers: HeaderMap,
}

impl Collector {
    /// `None` without an endpoint. Errors: a sentence.
    pub(super) fn of(config: &TracesConfig) -> Result<Option<Collector>, String> {
        let Some(url) = config.url()? else {
            return Ok(None);
        };
        let mut client = Client::builder()
            .timeout(Duration::from_millis(config.timeout_ms))
            .redirect(redirect::Policy::none())
            .no_proxy();
        if url.scheme() == "http" {
            // No TLS, so no roots: a machine without any can still send.
            client = client.tls_certs_only([]);
        }
        let client = client.build().map_err(|error| error.to_string())?;
        let headers = config.headers()?;
        Ok(Some(Collector {
            client,
            url,
            headers,
        }))
    }

    async fn take(&self, body: &[u8]) -> Taken {
        let request = self.client.post(self.url.clone());
        let request = request
            .headers(self.headers.clone())
            .header(CONTENT_TYPE, "application/x-protobuf")
            .body(body.to_vec());
        let answer = match request.send().await {
            Ok(answer) => answer,
            Err(error) => return Taken::NotNow(error.without_url().to_string()),
        };
        let status = answer.status();
        if status.is_success() {
            return Taken::Yes(rejected(answer).await);
        }
        // OTLP: these, and no others, are worth another try.
        let passes = [
            StatusCode::TOO_MANY_REQUESTS,
            StatusCode::BAD_GATEWAY,
            StatusCode::SERVICE_UNAVAILABLE,
            StatusCode::GATEWAY_TIMEOUT,
        ];
        match passes.contains(&status) {
            true => Taken::NotNow(status.to_string()),
            false => Taken::Never(status.to_string()),
        }
    }
}

/// How many spans the collector says it has not taken of a request that it took.
async fn rejected(mut answer: reqwest::Response) -> u64 {
    let mut body = Vec::new();
    while let Ok(Some(part)) = answer.chunk().await {
        body.extend(part);
        if body.len() > ANSWER_BYTES_MAX {
            return 0;
        }
    }
    let read = ExportTraceServiceResponse::decode(&body[..]).ok();
    let partial = read.and_then(|answer| answer.partial_success);
    partial.map_or(0, |partial| {
        u64::try_from(partial.rejected_spans).unwrap_or(0)
    })
}

/// What became of a batch.
enum Taken {
    /// It was taken, but for so many of it.
    Yes(u64),
    /// Perhaps later.
    NotNow(String),
    /// It will not be.
    Never(String),
}

/// Held by who decides that it ends; dropping it says so.
#[derive(Debug)]
pub(super) struct Ending {
    _held: watch::Sender<()>,
}

/// Told of the end.
pub(super) type Ends = watch::Receiver<()>;

/// The two sides of an end.
pub(super) fn ending() -> (Ending, Ends) {
    let (held, ends) = watch::channel(());
    (Ending { _held: held }, ends)
}

/// Returns at the end.
async fn ended(ends: &mut Ends) {
    while ends.changed().await.is_ok() {}
}

/// Who sends: the same for all spans.
pub(super) fn resource(config: &TracesConfig, node: &NodeId) -> Resource {
    let text = |key: &str, value: &str| KeyValue {
        key: key.to_owned(),
        value: Some(AnyValue {
            value: Some(Value::StringValue(value.to_owned())),
        }),
        ..KeyValue::default()
    };
    let own = [
        text("service.name", &config.service_name),
        text("service.version", env!("CARGO_PKG_VERSION")),
        text("service.instance.id", node.as_str()),
    ];
    let more = config.attributes();
    let more = more.iter().map(|(key, value)| text(key, value));
    Resource {
        attributes: own.into_iter().chain(more).collect(),
        ..Resource::default()
    }
}

/// Sends what is made.
pub(super) struct Exporter {
    pub(super) collector: Collector,
    pub(super) resource: Resource,
    pub(super) metrics: Arc<Metrics>,
    pub(super) pauses: Pauses,
}

/// What is waited for: others of a batch, and before it is sent again.
pub(super) struct Pauses {
    gathering: Duration,
    retry: Duration,
}

impl Default for Pauses {
    fn default() -> Self {
        Pauses {
            gathering: GATHERING,
            retry: RETRY,
        }
    }
}

impl Exporter {
    /// Sends until the end, and then what waits, once.
    pub(super) async fn run(self, mut spans: mpsc::Receiver<Span>, mut ends: Ends) {
        let (mut batch, mut is_taken) = (Vec::new(), true);
        loop {
            tokio::select! {
                count = spans.recv_many(&mut batch, BATCH_MAX) => {
                    if count == 0 {
                        return;
                    }
                }
                () = ended(&mut ends) => break,
            }
            tokio::select! {
                () = sleep(self.pauses.gathering) => {}
                () = ended(&mut ends) => {}
            }
            while batch.len() < BATCH_MAX
                && let Ok(span) = spans.try_recv()
            {
                batch.push(span);
            }
            is_taken = self
                .send(std::mem::take(&mut batch), &mut ends, is_taken)
                .await;
        }
        spans.close();
        while spans.recv_many(&mut batch, BATCH_MAX).await > 0 {
            is_taken = self
                .send(std::mem::take(&mut batch), &mut ends, is_taken)
                .await;
        }
    }

    /// Sends a batch, several times if the collector does not take it now. Returns whether it was
    /// taken; what is new of that is logged.
    async fn send(&self, batch: Vec<Span>, ends: &mut Ends, was_taken: bool) -> bool {
        let count = batch.len() as u64;
        let body = self.request(batch).encode_to_vec();
        let mut wait = self.pauses.retry;
        for tries_left in (0..TRIES).rev() {
            let why = match self.collector.take(&body).await {
                Taken::Yes(rejected) => {
                    let spans = &self.metrics.spans;
                    spans.add(SpanFate::Failed, rejected.min(count));
                    spans.add(SpanFate::Exported, count.saturating_sub(rejected));
                    if !was_taken {
                        info!("the collector takes spans again");
                    }
                    return true;
                }
                Taken::NotNow(why) if tries_left > 0 => {
                    tokio::select! {
                        () = sleep(wait) => wait *= 2,
                        () = ended(ends) => return self.lost(count, &why, was_taken),
                    }
                    continue;
                }
                Taken::NotNow(why) | Taken::Never(why) => why,
            };
            return self.lost(count, &why, was_taken);
        }
        false
    }

    fn lost(&self, count: u64, error: &str, was_taken: bool) -> bool {
        self.metrics.spans.add(SpanFate::Failed, count);
        if was_taken {
            warn!(error, "the collector does not take spans");
        }
        false
    }

    fn request(&self, spans: Vec<Span>) -> ExportTraceServiceRequest {
        let scope = InstrumentationScope {
            name: "syncline".to_owned(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            ..InstrumentationScope::default()
        };
        ExportTraceServiceRequest {
            resource_spans: vec![ResourceSpans {
                resource: Some(self.resource.clone()),
                scope_spans: vec![ScopeSpans {
                    scope: Some(scope),
                    spans,
                    ..ScopeSpans::default()
                }],
                ..ResourceSpans::default()
            }],
        }
    }
}

#[cfg(test)]
mod tests;
