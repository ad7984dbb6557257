//! Documents beside assets: of what they are made, how, and what is inside, as the tools that check them read them.

use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use schematics::Digest;
use serde_json::Value;
use tests::keys::KeyFiles;

use crate::secureboot::signing;
use crate::site::{FULL, Site, judge, refuses};

const SETUP: &str = "make setup-test";
/// Without one, cosign asks the network for the certificates of people who sign with their names.
const NO_ROOT: &str = "{\"mediaType\":\"application/vnd.dev.sigstore.trustedroot+json;version=0.1\"}";

/// The public key of a factory as a file.
fn public_key(site: &Site) -> PathBuf {
    let answer = site.factory.get("/oci/cosign/signing-key.pub");
    assert_eq!(answer.status, 200, "{}", answer.text());
    site.save("signing-key.pub", &answer.body)
}

fn cosign_accepts(site: &Site, (kind, bundle): (&str, &Path), file: &Path) -> Option<bool> {
    let (key, root) = (public_key(site), site.save("root.json", NO_ROOT.as_bytes()));
    let refused = refuses(
        "cosign",
        SETUP,
        &[
            &"verify-blob-attestation",
            &"--key",
            &key,
            &"--bundle",
            &bundle,
            &"--new-bundle-format",
            &"--insecure-ignore-tlog",
            &"--trusted-root",
            &root,
            &"--type",
            &kind,
            &file,
        ],
    );
    refused.map(|refused| !refused)
}

/// The statement in a bundle.
fn statement(bundle: &[u8]) -> Value {
    let bundle: Value = serde_json::from_slice(bundle).unwrap();
    let payload = bundle["dsseEnvelope"]["payload"].as_str().unwrap();
    serde_json::from_slice(&STANDARD.decode(payload).unwrap()).unwrap()
}

#[test]
fn cosign_accepts_the_provenance_of_an_asset_and_of_no_other() {
    let site = Site::new(FULL);
    let asset = "v1.12.0/metal-amd64.iso";
    let (file, other) = (site.download(asset), site.download("v1.12.0/metal-arm64.iso"));
    let bundle = site.download(&format!("{asset}.provenance.json"));
    let Some(accepted) = cosign_accepts(&site, ("slsaprovenance1", &bundle), &file) else { return };
    assert!(accepted);
    assert_eq!(cosign_accepts(&site, ("slsaprovenance1", &bundle), &other), Some(false));
    let text = fs_err::read_to_string(&bundle).unwrap();
    let at = text.find("\"payload\":\"").unwrap() + 400;
    let changed = if &text[at..=at] == "A" { "B" } else { "A" };
    let tampered =
        site.save("tampered.json", format!("{}{changed}{}", &text[..at], &text[at + 1..]).as_bytes());
    assert_eq!(cosign_accepts(&site, ("slsaprovenance1", &tampered), &file), Some(false));
}

#[test]
fn the_provenance_is_what_in_toto_and_slsa_say_it_is() {
    let site = Site::new(FULL);
    let asset = "v1.12.0/initramfs-amd64.xz";
    let told = statement(&site.bytes(&format!("{asset}.provenance.json")));
    assert_eq!(told["subject"][0]["digest"]["sha256"], Digest::of(&site.bytes(asset)).hex());
    assert_eq!(told["subject"][0]["name"], "initramfs-amd64.xz");
    let used = told["predicate"]["buildDefinition"]["resolvedDependencies"].as_array().unwrap();
    let roles: Vec<&str> = used.iter().map(|one| one["annotations"]["role"].as_str().unwrap()).collect();
    assert_eq!(roles, ["release", "extension-catalogue", "extension", "extension", "extension"]);
    let text = told.to_string();
    let good = site.save("statement.json", text.as_bytes());
    let Some(_) = judge("in-toto-validate", SETUP, &[&good]) else { return };
    for (part, broken) in [
        ("https://in-toto.io/Statement/v1", "https://in-toto.io/Statement/v9"),
        ("\"buildType\":\"https://image-factory.example/build/v1\"", "\"buildType\":\"\""),
        ("\"resolvedDependencies\"", "\"materials\""),
        ("\"digest\":{\"sha256\"", "\"digests\":{\"sha256\""),
    ] {
        assert!(text.contains(part), "{part}");
        let broken = site.save("broken.json", text.replace(part, broken).as_bytes());
        assert_eq!(refuses("in-toto-validate", SETUP, &[&broken]), Some(true), "{part}");
    }
}

#[test]
fn the_lock_and_the_provenance_say_the_same() {
    let keys = KeyFiles::generate().unwrap();
    let site = signing(&keys, FULL);
    let asset = "v1.13.0/metal-amd64-secureboot.iso";
    let answer = site.get(&format!("{asset}.lock.json"));
    assert_eq!(answer.header("content-type"), Some("application/json"));
    let lock = answer.json();
    let told = statement(&site.bytes(&format!("{asset}.provenance.json")));
    let definition = &told["predicate"]["buildDefinition"];
    assert_eq!(definition["externalParameters"]["schematic"], lock["schematic"]);
    assert_eq!(definition["internalParameters"]["builds"][0]["plan"], lock["plan"]);
    assert_eq!(definition["internalParameters"]["signer"], lock["signer"]);
    assert_eq!(definition["internalParameters"]["settings"], lock["settings"]);
    let certificate = site.factory.get("/secureboot/signing-cert.der").body;
    assert_eq!(lock["signer"]["certificate"], Digest::of(&certificate).to_string());
    assert_eq!(told["predicate"]["runDetails"]["builder"]["id"], "http://factory.example");
}

#[test]
fn what_is_inside_an_asset_is_told_in_both_forms_by_its_digest() {
    let site = Site::new(FULL);
    let asset = "v1.12.0/metal-amd64.iso";
    let digest = Digest::of(&site.bytes(asset)).hex();
    let spdx = site.get(&format!("{asset}.spdx.json"));
    assert_eq!(spdx.header("content-type"), Some("application/spdx+json"));
    assert_eq!(spdx.json()["packages"][0]["checksums"][0]["checksumValue"], digest);
    let file = site.save("asset.spdx.json", &spdx.body);
    drop(judge("pyspdxtools", SETUP, &[&"-i", &file]));

    let cdx = site.get(&format!("{asset}.cdx.json"));
    assert_eq!(cdx.header("content-type"), Some("application/vnd.cyclonedx+json"));
    assert_eq!(cdx.json()["metadata"]["component"]["hashes"][0]["content"], digest);
    let text = cdx.text();
    let file = site.save("asset.cdx.json", &cdx.body);
    let Some(_) = judge("cyclonedx-validate", SETUP, &[&file]) else { return };
    for (good, broken) in [
        ("\"CycloneDX\"", "\"SomethingElse\""),
        ("\"urn:uuid:", "\"uuid:"),
        ("\"type\": \"container\"", "\"type\": \"box\""),
        ("\"alg\": \"SHA-256\"", "\"alg\": \"SHA-257\""),
    ] {
        assert!(text.contains(good), "{good}");
        let file = site.save("broken.cdx.json", text.replace(good, broken).as_bytes());
        assert_eq!(refuses("cyclonedx-validate", SETUP, &[&file]), Some(true), "{good}");
    }
}

#[test]
fn documents_are_the_same_bytes_in_every_factory() {
    let [one, other] = [(); 2].map(|()| Site::new(FULL));
    for suffix in ["lock.json", "spdx.json", "cdx.json"] {
        let asset = format!("v1.12.0/metal-amd64-uki.efi.{suffix}");
        assert_eq!(one.bytes(&asset), other.bytes(&asset), "{suffix}");
    }
    let asset = "v1.12.0/metal-amd64-uki.efi.provenance.json";
    assert_eq!(one.bytes(asset), one.bytes(asset));
    assert_eq!(statement(&one.bytes(asset)), statement(&other.bytes(asset)));
}

#[test]
fn what_has_no_such_document_says_so() {
    let site = Site::new("{}");
    for (asset, status) in [
        ("v1.12.0/metal-amd64.iso.pcrs.json.spdx.json", 400),
        ("v1.12.0/metal-amd64.iso.pcrs.json.lock.json", 200),
        ("v1.12.0/metal-amd64.raw.lock.json", 501),
        ("v1.12.0/metl-amd64.iso.lock.json", 400),
        ("v1.99.0/metal-amd64.iso.provenance.json", 404),
        ("v1.12.0/metal-amd64-secureboot.iso.lock.json", 400),
        ("v1.3.7/kernel-amd64.cdx.json", 200),
    ] {
        let answer = site.get(asset);
        assert_eq!(answer.status, status, "{asset}: {}", answer.text());
    }
}
