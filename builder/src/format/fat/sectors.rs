//! The reserved sectors: boot sector, free-space information, and their backup.

use super::geometry::{FIRST_CLUSTER, Geometry, Kind, ROOT_SLOTS, TABLES};
use super::names::ShortName;
use super::plan::Plan;
use super::{FatError, SECTOR};
use crate::image::{ImageLayout, LayoutError};

/// What the label field says when there is none.
pub(super) const NO_LABEL: ShortName = *b"NO NAME    ";

const INFO_SECTOR: u16 = 1;
const BACKUP_SECTOR: u16 = 6;
/// Stops the machine, should a BIOS boot it.
const BOOT_CODE: [u8; 3] = [0xf4, 0xeb, 0xfd];

/// The label as it is stored.
pub(super) fn label(text: &str) -> Result<ShortName, FatError> {
    let wrong = || FatError::Label { label: text.to_owned() };
    let allowed = |c: char| c.is_ascii_uppercase() || c.is_ascii_digit() || " _-".contains(c);
    if text.trim() != text || text.is_empty() || !text.chars().all(allowed) {
        return Err(wrong());
    }
    format!("{text:11}").into_bytes().try_into().map_err(|_| wrong())
}

/// Everything in front of the tables.
pub(super) fn reserved(
    layout: &mut ImageLayout,
    geometry: &Geometry,
    volume_id: u32,
    label: ShortName,
    plan: &Plan<'_>,
) -> Result<(), LayoutError> {
    let boot = boot_record(geometry, volume_id, label);
    if geometry.kind == Kind::Fat16 {
        layout.bytes(boot);
        return signature(layout, 0);
    }
    let mut counts = b"rrAa".to_vec();
    counts.extend((geometry.clusters - plan.clusters()).to_le_bytes());
    counts.extend(plan.free().to_le_bytes());
    for first in [0, BACKUP_SECTOR] {
        let at = u64::from(first) * SECTOR;
        layout.pad_to(at)?.bytes(boot.clone());
        signature(layout, at)?;
        let info = at + u64::from(INFO_SECTOR) * SECTOR;
        layout.bytes(&b"RRaA"[..]).pad_to(info + 484)?.bytes(counts.clone());
        signature(layout, info)?;
        signature(layout, info + SECTOR)?;
    }
    layout.pad_to(geometry.table_end(0))?;
    Ok(())
}

/// Ends the sector at `at` as sectors that may hold boot code end.
fn signature(layout: &mut ImageLayout, at: u64) -> Result<(), LayoutError> {
    layout.pad_to(at + SECTOR - 2)?.bytes(&[0x55, 0xaa][..]);
    Ok(())
}

fn boot_record(geometry: &Geometry, volume_id: u32, label: ShortName) -> Vec<u8> {
    let [reserved_low, reserved_high, ..] = geometry.kind.reserved().to_le_bytes();
    let [tables, ..] = TABLES.to_le_bytes();
    // What a FAT16 counts in 16 bits is 0 in a FAT32.
    let (jump, root_slots, table, kind) = match geometry.kind {
        Kind::Fat16 => (0x3c, ROOT_SLOTS, u16::try_from(geometry.table).unwrap_or(0), b"FAT16   "),
        Kind::Fat32 => (0x58, 0, 0, b"FAT32   "),
    };
    let mut sector = vec![0xeb, jump, 0x90];
    sector.extend(b"factory ");
    sector.extend([0x00, 0x02, geometry.sectors_per_cluster, reserved_low, reserved_high, tables]);
    sector.extend(root_slots.to_le_bytes());
    // The size is further below; a fixed disk.
    sector.extend([0, 0, 0xf8]);
    sector.extend(table.to_le_bytes());
    // 32 sectors to a track and 64 heads make a cylinder of 1 MiB; nothing in front of the volume.
    sector.extend([32, 0, 64, 0, 0, 0, 0, 0]);
    sector.extend(geometry.sectors.to_le_bytes());
    if geometry.kind == Kind::Fat32 {
        sector.extend(geometry.table.to_le_bytes());
        // Both tables are kept alike; version 0.0.
        sector.extend([0, 0, 0, 0]);
        sector.extend(FIRST_CLUSTER.to_le_bytes());
        sector.extend(INFO_SECTOR.to_le_bytes());
        sector.extend(BACKUP_SECTOR.to_le_bytes());
        sector.extend([0; 12]);
    }
    sector.extend([0x80, 0, 0x29]);
    sector.extend(volume_id.to_le_bytes());
    sector.extend(label);
    sector.extend(kind);
    sector.extend(BOOT_CODE);
    sector
}
