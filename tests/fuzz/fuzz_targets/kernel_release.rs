//! Any bytes have a kernel release or none; one that is found has no blank in it and is not empty.

#![no_main]

use builder::recipe::uki::kernel_release;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let mut head = vec![0; 0x240];
    head[0x1f1] = 1;
    head[0x202..0x206].copy_from_slice(b"HdrS");
    head[0x20e] = 0x10;
    head.resize(head.len().max(bytes.len()), 0);
    head.iter_mut().zip(bytes).for_each(|(to, from)| *to ^= from);
    for head in [&head, bytes] {
        if let Some(release) = kernel_release(head) {
            assert!(!release.is_empty() && !release.contains(' ') && release.len() < 256);
        }
    }
});
