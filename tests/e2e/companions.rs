//! What goes beside assets: checksums and signatures, as the tools that check them read them.

use std::path::Path;

use fs_err as fs;
use serde_json::Value;
use signing::{KeyAlgorithm, PublicKey};
use tests::http::Answer;
use tests::keys::{KeyFiles, SigningKeyFiles};
use tests::server::Factory;

use crate::site::{FIXED_URL, Site, judge, refuses, report};

const GVISOR: &str =
    "customization: {extraKernelArgs: [quiet], systemExtensions: {officialExtensions: [siderolabs/gvisor]}}";
const BUNDLE: &str = "application/vnd.dev.sigstore.bundle.v0.3+json";
/// Without one, cosign asks the network for the certificates of people who sign with their names.
const NO_ROOT: &str = "{\"mediaType\":\"application/vnd.dev.sigstore.trustedroot+json;version=0.1\"}";

/// The answer to GET, which HEAD has to agree with.
#[track_caller]
fn both(site: &Site, asset: &str) -> Answer {
    let (head, answer) = (site.factory.head(&site.path(asset)), site.get(asset));
    assert_eq!((head.status, answer.status), (200, 200), "{asset}: {}", answer.text());
    for name in ["content-type", "content-length", "content-disposition", "etag", "cache-control"] {
        assert_eq!(head.header(name), answer.header(name), "{asset} {name}");
    }
    assert_eq!(answer.header("content-length"), Some(answer.body.len().to_string().as_str()), "{asset}");
    answer
}

/// Runs cosign over files of a site.
fn cosign_accepts(site: &Site, key: &Path, bundle: &Path, file: &Path) -> Option<bool> {
    let root = site.save("root.json", NO_ROOT.as_bytes());
    let refused = refuses(
        "cosign",
        "tests/tools/cosign.sh",
        &[
            &"verify-blob",
            &"--key",
            &key,
            &"--bundle",
            &bundle,
            &"--new-bundle-format",
            &"--insecure-ignore-tlog",
            &"--trusted-root",
            &root,
            &file,
        ],
    );
    refused.map(|refused| !refused)
}

#[test]
fn checksums_are_those_of_the_download() {
    let site = Site::new(GVISOR);
    for asset in ["kernel-amd64", "metal-amd64.iso", "metal-arm64.addon.efi", "metal-amd64.iso.pcrs.json"] {
        let bytes = site.bytes(&format!("v1.13.0/{asset}"));
        site.save(asset, &bytes);
        for (suffix, program) in [(".sha256", "sha256sum"), (".sha512", "sha512sum")] {
            let name = format!("{asset}{suffix}");
            let answer = both(&site, &format!("v1.13.0/{name}"));
            assert_eq!(answer.header("content-type"), Some("text/plain; charset=utf-8"));
            let disposition = format!("attachment; filename=\"{name}\"");
            assert_eq!(answer.header("content-disposition"), Some(disposition.as_str()));
            assert!(answer.text().ends_with(&format!("  {asset}\n")), "{}", answer.text());
            let sums = site.save(&name, &answer.body);
            let file = site.dir.path().join(asset);
            let Some(made) = report(program, "coreutils", &[&file]) else { return };
            assert_eq!(made.split(' ').next(), answer.text().split(' ').next(), "{name}");
            // The line is one that the tool checks with, once it is where the file is.
            let check = format!("cd {} && {program} --check --strict {name}", site.dir.path().display());
            assert!(judge("sh", "dash", &[&"-c", &check]).is_some());
            let mut changed = bytes.clone();
            changed[0] ^= 1;
            fs::write(&file, changed).unwrap();
            assert_eq!(refuses("sh", "dash", &[&"-c", &check]), Some(true), "{name}");
            fs::write(&file, &bytes).unwrap();
            assert!(sums.is_file());
        }
    }
}

#[test]
fn a_checksum_is_computed_once_and_kept() {
    let site = Site::new("{}");
    let path = site.path("v1.13.0/metal-amd64.iso.sha512");
    let first = site.factory.get(&path).text();
    let kept = |site: &Site| fs::read_dir(site.factory.data().join("contents")).unwrap().count();
    assert_eq!(kept(&site), 1);
    // The schematic id is not in the bytes of a kernel, so what is known of one is known of all.
    site.get("v1.13.0/kernel-amd64.sha256");
    assert_eq!(kept(&site), 2);
    site.get("v1.13.0/kernel-amd64.sha512");
    assert_eq!(kept(&site), 2);
    let Site { factory, .. } = site;
    let again = Factory::start_on(factory.stop().unwrap(), &[FIXED_URL]).unwrap();
    assert_eq!(again.get(&path).text(), first);
}

#[test]
fn every_asset_has_a_signature_that_cosign_accepts() {
    let keys = KeyFiles::generate().unwrap();
    for algorithm in [KeyAlgorithm::EcdsaP256, KeyAlgorithm::Ed25519] {
        let own = SigningKeyFiles::generate(algorithm).unwrap();
        let other = SigningKeyFiles::generate(algorithm).unwrap();
        let (file, private) = (keys.file(), own.private());
        let configured =
            [FIXED_URL, ("keys", file.to_str().unwrap()), ("signing-key", private.to_str().unwrap())];
        let site = Site::of(Factory::with_release(&configured).unwrap(), GVISOR);
        let mut last = None;
        for asset in [
            "initramfs-amd64.xz",
            "cmdline-metal-amd64",
            "metal-amd64-secureboot-uki.efi",
            "metal-amd64-secureboot.addon.efi",
            "installer-amd64.tar",
            "metal-amd64-secureboot.iso.pcrs.json.p7s",
        ] {
            let file = site.download(&format!("v1.13.0/{asset}"));
            let answer = both(&site, &format!("v1.13.0/{asset}.sigstore.json"));
            assert_eq!(answer.header("content-type"), Some(BUNDLE));
            let disposition = format!("attachment; filename=\"{asset}.sigstore.json\"");
            assert_eq!(answer.header("content-disposition"), Some(disposition.as_str()));
            let bundle = site.save("bundle", &answer.body);
            let accepts = |key: &Path, file: &Path| cosign_accepts(&site, key, &bundle, file);
            let Some(accepted) = accepts(&own.public(), &file) else { return };
            assert!(accepted, "{asset}");
            assert_eq!(accepts(&other.public(), &file), Some(false), "{asset}");
            let mut bytes = fs::read(&file).unwrap();
            bytes[0] ^= 1;
            assert_eq!(accepts(&own.public(), &site.save("changed", &bytes)), Some(false), "{asset}");
            if let Some(last) = last.replace(file) {
                assert_eq!(accepts(&own.public(), &last), Some(false), "{asset}: the signature of another");
            }
        }
    }
}

#[test]
fn replicas_with_the_same_key_serve_the_same_signatures() {
    for algorithm in [KeyAlgorithm::EcdsaP256, KeyAlgorithm::Ed25519] {
        let own = SigningKeyFiles::generate(algorithm).unwrap();
        let private = own.private();
        let replica = || {
            let keys = [FIXED_URL, ("signing-key", private.to_str().unwrap())];
            let site = Site::of(Factory::with_release(&keys).unwrap(), "{}");
            let published = site.factory.get("/oci/cosign/signing-key.pub");
            assert_eq!(published.header("content-type"), Some("application/x-pem-file"));
            assert_eq!(published.text(), fs::read_to_string(own.public()).unwrap());
            site.bytes("v1.13.0/metal-amd64.iso.sigstore.json")
        };
        let first = replica();
        assert_eq!(replica(), first);
        let bundle: Value = serde_json::from_slice(&first).unwrap();
        assert_eq!(bundle["mediaType"], BUNDLE);
    }
}

#[test]
fn without_configuration_a_factory_keeps_a_key_of_its_own() {
    let first = Factory::with_release(&[]).unwrap();
    let public = |factory: &Factory| factory.get("/oci/cosign/signing-key.pub").text();
    let made = public(&first);
    assert_eq!(PublicKey::from_pem(&made).unwrap().algorithm(), KeyAlgorithm::EcdsaP256);
    let again = Factory::start_on(first.stop().unwrap(), &[]).unwrap();
    assert_eq!(public(&again), made);
    assert_ne!(public(&Factory::with_release(&[]).unwrap()), made);

    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("key.pem");
    for text in ["", "-----BEGIN PRIVATE KEY-----\nc2VjcmV0\n-----END PRIVATE KEY-----\n"] {
        fs::write(&file, text).unwrap();
        let error = Factory::start(&[("signing-key", file.to_str().unwrap())]).unwrap_err();
        let told = format!("{error} {error:?}");
        assert!(told.contains(file.to_str().unwrap()) && !told.contains("c2Vj"), "{told}");
    }
}

#[test]
fn the_sums_of_a_version_are_those_of_its_assets() {
    let keys = KeyFiles::generate().unwrap();
    let file = keys.file();
    let configured = [FIXED_URL, ("keys", file.to_str().unwrap())];
    let site = Site::of(Factory::with_release(&configured).unwrap(), "{}");
    let answer = both(&site, "v1.13.0/SHA256SUMS");
    assert_eq!(answer.header("content-type"), Some("text/plain; charset=utf-8"));
    let text = answer.text();
    let names: Vec<&str> = text.lines().map(|line| line.split_once("  ").unwrap().1).collect();
    for name in [
        "kernel-amd64",
        "initramfs-arm64.xz",
        "cmdline-metal-amd64",
        "metal-arm64-uki.efi",
        "metal-amd64.iso",
        "metal-amd64-secureboot.iso",
        "installer-arm64-secureboot.tar",
    ] {
        assert!(names.contains(&name), "{name}: {names:?}");
    }
    assert_eq!(names.len(), 20);
    for name in ["kernel-arm64", "metal-amd64-secureboot.iso"] {
        let one = site.get(&format!("v1.13.0/{name}.sha256")).text();
        assert!(text.contains(&one), "{one}");
        fs::write(site.dir.path().join(name), site.bytes(&format!("v1.13.0/{name}"))).unwrap();
    }
    let sums = site.save("SHA256SUMS", &answer.body);
    let check =
        format!("cd {} && sha256sum --check --strict --ignore-missing SHA256SUMS", site.dir.path().display());
    assert_eq!(refuses("sh", "dash", &[&"-c", &check]), Some(false));

    let public = site.save("own.pub", &site.factory.get("/oci/cosign/signing-key.pub").body);
    let bundle = site.save("bundle", &both(&site, "v1.13.0/SHA256SUMS.sigstore.json").body);
    if let Some(accepted) = cosign_accepts(&site, &public, &bundle, &sums) {
        assert!(accepted);
        let changed = site.save("changed", text.replace("kernel", "colonel").as_bytes());
        assert_eq!(cosign_accepts(&site, &public, &bundle, &changed), Some(false));
    }
}

#[test]
fn sums_are_of_what_there_is() {
    let site = Site::new("{}");
    // Unified kernel images are younger than this version.
    let old = site.get("v1.3.7/SHA512SUMS").text();
    assert!(old.contains("  metal-amd64.iso\n") && !old.contains("uki"), "{old}");
    assert_eq!(old.split_once("  ").unwrap().0.len(), 128);
    let aws = site.get("v1.13.0/SHA256SUMS?platform=aws").text();
    assert!(aws.contains("  aws-installer-amd64.tar\n") && !aws.contains("metal"), "{aws}");
    assert_eq!(site.get("v1.13.0/SHA256SUMS?platform=awz").status, 400);
    assert_eq!(site.get("v1.99.0/SHA256SUMS").status, 404);
    assert_eq!(site.get("v1.13.0/SHA256SUMS.sha256").status, 400);
}
