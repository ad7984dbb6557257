//! Inodes.

use super::directory::{Landmark, Listing};
use super::pack::Stored;
use super::plan::{Inode, Kind};
use super::{SquashfsError, narrow};

/// What an inode that has no fragment, no attributes or no index says instead.
const NONE: u32 = u32::MAX;
/// A directory listing counts three bytes more than it has: for `.` and `..`.
const DOTS: u32 = 3;
/// Added to a basic type for the extended one.
const EXTENDED: u16 = 7;

/// The basic type of an inode, which directory entries name too.
pub(super) fn basic_type(kind: &Kind) -> u16 {
    match kind {
        Kind::Dir { .. } => 1,
        Kind::File { .. } => 2,
        Kind::Symlink { .. } => 3,
    }
}

/// Little-endian fields in a row.
#[derive(Default)]
struct Fields(Vec<u8>);

impl Fields {
    fn u16(&mut self, value: u16) -> &mut Self {
        self.0.extend_from_slice(&value.to_le_bytes());
        self
    }

    fn u32(&mut self, value: u32) -> &mut Self {
        self.0.extend_from_slice(&value.to_le_bytes());
        self
    }

    fn u64(&mut self, value: u64) -> &mut Self {
        self.0.extend_from_slice(&value.to_le_bytes());
        self
    }

    fn bytes(&mut self, bytes: &[u8]) -> &mut Self {
        self.0.extend_from_slice(bytes);
        self
    }
}

/// What every inode begins with.
fn header(inode: &Inode, number: u32, extended: bool) -> Fields {
    let kind = basic_type(&inode.kind) + if extended { EXTENDED } else { 0 };
    let mut fields = Fields::default();
    fields.u16(kind).u16(inode.mode).u16(inode.uid).u16(inode.gid).u32(inode.mtime).u32(number);
    fields
}

/// A regular file.
pub(super) fn file(inode: &Inode, number: u32, stored: &Stored) -> Vec<u8> {
    let (fragment, offset) = stored.tail.unwrap_or((NONE, 0));
    let small = u32::try_from(stored.start).ok().zip(u32::try_from(stored.size).ok());
    let plain = inode.links == 1 && inode.xattr.is_none() && stored.sparse == 0;
    let mut fields = match small {
        Some((start, size)) if plain => {
            let mut fields = header(inode, number, false);
            fields.u32(start).u32(fragment).u32(offset).u32(size);
            fields
        }
        _ => {
            let mut fields = header(inode, number, true);
            fields.u64(stored.start).u64(stored.size).u64(stored.sparse).u32(inode.links);
            fields.u32(fragment).u32(offset).u32(inode.xattr.unwrap_or(NONE));
            fields
        }
    };
    for size in &stored.blocks {
        fields.u32(*size);
    }
    fields.0
}

/// A symbolic link.
pub(super) fn symlink(inode: &Inode, number: u32, target: &str) -> Result<Vec<u8>, SquashfsError> {
    let mut fields = header(inode, number, inode.xattr.is_some());
    fields.u32(inode.links).u32(narrow(target.len(), "bytes in a link")?).bytes(target.as_bytes());
    if let Some(xattr) = inode.xattr {
        fields.u32(xattr);
    }
    Ok(fields.0)
}

/// A directory.
pub(super) fn directory(
    inode: &Inode,
    number: u32,
    parent: u32,
    listing: &Listing,
) -> Result<Vec<u8>, SquashfsError> {
    let size =
        listing.size.checked_add(DOTS).ok_or(SquashfsError::TooMany { what: "bytes in a directory" })?;
    let plain = inode.xattr.is_none() && listing.landmarks.is_empty();
    if let (true, Ok(size)) = (plain, u16::try_from(size)) {
        let mut fields = header(inode, number, false);
        fields.u32(listing.start.block).u32(inode.links).u16(size).u16(listing.start.offset).u32(parent);
        return Ok(fields.0);
    }
    let mut fields = header(inode, number, true);
    fields.u32(inode.links).u32(size).u32(listing.start.block).u32(parent);
    fields.u16(narrow(listing.landmarks.len(), "entries in a directory")?);
    fields.u16(listing.start.offset).u32(inode.xattr.unwrap_or(NONE));
    for Landmark { at, block, name } in &listing.landmarks {
        let name_size = narrow(name.len().saturating_sub(1), "bytes in a name")?;
        fields.u32(*at).u32(*block).u32(name_size).bytes(name.as_bytes());
    }
    Ok(fields.0)
}
