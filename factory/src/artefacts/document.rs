//! Manifests and indexes of artefacts (OCI image specification 1.1, "Guidelines for Artifact Usage").

use std::collections::BTreeMap;

use builder::store::Blob;
use bytes::Bytes;
use extensions::oci::{Descriptor, INDEX, MANIFEST, OciPlatform};
use schematics::{Arch, Digest, TalosVersion};
use serde::Serialize;

/// The media type of a configuration that says nothing.
const EMPTY: &str = "application/vnd.oci.empty.v1+json";
/// Such a configuration.
const NOTHING: &[u8] = b"{}";
/// The annotation that names a file; `oras pull` saves it under this name.
const TITLE: &str = "org.opencontainers.image.title";
/// The annotation that tells the version.
const VERSION: &str = "org.opencontainers.image.version";
/// The media type of a file.
const FILE: &str = "application/octet-stream";

/// A file of an artefact.
pub(super) struct Layer {
    pub(super) title: String,
    pub(super) blob: Blob,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Manifest {
    schema_version: u32,
    media_type: &'static str,
    artifact_type: &'static str,
    config: Descriptor,
    layers: Vec<Descriptor>,
    annotations: BTreeMap<&'static str, String>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Index {
    schema_version: u32,
    media_type: &'static str,
    artifact_type: &'static str,
    manifests: Vec<Descriptor>,
}

/// The configuration that says nothing, and its digest.
pub(super) fn empty() -> (Digest, Bytes) {
    (Digest::of(NOTHING), Bytes::from_static(NOTHING))
}

/// The manifest of these files of a version.
pub(super) fn manifest(
    artifact_type: &'static str,
    layers: &[Layer],
    version: &TalosVersion,
) -> Result<Bytes, serde_json::Error> {
    let (digest, nothing) = empty();
    let describe = |layer: &Layer| Descriptor {
        annotations: BTreeMap::from([(TITLE.to_owned(), layer.title.clone())]),
        ..Descriptor::new(FILE, layer.blob)
    };
    let manifest = Manifest {
        schema_version: 2,
        media_type: MANIFEST,
        artifact_type,
        config: Descriptor::new(EMPTY, Blob { digest, size: nothing.len() as u64 }),
        layers: layers.iter().map(describe).collect(),
        annotations: BTreeMap::from([(VERSION, version.to_string())]),
    };
    serde_json::to_vec(&manifest).map(Bytes::from)
}

/// The index of the artefacts of several architectures.
pub(super) fn index(
    artifact_type: &'static str,
    artefacts: &[(Arch, Blob)],
) -> Result<Bytes, serde_json::Error> {
    let describe = |(arch, manifest): &(Arch, Blob)| Descriptor {
        artifact_type: Some(artifact_type.to_owned()),
        platform: Some(OciPlatform {
            architecture: arch.name().to_owned(),
            os: "linux".to_owned(),
            variant: None,
        }),
        ..Descriptor::new(MANIFEST, *manifest)
    };
    let manifests = artefacts.iter().map(describe).collect();
    serde_json::to_vec(&Index { schema_version: 2, media_type: INDEX, artifact_type, manifests })
        .map(Bytes::from)
}
