//! Directories as image layers.

use std::io::{self, BufWriter, Read, Seek as _, SeekFrom, Write};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use builder::store::{Blob, BlobStore, BlobStoreExt as _};
use flate2::{Compression, GzBuilder};
use fs_err as fs;
use futures::StreamExt as _;
use schematics::Digest;
use sha2::{Digest as _, Sha256};

use super::ReleaseError;

/// A layer as it is stored, and the digest of the archive inside, which the image's configuration names.
#[derive(Debug, Clone, Copy)]
pub(super) struct Packed {
    /// The compressed archive.
    pub blob: Blob,
    /// The digest of the uncompressed archive.
    pub diff_id: Digest,
}

/// One file or directory tree that goes into a layer.
#[derive(Debug, Clone)]
pub(super) struct Item {
    from: Content,
    /// Where it goes in the image, without leading slash; empty for the root.
    to: String,
}

#[derive(Debug, Clone)]
enum Content {
    Path(PathBuf),
    Text(String),
}

impl Item {
    /// What is at `from` on this machine.
    pub(super) fn path(from: &Path, to: String) -> Self {
        Self { from: Content::Path(from.to_owned()), to }
    }

    /// A file with this text.
    pub(super) fn text(to: &str, text: String) -> Self {
        Self { from: Content::Text(text), to: to.to_owned() }
    }
}

/// Packs items into one gzipped tar archive and stores it.
///
/// The entries of a directory are sorted, owned by root and dated 1970, so the same files give the same bytes.
/// Permissions and symbolic links are kept; hard links become files, and extended attributes are left out.
pub(super) async fn pack(
    items: Vec<Item>,
    store: &dyn BlobStore,
    what: &str,
) -> Result<Packed, ReleaseError> {
    let packed = tokio::task::spawn_blocking(move || pack_file(&items)).await;
    let (file, diff_id) = packed
        .map_err(io::Error::other)
        .and_then(|done| done)
        .map_err(|source| ReleaseError::Pack { what: what.to_owned(), source })?;
    let stream = tokio_util::io::ReaderStream::new(tokio::fs::File::from_std(file)).map(|piece| {
        piece.map_err(|source| builder::StoreError::Write {
            place: "the layer being packed".to_owned(),
            source,
        })
    });
    let blob = store.put_stream(stream.boxed()).await.map_err(ReleaseError::Store)?;
    Ok(Packed { blob, diff_id })
}

fn pack_file(items: &[Item]) -> io::Result<(std::fs::File, Digest)> {
    let mut file = tempfile::tempfile()?;
    let gzip = GzBuilder::new().write(BufWriter::new(&mut file), Compression::default());
    let mut archive = tar::Builder::new(Hashing { inner: gzip, hasher: Sha256::new() });
    for item in items {
        match &item.from {
            Content::Path(from) => add(&mut archive, from, &item.to)?,
            Content::Text(text) => add_text(&mut archive, text, &item.to)?,
        }
    }
    let Hashing { inner, hasher } = archive.into_inner()?;
    inner.finish()?.flush()?;
    file.seek(SeekFrom::Start(0))?;
    Ok((file, Digest::from_bytes(hasher.finalize().into())))
}

struct Hashing<W> {
    inner: W,
    hasher: Sha256,
}

impl<W: Write> Write for Hashing<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.inner.write(bytes)?;
        self.hasher.update(bytes.get(..written).unwrap_or(bytes));
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

fn header(mode: u32) -> tar::Header {
    let mut header = tar::Header::new_gnu();
    header.set_mode(mode);
    header.set_uid(0);
    header.set_gid(0);
    header.set_mtime(0);
    header
}

fn add_text<W: Write>(archive: &mut tar::Builder<W>, text: &str, to: &str) -> io::Result<()> {
    let mut header = header(0o644);
    header.set_size(text.len() as u64);
    archive.append_data(&mut header, to, text.as_bytes())
}

fn add<W: Write>(archive: &mut tar::Builder<W>, from: &Path, to: &str) -> io::Result<()> {
    let metadata = fs::symlink_metadata(from)?;
    let mut header = header(metadata.permissions().mode() & 0o7777);
    if metadata.is_dir() {
        if !to.is_empty() {
            header.set_entry_type(tar::EntryType::Directory);
            header.set_size(0);
            archive.append_data(&mut header, format!("{to}/"), io::empty())?;
        }
        return add_children(archive, from, to);
    }
    if metadata.is_symlink() {
        header.set_entry_type(tar::EntryType::Symlink);
        header.set_size(0);
        return archive.append_link(&mut header, to, fs::read_link(from)?);
    }
    if !metadata.is_file() {
        return Err(io::Error::other(format!("{} is neither file, directory nor link", from.display())));
    }
    header.set_size(metadata.len());
    archive.append_data(&mut header, to, fs::File::open(from)?.take(metadata.len()))
}

fn add_children<W: Write>(archive: &mut tar::Builder<W>, from: &Path, to: &str) -> io::Result<()> {
    let mut names =
        fs::read_dir(from)?.map(|entry| Ok(entry?.file_name())).collect::<io::Result<Vec<_>>>()?;
    names.sort();
    for name in names {
        let text = name.to_str().ok_or_else(|| io::Error::other(format!("{name:?} is not UTF-8")))?;
        let path = if to.is_empty() { text.to_owned() } else { format!("{to}/{text}") };
        add(archive, &from.join(&name), &path)?;
    }
    Ok(())
}
