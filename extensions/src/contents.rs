//! A few small files of an image.

use std::sync::Arc;

use builder::image::VirtualImage;
use builder::store::{BlobStore, MemoryStore, StoreError};
use builder::tree::{Node, Tree};
use bytes::Bytes;
use schematics::{Arch, Blame, Blamed};

use crate::pull::{Limits, pull_tree};
use crate::reference::{ImageRef, Repository};
use crate::source::{ImageSource, PullError};

/// The largest catalogue image, in bytes: it is read into memory.
const MAX_IMAGE: u64 = 64 << 20;
/// The largest single file that is read, in bytes.
const MAX_FILE: u64 = 8 << 20;

/// Why files of an image could not be had.
#[derive(Debug, thiserror::Error)]
pub enum ContentsError {
    /// The image could not be pulled.
    #[error("could not pull {repository}:{tag}")]
    Pull {
        /// The repository.
        repository: Repository,
        /// The tag.
        tag: String,
        /// Why.
        #[source]
        source: Box<PullError>,
    },
    /// A file is not in the image.
    #[error("{repository}:{tag} has no file `{path}`")]
    NoFile {
        /// The repository.
        repository: Repository,
        /// The tag.
        tag: String,
        /// The file.
        path: String,
    },
    /// A file cannot be read.
    #[error("could not read `{path}`")]
    Read {
        /// The file.
        path: String,
        /// Why.
        #[source]
        source: Box<StoreError>,
    },
}

impl Blamed for ContentsError {
    fn blame(&self) -> Blame {
        match self {
            Self::Pull { source, .. } => source.blame(),
            Self::NoFile { .. } | Self::Read { .. } => Blame::Upstream,
        }
    }
}

/// A small image, pulled into memory.
#[derive(Debug)]
pub struct Contents {
    repository: Repository,
    tag: String,
    store: Arc<dyn BlobStore>,
    tree: Tree,
}

impl Contents {
    /// Pulls the amd64 image of a tag; a tag is resolved to a digest first, and everything after goes by digest.
    ///
    /// # Errors
    /// When the source does not deliver it.
    pub async fn pull(
        source: &dyn ImageSource,
        repository: &Repository,
        tag: &str,
        limits: &Limits,
    ) -> Result<Self, ContentsError> {
        let failed = |error| ContentsError::Pull {
            repository: repository.clone(),
            tag: tag.to_owned(),
            source: Box::new(error),
        };
        let digest = source.resolve(repository, tag).await.map_err(failed)?;
        let store: Arc<dyn BlobStore> = Arc::new(MemoryStore::default());
        let image = ImageRef { repository: repository.clone(), digest };
        let limits = Limits { blob: MAX_IMAGE, content: MAX_IMAGE, ..limits.clone() };
        let pulled = pull_tree(source, &image, Arch::Amd64, &store, &limits).await.map_err(failed)?;
        Ok(Self { repository: repository.clone(), tag: tag.to_owned(), store, tree: pulled.tree })
    }

    /// A file at `path`, if there is one.
    ///
    /// # Errors
    /// When it is there and cannot be read.
    pub async fn file(&self, path: &str) -> Result<Option<Bytes>, ContentsError> {
        let Some(Node::File(file)) = self.tree.get(path) else { return Ok(None) };
        read(&file.content, &self.store, path).await.map(Some)
    }

    /// A file at `path`, which must be there.
    ///
    /// # Errors
    /// When it is not there or cannot be read.
    pub async fn required(&self, path: &str) -> Result<Bytes, ContentsError> {
        let missing = || ContentsError::NoFile {
            repository: self.repository.clone(),
            tag: self.tag.clone(),
            path: path.to_owned(),
        };
        self.file(path).await?.ok_or_else(missing)
    }
}

async fn read(
    content: &VirtualImage,
    store: &Arc<dyn BlobStore>,
    path: &str,
) -> Result<Bytes, ContentsError> {
    let failed = |error| ContentsError::Read { path: path.to_owned(), source: Box::new(error) };
    content.read_all(store, MAX_FILE).await.map_err(failed)
}
