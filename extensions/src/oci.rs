//! Manifests, indexes and configurations of images: OCI image specification 1.1 and Docker's image manifest 2.2.

pub mod artifact;

use std::collections::BTreeMap;

use builder::store::Blob;
use bytes::Bytes;
use schematics::{Arch, Digest};
use serde::{Deserialize, Serialize};

use crate::source::PullError;

/// The most layers of an image.
pub const MAX_LAYERS: usize = 128;
/// The most entries of an index.
pub const MAX_INDEX_ENTRIES: usize = 10_000;

/// Media type of an OCI image manifest.
pub const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
/// Media type of an OCI index.
pub const INDEX: &str = "application/vnd.oci.image.index.v1+json";
/// Media type of an OCI image configuration.
pub const CONFIG: &str = "application/vnd.oci.image.config.v1+json";
/// Media type of an uncompressed OCI layer.
pub const LAYER: &str = "application/vnd.oci.image.layer.v1.tar";
/// Media type of a Docker image manifest.
pub const DOCKER_MANIFEST: &str = "application/vnd.docker.distribution.manifest.v2+json";
/// Media type of a Docker manifest list.
pub const DOCKER_LIST: &str = "application/vnd.docker.distribution.manifest.list.v2+json";
/// Media type of a Docker image configuration.
pub const DOCKER_CONFIG: &str = "application/vnd.docker.container.image.v1+json";

/// What a registry is told we understand.
pub(crate) const ACCEPTED: &str = "application/vnd.oci.image.index.v1+json, \
     application/vnd.oci.image.manifest.v1+json, \
     application/vnd.docker.distribution.manifest.list.v2+json, \
     application/vnd.docker.distribution.manifest.v2+json";

/// A reference to other content.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Descriptor {
    /// What it is.
    pub media_type: String,
    /// Its digest; SHA-256 only.
    pub digest: Digest,
    /// Its size in bytes.
    pub size: u64,
    /// What kind of artefact it is, in an index of referrers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub artifact_type: Option<String>,
    /// What it runs on, in an index.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub platform: Option<OciPlatform>,
    /// Notes.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub annotations: BTreeMap<String, String>,
}

/// What an image runs on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OciPlatform {
    /// Processor, such as `amd64`.
    pub architecture: String,
    /// Operating system, such as `linux`.
    pub os: String,
    /// Variant of the processor, such as `v8`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub variant: Option<String>,
}

/// An image.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ImageManifest {
    /// Always 2.
    pub schema_version: u32,
    /// [`MANIFEST`] or [`DOCKER_MANIFEST`]; early OCI images leave it out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub media_type: Option<String>,
    /// Its configuration.
    pub config: Descriptor,
    /// Its layers, the lowest first.
    pub layers: Vec<Descriptor>,
    /// Notes.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub annotations: BTreeMap<String, String>,
}

/// A list of images for several platforms.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Index {
    /// Always 2.
    pub schema_version: u32,
    /// [`INDEX`] or [`DOCKER_LIST`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub media_type: Option<String>,
    /// The images.
    pub manifests: Vec<Descriptor>,
    /// Notes.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub annotations: BTreeMap<String, String>,
}

/// What a digest of a repository stands for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Document {
    /// An image.
    Image(ImageManifest),
    /// A list of images.
    Index(Index),
}

/// The part of an image's configuration that is needed to check its layers.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct ImageConfig {
    /// The file system.
    #[serde(default)]
    pub rootfs: RootFs,
}

/// The file system of an image.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
pub struct RootFs {
    /// The digests of the uncompressed layers, the lowest first.
    #[serde(default)]
    pub diff_ids: Vec<Digest>,
}

/// How a layer is compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LayerCompression {
    /// Not at all.
    None,
    /// gzip.
    Gzip,
    /// Zstandard.
    Zstd,
}

/// What all documents tell about themselves.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Probe {
    #[serde(default)]
    media_type: Option<String>,
    #[serde(default)]
    manifests: Option<serde::de::IgnoredAny>,
    #[serde(default)]
    layers: Option<serde::de::IgnoredAny>,
}

impl Descriptor {
    /// Just type, digest and size.
    #[must_use]
    pub fn new(media_type: &str, blob: Blob) -> Self {
        Self {
            media_type: media_type.to_owned(),
            digest: blob.digest,
            size: blob.size,
            artifact_type: None,
            platform: None,
            annotations: BTreeMap::new(),
        }
    }

    /// Digest and size.
    #[must_use]
    pub const fn blob(&self) -> Blob {
        Blob { digest: self.digest, size: self.size }
    }

    /// Whether it is for Linux on `arch`.
    #[must_use]
    pub fn runs_on(&self, arch: Arch) -> bool {
        self.platform.as_ref().is_some_and(|p| p.os == "linux" && p.architecture == arch.name())
    }

    /// Whether it is an index.
    #[must_use]
    pub fn is_index(&self) -> bool {
        matches!(self.media_type.as_str(), INDEX | DOCKER_LIST)
    }

    /// How the layer is compressed.
    ///
    /// # Errors
    /// When the media type is none of a layer with content.
    pub fn layer_compression(&self) -> Result<LayerCompression, PullError> {
        match self.media_type.as_str() {
            LAYER | "application/vnd.docker.image.rootfs.diff.tar" => Ok(LayerCompression::None),
            "application/vnd.oci.image.layer.v1.tar+gzip"
            | "application/vnd.docker.image.rootfs.diff.tar.gzip" => Ok(LayerCompression::Gzip),
            "application/vnd.oci.image.layer.v1.tar+zstd"
            | "application/vnd.docker.image.rootfs.diff.tar.zstd" => Ok(LayerCompression::Zstd),
            _ => Err(PullError::MediaType {
                what: format!("layer {}", self.digest),
                media_type: self.media_type.clone(),
            }),
        }
    }
}

impl Document {
    /// Reads a manifest or index.
    ///
    /// A document that could be read as both is refused: two readers might see two images in it.
    ///
    /// # Errors
    /// When it is neither, or longer than the limits.
    pub fn decode(bytes: &[u8], digest: Digest) -> Result<Self, PullError> {
        let what = || format!("manifest {digest}");
        let malformed = |source| PullError::Malformed { what: what(), source };
        let probe: Probe = serde_json::from_slice(bytes).map_err(malformed)?;
        let known = match probe.media_type.as_deref() {
            None | Some(MANIFEST | DOCKER_MANIFEST) if probe.manifests.is_none() => false,
            None | Some(INDEX | DOCKER_LIST) if probe.layers.is_none() => true,
            other => {
                let media_type = other.unwrap_or("both a manifest and an index").to_owned();
                return Err(PullError::MediaType { what: what(), media_type });
            }
        };
        let document = if known {
            Self::Index(serde_json::from_slice(bytes).map_err(malformed)?)
        } else {
            Self::Image(serde_json::from_slice(bytes).map_err(malformed)?)
        };
        match &document {
            Self::Image(image) if image.layers.len() > MAX_LAYERS => {
                Err(PullError::TooMany { what: format!("layers of {digest}"), limit: MAX_LAYERS })
            }
            Self::Index(index) if index.manifests.len() > MAX_INDEX_ENTRIES => {
                Err(PullError::TooMany { what: format!("entries of {digest}"), limit: MAX_INDEX_ENTRIES })
            }
            Self::Image(_) | Self::Index(_) => Ok(document),
        }
    }
}

impl Index {
    /// An OCI index of these.
    #[must_use]
    pub fn of(manifests: Vec<Descriptor>) -> Self {
        Self {
            schema_version: 2,
            media_type: Some(INDEX.to_owned()),
            manifests,
            annotations: BTreeMap::new(),
        }
    }

    /// The document as it is stored.
    ///
    /// # Errors
    /// Never with what these types can hold.
    pub fn encode(&self) -> Result<Bytes, serde_json::Error> {
        serde_json::to_vec(self).map(Bytes::from)
    }
}

impl ImageManifest {
    /// The document as it is stored.
    ///
    /// # Errors
    /// Never with what these types can hold.
    pub fn encode(&self) -> Result<Bytes, serde_json::Error> {
        serde_json::to_vec(self).map(Bytes::from)
    }

    /// Whether the configuration is that of a container image, and so tells the digests of the layers' contents.
    #[must_use]
    pub fn has_image_config(&self) -> bool {
        matches!(self.config.media_type.as_str(), CONFIG | DOCKER_CONFIG)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decode(text: &str) -> Result<Document, PullError> {
        Document::decode(text.as_bytes(), Digest::of(text.as_bytes()))
    }

    fn descriptor() -> String {
        format!(r#"{{"mediaType":"x/y","digest":"{}","size":3}}"#, Digest::of(b"abc"))
    }

    #[test]
    fn manifests_and_indexes_are_told_apart() {
        let d = descriptor();
        let image = format!(r#"{{"schemaVersion":2,"config":{d},"layers":[{d}]}}"#);
        assert!(matches!(decode(&image), Ok(Document::Image(_))));
        let index = format!(r#"{{"schemaVersion":2,"mediaType":"{INDEX}","manifests":[{d}]}}"#);
        assert!(matches!(decode(&index), Ok(Document::Index(_))));
    }

    #[test]
    fn a_document_that_could_be_two_is_refused() {
        let d = descriptor();
        for head in ["", r#""mediaType":"application/vnd.oci.image.index.v1+json","#, r#""mediaType":"a/b","#]
        {
            let text =
                format!(r#"{{"schemaVersion":2,{head}"config":{d},"layers":[{d}],"manifests":[{d}]}}"#);
            assert!(matches!(decode(&text), Err(PullError::MediaType { .. })), "{text}");
        }
    }

    #[test]
    fn garbage_is_refused() {
        let d = descriptor().replace("sha256:", "sha512:");
        for text in ["", "{}", "[]", "null", &format!(r#"{{"schemaVersion":2,"config":{d},"layers":[]}}"#)] {
            assert!(matches!(decode(text), Err(PullError::Malformed { .. })), "{text}");
        }
        let d = descriptor();
        let many = vec![d.as_str(); MAX_LAYERS + 1].join(",");
        let text = format!(r#"{{"schemaVersion":2,"config":{d},"layers":[{many}]}}"#);
        assert!(matches!(decode(&text), Err(PullError::TooMany { .. })));
    }
}
