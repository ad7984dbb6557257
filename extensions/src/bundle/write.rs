//! Writing a bundle, as a directory or an archive.
//!
//! What is being written is beside its final name, with `.partial` behind it, and gets that name when it is whole. A
//! directory goes on where an earlier attempt ended; an archive begins anew.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};

use builder::store::Blob;
use bytes::Bytes;
use fs_err::tokio as fs;
use futures::{StreamExt as _, TryStreamExt as _, stream};
use schematics::Digest;
use serde_json::json;
use tokio::io::{AsyncWriteExt as _, BufWriter};

use super::{Bundle, Content, WriteError};
use crate::source::{BlobStream, INDEX_FILE, ImageSource, LAYOUT_FILE, LAYOUT_VERSION};

const BLOBS: &str = "blobs/sha256";
/// The unit of a tar archive, in bytes.
const BLOCK: usize = 512;
/// How much is gathered before it is written to an archive, in bytes.
const BUFFER: usize = 1 << 20;

/// Writes a bundle to `path`, an archive when its name ends in `.tar`, and a directory otherwise. `progress` is told how many
/// bytes more are written, or were there already.
///
/// # Errors
/// When there is something at `path`, the source does not deliver, or the place cannot be written to.
pub async fn write(
    bundle: &Bundle,
    source: &dyn ImageSource,
    path: &Path,
    progress: &(dyn Fn(u64) + Sync),
) -> Result<(), WriteError> {
    if fs::symlink_metadata(path).await.is_ok() {
        return Err(WriteError::Exists { path: path.to_owned() });
    }
    let mut aside = OsString::from(path);
    aside.push(".partial");
    let aside = PathBuf::from(aside);
    let writing = Writing { bundle, source, progress };
    if path.extension().is_some_and(|extension| extension == "tar") {
        writing.archive(&aside).await?;
    } else {
        writing.directory(&aside).await?;
    }
    publish(&aside, path).await.map_err(failed(path))
}

struct Writing<'a> {
    bundle: &'a Bundle,
    source: &'a dyn ImageSource,
    progress: &'a (dyn Fn(u64) + Sync),
}

impl Writing<'_> {
    async fn directory(&self, dir: &Path) -> Result<(), WriteError> {
        let blobs = dir.join(BLOBS);
        fs::create_dir_all(&blobs).await.map_err(failed(dir))?;
        self.remove_strangers(&blobs).await.map_err(failed(&blobs))?;
        for (digest, content) in &self.bundle.blobs {
            let path = blobs.join(digest.hex());
            if fs::metadata(&path).await.is_ok_and(|metadata| metadata.len() == content.size()) {
                (self.progress)(content.size());
                continue;
            }
            let aside = blobs.join(format!("{}.partial", digest.hex()));
            let mut file = fs::File::create(&aside).await.map_err(failed(&aside))?;
            self.copy(*digest, content, &mut file, &aside).await?;
            file.sync_all().await.map_err(failed(&aside))?;
            fs::rename(&aside, &path).await.map_err(failed(&path))?;
        }
        sync(&blobs).await.map_err(failed(&blobs))?;
        for (name, content) in self.documents()? {
            let path = dir.join(name);
            let mut file = fs::File::create(&path).await.map_err(failed(&path))?;
            file.write_all(&content).await.map_err(failed(&path))?;
            file.sync_all().await.map_err(failed(&path))?;
        }
        sync(dir).await.map_err(failed(dir))
    }

    /// Removes what another bundle has left behind.
    async fn remove_strangers(&self, blobs: &Path) -> io::Result<()> {
        let known: BTreeSet<String> =
            self.bundle.blobs.keys().map(|digest| digest.hex().to_string()).collect();
        let mut entries = fs::read_dir(blobs).await?;
        while let Some(entry) = entries.next_entry().await? {
            if !known.contains(&*entry.file_name().to_string_lossy()) {
                fs::remove_file(entry.path()).await?;
            }
        }
        Ok(())
    }

    async fn archive(&self, path: &Path) -> Result<(), WriteError> {
        let file = fs::File::create(path).await.map_err(failed(path))?;
        let mut out = BufWriter::with_capacity(BUFFER, file);
        for (name, content) in self.documents()? {
            out.write_all(header(name, content.len() as u64).as_bytes()).await.map_err(failed(path))?;
            out.write_all(&content).await.map_err(failed(path))?;
            pad(&mut out, content.len() as u64).await.map_err(failed(path))?;
        }
        for (digest, content) in &self.bundle.blobs {
            let name = format!("{BLOBS}/{}", digest.hex());
            out.write_all(header(&name, content.size()).as_bytes()).await.map_err(failed(path))?;
            self.copy(*digest, content, &mut out, path).await?;
            pad(&mut out, content.size()).await.map_err(failed(path))?;
        }
        out.write_all(&[0; 2 * BLOCK]).await.map_err(failed(path))?;
        out.flush().await.map_err(failed(path))?;
        out.into_inner().sync_all().await.map_err(failed(path))
    }

    /// The two files of a layout besides its blobs.
    fn documents(&self) -> Result<[(&'static str, Bytes); 2], WriteError> {
        let layout = json!({ "imageLayoutVersion": LAYOUT_VERSION }).to_string();
        Ok([(LAYOUT_FILE, layout.into()), (INDEX_FILE, self.bundle.index().map_err(WriteError::Index)?)])
    }

    /// Copies a blob, checked on its way.
    async fn copy(
        &self,
        digest: Digest,
        content: &Content,
        out: &mut (impl tokio::io::AsyncWrite + Unpin),
        path: &Path,
    ) -> Result<(), WriteError> {
        let (mut pieces, pulled): (BlobStream, _) = match content {
            Content::Here(bytes) => (stream::iter([Ok(bytes.clone())]).boxed(), None),
            Content::There { repository, size } => {
                let opened = self.source.blob(repository, Blob { digest, size: *size }).await;
                (
                    opened.map_err(|source| WriteError::Pull { repository: repository.clone(), source })?,
                    Some(repository),
                )
            }
        };
        loop {
            let piece = match (pieces.try_next().await, pulled) {
                (Ok(piece), _) => piece,
                (Err(source), Some(repository)) => {
                    return Err(WriteError::Pull { repository: repository.clone(), source });
                }
                // What is in memory cannot fail.
                (Err(_), None) => None,
            };
            let Some(piece) = piece else { return out.flush().await.map_err(failed(path)) };
            out.write_all(&piece).await.map_err(failed(path))?;
            (self.progress)(piece.len() as u64);
        }
    }
}

/// The head of a file in an archive, of nobody and of no time.
fn header(name: &str, size: u64) -> tar::Header {
    let mut header = tar::Header::new_ustar();
    // All names here are short enough.
    drop(header.set_path(name));
    header.set_size(size);
    header.set_mode(0o644);
    header.set_uid(0);
    header.set_gid(0);
    header.set_mtime(0);
    header.set_cksum();
    header
}

async fn pad(out: &mut (impl tokio::io::AsyncWrite + Unpin), size: u64) -> io::Result<()> {
    let unit = BLOCK as u64;
    let missing = size.next_multiple_of(unit) - size;
    let zeros = [0; BLOCK];
    out.write_all(zeros.get(..usize::try_from(missing).unwrap_or_default()).unwrap_or_default()).await
}

/// Gives what was written its final name.
async fn publish(aside: &Path, path: &Path) -> io::Result<()> {
    fs::rename(aside, path).await?;
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty());
    sync(parent.unwrap_or_else(|| Path::new("."))).await
}

async fn sync(dir: &Path) -> io::Result<()> {
    fs::File::open(dir).await?.sync_all().await
}

fn failed(path: &Path) -> impl Fn(io::Error) -> WriteError {
    let path = path.to_owned();
    move |source| WriteError::File { path: path.clone(), source }
}
