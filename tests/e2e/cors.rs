//! Pages of other origins.

use tests::server::Factory;

const ORIGIN: (&str, &str) = ("Origin", "https://page.example");

#[test]
fn answers_may_be_read_by_pages_of_any_origin() {
    let factory = Factory::start(&[]).unwrap();
    for method in ["GET", "HEAD"] {
        let answer = factory.send(method, "/healthz", &[ORIGIN], b"");
        assert_eq!(answer.header("access-control-allow-origin"), Some("*"), "{method}");
        assert_eq!(
            answer.header("access-control-expose-headers"),
            Some("Content-Disposition, Content-Length, Content-Type"),
            "{method}"
        );
        assert!(answer.headers.iter().any(|(name, value)| name == "vary" && value.contains("Origin")));
    }
    // Errors too, or a page could not tell what went wrong.
    assert_eq!(factory.get_with("/nope", &[ORIGIN]).header("access-control-allow-origin"), Some("*"));
    assert_eq!(factory.get("/healthz").header("access-control-allow-origin"), None);
}

#[test]
fn a_preflight_names_what_was_asked_for_if_it_is_allowed() {
    let factory = Factory::start(&[]).unwrap();
    let method = |name| ("Access-Control-Request-Method", name);
    let headers = |names| ("Access-Control-Request-Headers", names);
    type Case<'a> = (&'a [(&'a str, &'a str)], Option<&'a str>, Option<&'a str>);
    let cases: [Case<'_>; 9] = [
        (&[ORIGIN, method("GET"), headers("cache-control")], Some("GET"), Some("cache-control")),
        (&[ORIGIN, method("HEAD")], Some("HEAD"), None),
        (&[ORIGIN, method("POST"), headers("content-type")], Some("POST"), Some("content-type")),
        (&[ORIGIN, method("GET"), headers("range,if-range")], Some("GET"), Some("range,if-range")),
        (&[ORIGIN, method("DELETE")], None, None),
        (&[ORIGIN, method("get")], None, None),
        (&[ORIGIN, method("GET"), headers("authorization")], None, None),
        (&[method("GET")], None, None),
        (&[ORIGIN, method("GET"), headers("")], Some("GET"), None),
    ];
    for (sent, allowed, allowed_headers) in cases {
        let answer = factory.send("OPTIONS", "/image/a/b/c", sent, b"");
        assert_eq!((answer.status, answer.body.len()), (204, 0), "{sent:?}");
        assert_eq!(answer.header("access-control-allow-methods"), allowed, "{sent:?}");
        assert_eq!(answer.header("access-control-allow-headers"), allowed_headers, "{sent:?}");
        assert_eq!(answer.header("access-control-allow-origin"), allowed.map(|_| "*"), "{sent:?}");
    }
}

#[test]
fn only_configured_origins_are_let_in() {
    let factory =
        Factory::start(&[("allowed-origins", "https://page.example,http://localhost:3000")]).unwrap();
    for (origin, allowed) in [
        ("https://page.example", true),
        ("http://localhost:3000", true),
        ("https://PAGE.example", true),
        ("http://page.example", false),
        ("https://page.example.evil", false),
        ("null", false),
    ] {
        let answer = factory.get_with("/healthz", &[("Origin", origin)]);
        assert_eq!(answer.header("access-control-allow-origin"), allowed.then_some(origin), "{origin}");
    }
}
