//! Compressing one block.

use std::io;

use bytes::Bytes;
use liblzma::stream::{Action, Check, Filters, LzmaOptions, Status, Stream};
use zstd::zstd_safe;

use super::{BLOCK, Codec};

/// The preset of xz blocks, the one `mksquashfs` has.
const XZ_PRESET: u32 = 6;

/// A compressor for blocks that are decoded independently. Belongs to one thread.
pub(super) enum Compressor {
    Zstd {
        compressor: zstd::bulk::Compressor<'static>,
        /// Where it writes to, kept so that no block needs memory of its own.
        output: Vec<u8>,
    },
    Xz(Filters),
}

/// The bytes of a block as they lie in the image.
pub(super) struct Block {
    pub(super) bytes: Bytes,
    /// Whether they are compressed; incompressible blocks are stored as they are.
    pub(super) compressed: bool,
}

impl Compressor {
    pub(super) fn new(codec: Codec) -> io::Result<Self> {
        match codec {
            Codec::Zstd { level } => {
                let output = Vec::with_capacity(zstd_safe::compress_bound(BLOCK));
                Ok(Self::Zstd { compressor: zstd::bulk::Compressor::new(level)?, output })
            }
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
    pub(super) fn block(&mut self, data: Bytes) -> io::Result<Block> {
        match self {
            Self::Zstd { compressor, output } => {
                compressor.compress_to_buffer(&data, output)?;
                if output.len() >= data.len() {
                    return Ok(Block::raw(data));
                }
                Ok(Block::compressed(Bytes::copy_from_slice(output)))
            }
            Self::Xz(filters) => {
                let mut bytes = Vec::with_capacity(data.len());
                let mut stream = Stream::new_stream_encoder(filters, Check::Crc32)?;
                match stream.process_vec(&data, &mut bytes, Action::Finish)? {
                    Status::StreamEnd if bytes.len() < data.len() => Ok(Block::compressed(bytes.into())),
                    // The output is full, or as large as the input.
                    Status::StreamEnd | Status::Ok | Status::GetCheck | Status::MemNeeded => {
                        Ok(Block::raw(data))
                    }
                }
            }
        }
    }
}

impl Block {
    fn compressed(bytes: Bytes) -> Self {
        Self { bytes, compressed: true }
    }

    fn raw(bytes: Bytes) -> Self {
        Self { bytes, compressed: false }
    }
}
