//! What is said about an index or manifest, signed by us, as registries keep it.
//!
//! ```text
//! tag sha256-<hex>.sig   the signature as cosign has kept it since its first version
//! referrers              one Sigstore bundle per statement; the first statement is that it is signed
//! tag sha256-<hex>       the index of referrers, for registries and clients that do not know them
//! ```
//!
//! All of it is a function of the key, the name of the repository, the document and the statements.

use std::collections::BTreeMap;

use builder::Blob;
use bytes::Bytes;
use extensions::oci::artifact::Referrer;
use extensions::oci::{CONFIG, Descriptor, INDEX, ImageManifest, Index, MANIFEST};
use schematics::Digest;
use serde_json::{Map, Value};
use signing::bundle::{self, Bundle};
use signing::in_toto::{self, Statement};
use signing::{SigningKey, cosign};

use super::{Document, InstallersError};

/// The predicate of the statement that an image is signed.
const SIGNED: &str = "https://sigstore.dev/cosign/sign/v1";
/// The annotations by which clients choose among bundles without fetching them.
const CONTENT: &str = "dev.sigstore.bundle.content";
const ENVELOPE: &str = "dsse-envelope";
const PREDICATE: &str = "dev.sigstore.bundle.predicateType";

/// What is said about one index or manifest.
#[derive(Debug)]
pub(super) struct Evidence {
    signature: Document,
    referrers: (Index, Document),
    manifests: BTreeMap<Digest, Document>,
    blobs: BTreeMap<Digest, Bytes>,
}

/// Which document is meant by a tag that is made of a digest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum EvidenceTag {
    /// The signature of the document with this digest.
    Signature(Digest),
    /// The index of what refers to it.
    Referrers(Digest),
}

impl EvidenceTag {
    /// Reads `sha256-<hex>` and `sha256-<hex>.sig`.
    pub(super) fn parse(tag: &str) -> Option<Self> {
        let rest = tag.strip_prefix("sha256-")?;
        match rest.strip_suffix(".sig") {
            Some(hex) => Digest::from_hex(hex).ok().map(Self::Signature),
            None => Digest::from_hex(rest).ok().map(Self::Referrers),
        }
    }

    /// What the document is said about.
    pub(super) const fn subject(self) -> Digest {
        match self {
            Self::Signature(digest) | Self::Referrers(digest) => digest,
        }
    }
}

/// The statement that an index or manifest is signed.
pub(super) fn signed(subject: in_toto::Subject) -> Statement {
    Statement {
        subjects: vec![subject],
        predicate_type: SIGNED.to_owned(),
        predicate: Value::Object(Map::new()),
    }
}

impl Evidence {
    /// Signs a document under the name of its repository, with host, and each of the statements about it.
    ///
    /// # Errors
    /// When the key cannot sign.
    pub(super) fn compose(
        key: &SigningKey,
        subject: &Document,
        reference: &str,
        statements: &[Statement],
    ) -> Result<Self, InstallersError> {
        let (mut manifests, mut blobs) = (BTreeMap::new(), BTreeMap::new());
        let signature = signature(key, subject, reference, &mut blobs)?;
        manifests.insert(signature.digest, signature.clone());
        let mut entries = Vec::new();
        for statement in statements {
            let (referrer, manifest) = attest(key, subject, statement, &mut blobs)?;
            entries.push(referrer.described(&manifest));
            let manifest = Document::new(MANIFEST, manifest);
            manifests.insert(manifest.digest, manifest);
        }
        let index = Index {
            schema_version: 2,
            media_type: Some(INDEX.to_owned()),
            manifests: entries,
            annotations: BTreeMap::new(),
        };
        let referrers = Document::new(INDEX, index.encode().map_err(InstallersError::document)?);
        manifests.insert(referrers.digest, referrers.clone());
        Ok(Self { signature, referrers: (index, referrers), manifests, blobs })
    }

    /// The document of a tag about the subject.
    pub(super) fn tagged(&self, tag: EvidenceTag) -> Document {
        match tag {
            EvidenceTag::Signature(_) => self.signature.clone(),
            EvidenceTag::Referrers(_) => self.referrers.1.clone(),
        }
    }

    /// What refers to the subject.
    pub(super) const fn referrers(&self) -> &Index {
        &self.referrers.0
    }

    /// One of the manifests and indexes.
    pub(super) fn document(&self, digest: Digest) -> Option<Document> {
        self.manifests.get(&digest).cloned()
    }

    /// One of the configurations, payloads and bundles; the empty configuration is not among them.
    pub(super) fn blob(&self, digest: Digest) -> Option<Bytes> {
        self.blobs.get(&digest).cloned()
    }

    /// The digests of all of it.
    pub(super) fn digests(&self) -> impl Iterator<Item = Digest> {
        self.manifests.keys().chain(self.blobs.keys()).copied()
    }

    /// How many bytes all of it has.
    pub(super) fn size(&self) -> usize {
        let documents = self.manifests.values().map(|document| document.bytes.len());
        documents.chain(self.blobs.values().map(Bytes::len)).sum()
    }
}

fn keep(blobs: &mut BTreeMap<Digest, Bytes>, bytes: impl Into<Bytes>) -> Blob {
    let bytes = bytes.into();
    let blob = Blob { digest: Digest::of(&bytes), size: bytes.len() as u64 };
    blobs.insert(blob.digest, bytes);
    blob
}

/// The manifest of the image that holds cosign's signature.
fn signature(
    key: &SigningKey,
    subject: &Document,
    reference: &str,
    blobs: &mut BTreeMap<Digest, Bytes>,
) -> Result<Document, InstallersError> {
    let signed = cosign::sign(key, &subject.digest, reference).map_err(InstallersError::Sign)?;
    let config = cosign::configuration(&signed.payload).map_err(InstallersError::document)?;
    let config = Descriptor::new(CONFIG, keep(blobs, config));
    let layer = Descriptor {
        annotations: BTreeMap::from([(cosign::ANNOTATION.to_owned(), signed.signature)]),
        ..Descriptor::new(cosign::MEDIA_TYPE, keep(blobs, signed.payload))
    };
    let manifest = ImageManifest {
        schema_version: 2,
        media_type: Some(MANIFEST.to_owned()),
        config,
        layers: vec![layer],
        annotations: BTreeMap::new(),
    };
    Ok(Document::new(MANIFEST, manifest.encode().map_err(InstallersError::document)?))
}

/// The artefact that holds a statement in a bundle, and its manifest.
fn attest(
    key: &SigningKey,
    subject: &Document,
    statement: &Statement,
    blobs: &mut BTreeMap<Digest, Bytes>,
) -> Result<(Referrer, Bytes), InstallersError> {
    let text = statement.encode().map_err(InstallersError::document)?;
    let bundle = Bundle::of_text(key, in_toto::PAYLOAD_TYPE, text).map_err(InstallersError::Sign)?;
    let bundle = keep(blobs, bundle.encode().map_err(InstallersError::document)?);
    let about = Blob { digest: subject.digest, size: subject.bytes.len() as u64 };
    let notes = [(CONTENT, ENVELOPE), (PREDICATE, statement.predicate_type.as_str())];
    let notes = notes.map(|(name, value)| (name.to_owned(), value.to_owned()));
    let referrer = Referrer::new(
        Descriptor::new(bundle::MEDIA_TYPE, bundle),
        Descriptor::new(&subject.media_type, about),
        BTreeMap::from(notes),
    );
    let manifest = referrer.encode().map_err(InstallersError::document)?;
    Ok((referrer, manifest))
}

#[cfg(test)]
mod tests;
