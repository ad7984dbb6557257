//! What is told of what is inside: for whom it can be told, and whether others can read it.

use serde_json::Value;
use tests::http::Answer;
use tests::release::{VEX_VERSION, WITH_SBOM};

use crate::site::{FULL, Site, judge, refuses};

const UNKNOWN: &str = "0000000000000000000000000000000000000000000000000000000000000000";

fn asked(site: &Site, version: &str, arch: &str) -> Answer {
    site.factory.get(&format!("/spdx/{}/{version}/{arch}", site.id))
}

fn document(site: &Site, version: &str) -> Value {
    let answer = asked(site, version, "amd64");
    assert_eq!(answer.status, 200, "{}", answer.text());
    answer.json()
}

/// The names of everything a document lists.
fn names(document: &Value) -> Vec<&str> {
    let packages = document["packages"].as_array().unwrap();
    packages.iter().map(|package| package["name"].as_str().unwrap()).collect()
}

#[test]
fn the_document_has_the_names_and_headers_that_clients_know() {
    let site = Site::new(FULL);
    let id = &site.id;
    let answer = asked(&site, "1.12.0", "arm64");
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert_eq!(answer.header("content-type"), Some("application/spdx+json"));
    let attachment = format!("attachment; filename=\"{id}-v1.12.0-arm64.spdx.json\"");
    assert_eq!(answer.header("content-disposition"), Some(attachment.as_str()));
    let told = answer.json();
    assert_eq!(told["spdxVersion"], "SPDX-2.3");
    assert_eq!(told["name"], format!("talos-{id}-v1.12.0-arm64"));
    assert_eq!(told["documentNamespace"], format!("http://factory.example/spdx/{id}/v1.12.0/arm64"));
    let head = site.factory.head(&format!("/spdx/{id}/v1.12.0/arm64"));
    assert_eq!((head.status, head.body.len()), (200, 0));
    let length = answer.body.len().to_string();
    assert_eq!(head.header("content-length"), Some(length.as_str()));
    assert_eq!(asked(&site, "v1.12.0", "arm64").body, answer.body);
}

#[test]
fn what_release_and_extensions_say_is_in_it() {
    let site = Site::new(FULL);
    for version in WITH_SBOM {
        let told = document(&site, version);
        let found = names(&told);
        // The release and what it says, then each extension in the schematic's order.
        for name in
            ["vmlinuz", "initramfs.xz", "talos", "containerd", "gvisor", "golang.org/x/sys", "amd-ucode"]
        {
            assert!(found.contains(&name), "{version}: no {name} in {found:?}");
        }
    }
    // A release that says nothing: what the factory knows itself is told.
    let told = document(&site, "v1.13.0");
    let found = names(&told);
    assert!(found.contains(&"gvisor") && !found.contains(&"containerd"), "{found:?}");
    let plain = Site::new("{}");
    let told = document(&plain, "v1.12.0");
    assert!(!names(&told).contains(&"gvisor"));
}

#[test]
fn the_kernel_in_it_is_the_kernel_that_is_served() {
    let site = Site::new("{}");
    let told = document(&site, "v1.12.0");
    let kernel = told["packages"].as_array().unwrap().iter().find(|one| one["name"] == "vmlinuz").unwrap();
    let served = schematics::Digest::of(&site.bytes("v1.12.0/kernel-amd64")).hex();
    assert_eq!(kernel["checksums"][0]["checksumValue"], served);
}

#[test]
fn spdx_tools_read_it_and_refuse_it_broken() {
    let site = Site::new(FULL);
    let text = asked(&site, "v1.12.0", "amd64").text();
    let file = site.save("good.spdx.json", text.as_bytes());
    let Some(_) = judge("pyspdxtools", "make setup-test", &[&"-i", &file]) else { return };
    for (good, broken) in [
        ("SPDXRef-Release\"", "SPDXRef-Re lease\""),
        ("\"relatedSpdxElement\": \"SPDXRef-Extension-0\"", "\"relatedSpdxElement\": \"SPDXRef-nothing\""),
        ("\"dataLicense\": \"CC0-1.0\"", "\"dataLicense\": \"MIT\""),
    ] {
        assert!(text.contains(good), "{good}");
        let file = site.save("broken.spdx.json", text.replace(good, broken).as_bytes());
        assert_eq!(refuses("pyspdxtools", "make setup-test", &[&"-i", &file]), Some(true), "{broken}");
    }
}

#[test]
fn what_cannot_be_told_is_refused_as_upstream_does() {
    let site = Site::new("{}");
    let id = &site.id;
    for (path, status) in [
        (format!("/spdx/{UNKNOWN}/v1.12.0/amd64"), 404),
        ("/spdx/nothing/v1.12.0/amd64".to_owned(), 404),
        (format!("/spdx/{id}/not-a-version/amd64"), 400),
        (format!("/spdx/{id}/v1.9.4/amd64"), 400),
        (format!("/spdx/{id}/v1.11.0-rc.0/amd64"), 400),
        (format!("/spdx/{id}/v1.11.0/amd64"), 200),
        (format!("/spdx/{id}/v1.12.0/invalid-arch"), 400),
        (format!("/spdx/{id}/v1.12.0/x86_64"), 400),
        (format!("/spdx/{id}/v1.99.0/amd64"), 404),
        (format!("/spdx/{id}/v1.12.0"), 404),
        ("/vex/not-a-version/vex.json".to_owned(), 400),
        ("/vex/v1.12.0/vex.json".to_owned(), 400),
        ("/vex/v1.13.0-rc.0/vex.json".to_owned(), 400),
        ("/vex/v1.13.1/vex.json".to_owned(), 404),
        ("/vex/v1.13.0/other.json".to_owned(), 404),
    ] {
        let answer = site.factory.get(&path);
        assert_eq!(answer.status, status, "{path}: {}", answer.text());
    }
    let text = site.factory.get("/vex/v1.13.1/vex.json").text();
    assert!(text.contains("there is no VEX document for Talos version v1.13.1"), "{text}");
}

#[test]
fn a_vex_document_is_passed_on_as_it_is() {
    let site = Site::new("{}");
    let answer = site.factory.get(&format!("/vex/{}/vex.json", VEX_VERSION.trim_start_matches('v')));
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert_eq!(answer.header("content-type"), Some("application/json"));
    let attachment = format!("attachment; filename=\"{VEX_VERSION}.vex.json\"");
    assert_eq!(answer.header("content-disposition"), Some(attachment.as_str()));
    assert_eq!(answer.json()["statements"][0]["status"], "not_affected");
}
