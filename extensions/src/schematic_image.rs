//! Schematics as images: how Image Factory keeps them in a registry.
//!
//! A schematic is a layer whose digest is its id. The image around it only keeps the registry from throwing the layer
//! away; its tag is the id.

use builder::store::Blob;
use bytes::Bytes;
use schematics::Digest;
use serde_json::json;

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

impl SchematicImage {
    /// The image around this text.
    ///
    /// # Errors
    /// Never with what these types can hold.
    pub fn of(text: &Bytes) -> Result<Self, serde_json::Error> {
        let describe = |media_type: &str, bytes: &Bytes| {
            let Blob { digest, size } = blob_of(bytes);
            json!({ "mediaType": media_type, "size": size, "digest": digest })
        };
        let config = json!({
            "architecture": "",
            "created": "0001-01-01T00:00:00Z",
            "history": [{ "created": "0001-01-01T00:00:00Z" }],
            "os": "",
            "rootfs": { "type": "layers", "diff_ids": [Digest::of(text)] },
            "config": {},
        });
        let config = Bytes::from(serde_json::to_vec(&config)?);
        let manifest = json!({
            "schemaVersion": 2,
            "mediaType": DOCKER_MANIFEST,
            "config": describe(DOCKER_CONFIG, &config),
            "layers": [describe(SCHEMATIC, text)],
        });
        Ok(Self { media_type: DOCKER_MANIFEST, manifest: serde_json::to_vec(&manifest)?.into(), config })
    }
}

fn blob_of(bytes: &Bytes) -> Blob {
    Blob { digest: Digest::of(bytes), size: bytes.len() as u64 }
}
