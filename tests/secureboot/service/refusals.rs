//! What firmware that trusts our key does not start.

use std::ops::Range;
use std::path::{Path, PathBuf};

use builder::format::pe;
use fs_err as fs;
use schematics::Arch;
use tests::qemu::{Boot, Machine, Medium, Tpm, Vars};
use tests::{Failure, or_skip};

use super::{Site, VERSION, assert_as_told, bootable};
use crate::verdict::{assert_booted, assert_refused};

const ARCH: Arch = Arch::Amd64;
const SIGNED: &str = "v1.13.0/metal-amd64-secureboot-uki.efi";

/// Where the content of a section is.
fn content(image: &[u8], name: &str) -> Range<usize> {
    let sections = pe::sections(image).unwrap();
    let section = sections.iter().find(|section| section.name.as_bytes() == name.as_bytes()).unwrap();
    let range = section.content();
    usize::try_from(range.start).unwrap()..usize::try_from(range.end).unwrap()
}

/// The image with one bit changed in each of header, command line, kernel, initramfs and certificate table.
fn changed(image: &Path) -> Vec<PathBuf> {
    let good = fs::read(image).unwrap();
    let middle = |name| {
        let range = content(&good, name);
        range.start.midpoint(range.end)
    };
    let table = pe::certificates(&good, good.len() as u64).unwrap().unwrap();
    let table = usize::try_from(table.start).unwrap();
    let places = [
        ("header", 0x88),
        ("cmdline", middle(".cmdline")),
        ("kernel", middle(".linux")),
        ("initramfs", middle(".initrd")),
        ("certificates", table + 0x300),
    ];
    let change = |(name, at): (&str, usize)| {
        let mut bytes = good.clone();
        bytes[at] ^= 1;
        let path = image.with_file_name(format!("{name}.efi"));
        fs::write(&path, bytes).unwrap();
        path
    };
    places.into_iter().map(change).collect()
}

fn boot_the_last(site: &Site, stranger: &Site, dir: &Path) -> Result<Boot, Failure> {
    let (good, told) = site.told("enforced", "", SIGNED);
    let mut images = changed(&good);
    images.push(site.download("enforced", "", &format!("{VERSION}/metal-amd64-uki.efi")));
    images.push(stranger.download("enforced", "", SIGNED));
    assert_eq!(images.len(), 7);
    let mut machine = Machine::uefi(ARCH).secure(Vars::enrolled(&site.certificate())).tpm(&Tpm::new()?);
    for image in images.iter().chain([&good]) {
        machine = machine.medium(Medium::Disk(bootable(ARCH, image)?));
    }
    let boot = machine.boot()?;
    // Firmware measures into PCR 4 what it refuses, too.
    assert_as_told(&boot, &told, &[12], dir)?;
    Ok(boot)
}

#[test]
fn only_the_whole_image_of_our_key_starts() {
    let sites = Site::new().and_then(|site| Ok((site, Site::new()?)));
    let Some((site, stranger)) = or_skip(sites) else { return };
    let dir = tempfile::tempdir().unwrap();
    let Some(boot) = or_skip(boot_the_last(&site, &stranger, dir.path())) else { return };
    assert_booted(&boot, "enforced", 1);
    assert_eq!(boot.refusals.len(), 7, "{:?}", boot.refusals);
}

#[test]
fn a_revoked_certificate_starts_nothing() {
    let result = Site::new().and_then(|site| {
        let uki = site.download("revoked", "", SIGNED);
        let certificate = site.certificate();
        let vars = Vars::enrolled(&certificate).and_forbidden(&certificate);
        Machine::uefi(ARCH).secure(vars).medium(Medium::Disk(bootable(ARCH, &uki)?)).boot()
    });
    assert_refused(result);
}
