//! Any bytes are a layer or a refusal; what a layer puts into a tree stays in the tree.

#![no_main]

use builder::store::Blob;
use extensions::flatten::Flattener;
use extensions::layers::{Entry, Kind, LayerLimits, read_entries};
use libfuzzer_sys::fuzz_target;
use schematics::Digest;

const BLOCK: usize = 512;
const LIMITS: LayerLimits = LayerLimits { entries: 256, extended: 16 << 10 };

/// Rights the checksum of every block that could be a header, since bytes that are changed at random would hardly ever
/// have a right one.
fn with_checksums(bytes: &[u8]) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    for block in bytes
        .chunks_exact_mut(BLOCK)
        .filter(|block| block.starts_with(b"ustar") || block[257..].starts_with(b"ustar"))
    {
        block[148..156].fill(b' ');
        let sum: u32 = block.iter().map(|byte| u32::from(*byte)).sum();
        block[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    }
    bytes
}

fn inside(path: &str) -> bool {
    path.is_empty() || path.split('/').all(|part| !matches!(part, "" | "." | ".."))
}

fn check(entries: &[Entry], size: u64) {
    assert!(entries.len() <= LIMITS.entries);
    for entry in entries {
        assert!(inside(&entry.path), "{entry:?}");
        match &entry.kind {
            Kind::File { bytes, .. } => assert!(bytes.start <= bytes.end && bytes.end <= size, "{entry:?}"),
            Kind::Link { target } => assert!(inside(target) && !target.is_empty(), "{entry:?}"),
            Kind::Dir(meta) => assert_eq!(meta.mode & 0o700, 0o700),
            Kind::Symlink { .. } | Kind::Whiteout | Kind::Opaque => {}
        }
    }
}

fuzz_target!(|bytes: &[u8]| {
    let bytes = with_checksums(bytes);
    let Ok(entries) = read_entries(&mut &bytes[..], LIMITS, None) else { return };
    let archive = Blob { digest: Digest::of(&bytes), size: bytes.len() as u64 };
    check(&entries, archive.size);
    let mut image = Flattener::default();
    // The same layer twice: every path of the second one meets what the first one put there.
    for _ in 0..2 {
        if image.apply(entries.clone(), archive).is_err() {
            return;
        }
    }
    let tree = image.finish();
    for (path, _) in tree.walk() {
        assert!(inside(&path) && tree.get(&path).is_some(), "{path}");
    }
});
