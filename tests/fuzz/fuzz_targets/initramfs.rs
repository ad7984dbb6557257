//! Any bytes are an initramfs with the file or a refusal, within bounded memory.

#![no_main]

use std::io;

use extensions::initramfs::find_file;
use libfuzzer_sys::fuzz_target;

/// Entries whose headers have the right form and any numbers: what random bytes would hardly ever be.
fn archive(bytes: &[u8]) -> Vec<u8> {
    let mut archive = Vec::new();
    for entry in bytes.chunks(64) {
        let (numbers, rest) = entry.split_at(entry.len().min(13));
        let number = |at: usize| u32::from(numbers.get(at).copied().unwrap_or_default());
        archive.extend(b"070701");
        for field in 0..13 {
            // The mode is that of a file more often than not; sizes are small unless the byte is large.
            let value = match (field, number(field)) {
                (1, value) if value < 128 => 0o100_644,
                (_, value) if value > 250 => value << 24,
                (_, value) => value,
            };
            archive.extend(format!("{value:08X}").as_bytes());
        }
        archive.extend(rest);
    }
    archive
}

fuzz_target!(|bytes: &[u8]| {
    for initramfs in [bytes, &archive(bytes)] {
        for name in ["rootfs.sqsh", "a"] {
            let _ = find_file(initramfs, name, |content| io::copy(content, &mut io::sink()));
        }
    }
});
