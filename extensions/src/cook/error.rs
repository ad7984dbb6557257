//! Why something could not be cooked.

use std::error::Error;
use std::io;

use builder::format::compress::CompressError;
use builder::format::cpio::CpioError;
use builder::format::squashfs::SquashfsError;
use builder::store::{RecordError, StoreError};
use schematics::{Blame, Blamed};

use crate::manifest::ManifestError;
use crate::parts::LayoutError;

/// Why something could not be cooked. Nothing is remembered of it.
#[derive(Debug, thiserror::Error)]
pub enum CookError {
    /// The image could not be fetched.
    #[error("could not fetch extension `{name}`")]
    Fetch {
        /// The extension.
        name: String,
        /// Whose fault that was.
        blame: Blame,
        /// Why.
        #[source]
        source: Box<dyn Error + Send + Sync>,
    },
    /// The image has other files than an extension has.
    #[error("the image of extension `{name}` is not that of an extension")]
    Layout {
        /// The extension.
        name: String,
        /// Why.
        #[source]
        source: LayoutError,
    },
    /// The manifest cannot be read.
    #[error("extension `{name}` has no usable manifest")]
    Manifest {
        /// The extension.
        name: String,
        /// Why.
        #[source]
        source: ManifestError,
    },
    /// Its firmware does not fit an initramfs.
    #[error("the firmware of extension `{name}` does not fit an initramfs")]
    Firmware {
        /// The extension.
        name: String,
        /// Why.
        #[source]
        source: CpioError,
    },
    /// The squashfs image could not be made.
    #[error("could not make a layer")]
    Squashfs(#[from] SquashfsError),
    /// The firmware could not be compressed.
    #[error("could not compress firmware")]
    Compress(#[from] CompressError),
    /// The store failed.
    #[error("could not read or store what is being cooked")]
    Store(#[from] StoreError),
    /// The records failed.
    #[error("could not read or write the record of something cooked")]
    Record(#[from] RecordError),
    /// What was cooked cannot be written as a record.
    #[error("could not write down what was cooked")]
    Encode(#[source] serde_json::Error),
    /// The directory for intermediate files could not be made.
    #[error("could not make a directory for intermediate files")]
    Scratch(#[source] io::Error),
    /// The process is stopping.
    #[error("the kitchen is closed")]
    Closed,
}

impl Blamed for CookError {
    fn blame(&self) -> Blame {
        match self {
            Self::Fetch { blame, .. } => *blame,
            Self::Layout { .. } | Self::Manifest { .. } | Self::Firmware { .. } => Blame::Upstream,
            Self::Squashfs(error) => error.blame(),
            Self::Compress(error) => error.blame(),
            Self::Store(error) => error.blame(),
            Self::Record(error) => error.blame(),
            Self::Scratch(error) if error.kind() == io::ErrorKind::StorageFull => Blame::Full,
            Self::Encode(_) | Self::Scratch(_) => Blame::Ours,
            Self::Closed => Blame::Busy,
        }
    }
}
