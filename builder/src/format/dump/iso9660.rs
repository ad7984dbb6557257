//! The dump of an ISO 9660 volume with what makes it bootable.

use std::fmt::Write as _;

use super::DumpError;
use super::bytes::{Structure, sources, structure};
use crate::image::VirtualImage;

const SECTOR: u64 = 2048;
const SECTOR_LEN: usize = 2048;
const DISK_SECTOR: u64 = 512;
/// More than any volume of ours has.
const MAX_RECORDS: usize = 100_000;

/// The structure of a volume that [`format::iso9660`](crate::format::iso9660) wrote.
///
/// # Errors
/// When the image is no such volume.
pub fn iso9660(image: &VirtualImage) -> Result<String, DumpError> {
    let mut text = String::new();
    partitions(image, &mut text)?;
    for base in [0, 16] {
        volume(image, base, &mut text)?;
    }
    Ok(text)
}

fn partitions(image: &VirtualImage, text: &mut String) -> Result<(), DumpError> {
    let table = structure(image, 446, 66)?;
    if table.array(64)? != [0x55, 0xaa] {
        return Err(DumpError::Unexpected { what: "MBR signature", at: 510 });
    }
    for entry in (0..64).step_by(16) {
        let (kind, first, sectors) = (table.u8(entry + 4)?, table.u32(entry + 8)?, table.u32(entry + 12)?);
        if kind != 0 {
            let _ = writeln!(text, "mbr partition {} type {kind:02x}: {first}+{sectors}", entry / 16 + 1);
        }
    }
    if structure(image, DISK_SECTOR, 8)?.all() != b"EFI PART" {
        return Ok(());
    }
    for (place, at) in [("first", DISK_SECTOR), ("last", image.len() - DISK_SECTOR)] {
        let header = structure(image, at, DISK_SECTOR)?;
        let _ = writeln!(
            text,
            "gpt header in the {place} sector: usable {}..={}, {} entries at {}",
            header.u32(40)?,
            header.u32(48)?,
            header.u32(80)?,
            header.u32(72)?,
        );
        let entries = structure(image, u64::from(header.u32(72)?) * DISK_SECTOR, DISK_SECTOR)?;
        for entry in (0..512).step_by(128) {
            let name: Vec<u16> = (0..36).map_while(|unit| entries.u16(entry + 56 + unit * 2).ok()).collect();
            let name = String::from_utf16_lossy(&name);
            let (first, last) = (entries.u32(entry + 32)?, entries.u32(entry + 40)?);
            if first != 0 {
                let _ = writeln!(text, "  {}: {first}..={last}", name.trim_end_matches('\0'));
            }
        }
    }
    Ok(())
}

/// The volume whose sectors are counted from sector `base` on.
fn volume(image: &VirtualImage, base: u32, text: &mut String) -> Result<(), DumpError> {
    let at = u64::from(base + 16) * SECTOR;
    let primary = structure(image, at, SECTOR)?;
    if primary.array(0)? != *b"\x01CD001" {
        return Err(DumpError::Unexpected { what: "primary volume descriptor", at });
    }
    let _ = writeln!(
        text,
        "volume at sector {}: {:?} of {:?}, {} sectors, {} bytes of path table at {} and {}, written {}",
        base + 16,
        primary.text(40, 32)?,
        primary.text(190, 128)?,
        primary.u32(80)?,
        primary.u32(132)?,
        primary.u32(140)?,
        primary.u32(148)?.swap_bytes(),
        primary.text(813, 16)?,
    );
    let next = structure(image, at + SECTOR, SECTOR)?;
    if next.u8(0)? == 0 {
        catalog(image, next.u32(71)?, text)?;
    }
    let mut pending = vec![(String::new(), primary.u32(156 + 2)?, primary.u32(156 + 10)?)];
    let mut records = 0;
    while let Some((prefix, sector, len)) = pending.pop() {
        let _ = writeln!(text, "  /{prefix} at {sector}");
        let records_of = structure(image, u64::from(base + sector) * SECTOR, u64::from(len))?;
        for record in offsets(&records_of)? {
            records += 1;
            if records > MAX_RECORDS {
                return Err(DumpError::Unexpected { what: "directory", at: records_of.at });
            }
            let found = Record::read(image, &records_of, record, base)?;
            if found.is_dir {
                pending.push((format!("{prefix}{}/", found.name), found.sector, found.len));
            }
            if base == 0 || found.is_dir {
                let _ = writeln!(text, "{}", found.describe(image, base));
            }
        }
    }
    Ok(())
}

fn catalog(image: &VirtualImage, sector: u32, text: &mut String) -> Result<(), DumpError> {
    let entries = structure(image, u64::from(sector) * SECTOR, SECTOR)?;
    let mut platform = entries.u8(1)?;
    for at in (32..SECTOR_LEN).step_by(32) {
        match entries.u8(at)? {
            0 => break,
            0x90 | 0x91 => platform = entries.u8(at + 1)?,
            kind => {
                let (sectors, lba) = (entries.u16(at + 6)?, entries.u32(at + 8)?);
                let _ =
                    writeln!(text, "  boot {kind:02x} platform {platform:02x}: sector {lba}, load {sectors}");
            }
        }
    }
    Ok(())
}

/// Where the records of a directory begin, without those for itself and its parent.
fn offsets(records: &Structure) -> Result<Vec<usize>, DumpError> {
    let mut found = Vec::new();
    let mut at = 0;
    while at < records.all().len() {
        match usize::from(records.u8(at)?) {
            0 => at = (at + 1).next_multiple_of(SECTOR_LEN),
            len => {
                found.push(at);
                at += len;
            }
        }
    }
    Ok(found.into_iter().skip(2).collect())
}

struct Record {
    plain: String,
    name: String,
    mode: u32,
    is_dir: bool,
    sector: u32,
    len: u32,
}

impl Record {
    fn read(image: &VirtualImage, records: &Structure, at: usize, base: u32) -> Result<Self, DumpError> {
        let plain_len = usize::from(records.u8(at + 32)?);
        let mut record = Self {
            plain: records.text(at + 33, plain_len)?,
            name: String::new(),
            mode: 0,
            is_dir: records.u8(at + 25)? & 2 != 0,
            sector: records.u32(at + 2)?,
            len: records.u32(at + 10)?,
        };
        let system = at + (33 + plain_len).next_multiple_of(2);
        record.system_use(image, records, system..at + usize::from(records.u8(at)?), base)?;
        Ok(record)
    }

    /// Reads system use entries, and those they continue in.
    fn system_use(
        &mut self,
        image: &VirtualImage,
        bytes: &Structure,
        range: std::ops::Range<usize>,
        base: u32,
    ) -> Result<(), DumpError> {
        let mut at = range.start;
        while at + 4 <= range.end {
            let len = usize::from(bytes.u8(at + 2)?).max(4);
            match &bytes.array::<2>(at)? {
                b"NM" => self.name.push_str(&bytes.text(at + 5, len - 5)?),
                b"PX" => self.mode = bytes.u32(at + 4)?,
                b"CE" => {
                    let place =
                        u64::from(base + bytes.u32(at + 4)?) * SECTOR + u64::from(bytes.u32(at + 12)?);
                    let more = structure(image, place, u64::from(bytes.u32(at + 20)?))?;
                    self.system_use(image, &more, 0..more.all().len(), base)?;
                }
                _ => {}
            }
            at += len;
        }
        Ok(())
    }

    fn describe(&self, image: &VirtualImage, base: u32) -> String {
        let head = format!("    {:<28} {:<28} {:06o}", self.name, self.plain, self.mode);
        if self.is_dir || self.len == 0 {
            return head;
        }
        let from = sources(image, u64::from(base + self.sector) * SECTOR, u64::from(self.len));
        format!("{head} at {} {} bytes: {from}", self.sector, self.len)
    }
}
