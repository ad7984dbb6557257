//! Zstandard frames that do not compress.
//!
//! What is compressed already (squashfs images) costs nothing but a block header every 128 KiB when it has to be wrapped
//! as Zstandard, and the wrapped form is laid out without reading a byte. The format is RFC 8878.

use bytes::Bytes;

use super::runs::{Run, runs};
use crate::image::{ImageLayout, VirtualImage};

const MAGIC: [u8; 4] = [0x28, 0xb5, 0x2f, 0xfd];
/// An eight-byte content size, no single segment (its window would be as large as the content, more than the kernel
/// takes), no checksum (it would need the content), no dictionary.
const DESCRIPTOR: u8 = 3 << 6;
/// 2^(10 + 7) bytes, the smallest window that allows blocks of [`BLOCK`] bytes. The kernel takes windows up to 128 MiB.
const WINDOW: u8 = 7 << 3;
/// The most content any block may stand for.
const BLOCK: u64 = 128 * 1024;
const BLOCK_LEN: u32 = 128 * 1024;
/// Zeros shorter than this are not worth ending a raw block for.
const ZEROS_FROM: u64 = 4096;

/// The kinds of blocks we write.
#[derive(Debug, Clone, Copy)]
enum Kind {
    Raw = 0,
    Repeated = 1,
}

/// Wraps `content` as one frame with its size in the header: raw blocks, and repeated-byte blocks for runs of zeros.
///
/// Reads nothing; every extent of `content` is an extent of the frame, cut at block borders.
#[must_use]
pub fn lay_out(content: &VirtualImage) -> VirtualImage {
    let mut frame = ImageLayout::default();
    let mut header = MAGIC.to_vec();
    header.extend([DESCRIPTOR, WINDOW]);
    header.extend(content.len().to_le_bytes());
    frame.bytes(header);
    for run in runs(content, ZEROS_FROM) {
        put_run(&mut frame, content, &run);
    }
    if content.is_empty() {
        frame.bytes(block_header(Kind::Raw, 0, true));
    }
    frame.finish()
}

fn put_run(frame: &mut ImageLayout, content: &VirtualImage, run: &Run) {
    let mut at = run.range.start;
    while at < run.range.end {
        let end = run.range.end.min(at + BLOCK);
        // Not an empty block at the end: readers compare the size in the header only behind a block with content.
        let last = end == content.len();
        let len = u32::try_from(end - at).unwrap_or(BLOCK_LEN);
        if run.zeros {
            frame.bytes([block_header(Kind::Repeated, len, last).as_ref(), &[0]].concat());
        } else {
            frame.bytes(block_header(Kind::Raw, len, last)).image(&content.part(at..end));
        }
        at = end;
    }
}

fn block_header(kind: Kind, len: u32, last: bool) -> Bytes {
    let [a, b, c, _] = (len << 3 | (kind as u32) << 1 | u32::from(last)).to_le_bytes();
    Bytes::copy_from_slice(&[a, b, c])
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::judge::{Blobs, noise, passes, run};

    /// Pieces of all kinds around the block border.
    fn pieces() -> impl Strategy<Value = Vec<(u8, u32)>> {
        let len = prop_oneof![0..9000_u32, 131_060..131_080_u32, 262_100..262_200_u32];
        prop::collection::vec((0..3_u8, len), 0..6)
    }

    fn image(blobs: &Blobs, pieces: &[(u8, u32)]) -> VirtualImage {
        let mut layout = ImageLayout::default();
        for (kind, len) in pieces {
            match kind {
                0 => layout.zeros(u64::from(*len)),
                1 => layout.bytes(noise(u64::from(*len), *len as usize)),
                _ => layout.image(&blobs.put(noise(u64::from(*len) + 1, *len as usize))),
            };
        }
        layout.finish()
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn the_library_reads_back_any_content(pieces in pieces()) {
            let blobs = Blobs::default();
            let content = image(&blobs, &pieces);
            let frame = blobs.flatten(&lay_out(&content));
            prop_assert!(zstd::decode_all(frame.as_slice()).unwrap() == blobs.flatten(&content));
        }
    }

    #[test]
    fn zstd_reads_it_as_one_frame() {
        let blobs = Blobs::default();
        let content = image(&blobs, &[(2, 1_000_003), (0, 9_000_000), (1, 100), (0, 50), (2, 131_072)]);
        let frame = blobs.flatten(&lay_out(&content));
        let dir = tempfile::tempdir().unwrap();
        if passes("zstd", &["-t", "-q", "-"], dir.path(), &frame).is_none() {
            return;
        }
        let decoded = passes("zstd", &["-dc", "-q", "-"], dir.path(), &frame).unwrap();
        assert!(decoded == blobs.flatten(&content));
        std::fs::write(dir.path().join("x.zst"), &frame).unwrap();
        let listed = passes("zstd", &["-lv", "x.zst"], dir.path(), b"").unwrap();
        let listed = String::from_utf8(listed).unwrap();
        assert!(
            listed.contains("Number of files listed: 1") || listed.contains("# Zstandard Frames: 1"),
            "{listed}"
        );
        assert!(listed.contains("Window Size: 128 KiB"), "{listed}");
        assert!(listed.contains("10131225 B"), "{listed}");
    }

    #[test]
    fn a_frame_that_is_cut_or_lies_about_its_size_does_not_pass_the_judge() {
        let blobs = Blobs::default();
        let frame = blobs.flatten(&lay_out(&image(&blobs, &[(2, 200_000)])));
        let dir = tempfile::tempdir().unwrap();
        let mut other_size = frame.clone();
        other_size[6] ^= 1;
        for damaged in [&frame[..frame.len() - 3], &frame[..100_000], &other_size] {
            if let Some(output) = run("zstd", &["-t", "-q", "-"], dir.path(), damaged) {
                assert!(!output.status.success());
            }
        }
    }

    #[test]
    fn overhead_is_three_bytes_a_block_and_zeros_are_nearly_free() {
        let blobs = Blobs::default();
        let content = image(&blobs, &[(2, 131_072 * 2)]);
        assert_eq!(lay_out(&content).len(), content.len() + 14 + 2 * 3);
        let mut zeros = ImageLayout::default();
        zeros.zeros(1 << 30);
        assert_eq!(lay_out(&zeros.finish()).len(), 14 + 8192 * 4);
        assert_eq!(lay_out(&VirtualImage::default()).len(), 14 + 3);
    }
}
