//! SquashFS 4.0 images, as the Linux kernel reads them.
//!
//! ```text
//! superblock · compressor options · data blocks and fragment blocks · inodes · directories
//!            · fragment table · export table · id table · extended attributes · zeros up to 4 KiB
//! ```
//!
//! Blocks are compressed by a pool of threads and laid down in the order in which they were read, so the bytes depend on
//! the tree, the codec and the version of its library, and on nothing else. Tails of files share fragment blocks; blocks
//! of zeros become holes; files and tails with equal bytes are stored once.

mod codec;
mod directory;
mod inode;
mod metadata;
mod pack;
mod plan;
mod pool;
mod superblock;
mod write;
mod xattr;

use std::io;
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::sync::Arc;

use schematics::{Blame, Blamed};
use tokio::runtime::Handle;
use tokio::task;

use crate::store::{Blob, BlobStore, StoreError};
use crate::tree::Tree;

/// Size of a data block in bytes before compression.
pub const BLOCK: usize = 128 * 1024;
/// The level files are compressed with by default.
pub const DEFAULT_ZSTD_LEVEL: i32 = 9;
/// The most inodes an image may have.
pub const MAX_INODES: usize = 1 << 22;
/// The longest target of a symbolic link, in bytes: what the kernel reads.
pub const MAX_TARGET: usize = 4095;
/// The most worker threads that are started.
pub const MAX_THREADS: usize = 64;

/// How blocks are compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Codec {
    /// Zstandard, for kernels since 4.14.
    Zstd {
        /// 1 to 22; a higher one costs time and saves bytes.
        level: i32,
    },
    /// LZMA2 in an xz container at preset 6, with a dictionary of one block and CRC32 checks.
    Xz,
}

impl Default for Codec {
    fn default() -> Self {
        Self::Zstd { level: DEFAULT_ZSTD_LEVEL }
    }
}

/// How an image is made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Options {
    /// How blocks are compressed; changes the bytes.
    pub codec: Codec,
    /// How many threads compress; does not change the bytes. At most [`MAX_THREADS`] are started.
    pub threads: NonZeroUsize,
    /// Where the image is written before it is moved into the store, best on the disk of the store; the system's directory
    /// for temporary files when not given.
    pub spool: Option<PathBuf>,
}

impl Default for Options {
    fn default() -> Self {
        Self { codec: Codec::default(), threads: NonZeroUsize::MIN, spool: None }
    }
}

/// Why an image could not be made. Nothing was added to the store.
#[derive(Debug, thiserror::Error)]
pub enum SquashfsError {
    /// A name no directory can have: empty, `.`, `..`, longer than 255 bytes, or with a slash or NUL in it.
    #[error("`{path}` is not a name for an entry of a squashfs image")]
    Name {
        /// The path of the entry.
        path: String,
    },
    /// A symbolic link without a target, or with one that is longer than [`MAX_TARGET`].
    #[error("the target of the symbolic link `{path}` has {size} bytes, expected 1 to {MAX_TARGET}")]
    Target {
        /// The path of the link.
        path: String,
        /// How long its target is.
        size: usize,
    },
    /// Two hard links of one file with different bytes.
    #[error("`{path}` is a hard link of a file with other contents")]
    Links {
        /// The path of the later link.
        path: String,
    },
    /// An attribute outside of `user.`, `trusted.` and `security.`, or one that is too long.
    #[error("squashfs cannot hold the extended attribute `{name}` of `{path}`")]
    Xattr {
        /// The path of the entry.
        path: String,
        /// The attribute.
        name: String,
    },
    /// A table of the format is full.
    #[error("the tree has more {what} than a squashfs image can hold")]
    TooMany {
        /// What there is too much of.
        what: &'static str,
    },
    /// The contents of a file could not be read.
    #[error("could not read the contents of `{path}`")]
    Read {
        /// The path of the file.
        path: String,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The compressor refused.
    #[error("could not compress a block of a squashfs image")]
    Compress {
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The blocks could not be set aside until the superblock is known.
    #[error("could not write the blocks of a squashfs image to a temporary file")]
    Spool {
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The image could not be stored.
    #[error("could not store a squashfs image")]
    Store(
        /// Why.
        #[source]
        StoreError,
    ),
    /// A thread ended before its work was done.
    #[error("a thread that was making a squashfs image stopped")]
    Stopped,
}

impl Blamed for SquashfsError {
    fn blame(&self) -> Blame {
        match self {
            Self::Name { .. }
            | Self::Target { .. }
            | Self::Links { .. }
            | Self::Xattr { .. }
            | Self::TooMany { .. } => Blame::Upstream,
            Self::Spool { source } if source.kind() == io::ErrorKind::StorageFull => Blame::Full,
            Self::Store(error) => error.blame(),
            Self::Read { .. } | Self::Compress { .. } | Self::Spool { .. } | Self::Stopped => Blame::Ours,
        }
    }
}

/// Makes an image of `tree`, whose files are read from `contents`, and commits it to `store`.
///
/// Streams: what is held in memory is the tree, the tables of the image and a few blocks per thread. The image grows in
/// a temporary file and not in the store, since the superblock at its beginning names where everything ends. The same
/// tree and codec give the same bytes, whatever the number of threads.
///
/// # Errors
/// When the tree holds something the format cannot express, contents cannot be read, or the image cannot be stored.
pub async fn cook(
    tree: &Tree,
    options: Options,
    contents: &Arc<dyn BlobStore>,
    store: &Arc<dyn BlobStore>,
) -> Result<Blob, SquashfsError> {
    let plan = plan::lay_out(tree)?;
    let job = write::Job {
        options,
        contents: Arc::clone(contents),
        store: Arc::clone(store),
        runtime: Handle::current(),
    };
    task::spawn_blocking(move || job.run(plan)).await.map_err(|_| SquashfsError::Stopped)?
}

/// `count` as the integer a table of the format has for it.
fn narrow<T: TryFrom<usize>>(count: usize, what: &'static str) -> Result<T, SquashfsError> {
    T::try_from(count).map_err(|_| SquashfsError::TooMany { what })
}

#[cfg(test)]
mod tests;
