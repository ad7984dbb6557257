//! Add-ons beside an image that was signed before.

use schematics::Arch;
use tests::qemu::{Boot, Machine, Medium, Tpm, Vars};
use tests::{Failure, esp, or_skip};

use super::{Site, VERSION, value};
use crate::verdict::{BANKS, assert_booted};

const OPTIONS: &str = "  systemExtensions: {officialExtensions: [siderolabs/amd-ucode]}\n";
const LOADER: &str = "EFI/BOOT/BOOTX64.EFI";

/// An image with an add-on of this factory beside it, and one of another factory.
fn boot(site: &Site, stranger: &Site) -> Result<(Boot, [serde_json::Value; 2]), Failure> {
    let (uki, image) = site.told("plain", "", &format!("{VERSION}/metal-amd64-secureboot-uki.efi"));
    let name = "metal-amd64-secureboot.addon.efi";
    let (addon, added) = site.told("added", OPTIONS, &format!("{VERSION}/{name}"));
    let other = stranger.download("strange", "", &format!("{VERSION}/{name}"));
    let place = |file: &str| format!("{LOADER}.extra.d/{file}");
    let (ours, theirs) = (place(name), place("stranger.addon.efi"));
    let disk = uki.with_extension("img");
    esp::write(&disk, &[(LOADER, uki), (ours.as_str(), addon), (theirs.as_str(), other)])?;
    let machine = Machine::uefi(Arch::Amd64).secure(Vars::enrolled(&site.certificate()));
    Ok((machine.tpm(&Tpm::new()?).medium(Medium::Disk(disk)).boot()?, [image, added]))
}

#[test]
fn an_add_on_of_ours_changes_the_command_line_and_pcr_12_alone_of_what_is_bound() {
    let sites = Site::new().and_then(|site| Ok((site, Site::new()?)));
    let Some((site, stranger)) = or_skip(sites) else { return };
    let Some((boot, [image, added])) = or_skip(boot(&site, &stranger)) else { return };
    assert_booted(&boot, "plain", 1);
    assert!(boot.cmdline().contains(&"added"), "{:?}", boot.cmdline());
    assert!(!boot.cmdline().contains(&"strange"), "{:?}", boot.cmdline());
    for bank in BANKS {
        assert_eq!(boot.pcr(bank, 12), value(&added, 12, None, bank), "{bank}");
        let last = "enter-initrd:leave-initrd:enter-machined";
        assert_eq!(boot.phase(bank, "enter-machined"), value(&image, 11, Some(last), bank), "{bank}");
    }
}
