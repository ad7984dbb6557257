//! GUID partition tables (UEFI 2.10 §5.3), and the entries of the older MBR table.

use schematics::Digest;

use crate::image::{ImageLayout, LayoutError};

/// Bytes of a sector.
pub const SECTOR: u64 = 512;
/// Bytes of an entry of the table.
const ENTRY: usize = 128;
/// Bytes of the header that count.
const HEADER: u32 = 92;

/// A GUID in the byte order it is stored in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Guid([u8; 16]);

impl Guid {
    /// EFI system partition.
    pub const ESP: Self = Self(*b"\x28\x73\x2a\xc1\x1f\xf8\xd2\x11\xba\x4b\x00\xa0\xc9\x3e\xc9\x3b");
    /// Basic data, what ISO tools call the partition with the ISO file system.
    pub const BASIC_DATA: Self = Self(*b"\xa2\xa0\xd0\xeb\xe5\xb9\x33\x44\x87\xc0\x68\xb6\xb7\x26\x99\xc7");

    /// A GUID made from a digest and a label: version 8, so that it says it is nobody's random one.
    #[must_use]
    pub fn derived(seed: Digest, label: &str) -> Self {
        let digest = Digest::of(&[seed.as_bytes(), label.as_bytes()].concat());
        let [a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p, ..] = *digest.as_bytes();
        // The first three fields are little-endian, so the version is in the eighth byte.
        Self([a, b, c, d, e, f, g, h & 0x0f | 0x80, i & 0x3f | 0x80, j, k, l, m, n, o, p])
    }

    /// Its bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }
}

/// A partition. Sectors are counted from the beginning of the disk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Partition {
    /// What it is for.
    pub kind: Guid,
    /// Which one it is.
    pub id: Guid,
    /// Its first sector.
    pub first: u64,
    /// Its last sector.
    pub last: u64,
    /// Attribute bits.
    pub attributes: u64,
    /// Its name: at most 36 UTF-16 units, what is behind them is cut.
    pub name: &'static str,
}

/// A partition table for a disk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Table {
    /// Which disk it is.
    pub disk: Guid,
    /// How many sectors the disk has.
    pub sectors: u64,
    /// How many entries there is room for; a multiple of 4, so that they fill sectors.
    pub entries: u32,
    /// The partitions in the order of their numbers.
    pub partitions: Vec<Partition>,
}

impl Table {
    /// Sectors of the entries.
    const fn array(&self) -> u64 {
        self.entries as u64 * ENTRY as u64 / SECTOR
    }

    /// How many sectors the table takes at the end of the disk; one more, the MBR, at its beginning.
    #[must_use]
    pub const fn reserved(&self) -> u64 {
        self.array() + 1
    }

    /// Adds header and entries, to follow the MBR.
    ///
    /// # Errors
    /// When there are more partitions than entries.
    pub fn primary(&self, layout: &mut ImageLayout) -> Result<(), LayoutError> {
        let end = layout.position() + self.reserved() * SECTOR;
        layout.bytes(self.header(1, self.sectors - 1, 2)).align(SECTOR).bytes(self.used());
        layout.pad_to(end)?;
        Ok(())
    }

    /// Adds entries and header, to end the disk.
    ///
    /// # Errors
    /// When there are more partitions than entries.
    pub fn backup(&self, layout: &mut ImageLayout) -> Result<(), LayoutError> {
        let header = layout.position() + self.array() * SECTOR;
        layout.bytes(self.used()).pad_to(header)?;
        layout.bytes(self.header(self.sectors - 1, 1, self.sectors - self.reserved())).align(SECTOR);
        Ok(())
    }

    /// The entries that are used.
    fn used(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        for partition in &self.partitions {
            let end = bytes.len() + ENTRY;
            bytes.extend(partition.kind.0);
            bytes.extend(partition.id.0);
            bytes.extend(partition.first.to_le_bytes());
            bytes.extend(partition.last.to_le_bytes());
            bytes.extend(partition.attributes.to_le_bytes());
            bytes.extend(partition.name.encode_utf16().take(36).flat_map(u16::to_le_bytes));
            bytes.resize(end, 0);
        }
        bytes
    }

    fn header(&self, own: u64, other: u64, array: u64) -> Vec<u8> {
        let mut entries = self.used();
        entries.resize(entries.len().max(self.entries as usize * ENTRY), 0);
        let unsigned = |sum: u32| {
            let mut bytes = b"EFI PART\x00\x00\x01\x00".to_vec();
            bytes.extend(HEADER.to_le_bytes());
            bytes.extend(sum.to_le_bytes());
            bytes.extend([0; 4]);
            bytes.extend(
                [own, other, 1 + self.reserved(), self.sectors - 1 - self.reserved()]
                    .map(u64::to_le_bytes)
                    .concat(),
            );
            bytes.extend(self.disk.0);
            bytes.extend(array.to_le_bytes());
            bytes.extend(self.entries.to_le_bytes());
            bytes.extend(128_u32.to_le_bytes());
            bytes.extend(crc32fast::hash(&entries).to_le_bytes());
            bytes
        };
        unsigned(crc32fast::hash(&unsigned(0)))
    }
}

/// An entry of an MBR table, with cylinders of 64 heads and 32 sectors (1 MiB).
#[must_use]
pub fn mbr_entry(kind: u8, first: u32, sectors: u32) -> [u8; 16] {
    let [a, b, c] = chs(first);
    let [d, e, f] = chs(first.saturating_add(sectors.saturating_sub(1)));
    let [g, h, i, j] = first.to_le_bytes();
    let [k, l, m, n] = sectors.to_le_bytes();
    [0, a, b, c, kind, d, e, f, g, h, i, j, k, l, m, n]
}

/// A sector as cylinder, head and sector; the last ones there are when the cylinder has no number.
const fn chs(sector: u32) -> [u8; 3] {
    let cylinder = sector / 2048;
    if cylinder > 1023 {
        return [0xfe, 0xff, 0xff];
    }
    let [low, high, ..] = cylinder.to_le_bytes();
    let head = sector / 32 % 64;
    let number = sector % 32 + 1;
    [head.to_le_bytes()[0], number.to_le_bytes()[0] | high << 6, low]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::judge::{self, Blobs};

    fn table() -> Table {
        let seed = Digest::of(b"");
        let partition = |first, last, name| Partition {
            kind: Guid::ESP,
            id: Guid::derived(seed, name),
            first,
            last,
            attributes: 0,
            name,
        };
        let partitions = vec![partition(2048, 4095, "first"), partition(4096, 6143, "second")];
        Table { disk: Guid::derived(seed, "disk"), sectors: 8192, entries: 128, partitions }
    }

    fn disk(table: &Table) -> ImageLayout {
        let mut layout = ImageLayout::default();
        layout.zeros(446).bytes(mbr_entry(0xee, 1, 8191).to_vec()).zeros(48).bytes(&[0x55, 0xaa][..]);
        table.primary(&mut layout).unwrap();
        layout.pad_to((table.sectors - table.reserved()) * SECTOR).unwrap();
        table.backup(&mut layout).unwrap();
        layout
    }

    #[test]
    fn sgdisk_finds_no_problem() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let image = disk(&table()).finish();
        assert_eq!(image.len(), 8192 * SECTOR);
        Blobs::default().write(&image, file.path());
        let path = file.path().to_str().unwrap();
        let Some(verdict) = judge::reports("sgdisk", &["-v", path]) else { return };
        assert!(verdict.contains("No problems found") && !verdict.contains("invalid"), "{verdict}");
        let list = judge::reports("sgdisk", &["-p", path]).unwrap();
        assert!(list.contains("first") && list.contains("second") && list.contains("EF00"), "{list}");
    }

    #[test]
    fn sgdisk_finds_overlapping_partitions() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let mut table = table();
        table.partitions[1].first = 4000;
        Blobs::default().write(&disk(&table).finish(), file.path());
        let Some(verdict) = judge::reports("sgdisk", &["-v", file.path().to_str().unwrap()]) else { return };
        assert!(verdict.contains("overlap"), "{verdict}");
    }

    #[test]
    fn sectors_have_the_addresses_a_bios_gives_them() {
        assert_eq!(chs(64), [2, 1, 0]);
        assert_eq!(chs(8191), [63, 32, 3]);
        assert_eq!(chs(300 * 2048), [0, 0x41, 44]);
        assert_eq!(chs(1024 * 2048), [0xfe, 0xff, 0xff]);
    }
}
