//! A registry that misbehaves: a list of answers, one per request, over plain TCP.

use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use super::*;

/// What the server does with one request.
#[derive(Clone)]
enum Reply {
    /// These bytes, then the end of the connection.
    Raw(String),
    /// These bytes, then nothing for ever.
    Stall(String),
    /// These headers, then bytes without end.
    Endless(String),
}

struct Server {
    source: RegistrySource,
    requests: Arc<Mutex<Vec<String>>>,
    host: String,
}

fn answer(status: &str, headers: &str, body: &str) -> Reply {
    Reply::Raw(format!(
        "HTTP/1.1 {status}\r\nConnection: close\r\nContent-Length: {}\r\n{headers}\r\n{body}",
        body.len()
    ))
}

fn options() -> RegistryOptions {
    RegistryOptions {
        authorities: Authorities::default(),
        connect: Duration::from_secs(5),
        stall: Duration::from_millis(400),
        answer: Duration::from_secs(2),
        blob: Duration::from_secs(5),
        attempts: 3,
        backoff: Duration::from_millis(1),
        credentials: Credentials::default(),
    }
}

async fn serve(mut connection: TcpStream, reply: Reply) -> String {
    let mut request = Vec::new();
    let mut buffer = [0; 4096];
    while !request.ends_with(b"\r\n\r\n") {
        match connection.read(&mut buffer).await {
            Ok(read) if read > 0 => request.extend_from_slice(&buffer[..read]),
            _ => break,
        }
    }
    match reply {
        Reply::Raw(text) => connection.write_all(text.as_bytes()).await.ok(),
        Reply::Stall(text) => {
            connection.write_all(text.as_bytes()).await.ok();
            tokio::time::sleep(Duration::from_secs(30)).await;
            None
        }
        Reply::Endless(text) => {
            connection.write_all(text.as_bytes()).await.ok();
            while connection.write_all(&[b' '; 65536]).await.is_ok() {}
            None
        }
    };
    String::from_utf8_lossy(&request).into_owned()
}

impl Server {
    /// Answers with `replies` in turn; the last one for ever.
    async fn with(replies: impl FnOnce(&str) -> Vec<Reply>, options: RegistryOptions) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let host = listener.local_addr().unwrap().to_string();
        let replies = replies(&host);
        let requests: Arc<Mutex<Vec<String>>> = Arc::default();
        let seen = Arc::clone(&requests);
        tokio::spawn(async move {
            let mut next = 0;
            while let Ok((connection, _)) = listener.accept().await {
                let reply = replies[next.min(replies.len() - 1)].clone();
                next += 1;
                let seen = Arc::clone(&seen);
                tokio::spawn(async move {
                    let request = serve(connection, reply).await;
                    seen.lock().unwrap().push(request);
                });
            }
        });
        let source = RegistrySource::new(false, &host, None, options).unwrap();
        Self { source, requests, host }
    }

    async fn start(replies: Vec<Reply>) -> Self {
        Self::with(|_| replies, options()).await
    }

    fn count(&self) -> usize {
        self.requests.lock().unwrap().len()
    }
}

fn blob(bytes: &str) -> Blob {
    Blob { digest: Digest::of(bytes.as_bytes()), size: bytes.len() as u64 }
}

#[tokio::test]
async fn a_blob_goes_on_where_it_broke_off() {
    let cut = Reply::Raw("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n0123".to_owned());
    let rest = answer("206 Partial Content", "Content-Range: bytes 4-9/10\r\n", "456789");
    let server = Server::start(vec![cut.clone(), rest]).await;
    assert_eq!(read(&server.source, blob("0123456789")).await.unwrap(), b"0123456789");
    assert!(server.requests.lock().unwrap()[1].to_lowercase().contains("range: bytes=4-"));
    // A registry without ranges sends everything again; a part that begins elsewhere is no answer.
    let server = Server::start(vec![cut.clone(), answer("200 OK", "", "0123456789")]).await;
    assert_eq!(read(&server.source, blob("0123456789")).await.unwrap(), b"0123456789");
    let wrong = answer("206 Partial Content", "Content-Range: bytes 5-9/10\r\n", "56789");
    let server = Server::start(vec![cut.clone(), wrong]).await;
    assert!(matches!(
        read(&server.source, blob("0123456789")).await,
        Err(PullError::Status { status: 206, .. })
    ));
    let nothing = Reply::Raw(
        "HTTP/1.1 206 Partial\r\nContent-Range: bytes 4-9/10\r\nContent-Length: 6\r\n\r\n".to_owned(),
    );
    let server = Server::start(vec![cut, nothing]).await;
    assert!(matches!(read(&server.source, blob("0123456789")).await, Err(PullError::Transport { .. })));
    assert_eq!(server.count(), 3, "it gives up");
}

#[tokio::test]
async fn bytes_that_are_not_the_blob_are_refused() {
    let server = Server::start(vec![answer("200 OK", "", "012345678X")]).await;
    assert!(matches!(read(&server.source, blob("0123456789")).await, Err(PullError::Mismatch { .. })));
    let server = Server::start(vec![answer("200 OK", "", "0123456789abc")]).await;
    assert!(matches!(
        read(&server.source, blob("0123456789")).await,
        Err(PullError::Length { found: 13, .. })
    ));
    let endless = Reply::Endless("HTTP/1.1 200 OK\r\n\r\n".to_owned());
    let server = Server::start(vec![endless]).await;
    assert!(matches!(read(&server.source, blob("0123456789")).await, Err(PullError::Length { .. })));
    let short = Reply::Raw("HTTP/1.1 200 OK\r\n\r\n0123".to_owned());
    let more = answer("206 Partial Content", "Content-Range: bytes 4-9/10\r\n", "");
    let server = Server::start(vec![short, more]).await;
    assert!(matches!(
        read(&server.source, blob("0123456789")).await,
        Err(PullError::Length { found: 4, .. })
    ));
}

#[tokio::test]
async fn manifests_are_bounded_and_checked() {
    let server = Server::start(vec![answer("200 OK", "", "{}")]).await;
    let wrong = server.source.manifest(&repository("a/b"), Digest::of(b"other")).await;
    assert!(matches!(wrong, Err(PullError::Mismatch { .. })));
    let server = Server::start(vec![Reply::Endless("HTTP/1.1 200 OK\r\n\r\n".to_owned())]).await;
    let endless = server.source.manifest(&repository("a/b"), Digest::of(b"")).await;
    assert!(matches!(endless, Err(PullError::TooLarge { limit: MAX_MANIFEST, .. })));
    let tags = server.source.tags(&repository("a/b")).await;
    assert!(matches!(tags, Err(PullError::TooLarge { limit: MAX_PAGE, .. })));
}

#[tokio::test]
async fn what_passes_is_tried_again() {
    let busy = answer("503 Service Unavailable", "Retry-After: 0\r\n", "");
    let good = answer("200 OK", "", r#"{"tags":["v1"]}"#);
    let server = Server::start(vec![busy.clone(), busy.clone(), good.clone()]).await;
    assert_eq!(server.source.tags(&repository("a/b")).await.unwrap(), ["v1"]);
    let server = Server::start(vec![busy]).await;
    assert!(matches!(
        server.source.tags(&repository("a/b")).await,
        Err(PullError::Status { status: 503, .. })
    ));
    assert_eq!(server.count(), 3);
    let stalled = Reply::Stall("HTTP/1.1 200 OK\r\nContent-Length: 15\r\n\r\n{".to_owned());
    let server = Server::start(vec![stalled.clone(), good]).await;
    assert_eq!(server.source.tags(&repository("a/b")).await.unwrap(), ["v1"]);
    let server = Server::start(vec![stalled]).await;
    let error = server.source.tags(&repository("a/b")).await.unwrap_err();
    assert!(matches!(error, PullError::Transport { .. } | PullError::Timeout { .. }), "{error}");
    assert_eq!(error.blame(), Blame::Upstream);
}

#[tokio::test]
async fn what_does_not_pass_is_not_tried_again() {
    for (status, expected) in [("401 Unauthorized", 401), ("403 Forbidden", 403)] {
        let server = Server::start(vec![answer(status, "", "")]).await;
        let error = server.source.tags(&repository("a/b")).await.unwrap_err();
        assert!(matches!(error, PullError::Denied { status, .. } if status == expected), "{error}");
        assert_eq!(server.count(), 1);
    }
    // Who has a password learns that it is wrong, after it was tried once.
    let mut server =
        Server::start(vec![answer("401 Unauthorized", "WWW-Authenticate: Basic realm=\"r\"\r\n", "")]).await;
    let options = RegistryOptions { credentials: credentials(&server.host), ..options() };
    server.source = RegistrySource::new(false, &server.host, None, options).unwrap();
    let error = server.source.tags(&repository("a/b")).await.unwrap_err();
    assert!(matches!(error, PullError::Login { .. }), "{error}");
    assert_eq!(server.count(), 2);
}

fn credentials(host: &str) -> Credentials {
    let json = format!(r#"{{"auths":{{"{host}":{{"username":"u","password":"p"}}}}}}"#);
    Credentials::from_docker_config(json.as_bytes()).unwrap()
}

#[tokio::test]
async fn challenges_are_answered() {
    let replies = |host: &str| {
        let challenge = format!("WWW-Authenticate: Bearer realm=\"http://{host}/token\",service=\"s\"\r\n");
        vec![
            answer("401 Unauthorized", &challenge, ""),
            answer("200 OK", "", r#"{"token":"t0k"}"#),
            answer("200 OK", "", r#"{"tags":["v1"]}"#),
        ]
    };
    let server = Server::with(replies, options()).await;
    assert_eq!(server.source.tags(&repository("a/b")).await.unwrap(), ["v1"]);
    let requests = server.requests.lock().unwrap().clone();
    assert!(
        requests[1].starts_with("GET /token?service=s&scope=repository%3Aa%2Fb%3Apull "),
        "{}",
        requests[1]
    );
    assert!(requests[2].contains("authorization: Bearer t0k"), "{}", requests[2]);

    // Basic: only the registry's own credentials are sent to it.
    let listed = vec![
        answer("401 Unauthorized", "WWW-Authenticate: Basic realm=\"r\"\r\n", ""),
        answer("200 OK", "", r#"{"tags":["v1"]}"#),
    ];
    let mut server = Server::start(listed.clone()).await;
    assert!(matches!(server.source.tags(&repository("a/b")).await, Err(PullError::Denied { .. })));
    let options = RegistryOptions { credentials: credentials(&server.host), ..options() };
    server.source = RegistrySource::new(false, &server.host, None, options).unwrap();
    assert_eq!(server.source.tags(&repository("a/b")).await.unwrap(), ["v1"]);
}

#[tokio::test]
async fn tag_lists_are_read_page_by_page() {
    let next = |address: &str| format!("Link: <{address}>; rel=\"next\"\r\n");
    let first = |address: &str| answer("200 OK", &next(address), r#"{"tags":["v1","v2"]}"#);
    let last = answer("200 OK", "", r#"{"tags":["v3"]}"#);
    let server = Server::start(vec![first("/v2/a/b/tags/list?n=1000&last=v2"), last]).await;
    assert_eq!(server.source.tags(&repository("a/b")).await.unwrap(), ["v1", "v2", "v3"]);
    assert!(server.requests.lock().unwrap()[1].starts_with("GET /v2/a/b/tags/list?n=1000&last=v2 "));
    let server = Server::start(vec![first("http://elsewhere.example.com/v2/")]).await;
    assert!(matches!(server.source.tags(&repository("a/b")).await, Err(PullError::Protocol { .. })));
    let server = Server::start(vec![first("/v2/a/b/tags/list")]).await;
    assert!(matches!(server.source.tags(&repository("a/b")).await, Err(PullError::TooMany { .. })));
    for body in ["", "7", "{\"tags\":7}", "<html>"] {
        let server = Server::start(vec![answer("200 OK", "", body)]).await;
        assert!(matches!(server.source.tags(&repository("a/b")).await, Err(PullError::Malformed { .. })));
    }
}

#[tokio::test]
async fn a_missing_digest_header_is_made_up_for() {
    let replies = vec![answer("200 OK", "", ""), answer("200 OK", "", "{}")];
    let server = Server::start(replies).await;
    assert_eq!(server.source.resolve(&repository("a/b"), "v1").await.unwrap(), Digest::of(b"{}"));
}
