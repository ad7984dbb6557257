//! Inodes and directory listings.

use super::metadata::{Fields, Place, Tables};
use super::{Image, MAX_LISTING, ReadError, damaged};
use crate::tree::MAX_NAME;

/// Size of what every inode begins with.
const HEADER: usize = 16;
/// A listing counts three bytes more than it has: for `.` and `..`.
const DOTS: u32 = 3;
const MAX_RUN: u32 = 256;

/// What is known of an inode.
pub(super) struct Inode {
    pub(super) mode: u16,
    pub(super) kind: Kind,
}

pub(super) enum Kind {
    Dir {
        listing: Place,
        size: u32,
    },
    File(File),
    /// Links and special files, which nobody asks for.
    Other,
}

/// Where the bytes of a file are.
pub(super) struct File {
    pub(super) size: u64,
    pub(super) start: u64,
    /// The number of a fragment, `u32::MAX` for none, and where in it the tail is.
    pub(super) fragment: (u32, u32),
    /// Where the sizes of the blocks are.
    pub(super) sizes: Place,
}

/// An entry of a directory.
pub(super) struct Entry {
    pub(super) name: String,
    pub(super) inode: Place,
}

impl<I: Image> Tables<I> {
    pub(super) fn inode(&mut self, mut place: Place) -> Result<Inode, ReadError> {
        let header = self.read(&mut place, HEADER)?;
        let fields = Fields(&header);
        let mode = fields.u16(2) & 0o7777;
        let kind = match fields.u16(0) {
            1 => {
                let rest = self.read(&mut place, 16)?;
                let fields = Fields(&rest);
                self.dir(fields.u32(0), fields.u16(10), u32::from(fields.u16(8)))
            }
            8 => {
                let rest = self.read(&mut place, 24)?;
                let fields = Fields(&rest);
                self.dir(fields.u32(8), fields.u16(18), fields.u32(4))
            }
            2 => {
                let rest = self.read(&mut place, 16)?;
                let fields = Fields(&rest);
                let fragment = (fields.u32(4), fields.u32(8));
                let (start, size) = (u64::from(fields.u32(0)), u64::from(fields.u32(12)));
                Kind::File(File { size, start, fragment, sizes: place })
            }
            9 => {
                let rest = self.read(&mut place, 40)?;
                let fields = Fields(&rest);
                let fragment = (fields.u32(28), fields.u32(32));
                Kind::File(File { size: fields.u64(8), start: fields.u64(0), fragment, sizes: place })
            }
            3..=7 | 10..=14 => Kind::Other,
            _ => return Err(damaged("there is no such type of inode")),
        };
        Ok(Inode { mode, kind })
    }

    fn dir(&self, block: u32, offset: u16, size: u32) -> Kind {
        let block = self.directory_table.saturating_add(u64::from(block));
        Kind::Dir { listing: Place { block, offset: usize::from(offset) }, size: size.saturating_sub(DOTS) }
    }

    /// The entries of a directory; none for anything else.
    pub(super) fn listing(&mut self, dir: &Inode) -> Result<Vec<Entry>, ReadError> {
        let Kind::Dir { listing: mut place, size } = dir.kind else { return Ok(Vec::new()) };
        if size > MAX_LISTING {
            return Err(ReadError::TooMuch { what: "bytes in a directory", limit: u64::from(MAX_LISTING) });
        }
        let mut left = usize::try_from(size).map_err(|_| damaged("a directory is too large"))?;
        let mut entries = Vec::new();
        while left > 0 {
            let header = self.read(&mut place, 12)?;
            left = left.checked_sub(12).ok_or(damaged("a directory ends within a header"))?;
            let fields = Fields(&header);
            let (last, block) = (fields.u32(0), fields.u32(4));
            if last >= MAX_RUN {
                return Err(damaged("a directory header has too many entries"));
            }
            for _ in 0..=last {
                let (entry, size) = self.entry(&mut place, block)?;
                left = left.checked_sub(size).ok_or(damaged("a directory ends within an entry"))?;
                entries.push(entry);
            }
        }
        Ok(entries)
    }

    /// An entry, and how many bytes it took.
    fn entry(&mut self, place: &mut Place, block: u32) -> Result<(Entry, usize), ReadError> {
        let head = self.read(place, 8)?;
        let fields = Fields(&head);
        let length = usize::from(fields.u16(6)) + 1;
        if length > MAX_NAME {
            return Err(damaged("a name is too long"));
        }
        let name = self.read(place, length)?;
        let name = String::from_utf8(name).map_err(|_| damaged("a name is not UTF-8"))?;
        if name == "." || name == ".." || name.contains(['/', '\0']) {
            return Err(damaged("a name leads out of its directory"));
        }
        let inode = Place {
            block: self.inode_table.saturating_add(u64::from(block)),
            offset: usize::from(fields.u16(0)),
        };
        Ok((Entry { name, inode }, 8 + length))
    }
}
