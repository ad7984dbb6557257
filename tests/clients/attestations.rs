//! Stock cosign on what the service says about installers: what is inside, how they were made, and of what.

use fs_err as fs;
use signing::KeyAlgorithm;
use tests::keys::SigningKeyFiles;
use tests::{Failure, or_skip};

use crate::cosign::{NO_ROOT, REGISTRY, Verdict, cosign};
use crate::site::{Site, VERSION, text};

fn check(algorithm: KeyAlgorithm) -> Result<(), Failure> {
    let (own, other) =
        (SigningKeyFiles::generate(algorithm).unwrap(), SigningKeyFiles::generate(algorithm).unwrap());
    let site = Site::signing(&own)?;
    let root = site.dir.path().join("root.json");
    fs::write(&root, NO_ROOT).unwrap();
    let (root, repository) = (text(&root), site.repository());
    let verify = |key: &str, kind: &str, digest: &str| {
        let image = format!("{}/{repository}@{digest}", site.host());
        let head = ["verify-attestation", "--key", key, "--type", kind];
        let bundled = ["--new-bundle-format", "--trusted-root", &root];
        cosign(&[&head[..], &REGISTRY, &bundled, &[&image]].concat())
    };
    let (key, mistaken) = (text(&own.public()), text(&other.public()));
    let index = site.digest(&repository, VERSION);
    let told = site.json(&repository, "manifests", VERSION);
    let images = told["manifests"].as_array().unwrap().iter();
    let images: Vec<&str> = images.map(|image| image["digest"].as_str().unwrap()).collect();
    let lock = "https://image-factory.example/lock/v1";
    for (digest, has, has_not) in [
        (images[0], ["spdxjson", "cyclonedx"], "slsaprovenance1"),
        (images[1], ["spdxjson", "cyclonedx"], "slsaprovenance1"),
        (index.as_str(), ["slsaprovenance1", lock], "spdxjson"),
    ] {
        for kind in has {
            assert_eq!(verify(&key, kind, digest)?, Verdict::Good, "{kind} of {digest}");
            assert!(matches!(verify(&mistaken, kind, digest)?, Verdict::Bad(_)), "{kind} of {digest}");
        }
        assert!(matches!(verify(&key, has_not, digest)?, Verdict::Bad(_)), "{has_not} of {digest}");
    }
    Ok(())
}

#[test]
fn cosign_verifies_attestations_of_installers() {
    for algorithm in [KeyAlgorithm::EcdsaP256, KeyAlgorithm::Ed25519] {
        or_skip(check(algorithm));
    }
}
