//! Metrics, under the names that dashboards of Image Factory know.
//!
//! No label comes from a client: versions are labels only once the source is known to have them.

use std::io;
use std::sync::OnceLock;
use std::time::Duration;

use axum::http::{Method, StatusCode};
use metrics::{counter, describe_counter, describe_gauge, describe_histogram, gauge, histogram};
use metrics_exporter_prometheus::{BuildError, Matcher, PrometheusBuilder, PrometheusHandle};
use schematics::{AssetName, TalosVersion};

const BUILD_SECONDS: [f64; 5] = [1.0, 10.0, 60.0, 180.0, 600.0];
const REQUEST_SECONDS: [f64; 11] = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0];
const RESPONSE_BYTES: [f64; 8] = [1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9];

/// The process's recorder, installed at the first call; metrics belong to the process, not to a server in it.
///
/// # Errors
/// When another recorder was installed before.
pub fn install() -> io::Result<PrometheusHandle> {
    static HANDLE: OnceLock<PrometheusHandle> = OnceLock::new();
    if let Some(handle) = HANDLE.get() {
        return Ok(handle.clone());
    }
    let recorder = builder().map_err(io::Error::other)?.build_recorder();
    let handle = HANDLE.get_or_init(|| recorder.handle());
    // Only the first of two racing starts installs its recorder, which is the one whose handle was kept.
    if metrics::set_global_recorder(recorder).is_ok() {
        describe();
    }
    Ok(handle.clone())
}

fn builder() -> Result<PrometheusBuilder, BuildError> {
    PrometheusBuilder::new()
        .set_buckets_for_metric(Matcher::Prefix("image_factory_assets_".to_owned()), &BUILD_SECONDS)?
        .set_buckets_for_metric(Matcher::Full("http_request_duration_seconds".to_owned()), &REQUEST_SECONDS)?
        .set_buckets_for_metric(Matcher::Full("http_response_size_bytes".to_owned()), &RESPONSE_BYTES)
}

fn describe() {
    describe_counter!(
        "image_factory_assets_delivered_cached_total",
        "Assets served that were already assembled."
    );
    describe_counter!("image_factory_assets_built_total", "Assets assembled.");
    describe_counter!(
        "image_factory_assets_cached_bytes_total",
        "Bytes of assets that were already assembled."
    );
    describe_counter!("image_factory_assets_built_bytes_total", "Bytes of assets assembled.");
    describe_counter!("image_factory_assets_cached_errors_total", "Assembled assets that could not be read.");
    describe_histogram!(
        "image_factory_assets_concurrency_latency_seconds",
        "Wait for a free place to assemble."
    );
    describe_histogram!("image_factory_assets_build_latency_seconds", "Time to assemble an asset.");
    describe_counter!("image_factory_schematic_get_total", "Schematics looked up.");
    describe_counter!("image_factory_schematic_create_total", "Schematics created.");
    describe_counter!("image_factory_schematic_duplicate_create_total", "Schematics created that existed.");
    describe_gauge!("image_factory_schematic_cache_size", "Schematics in memory.");
    describe_counter!(
        "image_factory_profile_system_extension_hits_total",
        "Uses of extensions and overlays."
    );
    describe_counter!(
        "image_factory_records_refused_total",
        "Records that no trusted factory has signed; they are made again."
    );
    describe_counter!("image_factory_source_requests_total", "What the source of the releases was asked.");
    describe_gauge!(
        "image_factory_source_up",
        "Whether the source answered when it was asked last; unreachable, it is 0."
    );
    describe_histogram!("http_request_duration_seconds", "Time until an answer begins.");
    describe_histogram!("http_response_size_bytes", "Sizes of answers.");
    describe_gauge!("http_requests_inflight", "Requests whose answer has not begun.");
    metrics_process::Collector::default().describe();
    for name in [
        "image_factory_schematic_get_total",
        "image_factory_schematic_create_total",
        "image_factory_schematic_duplicate_create_total",
    ] {
        counter!(name).increment(0);
    }
}

/// All metrics as text, in the format of Prometheus.
#[must_use]
pub fn render(handle: &PrometheusHandle) -> String {
    metrics_process::Collector::default().collect();
    handle.run_upkeep();
    handle.render()
}

/// A route as dashboards spell it: `/image/:schematic` for `/image/{schematic}`.
#[must_use]
pub fn route(matched: &str) -> String {
    matched.replace("{*", "*").replace('{', ":").replace('}', "")
}

/// One answered request.
pub fn request(route: &str, method: &Method, status: StatusCode, took: Duration, bytes: Option<u64>) {
    // Methods are free text on the wire; only the usual ones become labels.
    let usual = [
        Method::GET,
        Method::HEAD,
        Method::POST,
        Method::OPTIONS,
        Method::PUT,
        Method::DELETE,
        Method::PATCH,
    ];
    let method = if usual.contains(method) { method.as_str().to_owned() } else { "OTHER".to_owned() };
    let labels = [
        ("service", String::new()),
        ("handler", route.to_owned()),
        ("method", method),
        ("code", status.as_u16().to_string()),
    ];
    histogram!("http_request_duration_seconds", &labels).record(took.as_secs_f64());
    #[expect(clippy::cast_precision_loss, reason = "a histogram bucket does not need the last bytes")]
    let bytes = bytes.unwrap_or_default() as f64;
    histogram!("http_response_size_bytes", &labels).record(bytes);
}

/// Counts a request for as long as it waits for its answer.
#[derive(Debug)]
pub struct Inflight(());

impl Inflight {
    /// Begins to count.
    #[must_use]
    pub fn begin() -> Self {
        gauge!("http_requests_inflight", "service" => "", "handler" => "").increment(1);
        Self(())
    }
}

impl Drop for Inflight {
    fn drop(&mut self) {
        gauge!("http_requests_inflight", "service" => "", "handler" => "").decrement(1);
    }
}

/// What a build cost in time.
#[derive(Debug, Clone, Copy)]
pub struct BuildTimes {
    /// Waiting for a free place.
    pub waited: Duration,
    /// Building.
    pub took: Duration,
}

/// An asset that was laid out before is delivered.
pub fn delivered(version: &TalosVersion, asset: &AssetName, bytes: u64) {
    let labels = labels(version, asset);
    counter!("image_factory_assets_delivered_cached_total", &labels).increment(1);
    counter!("image_factory_assets_cached_bytes_total", &labels).increment(bytes);
}

/// An asset was laid out.
pub fn built(version: &TalosVersion, asset: &AssetName, bytes: u64, times: BuildTimes) {
    let labels = labels(version, asset);
    counter!("image_factory_assets_built_total", &labels).increment(1);
    counter!("image_factory_assets_built_bytes_total", &labels).increment(bytes);
    histogram!("image_factory_assets_concurrency_latency_seconds").record(times.waited.as_secs_f64());
    histogram!("image_factory_assets_build_latency_seconds").record(times.took.as_secs_f64());
}

/// An extension of a catalogue is used by a plan.
pub fn extension_used(name: &str) {
    counter!("image_factory_profile_system_extension_hits_total", "extension" => name.to_owned())
        .increment(1);
}

/// The source was asked for something, and answered or did not.
pub fn source_asked(operation: &'static str, answered: bool) {
    let outcome = if answered { "answered" } else { "failed" };
    counter!("image_factory_source_requests_total", "operation" => operation, "outcome" => outcome)
        .increment(1);
    gauge!("image_factory_source_up").set(if answered { 1.0 } else { 0.0 });
}

/// A record of a kind is not believed, for this reason, and is made again.
pub fn record_refused(kind: &'static str, reason: &'static str) {
    counter!("image_factory_records_refused_total", "kind" => kind, "reason" => reason).increment(1);
}

/// A remembered image could not be read, and is laid out again.
pub fn unreadable() {
    counter!("image_factory_assets_cached_errors_total").increment(1);
}

fn labels(version: &TalosVersion, asset: &AssetName) -> [(&'static str, String); 3] {
    [
        ("talos_version", version.to_string()),
        ("output_kind", asset.kind().to_owned()),
        ("arch", asset.arch().to_string()),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn routes_are_spelled_as_dashboards_know_them() {
        assert_eq!(route("/image/{schematic}/{version}/{path}"), "/image/:schematic/:version/:path");
        assert_eq!(route("/v2/{*path}"), "/v2/*path");
    }

    #[test]
    fn what_is_recorded_is_rendered_under_the_known_names() {
        let handle = install().unwrap();
        let version: TalosVersion = "1.13.0".parse().unwrap();
        let times = BuildTimes { waited: Duration::ZERO, took: Duration::from_secs(2) };
        built(&version, &"kernel-amd64".parse().unwrap(), 42, times);
        request("/versions", &Method::GET, StatusCode::OK, Duration::from_millis(3), Some(7));
        let text = render(&handle);
        for line in [
            r#"image_factory_assets_built_total{talos_version="v1.13.0",output_kind="kernel",arch="amd64"} 1"#,
            r#"image_factory_assets_built_bytes_total{talos_version="v1.13.0",output_kind="kernel",arch="amd64"} 42"#,
            r#"http_request_duration_seconds_bucket{service="",handler="/versions",method="GET",code="200",le="0.005"}"#,
            r#"image_factory_assets_build_latency_seconds_bucket{le="10"} 1"#,
            "image_factory_schematic_create_total 0",
            "process_resident_memory_bytes",
        ] {
            assert!(text.contains(line), "{line}\nis not in\n{text}");
        }
    }
}
