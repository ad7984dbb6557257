use super::*;
use axum::Router;
use axum::body::{Body, to_bytes};
use axum::middleware::{from_fn, from_fn_with_state};
use axum::routing::get;
use tower::ServiceExt as _;
use tower_http::catch_panic::CatchPanicLayer;

#[test]
fn a_plain_request_id_is_taken_over_and_others_are_replaced() {
    let with = |id: &[u8]| HeaderMap::from_iter([(REQUEST_ID, HeaderValue::from_bytes(id).unwrap())]);
    assert_eq!(request_id(&with(b"abc-123")), "abc-123");
    for id in [&b""[..], b"a b", b"\xff", "x".repeat(129).as_bytes()] {
        assert_eq!(request_id(&with(id)).len(), 36, "{id:?}");
    }
    assert_eq!(request_id(&HeaderMap::new()).len(), 36);
}

async fn panics() -> StatusCode {
    panic!("a secret of {}", "/some/path")
}

async fn sleeps() -> StatusCode {
    tokio::time::sleep(Duration::from_secs(600)).await;
    StatusCode::OK
}

/// What a client gets from a handler behind the layers.
async fn answer(path: &str) -> (Response<()>, String) {
    let router = Router::new()
        .route("/panics", get(panics))
        .route("/sleeps", get(sleeps))
        .layer(from_fn_with_state(Duration::from_millis(20), hurry))
        .layer(CatchPanicLayer::custom(panicked))
        .layer(from_fn(observe));
    let request = Request::builder().uri(path).header(&REQUEST_ID, "the-id").body(Body::empty()).unwrap();
    let (head, body) = router.oneshot(request).await.unwrap().into_parts();
    let text = to_bytes(body, 1 << 16).await.unwrap().to_vec();
    (Response::from_parts(head, ()), String::from_utf8(text).unwrap())
}

#[tokio::test]
async fn a_panic_is_a_fault_that_tells_nothing() {
    let (head, text) = answer("/panics").await;
    assert_eq!(head.status(), StatusCode::INTERNAL_SERVER_ERROR);
    assert_eq!(text, "internal server error (request the-id)\n");
    assert_eq!(head.headers()[&REQUEST_ID], "the-id");
}

#[tokio::test]
async fn who_waits_too_long_is_asked_to_come_back() {
    let (head, text) = answer("/sleeps").await;
    assert_eq!(head.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(head.headers()[header::RETRY_AFTER], "10");
    assert!(text.contains("ask again"), "{text}");
}
