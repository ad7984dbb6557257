//! An OCI image layout as a source: a directory, or an archive of one.

mod files;

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use async_trait::async_trait;
use builder::store::Blob;
use bytes::Bytes;
use futures::{StreamExt as _, stream};
use schematics::Digest;
use serde::Deserialize;
use tokio::task;

use super::{BlobStream, ImageSource, MAX_MANIFEST, MAX_TAGS, Place, PullError, referrers, verified, within};
use crate::bundle::MARK;
use crate::oci::{Descriptor, Index, MANIFEST};
use crate::reference::{ImageName, Repository};
use files::{Files, Reader};

/// The annotation that names an entry of a layout (OCI image specification 1.1, annotations).
pub(crate) const REF_NAME: &str = "org.opencontainers.image.ref.name";
/// The version of layouts.
pub(crate) const LAYOUT_VERSION: &str = "1.0.0";
/// The file that says what is in a directory.
pub(crate) const LAYOUT_FILE: &str = "oci-layout";
/// The file that names the images.
pub(crate) const INDEX_FILE: &str = "index.json";
/// The largest `index.json` that is read, in bytes.
pub(crate) const MAX_INDEX: u64 = 64 << 20;

/// A directory in the OCI image layout, or a tar archive of one, holding any number of repositories.
///
/// Entries of its index are named `repository:tag`, with or without a registry in front, so that one directory can stand
/// for a registry where there is no network. The index is read anew for every question about tags: what another program
/// adds to a directory is seen at once. An archive must not be compressed, and stays what it was when it was opened.
#[derive(Debug, Clone)]
pub struct LayoutSource {
    files: Arc<Files>,
    place: Place,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct LayoutFile {
    image_layout_version: String,
}

impl LayoutSource {
    /// Opens the layout in a directory or archive.
    ///
    /// # Errors
    /// When there is none.
    pub fn open(path: impl Into<PathBuf>) -> Result<Self, PullError> {
        let path: PathBuf = path.into();
        let failed = |source| PullError::File { path: path.clone(), source };
        let files = Files::open(path.clone()).map_err(failed)?;
        let bytes = read_file(&files, LAYOUT_FILE, MAX_MANIFEST)?;
        let what = || path.join(LAYOUT_FILE).display().to_string();
        let file: LayoutFile =
            serde_json::from_slice(&bytes).map_err(|source| PullError::Malformed { what: what(), source })?;
        if file.image_layout_version != LAYOUT_VERSION {
            return Err(PullError::MediaType { what: what(), media_type: file.image_layout_version });
        }
        // One that cannot be read yet may be readable later.
        let is_bundle = index_of(&files).is_ok_and(|index| index.annotations.contains_key(MARK));
        let place = if is_bundle { Place::Bundle(path) } else { Place::Layout(path) };
        Ok(Self { files: Arc::new(files), place })
    }

    /// What is named in the index, in its order.
    ///
    /// # Errors
    /// When the index cannot be read.
    pub async fn index(&self) -> Result<Index, PullError> {
        let files = Arc::clone(&self.files);
        blocking(move || index_of(&files)).await
    }

    /// Whether it was made for certain versions and schematics.
    #[must_use]
    pub const fn is_bundle(&self) -> bool {
        matches!(self.place, Place::Bundle(_))
    }

    fn place(&self) -> Place {
        self.place.clone()
    }

    /// The entries of `repository` with their tags.
    async fn entries(&self, repository: &Repository) -> Result<Vec<(String, Descriptor)>, PullError> {
        let index = self.index().await?;
        let named = |entry: &Descriptor| {
            let name: ImageName = entry.annotations.get(REF_NAME)?.parse().ok()?;
            (name.repository == *repository).then_some(name.tag)?
        };
        Ok(index.manifests.into_iter().filter_map(|entry| Some((named(&entry)?, entry))).collect())
    }

    async fn open_blob(&self, repository: &Repository, digest: Digest) -> Result<Reader, PullError> {
        let (files, name) = (Arc::clone(&self.files), blob_name(digest));
        let opened = blocking_io(move || files.file(&name)).await;
        opened.map_err(|source| match source.kind() {
            io::ErrorKind::NotFound => {
                PullError::NoContent { place: self.place(), repository: repository.clone(), digest }
            }
            _ => PullError::File { path: self.files.path().join(blob_name(digest)), source },
        })
    }

    fn stream(&self, reader: Reader, blob: Blob) -> BlobStream {
        let path = self.files.path().join(blob_name(blob.digest));
        let pieces = stream::try_unfold(reader, move |mut reader| {
            let path = path.clone();
            async move {
                let read = blocking_io(move || reader.piece().map(|bytes| (reader, bytes))).await;
                let (reader, bytes) = read.map_err(|source| PullError::File { path, source })?;
                Ok((!bytes.is_empty()).then_some((bytes, reader)))
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
        let reader = self.open_blob(repository, digest).await?;
        let size = reader.left();
        let what = format!("manifest {digest}");
        if size > MAX_MANIFEST {
            return Err(PullError::TooLarge { what, limit: MAX_MANIFEST });
        }
        within(self.stream(reader, Blob { digest, size }), MAX_MANIFEST, &what).await
    }

    async fn blob_size(&self, repository: &Repository, digest: Digest) -> Result<u64, PullError> {
        self.open_blob(repository, digest).await.map(|reader| reader.left())
    }

    async fn blob(&self, repository: &Repository, blob: Blob) -> Result<BlobStream, PullError> {
        let reader = self.open_blob(repository, blob.digest).await?;
        if reader.left() == blob.size {
            Ok(self.stream(reader, blob))
        } else {
            Err(PullError::Length { digest: blob.digest, expected: blob.size, found: reader.left() })
        }
    }

    async fn referrers(&self, repository: &Repository, digest: Digest) -> Result<Vec<Descriptor>, PullError> {
        let index = self.index().await?;
        let mut found = referrers::by_tag(self, repository, digest).await?;
        for entry in index.manifests.into_iter().filter(|entry| is_attached(entry, repository)) {
            let document = match self.manifest(repository, entry.digest).await {
                Ok(document) => document,
                Err(PullError::NoContent { .. } | PullError::TooLarge { .. }) => continue,
                Err(error) => return Err(error),
            };
            if let Some(referrer) = referrers::describe(&document, &entry, digest) {
                referrers::add(&mut found, referrer, repository)?;
            }
        }
        Ok(found)
    }
}

/// Whether an entry may be about another one: it is a manifest, and has no name, or one without a tag.
fn is_attached(entry: &Descriptor, repository: &Repository) -> bool {
    if entry.media_type != MANIFEST {
        return false;
    }
    let Some(name) = entry.annotations.get(REF_NAME) else { return true };
    name.parse::<ImageName>().is_ok_and(|name| name.repository == *repository && name.tag.is_none())
}

/// Reads `index.json` of a layout directory.
pub(crate) fn read_index(dir: &Path) -> Result<Index, PullError> {
    index_of(&Files::Directory(dir.to_owned()))
}

fn index_of(files: &Files) -> Result<Index, PullError> {
    let bytes = read_file(files, INDEX_FILE, MAX_INDEX)?;
    let what = || files.path().join(INDEX_FILE).display().to_string();
    serde_json::from_slice(&bytes).map_err(|source| PullError::Malformed { what: what(), source })
}

fn blob_name(digest: Digest) -> String {
    format!("blobs/sha256/{}", digest.hex())
}

fn read_file(files: &Files, name: &str, limit: u64) -> Result<Vec<u8>, PullError> {
    let path = files.path().join(name);
    let failed = |source| PullError::File { path: path.clone(), source };
    let mut reader = files.file(name).map_err(failed)?;
    if reader.left() > limit {
        return Err(PullError::TooLarge { what: path.display().to_string(), limit });
    }
    let mut bytes = Vec::new();
    loop {
        let piece = reader.piece().map_err(failed)?;
        if piece.is_empty() {
            return Ok(bytes);
        }
        bytes.extend_from_slice(&piece);
    }
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
