//! xz streams that do not compress.
//!
//! As [`zstd_raw`](super::zstd_raw), for kernels and readers that want xz: one stream of one block of uncompressed LZMA2
//! chunks. The format is <https://tukaani.org/xz/xz-file-format.txt>; LZMA2 chunks are as liblzma reads them. The check
//! is CRC32, the only one the kernel's decoder knows.

use std::ops::Range;

use crate::image::{ImageLayout, VirtualImage};

const HEADER_MAGIC: [u8; 6] = [0xfd, b'7', b'z', b'X', b'Z', 0];
const FOOTER_MAGIC: [u8; 2] = *b"YZ";
/// Check type CRC32.
const STREAM_FLAGS: [u8; 2] = [0, 1];
const CHECK_LEN: u64 = 4;
/// Both sizes are given; one filter.
const BLOCK_FLAGS: u8 = 0xc0;
const LZMA2: u8 = 0x21;
/// A dictionary of 64 KiB, as much as a chunk holds; the smaller, the less memory a reader needs.
const DICTIONARY: u8 = 8;
/// The most an uncompressed chunk holds.
const CHUNK: u64 = 64 * 1024;
/// An uncompressed chunk that begins with a new dictionary, and one that goes on.
const FIRST_CHUNK: u8 = 1;
const NEXT_CHUNK: u8 = 2;
const END_OF_CHUNKS: u8 = 0;

/// Wraps `content`, whose CRC-32 is `crc32`, as one stream. Reads nothing.
///
/// A wrong `crc32` makes a stream that every reader refuses; [`crc32`](super::crc32::crc32) gives the right one.
#[must_use]
pub fn lay_out(content: &VirtualImage, crc32: u32) -> VirtualImage {
    let mut stream = ImageLayout::default();
    stream.bytes([&HEADER_MAGIC, &with_crc(&STREAM_FLAGS)[..]].concat());
    let start = stream.position();
    let chunks = content.len().div_ceil(CHUNK);
    stream.bytes(block_header(content.len() + 3 * chunks + 1, content.len()));
    let mut control = FIRST_CHUNK;
    for chunk in 0..chunks {
        put_chunk(&mut stream, content, chunk * CHUNK..content.len().min((chunk + 1) * CHUNK), control);
        control = NEXT_CHUNK;
    }
    stream.bytes(vec![END_OF_CHUNKS]);
    let unpadded = stream.position() - start + CHECK_LEN;
    stream.align(4).bytes(crc32.to_le_bytes().to_vec());
    let index = index(unpadded, content.len());
    let footer = footer(index.len() as u64);
    stream.bytes(index).bytes(footer);
    stream.finish()
}

fn put_chunk(stream: &mut ImageLayout, content: &VirtualImage, range: Range<u64>, control: u8) {
    // A chunk states its length less one; the longest fills the field.
    let last = u16::try_from(range.end - range.start - 1).unwrap_or(u16::MAX);
    let [high, low] = last.to_be_bytes();
    stream.bytes(vec![control, high, low]).image(&content.part(range));
}

fn block_header(compressed: u64, uncompressed: u64) -> Vec<u8> {
    let mut header = vec![0, BLOCK_FLAGS];
    put_number(&mut header, compressed);
    put_number(&mut header, uncompressed);
    header.extend([LZMA2, 1, DICTIONARY]);
    pad(&mut header);
    // The header states its length, with its checksum, in units of four bytes less one: at most 32 bytes here.
    let units = u8::try_from(header.len() / 4).unwrap_or(u8::MAX);
    if let Some(first) = header.first_mut() {
        *first = units;
    }
    with_crc(&header)
}

/// One record: the block, with its header and check but without its padding.
fn index(unpadded: u64, uncompressed: u64) -> Vec<u8> {
    let mut index = vec![0, 1];
    put_number(&mut index, unpadded);
    put_number(&mut index, uncompressed);
    pad(&mut index);
    with_crc(&index)
}

fn footer(index_len: u64) -> Vec<u8> {
    // Likewise in units of four bytes less one; an index of one record has at most 28 bytes.
    let units = u32::try_from(index_len / 4).unwrap_or(u32::MAX).saturating_sub(1);
    let body = [&units.to_le_bytes()[..], &STREAM_FLAGS].concat();
    [&crc32fast::hash(&body).to_le_bytes()[..], &body, &FOOTER_MAGIC].concat()
}

/// Seven bits at a time, the lowest first.
fn put_number(out: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        out.push(number.to_le_bytes()[0] | 0x80);
        number >>= 7;
    }
    out.push(number.to_le_bytes()[0]);
}

fn pad(bytes: &mut Vec<u8>) {
    bytes.resize(bytes.len().next_multiple_of(4), 0);
}

fn with_crc(bytes: &[u8]) -> Vec<u8> {
    [bytes, &crc32fast::hash(bytes).to_le_bytes()].concat()
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;

    use proptest::prelude::*;

    use super::*;
    use crate::format::crc32::crc32;
    use crate::judge::{Blobs, block_on, noise, passes, run};

    fn wrap(blobs: &Blobs, content: &VirtualImage) -> Vec<u8> {
        let crc32 = block_on(crc32(content, &blobs.0)).unwrap();
        blobs.flatten(&lay_out(content, crc32))
    }

    fn sample(blobs: &Blobs, len: usize) -> VirtualImage {
        let mut layout = ImageLayout::default();
        layout.bytes("head").image(&blobs.put(noise(9, len))).zeros(70_000).bytes("tail");
        layout.finish()
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(48))]
        #[test]
        fn the_library_reads_back_any_content(
            len in prop_oneof![0..3000_usize, 65_520..65_550_usize, 131_060..131_090_usize],
        ) {
            let blobs = Blobs::default();
            let content = blobs.put(noise(1, len));
            let stream = wrap(&blobs, &content);
            let mut decoded = Vec::new();
            liblzma::read::XzDecoder::new(stream.as_slice()).read_to_end(&mut decoded).unwrap();
            prop_assert!(decoded == blobs.flatten(&content));
        }
    }

    #[test]
    fn xz_reads_it_as_one_stream_of_one_block_with_crc32() {
        let blobs = Blobs::default();
        let content = sample(&blobs, 3_000_001);
        let stream = wrap(&blobs, &content);
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("x.xz"), &stream).unwrap();
        if passes("xz", &["-t", "x.xz"], dir.path(), b"").is_none() {
            return;
        }
        assert!(passes("xz", &["-dc", "x.xz"], dir.path(), b"").unwrap() == blobs.flatten(&content));
        let listed = passes("xz", &["--robot", "-lvv", "x.xz"], dir.path(), b"").unwrap();
        let listed = String::from_utf8(listed).unwrap();
        let file = listed.lines().find(|line| line.starts_with("file")).unwrap();
        let fields: Vec<_> = file.split('\t').collect();
        let (compressed, uncompressed) = (stream.len().to_string(), content.len().to_string());
        assert_eq!(fields[1..5], ["1", "1", compressed.as_str(), uncompressed.as_str()]);
        assert_eq!(fields[6..8], ["CRC32", "0"]);
    }

    #[test]
    fn a_wrong_checksum_or_a_cut_stream_does_not_pass_the_judge() {
        let blobs = Blobs::default();
        let content = sample(&blobs, 100_000);
        let right = wrap(&blobs, &content);
        let wrong = blobs.flatten(&lay_out(&content, 1));
        let mut flipped = right.clone();
        flipped[50_000] ^= 1;
        let dir = tempfile::tempdir().unwrap();
        for damaged in [&wrong, &flipped, &right[..right.len() - 1], &right[..70_000]] {
            if let Some(output) = run("xz", &["-t"], dir.path(), damaged) {
                assert!(!output.status.success());
            }
        }
    }

    #[test]
    fn blobs_are_cut_but_not_copied() {
        let blobs = Blobs::default();
        let content = blobs.put(noise(1, 200_000));
        let stream = lay_out(&content, 0);
        assert_eq!(stream.blobs(), content.blobs());
        assert!(stream.len() < content.len() + 100);
    }
}
