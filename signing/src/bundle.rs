//! Sigstore bundles, version 0.3, of keys: a file with a signature and the name of the key that made it.
//!
//! Bundles of certificates from Fulcio, and what transparency logs add, are read past: only the key counts here.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use schematics::{Blame, Blamed, Digest};
use serde::{Deserialize, Serialize};

use crate::dsse::{self, Envelope, EnvelopeError};
use crate::key::{KeyError, PublicKey, SigningKey, Verification, VerifyError};

/// The media type of bundles, as files and as artifact type of images that carry one.
pub const MEDIA_TYPE: &str = "application/vnd.dev.sigstore.bundle.v0.3+json";
/// How media types of all versions with this shape begin.
const FAMILY: [&str; 2] =
    ["application/vnd.dev.sigstore.bundle.v0.3", "application/vnd.dev.sigstore.bundle+json;version=0.3"];
/// The longest bundle that is read, in bytes: a list of what is in an image can be long.
pub const MAX_BUNDLE: usize = 32 << 20;
const SHA256: &str = "SHA2_256";

/// A bundle. What it says does not count until it was verified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bundle {
    /// The hint by which a verifier may find the key; ours is the [`KeyId`](crate::KeyId) in base64, as cosign writes it.
    /// `None` when it was signed with the key of a certificate.
    pub hint: Option<String>,
    /// What is signed.
    pub content: Content,
}

/// What is signed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Content {
    /// A file, which is not in the bundle.
    Message(MessageSignature),
    /// A text, which is.
    Envelope(Envelope),
}

/// The signature of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MessageSignature {
    /// The SHA-256 of the file, as the bundle claims it: it is not signed by itself.
    pub digest: Digest,
    /// The signature over the file.
    pub signature: Vec<u8>,
}

/// Why a bundle does not count.
#[derive(Debug, thiserror::Error)]
pub enum BundleError {
    /// It is longer than any honest one.
    #[error("the bundle has {len} bytes, more than the {MAX_BUNDLE} that are read")]
    TooLong {
        /// How long it is.
        len: usize,
    },
    /// It is not of the shape.
    #[error("not a Sigstore bundle")]
    Shape(#[source] serde_json::Error),
    /// It is a bundle of another version.
    #[error("expected a bundle of version 0.3, but it is `{found}`")]
    Version {
        /// Its media type.
        found: String,
    },
    /// It has no signature, or two.
    #[error("expected a bundle with either the signature of a file or an envelope")]
    Content,
    /// The digest or the signature of the file cannot be read.
    #[error("the bundle has no readable {part}")]
    Part {
        /// Which of them.
        part: &'static str,
    },
    /// The envelope does not count.
    #[error("the envelope in the bundle does not count")]
    Envelope(#[source] EnvelopeError),
    /// It is about something else than what was expected of it.
    #[error("expected a bundle with {expected}")]
    Other {
        /// What was expected.
        expected: &'static str,
    },
    /// It is about another file.
    #[error("the bundle is about a file with the SHA-256 {}, but this one has {}", claimed.hex(), found.hex())]
    OtherFile {
        /// The digest in the bundle.
        claimed: Digest,
        /// The digest of the file.
        found: Digest,
    },
    /// The signature does not fit the file.
    #[error("the signature in the bundle does not fit the file")]
    Signature(#[source] VerifyError),
}

impl Blamed for BundleError {
    fn blame(&self) -> Blame {
        Blame::Upstream
    }
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Written {
    media_type: String,
    verification_material: Material,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    message_signature: Option<WrittenMessage>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    dsse_envelope: Option<dsse::Written>,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Material {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    public_key: Option<Hint>,
}

#[derive(Serialize, Deserialize)]
struct Hint {
    #[serde(default)]
    hint: String,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct WrittenMessage {
    message_digest: WrittenDigest,
    signature: String,
}

#[derive(Serialize, Deserialize)]
struct WrittenDigest {
    algorithm: String,
    digest: String,
}

/// The hint that cosign writes and expects for a key.
#[must_use]
pub fn hint(key: &PublicKey) -> String {
    STANDARD.encode(key.id().digest().as_bytes())
}

impl Bundle {
    /// The bundle of a file with this SHA-256, for which `signature` was made with `key` over its bytes.
    #[must_use]
    pub fn of_file(key: &PublicKey, digest: Digest, signature: Vec<u8>) -> Self {
        Self { hint: Some(hint(key)), content: Content::Message(MessageSignature { digest, signature }) }
    }

    /// Signs a text, which goes into the bundle.
    ///
    /// # Errors
    /// When the key cannot sign.
    pub fn of_text(key: &SigningKey, payload_type: &str, payload: Vec<u8>) -> Result<Self, KeyError> {
        let envelope = Envelope::sign(key, payload_type, payload)?;
        Ok(Self { hint: Some(hint(key.public_key())), content: Content::Envelope(envelope) })
    }

    /// The bundle as JSON. The same bundle has the same bytes.
    ///
    /// # Errors
    /// Never in practice: when the texts cannot be written as JSON.
    pub fn encode(&self) -> Result<Vec<u8>, serde_json::Error> {
        let (message_signature, dsse_envelope) = match &self.content {
            Content::Message(message) => (Some(message.written()), None),
            Content::Envelope(envelope) => (None, Some(envelope.written())),
        };
        serde_json::to_vec(&Written {
            media_type: MEDIA_TYPE.to_owned(),
            verification_material: Material { public_key: self.hint.clone().map(|hint| Hint { hint }) },
            message_signature,
            dsse_envelope,
        })
    }

    /// Reads a bundle that may come from anywhere. Nothing is checked yet.
    ///
    /// # Errors
    /// When it is none, or of another version.
    pub fn decode(bytes: &[u8]) -> Result<Self, BundleError> {
        if bytes.len() > MAX_BUNDLE {
            return Err(BundleError::TooLong { len: bytes.len() });
        }
        let written: Written = serde_json::from_slice(bytes).map_err(BundleError::Shape)?;
        if !FAMILY.iter().any(|family| written.media_type.starts_with(family)) {
            return Err(BundleError::Version { found: written.media_type });
        }
        let content = match (written.message_signature, written.dsse_envelope) {
            (Some(message), None) => Content::Message(MessageSignature::read(&message)?),
            (None, Some(envelope)) => {
                Content::Envelope(Envelope::read(envelope).map_err(BundleError::Envelope)?)
            }
            (None, None) | (Some(_), Some(_)) => return Err(BundleError::Content),
        };
        Ok(Self { hint: written.verification_material.public_key.map(|key| key.hint), content })
    }

    /// The signature of a file, to be checked over its bytes.
    ///
    /// # Errors
    /// When the bundle has an envelope.
    pub fn message(&self) -> Result<&MessageSignature, BundleError> {
        match &self.content {
            Content::Message(message) => Ok(message),
            Content::Envelope(_) => Err(BundleError::Other { expected: "the signature of a file" }),
        }
    }

    /// The text in the bundle, if it is of this type and signed with this key.
    ///
    /// # Errors
    /// When it is not.
    pub fn text(&self, key: &PublicKey, payload_type: &'static str) -> Result<&[u8], BundleError> {
        match &self.content {
            Content::Envelope(envelope) => envelope.verify(key, payload_type).map_err(BundleError::Envelope),
            Content::Message(_) => Err(BundleError::Other { expected: "a signed text" }),
        }
    }
}

impl MessageSignature {
    /// Begins to check the signature over a file that comes in pieces.
    #[must_use]
    pub fn verification(&self, key: &PublicKey) -> Verification {
        key.verification(&self.signature)
    }

    /// Checks that the bundle is about this file, and signed with this key.
    ///
    /// # Errors
    /// When it is not.
    pub fn verify(&self, key: &PublicKey, file: &[u8]) -> Result<(), BundleError> {
        let mut verification = self.verification(key);
        verification.update(file);
        self.conclude(Digest::of(file), verification)
    }

    /// Ends what [`MessageSignature::verification`] began, for a file with this SHA-256.
    ///
    /// # Errors
    /// When the bundle is about another file, or its signature does not fit.
    pub fn conclude(&self, found: Digest, verification: Verification) -> Result<(), BundleError> {
        if self.digest != found {
            return Err(BundleError::OtherFile { claimed: self.digest, found });
        }
        verification.finish().map_err(BundleError::Signature)
    }

    fn written(&self) -> WrittenMessage {
        let digest = STANDARD.encode(self.digest.as_bytes());
        WrittenMessage {
            message_digest: WrittenDigest { algorithm: SHA256.to_owned(), digest },
            signature: STANDARD.encode(&self.signature),
        }
    }

    fn read(written: &WrittenMessage) -> Result<Self, BundleError> {
        let WrittenDigest { algorithm, digest } = &written.message_digest;
        let bytes = STANDARD.decode(digest).ok().filter(|_| algorithm == SHA256);
        let digest = bytes.and_then(|bytes| bytes.try_into().ok()).map(Digest::from_bytes);
        let signature = STANDARD.decode(&written.signature);
        Ok(Self {
            digest: digest.ok_or(BundleError::Part { part: "SHA-256" })?,
            signature: signature.map_err(|_| BundleError::Part { part: "signature" })?,
        })
    }
}

#[cfg(test)]
mod tests;
