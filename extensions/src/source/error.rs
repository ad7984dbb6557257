//! Why something could not be had from a source.

use std::io;
use std::path::PathBuf;

use builder::store::{RecordError, StoreError};
use schematics::{Arch, Blame, Blamed, Digest};

use super::{Moved, Place};
use crate::hostile::HostileError;
use crate::reference::Repository;
use crate::trust::Untrusted;

/// Why something could not be had from a source.
#[derive(Debug, thiserror::Error)]
pub enum PullError {
    /// The source does not know the repository.
    #[error("there is no repository {repository} at {place}")]
    NoRepository {
        /// The source.
        place: Place,
        /// The repository.
        repository: Repository,
    },
    /// The repository has no such tag.
    #[error("there is no tag `{tag}` in {repository} at {place}")]
    NoTag {
        /// The source.
        place: Place,
        /// The repository.
        repository: Repository,
        /// The tag.
        tag: String,
    },
    /// A manifest or blob that something refers to is not there.
    #[error("{digest} of {repository} is missing at {place}")]
    NoContent {
        /// The source.
        place: Place,
        /// The repository.
        repository: Repository,
        /// What is missing.
        digest: Digest,
    },
    /// The registry wants other credentials.
    #[error("{place} does not let us read {repository} (status {status})")]
    Denied {
        /// The registry.
        place: Place,
        /// The repository.
        repository: Repository,
        /// The HTTP status.
        status: u16,
    },
    /// The registry does not take the user name and password we have for it.
    #[error("{place} does not take the user name and password that are configured for it")]
    Login {
        /// The registry.
        place: Place,
    },
    /// The registry answered with a status that is no answer.
    #[error("{url} answered with status {status}")]
    Status {
        /// What was asked.
        url: String,
        /// The HTTP status.
        status: u16,
    },
    /// The registry answered something that breaks the protocol.
    #[error("{url} did not answer as a registry does: {what}")]
    Protocol {
        /// What was asked.
        url: String,
        /// What is wrong.
        what: &'static str,
    },
    /// The registry could not be reached, or the connection broke.
    #[error("could not read {url}")]
    Transport {
        /// What was asked.
        url: String,
        /// Why.
        #[source]
        source: reqwest::Error,
    },
    /// Whoever answered is not known to be the registry.
    #[error("{url} has a certificate that is not trusted here")]
    Certificate {
        /// What was asked.
        url: String,
        /// Why.
        #[source]
        source: reqwest::Error,
    },
    /// It took too long.
    #[error("{what} took longer than {seconds} s")]
    Timeout {
        /// What was tried.
        what: String,
        /// How long it may take.
        seconds: u64,
    },
    /// A file of a layout directory could not be read.
    #[error("could not read {path}")]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// Something is larger than allowed.
    #[error("{what} has more than the {limit} bytes allowed")]
    TooLarge {
        /// What it is.
        what: String,
        /// The limit in bytes.
        limit: u64,
    },
    /// There is more of something than allowed.
    #[error("{what}: more than {limit}")]
    TooMany {
        /// What it is.
        what: String,
        /// The limit.
        limit: usize,
    },
    /// A blob does not have the announced length.
    #[error("{digest} should have {expected} bytes, but {found} came")]
    Length {
        /// The blob.
        digest: Digest,
        /// The announced length.
        expected: u64,
        /// How many bytes came before it ended, or before it was refused.
        found: u64,
    },
    /// Bytes do not have the digest they were asked for by.
    #[error("{expected} was asked for, but the bytes hash to {found}")]
    Mismatch {
        /// What was asked for.
        expected: Digest,
        /// What came.
        found: Digest,
    },
    /// A document of the source is malformed.
    #[error("{what} is malformed")]
    Malformed {
        /// What it is.
        what: String,
        /// Why.
        #[source]
        source: serde_json::Error,
    },
    /// A document uses something this program does not know.
    #[error("{what} has the media type `{media_type}`, which is not supported here")]
    MediaType {
        /// What it is.
        what: String,
        /// The media type.
        media_type: String,
    },
    /// An index has no image for the architecture.
    #[error("{digest} of {repository} has no image for linux/{arch}")]
    NoPlatform {
        /// The repository.
        repository: Repository,
        /// The index.
        digest: Digest,
        /// The architecture.
        arch: Arch,
    },
    /// A layer is refused.
    #[error("layer {layer} of {repository} is refused")]
    Hostile {
        /// The repository.
        repository: Repository,
        /// The layer.
        layer: Digest,
        /// Why.
        #[source]
        source: Box<HostileError>,
    },
    /// A tag stands for another image than the one that is wanted.
    #[error(transparent)]
    Moved(Box<Moved>),
    /// An image is none of those that are wanted.
    #[error("{repository}:{tag} is none of the images that are pinned")]
    NotPinned {
        /// The repository.
        repository: Repository,
        /// The tag.
        tag: String,
    },
    /// The policy does not let the image be used.
    #[error(transparent)]
    Untrusted(Box<Untrusted>),
    /// What is known about signatures could not be looked up or remembered.
    #[error("could not remember which images are trusted")]
    Facts(#[from] RecordError),
    /// Our own store failed.
    #[error("could not keep what was read from {repository}")]
    Store {
        /// The repository.
        repository: Repository,
        /// Why.
        #[source]
        source: StoreError,
    },
}

impl Blamed for PullError {
    fn blame(&self) -> Blame {
        match self {
            Self::NoTag { .. } => Blame::Missing,
            Self::Store { source, .. } => source.blame(),
            Self::Facts(source) => source.blame(),
            Self::NoRepository { .. }
            | Self::NoContent { .. }
            | Self::Denied { .. }
            | Self::Login { .. }
            | Self::Certificate { .. }
            | Self::Status { .. }
            | Self::Protocol { .. }
            | Self::Transport { .. }
            | Self::Timeout { .. }
            | Self::File { .. }
            | Self::TooLarge { .. }
            | Self::TooMany { .. }
            | Self::Length { .. }
            | Self::Mismatch { .. }
            | Self::Malformed { .. }
            | Self::MediaType { .. }
            | Self::NoPlatform { .. }
            | Self::Moved(_)
            | Self::NotPinned { .. }
            | Self::Hostile { .. }
            | Self::Untrusted(_) => Blame::Upstream,
        }
    }
}
