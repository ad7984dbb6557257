//! Metadata: everything that is not file data, as a chain of compressed 8 KiB blocks.

use super::codec::Compressor;
use super::{Codec, SquashfsError, narrow};

/// Size of a metadata block in bytes before compression.
pub(super) const METADATA_BLOCK: usize = 8192;
/// Set in a block's header when the block is stored as it is.
const RAW: u16 = 0x8000;

/// A place in a chain of metadata blocks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Position {
    /// Where the block begins, in compressed bytes from the beginning of the chain.
    pub(super) block: u32,
    /// How far into the uncompressed block.
    pub(super) offset: u16,
}

impl Position {
    /// The position as one number, as inode references and attribute references are written.
    pub(super) fn reference(self) -> u64 {
        u64::from(self.block) << 16 | u64::from(self.offset)
    }
}

/// A chain of metadata blocks that is being written.
pub(super) struct Metadata {
    compressor: Compressor,
    /// What is not compressed yet, always less than a block between calls.
    open: Vec<u8>,
    chain: Vec<u8>,
    starts: Vec<u32>,
}

impl Metadata {
    pub(super) fn new(codec: Codec) -> Result<Self, SquashfsError> {
        let compressor = Compressor::new(codec).map_err(|source| SquashfsError::Compress { source })?;
        Ok(Self { compressor, open: Vec::new(), chain: Vec::new(), starts: Vec::new() })
    }

    /// Where the next byte will lie.
    pub(super) fn position(&self) -> Result<Position, SquashfsError> {
        let block = narrow(self.chain.len(), "metadata")?;
        Ok(Position { block, offset: narrow(self.open.len(), "metadata")? })
    }

    pub(super) fn write(&mut self, mut bytes: &[u8]) -> Result<(), SquashfsError> {
        while !bytes.is_empty() {
            let room = METADATA_BLOCK - self.open.len();
            let (now, later) = bytes.split_at(room.min(bytes.len()));
            self.open.extend_from_slice(now);
            if self.open.len() == METADATA_BLOCK {
                self.close_block()?;
            }
            bytes = later;
        }
        Ok(())
    }

    fn close_block(&mut self) -> Result<(), SquashfsError> {
        self.starts.push(narrow(self.chain.len(), "metadata")?);
        let open = std::mem::take(&mut self.open);
        let block =
            self.compressor.block(open.into()).map_err(|source| SquashfsError::Compress { source })?;
        let size: u16 = narrow(block.bytes.len(), "bytes in a metadata block")?;
        let header = if block.compressed { size } else { size | RAW };
        self.chain.extend_from_slice(&header.to_le_bytes());
        self.chain.extend_from_slice(&block.bytes);
        Ok(())
    }

    /// The whole chain, and where in it each block begins.
    pub(super) fn finish(mut self) -> Result<(Vec<u8>, Vec<u32>), SquashfsError> {
        if !self.open.is_empty() {
            self.close_block()?;
        }
        Ok((self.chain, self.starts))
    }
}

/// A lookup table: metadata blocks with `entries`, and behind them the absolute place of each block.
///
/// Appends to `image`, whose first byte lies at `base`, and tells where the places are: that is what the superblock
/// points to.
pub(super) fn write_table(
    entries: &[u8],
    codec: Codec,
    base: u64,
    image: &mut Vec<u8>,
) -> Result<u64, SquashfsError> {
    let mut table = Metadata::new(codec)?;
    table.write(entries)?;
    let (chain, starts) = table.finish()?;
    let begin = base + image.len() as u64;
    image.extend_from_slice(&chain);
    let places = base + image.len() as u64;
    for start in starts {
        image.extend_from_slice(&(begin + u64::from(start)).to_le_bytes());
    }
    Ok(places)
}
