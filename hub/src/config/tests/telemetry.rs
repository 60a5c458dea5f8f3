//! Where traces go.

use super::{load, refused};

#[test]
fn there_are_no_traces_until_there_is_a_collector() {
    let traces = load("", &[]).unwrap().telemetry.traces;
    assert_eq!(traces.url(), Ok(None));
    assert!(traces.headers().unwrap().is_empty());
}

#[test]
fn spans_are_posted_below_the_endpoint() {
    for endpoint in ["http://collector:4318", "http://collector:4318/"] {
        let toml = format!("[telemetry.traces]\nendpoint = {endpoint:?}");
        let url = load(&toml, &[]).unwrap().telemetry.traces.url();
        assert_eq!(
            url.unwrap().unwrap().as_str(),
            "http://collector:4318/v1/traces"
        );
    }
}

#[test]
fn names_of_opentelemetry_are_known_and_count_less_than_the_hubs() {
    let otel = [
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://a:4318"),
        ("OTEL_EXPORTER_OTLP_HEADERS", "x-key=s3cret, x-other = b"),
        ("OTEL_SERVICE_NAME", "sync"),
        (
            "OTEL_RESOURCE_ATTRIBUTES",
            "deployment.environment.name=test",
        ),
    ];
    let traces = load("", &otel).unwrap().telemetry.traces;
    assert_eq!(traces.endpoint.as_deref(), Some("http://a:4318"));
    let headers = traces.headers().unwrap();
    assert_eq!(
        (&headers["x-key"], &headers["x-other"]),
        (&"s3cret".parse().unwrap(), &"b".parse().unwrap())
    );
    assert_eq!(traces.service_name, "sync");
    let attribute = ("deployment.environment.name".into(), "test".into());
    assert_eq!(traces.attributes(), [attribute]);

    let file = load("[telemetry.traces]\nservice_name = \"file\"", &otel).unwrap();
    assert_eq!(file.telemetry.traces.service_name, "file");
    let own = ("HUB__TELEMETRY__TRACES__SERVICE_NAME", "own");
    let own = load("", &[&otel[..], &[own]].concat()).unwrap();
    assert_eq!(own.telemetry.traces.service_name, "own");

    let off = [&otel[..], &[("OTEL_SDK_DISABLED", "true")]].concat();
    assert_eq!(load("", &off).unwrap().telemetry.traces.endpoint, None);
}

#[test]
fn what_cannot_be_used_is_refused_and_no_secret_shown() {
    for (setting, why) in [
        ("endpoint = \"collector:4318\"", "begins with http"),
        ("endpoint = \"\"", "telemetry.traces.endpoint"),
        ("headers = \"a b=s3cret\"", "has a name that is none"),
        ("service_name = \"\"", "is empty"),
        (
            "sample_per_mille = 1001",
            "telemetry.traces.sample_per_mille",
        ),
        (
            "followed_per_s_max = 65536",
            "telemetry.traces.followed_per_s_max",
        ),
        ("timeout_ms = 99", "telemetry.traces.timeout_ms"),
        ("ratio = 1", "ratio"),
    ] {
        let said = refused(&format!("[telemetry.traces]\n{setting}"), &[]);
        assert!(said.contains(why), "{setting}: {said}");
        assert!(!said.contains("s3cret"), "{said}");
    }
    for fits in [
        "sample_per_mille = 1000",
        "followed_per_s_max = 65535",
        "timeout_ms = 100",
    ] {
        load(&format!("[telemetry.traces]\n{fits}"), &[]).unwrap();
    }
}
