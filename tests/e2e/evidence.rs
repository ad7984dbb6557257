//! What is said about installer images, as a registry tells it. Whether it is true is for cosign to judge (`make
//! test-clients`).

use schematics::Digest;
use serde_json::Value;
use signing::bundle::Bundle;
use signing::in_toto::{self, Statement};
use signing::{PublicKey, cosign};
use tests::http::Answer;
use tests::server::Factory;

use crate::installers::{blob, manifest};
use crate::site::{FIXED_URL, Site, create};

const BUNDLE: &str = "application/vnd.dev.sigstore.bundle.v0.3+json";
const SIGNED: &str = "https://sigstore.dev/cosign/sign/v1";

fn referrers(factory: &Factory, repository: &str, digest: &str, query: &str) -> Answer {
    let answer = factory.get(&format!("/v2/{repository}/referrers/{digest}{query}"));
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert_eq!(answer.header("content-type"), Some("application/vnd.oci.image.index.v1+json"));
    answer
}

fn public_key(factory: &Factory) -> PublicKey {
    PublicKey::from_pem(&factory.get("/oci/cosign/signing-key.pub").text()).unwrap()
}

/// The index and the manifests of an installer, by their digests.
fn documents(factory: &Factory, repository: &str) -> Vec<String> {
    let (index, told) = manifest(factory, repository, "v1.13.0");
    let images = told["manifests"].as_array().unwrap().iter();
    images.map(|image| image["digest"].as_str().unwrap().to_owned()).chain([index]).collect()
}

fn tag(digest: &str) -> String {
    digest.replace(':', "-")
}

#[test]
fn an_index_and_its_images_are_signed_in_both_ways() {
    let site = Site::new("{}");
    let (factory, repository) = (&site.factory, format!("installer/{}", site.id));
    let key = public_key(factory);
    let mut told = Vec::new();
    for digest in documents(factory, &repository) {
        let about: Digest = digest.parse().unwrap();
        let (_, image) = manifest(factory, &repository, &format!("{}.sig", tag(&digest)));
        let layer = &image["layers"][0];
        let signature = layer["annotations"][cosign::ANNOTATION].as_str().unwrap().to_owned();
        let found = cosign::ImageSignature { payload: blob(factory, &repository, layer), signature };
        let claim = cosign::verify(&key, &about, &found).unwrap();
        assert_eq!(claim.reference, format!("factory.example/{repository}"));
        blob(factory, &repository, &image["config"]);

        let answer = referrers(factory, &repository, &digest, "");
        let (_, fallback) = manifest(factory, &repository, &tag(&digest));
        assert_eq!(fallback, answer.json());
        let entries = answer.json()["manifests"].as_array().unwrap().clone();
        let entry = &entries[0];
        assert_eq!(entry["artifactType"], BUNDLE);
        assert_eq!(entry["annotations"]["dev.sigstore.bundle.predicateType"], SIGNED);
        let (_, artefact) = manifest(factory, &repository, entry["digest"].as_str().unwrap());
        assert_eq!(
            (&artefact["artifactType"], &artefact["subject"]["digest"]),
            (&entry["artifactType"], &digest.clone().into())
        );
        blob(factory, &repository, &artefact["config"]);
        let bundle = Bundle::decode(&blob(factory, &repository, &artefact["layers"][0])).unwrap();
        let statement = Statement::decode(bundle.text(&key, in_toto::PAYLOAD_TYPE).unwrap()).unwrap();
        assert!(statement.is_about(&about) && statement.predicate_type == SIGNED);
        told.push((digest, entry["digest"].as_str().unwrap().to_owned(), artefact));
    }

    // Another process finds what was told by its digest alone.
    let factory = Factory::start_on(site.factory.stop().unwrap(), &[FIXED_URL]).unwrap();
    for (_, digest, artefact) in &told {
        assert_eq!(manifest(&factory, &repository, digest).1, *artefact);
        blob(&factory, &repository, &artefact["layers"][0]);
    }
}

#[test]
fn referrers_are_chosen_by_type() {
    let site = Site::new("{}");
    let (factory, repository) = (&site.factory, format!("installer/{}", site.id));
    let (index, _) = manifest(factory, &repository, "v1.13.0");
    let typed = BUNDLE.replace('+', "%2B");
    for (query, found, filtered) in [
        (String::new(), 4, None),
        (format!("?artifactType={typed}"), 4, Some("artifactType")),
        ("?artifactType=application/spdx%2Bjson".to_owned(), 0, Some("artifactType")),
    ] {
        let answer = referrers(factory, &repository, &index, &query);
        assert_eq!(answer.json()["manifests"].as_array().unwrap().len(), found, "{query}");
        assert_eq!(answer.header("oci-filters-applied"), filtered, "{query}");
    }
}

#[test]
fn nothing_is_said_about_what_is_not_there_nor_about_what_is_said() {
    let site = Site::new("{}");
    let (factory, repository) = (&site.factory, format!("installer/{}", site.id));
    let (index, _) = manifest(factory, &repository, "v1.13.0");
    let entry: Value = referrers(factory, &repository, &index, "").json()["manifests"][0].clone();
    let said = entry["digest"].as_str().unwrap();
    let unknown = Digest::of(b"unknown").to_string();
    let status = |path: String| factory.get(&format!("/v2/{path}")).status;
    for digest in [said, unknown.as_str()] {
        let answer = referrers(factory, &repository, digest, "");
        assert_eq!(answer.json()["manifests"], Value::Array(Vec::new()));
        for suffix in ["", ".sig", ".att"] {
            assert_eq!(status(format!("{repository}/manifests/{}{suffix}", tag(digest))), 404, "{suffix}");
        }
    }
    let other = format!("installer/{}", create(factory, "customization: {extraKernelArgs: [other]}"));
    assert_eq!(status(format!("{other}/manifests/{said}")), 404);
    assert_eq!(status(format!("{other}/manifests/{}.sig", tag(&index))), 404);
    assert_eq!(status(format!("{repository}/blobs/{said}")), 404);
    assert_eq!(status(format!("{repository}/referrers/sha256:00")), 400);
}

#[test]
fn only_what_is_asked_for_is_signed() {
    let site = Site::new("{}");
    let (factory, repository) = (&site.factory, format!("installer/{}", site.id));
    let (index, _) = manifest(factory, &repository, "v1.13.0");
    let records = || fs_err::read_dir(factory.data().join("registry")).unwrap().count();
    let before = records();
    referrers(factory, &repository, &index, "");
    // A manifest, a configuration and a payload for the signature, a manifest and a bundle for each of four statements, and
    // the index of referrers. The empty configuration is everybody's.
    assert_eq!(records() - before, 12);
    manifest(factory, &repository, &format!("{}.sig", tag(&index)));
    assert_eq!(records() - before, 12);
}

#[test]
fn images_say_what_is_inside_and_their_index_how_they_were_made() {
    const TOLD: &str = "v1.12.0";
    let site = Site::new("customization: {systemExtensions: {officialExtensions: [siderolabs/gvisor]}}");
    let (factory, repository) = (&site.factory, format!("installer/{}", site.id));
    let key = public_key(factory);
    let (index, told) = manifest(factory, &repository, TOLD);
    let images: Vec<&str> =
        told["manifests"].as_array().unwrap().iter().map(|image| image["digest"].as_str().unwrap()).collect();
    let statements = |digest: &str| -> Vec<Statement> {
        let entries =
            referrers(factory, &repository, digest, "").json()["manifests"].as_array().unwrap().clone();
        let statement = |entry: &Value| {
            let (_, artefact) = manifest(factory, &repository, entry["digest"].as_str().unwrap());
            let bundle = Bundle::decode(&blob(factory, &repository, &artefact["layers"][0])).unwrap();
            let statement = Statement::decode(bundle.text(&key, in_toto::PAYLOAD_TYPE).unwrap()).unwrap();
            assert!(statement.is_about(&digest.parse().unwrap()));
            assert_eq!(entry["annotations"]["dev.sigstore.bundle.predicateType"], statement.predicate_type);
            statement
        };
        entries.iter().map(statement).collect()
    };
    for (image, arch) in images.iter().zip(["amd64", "arm64"]) {
        let found = statements(image);
        let types: Vec<&str> = found.iter().map(|one| one.predicate_type.as_str()).collect();
        assert_eq!(types, [SIGNED, "https://spdx.dev/Document", "https://cyclonedx.org/bom"]);
        let spdx = &found[1].predicate;
        assert_eq!(spdx["packages"][0]["name"], format!("installer-{arch}"));
        assert_eq!(spdx["packages"][0]["checksums"][0]["checksumValue"], image["sha256:".len()..]);
        let names: Vec<&Value> =
            spdx["packages"].as_array().unwrap().iter().map(|one| &one["name"]).collect();
        for name in ["siderolabs/installer-base", "vmlinuz", "containerd", "gvisor"] {
            assert!(names.iter().any(|found| *found == name), "{name}: {names:?}");
        }
        assert_eq!(found[2].predicate["bomFormat"], "CycloneDX");
    }
    let found = statements(&index);
    let types: Vec<&str> = found.iter().map(|one| one.predicate_type.as_str()).collect();
    let lock = "https://image-factory.example/lock/v1";
    assert_eq!(types, [SIGNED, "https://slsa.dev/provenance/v1", lock, lock]);
    let definition = &found[1].predicate["buildDefinition"];
    assert_eq!(definition["externalParameters"]["asset"], "installer");
    let roles: Vec<&Value> = definition["resolvedDependencies"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| &one["annotations"]["role"])
        .collect();
    assert_eq!(roles, ["release", "installer-base", "extension-catalogue", "extension"]);
    let plans: Vec<&Value> = definition["internalParameters"]["builds"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| &one["plan"])
        .collect();
    assert_eq!(plans, [&found[2].predicate["plan"], &found[3].predicate["plan"]]);
}
