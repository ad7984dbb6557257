//! What releases and extensions say about what is inside them: SPDX documents among their files.

use std::sync::{Arc, Mutex, PoisonError};

use builder::format::squashfs_read::{Limits, ReadError, read_files};
use builder::store::Blob;
use bytes::Bytes;
use schematics::{Blame, Blamed};

use crate::cook::{CookedExtension, Kitchen};
use crate::modules_dep::{ModulesError, rootfs};

/// Where a release has them, in its root file system.
pub const RELEASE_DIRECTORY: &str = "usr/share/spdx";
/// Where an extension has them, in its own.
pub const EXTENSION_DIRECTORY: &str = "usr/local/share/spdx";
/// How the name of such a file ends; others are passed over.
pub const SUFFIX: &str = ".spdx.json";
/// How many files there may be, and how large they may be together.
const LIMITS: Limits = Limits { entries: 256, bytes: 32 << 20 };

/// A document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SbomFile {
    /// The name of the file.
    pub name: String,
    /// Its bytes, unread.
    pub content: Bytes,
}

/// Why documents could not be read.
#[derive(Debug, thiserror::Error)]
pub enum SbomError {
    /// The root file system of the release could not be had.
    #[error("could not open the root file system of the release")]
    Rootfs(#[source] ModulesError),
    /// An image could not be read.
    #[error("could not read the documents of {place}")]
    Read {
        /// Whose documents they are.
        place: String,
        /// Why.
        #[source]
        source: ReadError,
    },
}

impl Blamed for SbomError {
    fn blame(&self) -> Blame {
        match self {
            Self::Rootfs(error) => error.blame(),
            Self::Read { source, .. } => source.blame(),
        }
    }
}

/// The documents of a release, in the order of their names; none when it has no directory of them.
///
/// # Errors
/// When the initramfs is not what a release has, or the documents are too large.
pub async fn release_documents(kitchen: &Kitchen, initramfs: Blob) -> Result<Vec<SbomFile>, SbomError> {
    let image = rootfs(kitchen, initramfs).await.map_err(SbomError::Rootfs)?;
    documents(kitchen, image, RELEASE_DIRECTORY, "the release").await
}

/// The documents of an extension, in the order of their names; none when it has no directory of them.
///
/// # Errors
/// When the layer cannot be read, or the documents are too large.
pub async fn extension_documents(
    kitchen: &Kitchen,
    extension: &CookedExtension,
) -> Result<Vec<SbomFile>, SbomError> {
    let place = format!("the extension `{}`", extension.layer.manifest.name);
    documents(kitchen, extension.layer.squashfs, EXTENSION_DIRECTORY, &place).await
}

async fn documents(
    kitchen: &Kitchen,
    image: Blob,
    directory: &str,
    place: &str,
) -> Result<Vec<SbomFile>, SbomError> {
    let found = Arc::new(Mutex::new(Vec::new()));
    let taken = Arc::clone(&found);
    let prefix = format!("{directory}/");
    let take = move |file: builder::format::squashfs_read::Found<'_>| {
        let Some(name) = file.path.strip_prefix(&prefix).filter(|name| name.ends_with(SUFFIX)) else {
            return Ok(());
        };
        // The walk has counted the size against the limit before it calls.
        let mut content = Vec::new();
        file.content.read_to_end(&mut content)?;
        let file = SbomFile { name: name.to_owned(), content: content.into() };
        taken.lock().unwrap_or_else(PoisonError::into_inner).push(file);
        Ok(())
    };
    match read_files(image, directory, LIMITS, &kitchen.store, take).await {
        Ok(()) => Ok(std::mem::take(&mut *found.lock().unwrap_or_else(PoisonError::into_inner))),
        Err(ReadError::NoDirectory { .. }) => Ok(Vec::new()),
        Err(source) => Err(SbomError::Read { place: place.to_owned(), source }),
    }
}
