//! Any bytes are an initramfs with the file or a refusal, within bounded memory.

#![no_main]

use std::io;

use extensions::initramfs::find_file;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let _ = find_file(bytes, "rootfs.sqsh", |content| io::copy(content, &mut io::sink()));
});
