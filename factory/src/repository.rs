//! What the repositories of our registry have in common: documents, blobs, and tags that are versions.

use std::error::Error;
use std::sync::Arc;

use builder::VirtualImage;
use bytes::Bytes;
use extensions::PullError;
use schematics::{Blame, Blamed, Digest, TalosVersion};

use crate::available::{Available, Unavailable};
use crate::images::Health;

/// The tag of the newest version that is no pre-release.
pub(crate) const LATEST: &str = "latest";

/// A manifest or index.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Document {
    /// Its media type.
    pub media_type: String,
    /// Its digest.
    pub digest: Digest,
    /// Its bytes.
    pub bytes: Bytes,
}

/// The bytes of a configuration or layer.
#[derive(Debug, Clone)]
pub struct BlobContent {
    /// Its digest.
    pub digest: Digest,
    /// Its bytes.
    pub layout: Arc<VirtualImage>,
    /// Spoiled when reading fails.
    pub health: Health,
}

impl BlobContent {
    /// Bytes in memory.
    pub(crate) fn of(digest: Digest, bytes: impl Into<Bytes>) -> Self {
        let layout = Arc::new(VirtualImage::from_bytes(bytes));
        Self { digest, layout, health: Health::default() }
    }
}

/// What a manifest is asked for by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reference {
    /// A tag.
    Tag(String),
    /// A digest.
    Digest(Digest),
}

impl Document {
    /// A document of this type.
    #[must_use]
    pub fn new(media_type: &str, bytes: Bytes) -> Self {
        Self { media_type: media_type.to_owned(), digest: Digest::of(&bytes), bytes }
    }
}

/// Why a tag stands for no version.
#[derive(Debug, Clone, thiserror::Error)]
pub enum TagError {
    /// There is no such tag.
    #[error("there is no tag `{tag}`: {what}")]
    Unknown {
        /// The tag.
        tag: String,
        /// Why.
        what: &'static str,
    },
    /// The versions are not known.
    #[error("the versions of Talos are not known")]
    Versions(#[source] Unavailable),
}

impl Blamed for TagError {
    fn blame(&self) -> Blame {
        match self {
            Self::Unknown { .. } => Blame::Missing,
            Self::Versions(error) => error.blame(),
        }
    }
}

/// The version a tag stands for.
///
/// # Errors
/// When it stands for none, or the newest is asked for and the versions are not known.
pub(crate) async fn version_of(tag: &str, available: &Available) -> Result<TalosVersion, TagError> {
    let unknown = |what| TagError::Unknown { tag: tag.to_owned(), what };
    if tag == LATEST {
        let versions = available.versions().await.map_err(TagError::Versions)?;
        let newest = versions.iter().rev().find(|version| !version.is_prerelease());
        return newest.cloned().ok_or_else(|| unknown("no version has been released"));
    }
    if !tag.starts_with('v') {
        return Err(unknown("tags are versions, such as v1.13.0"));
    }
    tag.parse().map_err(|_| unknown("it is no version; those look like v1.13.0"))
}

/// What can be had of two architectures: one that a bundle leaves out is left out here too, while there is another.
///
/// # Errors
/// When neither can be had, or one fails for another reason.
pub(crate) fn had<T, E: Error + 'static>(made: [Result<T, E>; 2]) -> Result<Vec<T>, E> {
    let (mut had, mut left_out) = (Vec::new(), None);
    for one in made {
        match one {
            Ok(one) => had.push(one),
            Err(error) if PullError::left_out(&error).is_some() => left_out = left_out.or(Some(error)),
            Err(error) => return Err(error),
        }
    }
    match left_out {
        Some(error) if had.is_empty() => Err(error),
        Some(_) | None => Ok(had),
    }
}
