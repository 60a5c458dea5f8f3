//! Where traces go, `[telemetry.traces]`. Nobody makes any until there is a collector.

use std::ffi::OsString;

use reqwest::Url;
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use serde::{Deserialize, Serialize};

use super::Problems;
use super::hidden::Hidden;
use super::setting::{Setting, Table, alone, lay};

/// Variables that OpenTelemetry names, and what they set here. Settings of the hub count before them.
const OF_OTEL: [(&str, &str); 4] = [
    ("OTEL_EXPORTER_OTLP_ENDPOINT", "endpoint"),
    ("OTEL_EXPORTER_OTLP_HEADERS", "headers"),
    ("OTEL_SERVICE_NAME", "service_name"),
    ("OTEL_RESOURCE_ATTRIBUTES", "resource_attributes"),
];

/// What is told of single pushes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct TelemetryConfig {
    /// Traces.
    pub traces: TracesConfig,
}

/// Traces, which are sent in OTLP over HTTP, as protobuf.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct TracesConfig {
    /// The collector, `http://collector:4318`; spans are posted to `/v1/traces` below it. Without it,
    /// which is the default, no traces are made. Also `OTEL_EXPORTER_OTLP_ENDPOINT`.
    pub endpoint: Option<String>,
    /// Headers of each request, `name=value,…`, as for a collector that wants a key. Also
    /// `OTEL_EXPORTER_OTLP_HEADERS`.
    pub headers: Option<Hidden>,
    /// Of pushes over sockets that say nothing of a trace, so many in a thousand begin one. 0 to 1,000,
    /// default 0.
    pub sample_per_mille: u64,
    /// Traces that clients record go on here, so many of them a second. 0 to 65,535, default 50.
    pub followed_per_s_max: u64,
    /// `service.name` of the spans. Default `syncline`. Also `OTEL_SERVICE_NAME`.
    pub service_name: String,
    /// More of what is the same for all spans, `name=value,…`, as
    /// `deployment.environment.name=prod`. Also `OTEL_RESOURCE_ATTRIBUTES`.
    pub resource_attributes: String,
    /// How long the collector may take for a request. 100 to 120,000 ms, default 10,000.
    pub timeout_ms: u64,
}

impl Default for TracesConfig {
    fn default() -> Self {
        TracesConfig {
            endpoint: None,
            headers: None,
            sample_per_mille: 0,
            followed_per_s_max: 50,
            service_name: "syncline".to_owned(),
            resource_attributes: String::new(),
            timeout_ms: 10_000,
        }
    }
}

impl TracesConfig {
    /// Where spans are posted. Errors: a sentence.
    pub(crate) fn url(&self) -> Result<Option<Url>, String> {
        let Some(endpoint) = &self.endpoint else {
            return Ok(None);
        };
        let url = format!("{}/v1/traces", endpoint.trim_end_matches('/'));
        let url = Url::parse(&url).map_err(|error| format!("cannot be read: {error}"))?;
        match url.scheme() {
            "http" | "https" if url.has_host() => Ok(Some(url)),
            _ => Err("begins with http:// or https://".to_owned()),
        }
    }

    /// What each request says beside its body. Errors: a sentence without their values.
    pub(crate) fn headers(&self) -> Result<HeaderMap, String> {
        let text = self.headers.as_ref().map_or("", Hidden::reveal);
        let mut headers = HeaderMap::new();
        for (name, value) in pairs(text) {
            let name: HeaderName = name.parse().map_err(|_| "has a name that is none")?;
            let mut value: HeaderValue = value.parse().map_err(|_| "has a value that is none")?;
            value.set_sensitive(true);
            headers.insert(name, value);
        }
        Ok(headers)
    }

    /// What is the same for all spans.
    pub(crate) fn attributes(&self) -> Vec<(String, String)> {
        pairs(&self.resource_attributes).collect()
    }

    pub(super) fn check(&self, problems: &mut Problems) {
        if let Err(why) = self.url() {
            problems.push("telemetry.traces.endpoint", why);
        }
        if let Err(why) = self.headers() {
            problems.push("telemetry.traces.headers", why);
        }
        if self.service_name.is_empty() {
            problems.push("telemetry.traces.service_name", "is empty");
        }
        let numbers = [
            (
                "telemetry.traces.sample_per_mille",
                self.sample_per_mille,
                0..=1_000,
            ),
            (
                "telemetry.traces.followed_per_s_max",
                self.followed_per_s_max,
                0..=65_535,
            ),
            (
                "telemetry.traces.timeout_ms",
                self.timeout_ms,
                100..=120_000,
            ),
        ];
        for (key, value, range) in numbers {
            problems.range(key, value, range);
        }
    }
}

/// `name=value,…`; what has no `=` is left out.
fn pairs(text: &str) -> impl Iterator<Item = (String, String)> {
    let pairs = text.split(',').filter_map(|pair| pair.split_once('='));
    pairs.map(|(name, value)| (name.trim().to_owned(), value.trim().to_owned()))
}

/// What OpenTelemetry's own variables set. An empty one counts as not set.
pub(super) fn of_otel(env: &[(OsString, OsString)]) -> Table {
    let text = |wanted: &str| {
        let (_, value) = env.iter().find(|(name, _)| name == wanted)?;
        value.to_str().filter(|value| !value.is_empty())
    };
    let mut settings = Table::new();
    if text("OTEL_SDK_DISABLED").is_some_and(|value| value.eq_ignore_ascii_case("true")) {
        return settings;
    }
    for (variable, key) in OF_OTEL {
        if let Some(value) = text(variable) {
            let path = ["telemetry", "traces", key].map(str::to_owned);
            lay(&mut settings, alone(&path, Setting::Text(value.to_owned())));
        }
    }
    settings
}
