//! Mistakes, and how they are told.

use tests::http::exchange;
use tests::server::Factory;

const VANILLA: &str = "376567988ad370138ad8b2698212367b8edcb69b5fd68c80be1f2ec7d603b4ba";

fn factory() -> Factory {
    // A request that never ends is waited for, but not long.
    let factory = Factory::with_release(&[("header-timeout", "1s")]).unwrap();
    assert_eq!(factory.post_schematic("{}").status, 201);
    factory
}

#[test]
fn paths_are_refused_with_the_words_clients_match() {
    let factory = factory();
    let image = |rest: &str| format!("/image/{VANILLA}/{rest}");
    let cases = [
        ("/nope".to_owned(), 404, "404 page not found\n"),
        ("/image".to_owned(), 404, "404 page not found\n"),
        (image("v1.13.0/a/b"), 404, "404 page not found\n"),
        (
            image("v1.13.0/metal-amd64.ssd"),
            400,
            "error parsing profile from path: invalid profile path: \"metal-amd64.ssd\"\n",
        ),
        (
            image("v1.13.0/metal.iso"),
            400,
            "error parsing profile from path: invalid platform-arch: \"metal\"\n",
        ),
        (
            image("v1.13.0/kernel-mips"),
            400,
            "error parsing profile from path: invalid architecture: \"mips\"\n",
        ),
        (
            image("v1.13.0/metl-amd64.iso"),
            400,
            "error parsing profile from path: there is no platform `metl`; did you mean `metal`?\n",
        ),
        (
            image("1.13/metal-amd64.iso"),
            400,
            "`1.13` is not a Talos version: expected something like `v1.13.0`\n",
        ),
        (
            image("v1.13.0/metal-amd64.ssd.sha512"),
            400,
            "error parsing profile from path: invalid profile path: \"metal-amd64.ssd\"\n",
        ),
        (
            image("1.13/kernel-amd64.sigstore.json"),
            400,
            "`1.13` is not a Talos version: expected something like `v1.13.0`\n",
        ),
    ];
    for (path, status, text) in cases {
        let answer = factory.get(&path);
        assert_eq!((answer.status, answer.text().as_str()), (status, text), "{path}");
        assert_eq!(answer.header("content-type"), Some("text/plain; charset=utf-8"), "{path}");
        assert_eq!(answer.header("x-content-type-options"), Some("nosniff"), "{path}");
        let head = factory.head(&path);
        assert_eq!((head.status, head.body.len()), (status, 0), "{path}");
        assert_eq!(head.header("content-length"), answer.header("content-length"), "{path}");
    }
}

#[test]
fn a_checksum_of_an_unknown_schematic_is_not_found() {
    for name in ["metal-amd64.iso.sha256", "metal-amd64.ssd.sigstore.json", "SHA256SUMS"] {
        let answer = factory().get(&format!("/image/aaaa/v1.13.0/{name}"));
        assert_eq!(
            (answer.status, answer.text().as_str()),
            (404, "schematic ID \"aaaa\" not found\n"),
            "{name}"
        );
    }
}

#[test]
fn the_format_is_chosen_by_route_and_client() {
    let factory = factory();
    let problem =
        factory.get_with("/nope", &[("Accept", "application/problem+json"), ("X-Request-ID", "r1")]);
    assert_eq!(problem.header("content-type"), Some("application/problem+json"));
    let json = problem.json();
    assert_eq!(json["status"], 404);
    assert_eq!(json["detail"], "404 page not found");
    assert_eq!(json["code"], "route_unknown");
    assert_eq!(json["requestId"], "r1");

    let oci = factory.get("/v2/a/b/c/manifests/v1");
    assert_eq!((oci.status, oci.header("content-type")), (404, Some("application/json")));
    assert_eq!(oci.json()["errors"][0]["code"], "NAME_UNKNOWN");
    assert_eq!(oci.json()["errors"][0]["message"], "unknown registry path: \"a/b/c/manifests/v1\"");
    let method = factory.send("PUT", "/v2/installer/x/manifests/v1", &[], b"{}");
    assert_eq!((method.status, &method.json()["errors"][0]["code"]), (405, &"UNSUPPORTED".into()));
}

#[test]
fn registry_paths_that_lead_nowhere_are_refused() {
    let factory = factory();
    for (path, status) in [
        ("/v2", 200),
        ("/v2/", 200),
        ("/v2/_catalog", 404),
        ("/v2/siderolabs/nonexistent/manifests/v1.13.0", 404),
        ("/v2/siderolabs/installer/tags/v1", 404),
        ("/v2/a/b/c/manifests/v1", 404),
        (
            "/v2/imager/376567988ad370138ad8b2698212367b8edcb69b5fd68c80be1f2ec7d603b4ba/manifests/v1.13.0",
            400,
        ),
        ("/v2/installer/aaaa/manifests/v1.13.0", 404),
    ] {
        assert_eq!(factory.get(path).status, status, "{path}");
    }
}

#[test]
fn other_methods_are_told_which_there_are() {
    let factory = factory();
    for (method, path, allowed) in
        [("POST", "/healthz", "GET,HEAD"), ("DELETE", "/schematics", "POST"), ("GET", "/schematics", "POST")]
    {
        let answer = factory.send(method, path, &[], b"");
        assert_eq!((answer.status, answer.text().as_str()), (405, "Method Not Allowed\n"), "{method} {path}");
        assert_eq!(answer.header("allow"), Some(allowed), "{method} {path}");
    }
    let options = factory.send("OPTIONS", "/healthz", &[], b"");
    assert_eq!((options.status, options.header("allow")), (200, Some("GET,HEAD")));
}

#[test]
fn boot_paths_are_served_in_every_spelling_and_never_redirected() {
    let factory = factory();
    for path in ["/healthz", "/healthz/", "//healthz", "/healthz//", "///healthz///?a=b"] {
        let answer = factory.get(path);
        assert_eq!((answer.status, answer.header("location")), (200, None), "{path}");
    }
    let doubled = factory.get(&format!("//image//{VANILLA}//v1.13.0//metal-amd64.ssd/"));
    assert_eq!(doubled.status, 400);
}

#[test]
fn nothing_a_client_sends_is_our_fault() {
    let factory = factory();
    let long = "a".repeat(8000);
    let long_header = format!(
        "GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\nX: {long}{long}{long}{long}{long}{long}{long}{long}{long}\r\n\r\n"
    );
    let many: String = (0..200).map(|n| format!("X-{n}: y\r\n")).collect();
    let many = format!("GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n{many}\r\n");
    let requests: Vec<Vec<u8>> = [
        "GET /image/../../etc/passwd HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
        "GET /%00 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
        "GET /image/%ff/%fe/%fd HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
        "GET /schematics/%c0%ae%c0%ae HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
        "GET /image/a/b/%2e%2e%2fkernel-amd64 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
        "GET /version/v1.99999999999999999999.0/extensions/official HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
        "GET /versions?broken=%ff HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
        "GET /?lang=%00&&&=&=%zz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
        "GET / HTTP/1.1\r\nConnection: close\r\n\r\n",
        "GET / HTTP/1.0\r\n\r\n",
        "GET http://other/ HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
        "OPTIONS * HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
        "CONNECT x:80 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
        "BREW /coffee HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
        "GET /talosctl/v1.11.0/.. HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
        "GET /talosctl/v1.11.0/%2e%2e%2f%2e%2e HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
        "POST /schematics HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: -1\r\n\r\n",
        "POST /schematics HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 99999999999999999999\r\n\r\n",
        "POST /schematics HTTP/1.1\r\nHost: x\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        "GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\nX-Request-ID: \u{1}\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\nRange: bytes=0-,1-,2-\r\nAccept: \u{ff}\r\n\r\n",
        "\r\n\r\n\r\n",
        "GET\r\n\r\n",
        "\u{16}\u{3}\u{1}\u{2}\r\n\r\n",
        long_header.as_str(),
        many.as_str(),
    ]
    .iter()
    .map(|text| text.as_bytes().to_vec())
    .collect();
    for request in requests {
        let shown = String::from_utf8_lossy(&request).chars().take(80).collect::<String>();
        // Hanging up without a word is an answer too.
        if let Ok(answer) = exchange(factory.address(), &request) {
            assert!(
                answer.status < 500 || answer.status == 501,
                "{shown:?}: {} {}",
                answer.status,
                answer.text()
            );
        }
        assert_eq!(factory.get("/healthz").status, 200, "after {shown:?}");
    }
}
