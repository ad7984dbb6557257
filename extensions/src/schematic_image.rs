//! Schematics as images: how Image Factory keeps them in a registry.
//!
//! A schematic is a layer whose digest is its id. The image around it only keeps the registry from throwing the layer
//! away; its tag is the id.

use bytes::Bytes;
use schematics::Digest;
use serde::Serialize;

use crate::oci::{DOCKER_CONFIG, DOCKER_MANIFEST};

/// The media type of a schematic.
pub const SCHEMATIC: &str = "application/vnd.sidero.dev-image.schematic";
/// The longest schematic that is read, in bytes.
pub const MAX_SCHEMATIC: u64 = 1 << 20;

/// The image around a schematic.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SchematicImage {
    /// The media type of the manifest.
    pub media_type: &'static str,
    /// Its manifest.
    pub manifest: Bytes,
    /// Its configuration.
    pub config: Bytes,
}

/// The fields in the order in which Image Factory writes them, so that both write the same bytes.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Manifest {
    schema_version: u32,
    media_type: &'static str,
    config: Part,
    layers: [Part; 1],
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Part {
    media_type: &'static str,
    size: usize,
    digest: Digest,
}

#[derive(Serialize)]
struct Config {
    architecture: &'static str,
    created: &'static str,
    history: [History; 1],
    os: &'static str,
    rootfs: Rootfs,
    config: serde_json::Map<String, serde_json::Value>,
}

#[derive(Serialize)]
struct History {
    created: &'static str,
}

#[derive(Serialize)]
struct Rootfs {
    r#type: &'static str,
    diff_ids: [Digest; 1],
}

/// The time that nothing was created at.
const NEVER: &str = "0001-01-01T00:00:00Z";

impl Part {
    fn of(media_type: &'static str, bytes: &Bytes) -> Self {
        Self { media_type, size: bytes.len(), digest: Digest::of(bytes) }
    }
}

impl SchematicImage {
    /// The image around this text.
    ///
    /// # Errors
    /// Never with what these types can hold.
    pub fn of(text: &Bytes) -> Result<Self, serde_json::Error> {
        let config = Config {
            architecture: "",
            created: NEVER,
            history: [History { created: NEVER }],
            os: "",
            rootfs: Rootfs { r#type: "layers", diff_ids: [Digest::of(text)] },
            config: serde_json::Map::new(),
        };
        let config = Bytes::from(serde_json::to_vec(&config)?);
        let manifest = Manifest {
            schema_version: 2,
            media_type: DOCKER_MANIFEST,
            config: Part::of(DOCKER_CONFIG, &config),
            layers: [Part::of(SCHEMATIC, text)],
        };
        Ok(Self { media_type: DOCKER_MANIFEST, manifest: serde_json::to_vec(&manifest)?.into(), config })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_image_is_the_one_that_image_factory_writes() {
        // Written by the library Image Factory uses, go-containerregistry 0.20.3.
        let config = r#"{"architecture":"","created":"0001-01-01T00:00:00Z","history":[{"created":"0001-01-01T00:00:00Z"}],"os":"","rootfs":{"type":"layers","diff_ids":["sha256:376567988ad370138ad8b2698212367b8edcb69b5fd68c80be1f2ec7d603b4ba"]},"config":{}}"#;
        let manifest = r#"{"schemaVersion":2,"mediaType":"application/vnd.docker.distribution.manifest.v2+json","config":{"mediaType":"application/vnd.docker.container.image.v1+json","size":233,"digest":"sha256:a1318fc1f6a4c25b7b7507e2144e1fd78c8226bd639d823677eb2f8ed93e6cae"},"layers":[{"mediaType":"application/vnd.sidero.dev-image.schematic","size":18,"digest":"sha256:376567988ad370138ad8b2698212367b8edcb69b5fd68c80be1f2ec7d603b4ba"}]}"#;
        let image = SchematicImage::of(&Bytes::from_static(b"customization: {}\n")).unwrap();
        assert_eq!(
            (image.config.as_ref(), image.manifest.as_ref()),
            (config.as_bytes(), manifest.as_bytes())
        );
    }
}
