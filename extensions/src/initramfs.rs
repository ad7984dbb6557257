//! Finding a file in an initramfs somebody else made.
//!
//! Only the form that releases have is read: one compressed stream (zstd, xz, or none at all) of cpio archives in the
//! `newc` form.

use std::io::{self, BufRead, BufReader, Read};

use liblzma::bufread::XzDecoder;
use liblzma::stream::{CONCATENATED, Stream};

/// The most bytes of an initramfs that are read once decompressed.
pub const MAX_INITRAMFS: u64 = 4 << 30;
/// The most entries that are passed over.
pub const MAX_ENTRIES: usize = 100_000;
/// The most memory the xz decoder may take; the largest dictionary of any preset needs 65 MiB.
const MAX_XZ_MEMORY: u64 = 128 << 20;
/// The largest window the zstd decoder takes, as the kernel's: 2^27 bytes.
const MAX_ZSTD_WINDOW: u32 = 27;
/// The longest name, with its NUL.
const MAX_NAME: u64 = 4097;

const XZ: &[u8] = b"\xfd7zXZ\0";
const ZSTD: &[u8] = b"\x28\xb5\x2f\xfd";
const HEADER: usize = 110;
const TRAILER: &[u8] = b"TRAILER!!!";

/// Why a file was not found in an initramfs.
#[derive(Debug, thiserror::Error)]
pub enum InitramfsError {
    /// It is neither xz nor zstd nor a cpio archive.
    #[error("the initramfs is neither zstd nor xz nor a cpio archive")]
    Format,
    /// The archive contradicts the format.
    #[error("the archive in the initramfs is damaged: {0}")]
    Damaged(&'static str),
    /// The file is not there.
    #[error("the initramfs has no file `{0}`")]
    Missing(String),
    /// Reading or decompressing failed, or a limit was reached.
    #[error("could not read the initramfs")]
    Read(#[source] io::Error),
}

/// Hands the content of the regular file `name` to `take` and gives back what that returns.
///
/// Blocks. Of several files of that name the first counts. `take` gets a reader that ends where the file does; when the
/// archive ends earlier, reading is an error.
///
/// # Errors
/// When the initramfs is of another form, has no such file, or `take` fails.
pub fn find_file<T>(
    initramfs: impl Read,
    name: &str,
    take: impl FnOnce(&mut dyn Read) -> io::Result<T>,
) -> Result<T, InitramfsError> {
    let mut initramfs = BufReader::new(initramfs);
    let start = initramfs.fill_buf().map_err(InitramfsError::Read)?;
    if start.starts_with(ZSTD) {
        let mut decoder = zstd::Decoder::with_buffer(initramfs).map_err(InitramfsError::Read)?;
        decoder.window_log_max(MAX_ZSTD_WINDOW).map_err(InitramfsError::Read)?;
        search(&mut decoder.take(MAX_INITRAMFS), name, take)
    } else if start.starts_with(XZ) {
        let stream = Stream::new_stream_decoder(MAX_XZ_MEMORY, CONCATENATED)
            .map_err(|error| InitramfsError::Read(error.into()))?;
        search(&mut XzDecoder::new_stream(initramfs, stream).take(MAX_INITRAMFS), name, take)
    } else if start.starts_with(b"07070") {
        search(&mut initramfs.take(MAX_INITRAMFS), name, take)
    } else {
        Err(InitramfsError::Format)
    }
}

struct Entry {
    is_file: bool,
    name: Vec<u8>,
    size: u64,
}

fn search<T>(
    archive: &mut dyn Read,
    name: &str,
    take: impl FnOnce(&mut dyn Read) -> io::Result<T>,
) -> Result<T, InitramfsError> {
    for _ in 0..MAX_ENTRIES {
        let Some(entry) = next_entry(archive)? else { return Err(InitramfsError::Missing(name.to_owned())) };
        let path = entry.name.strip_prefix(b"./").unwrap_or(&entry.name);
        if entry.is_file && path == name.as_bytes() {
            let mut content = Exact { left: entry.size, archive };
            return take(&mut content).map_err(InitramfsError::Read);
        }
        skip(archive, entry.size.next_multiple_of(4))?;
    }
    Err(InitramfsError::Damaged("it has too many entries"))
}

/// The next entry, its content still to be read; `None` at the end.
fn next_entry(archive: &mut dyn Read) -> Result<Option<Entry>, InitramfsError> {
    let mut header = [0; HEADER];
    // Between archives there may be any number of zeros, four at a time.
    let word = header.split_at_mut(4).0;
    loop {
        if !read_or_end(archive, word)? {
            return Ok(None);
        }
        if *word != [0; 4] {
            break;
        }
    }
    archive.read_exact(header.split_at_mut(4).1).map_err(InitramfsError::Read)?;
    if !header.starts_with(b"070701") && !header.starts_with(b"070702") {
        return Err(InitramfsError::Damaged("an entry does not begin with `070701`"));
    }
    let mode = field(&header, 1)?;
    let size = field(&header, 6)?;
    let name_size = field(&header, 11)?;
    if !(1..=MAX_NAME).contains(&name_size) {
        return Err(InitramfsError::Damaged("a name is empty or too long"));
    }
    let mut name = vec![0; usize::try_from(name_size).unwrap_or(0)];
    archive.read_exact(&mut name).map_err(InitramfsError::Read)?;
    skip(archive, (HEADER as u64 + name_size).next_multiple_of(4) - HEADER as u64 - name_size)?;
    name.pop();
    let is_file = mode & 0o170_000 == 0o100_000 && name != TRAILER;
    Ok(Some(Entry { is_file, name, size }))
}

/// The `index`th field of eight hexadecimal digits behind the magic number.
fn field(header: &[u8; HEADER], index: usize) -> Result<u64, InitramfsError> {
    let at = 6 + 8 * index;
    let digits = header.get(at..at + 8).and_then(|digits| std::str::from_utf8(digits).ok());
    digits
        .filter(|digits| digits.bytes().all(|digit| digit.is_ascii_hexdigit()))
        .and_then(|digits| u64::from_str_radix(digits, 16).ok())
        .ok_or(InitramfsError::Damaged("a header has something else than hexadecimal digits"))
}

/// Fills `buffer`; `false` when there is nothing more at all.
fn read_or_end(archive: &mut dyn Read, buffer: &mut [u8]) -> Result<bool, InitramfsError> {
    let mut filled = 0;
    while let Some(rest) = buffer.get_mut(filled..).filter(|rest| !rest.is_empty()) {
        match archive.read(rest).map_err(InitramfsError::Read)? {
            0 if filled == 0 => return Ok(false),
            0 => return Err(InitramfsError::Damaged("it ends within an entry")),
            read => filled += read,
        }
    }
    Ok(true)
}

fn skip(archive: &mut dyn Read, size: u64) -> Result<(), InitramfsError> {
    let skipped = io::copy(&mut archive.take(size), &mut io::sink()).map_err(InitramfsError::Read)?;
    if skipped == size { Ok(()) } else { Err(InitramfsError::Damaged("it ends within an entry")) }
}

/// The content of one file.
struct Exact<'a> {
    left: u64,
    archive: &'a mut dyn Read,
}

impl Read for Exact<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let most = usize::try_from(self.left).unwrap_or(usize::MAX).min(buffer.len());
        let read = self.archive.read(buffer.split_at_mut(most).0)?;
        if read == 0 && most > 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        self.left -= read as u64;
        Ok(read)
    }
}

#[cfg(test)]
mod tests;
