//! The superblock, and chains of metadata blocks.

use std::collections::BTreeMap;
use std::rc::Rc;

use super::decode::Method;
use super::{Image, ReadError, damaged};

const SUPERBLOCK: usize = 96;
const MAGIC: u32 = 0x7371_7368;
/// Size of a metadata block in bytes.
const METADATA_BLOCK: usize = 8192;
const RAW: u16 = 0x8000;
/// How many metadata blocks are kept.
const KEPT: usize = 64;
const BLOCK_SIZES: std::ops::RangeInclusive<u32> = 4096..=1 << 20;
/// How many fragments one metadata block of their table has, and the size of one.
const FRAGMENTS_PER_BLOCK: u32 = 512;
const FRAGMENT: usize = 16;

/// A place in a chain of metadata blocks.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place {
    /// Where the block begins in the image.
    pub(super) block: u64,
    pub(super) offset: usize,
}

/// Little-endian fields of a stretch of bytes; what is not there is 0, so sizes are checked where bytes are read.
pub(super) struct Fields<'a>(pub(super) &'a [u8]);

impl Fields<'_> {
    fn take<const N: usize>(&self, at: usize) -> [u8; N] {
        let end = at.saturating_add(N);
        self.0.get(at..end).and_then(|bytes| bytes.try_into().ok()).unwrap_or([0; N])
    }

    pub(super) fn u16(&self, at: usize) -> u16 {
        u16::from_le_bytes(self.take(at))
    }

    pub(super) fn u32(&self, at: usize) -> u32 {
        u32::from_le_bytes(self.take(at))
    }

    pub(super) fn u64(&self, at: usize) -> u64 {
        u64::from_le_bytes(self.take(at))
    }
}

/// An opened image.
pub(super) struct Tables<I> {
    image: I,
    method: Method,
    pub(super) block_size: u32,
    fragments: u32,
    root: u64,
    pub(super) inode_table: u64,
    pub(super) directory_table: u64,
    fragment_table: u64,
    /// Metadata blocks by their place, with the place of the next.
    kept: BTreeMap<u64, (Rc<[u8]>, u64)>,
}

impl<I: Image> Tables<I> {
    pub(super) fn open(mut image: I) -> Result<Self, ReadError> {
        let bytes =
            image.read_at(0, SUPERBLOCK).map_err(|_| ReadError::Format { what: "it is too short" })?;
        let fields = Fields(&bytes);
        if fields.u32(0) != MAGIC {
            return Err(ReadError::Format { what: "it begins with something else" });
        }
        if (fields.u16(28), fields.u16(30)) != (4, 0) {
            return Err(ReadError::Format { what: "it has another version" });
        }
        let block_size = fields.u32(12);
        if !block_size.is_power_of_two() || !BLOCK_SIZES.contains(&block_size) {
            return Err(damaged("the block size is none"));
        }
        if fields.u64(40) > image.size() {
            return Err(damaged("it is shorter than it says"));
        }
        Ok(Self {
            method: Method::from_number(fields.u16(20))?,
            block_size,
            fragments: fields.u32(16),
            root: fields.u64(32),
            inode_table: fields.u64(64),
            directory_table: fields.u64(72),
            fragment_table: fields.u64(80),
            image,
            kept: BTreeMap::new(),
        })
    }

    /// Where the inode of the root directory is.
    pub(super) fn root(&self) -> Place {
        let offset = usize::from(Fields(&self.root.to_le_bytes()).u16(0));
        Place { block: self.inode_table.saturating_add(self.root >> 16), offset }
    }

    fn read_image(&mut self, at: u64, size: usize) -> Result<Vec<u8>, ReadError> {
        self.image.read_at(at, size).map_err(|source| ReadError::Read { source })
    }

    /// A stretch of the image that holds a block: as it is when `raw`, else compressed. At most one block size long.
    pub(super) fn block(&mut self, at: u64, size: u32, raw: bool) -> Result<Vec<u8>, ReadError> {
        if size > self.block_size {
            return Err(damaged("a block is larger than the block size"));
        }
        let size = usize::try_from(size).map_err(|_| damaged("a block is too large"))?;
        let bytes = self.read_image(at, size)?;
        if raw {
            return Ok(bytes);
        }
        let limit = usize::try_from(self.block_size).map_err(|_| damaged("the block size is none"))?;
        self.method.decode(&bytes, limit).map_err(|source| ReadError::Read { source })
    }

    fn metadata_block(&mut self, at: u64) -> Result<(Rc<[u8]>, u64), ReadError> {
        if let Some((bytes, next)) = self.kept.get(&at) {
            return Ok((Rc::clone(bytes), *next));
        }
        let header = Fields(&self.read_image(at, 2)?).u16(0);
        let size = usize::from(header & !RAW);
        if size == 0 || size > METADATA_BLOCK {
            return Err(damaged("a metadata block has an impossible size"));
        }
        let begin = at.saturating_add(2);
        let stored = self.read_image(begin, size)?;
        let bytes = if header & RAW == 0 {
            self.method.decode(&stored, METADATA_BLOCK).map_err(|source| ReadError::Read { source })?
        } else {
            stored
        };
        if self.kept.len() >= KEPT {
            self.kept.clear();
        }
        let entry = (Rc::from(bytes), begin.saturating_add(size as u64));
        self.kept.insert(at, entry.clone());
        Ok(entry)
    }

    /// Reads `size` bytes of metadata and moves the place behind them. Callers bound `size`.
    pub(super) fn read(&mut self, place: &mut Place, size: usize) -> Result<Vec<u8>, ReadError> {
        let mut bytes = Vec::new();
        while bytes.len() < size {
            let (block, next) = self.metadata_block(place.block)?;
            let left = block.get(place.offset..).ok_or(damaged("a place lies outside of its block"))?;
            let taken = left.len().min(size - bytes.len());
            bytes.extend(left.iter().take(taken));
            place.offset += taken;
            if place.offset >= block.len() {
                // Only full blocks have a successor; anything else could be followed for ever.
                if block.len() < METADATA_BLOCK && bytes.len() < size {
                    return Err(damaged("metadata ends too early"));
                }
                *place = Place { block: next, offset: 0 };
            }
        }
        Ok(bytes)
    }

    /// A fragment block, decompressed.
    pub(super) fn fragment(&mut self, number: u32) -> Result<Vec<u8>, ReadError> {
        if number >= self.fragments {
            return Err(damaged("there is no such fragment"));
        }
        let pointer = self.fragment_table.saturating_add(u64::from(number / FRAGMENTS_PER_BLOCK) * 8);
        let block = Fields(&self.read_image(pointer, 8)?).u64(0);
        let index = usize::try_from(number % FRAGMENTS_PER_BLOCK).unwrap_or_default();
        let entry = self.read(&mut Place { block, offset: index * FRAGMENT }, FRAGMENT)?;
        let fields = Fields(&entry);
        let (size, raw) = super::file::block_size(fields.u32(8));
        self.block(fields.u64(0), size, raw)
    }
}
