//! A collector of traces: what hubs send it, read by the protocol's own types.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue};
use opentelemetry_proto::tonic::trace::v1::Span;
use prost::Message;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

/// A running collector. It ends with this.
#[derive(Debug)]
pub struct Collector {
    address: SocketAddr,
    taken: Taken,
    serving: JoinHandle<()>,
}

/// A span, and who sent it.
#[derive(Clone, Debug)]
pub struct Sent {
    /// `service.instance.id`.
    pub node: String,
    /// `service.name`.
    pub service: String,
    /// The span.
    pub span: Span,
}

type Taken = Arc<Mutex<Vec<Sent>>>;

impl Sent {
    /// A number that is said of it.
    pub fn count(&self, key: &str) -> Option<i64> {
        match value(&self.span.attributes, key)? {
            Value::IntValue(count) => Some(*count),
            _ => None,
        }
    }
}

impl Collector {
    /// Begins to take spans.
    pub async fn start() -> Collector {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let taken = Taken::default();
        let routes = Router::new()
            .route("/v1/traces", post(take))
            .with_state(taken.clone());
        let serving = tokio::spawn(async move {
            axum::serve(listener, routes).await.expect("it serves");
        });
        Collector {
            address,
            taken,
            serving,
        }
    }

    /// As the config has it.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// All that was sent so far.
    pub fn sent(&self) -> Vec<Sent> {
        let taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        taken.clone()
    }

    /// Those of this name.
    pub fn named(&self, name: &str) -> Vec<Sent> {
        let sent = self.sent().into_iter();
        sent.filter(|sent| sent.span.name == name).collect()
    }
}

impl Drop for Collector {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

fn value<'a>(attributes: &'a [KeyValue], key: &str) -> Option<&'a Value> {
    let found = attributes.iter().find(|one| one.key == key)?;
    let AnyValue { value } = found.value.as_ref()?;
    value.as_ref()
}

fn text(attributes: &[KeyValue], key: &str) -> String {
    match value(attributes, key) {
        Some(Value::StringValue(text)) => text.clone(),
        other => panic!("{key} is {other:?}"),
    }
}

async fn take(State(taken): State<Taken>, headers: HeaderMap, body: Bytes) -> StatusCode {
    assert_eq!(headers["content-type"], "application/x-protobuf");
    let request = ExportTraceServiceRequest::decode(body).expect("what the protocol has");
    for of_one in request.resource_spans {
        let resource = of_one.resource.expect("who sends it").attributes;
        let spans = of_one.scope_spans.into_iter().flat_map(|scope| scope.spans);
        let sent = spans.map(|span| Sent {
            node: text(&resource, "service.instance.id"),
            service: text(&resource, "service.name"),
            span,
        });
        let mut taken = taken.lock().unwrap_or_else(PoisonError::into_inner);
        taken.extend(sent);
    }
    StatusCode::OK
}
