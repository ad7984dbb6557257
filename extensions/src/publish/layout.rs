//! Writing into an OCI image layout directory.

use std::io::{self, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use async_trait::async_trait;
use builder::VirtualImage;
use builder::store::{Blob, BlobStore};
use fs_err as fs;
use futures::TryStreamExt as _;
use schematics::Digest;
use serde_json::{Value, json};
use tokio::task;

use super::{Publication, PublishError, Publisher};
use crate::oci::INDEX;
use crate::reference::{Repository, is_tag};
use crate::source::{LAYOUT_VERSION, LayoutSource, REF_NAME, read_index};

/// A layout directory to write to.
///
/// Everything appears whole: files are written aside, flushed and renamed, and the index last. Writing the same image
/// again changes nothing. Several processes may write at once.
#[derive(Debug, Clone)]
pub struct LayoutWriter {
    dir: Arc<Path>,
}

impl LayoutWriter {
    /// Opens the layout in `dir`, making it where there is none.
    ///
    /// # Errors
    /// When the directory cannot be made, or has another kind of layout in it.
    pub fn open(dir: impl Into<PathBuf>) -> Result<Self, PublishError> {
        let dir: PathBuf = dir.into();
        let failed = |source| PublishError::File { path: dir.clone(), source };
        fs::create_dir_all(dir.join("blobs/sha256")).map_err(failed)?;
        let empty = json!({ "schemaVersion": 2, "mediaType": INDEX, "manifests": [] });
        let marker = json!({ "imageLayoutVersion": LAYOUT_VERSION });
        for (name, content) in [("index.json", empty), ("oci-layout", marker)] {
            let path = dir.join(name);
            if !path.exists() {
                replace(&path, content.to_string().as_bytes()).map_err(failed)?;
            }
        }
        let opened = LayoutSource::open(&dir);
        opened.map_err(|source| PublishError::Layout { path: dir.clone(), source: Box::new(source) })?;
        Ok(Self { dir: dir.into() })
    }

    async fn put(
        &self,
        blob: Blob,
        content: &VirtualImage,
        store: &Arc<dyn BlobStore>,
    ) -> Result<(), PublishError> {
        let dir = self.dir.join("blobs/sha256");
        let path = dir.join(blob.digest.hex());
        let failed = |source| PublishError::File { path: path.clone(), source };
        if fs::metadata(&path).is_ok_and(|metadata| metadata.len() == blob.size) {
            return Ok(());
        }
        let mut file = Some(aside(&dir).map_err(failed)?);
        let mut pieces = content.read(Arc::clone(store), 0..content.len());
        while let Some(piece) = pieces.try_next().await.map_err(PublishError::Store)? {
            let taken = file.take();
            let written = task::spawn_blocking(move || {
                let mut file = taken.ok_or_else(|| io::Error::other("an earlier write failed"))?;
                file.write_all(&piece)?;
                io::Result::Ok(file)
            });
            file = Some(written.await.map_err(io::Error::other).and_then(|file| file).map_err(failed)?);
        }
        let target = path.clone();
        let finished = task::spawn_blocking(move || finish(file, &target)).await;
        finished.map_err(io::Error::other).and_then(|done| done).map_err(failed)
    }
}

#[async_trait]
impl Publisher for LayoutWriter {
    async fn publish(
        &self,
        repository: &Repository,
        tag: &str,
        image: &Publication,
        store: &Arc<dyn BlobStore>,
    ) -> Result<Digest, PublishError> {
        if !is_tag(tag) {
            return Err(PublishError::Tag(tag.to_owned()));
        }
        for part in image.children.iter().chain([image]) {
            for (blob, content) in &part.blobs {
                self.put(*blob, content, store).await?;
            }
            self.put(part.blob(), &VirtualImage::from_bytes(part.document.clone()), store).await?;
        }
        let name = format!("{repository}:{tag}");
        let entry = json!({
            "mediaType": image.media_type,
            "digest": image.digest,
            "size": image.document.len(),
            "annotations": { REF_NAME: name },
        });
        let dir = Arc::clone(&self.dir);
        let path = self.dir.join("index.json");
        let updated = task::spawn_blocking(move || update_index(&dir, &name, entry)).await;
        updated.map_err(|source| PublishError::File { path, source: io::Error::other(source) })??;
        Ok(image.digest)
    }
}

fn aside(dir: &Path) -> io::Result<tempfile::NamedTempFile> {
    let permissions = std::fs::Permissions::from_mode(0o644);
    tempfile::Builder::new().prefix(".partial-").permissions(permissions).tempfile_in(dir)
}

fn finish(file: Option<tempfile::NamedTempFile>, path: &Path) -> io::Result<()> {
    let file = file.ok_or_else(|| io::Error::other("an earlier write failed"))?;
    file.as_file().sync_all()?;
    file.persist(path).map_err(|error| error.error)?;
    path.parent().map_or(Ok(()), |dir| fs::File::open(dir)?.sync_all())
}

fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = aside(path.parent().unwrap_or_else(|| Path::new(".")))?;
    file.write_all(bytes)?;
    finish(Some(file), path)
}

/// Names `entry` in the index, which keeps everything else and stays sorted by name.
fn update_index(dir: &Path, name: &str, entry: Value) -> Result<(), PublishError> {
    let path = dir.join("index.json");
    let failed = |source| PublishError::File { path: path.clone(), source };
    // Writers take turns; the lock goes when the file is closed.
    let marker = fs::File::open(dir.join("oci-layout")).map_err(failed)?;
    marker.file().lock().map_err(failed)?;
    let unread = |source| PublishError::Layout { path: dir.to_owned(), source: Box::new(source) };
    // Decoded to check it, then edited as it is so that fields unknown to us stay.
    read_index(dir).map_err(unread)?;
    let bytes = fs::read(&path).map_err(failed)?;
    let mut index: Value = serde_json::from_slice(&bytes).map_err(PublishError::Document)?;
    if let Some(entries) = index.get_mut("manifests").and_then(Value::as_array_mut) {
        entries.retain(|entry| name_of(entry) != name);
        entries.push(entry);
        entries.sort_by(|a, b| name_of(a).cmp(name_of(b)));
    }
    let written = serde_json::to_vec(&index).map_err(PublishError::Document)?;
    if written == bytes { Ok(()) } else { replace(&path, &written).map_err(failed) }
}

fn name_of(entry: &Value) -> &str {
    entry.get("annotations").and_then(|notes| notes.get(REF_NAME)).and_then(Value::as_str).unwrap_or_default()
}
