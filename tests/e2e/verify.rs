//! `factory verify` on what a factory served.

use std::path::Path;

use extensions::SourceSpec;
use extensions::source::RegistryOptions;
use factory::verify::{CheckError, Checked, Fact, FileToCheck, ImageToCheck, check_file, check_image};
use fs_err as fs;
use signing::{KeyAlgorithm, PublicKey, SigningKey};
use tests::keys::SigningKeyFiles;
use tests::server::Factory;
use tests::tool::run;

use crate::site::{FIXED_URL, Site};

const ISO: &str = "metal-amd64.iso";

fn signing(algorithm: KeyAlgorithm) -> (Site, PublicKey) {
    let own = SigningKeyFiles::generate(algorithm).unwrap();
    let key = own.private();
    let factory = Factory::with_release(&[FIXED_URL, ("signing-key", key.to_str().unwrap())]).unwrap();
    let public = PublicKey::from_pem(&fs::read_to_string(own.public()).unwrap()).unwrap();
    (Site::of(factory, "{}"), public)
}

fn check(key: &PublicKey, file: &Path) -> Result<Checked, CheckError> {
    check_file(key, &FileToCheck { file, bundles: &[] })
}

#[test]
fn a_download_is_checked_with_what_lies_beside_it() {
    for algorithm in [KeyAlgorithm::EcdsaP256, KeyAlgorithm::Ed25519] {
        let (site, key) = signing(algorithm);
        let iso = site.save(ISO, &site.bytes(&format!("v1.13.0/{ISO}")));
        assert!(matches!(check(&key, &iso), Err(CheckError::Unsigned { .. })));
        for suffix in [".sha256", ".sha512", ".sigstore.json", ".provenance.json", ".pcrs.json"] {
            let name = format!("{ISO}{suffix}");
            site.save(&name, &site.bytes(&format!("v1.13.0/{name}")));
        }
        let checked = check(&key, &iso).unwrap();
        let count = |wanted: fn(&Fact) -> bool| checked.facts.iter().filter(|fact| wanted(fact)).count();
        assert_eq!(count(|fact| matches!(fact, Fact::Checksum(_))), 2, "{checked}");
        assert_eq!(count(|fact| matches!(fact, Fact::Signature(..))), 1, "{checked}");
        assert!(checked.to_string().contains(&format!("by key {}", key.id())), "{checked}");

        let other = SigningKey::new(algorithm).unwrap();
        assert!(matches!(check(other.public_key(), &iso), Err(CheckError::Bundle { .. })));
        let good = fs::read(&iso).unwrap();
        let mut flipped = good.clone();
        flipped[good.len() / 2] ^= 1;
        fs::write(&iso, &flipped).unwrap();
        assert!(matches!(check(&key, &iso), Err(CheckError::Checksum { .. })));
        for suffix in [".sha256", ".sha512"] {
            fs::remove_file(site.dir.path().join(format!("{ISO}{suffix}"))).unwrap();
        }
        assert!(check(&key, &iso).is_err());
        fs::write(&iso, &good).unwrap();
        check(&key, &iso).unwrap();

        // The signature of another asset, under the name of this one's.
        let kernel = site.bytes("v1.13.0/kernel-amd64.sigstore.json");
        site.save(&format!("{ISO}.sigstore.json"), &kernel);
        assert!(matches!(check(&key, &iso), Err(CheckError::Bundle { .. })));
        site.save(&format!("{ISO}.sigstore.json"), b"{}");
        assert!(matches!(check(&key, &iso), Err(CheckError::Bundle { .. })));
    }
}

fn image(key: &PublicKey, place: &str, name: &str) -> Result<Vec<Checked>, CheckError> {
    let (place, name): (SourceSpec, _) = (place.parse().unwrap(), name.parse().unwrap());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let wanted = ImageToCheck { place: &place, name: &name };
    runtime.block_on(check_image(key, &wanted, RegistryOptions::default()))
}

#[test]
fn an_installer_is_checked_in_the_registry_and_in_a_layout() {
    let (site, key) = signing(KeyAlgorithm::EcdsaP256);
    let (registry, repository) =
        (format!("registry:{}", site.factory.url()), format!("installer/{}", site.id));
    let name = format!("{repository}:v1.13.0");
    let checked = image(&key, &registry, &name).unwrap();
    assert_eq!(checked.len(), 3);
    for one in &checked {
        let signed = |fact: &Fact| matches!(fact, Fact::Signature(..));
        let said = |fact: &Fact| matches!(fact, Fact::Statement(..));
        assert!(one.facts.iter().any(signed) && one.facts.iter().any(said), "{one}");
    }
    let other = SigningKey::generate().unwrap();
    let refused = image(other.public_key(), &registry, &name);
    assert!(
        matches!(&refused, Err(CheckError::Unsigned { found, .. }) if found.contains("ignored")),
        "{refused:?}"
    );
    assert!(matches!(image(&key, &registry, &format!("{repository}:v9.9.9")), Err(CheckError::Pull(_))));

    let layout = site.dir.path().join("layout");
    let place = format!("oci:{}", layout.display());
    let host = site.factory.address();
    let copy = |tag: &str| {
        let from = format!("docker://{host}/{repository}:{tag}");
        let to = format!("{place}:{repository}:{tag}");
        let options = ["--insecure-policy", "copy", "--quiet", "--all", "--preserve-digests"];
        let ends = ["--src-tls-verify=false", from.as_str(), to.as_str()];
        tests::or_skip(run("skopeo", "skopeo", [&options[..], &ends].concat())).is_some()
    };
    if !copy("v1.13.0") {
        return;
    }
    let unsigned = image(&key, &place, &name);
    assert!(
        matches!(&unsigned, Err(CheckError::Unsigned { found, .. }) if found == "nothing is said about it")
    );
    for one in &checked {
        let digest = one.what.rsplit_once('@').unwrap().1;
        assert!(copy(&format!("{}.sig", digest.replace(':', "-"))));
    }
    assert_eq!(image(&key, &place, &name).unwrap().len(), 3);
    // A layer that somebody changed.
    let largest = fs::read_dir(layout.join("blobs/sha256")).unwrap().map(|entry| entry.unwrap());
    let largest = largest.max_by_key(|entry| entry.metadata().unwrap().len()).unwrap().path();
    let mut bytes = fs::read(&largest).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    fs::write(&largest, bytes).unwrap();
    assert!(matches!(image(&key, &place, &name), Err(CheckError::Pull(_))));
}
