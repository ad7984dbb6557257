//! Servers with and without ranges, and servers that break.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use axum::Router;
use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, Response, StatusCode, header};
use axum::routing::get;
use bytes::Bytes;
use tokio::net::TcpListener;

use super::super::*;
use super::fixture::Fixture;
use super::look;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Manner {
    Ranges,
    NoRanges,
    OtherEachTime,
    Short,
    Gone,
}

struct Server {
    bytes: Bytes,
    manner: Manner,
    sent: AtomicU64,
    requests: AtomicU64,
}

async fn answer(State(server): State<Arc<Server>>, headers: HeaderMap) -> Response<Body> {
    let number = server.requests.fetch_add(1, Ordering::Relaxed);
    let range = headers.get(header::RANGE).unwrap().to_str().unwrap().strip_prefix("bytes=").unwrap();
    let (first, last) = range.split_once('-').unwrap();
    let (first, last): (usize, usize) = (first.parse().unwrap(), last.parse().unwrap());
    let end = (last + 1).min(server.bytes.len());
    let (status, body) = match server.manner {
        Manner::Gone => (StatusCode::NOT_FOUND, Bytes::new()),
        Manner::NoRanges => (StatusCode::OK, server.bytes.clone()),
        Manner::Short if number > 0 => (StatusCode::PARTIAL_CONTENT, server.bytes.slice(first..end - 1)),
        _ => (StatusCode::PARTIAL_CONTENT, server.bytes.slice(first..end)),
    };
    server.sent.fetch_add(body.len() as u64, Ordering::Relaxed);
    let tag = if server.manner == Manner::OtherEachTime { number } else { 0 };
    Response::builder()
        .status(status)
        .header(header::ETAG, format!("\"{tag}\""))
        .header(header::CONTENT_RANGE, format!("bytes {first}-{}/{}", end - 1, server.bytes.len()))
        .body(body.into())
        .unwrap()
}

/// Serves `bytes`; the address, and what was asked for.
async fn serve(bytes: Vec<u8>, manner: Manner) -> (String, Arc<Server>) {
    let (sent, requests) = (AtomicU64::new(0), AtomicU64::new(0));
    let server = Arc::new(Server { bytes: bytes.into(), manner, sent, requests });
    let router = Router::new().route("/x.iso", get(answer)).with_state(Arc::clone(&server));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/x.iso", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, router).await });
    (url, server)
}

#[tokio::test]
async fn a_url_tells_what_the_file_does() {
    let fixture = Fixture::new().await;
    let iso = fixture.iso().await;
    let file = look(&fixture.save("x.iso", &iso)).await;
    for manner in [Manner::Ranges, Manner::NoRanges] {
        let (url, _) = serve(iso.clone(), manner).await;
        let report = Report { location: file.location.clone(), ..look(&url).await };
        assert_eq!(serde_json::to_value(report).unwrap(), serde_json::to_value(&file).unwrap(), "{manner:?}");
    }
}

#[tokio::test]
async fn headers_are_read_without_the_rest() {
    let fixture = Fixture::new().await;
    let iso = fixture.iso().await;
    let len = iso.len() as u64;
    let (url, server) = serve(iso, Manner::Ranges).await;
    inspect(&url, Depth::Headers).await.unwrap();
    let (sent, requests) = (server.sent.load(Ordering::Relaxed), server.requests.load(Ordering::Relaxed));
    assert!(sent < len / 10 && requests < 60, "{sent} of {len} bytes in {requests} requests");
    inspect(&url, Depth::Contents).await.unwrap();
    let programs = fixture.uki.len() + fixture.boot_loader.len();
    let contents = server.sent.load(Ordering::Relaxed) - sent;
    assert!(contents < sent + programs + 1024, "{contents} bytes for programs of {programs}");
}

#[tokio::test]
async fn a_server_that_breaks_is_an_error() {
    let fixture = Fixture::new().await;
    let iso = fixture.iso().await;
    for manner in [Manner::OtherEachTime, Manner::Short, Manner::Gone] {
        let (url, _) = serve(iso.clone(), manner).await;
        let error = inspect(&url, Depth::Contents).await.unwrap_err();
        match manner {
            Manner::OtherEachTime => assert!(matches!(error, InspectError::Changed)),
            Manner::Gone => assert!(matches!(error, InspectError::Status { status: 404, .. })),
            _ => assert!(matches!(error, InspectError::Cut { .. }), "{error}"),
        }
        assert_eq!(error.blame(), Blame::Upstream);
    }
    let nobody = inspect("http://127.0.0.1:1/x", Depth::Contents).await.unwrap_err();
    assert!(matches!(nobody, InspectError::Request { .. }));
}
