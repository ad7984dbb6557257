//! ISO 9660 volumes (ECMA-119) with Rock Ridge names, made bootable from optical and from flat media.
//!
//! The volume begins with a partition table, so that the same bytes written to a disk boot too. It has two sets of
//! descriptors and directories: one that counts sectors from the beginning of the medium, and one that counts them
//! from the beginning of its first partition, so that the partition can be mounted like the whole. An EFI system
//! partition is appended behind the files; El Torito and the partition table both point at it.
//!
//! Contents stay the extents they were. The layout is a function of its arguments alone.

pub mod boot;
mod collect;
mod names;
mod partitions;
mod plan;
mod records;
mod volume;

use crate::image::{ImageLayout, LayoutError, VirtualImage};
use crate::tree::Tree;

use boot::BiosBoot;
use plan::Plan;

/// Bytes of a sector of an optical disc.
pub const SECTOR: u64 = 2048;
const SECTOR_LEN: usize = 2048;
/// The largest file, in bytes. Larger ones would take several extents, which not every boot loader follows.
pub const MAX_FILE: u64 = u32::MAX as u64 - (SECTOR - 1);
/// The largest volume, in sectors of an optical disc: what the 32 bits of an MBR can count in halves of a KiB.
const MAX_SECTORS: u64 = (u32::MAX / 4) as u64;
/// Where the first partition begins, in sectors: behind the tables of either kind.
const PARTITION: u32 = 16;
/// Where the first set of descriptors is; sixteen sectors into the medium, or into the partition.
const DESCRIPTORS: u32 = 16;
/// The partition ends, and the next begins, at whole MiB.
const CYLINDER: u64 = 1 << 20;
/// Zeros behind everything, in sectors: drives read ahead and fail when there is nothing.
const TAIL: u64 = 150;

/// What a volume is like beside its files.
#[derive(Debug, Clone, Copy)]
pub struct IsoOptions<'a> {
    /// The volume id: at most 32 of A-Z, 0-9 and `_`.
    pub volume: &'a str,
    /// The volume set id: at most 128 printable ASCII characters.
    pub volume_set: &'a str,
    /// The time of everything, in seconds since 1970.
    pub epoch: u32,
    /// How a BIOS boots it, if it does.
    pub bios: Option<&'a BiosBoot>,
    /// The file system UEFI boots from, appended as the second partition.
    pub esp: &'a VirtualImage,
    /// The kind of partition table.
    pub partitions: Partitioning,
}

/// A kind of partition table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Partitioning {
    /// An MBR table with both partitions.
    Mbr,
    /// A GUID table with both partitions, behind a protective MBR.
    Gpt,
}

/// Why a tree cannot become a volume.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum IsoError {
    /// The volume id has other characters, or too many.
    #[error("`{volume}` is no volume id: expected at most 32 of A-Z, 0-9 and `_`")]
    Volume {
        /// The volume id.
        volume: String,
    },
    /// The volume set id has other characters, or too many.
    #[error("`{volume_set}` is no volume set id: expected at most 128 printable ASCII characters")]
    VolumeSet {
        /// The volume set id.
        volume_set: String,
    },
    /// A file is too large.
    #[error("`{name}` has {size} bytes, more than the {MAX_FILE} of a file on an ISO")]
    FileSize {
        /// Its name.
        name: String,
        /// Its size.
        size: u64,
    },
    /// A symbolic link points at too long a path.
    #[error("the symbolic link `{name}` points at a path of {len} bytes, more than an ISO stores")]
    Link {
        /// Its name.
        name: String,
        /// How long the path is.
        len: usize,
    },
    /// There are more directories than a path table can number.
    #[error("the tree has more than {} directories", u16::MAX)]
    Directories,
    /// Everything together is too large.
    #[error("the volume would have {sectors} sectors, more than {MAX_SECTORS}")]
    Size {
        /// How many sectors it would have.
        sectors: u64,
    },
    /// The boot image of a BIOS is not among the files.
    #[error("the boot image `{path}` is not in the tree")]
    BootImage {
        /// Where it should be.
        path: String,
    },
    /// Parts of the layout overlap; a fault of ours.
    #[error("the parts of the volume overlap")]
    Layout(#[from] LayoutError),
}

/// Where the parts of a volume are, in sectors.
struct Places {
    catalog: u32,
    /// The boot image of a BIOS.
    core: Option<u32>,
    /// Behind the files, at a whole MiB: the appended partition.
    esp: u32,
    /// Behind the appended partition and the zeros after it.
    end: u32,
}

/// The volume as an image.
///
/// # Errors
/// When an option has no spelling on a volume, or something in the tree cannot be stored.
pub fn lay_out(tree: &Tree, options: &IsoOptions<'_>) -> Result<VirtualImage, IsoError> {
    volume::check(options)?;
    // Two descriptors and their end, then two more in the second set, then the boot catalogue.
    let catalog = PARTITION + DESCRIPTORS + 2;
    let plan = Plan::new(tree, catalog + 1, options.epoch)?;
    let files_end = u64::from(plan.end()) * SECTOR;
    let esp = sector(files_end.next_multiple_of(CYLINDER))?;
    let esp_end = (u64::from(esp) * SECTOR + options.esp.len()).next_multiple_of(CYLINDER);
    let end = sector(esp_end + TAIL * SECTOR)?;
    let core = options.bios.map(|bios| plan.find(&bios.path)).transpose()?;
    let places = Places { catalog, core, esp, end };

    let total = end + partitions::tail(options.partitions);
    let mut body = ImageLayout::default();
    descriptors(&mut body, &plan, options, &places, total)?;
    body.pad_to(from_descriptors(catalog))?.bytes(boot::catalog(core, esp));
    plan.directories(&mut body)?;
    plan.files(&mut body, options.bios.zip(core))?;
    body.pad_to(from_descriptors(esp))?.image(options.esp).pad_to(from_descriptors(end))?;
    Ok(partitions::around(&body.finish(), options, &places)?)
}

/// A place in what follows the system area.
const fn from_descriptors(sector: u32) -> u64 {
    (sector - DESCRIPTORS) as u64 * SECTOR
}

fn sector(at: u64) -> Result<u32, IsoError> {
    let sectors = at.div_ceil(SECTOR);
    let number = u32::try_from(sectors).ok().filter(|_| sectors <= MAX_SECTORS);
    number.ok_or(IsoError::Size { sectors })
}

/// Both sets of descriptors.
fn descriptors(
    body: &mut ImageLayout,
    plan: &Plan<'_>,
    options: &IsoOptions<'_>,
    places: &Places,
    total: u32,
) -> Result<(), IsoError> {
    body.bytes(volume::primary(options, &plan.whole, total));
    body.bytes(volume::boot_record(places.catalog)).align(SECTOR).bytes(volume::END).align(SECTOR);
    body.pad_to(from_descriptors(PARTITION + DESCRIPTORS))?;
    body.bytes(volume::primary(options, &plan.partition, places.esp - PARTITION));
    body.bytes(volume::END).align(SECTOR);
    Ok(())
}

#[cfg(test)]
mod tests;
