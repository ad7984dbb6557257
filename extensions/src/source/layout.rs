//! An OCI image layout directory as a source.

use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use async_trait::async_trait;
use builder::store::Blob;
use bytes::Bytes;
use fs_err as fs;
use futures::{StreamExt as _, stream};
use schematics::Digest;
use serde::Deserialize;
use tokio::task;

use super::{BlobStream, ImageSource, MAX_MANIFEST, MAX_TAGS, PullError, verified, within};
use crate::oci::{Descriptor, Index};
use crate::reference::{ImageName, Repository};

/// The annotation that names an entry of a layout (OCI image specification 1.1, annotations).
pub(crate) const REF_NAME: &str = "org.opencontainers.image.ref.name";
/// The version of layouts.
pub(crate) const LAYOUT_VERSION: &str = "1.0.0";
/// The largest `index.json` that is read, in bytes.
pub(crate) const MAX_INDEX: u64 = 64 << 20;
/// How much is read from a file at a time.
const PIECE: u64 = 256 * 1024;

/// A directory in the OCI image layout, holding any number of repositories.
///
/// Entries of its index are named `repository:tag`, with or without a registry in front, so that one directory can stand
/// for a registry where there is no network. The index is read anew for every question about tags: what another program
/// adds is seen at once.
#[derive(Debug, Clone)]
pub struct LayoutSource {
    dir: Arc<Path>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct LayoutFile {
    image_layout_version: String,
}

impl LayoutSource {
    /// Opens the layout in `dir`.
    ///
    /// # Errors
    /// When there is none.
    pub fn open(dir: impl Into<PathBuf>) -> Result<Self, PullError> {
        let source = Self { dir: dir.into().into() };
        let path = source.dir.join("oci-layout");
        let bytes = read_file(&path, MAX_MANIFEST)?;
        let what = || path.display().to_string();
        let file: LayoutFile =
            serde_json::from_slice(&bytes).map_err(|source| PullError::Malformed { what: what(), source })?;
        if file.image_layout_version == LAYOUT_VERSION {
            Ok(source)
        } else {
            Err(PullError::MediaType { what: what(), media_type: file.image_layout_version })
        }
    }

    fn place(&self) -> String {
        format!("oci:{}", self.dir.display())
    }

    fn blob_path(&self, digest: Digest) -> PathBuf {
        self.dir.join("blobs").join("sha256").join(digest.hex())
    }

    /// The entries of `repository` with their tags.
    async fn entries(&self, repository: &Repository) -> Result<Vec<(String, Descriptor)>, PullError> {
        let path = self.dir.join("index.json");
        let index = blocking(move || read_index(&path)).await?;
        let named = |entry: &Descriptor| {
            let name: ImageName = entry.annotations.get(REF_NAME)?.parse().ok()?;
            (name.repository == *repository).then_some(name.tag)?
        };
        Ok(index.manifests.into_iter().filter_map(|entry| Some((named(&entry)?, entry))).collect())
    }

    async fn open_blob(&self, repository: &Repository, digest: Digest) -> Result<(fs::File, u64), PullError> {
        let path = self.blob_path(digest);
        let opened = blocking_io(move || {
            let file = fs::File::open(&path)?;
            let metadata = file.metadata()?;
            if metadata.is_file() { Ok((file, metadata.len())) } else { Err(io::ErrorKind::NotFound.into()) }
        });
        opened.await.map_err(|source| match source.kind() {
            io::ErrorKind::NotFound => {
                PullError::NoContent { place: self.place(), repository: repository.clone(), digest }
            }
            _ => PullError::File { path: self.blob_path(digest), source },
        })
    }

    fn stream(&self, file: fs::File, blob: Blob) -> BlobStream {
        let path = self.blob_path(blob.digest);
        let pieces = stream::try_unfold(file, move |file| {
            let path = path.clone();
            async move {
                let read = blocking_io(move || read_piece(file)).await;
                let (file, bytes) = read.map_err(|source| PullError::File { path, source })?;
                Ok((!bytes.is_empty()).then_some((bytes, file)))
            }
        });
        verified(pieces.boxed(), blob)
    }
}

#[async_trait]
impl ImageSource for LayoutSource {
    async fn tags(&self, repository: &Repository) -> Result<Vec<String>, PullError> {
        let entries = self.entries(repository).await?;
        if entries.is_empty() {
            return Err(PullError::NoRepository { place: self.place(), repository: repository.clone() });
        }
        if entries.len() > MAX_TAGS {
            return Err(PullError::TooMany { what: format!("tags of {repository}"), limit: MAX_TAGS });
        }
        Ok(entries.into_iter().map(|(tag, _)| tag).collect())
    }

    async fn resolve(&self, repository: &Repository, tag: &str) -> Result<Digest, PullError> {
        let found = self.entries(repository).await?.into_iter().find(|(name, _)| name == tag);
        let missing =
            || PullError::NoTag { place: self.place(), repository: repository.clone(), tag: tag.to_owned() };
        found.map(|(_, entry)| entry.digest).ok_or_else(missing)
    }

    async fn manifest(&self, repository: &Repository, digest: Digest) -> Result<Bytes, PullError> {
        let (file, size) = self.open_blob(repository, digest).await?;
        let what = format!("manifest {digest}");
        if size > MAX_MANIFEST {
            return Err(PullError::TooLarge { what, limit: MAX_MANIFEST });
        }
        within(self.stream(file, Blob { digest, size }), MAX_MANIFEST, &what).await
    }

    async fn blob_size(&self, repository: &Repository, digest: Digest) -> Result<u64, PullError> {
        self.open_blob(repository, digest).await.map(|(_, size)| size)
    }

    async fn blob(&self, repository: &Repository, blob: Blob) -> Result<BlobStream, PullError> {
        let (file, size) = self.open_blob(repository, blob.digest).await?;
        if size == blob.size {
            Ok(self.stream(file, blob))
        } else {
            Err(PullError::Length { digest: blob.digest, expected: blob.size, found: size })
        }
    }
}

/// Reads `index.json`.
pub(crate) fn read_index(path: &Path) -> Result<Index, PullError> {
    let bytes = read_file(path, MAX_INDEX)?;
    serde_json::from_slice(&bytes)
        .map_err(|source| PullError::Malformed { what: path.display().to_string(), source })
}

fn read_file(path: &Path, limit: u64) -> Result<Vec<u8>, PullError> {
    let failed = |source| PullError::File { path: path.to_owned(), source };
    let mut bytes = Vec::new();
    fs::File::open(path).map_err(failed)?.take(limit + 1).read_to_end(&mut bytes).map_err(failed)?;
    if bytes.len() as u64 > limit {
        return Err(PullError::TooLarge { what: path.display().to_string(), limit });
    }
    Ok(bytes)
}

fn read_piece(mut file: fs::File) -> io::Result<(fs::File, Bytes)> {
    let mut bytes = Vec::new();
    std::io::Read::by_ref(&mut file).take(PIECE).read_to_end(&mut bytes)?;
    Ok((file, bytes.into()))
}

async fn blocking_io<T: Send + 'static>(
    work: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> io::Result<T> {
    task::spawn_blocking(work).await.map_err(io::Error::other)?
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, PullError> + Send + 'static,
) -> Result<T, PullError> {
    task::spawn_blocking(work)
        .await
        .map_err(|source| PullError::File { path: PathBuf::new(), source: io::Error::other(source) })?
}
