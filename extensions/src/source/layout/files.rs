//! The files of a layout: in a directory, or in an archive of one.

use std::collections::HashMap;
use std::io;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use fs_err as fs;

/// How much is read from a file at a time.
const PIECE: u64 = 256 * 1024;
/// The most files of an archive.
const MAX_FILES: usize = 1_000_000;
/// How many zeros an archive ends with, in bytes.
const END: usize = 1024;

/// Where the files of a layout are.
#[derive(Debug)]
pub(super) enum Files {
    /// In a directory.
    Directory(PathBuf),
    /// In an uncompressed tar archive. It is read where it lies: only where its files begin is kept in memory.
    Archive {
        /// The archive.
        path: PathBuf,
        /// The same, open: an archive that is replaced does not change what is read.
        archive: Arc<fs::File>,
        /// Offset and size of each file.
        index: HashMap<String, (u64, u64)>,
    },
}

/// A file that is read from its beginning to its end.
#[derive(Debug)]
pub(super) struct Reader {
    file: Arc<fs::File>,
    at: u64,
    end: u64,
}

impl Files {
    /// The files in a directory or archive.
    pub(super) fn open(path: PathBuf) -> io::Result<Self> {
        if !fs::metadata(&path).is_ok_and(|metadata| metadata.is_file()) {
            return Ok(Self::Directory(path));
        }
        let index = index(&path)?;
        Ok(Self::Archive { archive: Arc::new(fs::File::open(&path)?), path, index })
    }

    /// The directory or archive.
    pub(super) fn path(&self) -> &Path {
        match self {
            Self::Directory(path) | Self::Archive { path, .. } => path,
        }
    }

    /// Opens a file, given by its path in the layout.
    pub(super) fn file(&self, name: &str) -> io::Result<Reader> {
        match self {
            Self::Directory(dir) => {
                let file = fs::File::open(dir.join(name))?;
                let metadata = file.metadata()?;
                if !metadata.is_file() {
                    return Err(io::ErrorKind::NotFound.into());
                }
                Ok(Reader { file: Arc::new(file), at: 0, end: metadata.len() })
            }
            Self::Archive { archive, index, .. } => {
                let (at, size) = *index.get(name).ok_or(io::ErrorKind::NotFound)?;
                Ok(Reader { file: Arc::clone(archive), at, end: at + size })
            }
        }
    }
}

impl Reader {
    /// How many bytes are left.
    pub(super) const fn left(&self) -> u64 {
        self.end.saturating_sub(self.at)
    }

    /// The next bytes; none at the end, and before it when the file became shorter.
    pub(super) fn piece(&mut self) -> io::Result<Bytes> {
        let mut bytes = vec![0; usize::try_from(self.left().min(PIECE)).unwrap_or_default()];
        let read = self.file.file().read_at(&mut bytes, self.at)?;
        bytes.truncate(read);
        self.at += read as u64;
        Ok(bytes.into())
    }
}

/// Where the regular files of an archive are. Of several with the same name the last one counts, as when it is unpacked.
fn index(path: &Path) -> io::Result<HashMap<String, (u64, u64)>> {
    let file = fs::File::open(path)?;
    let length = file.metadata()?.len();
    let cut_off = || io::Error::new(io::ErrorKind::UnexpectedEof, "the archive is cut off");
    let mut end = [1; END];
    let begin = length.checked_sub(END as u64).ok_or_else(cut_off)?;
    file.file().read_exact_at(&mut end, begin)?;
    let mut archive = tar::Archive::new(file);
    let mut index = HashMap::new();
    for entry in archive.entries_with_seek()? {
        let entry = entry?;
        if !entry.header().entry_type().is_file() {
            continue;
        }
        let (at, size) = (entry.raw_file_position(), entry.size());
        if at.checked_add(size).is_none_or(|end| end > length) {
            return Err(cut_off());
        }
        let name = entry.path()?.to_string_lossy().into_owned();
        index.insert(name.strip_prefix("./").map_or_else(|| name.clone(), str::to_owned), (at, size));
        if index.len() > MAX_FILES {
            return Err(io::Error::other(format!("the archive has more than {MAX_FILES} files")));
        }
    }
    // One that ends between two files would otherwise pass for a smaller one.
    if end == [0; END] { Ok(index) } else { Err(cut_off()) }
}
