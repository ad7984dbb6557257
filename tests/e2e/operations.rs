//! What operators see: health, request ids, metrics, starting and stopping.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;

use tests::http::exchange;
use tests::server::Factory;

#[test]
fn health_and_readiness_answer_with_nothing() {
    let factory = Factory::start(&[]).unwrap();
    for path in ["/healthz", "/readyz"] {
        for method in ["GET", "HEAD"] {
            let answer = factory.send(method, path, &[], b"");
            assert_eq!((answer.status, answer.body.len()), (200, 0), "{method} {path}");
        }
    }
}

#[test]
fn every_answer_has_a_request_id_and_says_who_answers() {
    let factory = Factory::start(&[]).unwrap();
    for path in ["/", "/nope", "/v2/nope", "/schematics/x", "/healthz"] {
        let given = factory.get_with(path, &[("X-Request-ID", "my-id.1")]);
        assert_eq!(given.header("x-request-id"), Some("my-id.1"), "{path}");
        let server = given.header("server").unwrap();
        assert!(server.contains("Image Factory") && !server.contains("Enterprise"), "{server}");
        let fresh = factory.get(path).header("x-request-id").unwrap().to_owned();
        assert_ne!(Some(fresh.as_str()), factory.get(path).header("x-request-id"), "{path}");
        assert_eq!(fresh.len(), 36);
    }
    let long = "x".repeat(500);
    assert_eq!(factory.get_with("/", &[("X-Request-ID", &long)]).header("x-request-id").unwrap().len(), 36);
}

#[test]
fn old_and_terse_clients_are_served() {
    let factory = Factory::start(&[]).unwrap();
    let old = exchange(factory.address(), b"GET /healthz HTTP/1.0\r\n\r\n").unwrap();
    assert_eq!(old.status, 200);
    let page = exchange(factory.address(), b"GET / HTTP/1.0\r\n\r\n").unwrap();
    assert_eq!(page.header("content-length"), Some(page.body.len().to_string().as_str()));
    let bare =
        exchange(factory.address(), b"GET /healthz HTTP/1.1\r\nHost:\r\nConnection: close\r\n\r\n").unwrap();
    assert_eq!(bare.status, 200);
}

#[test]
fn one_connection_serves_many_requests() {
    let factory = Factory::start(&[]).unwrap();
    let mut stream = TcpStream::connect(factory.address()).unwrap();
    let one = b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n";
    let last = b"GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
    stream.write_all(&[&one[..], one, last].concat()).unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).unwrap();
    assert_eq!(text.matches("HTTP/1.1 200 OK").count(), 3);
}

#[test]
fn metrics_have_an_address_of_their_own_and_the_known_names() {
    let factory = Factory::start(&[]).unwrap();
    assert_eq!(factory.get("/metrics").status, 404);
    assert_eq!(factory.post_schematic("{}").status, 201);
    assert_eq!(factory.get("/schematics/0").status, 404);
    let text = factory.metrics();
    for part in [
        "image_factory_schematic_create_total",
        "image_factory_schematic_get_total",
        "image_factory_schematic_duplicate_create_total",
        "http_request_duration_seconds_bucket{service=\"\",handler=\"/schematics\",method=\"POST\",code=\"201\",le=",
        "http_response_size_bytes_sum{service=\"\",handler=\"/schematics/:schematic\",method=\"GET\",code=\"404\"}",
        "http_requests_inflight",
        "process_cpu_seconds_total",
    ] {
        assert!(text.contains(part), "{part}\nis not in\n{text}");
    }
    // What clients make up never becomes a label.
    assert_eq!(factory.send("BREW", "/a-path-of-my-own", &[], b"").status, 404);
    let text = factory.metrics();
    assert!(
        text.contains("handler=\"unknown\",method=\"OTHER\"") && !text.contains("a-path-of-my-own"),
        "{text}"
    );
}

#[test]
fn a_data_directory_serves_one_factory() {
    let factory = Factory::start(&[]).unwrap();
    let dir = factory.data().display().to_string();
    let error = Factory::start(&[("data", &dir)]).unwrap_err();
    assert!(error.to_string().contains("in use by another factory"), "{error}");
}

#[test]
fn an_address_serves_one_factory() {
    let factory = Factory::start(&[]).unwrap();
    let error = Factory::start(&[("listen", &factory.address().to_string())]).unwrap_err();
    let text = format!("{error}: {}", error.source().unwrap());
    assert!(text.contains("cannot listen on 127.0.0.1:"), "{text}");
}

#[test]
fn more_connections_than_allowed_wait_for_their_turn() {
    let factory = Factory::start(&[("max-connections", "1")]).unwrap();
    let holding = TcpStream::connect(factory.address()).unwrap();
    let mut waiting = TcpStream::connect(factory.address()).unwrap();
    waiting.write_all(b"GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").unwrap();
    waiting.set_read_timeout(Some(std::time::Duration::from_millis(300))).unwrap();
    assert!(waiting.read(&mut [0; 1]).is_err(), "served beyond the limit");
    drop(holding);
    waiting.set_read_timeout(Some(std::time::Duration::from_secs(20))).unwrap();
    let mut text = String::new();
    waiting.read_to_string(&mut text).unwrap();
    assert!(text.starts_with("HTTP/1.1 200"), "{text}");
}

#[test]
fn a_request_that_runs_may_end_when_the_factory_stops() {
    let mut factory = Factory::start(&[]).unwrap();
    let mut stream = TcpStream::connect(factory.address()).unwrap();
    stream.write_all(b"POST /schematics HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{").unwrap();
    // Answered on another connection, the first one is being served for sure.
    assert_eq!(factory.get("/healthz").status, 200);
    factory.begin_to_stop();
    while TcpStream::connect(factory.address()).is_ok() {
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
    stream.write_all(b"}").unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).unwrap();
    assert!(text.starts_with("HTTP/1.1 201 Created"), "{text}");
}

#[test]
fn a_client_that_never_ends_does_not_keep_the_factory_from_stopping() {
    let factory = Factory::start(&[("shutdown-grace", "200ms")]).unwrap();
    let mut stream = TcpStream::connect(factory.address()).unwrap();
    stream.write_all(b"POST /schematics HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{").unwrap();
    assert_eq!(factory.get("/healthz").status, 200);
    let began = std::time::Instant::now();
    drop(factory);
    assert!(began.elapsed() < std::time::Duration::from_secs(10));
}
