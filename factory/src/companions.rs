//! Use case: what goes beside an asset. `metal-amd64.iso.sha256` is the companion `.sha256` of `metal-amd64.iso`.
//!
//! To add one: a variant of [`Companion`] with its row, an arm in [`Companions::open`], and a file below this one.

mod attestation;
mod contents;
mod error;
mod signature;
mod sums;

use std::sync::Arc;

use builder::{BlobStore, RecordStore};
use bytes::Bytes;
use schematics::Digest;
use signing::bundle;

use crate::evidence::{Evidence, Form};
use crate::images::{Image, Images, Wanted};
use crate::seal::Seal;
use contents::Contents;
pub use error::CompanionError;
use signature::Signatures;
pub use sums::Sums;

/// What can be asked for beside an asset.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Companion {
    /// A checksum, as `sha256sum` and `sha512sum` write and check them.
    Checksum(Checksum),
    /// A Sigstore bundle with our signature over the asset.
    Sigstore,
    /// Everything the asset is made of.
    Lock,
    /// How it was made, signed.
    Provenance,
    /// What is inside.
    Contents(Form),
}

/// A checksum.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Checksum {
    /// SHA-256.
    Sha256,
    /// SHA-512.
    Sha512,
}

const TEXT: &str = "text/plain; charset=utf-8";

impl Companion {
    /// All of them.
    pub const ALL: [Self; 7] = [
        Self::Checksum(Checksum::Sha256),
        Self::Checksum(Checksum::Sha512),
        Self::Sigstore,
        Self::Lock,
        Self::Provenance,
        Self::Contents(Form::Spdx),
        Self::Contents(Form::CycloneDx),
    ];

    /// What follows the name of the asset. None ends with another.
    #[must_use]
    pub const fn suffix(self) -> &'static str {
        match self {
            Self::Checksum(Checksum::Sha256) => ".sha256",
            Self::Checksum(Checksum::Sha512) => ".sha512",
            Self::Sigstore => ".sigstore.json",
            Self::Lock => ".lock.json",
            Self::Provenance => ".provenance.json",
            Self::Contents(Form::Spdx) => ".spdx.json",
            Self::Contents(Form::CycloneDx) => ".cdx.json",
        }
    }

    /// Its content type.
    #[must_use]
    pub const fn media_type(self) -> &'static str {
        match self {
            Self::Checksum(_) => TEXT,
            Self::Sigstore | Self::Provenance => bundle::MEDIA_TYPE,
            Self::Lock => "application/json",
            Self::Contents(form) => form.media_type(),
        }
    }

    /// Splits the name of a file into that of an asset and what is wanted beside it.
    #[must_use]
    pub fn split(name: &str) -> (&str, Option<Self>) {
        let found = Self::ALL
            .into_iter()
            .find_map(|companion| Some((name.strip_suffix(companion.suffix())?, Some(companion))));
        found.unwrap_or((name, None))
    }
}

/// An asset that something is wanted of.
#[derive(Debug, Clone, Copy)]
pub struct Subject<'a> {
    /// How the asset is called where it is downloaded.
    pub name: &'a str,
    /// What it was asked for by.
    pub wanted: Wanted<'a>,
    /// Its bytes, laid out.
    pub image: &'a Image,
}

/// Makes companions. Clones share everything.
#[derive(Debug, Clone)]
pub struct Companions {
    images: Images,
    evidence: Evidence,
    contents: Contents,
    signatures: Signatures,
}

impl Companions {
    /// Companions of these images, signed with `key`. What is computed for them is remembered in `records`; as many images
    /// as `passes` are read for that at a time.
    #[must_use]
    pub fn new(
        (images, evidence): (Images, Evidence),
        (store, records): (Arc<dyn BlobStore>, Arc<dyn RecordStore>),
        key: Seal,
        passes: usize,
    ) -> Self {
        let contents = Contents::new(Arc::clone(&store), Arc::clone(&records), passes);
        let signatures = Signatures::new(contents.clone(), (store, records), key);
        Self { images, evidence, contents, signatures }
    }

    /// The companion of an asset.
    ///
    /// # Errors
    /// When it cannot be made.
    pub async fn open(&self, companion: Companion, subject: Subject<'_>) -> Result<Bytes, CompanionError> {
        match companion {
            Companion::Checksum(checksum) => {
                let digests = self.contents.of(subject.image).await?;
                Ok(checksum.line(&digests, subject.name).into())
            }
            Companion::Sigstore => self.signatures.bundle(subject.image).await,
            Companion::Lock => Ok(self.evidence.lock(subject.wanted).await?.to_json()?.into()),
            Companion::Provenance => self.provenance(subject).await,
            Companion::Contents(form) => {
                let content = self.contents.of(subject.image).await?.sha256;
                let name = subject.wanted.asset.to_string();
                Ok(self.evidence.contents_of(subject.wanted, (&name, content), form).await?)
            }
        }
    }

    /// The SHA-256 of an image's bytes: one pass over all of them, and then remembered.
    ///
    /// # Errors
    /// When they cannot be read.
    pub async fn sha256(&self, image: &Image) -> Result<Digest, CompanionError> {
        Ok(self.contents.of(image).await?.sha256)
    }

    /// The signature of a text of ours, as a Sigstore bundle.
    ///
    /// # Errors
    /// When it cannot be signed.
    pub fn sign(&self, text: &[u8]) -> Result<Bytes, CompanionError> {
        self.signatures.of_text(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_split_once_and_put_together_again() {
        for companion in Companion::ALL {
            let name = format!("metal-amd64.pcrs.json{}", companion.suffix());
            assert_eq!(Companion::split(&name), ("metal-amd64.pcrs.json", Some(companion)));
            let others = Companion::ALL.into_iter().filter(|other| *other != companion);
            assert!(others.into_iter().all(|other| !companion.suffix().ends_with(other.suffix())));
        }
        let twice = Companion::split("a.iso.sha256.sha512");
        assert_eq!(twice, ("a.iso.sha256", Some(Companion::Checksum(Checksum::Sha512))));
        for name in ["metal-amd64.iso", "kernel-amd64", "x.SHA256", "sha256", ""] {
            assert_eq!(Companion::split(name), (name, None));
        }
    }
}
