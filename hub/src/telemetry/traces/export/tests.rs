//! What becomes of spans, by what the collector answers.

use std::collections::VecDeque;
use std::sync::Mutex;

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::StatusCode as Status;
use axum::routing::post;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTracePartialSuccess;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use super::*;

/// An answer of a collector.
type Answer = (Status, Vec<u8>);

/// What a collector is to answer, and how many spans each request had.
#[derive(Clone, Default)]
struct Script {
    answers: Arc<Mutex<VecDeque<Answer>>>,
    taken: Arc<Mutex<Vec<usize>>>,
}

async fn answer(State(script): State<Script>, body: Bytes) -> Answer {
    let request = ExportTraceServiceRequest::decode(body).unwrap();
    let spans = request.resource_spans[0].scope_spans[0].spans.len();
    script.taken.lock().unwrap().push(spans);
    let next = script.answers.lock().unwrap().pop_front();
    next.unwrap_or((Status::OK, Vec::new()))
}

struct World {
    script: Script,
    metrics: Arc<Metrics>,
    spans: mpsc::Sender<Span>,
    ending: Ending,
    exporting: JoinHandle<()>,
}

impl World {
    async fn with(answers: impl IntoIterator<Item = Answer>) -> World {
        let script = Script::default();
        script.answers.lock().unwrap().extend(answers);
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let endpoint = format!("http://{}", listener.local_addr().unwrap());
        let routes = Router::new().route("/v1/traces", post(answer));
        let routes = routes.with_state(script.clone());
        tokio::spawn(async move { axum::serve(listener, routes).await });
        let config = TracesConfig {
            endpoint: Some(endpoint),
            ..TracesConfig::default()
        };
        let metrics = Arc::new(Metrics::new());
        let exporter = Exporter {
            collector: Collector::of(&config).unwrap().unwrap(),
            resource: resource(&config, &NodeId::trusted("n1")),
            metrics: metrics.clone(),
            pauses: Pauses {
                gathering: Duration::ZERO,
                retry: Duration::from_millis(1),
            },
        };
        let (spans, waiting) = mpsc::channel(10);
        let (ending, ends) = ending();
        World {
            script,
            metrics,
            spans,
            ending,
            exporting: tokio::spawn(exporter.run(waiting, ends)),
        }
    }

    async fn make(&self, count: usize) {
        for _ in 0..count {
            self.spans.send(Span::default()).await.unwrap();
        }
    }

    /// Waits until so many have left, one way or the other.
    async fn left(&self, exported: u64, failed: u64) {
        let spans = &self.metrics.spans;
        let is_so = || {
            let now = (spans.get(SpanFate::Exported), spans.get(SpanFate::Failed));
            now == (exported, failed)
        };
        let waiting = async {
            while !is_so() {
                tokio::task::yield_now().await;
            }
        };
        let hung = Duration::from_secs(20);
        tokio::time::timeout(hung, waiting)
            .await
            .expect("they leave");
    }

    fn requests(&self) -> usize {
        self.script.taken.lock().unwrap().len()
    }
}

fn refused(status: Status) -> Answer {
    (status, Vec::new())
}

#[tokio::test]
async fn what_is_not_taken_now_is_sent_again() {
    let world = World::with([429, 502, 503].map(|code| refused(Status::from_u16(code).unwrap())));
    let world = world.await;
    world.make(1).await;
    world.left(1, 0).await;
    assert_eq!(world.requests(), 4);
}

#[tokio::test]
async fn what_is_never_taken_is_given_up() {
    let world = World::with([(); 4].map(|()| refused(Status::SERVICE_UNAVAILABLE))).await;
    world.make(1).await;
    world.left(0, 1).await;
    assert_eq!(world.requests(), 4);
    // And the next one fares better.
    world.make(1).await;
    world.left(1, 1).await;
}

#[tokio::test]
async fn what_the_collector_refuses_for_good_is_not_sent_again() {
    let world = World::with([refused(Status::BAD_REQUEST)]).await;
    world.make(1).await;
    world.left(0, 1).await;
    assert_eq!(world.requests(), 1);
}

#[tokio::test]
async fn what_the_collector_leaves_out_is_counted() {
    let answer = ExportTraceServiceResponse {
        partial_success: Some(ExportTracePartialSuccess {
            rejected_spans: 1,
            error_message: "too old".to_owned(),
        }),
    };
    let world = World::with([(Status::OK, answer.encode_to_vec())]).await;
    world.make(1).await;
    world.left(0, 1).await;
}

#[tokio::test]
async fn what_waits_at_the_end_is_sent() {
    let world = World::with([]).await;
    world.make(3).await;
    drop(world.ending);
    world.exporting.await.unwrap();
    let taken = world.script.taken.lock().unwrap();
    assert_eq!(taken.iter().sum::<usize>(), 3);
}
