//! Signatures of container images as cosign keeps them.
//!
//! What is signed is a small JSON text, the "simple signing" payload, which names the image by its digest. It is stored as
//! the layer of an image whose tag is made from the digest, with the signature as an annotation of the layer.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use schematics::{Blame, Blamed, Digest};
use serde::{Deserialize, Serialize};

use crate::key::{KeyError, PublicKey, SigningKey, VerifyError};

/// The media type of the layer that is the payload.
pub const MEDIA_TYPE: &str = "application/vnd.dev.cosign.simplesigning.v1+json";
/// The annotation of that layer that holds the signature in base64.
pub const ANNOTATION: &str = "dev.cosignproject.cosign/signature";
/// The longest payload that is read, in bytes.
pub const MAX_PAYLOAD: usize = 64 * 1024;
/// The longest signature text that is read; those of this curve have at most 96 characters.
const MAX_SIGNATURE: usize = 1024;
const KIND: &str = "cosign container image signature";

/// The signature of an image, ready to be stored beside it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImageSignature {
    /// The bytes that are signed.
    pub payload: Vec<u8>,
    /// The signature in base64.
    pub signature: String,
}

/// What a payload claims.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claim {
    /// The manifest digest of the image.
    pub digest: Digest,
    /// The name the image was signed under. cosign leaves it to its users whether to compare it.
    pub reference: String,
}

/// Why the signature of an image does not count.
#[derive(Debug, thiserror::Error)]
pub enum ImageSignatureError {
    /// The payload or the signature is longer than any honest one.
    #[error("the {what} of the signature has {len} bytes, more than the {limit} that are read")]
    TooLong {
        /// Which of them.
        what: &'static str,
        /// How long it is.
        len: usize,
        /// How long it may be.
        limit: usize,
    },
    /// The signature is no base64.
    #[error("the signature of {digest} is not base64")]
    Encoding {
        /// The image.
        digest: Digest,
    },
    /// Made with another key, or over another payload.
    #[error("the signature of {digest} does not fit its payload")]
    Signature {
        /// The image.
        digest: Digest,
        /// With which key.
        #[source]
        source: VerifyError,
    },
    /// The payload is signed, but is not what cosign signs.
    #[error("the payload of the signature of {digest} is not a claim about an image")]
    Payload {
        /// The image.
        digest: Digest,
        /// Where it is wrong, if it is no JSON of the right shape.
        #[source]
        source: Option<serde_json::Error>,
    },
    /// The payload is signed, but about another image.
    #[error("expected a signature of {expected}, but it is about `{found}`")]
    OtherImage {
        /// The image.
        expected: Digest,
        /// The image it is about.
        found: String,
    },
}

impl Blamed for ImageSignatureError {
    fn blame(&self) -> Blame {
        Blame::Upstream
    }
}

#[derive(Serialize, Deserialize)]
struct Payload {
    critical: Critical,
    optional: Option<serde_json::Map<String, serde_json::Value>>,
}

#[derive(Serialize, Deserialize)]
struct Critical {
    identity: Identity,
    image: Image,
    #[serde(rename = "type")]
    kind: String,
}

#[derive(Serialize, Deserialize)]
struct Identity {
    #[serde(rename = "docker-reference")]
    reference: String,
}

#[derive(Serialize, Deserialize)]
struct Image {
    #[serde(rename = "docker-manifest-digest")]
    digest: String,
}

/// The tag under which the signatures of the image with this manifest digest are stored, in the image's own repository.
#[must_use]
pub fn tag(digest: &Digest) -> String {
    format!("sha256-{}.sig", digest.hex())
}

/// The payload for the image `digest`, signed under the name `reference` (registry and repository, without tag). The same
/// claim has the same bytes.
///
/// # Errors
/// Never in practice: when the texts cannot be written as JSON.
pub fn payload(digest: &Digest, reference: &str) -> Result<Vec<u8>, KeyError> {
    let critical = Critical {
        identity: Identity { reference: reference.to_owned() },
        image: Image { digest: digest.to_string() },
        kind: KIND.to_owned(),
    };
    serde_json::to_vec(&Payload { critical, optional: None })
        .map_err(|_| KeyError::Library("write the payload"))
}

/// The configuration of the image whose layer is the payload. The same payload has the same one.
///
/// # Errors
/// Never in practice: when it cannot be written as JSON.
pub fn configuration(payload: &[u8]) -> Result<Vec<u8>, serde_json::Error> {
    serde_json::to_vec(&serde_json::json!({
        "architecture": "",
        "os": "",
        "config": {},
        "rootfs": { "type": "layers", "diff_ids": [Digest::of(payload).to_string()] },
    }))
}

/// Signs the image `digest` under the name `reference`.
///
/// # Errors
/// When the key cannot sign.
pub fn sign(key: &SigningKey, digest: &Digest, reference: &str) -> Result<ImageSignature, KeyError> {
    let payload = payload(digest, reference)?;
    let signature = STANDARD.encode(key.sign(&payload)?);
    Ok(ImageSignature { payload, signature })
}

/// Checks that `found`, which may come from anywhere, is a signature of the image `digest` with `key`.
///
/// Nothing in the payload is looked at before its signature has been checked.
///
/// # Errors
/// When it is not, with the first reason found.
pub fn verify(
    key: &PublicKey,
    digest: &Digest,
    found: &ImageSignature,
) -> Result<Claim, ImageSignatureError> {
    let digest = *digest;
    bound("payload", found.payload.len(), MAX_PAYLOAD)?;
    bound("text", found.signature.len(), MAX_SIGNATURE)?;
    let signature =
        STANDARD.decode(&found.signature).map_err(|_| ImageSignatureError::Encoding { digest })?;
    key.verify(&found.payload, &signature)
        .map_err(|source| ImageSignatureError::Signature { digest, source })?;
    claim(&digest, &found.payload)
}

/// What a payload says about the image `digest`. Whether somebody signed it is for the caller to check, and first.
///
/// # Errors
/// When it is too long, not what cosign signs, or about another image.
pub fn claim(digest: &Digest, payload: &[u8]) -> Result<Claim, ImageSignatureError> {
    let digest = *digest;
    bound("payload", payload.len(), MAX_PAYLOAD)?;
    let payload: Payload = serde_json::from_slice(payload)
        .map_err(|source| ImageSignatureError::Payload { digest, source: Some(source) })?;
    let Critical { identity, image, kind } = payload.critical;
    if kind != KIND {
        return Err(ImageSignatureError::Payload { digest, source: None });
    }
    if image.digest != digest.to_string() {
        return Err(ImageSignatureError::OtherImage { expected: digest, found: image.digest });
    }
    Ok(Claim { digest, reference: identity.reference })
}

fn bound(what: &'static str, len: usize, limit: usize) -> Result<(), ImageSignatureError> {
    if len > limit { Err(ImageSignatureError::TooLong { what, len, limit }) } else { Ok(()) }
}

#[cfg(test)]
mod tests;
