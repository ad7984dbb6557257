//! What the firmware starts and what it refuses.

use std::fs;
use std::path::{Path, PathBuf};

use schematics::Arch;
use tests::pair::KeyPair;
use tests::qemu::{Boot, Machine, Medium, Tpm, Vars};
use tests::{Failure, or_skip};

use super::image::{Forge, Recipe, Uki, sign};
use super::{assert_measured, bootable, directory};
use crate::verdict::assert_booted;

/// The image with one byte of its command line changed; the signature stays.
fn with_one_byte_changed(image: &Path, word: &str) -> PathBuf {
    let mut bytes = fs::read(image).unwrap();
    let at = bytes.windows(word.len()).position(|window| window == word.as_bytes()).unwrap();
    bytes[at] ^= 0x20;
    let path = image.with_file_name("changed.efi");
    fs::write(&path, bytes).unwrap();
    path
}

/// One machine that tries, in this order: unsigned, one byte changed, signed by a stranger, signed by a certificate in db
/// and dbx, signed as it should be.
fn boot_the_last(arch: Arch, dir: &Path) -> Result<(Boot, Uki), Failure> {
    let owner = KeyPair::make(dir, "owner")?;
    let stranger = KeyPair::make(dir, "stranger")?;
    let revoked = KeyPair::make(dir, "revoked")?;
    let uki = Forge::new(dir)?.build(&Recipe { arch, ..Recipe::unsigned("enforced") }, None)?;
    let unsigned = uki.path.clone();
    let signed_by = |pair: &KeyPair, name: &str| {
        let path = dir.join(name);
        sign(pair, &unsigned, &path).map(|()| path)
    };
    let good = signed_by(&owner, "good.efi")?;
    let images = [
        unsigned.clone(),
        with_one_byte_changed(&good, "enforced"),
        signed_by(&stranger, "stranger.efi")?,
        signed_by(&revoked, "revoked.efi")?,
        good,
    ];
    let vars = Vars::enrolled(&owner.certificate)
        .and_allowed(&revoked.certificate)
        .and_forbidden(&revoked.certificate);
    let mut machine = Machine::uefi(arch).secure(vars).tpm(&Tpm::new()?);
    for image in images {
        machine = machine.medium(Medium::Disk(bootable(arch, &image)?));
    }
    Ok((machine.boot()?, uki))
}

fn only_the_signed_image_starts(arch: Arch) {
    let dir = directory();
    let Some((boot, uki)) = or_skip(boot_the_last(arch, dir.path())) else { return };
    assert_booted(&boot, "enforced", 1);
    assert_eq!(boot.facts["efi"]["setup_mode"], 0);
    assert_eq!(boot.refusals.len(), 4, "{:?}", boot.refusals);
    or_skip(assert_measured(&boot, &uki.main, dir.path()));
}

#[test]
fn only_the_signed_image_starts_on_amd64() {
    only_the_signed_image_starts(Arch::Amd64);
}

#[test]
fn only_the_signed_image_starts_on_arm64() {
    only_the_signed_image_starts(Arch::Arm64);
}
