//! Why something is not what it should be.

use std::io;
use std::path::PathBuf;

use extensions::PullError;
use schematics::{Blame, Blamed, Digest};
use signing::bundle::BundleError;
use signing::in_toto::StatementError;

/// Why a file or image does not pass.
#[derive(Debug, thiserror::Error)]
pub enum CheckError {
    /// A file cannot be read.
    #[error("cannot read what is to be checked")]
    Read(#[from] io::Error),
    /// A file is longer than any honest one.
    #[error("{} has more than the {limit} bytes that are read", path.display())]
    TooLong {
        /// The file.
        path: PathBuf,
        /// How long it may be.
        limit: u64,
    },
    /// A checksum is of other bytes, or of none.
    #[error("{} has another checksum than {file}", path.display())]
    Checksum {
        /// The file with the checksum.
        path: PathBuf,
        /// What was checked.
        file: String,
    },
    /// A bundle does not count.
    #[error("{place} does not count")]
    Bundle {
        /// Where the bundle is.
        place: String,
        /// Why.
        #[source]
        source: BundleError,
    },
    /// The text in a bundle is no statement.
    #[error("what is signed in {place} cannot be understood")]
    Statement {
        /// Where the bundle is.
        place: String,
        /// Why.
        #[source]
        source: StatementError,
    },
    /// A statement is about something else: it was put beside this one.
    #[error("{place} is about something else")]
    Other {
        /// Where the statement is.
        place: String,
    },
    /// Nothing is signed by the key.
    #[error("there is no signature of {what} by the key {key}: {found}")]
    Unsigned {
        /// What was checked.
        what: String,
        /// The key.
        key: signing::KeyId,
        /// What was found instead.
        found: String,
    },
    /// The image cannot be had.
    #[error("cannot get the image")]
    Pull(#[from] PullError),
    /// A document of the place cannot be understood.
    #[error("the document {digest} cannot be understood")]
    Document {
        /// The document.
        digest: Digest,
        /// Why.
        #[source]
        source: serde_json::Error,
    },
}

impl Blamed for CheckError {
    fn blame(&self) -> Blame {
        Blame::Caller
    }
}
