//! Compressing one block.

use std::io;

use liblzma::stream::{Action, Check, Filters, LzmaOptions, Status, Stream};
use zstd::zstd_safe;

use super::{BLOCK, Codec};

/// The preset of xz blocks, the one `mksquashfs` has.
const XZ_PRESET: u32 = 6;

/// A compressor for blocks that are decoded independently. Belongs to one thread.
pub(super) enum Compressor {
    Zstd(zstd::bulk::Compressor<'static>),
    Xz(Filters),
}

/// The bytes of a block as they lie in the image.
pub(super) struct Block {
    pub(super) bytes: Vec<u8>,
    /// Whether they are compressed; incompressible blocks are stored as they are.
    pub(super) compressed: bool,
}

impl Compressor {
    pub(super) fn new(codec: Codec) -> io::Result<Self> {
        match codec {
            Codec::Zstd { level } => Ok(Self::Zstd(zstd::bulk::Compressor::new(level)?)),
            Codec::Xz => {
                let mut options = LzmaOptions::new_preset(XZ_PRESET)?;
                options.dict_size(u32::try_from(BLOCK).map_err(io::Error::other)?);
                let mut filters = Filters::new();
                filters.lzma2(&options);
                Ok(Self::Xz(filters))
            }
        }
    }

    /// Compresses a block, or leaves it as it is where that does not make it smaller.
    pub(super) fn block(&mut self, data: Vec<u8>) -> io::Result<Block> {
        let bytes = match self {
            Self::Zstd(compressor) => {
                let mut bytes = Vec::with_capacity(zstd_safe::compress_bound(data.len()));
                compressor.compress_to_buffer(&data, &mut bytes)?;
                bytes
            }
            Self::Xz(filters) => {
                let mut bytes = Vec::with_capacity(data.len());
                let mut stream = Stream::new_stream_encoder(filters, Check::Crc32)?;
                match stream.process_vec(&data, &mut bytes, Action::Finish)? {
                    Status::StreamEnd => bytes,
                    // The output is full: it would be no smaller than the input.
                    Status::Ok | Status::GetCheck | Status::MemNeeded => return Ok(Block::raw(data)),
                }
            }
        };
        if bytes.len() < data.len() { Ok(Block { bytes, compressed: true }) } else { Ok(Block::raw(data)) }
    }
}

impl Block {
    fn raw(bytes: Vec<u8>) -> Self {
        Self { bytes, compressed: false }
    }
}
