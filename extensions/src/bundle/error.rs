//! Why a bundle was not written or pushed.

use std::io;
use std::path::PathBuf;

use schematics::{Blame, Blamed};

use crate::publish::PublishError;
use crate::source::PullError;

/// Why a bundle was not written.
#[derive(Debug, thiserror::Error)]
pub enum WriteError {
    /// There is something under its name.
    #[error("{path} is there already; a bundle is not written over anything")]
    Exists {
        /// The name.
        path: PathBuf,
    },
    /// Something of it could not be had.
    #[error("could not get a blob of {repository}")]
    Pull {
        /// Where it is from.
        repository: crate::reference::Repository,
        /// Why.
        #[source]
        source: PullError,
    },
    /// Its index could not be written as JSON.
    #[error("could not write the index of the bundle")]
    Index(#[source] serde_json::Error),
    /// A file of it could not be written.
    #[error("could not write {path}")]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
}

impl Blamed for WriteError {
    fn blame(&self) -> Blame {
        match self {
            Self::Exists { .. } => Blame::Caller,
            Self::Pull { source, .. } => source.blame(),
            Self::File { source, .. } if source.kind() == io::ErrorKind::StorageFull => Blame::Full,
            Self::Index(_) | Self::File { .. } => Blame::Ours,
        }
    }
}

/// Why a bundle was not pushed.
#[derive(Debug, thiserror::Error)]
pub enum PushError {
    /// The bundle could not be read.
    #[error("could not read the bundle")]
    Read(#[source] PullError),
    /// The registry could not be asked what it has.
    #[error("could not ask the registry what it has of {what}")]
    Ask {
        /// What it was asked about.
        what: String,
        /// Why.
        #[source]
        source: PullError,
    },
    /// The registry did not take something.
    #[error("the registry did not take {what}")]
    Put {
        /// What it was given.
        what: String,
        /// Why.
        #[source]
        source: PublishError,
    },
    /// The registry did not take an index some of whose images are not in the bundle.
    #[error(
        "the registry did not take {what}, of which the bundle leaves images out; it may want all of them: export the bundle without `--arch`"
    )]
    Partial {
        /// The index.
        what: String,
        /// Why.
        #[source]
        source: PublishError,
    },
}

impl Blamed for PushError {
    fn blame(&self) -> Blame {
        match self {
            Self::Read(_) => Blame::Caller,
            Self::Ask { source, .. } => source.blame(),
            Self::Put { source, .. } | Self::Partial { source, .. } => source.blame(),
        }
    }
}
