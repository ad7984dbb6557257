//! Images of the reference tools on the machines the service's images are tested on.

mod enrolment;
mod firmware;
mod image;
mod measured;
mod network;
mod profiles;

use std::fs;
use std::path::{Path, PathBuf};

use image::{Forge, Profile, Uki};
use schematics::Arch;
use tempfile::TempDir;
use tests::pair::KeyPair;
use tests::qemu::Boot;
use tests::{Failure, esp};

use crate::verdict::{BANKS, assert_replays};

/// Where an ESP has what firmware starts by itself.
fn default_path(arch: Arch) -> &'static str {
    match arch {
        Arch::Amd64 => "EFI/BOOT/BOOTX64.EFI",
        Arch::Arm64 => "EFI/BOOT/BOOTAA64.EFI",
    }
}

/// An ESP that starts an image, beside the image.
fn bootable(arch: Arch, image: &Path) -> Result<PathBuf, Failure> {
    let path = image.with_extension("esp");
    esp::write(&path, &[(default_path(arch), image.to_owned())])?;
    Ok(path)
}

/// A disk as Talos makes it: systemd-boot, the image as an entry of its menu, and more files for the ESP.
fn with_boot_loader(
    forge: &Forge,
    owner: &KeyPair,
    image: &Uki,
    config: &str,
    more: Vec<(String, PathBuf)>,
) -> Result<PathBuf, Failure> {
    let file = image.path.with_extension("conf");
    fs::write(&file, format!("timeout 0\n{config}\n")).map_err(Failure::io("write", &file))?;
    let mut files = vec![
        (default_path(Arch::Amd64).to_owned(), forge.boot_loader(Arch::Amd64, owner)?),
        ("EFI/Linux/reference.efi".to_owned(), image.path.clone()),
        ("loader/loader.conf".to_owned(), file),
    ];
    files.extend(more);
    let files: Vec<(&str, PathBuf)> = files.iter().map(|(to, from)| (to.as_str(), from.clone())).collect();
    let path = image.path.with_extension("img");
    esp::write(&path, &files)?;
    Ok(path)
}

fn directory() -> TempDir {
    tempfile::tempdir().unwrap()
}

/// What the log adds up to, and PCR 11 as systemd-measure said, in every bank.
#[track_caller]
fn assert_measured(boot: &Boot, profile: &Profile, dir: &Path) -> Result<(), Failure> {
    for bank in BANKS {
        assert_eq!(boot.phase(bank, "enter-machined"), profile.predicted(bank), "{bank}");
    }
    assert_replays(boot, dir)
}
