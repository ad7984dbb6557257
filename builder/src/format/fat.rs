//! FAT file systems with long names (Microsoft, *FAT32 File System Specification* 1.03), laid out from a tree.
//!
//! Every file and directory is one contiguous run of clusters, so that contents stay the extents they were and the
//! allocation tables are counters. The layout is a function of the tree and the options alone.

mod geometry;
mod names;
mod plan;
mod sectors;

use crate::image::{ImageLayout, LayoutError, VirtualImage};
use crate::tree::Tree;

use geometry::{Geometry, Kind};
use plan::{Plan, Planned};

/// Bytes of a sector.
pub const SECTOR: u64 = 512;
/// The smallest image that is a FAT32, in bytes, a whole number of MiB: with fewer clusters than 65525 firmware takes
/// the file system for FAT16.
pub const MIN_SIZE: u64 = 33 << 20;
/// The smallest image there can be, in bytes.
pub const MIN_SIZE_16: u64 = 4 << 20;
/// The largest image that is a FAT16, in bytes.
pub const MAX_SIZE_16: u64 = 32 << 20;
/// The largest size an image can have, in bytes: the number of sectors has 32 bits.
pub const MAX_SIZE: u64 = u32::MAX as u64 * SECTOR;
/// The largest file, in bytes.
pub const MAX_FILE: u64 = u32::MAX as u64;
/// The volume id of images that do not need one of their own, as `mkfs.fat --invariant` has it.
pub const INVARIANT_ID: u32 = 0x1234_abcd;

/// What a file system is like beside its files.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FatOptions<'a> {
    /// The volume label: 1 to 11 upper-case letters, digits, spaces and `_-`.
    pub label: &'a str,
    /// The size of the whole image in bytes, a multiple of [`SECTOR`]. It decides the kind: from [`MIN_SIZE`] on the
    /// image is a FAT32, up to [`MAX_SIZE_16`] a FAT16; there is nothing in between.
    pub size: u64,
    /// The volume id, also called the serial number.
    pub volume_id: u32,
    /// The time of every entry, in seconds since 1970; before 1980 it becomes the beginning of 1980.
    pub time: u32,
}

/// Why a tree cannot become a FAT file system.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FatError {
    /// The size fits no FAT.
    #[error(
        "a FAT image cannot have {size} bytes: {MIN_SIZE_16} to {MAX_SIZE_16} or {MIN_SIZE} to {MAX_SIZE}, in sectors \
         of {SECTOR}"
    )]
    Size {
        /// The size asked for.
        size: u64,
    },
    /// The label has other characters, or too many.
    #[error("`{label}` is no FAT label: expected 1 to 11 of A-Z, 0-9, space, `_` and `-`")]
    Label {
        /// The label.
        label: String,
    },
    /// The tree is larger than the image.
    #[error("the files need {needed} clusters, but the image has {available}")]
    Full {
        /// How many the tree needs.
        needed: u64,
        /// How many there are.
        available: u64,
    },
    /// A name FAT has no spelling for.
    #[error("`{name}` cannot be a name on a FAT file system")]
    Name {
        /// The name.
        name: String,
    },
    /// Two names differ only in case.
    #[error("`{name}` and `{other}` are the same name on a FAT file system")]
    Same {
        /// One name.
        name: String,
        /// The other.
        other: String,
    },
    /// A symbolic link.
    #[error("`{name}` is a symbolic link, which FAT does not have")]
    Symlink {
        /// Its name.
        name: String,
    },
    /// A file is too large.
    #[error("`{name}` has {size} bytes, more than the {MAX_FILE} of a file on FAT")]
    FileSize {
        /// Its name.
        name: String,
        /// Its size.
        size: u64,
    },
    /// A directory has too many entries.
    #[error("a directory needs {slots} slots, more than it can have")]
    Directory {
        /// How many it needs.
        slots: usize,
    },
    /// Parts of the layout overlap; a fault of ours.
    #[error("the parts of the file system overlap")]
    Layout(#[source] LayoutError),
}

/// The file system as an image. Contents stay the extents they are; the rest is a few kilobytes.
///
/// Files whose mode has no write bit get the read-only attribute. Owners, links and extended attributes are lost.
///
/// # Errors
/// When the options fit no FAT, or FAT has no way to store something in the tree.
pub fn lay_out(tree: &Tree, options: &FatOptions<'_>) -> Result<VirtualImage, FatError> {
    let label = sectors::label(options.label)?;
    let geometry = Geometry::of(options.size)?;
    let plan = Plan::new(tree, &geometry, label, options.time)?;
    if plan.clusters() > geometry.clusters {
        return Err(FatError::Full {
            needed: u64::from(plan.clusters()),
            available: u64::from(geometry.clusters),
        });
    }
    let mut layout = ImageLayout::default();
    sectors::reserved(&mut layout, &geometry, options.volume_id, label, &plan).map_err(FatError::Layout)?;
    for copy in 1..=geometry::TABLES {
        table(&mut layout, geometry.kind, &plan);
        layout.pad_to(geometry.table_end(copy)).map_err(FatError::Layout)?;
    }
    layout.bytes(plan.root()).pad_to(geometry.data()).map_err(FatError::Layout)?;
    for node in plan.nodes() {
        match &node.content {
            Planned::Dir(bytes) => layout.bytes(bytes.clone()),
            Planned::File(image) => layout.image(image),
        };
        let end = geometry.cluster_at(node.first + node.clusters);
        layout.pad_to(end).map_err(FatError::Layout)?;
    }
    layout.pad_to(options.size).map_err(FatError::Layout)?;
    Ok(layout.finish())
}

/// The smallest size, in whole MiB, of an image that takes this tree.
///
/// # Errors
/// When no image takes it.
pub fn size_for(tree: &Tree) -> Result<u64, FatError> {
    let mut size = MIN_SIZE;
    loop {
        let geometry = Geometry::of(size)?;
        let plan = Plan::new(tree, &geometry, sectors::NO_LABEL, 0)?;
        let missing = plan.clusters().saturating_sub(geometry.clusters);
        if missing == 0 {
            return Ok(size);
        }
        // The allocation tables grow with it, which the next round finds out.
        size = (size + u64::from(missing) * geometry.cluster_size()).next_multiple_of(1 << 20);
    }
}

/// One allocation table up to its last used entry.
fn table(layout: &mut ImageLayout, kind: Kind, plan: &Plan<'_>) {
    const MEDIA: u32 = 0x0fff_fff8;
    const END: u32 = 0x0fff_ffff;
    match kind {
        Kind::Fat32 => {
            layout.bytes([MEDIA.to_le_bytes(), END.to_le_bytes()].concat());
            for node in plan.nodes() {
                layout.counter(node.first + 1, node.first + node.clusters);
                layout.bytes(END.to_le_bytes().to_vec());
            }
        }
        Kind::Fat16 => {
            let links = plan
                .nodes()
                .iter()
                .flat_map(|node| (node.first + 1..node.first + node.clusters).chain([END]));
            let halves = [MEDIA, END].into_iter().chain(links).flat_map(|entry| {
                let [low, high, ..] = entry.to_le_bytes();
                [low, high]
            });
            layout.bytes(halves.collect::<Vec<u8>>());
        }
    }
}

#[cfg(test)]
mod tests;
