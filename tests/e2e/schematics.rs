//! Creating and reading schematics.

use std::thread;

use serde_json::Value;
use tests::server::Factory;

const VANILLA: &str = "376567988ad370138ad8b2698212367b8edcb69b5fd68c80be1f2ec7d603b4ba";

/// Bodies and the ids they have at every factory.
const KNOWN: [(&str, &str); 12] = [
    ("{}", VANILLA),
    ("customization: {}", VANILLA),
    (
        r#"{"customization":{"extraKernelArgs":["noapic","nolapic"]}}"#,
        "9cba8e32753f91a16c1837ab8abf356af021706ef284aef07380780177d9a06c",
    ),
    (
        r#"{"customization":{"meta":[{"key":10,"value":"foo"}]}}"#,
        "d308a2a5ee2277bed5fbaa104fcbc8d59122abfa737df987a95b4ca763459a7f",
    ),
    (
        r#"{"customization":{"secureboot":{"includeWellKnownCertificates":true}}}"#,
        "fa8e05f142a851d3ee568eb0a8e5841eaf6b0ebc8df9a63df16ac5ed2c04f3e6",
    ),
    (
        r#"{"customization":{"diskImage":{"sectorSize":4096}}}"#,
        "92833e9ddd9bb9e11b2464fa5525429f01866306d52ebd882ee08d7918f6d1ea",
    ),
    (
        r#"{"overlay":{"name":"rpi_generic","image":"siderolabs/sbc-raspberrypi"}}"#,
        "ee21ef4a5ef808a9b7484cc0dda0f25075021691c8c09a276591eedb638ea1f9",
    ),
    (
        "customization:\n  systemExtensions:\n    officialExtensions:\n      - siderolabs/amd-ucode\n      - siderolabs/gvisor\n      - siderolabs/gasket-driver\n",
        "51ff3e49313773332729a5c04e57af0dbe2e6d3f65ff638e6d4c3a05065fefff",
    ),
    ("customization: {bootloader: grub}", "39d496b2cbdb6265d3b714514c5334bf010f1b4d31b23b9e38c80fb2f3ad7ecb"),
    (
        "customization: {bootloader: sd-boot}",
        "9ed5fecdacb36b5c5427b87d409f1065cfb2df69b0f71c58b868d9d466d8dab3",
    ),
    (
        "customization: {systemExtensions: {officialExtensions: [extension-testing/my-extension]}}",
        "9414259a4d71e1c9ab92bfaf673f83ac85afe39839ed91e28ca6e1177f576437",
    ),
    (
        "customization: {extraKernelArgs: [vga=791]}",
        "eea1f9534c46d95c4715a2f13d17eacb927c13a42ef087c79b22c3bd0c49d073",
    ),
];

#[test]
fn a_schematic_is_created_read_back_and_created_again() {
    let factory = Factory::start(&[]).unwrap();
    for (body, id) in KNOWN {
        for _ in 0..2 {
            let created = factory.post_schematic(body);
            assert_eq!(created.status, 201, "{body}: {}", created.text());
            assert_eq!(created.header("content-type"), Some("application/json"));
            assert_eq!(created.json()["id"], id, "{body}");
            assert!(created.text().ends_with("}\n"));
        }
        let canonical = factory.post_schematic(body).json()["schematic"].as_str().unwrap().to_owned();
        let read = factory.get(&format!("/schematics/{id}"));
        assert_eq!((read.status, read.header("content-type")), (200, Some("application/yaml")));
        assert_eq!(read.text(), canonical);
    }
    assert!(factory.metrics().contains("image_factory_schematic_create_total"));
}

#[test]
fn every_vector_has_its_id_or_its_refusal() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../schematics/tests/fixtures/schematic-vectors.json");
    let vectors: Vec<Value> = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
    let factory = Factory::start(&[]).unwrap();
    for vector in &vectors {
        let answer = factory.post_schematic(vector["input"].as_str().unwrap());
        let owned = vector["canonical"].as_str().is_some_and(|text| text.starts_with("owner:"));
        match vector["id"].as_str().filter(|_| !owned) {
            Some(id) if answer.status == 201 => assert_eq!(answer.json()["id"], id, "{vector}"),
            // What the original stores and cannot read again.
            Some(_) => {
                assert!(answer.text().contains("no faithful canonical form"), "{vector}: {}", answer.text())
            }
            None => assert_eq!(answer.status, 400, "{vector}: {}", answer.text()),
        }
    }
}

#[test]
fn mistakes_are_told_with_their_line_and_field() {
    let factory = Factory::start(&[]).unwrap();
    let wrong = factory.post_schematic("something:");
    assert_eq!(wrong.status, 400);
    assert_eq!(
        wrong.text(),
        "yaml: construct errors: line 1: field something not found in type schematic.Schematic\n"
    );
    let owned = factory.post_schematic("owner: alice");
    assert_eq!(
        (owned.status, owned.text().as_str()),
        (400, "owner field is only supported in Enterprise edition\n")
    );
    for body in [
        "",
        "# nothing",
        "[]",
        "text",
        "customization: {",
        "customization: {bootloader: auto}",
        "\u{0}",
        "a: &a [*a]",
    ] {
        assert_eq!(factory.post_schematic(body).status, 400, "{body:?}");
    }
    assert_eq!(factory.send("POST", "/schematics", &[], &[0xff, 0xfe, 0x00]).status, 400);
    let blanks = factory.post_schematic(r#"customization: {extraKernelArgs: ["  a\nb"]}"#);
    assert_eq!(blanks.status, 400);
    assert!(blanks.text().contains("no faithful canonical form"), "{}", blanks.text());
}

#[test]
fn what_was_never_created_is_not_found() {
    let factory = Factory::start(&[]).unwrap();
    let unknown = VANILLA.replace('3', "4");
    let cases =
        [unknown.as_str(), "aaaaaaaaaaaa", "..", "%2e%2e", "%00", "a%2Fb", "latest", &VANILLA.to_uppercase()];
    for id in cases {
        let read = factory.get(&format!("/schematics/{id}"));
        assert_eq!((read.status, read.text().as_str()), (404, "schematic not found\n"), "{id}");
    }
    let image = factory.get("/image/aaaaaaaaaaaa/v1.13.0/metal-amd64.iso");
    assert_eq!((image.status, image.text().as_str()), (404, "schematic ID \"aaaaaaaaaaaa\" not found\n"));
}

#[test]
fn schematics_survive_a_restart() {
    let factory = Factory::start(&[]).unwrap();
    assert_eq!(factory.post_schematic("{}").status, 201);
    let again = Factory::start_on(factory.stop().unwrap(), &[]).unwrap();
    assert_eq!(again.get(&format!("/schematics/{VANILLA}")).text(), "customization: {}\n");
}

#[test]
fn many_may_create_the_same_schematic_at_once() {
    let factory = Factory::start(&[]).unwrap();
    thread::scope(|scope| {
        let posts: Vec<_> = (0..24)
            .map(|n| {
                let body = format!("customization: {{extraKernelArgs: [n={}]}}", n % 3);
                let factory = &factory;
                scope.spawn(move || factory.post_schematic(&body))
            })
            .collect();
        let mut ids: Vec<String> = posts
            .into_iter()
            .map(|post| {
                let answer = post.join().unwrap();
                assert_eq!(answer.status, 201);
                answer.json()["id"].to_string()
            })
            .collect();
        ids.sort();
        ids.dedup();
        assert_eq!(ids.len(), 3);
    });
}

#[test]
fn a_body_has_a_limit_that_is_configured() {
    let factory = Factory::start(&[("body-limit", "1KiB")]).unwrap();
    let padded = |len: usize| format!("customization: {{}} #{}", "x".repeat(len - 19));
    assert_eq!(factory.post_schematic(&padded(1024)).status, 201);
    let long = factory.post_schematic(&padded(1025));
    assert_eq!(long.status, 413);
    assert_eq!(long.text(), "the body is longer than the 1024 bytes that are accepted\n");
    // Also when its length is not announced.
    let chunked =
        b"POST /schematics HTTP/1.1\r\nHost: x\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n";
    let chunk = format!("500\r\n{}\r\n0\r\n\r\n", " ".repeat(0x500));
    let answer =
        tests::http::exchange(factory.address(), &[&chunked[..], chunk.as_bytes()].concat()).unwrap();
    assert_eq!(answer.status, 413);
}

#[test]
fn a_body_that_does_not_come_is_not_waited_for() {
    let factory = Factory::start(&[("header-timeout", "200ms")]).unwrap();
    let request = b"POST /schematics HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 10\r\n\r\n{";
    let answer = tests::http::exchange(factory.address(), request).unwrap();
    assert_eq!(answer.status, 408);
    // Neither is a head.
    let unfinished = tests::http::exchange(factory.address(), b"GET / HTTP/1.1\r\nHo");
    assert!(unfinished.is_err() || unfinished.is_ok_and(|answer| answer.status == 408));
}
