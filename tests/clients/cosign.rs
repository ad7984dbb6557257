//! Stock cosign on what the service signs, with either kind of key, without a network.

use std::path::Path;

use fs_err as fs;
use schematics::Digest;
use signing::KeyAlgorithm;
use tests::keys::SigningKeyFiles;
use tests::{Failure, or_skip, tool};

use crate::registry::Registry;
use crate::site::{Site, VERSION, text};

const FROM: &str = "nothing; run tests/tools/cosign.sh target/tools";
const BUNDLE: &str = "application/vnd.dev.sigstore.bundle.v0.3+json";
/// Without one, cosign asks the network for the certificates of people who sign with their names.
pub(crate) const NO_ROOT: &str =
    "{\"mediaType\":\"application/vnd.dev.sigstore.trustedroot+json;version=0.1\"}";
pub(crate) const REGISTRY: [&str; 3] =
    ["--insecure-ignore-tlog", "--allow-insecure-registry", "--allow-http-registry"];

/// What cosign says of a signature.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    Good,
    /// Why it is not.
    Bad(String),
}

pub(crate) fn cosign(arguments: &[&str]) -> Result<Verdict, Failure> {
    match tool::run("cosign", FROM, arguments) {
        Ok(_) => Ok(Verdict::Good),
        Err(Failure::Program { stderr, .. }) => Ok(Verdict::Bad(stderr)),
        Err(other) => Err(other),
    }
}

/// Both ways in which a signature is kept: as an image with a tag, and in a bundle that refers to the image.
fn verify(key: &Path, image: &str, root: &Path) -> Result<[Verdict; 2], Failure> {
    let (key, root) = (text(key), text(root));
    let by_tag = [&["verify", "--key", &key], &REGISTRY[..], &[image]].concat();
    let bundled = ["--new-bundle-format", "--trusted-root", &root];
    let by_referrer = [&["verify", "--key", &key], &REGISTRY[..], &bundled, &[image]].concat();
    Ok([cosign(&by_tag)?, cosign(&by_referrer)?])
}

#[track_caller]
fn all_bad(verdicts: &[Verdict], about: &str, words: &[&str]) {
    for verdict in verdicts {
        let Verdict::Bad(why) = verdict else { panic!("{about}: it was believed") };
        assert!(words.iter().any(|word| why.contains(word)), "{about}: {why}");
    }
}

/// An installer's index and manifests by every name they have.
fn references(site: &Site) -> Vec<String> {
    let (host, repository) = (site.host(), site.repository());
    let index = site.json(&repository, "manifests", VERSION);
    let images = index["manifests"].as_array().unwrap().iter();
    let digests = images.map(|image| image["digest"].as_str().unwrap().to_owned());
    let digests = digests.chain([site.digest(&repository, VERSION)]);
    let mut names: Vec<String> = digests.map(|digest| format!("{host}/{repository}@{digest}")).collect();
    assert_eq!(names.len(), 3);
    names.extend([format!("{host}/{repository}:{VERSION}"), format!("{host}/metal-{repository}:latest")]);
    names
}

fn check_installers(algorithm: KeyAlgorithm) -> Result<(), Failure> {
    let (own, other) =
        (SigningKeyFiles::generate(algorithm).unwrap(), SigningKeyFiles::generate(algorithm).unwrap());
    let site = Site::signing(&own)?;
    let root = site.dir.path().join("root.json");
    fs::write(&root, NO_ROOT).unwrap();
    let published = site.dir.path().join("published.pub");
    fs::write(&published, site.factory.get("/oci/cosign/signing-key.pub").body).unwrap();
    for image in references(&site) {
        assert_eq!(verify(&published, &image, &root)?, [Verdict::Good, Verdict::Good], "{image}");
        let mistaken = verify(&other.public(), &image, &root)?;
        all_bad(
            &mistaken,
            &image,
            &["invalid signature", "no matching", "could not verify", "failed to verify"],
        );
    }
    // Ours are signed by us; what is passed on is not.
    let passed_on = format!("{}/siderolabs/imager:{VERSION}", site.host());
    let verdicts = verify(&published, &passed_on, &root)?;
    all_bad(
        &verdicts,
        &passed_on,
        &["invalid signature", "no matching", "no signatures", "no valid bundles"],
    );
    Ok(())
}

#[test]
fn cosign_verifies_installers() {
    for algorithm in [KeyAlgorithm::EcdsaP256, KeyAlgorithm::Ed25519] {
        or_skip(check_installers(algorithm));
    }
}

fn copy(from: &str, to: &str) -> Result<(), Failure> {
    let options = ["--insecure-policy", "copy", "--quiet", "--all", "--preserve-digests"];
    let insecure = ["--src-tls-verify=false", "--dest-tls-verify=false"];
    let (from, to) = (format!("docker://{from}"), format!("docker://{to}"));
    tool::run("skopeo", "skopeo", [&options[..], &insecure, &[&from, &to]].concat()).map(drop)
}

#[test]
fn a_signature_of_another_image_is_not_believed() {
    let checked = Registry::open().and_then(|registry| {
        let own = SigningKeyFiles::generate(KeyAlgorithm::EcdsaP256).unwrap();
        let site = Site::signing(&own)?;
        let root = site.dir.path().join("root.json");
        fs::write(&root, NO_ROOT).unwrap();
        let (host, repository) = (site.host(), site.repository());
        let index = site.json(&repository, "manifests", VERSION);
        let [one, other] = [0, 1].map(|at| index["manifests"][at]["digest"].as_str().unwrap().to_owned());
        let signature = |digest: &str| format!("{}.sig", digest.replace(':', "-"));
        let theirs = format!("{}/copied", registry.host);
        let place = |digest: &str| format!("{theirs}:{}", signature(digest));
        copy(&format!("{host}/{repository}@{one}"), &format!("{theirs}:image"))?;
        let image = format!("{theirs}@{one}");

        // The signature of one image under the name of that of another, and then the right one, which may be copied.
        copy(&format!("{host}/{repository}:{}", signature(&other)), &place(&one))?;
        let [by_tag, _] = verify(&own.public(), &image, &root)?;
        all_bad(&[by_tag], "replayed", &["invalid or missing digest in claim", "no matching"]);
        copy(&format!("{host}/{repository}:{}", signature(&one)), &place(&one))?;
        let [by_tag, _] = verify(&own.public(), &image, &root)?;
        assert_eq!(by_tag, Verdict::Good);
        Ok(())
    });
    or_skip(checked);
}

fn check_downloads(algorithm: KeyAlgorithm) -> Result<(), Failure> {
    let (own, other) =
        (SigningKeyFiles::generate(algorithm).unwrap(), SigningKeyFiles::generate(algorithm).unwrap());
    let site = Site::signing(&own)?;
    let save = |name: &str, bytes: &[u8]| {
        let path = site.dir.path().join(name);
        fs::write(&path, bytes).unwrap();
        text(&path)
    };
    let root = save("root.json", NO_ROOT.as_bytes());
    for asset in ["metal-amd64.iso", "kernel-arm64", "installer-amd64.tar"] {
        let bytes = site.download(asset);
        let bundle = save("bundle", &site.download(&format!("{asset}.sigstore.json")));
        let judge = |key: &Path, file: &str| {
            let bundled = ["--bundle", &bundle, "--new-bundle-format", "--trusted-root", &root];
            let key = text(key);
            cosign(
                &[&["verify-blob", "--key", &key, "--insecure-ignore-tlog"], &bundled[..], &[file]].concat(),
            )
        };
        let file = save("file", &bytes);
        assert_eq!(judge(&own.public(), &file)?, Verdict::Good, "{asset}");
        let mut flipped = bytes.clone();
        *flipped.last_mut().unwrap() ^= 1;
        let bad = [judge(&other.public(), &file)?, judge(&own.public(), &save("flipped", &flipped))?];
        all_bad(
            &bad,
            asset,
            &["failed to verify", "could not verify", "invalid signature", "does not match"],
        );
        let sum = format!("{}  {asset}\n", Digest::of(&bytes).hex());
        assert_eq!(site.download(&format!("{asset}.sha256")), sum.as_bytes());
    }
    Ok(())
}

#[test]
fn cosign_verifies_downloads() {
    for algorithm in [KeyAlgorithm::EcdsaP256, KeyAlgorithm::Ed25519] {
        or_skip(check_downloads(algorithm));
    }
}

#[test]
fn oras_discovers_the_bundles() {
    let own = SigningKeyFiles::generate(KeyAlgorithm::EcdsaP256).unwrap();
    let discovered = Site::signing(&own).and_then(|site| {
        for image in references(&site) {
            let arguments = ["discover", "--plain-http", "--format=json", &image];
            let told = tool::run("oras", crate::programs::BUILT, arguments)?;
            let told: serde_json::Value = serde_json::from_slice(&told).unwrap();
            let key = if told["referrers"].is_array() { "referrers" } else { "manifests" };
            // The signature, and what is said about the image.
            let found = told[key].as_array().unwrap();
            assert!(
                found.len() > 1 && found.iter().all(|one| one["artifactType"] == BUNDLE),
                "{image}: {told}"
            );
        }
        Ok(())
    });
    or_skip(discovered);
}
