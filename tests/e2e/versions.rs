//! Versions, catalogues and programs, from a pretend release in an OCI layout.

use serde_json::{Value, json};
use tests::release::{EXTENSIONS, OVERLAYS, PROGRAMS, VERSIONS, program};
use tests::server::Factory;

fn names(list: &Value) -> Vec<String> {
    list.as_array().unwrap().iter().map(|entry| entry["name"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn versions_are_listed_in_order() {
    let factory = Factory::with_release(&[]).unwrap();
    let answer = factory.get("/versions");
    assert_eq!((answer.status, answer.json()), (200, json!(VERSIONS)));
    assert_eq!(factory.head("/versions").status, 200);
    assert_eq!(factory.get("/versions?broken=true").json(), json!([]));
}

#[test]
fn broken_and_old_versions_are_withdrawn() {
    let factory = Factory::with_release(&[("broken-versions", "1.13.1"), ("min-version", "1.10.0")]).unwrap();
    assert_eq!(
        factory.get("/versions").json(),
        json!(["v1.10.0", "v1.10.2", "v1.11.0", "v1.12.0", "v1.13.0", "v1.14.0-alpha.1"])
    );
    assert_eq!(factory.get("/versions?broken=true").json(), json!(["v1.13.1"]));
    for version in ["1.13.1", "1.9.4"] {
        let answer = factory.get(&format!("/version/v{version}/extensions/official"));
        assert_eq!(answer.status, 404);
        assert_eq!(answer.text(), format!("version {version} is not available\n"));
    }
}

#[test]
fn extensions_keep_the_order_of_their_catalogue() {
    let factory = Factory::with_release(&[]).unwrap();
    for version in ["v1.5.0", "1.5.1", "v1.6.0", "v1.13.0"] {
        let answer = factory.get(&format!("/version/{version}/extensions/official"));
        assert_eq!((answer.status, names(&answer.json())), (200, EXTENSIONS.map(str::to_owned).to_vec()));
        let first = &answer.json()[0];
        assert_eq!(first["ref"], "siderolabs/gvisor:20250505.0");
        assert_eq!(first["author"], "The author of siderolabs/gvisor");
        assert_eq!(first["description"], "Does siderolabs/gvisor.\n");
        assert!(first["digest"].as_str().unwrap().starts_with("sha256:"));
        assert_eq!(first.as_object().unwrap().len(), 5);
    }
}

#[test]
fn overlays_begin_with_1_7() {
    let factory = Factory::with_release(&[]).unwrap();
    assert_eq!(factory.get("/version/v1.5.0/overlays/official").json(), json!([]));
    let answer = factory.get("/version/v1.7.0/overlays/official");
    assert_eq!((answer.status, names(&answer.json())), (200, OVERLAYS.map(str::to_owned).to_vec()));
    let first = &answer.json()[0];
    assert_eq!(
        (&first["image"], &first["ref"]),
        (&json!("siderolabs/sbc-rpi-generic"), &json!("siderolabs/sbc-rpi-generic:v0.1.0"))
    );
    assert_eq!(first.as_object().unwrap().len(), 4);
}

#[test]
fn unknown_versions_are_not_found_and_wrong_ones_are_mistakes() {
    let factory = Factory::with_release(&[]).unwrap();
    for what in ["extensions", "overlays"] {
        let unknown = factory.get(&format!("/version/v1.5.0-alpha.0/{what}/official"));
        assert_eq!(
            (unknown.status, unknown.text().as_str()),
            (404, "version 1.5.0-alpha.0 is not available\n")
        );
        for version in ["latest", "1.13", "..", "v1.13.0.0", "%20"] {
            assert_eq!(factory.get(&format!("/version/{version}/{what}/official")).status, 400, "{version}");
        }
    }
}

#[test]
fn programs_are_listed_and_served() {
    let factory = Factory::with_release(&[]).unwrap();
    for version in ["v1.11.0", "v1.12.0"] {
        let urls: Vec<String> =
            PROGRAMS.iter().map(|name| format!("{}/talosctl/{version}/{name}", factory.url())).collect();
        assert_eq!(factory.get(&format!("/talosctl/{version}")).json(), json!(urls));
    }
    for name in PROGRAMS {
        let answer = factory.get(&format!("/talosctl/1.11.0/{name}"));
        assert_eq!((answer.status, answer.body.as_slice()), (200, program(name).as_slice()), "{name}");
        let disposition = format!("attachment; filename=\"{name}\"");
        assert_eq!(answer.header("content-disposition"), Some(disposition.as_str()));
        let head = factory.head(&format!("/talosctl/1.11.0/{name}"));
        assert_eq!(head.header("content-length"), Some(answer.body.len().to_string().as_str()));
    }
    let part = factory.get_with("/talosctl/v1.11.0/talosctl-linux-amd64", &[("Range", "bytes=3-9")]);
    assert_eq!((part.status, part.text().as_str()), (206, "osctl-l"));
}

#[test]
fn old_versions_have_no_programs() {
    let factory = Factory::with_release(&[]).unwrap();
    for version in ["1.10.0", "1.8.2", "1.3.7"] {
        assert_eq!(factory.get(&format!("/talosctl/v{version}")).json(), json!([]));
        let answer = factory.get(&format!("/talosctl/v{version}/talosctl-linux-amd64"));
        assert_eq!((answer.status, answer.text()), (404, format!("version {version} is not available\n")));
    }
    for name in ["nothing", "..", "%2e%2e", "talosctl-linux-amd64%2F..", "%00"] {
        assert_eq!(factory.get(&format!("/talosctl/v1.11.0/{name}")).status, 404, "{name}");
    }
}

#[test]
fn without_versions_the_source_is_to_blame() {
    let factory = Factory::start(&[]).unwrap();
    let answer = factory.get_with("/versions", &[("X-Request-ID", "the-request")]);
    assert_eq!(answer.status, 502);
    assert!(answer.text().contains("try again (request the-request)"), "{}", answer.text());
    let error = Factory::start(&[("source", "oci:/no/such/layout")]).unwrap_err();
    assert_eq!(error.to_string(), "cannot use the source oci:/no/such/layout");
}
