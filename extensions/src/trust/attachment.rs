//! What lies beside images: signatures, attestations, lists of contents.

use schematics::Digest;
use signing::cosign;

use super::bundle;
use crate::oci::{Descriptor, Document};

/// What attachments are made of, by how their media types begin. No layer with files is among it.
const ATTACHED: [&str; 9] = [
    cosign::MEDIA_TYPE,
    bundle::MEDIA_TYPES,
    "application/vnd.dsse.envelope.",
    "application/vnd.in-toto+json",
    "application/vnd.cyclonedx",
    "application/vnd.openvex",
    "application/vnd.syft+json",
    "application/spdx",
    "text/spdx",
];

/// Whether a document is a signature or the like, or a list of such: nothing that could be run or unpacked.
pub(super) fn is_attachment(document: &[u8], digest: Digest) -> bool {
    let attached = |part: &Descriptor| ATTACHED.iter().any(|kind| part.media_type.starts_with(kind));
    match Document::decode(document, digest) {
        Ok(Document::Image(image)) => !image.layers.is_empty() && image.layers.iter().all(attached),
        Ok(Document::Index(index)) => {
            !index.manifests.is_empty()
                && index
                    .manifests
                    .iter()
                    .all(|entry| entry.artifact_type.is_some() && entry.platform.is_none())
        }
        Err(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn passes(document: &str) -> bool {
        is_attachment(document.as_bytes(), Digest::of(document.as_bytes()))
    }

    #[test]
    fn only_what_has_no_files_is_an_attachment() {
        let part =
            |kind: &str| format!(r#"{{"mediaType":"{kind}","digest":"{}","size":1}}"#, Digest::of(b"x"));
        let image = |layers: &[&str]| {
            let layers: Vec<String> = layers.iter().map(|kind| part(kind)).collect();
            format!(r#"{{"schemaVersion":2,"config":{},"layers":[{}]}}"#, part("c"), layers.join(","))
        };
        let bundle = "application/vnd.dev.sigstore.bundle.v0.3+json";
        for kinds in [
            &[cosign::MEDIA_TYPE][..],
            &[bundle],
            &["text/spdx+json", "application/vnd.dsse.envelope.v1+json"],
        ] {
            assert!(passes(&image(kinds)), "{kinds:?}");
        }
        let layer = "application/vnd.oci.image.layer.v1.tar+gzip";
        for kinds in [&[][..], &[layer], &[cosign::MEDIA_TYPE, layer], &["application/octet-stream"]] {
            assert!(!passes(&image(kinds)), "{kinds:?}");
        }
        let list = |entries: &str| format!(r#"{{"schemaVersion":2,"manifests":[{entries}]}}"#);
        let typed = part("m").replace("\"size\"", &format!("\"artifactType\":\"{bundle}\",\"size\""));
        let running = typed.replace("\"size\"", r#""platform":{"architecture":"amd64","os":"linux"},"size""#);
        assert!(passes(&list(&typed)));
        for entries in ["", &part("m"), &format!("{typed},{}", part("m")), &running, "nonsense"] {
            assert!(!passes(&list(entries)), "{entries}");
        }
    }
}
