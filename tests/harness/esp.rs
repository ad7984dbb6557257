//! EFI system partitions, made with mtools.

use std::{
    fs::{self, File},
    path::{Path, PathBuf},
};

use crate::{Failure, tool};

/// Room beside the files for the FAT structures, and the size below which FAT32 is not FAT32.
const SLACK: u64 = 40 << 20;
const MIB: u64 = 1 << 20;

/// Writes a FAT32 file system (no partition table) with the given files to `image`.
///
/// Each file is a path inside, such as `EFI/BOOT/BOOTX64.EFI`, and the file to copy there.
///
/// # Errors
/// When mtools is missing or refuses, or a file cannot be read.
pub fn write(image: &Path, files: &[(&str, PathBuf)]) -> Result<(), Failure> {
    let mut size = SLACK;
    for (_, from) in files {
        size += fs::metadata(from).map_err(Failure::io("read", from))?.len();
    }
    let file = File::create(image).map_err(Failure::io("create", image))?;
    file.set_len(size.next_multiple_of(MIB)).map_err(Failure::io("resize", image))?;
    let image = image.display().to_string();
    tool::run("mformat", "mtools", ["-i", &image, "-F", "::"])?;
    for dir in directories(files) {
        tool::run("mmd", "mtools", ["-i", &image, &format!("::/{dir}")])?;
    }
    for (to, from) in files {
        tool::run("mcopy", "mtools", ["-i", &image, &from.display().to_string(), &format!("::/{to}")])?;
    }
    Ok(())
}

/// Every directory the files need, parents first, each once.
fn directories(files: &[(&str, PathBuf)]) -> Vec<String> {
    let mut all: Vec<String> = Vec::new();
    for (to, _) in files {
        for (at, _) in to.match_indices('/') {
            let dir = to.get(..at).unwrap_or_default().to_owned();
            if !all.contains(&dir) {
                all.push(dir);
            }
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn directories_come_parents_first_and_once() {
        let files =
            [("EFI/BOOT/A.EFI", PathBuf::new()), ("EFI/Linux/B.efi", PathBuf::new()), ("c", PathBuf::new())];
        assert_eq!(directories(&files), ["EFI", "EFI/BOOT", "EFI/Linux"]);
    }
}
