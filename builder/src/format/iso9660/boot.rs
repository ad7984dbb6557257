//! The El Torito boot catalogue, and boot images for a BIOS.

use bytes::Bytes;

use crate::image::{ImageLayout, VirtualImage};

/// Where the boot information table lies in a boot image.
const INFO: u64 = 8;
/// The first byte behind it; the checksum is of what follows.
const INFO_END: u64 = 64;
/// Where GRUB's own loader in the boot image keeps its address.
const ADDRESS: u64 = 2548;
const ADDRESS_END: u64 = ADDRESS + 8;
/// Where GRUB's bootstrap keeps the address of the boot image.
const BOOTSTRAP_ADDRESS: usize = 0x1b0;
/// Bytes of an MBR that are code.
const BOOTSTRAP: usize = 440;
/// Sectors of a disk in one of an optical disc.
const HALVES: u64 = 4;

const NO_EMULATION: [u8; 2] = [0x88, 0];
const PLATFORM_EFI: u8 = 0xef;

/// What a BIOS needs: a GRUB boot image for optical media, and a bootstrap for the same medium as a disk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BiosBoot {
    /// Where in the tree the boot image is.
    pub path: String,
    image: VirtualImage,
    /// The sum of its words behind the table, as if its address were 0.
    sum: u32,
    bootstrap: Bytes,
}

/// Why something is no boot image.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "a boot image of {image} bytes with a bootstrap of {bootstrap} are not from GRUB: both are too short"
)]
pub struct BootImageError {
    image: usize,
    bootstrap: usize,
}

impl BiosBoot {
    /// The boot image at `path`, whose bytes are `bytes`, and the bootstrap for disks.
    ///
    /// # Errors
    /// When either is too short to have the places that must be patched.
    pub fn new(
        path: &str,
        image: VirtualImage,
        bytes: &[u8],
        bootstrap: &Bytes,
    ) -> Result<Self, BootImageError> {
        let short = BootImageError { image: bytes.len(), bootstrap: bootstrap.len() };
        if image.len() != bytes.len() as u64 || image.len() < ADDRESS_END || bootstrap.len() < BOOTSTRAP {
            return Err(short);
        }
        let address = usize::try_from(ADDRESS).unwrap_or(0)..usize::try_from(ADDRESS_END).unwrap_or(0);
        let behind = bytes.iter().enumerate().skip(usize::try_from(INFO_END).unwrap_or(0));
        // Words are little-endian: each byte counts by its place in its word.
        let sum = behind
            .filter(|(at, _)| !address.contains(at))
            .fold(0_u32, |sum, (at, byte)| sum.wrapping_add(u32::from(*byte) << (at % 4 * 8)));
        Ok(Self { path: path.to_owned(), image, sum, bootstrap: bootstrap.slice(..BOOTSTRAP) })
    }

    /// The boot image as it is on no medium.
    #[must_use]
    pub const fn image(&self) -> &VirtualImage {
        &self.image
    }

    /// The boot image as it must be at sector `lba` of the medium.
    #[must_use]
    pub fn patched(&self, lba: u32) -> VirtualImage {
        // GRUB counts in sectors of a disk, and means the one behind its own first.
        let address = u64::from(lba) * HALVES + 5;
        let words = [address & 0xffff_ffff, address >> 32].map(|word| u32::try_from(word).unwrap_or(0));
        let sum = words.into_iter().fold(self.sum, u32::wrapping_add);
        let len = u32::try_from(self.image.len()).unwrap_or(u32::MAX);
        let table = [super::DESCRIPTORS, lba, len, sum].map(u32::to_le_bytes).concat();
        let mut layout = ImageLayout::default();
        layout.image(&self.image.part(0..INFO)).bytes(table).zeros(INFO_END - INFO - 16);
        layout.image(&self.image.part(INFO_END..ADDRESS)).bytes(address.to_le_bytes().to_vec());
        layout.image(&self.image.part(ADDRESS_END..self.image.len()));
        layout.finish()
    }

    /// The code of the MBR, for a boot image at sector `lba`.
    pub(super) fn bootstrap(&self, lba: u32) -> Vec<u8> {
        let address = (u64::from(lba) * HALVES + 4).to_le_bytes();
        let mut code = self.bootstrap.to_vec();
        code.truncate(BOOTSTRAP_ADDRESS);
        code.extend(address);
        code
    }
}

/// The boot catalogue: the boot image of a BIOS, when there is one, and the EFI system partition.
///
/// The number of sectors of the latter is 0, as other tools write it: 16 bits cannot count the sectors of a larger
/// one, and firmware takes the size from the file system.
pub(super) fn catalog(core: Option<u32>, esp: u32) -> Vec<u8> {
    let platform = if core.is_some() { 0 } else { PLATFORM_EFI };
    let mut bytes = validation(platform);
    if let Some(core) = core {
        bytes.extend(entry(4, core));
        // The last section, with one entry.
        bytes.extend([0x91, PLATFORM_EFI, 1, 0]);
        bytes.extend([0; 28]);
    }
    bytes.extend(entry(0, esp));
    bytes
}

/// The entry that says this is a catalogue: its words add up to 0.
fn validation(platform: u8) -> Vec<u8> {
    let key = 0xaa55_u16;
    let sum = 0_u16.wrapping_sub(key).wrapping_sub(u16::from_le_bytes([1, platform]));
    let mut bytes = vec![1, platform];
    bytes.resize(28, 0);
    bytes.extend(sum.to_le_bytes());
    bytes.extend(key.to_le_bytes());
    bytes
}

fn entry(sectors: u16, lba: u32) -> Vec<u8> {
    let mut bytes = NO_EMULATION.to_vec();
    bytes.extend([0; 4]);
    bytes.extend(sectors.to_le_bytes());
    bytes.extend(lba.to_le_bytes());
    bytes.resize(32, 0);
    bytes
}
