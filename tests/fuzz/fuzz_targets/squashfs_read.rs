//! Any bytes are an image that stays within the limits or a refusal.

#![no_main]

use std::io;

use builder::format::squashfs_read::{Limits, walk};
use libfuzzer_sys::fuzz_target;

const LIMITS: Limits = Limits { entries: 1000, bytes: 8 << 20 };

fuzz_target!(|bytes: &[u8]| {
    let (mut files, mut taken) = (0, 0);
    let result = walk(bytes, "", LIMITS, |found| {
        files += 1;
        let size = io::copy(found.content, &mut io::sink())?;
        assert_eq!(size, found.size, "a file that was read is whole");
        taken += size;
        Ok(())
    });
    assert!(files <= LIMITS.entries && taken <= LIMITS.bytes, "{result:?}");
});
