//! ISO images with an EFI system partition, made with xorriso.

use std::{fs, path::Path};

use crate::{Failure, tool};

/// El Torito points at the ESP.
pub const UEFI: [&str; 3] = ["-e", "--interval:appended_partition_2:all::", "-no-emul-boot"];
const EFI_SYSTEM_PARTITION: &str = "C12A7328-F81F-11D2-BA4B-00A0C93EC93B";

/// Writes an ISO of the files below `root`, which is made if it is not there, with `esp` behind them as the second
/// partition. `mbr` are xorriso's options before the files, `boot` those that say what boots.
///
/// # Errors
/// When xorriso is missing or refuses.
pub fn write(iso: &Path, root: &Path, esp: &Path, mbr: &[&str], boot: &[&str]) -> Result<(), Failure> {
    fs::create_dir_all(root).map_err(Failure::io("create", root))?;
    let [iso, root, esp] = [iso, root, esp].map(|path| path.display().to_string());
    let mut args = vec!["-as", "mkisofs", "-quiet", "-V", "CONTROL", "-r", "-J", "-o", &iso];
    args.extend(mbr);
    args.extend(["-partition_offset", "16", "-appended_part_as_gpt", "-append_partition", "2"]);
    args.extend([EFI_SYSTEM_PARTITION, &esp, "-c", "boot.cat"]);
    args.extend(boot);
    args.push(&root);
    tool::run("xorriso", "xorriso", args).map(drop)
}
