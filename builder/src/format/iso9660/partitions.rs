//! The partition tables around a volume.

use super::{DESCRIPTORS, IsoOptions, PARTITION, Partitioning, Places, SECTOR};
use crate::format::gpt::{self, Guid, Partition, Table};
use crate::image::{ImageLayout, LayoutError, VirtualImage};

/// Sectors of a disk in one of an optical disc.
const HALVES: u32 = 4;
/// So many entries fill what is left in front of the first partition.
const ENTRIES: u32 = 248;
/// Sectors of an optical disc that the backup of a GUID table takes.
const BACKUP: u32 = 16;

const ISO: u8 = 0x83;
const ESP: u8 = 0xef;
const PROTECTIVE: u8 = 0xee;
/// The system needs it, and nobody writes to it.
const REQUIRED_READ_ONLY: u64 = 1 << 60 | 1;

/// Sectors a table takes behind the volume.
pub(super) const fn tail(partitions: Partitioning) -> u32 {
    match partitions {
        Partitioning::Mbr => 0,
        Partitioning::Gpt => BACKUP,
    }
}

/// The whole medium: the tables, and between them what begins with the volume descriptors.
pub(super) fn around(
    body: &VirtualImage,
    options: &IsoOptions<'_>,
    places: &Places,
) -> Result<VirtualImage, LayoutError> {
    let total = places.end + tail(options.partitions);
    let table = guid_table(body, places, total);
    let mut layout = ImageLayout::default();
    if let Some((bios, core)) = options.bios.zip(places.core) {
        layout.bytes(bios.bootstrap(core));
    }
    layout.pad_to(446)?;
    let entries = match options.partitions {
        Partitioning::Mbr => {
            let esp = places.end - u32::try_from(super::TAIL).unwrap_or(0) - places.esp;
            let iso = gpt::mbr_entry(ISO, PARTITION * HALVES, (places.esp - PARTITION) * HALVES);
            [iso, gpt::mbr_entry(ESP, places.esp * HALVES, esp * HALVES)].concat()
        }
        Partitioning::Gpt => gpt::mbr_entry(PROTECTIVE, 1, total * HALVES - 1).to_vec(),
    };
    layout.bytes(entries).pad_to(510)?.bytes(&[0x55, 0xaa][..]);
    if options.partitions == Partitioning::Gpt {
        table.primary(&mut layout)?;
    }
    layout.pad_to(u64::from(DESCRIPTORS) * SECTOR)?.image(body);
    if options.partitions == Partitioning::Gpt {
        layout.pad_to((table.sectors - table.reserved()) * gpt::SECTOR)?;
        table.backup(&mut layout)?;
    }
    Ok(layout.finish())
}

fn guid_table(body: &VirtualImage, places: &Places, total: u32) -> Table {
    let seed = body.manifest_digest();
    let first = |sector: u32| u64::from(sector * HALVES);
    let esp_end = places.end - u32::try_from(super::TAIL).unwrap_or(0);
    let partitions = vec![
        Partition {
            kind: Guid::BASIC_DATA,
            id: Guid::derived(seed, "ISO9660"),
            first: first(PARTITION),
            last: first(places.esp) - 1,
            attributes: REQUIRED_READ_ONLY,
            name: "ISO9660",
        },
        Partition {
            kind: Guid::ESP,
            id: Guid::derived(seed, "Appended2"),
            first: first(places.esp),
            last: first(esp_end) - 1,
            attributes: 0,
            name: "Appended2",
        },
    ];
    Table {
        disk: Guid::derived(seed, "disk"),
        sectors: u64::from(total * HALVES),
        entries: ENTRIES,
        partitions,
    }
}
