//! Where the EFI system partition of an ISO or a disk is.

use std::ops::Range;

use super::InspectError;
use super::part::Part;
use super::structure::Structure;

const SECTOR: u64 = 512;
const DISC_SECTOR: u64 = 2048;
/// The sector of a disc with its first volume descriptor; the boot record is in the next.
const BOOT_RECORD: u64 = 17;
const VOLUME: &[u8] = b"CD001";
const EL_TORITO: &[u8] = b"EL TORITO SPECIFICATION";
/// The platform of boot entries for UEFI.
const UEFI: u8 = 0xef;
/// The kinds of partition that are EFI system partitions, in an MBR and in a GPT (the GUID as it lies on disk).
const MBR_ESP: u8 = 0xef;
const GPT_ESP: [u8; 16] =
    [0x28, 0x73, 0x2a, 0xc1, 0x1f, 0xf8, 0xd2, 0x11, 0xba, 0x4b, 0x00, 0xa0, 0xc9, 0x3e, 0xc9, 0x3b];
/// The most partitions of a GPT that are looked at, and how long an entry may be.
const MAX_PARTITIONS: u32 = 128;
const MAX_ENTRY: u32 = 4096;

/// What kind of medium it is, by its first sectors.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Volume {
    /// An ISO 9660 volume, maybe with partitions around it.
    Iso,
    /// A disk with partitions.
    Disk,
    /// A file system without partitions.
    FileSystem,
}

/// The EFI system partition of `medium`, and what kind of medium it is; `None` when it is no medium at all.
pub(super) async fn esp(medium: &Part) -> Result<Option<(Volume, Part)>, InspectError> {
    let head = Structure::new("beginning", medium.head(64 * 1024).await?);
    if head.slice(16 * 2048 + 1, VOLUME.len()).ok() == Some(VOLUME) {
        let place = match el_torito(medium, &head).await? {
            Some(start) => Some(start..medium.len()),
            None => partition(medium, &head).await?,
        };
        let place = place.ok_or(InspectError::NoEsp)?;
        return Ok(Some((Volume::Iso, medium.part(place))));
    }
    if head.slice(510, 2).ok() != Some(&[0x55, 0xaa]) {
        return Ok(None);
    }
    if is_fat(&head) {
        return Ok(Some((Volume::FileSystem, medium.clone())));
    }
    let place = partition(medium, &head).await?.ok_or(InspectError::NoEsp)?;
    Ok(Some((Volume::Disk, medium.part(place))))
}

/// Whether a boot sector is that of a FAT: they all say so, though none has to.
fn is_fat(head: &Structure) -> bool {
    head.slice(54, 3).ok() == Some(b"FAT") || head.slice(82, 5).ok() == Some(b"FAT32")
}

/// Where the boot image for UEFI begins. How long it is the catalogue does not say reliably.
async fn el_torito(medium: &Part, head: &Structure) -> Result<Option<u64>, InspectError> {
    let record = usize::try_from(BOOT_RECORD * DISC_SECTOR).unwrap_or(usize::MAX);
    if head.slice(record + 7, EL_TORITO.len()).ok() != Some(EL_TORITO) {
        return Ok(None);
    }
    let sector = u64::from(head.u32(record + 71)?);
    let catalogue = Structure::new("boot catalogue", medium.read(sector * DISC_SECTOR, DISC_SECTOR).await?);
    let mut platform = catalogue.u8(1)?;
    for at in (32..catalogue.len()).step_by(32) {
        match catalogue.u8(at)? {
            0x90 | 0x91 => platform = catalogue.u8(at + 1)?,
            0x88 if platform == UEFI => return Ok(Some(u64::from(catalogue.u32(at + 8)?) * DISC_SECTOR)),
            0 if at > 32 => break,
            _ => {}
        }
    }
    Ok(None)
}

async fn partition(medium: &Part, head: &Structure) -> Result<Option<Range<u64>>, InspectError> {
    if head.slice(510, 2).ok() != Some(&[0x55, 0xaa]) {
        return Ok(None);
    }
    if head.slice(512, 8).ok() == Some(b"EFI PART")
        && let Some(found) = gpt(medium, head).await?
    {
        return Ok(Some(found));
    }
    for entry in (446..510).step_by(16) {
        if head.u8(entry + 4)? == MBR_ESP {
            let first = u64::from(head.u32(entry + 8)?) * SECTOR;
            return Ok(Some(first..first + u64::from(head.u32(entry + 12)?) * SECTOR));
        }
    }
    Ok(None)
}

async fn gpt(medium: &Part, head: &Structure) -> Result<Option<Range<u64>>, InspectError> {
    let (first, count, len) = (head.u64(512 + 72)?, head.u32(512 + 80)?, head.u32(512 + 84)?);
    if !(128..=MAX_ENTRY).contains(&len) {
        return Err(InspectError::Damaged { what: "partition table" });
    }
    let at = first.checked_mul(SECTOR).ok_or_else(|| head.damaged())?;
    let wanted = u64::from(count.min(MAX_PARTITIONS)) * u64::from(len);
    let table = Structure::new("partition table", medium.read(at, wanted).await?);
    for entry in (0..table.len()).step_by(usize::try_from(len).unwrap_or(usize::MAX)) {
        if table.slice(entry, 16)? == GPT_ESP {
            let (first, last) = (table.u64(entry + 32)?, table.u64(entry + 40)?);
            let place =
                first.checked_mul(SECTOR).zip(last.checked_add(1).and_then(|end| end.checked_mul(SECTOR)));
            return place.map(|(start, end)| Some(start..end)).ok_or_else(|| table.damaged());
        }
    }
    Ok(None)
}
