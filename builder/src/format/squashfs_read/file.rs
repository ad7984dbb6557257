//! The bytes of a file.

use std::io::{self, Read};

use super::inode::File;
use super::metadata::{Fields, Place, Tables};
use super::{Image, ReadError, damaged};

const RAW: u32 = 1 << 24;
const NO_FRAGMENT: u32 = u32::MAX;

/// The size of a block in the image, and whether it lies there as it is.
pub(super) fn block_size(field: u32) -> (u32, bool) {
    (field & !RAW, field & RAW != 0)
}

/// Reads a file block by block.
pub(super) struct FileReader<'a, I> {
    tables: &'a mut Tables<I>,
    /// How many blocks there are besides the fragment.
    blocks: u64,
    sizes: Place,
    /// Where the next block is in the image.
    at: u64,
    fragment: (u32, u32),
    /// How many bytes come behind the current block.
    left: u64,
    current: Vec<u8>,
    taken: usize,
}

impl<'a, I: Image> FileReader<'a, I> {
    pub(super) fn open(tables: &'a mut Tables<I>, file: &File) -> Result<Self, ReadError> {
        let block = u64::from(tables.block_size);
        let whole = file.size / block;
        let has_fragment = file.fragment.0 != NO_FRAGMENT;
        let blocks = if has_fragment { whole } else { file.size.div_ceil(block) };
        Ok(Self {
            tables,
            blocks,
            sizes: file.sizes,
            at: file.start,
            fragment: file.fragment,
            left: file.size,
            current: Vec::new(),
            taken: 0,
        })
    }

    /// The next block; everything it says is checked against how many bytes are missing.
    fn next_block(&mut self) -> Result<Vec<u8>, ReadError> {
        let wanted = self.left.min(u64::from(self.tables.block_size));
        let wanted = usize::try_from(wanted).map_err(|_| damaged("a block is too large"))?;
        if self.blocks == 0 {
            return self.tail(wanted);
        }
        self.blocks -= 1;
        let field = self.tables.read(&mut self.sizes, 4)?;
        let (size, raw) = block_size(Fields(&field).u32(0));
        if size == 0 {
            return Ok(vec![0; wanted]);
        }
        let block = self.tables.block(self.at, size, raw)?;
        self.at = self.at.saturating_add(u64::from(size));
        if block.len() == wanted {
            Ok(block)
        } else {
            Err(damaged("a block has another size than the file says"))
        }
    }

    fn tail(&mut self, wanted: usize) -> Result<Vec<u8>, ReadError> {
        let (number, offset) = self.fragment;
        let block = self.tables.fragment(number)?;
        let start = usize::try_from(offset).map_err(|_| damaged("a tail lies outside of its fragment"))?;
        let end = start.saturating_add(wanted);
        block.get(start..end).map(<[u8]>::to_vec).ok_or(damaged("a tail lies outside of its fragment"))
    }
}

impl<I: Image> Read for FileReader<'_, I> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.taken == self.current.len() && self.left > 0 {
            self.current = self.next_block().map_err(io::Error::other)?;
            self.left -= self.current.len() as u64;
            self.taken = 0;
        }
        let rest = self.current.get(self.taken..).unwrap_or_default();
        let count = rest.len().min(buffer.len());
        for (to, from) in buffer.iter_mut().zip(rest) {
            *to = *from;
        }
        self.taken += count;
        Ok(count)
    }
}
