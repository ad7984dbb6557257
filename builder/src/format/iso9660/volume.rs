//! Volume descriptors (ECMA-119 §8).

use super::plan::Directories;
use super::{IsoError, IsoOptions, SECTOR_LEN, records};
use crate::format::civil::Civil;
use records::{both16, both32};

/// Ends a set of descriptors.
pub(super) const END: &[u8] = b"\xffCD001\x01";

/// Whether the names of the volume are such.
pub(super) fn check(options: &IsoOptions<'_>) -> Result<(), IsoError> {
    let volume = options.volume;
    let allowed = |c: char| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_';
    if volume.len() > 32 || !volume.chars().all(allowed) {
        return Err(IsoError::Volume { volume: volume.to_owned() });
    }
    let set = options.volume_set;
    if set.len() > 128 || !set.chars().all(|c| c == ' ' || c.is_ascii_graphic()) {
        return Err(IsoError::VolumeSet { volume_set: set.to_owned() });
    }
    Ok(())
}

/// The descriptor of a volume of `sectors` sectors with these directories.
pub(super) fn primary(options: &IsoOptions<'_>, directories: &Directories, sectors: u32) -> Vec<u8> {
    let mut bytes = b"\x01CD001\x01\x00".to_vec();
    text(&mut bytes, "", 32);
    text(&mut bytes, options.volume, 32);
    bytes.extend([0; 8]);
    bytes.extend(both32(sectors));
    bytes.extend([0; 32]);
    // The only volume of its set.
    bytes.extend([both16(1), both16(1), both16(2048)].concat());
    bytes.extend(both32(directories.table_len));
    bytes.extend(directories.little_endian_table().to_le_bytes());
    bytes.extend([0; 4]);
    bytes.extend(directories.big_endian_table().to_be_bytes());
    bytes.extend([0; 4]);
    bytes.extend(records::root(directories.root(), directories.root_len(), options.epoch));
    text(&mut bytes, options.volume_set, 128);
    // Publisher, preparer, application, then three files.
    [128, 128, 128, 37, 37, 37].into_iter().for_each(|len| text(&mut bytes, "", len));
    let written = date(options.epoch);
    bytes.extend([written, written, NEVER, NEVER].concat());
    bytes.extend([1, 0]);
    bytes.resize(SECTOR_LEN, 0);
    bytes
}

/// The descriptor that leads to the boot catalogue (El Torito 1.0 §2).
pub(super) fn boot_record(catalog: u32) -> Vec<u8> {
    let mut bytes = b"\x00CD001\x01EL TORITO SPECIFICATION".to_vec();
    bytes.resize(71, 0);
    bytes.extend(catalog.to_le_bytes());
    bytes
}

fn text(bytes: &mut Vec<u8>, text: &str, len: usize) {
    let end = bytes.len() + len;
    bytes.extend(text.bytes().take(len));
    bytes.resize(end, b' ');
}

const NEVER: [u8; 17] = *b"0000000000000000\0";

/// A date in digits, with hundredths of a second and the distance from UTC.
fn date(epoch: u32) -> [u8; 17] {
    let Civil { year, month, day, hour, minute, second } = Civil::from_epoch(epoch);
    let digits = format!("{year:04}{month:02}{day:02}{hour:02}{minute:02}{second:02}00\0");
    digits.into_bytes().try_into().unwrap_or(NEVER)
}
