//! Images as artefacts of the registry.

use schematics::Digest;
use serde_json::Value;
use tests::server::Factory;

use crate::site::{FIXED_URL, FULL, Site, create};

const VERSION: &str = "v1.13.0";

/// A document that has to be there, with its digest.
#[track_caller]
fn document(factory: &Factory, repository: &str, reference: &str) -> (Value, String) {
    let target = format!("/v2/{repository}/manifests/{reference}");
    let (head, answer) = (factory.head(&target), factory.get(&target));
    assert_eq!((head.status, answer.status), (200, 200), "{target}: {}", answer.text());
    let digest = Digest::of(&answer.body).to_string();
    for answer in [&head, &answer] {
        assert_eq!(answer.header("docker-content-digest"), Some(digest.as_str()));
    }
    let length = answer.body.len().to_string();
    assert_eq!(head.header("content-length"), Some(length.as_str()));
    assert_eq!(answer.header("content-type"), answer.json()["mediaType"].as_str());
    (answer.json(), digest)
}

/// The files of an artefact, by their names, which are compared with what is downloaded.
#[track_caller]
fn files(site: &Site, repository: &str, manifest: &Value) -> Vec<String> {
    let layers = manifest["layers"].as_array().unwrap();
    let check = |layer: &Value| {
        let name = layer["annotations"]["org.opencontainers.image.title"].as_str().unwrap();
        let target = format!("/v2/{repository}/blobs/{}", layer["digest"].as_str().unwrap());
        let (head, blob) = (site.factory.head(&target), site.factory.get(&target));
        assert_eq!((head.status, blob.status), (200, 200), "{target}: {}", blob.text());
        assert_eq!(head.header("content-length"), Some(layer["size"].to_string().as_str()));
        assert!(blob.body == site.bytes(&format!("{VERSION}/{name}")), "{name}");
        assert_eq!(Digest::of(&blob.body).to_string(), layer["digest"].as_str().unwrap());
        let part = site.factory.get_with(&target, &[("Range", "bytes=3-9")]);
        assert_eq!((part.status, part.body.as_slice()), (206, &blob.body[3..10]), "{name}");
        name.to_owned()
    };
    layers.iter().map(check).collect()
}

#[test]
fn artefacts_have_the_files_that_are_downloaded() {
    let site = Site::new(FULL);
    for (kind, artifact_type, amd64) in [
        ("metal-uki", "application/vnd.talos.uki", &["metal-amd64-uki.efi"][..]),
        (
            "aws-pxe",
            "application/vnd.talos.pxe",
            &["kernel-amd64", "initramfs-amd64.xz", "cmdline-aws-amd64"],
        ),
    ] {
        let repository = format!("{kind}/{}", site.id);
        let (index, digest) = document(&site.factory, &repository, VERSION);
        assert_eq!(index["artifactType"], artifact_type);
        let entries = index["manifests"].as_array().unwrap();
        let arches: Vec<&str> =
            entries.iter().map(|entry| entry["platform"]["architecture"].as_str().unwrap()).collect();
        assert_eq!(arches, ["amd64", "arm64"]);
        let (manifest, alone) = document(&site.factory, &repository, &format!("{VERSION}-amd64"));
        assert_eq!(entries[0]["digest"], alone.as_str());
        assert_eq!(document(&site.factory, &repository, &alone).0, manifest);
        assert_eq!(document(&site.factory, &repository, &digest).0, index);
        assert_eq!(manifest["artifactType"], artifact_type);
        assert_eq!(manifest["config"]["mediaType"], "application/vnd.oci.empty.v1+json");
        let config = format!("/v2/{repository}/blobs/{}", manifest["config"]["digest"].as_str().unwrap());
        assert_eq!(site.factory.get(&config).text(), "{}");
        assert_eq!(files(&site, &repository, &manifest), amd64);
        let (other, _) = document(&site.factory, &repository, entries[1]["digest"].as_str().unwrap());
        assert!(files(&site, &repository, &other)[0].contains("arm64"));
    }
    let tags = site.factory.get(&format!("/v2/metal-uki/{}/tags/list?n=1000", site.id)).json();
    let tags: Vec<&str> = tags["tags"].as_array().unwrap().iter().map(|tag| tag.as_str().unwrap()).collect();
    assert!(
        tags.contains(&"latest") && tags.contains(&VERSION) && tags.contains(&"v1.13.0-arm64"),
        "{tags:?}"
    );
    assert!(!tags.contains(&"v1.3.7"), "there is no UKI of it: {tags:?}");
}

#[test]
fn digests_of_artefacts_outlive_a_restart_and_are_the_same_elsewhere() {
    let site = Site::new(FULL);
    let repository = format!("metal-pxe/{}", site.id);
    let (manifest, digest) = document(&site.factory, &repository, &format!("{VERSION}-arm64"));
    let other = Site::new(FULL);
    assert_eq!(document(&other.factory, &repository, &format!("{VERSION}-arm64")).1, digest);
    let data = site.factory.stop().unwrap();
    let factory = Factory::start_on(data, &[FIXED_URL]).unwrap();
    assert_eq!(document(&factory, &repository, &digest).0, manifest);
    let layer = manifest["layers"][1]["digest"].as_str().unwrap();
    assert_eq!(factory.head(&format!("/v2/{repository}/blobs/{layer}")).status, 200);
}

#[test]
fn what_is_no_artefact_is_refused() {
    let site = Site::new("customization: {}");
    let (id, nothing) = (&site.id, Digest::of(b"nothing"));
    let unknown = "0".repeat(64);
    for (path, status, code) in [
        (format!("metl-iso/{id}/manifests/{VERSION}"), 400, "NAME_INVALID"),
        (format!("metal-pxe-secureboot/{id}/manifests/{VERSION}"), 400, "NAME_INVALID"),
        (format!("metal-uki/{unknown}/manifests/{VERSION}"), 404, "NAME_UNKNOWN"),
        (format!("metal-uki/{id}/manifests/v9.9.9"), 404, "MANIFEST_UNKNOWN"),
        (format!("metal-uki/{id}/manifests/v1.13"), 404, "MANIFEST_UNKNOWN"),
        (format!("metal-uki/{id}/manifests/{VERSION}-riscv64"), 404, "MANIFEST_UNKNOWN"),
        (format!("metal-uki/{id}/manifests/{nothing}"), 404, "MANIFEST_UNKNOWN"),
        (format!("metal-uki/{id}/blobs/{nothing}"), 404, "BLOB_UNKNOWN"),
        (format!("metal-uki/{id}/manifests/sha256:0"), 400, "DIGEST_INVALID"),
        (format!("metal-uki/{id}/manifests/v1.3.7"), 400, "MANIFEST_INVALID"),
        (format!("metal-uki-secureboot/{id}/manifests/{VERSION}"), 400, "MANIFEST_INVALID"),
        (format!("metal-containerdisk/{id}/manifests/{VERSION}"), 501, "UNSUPPORTED"),
        (format!("metal-containerdisk/{id}/tags/list"), 501, "UNSUPPORTED"),
    ] {
        let answer = site.factory.get(&format!("/v2/{path}"));
        let told = answer.json()["errors"][0]["code"].clone();
        assert_eq!((answer.status, told.as_str()), (status, Some(code)), "{path}: {}", answer.text());
    }
    let disk = site.factory.get(&format!("/v2/metal-containerdisk/{id}/manifests/{VERSION}"));
    assert!(disk.text().contains("disk images, which are not made by this factory yet"), "{}", disk.text());
    // What one repository told is nothing in another.
    let (_, digest) = document(&site.factory, &format!("metal-uki/{id}"), VERSION);
    let other = create(&site.factory, "customization: {extraKernelArgs: [other]}");
    for repository in [format!("aws-uki/{id}"), format!("metal-uki/{other}")] {
        let answer = site.factory.get(&format!("/v2/{repository}/manifests/{digest}"));
        assert_eq!(answer.status, 404, "{repository}");
    }
}
