//! Directory listings.

use super::metadata::{METADATA_BLOCK, Metadata, Position};
use super::{SquashfsError, narrow};

/// The most entries behind one header.
const MAX_RUN: usize = 256;
/// Size of a header in bytes.
const HEADER: usize = 12;
/// Size of an entry in bytes, without its name.
const ENTRY: usize = 8;

/// An entry whose inode has been written.
pub(super) struct Listed<'a> {
    pub(super) name: &'a str,
    pub(super) number: u32,
    /// The basic type of the inode.
    pub(super) kind: u16,
    pub(super) inode: Position,
}

/// A header that begins in a later metadata block than the one before; lets the kernel skip what lies in front.
pub(super) struct Landmark {
    /// How many bytes of the listing are in front of it.
    pub(super) at: u32,
    /// Where its metadata block begins.
    pub(super) block: u32,
    /// The first name behind it.
    pub(super) name: String,
}

/// A written listing.
pub(super) struct Listing {
    pub(super) start: Position,
    /// Its size in bytes.
    pub(super) size: u32,
    pub(super) landmarks: Vec<Landmark>,
}

/// Writes a listing. The entries are sorted by the bytes of their names.
pub(super) fn write(entries: &[Listed<'_>], table: &mut Metadata) -> Result<Listing, SquashfsError> {
    let start = table.position()?;
    let mut listing = Listing { start, size: 0, landmarks: Vec::new() };
    let mut last = start.block;
    let mut rest = entries;
    while let Some(first) = rest.first() {
        let here = table.position()?;
        if here.block != last {
            last = here.block;
            let name = first.name.to_owned();
            listing.landmarks.push(Landmark { at: listing.size, block: here.block, name });
        }
        let (run, later) = rest.split_at(run_length(rest, first, here));
        let bytes = encode_run(run, first)?;
        table.write(&bytes)?;
        let size: u32 = narrow(bytes.len(), "bytes in a directory")?;
        listing.size =
            listing.size.checked_add(size).ok_or(SquashfsError::TooMany { what: "bytes in a directory" })?;
        rest = later;
    }
    Ok(listing)
}

/// How many entries fit behind one header: their inodes are in one metadata block and their numbers near each other.
///
/// A run ends where the metadata block it begins in does, so that the next one can be a landmark.
fn run_length(entries: &[Listed<'_>], first: &Listed<'_>, here: Position) -> usize {
    let mut end = usize::from(here.offset) + HEADER;
    let fitting = entries
        .iter()
        .take(MAX_RUN)
        .take_while(|entry| {
            let fits = end < METADATA_BLOCK
                && entry.inode.block == first.inode.block
                && distance(entry, first).is_some();
            end += ENTRY + entry.name.len();
            fits
        })
        .count();
    // The first entry always fits, even when its header reaches into the next block.
    fitting.max(1)
}

fn distance(entry: &Listed<'_>, first: &Listed<'_>) -> Option<i16> {
    i16::try_from(i64::from(entry.number) - i64::from(first.number)).ok()
}

fn encode_run(run: &[Listed<'_>], first: &Listed<'_>) -> Result<Vec<u8>, SquashfsError> {
    let mut bytes = Vec::new();
    let count: u32 = narrow(run.len().saturating_sub(1), "entries")?;
    bytes.extend_from_slice(&count.to_le_bytes());
    bytes.extend_from_slice(&first.inode.block.to_le_bytes());
    bytes.extend_from_slice(&first.number.to_le_bytes());
    for entry in run {
        let distance = distance(entry, first).ok_or(SquashfsError::TooMany { what: "inodes" })?;
        let name: u16 = narrow(entry.name.len().saturating_sub(1), "bytes in a name")?;
        bytes.extend_from_slice(&entry.inode.offset.to_le_bytes());
        bytes.extend_from_slice(&distance.to_le_bytes());
        bytes.extend_from_slice(&entry.kind.to_le_bytes());
        bytes.extend_from_slice(&name.to_le_bytes());
        bytes.extend_from_slice(entry.name.as_bytes());
    }
    Ok(bytes)
}
