//! Artefacts that refer to an image: one blob, and what it is about (OCI image specification 1.1).

use std::collections::BTreeMap;

use bytes::Bytes;
use serde::Serialize;

use super::{Descriptor, MANIFEST};

/// The type of a configuration that says nothing.
pub const EMPTY: &str = "application/vnd.oci.empty.v1+json";
/// That configuration.
pub const EMPTY_CONFIG: &[u8] = b"{}";

/// An artefact that refers to an image.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Referrer {
    schema_version: u32,
    media_type: &'static str,
    artifact_type: String,
    config: Descriptor,
    layers: [Descriptor; 1],
    subject: Descriptor,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    annotations: BTreeMap<String, String>,
}

impl Referrer {
    /// An artefact of the type of its blob, about an index or manifest.
    #[must_use]
    pub fn new(blob: Descriptor, subject: Descriptor, annotations: BTreeMap<String, String>) -> Self {
        let empty = crate::installer::blob_of(&Bytes::from_static(EMPTY_CONFIG));
        Self {
            schema_version: 2,
            media_type: MANIFEST,
            artifact_type: blob.media_type.clone(),
            config: Descriptor::new(EMPTY, empty),
            layers: [blob],
            subject,
            annotations,
        }
    }

    /// The document as it is stored.
    ///
    /// # Errors
    /// Never with what this type can hold.
    pub fn encode(&self) -> Result<Bytes, serde_json::Error> {
        serde_json::to_vec(self).map(Bytes::from)
    }

    /// How an index of referrers describes it, given its manifest as it is stored.
    #[must_use]
    pub fn described(&self, manifest: &Bytes) -> Descriptor {
        Descriptor {
            artifact_type: Some(self.artifact_type.clone()),
            annotations: self.annotations.clone(),
            ..Descriptor::new(MANIFEST, crate::installer::blob_of(manifest))
        }
    }
}

#[cfg(test)]
mod tests {
    use builder::store::Blob;
    use schematics::Digest;
    use serde_json::json;

    use super::*;

    #[test]
    fn an_artefact_is_what_the_specification_says() {
        let (text, image) = (Digest::of(b"text"), Digest::of(b"image"));
        let blob = Descriptor::new("text/x", Blob { digest: text, size: 4 });
        let subject = Descriptor::new(MANIFEST, Blob { digest: image, size: 5 });
        let notes = BTreeMap::from([("a".to_owned(), "b".to_owned())]);
        let referrer = Referrer::new(blob, subject, notes);
        let manifest = referrer.encode().unwrap();
        let expected = json!({
            "schemaVersion": 2,
            "mediaType": MANIFEST,
            "artifactType": "text/x",
            "config": {
                "mediaType": "application/vnd.oci.empty.v1+json",
                "digest": "sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a",
                "size": 2,
            },
            "layers": [{ "mediaType": "text/x", "digest": text, "size": 4 }],
            "subject": { "mediaType": MANIFEST, "digest": image, "size": 5 },
            "annotations": { "a": "b" },
        });
        assert_eq!(serde_json::from_slice::<serde_json::Value>(&manifest).unwrap(), expected);
        let described = serde_json::to_value(referrer.described(&manifest)).unwrap();
        let expected = json!({
            "mediaType": MANIFEST,
            "digest": Digest::of(&manifest),
            "size": manifest.len(),
            "artifactType": "text/x",
            "annotations": { "a": "b" },
        });
        assert_eq!(described, expected);
    }
}
