//! File formats, in both directions where we need both.
//!
//! Layout formats are pure functions from a [`Tree`](crate::tree::Tree) or a list of sections to a
//! [`VirtualImage`](crate::image::VirtualImage). Cooked formats make real bytes, once per input, and store them.

mod civil;
pub mod compress;
pub mod cpio;
pub mod crc32;
pub mod dump;
pub mod fat;
pub mod gpt;
pub mod grub;
pub mod iso9660;
pub mod pe;
mod runs;
pub mod squashfs;
pub mod squashfs_read;
pub mod tar;
pub mod xz_raw;
pub mod zstd_raw;
