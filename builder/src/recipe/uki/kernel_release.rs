//! The release an x86 kernel says it is.

/// Places in the setup header, from the kernel's `Documentation/arch/x86/boot.rst`.
const SETUP_SECTORS: usize = 0x1f1;
const MAGIC: usize = 0x202;
const VERSION_POINTER: usize = 0x20e;
/// The pointer counts from behind the boot sector.
const SECTOR: usize = 0x200;
/// The longest version text that is believed.
const MAX_TEXT: usize = 256;

/// The release of the bzImage that begins with `head`, such as `6.1.0-50-cloud-amd64`.
///
/// `None` for anything else, such as an arm64 kernel; no bytes make it panic.
#[must_use]
pub fn kernel_release(head: &[u8]) -> Option<&str> {
    if head.get(MAGIC..)?.get(..4)? != b"HdrS" {
        return None;
    }
    let pointer =
        usize::from(*head.get(VERSION_POINTER)?) | usize::from(*head.get(VERSION_POINTER + 1)?) << 8;
    // 0 means that there is none, and what is not in the setup code is no text of the kernel.
    if pointer == 0 || pointer >= usize::from(*head.get(SETUP_SECTORS)?) * SECTOR {
        return None;
    }
    let rest = head.get(pointer + SECTOR..)?;
    let end = rest.iter().take(MAX_TEXT).position(|byte| *byte == 0)?;
    let text = std::str::from_utf8(rest.get(..end)?).ok()?;
    text.split(' ').next().filter(|release| !release.is_empty())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn kernel() -> Vec<u8> {
        let mut head = vec![0; 0x3000];
        head[SETUP_SECTORS] = 15;
        head[MAGIC..MAGIC + 4].copy_from_slice(b"HdrS");
        head[VERSION_POINTER..VERSION_POINTER + 2].copy_from_slice(&[0, 0x10]);
        head[0x1200..0x1220].copy_from_slice(b"6.1.0-50-cloud-amd64 (x@y) #1 SM");
        head
    }

    #[test]
    fn the_release_ends_at_the_first_blank() {
        assert_eq!(kernel_release(&kernel()), Some("6.1.0-50-cloud-amd64"));
    }

    #[test]
    fn what_is_no_x86_kernel_has_none() {
        let change = |at: usize, bytes: &[u8]| {
            let mut kernel = kernel();
            kernel[at..at + bytes.len()].copy_from_slice(bytes);
            kernel_release(&kernel).map(str::to_owned)
        };
        assert_eq!(change(MAGIC, b"hdrs"), None);
        // The pointer is checked, not only what is there.
        for (pointer, there) in [(0x0000, false), (0x1dff, true), (0x1e00, false), (0x1e01, false)] {
            let mut kernel = kernel();
            kernel[VERSION_POINTER..VERSION_POINTER + 2].copy_from_slice(&u16::to_le_bytes(pointer));
            let at = usize::from(pointer) + SECTOR;
            kernel[at..at + 2].copy_from_slice(b"6 ");
            assert_eq!(kernel_release(&kernel), there.then_some("6"), "{pointer:#x}");
        }
        assert_eq!(change(0x1200, b" "), None);
        assert_eq!(change(0x1200, &[0xff]), None);
        assert_eq!(change(0x1200, &[b'x'; 300]), None);
        assert_eq!(kernel_release(&kernel()[..0x1210]), None);
        assert_eq!(kernel_release(b"MZ"), None);
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(
            changes in prop::collection::vec((0..0x220_usize, any::<u8>()), 0..8),
            len in 0..0x2000_usize,
        ) {
            let mut kernel = kernel();
            changes.into_iter().for_each(|(at, value)| kernel[at] = value);
            drop(kernel_release(&kernel[..len]).map(str::to_owned));
        }
    }
}
