//! What an installer would put onto a disk boots.

use fs_err as fs;
use schematics::Arch;
use tests::qemu::{Machine, Medium};
use tests::{Failure, esp, or_skip};

use crate::programs::{Client, Skopeo};
use crate::site::{Site, VERSION};

fn boots(arch: Arch, loader: &str) {
    let booted = Site::new().and_then(|site| {
        let image = format!("{}/{}:{VERSION}", site.host(), site.repository());
        let pulled = Skopeo(site.place("skopeo")).pull(&image, arch)?;
        let uki = site.dir.path().join("vmlinuz.efi");
        fs::write(&uki, pulled.file(&format!("usr/install/{arch}/vmlinuz.efi"))?).unwrap();
        let sd_boot = site.dir.path().join("systemd-boot.efi");
        fs::write(&sd_boot, pulled.file(&format!("usr/install/{arch}/systemd-boot.efi"))?).unwrap();
        let disk = site.dir.path().join("disk.img");
        // Where an installer puts them.
        let name = format!("EFI/Linux/Talos-{VERSION}.efi");
        esp::write(&disk, &[(loader, sd_boot), (&name, uki)])?;
        Ok::<_, Failure>((site.id, Machine::uefi(arch).medium(Medium::Disk(disk)).boot()?))
    });
    let Some((id, boot)) = or_skip(booted) else { return };
    assert_eq!(boot.facts["schematic"], id, "{}", boot.facts);
    assert_eq!(boot.facts["version"], VERSION, "{}", boot.facts);
    assert_eq!(boot.facts["arch"], arch.name(), "{}", boot.facts);
    let line = boot.facts["cmdline"].as_str().unwrap_or_default();
    assert!(line.contains("talos.platform=metal") && line.ends_with("no_timer_check panic=-1"), "{line}");
    let loader = boot.facts["efi"]["loader_info"].as_str().unwrap_or_default();
    assert!(loader.starts_with("systemd-boot "), "{}", boot.facts);
}

#[test]
fn a_pulled_installer_boots_on_amd64() {
    boots(Arch::Amd64, "EFI/BOOT/BOOTX64.EFI");
}

#[test]
fn a_pulled_installer_boots_on_arm64() {
    boots(Arch::Arm64, "EFI/BOOT/BOOTAA64.EFI");
}
