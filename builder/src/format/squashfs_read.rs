//! Taking files out of a SquashFS 4.0 image somebody else may have made.
//!
//! Just enough of a reader for that: regular files below one directory. Every size in the image is checked against a
//! limit before anything is allocated for it, and nothing a broken image says leads further than to an error.

mod decode;
mod file;
mod image;
mod inode;
mod metadata;

use std::io::{self, Read};
use std::sync::Arc;

use schematics::{Blame, Blamed};
use tokio::runtime::Handle;
use tokio::task;

use crate::store::{Blob, BlobStore};
use crate::tree::split_path;

pub use image::Image;

use file::FileReader;
use image::StoredImage;
use inode::{Inode, Kind};
use metadata::{Place, Tables};

/// How deep directories are followed.
pub const MAX_DEPTH: usize = 64;
/// The largest listing of one directory, in bytes.
pub const MAX_LISTING: u32 = 16 << 20;

/// How much is taken out of an image at most.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// How many files and directories together.
    pub entries: usize,
    /// How many bytes all files have together.
    pub bytes: u64,
}

/// A regular file in an image.
pub struct Found<'a> {
    /// Its path from the root of the image, without a slash in front.
    pub path: &'a str,
    /// Permission bits.
    pub mode: u16,
    /// How many bytes it has.
    pub size: u64,
    /// Its bytes.
    pub content: &'a mut dyn Read,
}

impl std::fmt::Debug for Found<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Found").field("path", &self.path).field("size", &self.size).finish_non_exhaustive()
    }
}

/// Why files could not be taken out of an image.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// Not an image, or one of another version.
    #[error("the image is no SquashFS 4.0: {what}")]
    Format {
        /// What is wrong.
        what: &'static str,
    },
    /// The image uses a compressor that is not supported.
    #[error("the image is compressed with method {method}, expected gzip (1), xz (4) or zstd (6)")]
    Compressor {
        /// Its number.
        method: u16,
    },
    /// The image contradicts itself.
    #[error("the image is damaged: {what}")]
    Damaged {
        /// What is wrong.
        what: &'static str,
    },
    /// There is more in the directory than may be taken.
    #[error("the image has more {what} than the {limit} that are allowed")]
    TooMuch {
        /// What there is too much of.
        what: &'static str,
        /// How much is allowed.
        limit: u64,
    },
    /// There is no such directory.
    #[error("the image has no directory `{path}`")]
    NoDirectory {
        /// The path.
        path: String,
    },
    /// The image could not be read or a block of it not be decompressed.
    #[error("could not read the image")]
    Read {
        /// Why.
        #[source]
        source: io::Error,
    },
    /// A file could not be read or not be taken.
    #[error("could not take `{path}` out of the image")]
    Take {
        /// The path of the file.
        path: String,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The thread ended before its work was done.
    #[error("the thread that was reading an image stopped")]
    Stopped,
}

impl Blamed for ReadError {
    fn blame(&self) -> Blame {
        match self {
            Self::Format { .. }
            | Self::Compressor { .. }
            | Self::Damaged { .. }
            | Self::TooMuch { .. }
            | Self::NoDirectory { .. } => Blame::Upstream,
            Self::Read { .. } | Self::Take { .. } | Self::Stopped => Blame::Ours,
        }
    }
}

const fn damaged(what: &'static str) -> ReadError {
    ReadError::Damaged { what }
}

/// Hands every regular file below `directory` of a stored image to `take`, in the order of the image, names sorted.
///
/// Links and special files are passed over. `take` runs on a thread of its own and may block; it need not read a file to
/// its end, but a file it does read is either whole or an error.
///
/// # Errors
/// When the image is none, is damaged or exceeds the limits, the directory is not there, or `take` fails.
pub async fn read_files(
    blob: Blob,
    directory: &str,
    limits: Limits,
    store: &Arc<dyn BlobStore>,
    take: impl FnMut(Found<'_>) -> io::Result<()> + Send + 'static,
) -> Result<(), ReadError> {
    let image = StoredImage::new(blob, Arc::clone(store), Handle::current());
    let directory = directory.to_owned();
    let work = move || walk(image, &directory, limits, take);
    task::spawn_blocking(work).await.map_err(|_| ReadError::Stopped)?
}

/// As [`read_files`], for any source of bytes, on the calling thread.
///
/// # Errors
/// As [`read_files`].
pub fn walk(
    image: impl Image,
    directory: &str,
    limits: Limits,
    take: impl FnMut(Found<'_>) -> io::Result<()>,
) -> Result<(), ReadError> {
    let mut tables = Tables::open(image)?;
    let missing = || ReadError::NoDirectory { path: directory.to_owned() };
    let parts = split_path(directory).map_err(|_| missing())?;
    let mut dir = tables.inode(tables.root())?;
    for part in &parts {
        let entries = tables.listing(&dir)?;
        let place = entries.into_iter().find(|entry| entry.name == *part).ok_or_else(missing)?.inode;
        dir = tables.inode(place)?;
    }
    if !matches!(dir.kind, Kind::Dir { .. }) {
        return Err(missing());
    }
    Walk { tables, limits, entries: 0, bytes: 0, take }.run(dir, parts.join("/"))
}

struct Walk<I, F> {
    tables: Tables<I>,
    limits: Limits,
    entries: usize,
    bytes: u64,
    take: F,
}

/// Something that is still to be visited.
struct Open {
    path: String,
    depth: usize,
    inode: Place,
}

impl<I: Image, F: FnMut(Found<'_>) -> io::Result<()>> Walk<I, F> {
    fn run(mut self, root: Inode, path: String) -> Result<(), ReadError> {
        let mut open = Vec::new();
        self.open_entries(&root, &path, 0, &mut open)?;
        while let Some(next) = open.pop() {
            let inode = self.tables.inode(next.inode)?;
            match inode.kind {
                Kind::Dir { .. } => self.open_entries(&inode, &next.path, next.depth, &mut open)?,
                Kind::File(_) => self.take_file(&inode, &next.path)?,
                Kind::Other => {}
            }
        }
        Ok(())
    }

    fn open_entries(
        &mut self,
        dir: &Inode,
        path: &str,
        depth: usize,
        open: &mut Vec<Open>,
    ) -> Result<(), ReadError> {
        if depth >= MAX_DEPTH {
            return Err(ReadError::TooMuch { what: "levels", limit: MAX_DEPTH as u64 });
        }
        let entries = self.tables.listing(dir)?;
        self.entries = self.entries.saturating_add(entries.len());
        if self.entries > self.limits.entries {
            return Err(ReadError::TooMuch { what: "entries", limit: self.limits.entries as u64 });
        }
        open.extend(entries.into_iter().rev().map(|entry| {
            let path = if path.is_empty() { entry.name } else { format!("{path}/{}", entry.name) };
            Open { path, depth: depth + 1, inode: entry.inode }
        }));
        Ok(())
    }

    fn take_file(&mut self, inode: &Inode, path: &str) -> Result<(), ReadError> {
        let Kind::File(file) = &inode.kind else { return Ok(()) };
        self.bytes = self.bytes.saturating_add(file.size);
        if self.bytes > self.limits.bytes {
            return Err(ReadError::TooMuch { what: "bytes", limit: self.limits.bytes });
        }
        let mut content = FileReader::open(&mut self.tables, file)?;
        let found = Found { path, mode: inode.mode, size: file.size, content: &mut content };
        (self.take)(found).map_err(|source| ReadError::Take { path: path.to_owned(), source })
    }
}

#[cfg(test)]
mod tests;
