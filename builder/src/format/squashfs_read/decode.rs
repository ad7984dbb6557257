//! Decompressing one block.

use std::io::{self, Read};

use flate2::read::ZlibDecoder;
use liblzma::read::XzDecoder;
use liblzma::stream::Stream;

use super::ReadError;

/// The most memory one xz block may need: the largest dictionary is one block of 1 MiB.
const XZ_MEMORY: u64 = 64 << 20;

/// How the blocks of an image are compressed.
#[derive(Debug, Clone, Copy)]
pub(super) enum Method {
    Gzip,
    Xz,
    Zstd,
}

impl Method {
    pub(super) fn from_number(method: u16) -> Result<Self, ReadError> {
        match method {
            1 => Ok(Self::Gzip),
            4 => Ok(Self::Xz),
            6 => Ok(Self::Zstd),
            _ => Err(ReadError::Compressor { method }),
        }
    }

    /// The bytes of a block, of which there are at most `limit`.
    pub(super) fn decode(self, block: &[u8], limit: usize) -> io::Result<Vec<u8>> {
        match self {
            Self::Gzip => at_most(ZlibDecoder::new(block), limit),
            Self::Xz => {
                let stream = Stream::new_stream_decoder(XZ_MEMORY, 0)?;
                at_most(XzDecoder::new_stream(block, stream), limit)
            }
            Self::Zstd => zstd::bulk::decompress(block, limit),
        }
    }
}

fn at_most(decoder: impl Read, limit: usize) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    decoder.take(limit as u64 + 1).read_to_end(&mut bytes)?;
    if bytes.len() > limit {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "a block is larger than it may be"));
    }
    Ok(bytes)
}
