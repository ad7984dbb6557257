//! What one more schematic costs on the disk.

use std::path::Path;

use crate::Figure;
use crate::server::{Asset, Server};

/// How many schematics a figure is taken over.
pub const SCHEMATICS: u32 = 200;
/// Every output without signatures.
pub const OUTPUTS: [&str; 7] = [
    "cmdline-metal-amd64",
    Asset::Initramfs.path(),
    Asset::Uki.path(),
    Asset::Iso.path(),
    "initramfs-arm64.xz",
    "metal-arm64-uki.efi",
    "metal-arm64.iso",
];
const BUDGET_KIB: f64 = 100.0;

/// Asks for `outputs` of so many new schematics and divides what the store grew by.
pub fn print(server: &Server, outputs: &[&str], schematics: u32) {
    let all = |id: &str| outputs.iter().for_each(|path| server.head(id, path));
    all(&server.new_schematic());
    let before = stored(server.data());
    (0..schematics).for_each(|_| all(&server.new_schematic()));
    let grown = stored(server.data()) - before;
    let kibibytes = grown as f64 / 1024.0 / f64::from(schematics);
    let what = format!("stored per schematic, {} outputs, of {schematics}", outputs.len());
    Figure { what: &what, unit: "KiB", ours: kibibytes, reference: None, budget: Some(BUDGET_KIB) }.print();
}

/// Bytes below a directory, as allocated on the disk.
fn stored(directory: &Path) -> u64 {
    use std::os::unix::fs::MetadataExt as _;
    let entries = std::fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path());
    let sizes = entries.map(|path| {
        let metadata = path.symlink_metadata().unwrap();
        if metadata.is_dir() { stored(&path) } else { metadata.blocks() * 512 }
    });
    sizes.sum()
}
