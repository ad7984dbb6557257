//! ISOs from the service, on every kind of machine they are for.

use schematics::Arch;
use tests::qemu::{Machine, Medium};
use tests::{Failure, or_skip, tool};

use crate::expected::{Expected, SCHEMATIC, VERSION, Way};
use tests::service::Service;

/// A schematic, and what its ISO must do.
struct Iso {
    schematic: String,
    version: &'static str,
    arch: Arch,
}

impl Iso {
    /// The ISO a version makes when the schematic says nothing about boot loaders.
    fn plain(version: &'static str, arch: Arch) -> Self {
        Self { schematic: SCHEMATIC.to_owned(), version, arch }
    }

    /// The ISO of a boot loader.
    fn with(bootloader: &str, arch: Arch) -> Self {
        let schematic = format!("{SCHEMATIC}  bootloader: {bootloader}\n");
        Self { schematic, ..Self::plain(VERSION, arch) }
    }

    /// Boots it on each of the machines, which must all report the same.
    fn boots(&self, firmware: &'static str, way: Way, media: &[Attach]) {
        or_skip(self.try_to_boot(firmware, way, media));
    }

    fn try_to_boot(&self, firmware: &'static str, way: Way, media: &[Attach]) -> Result<(), Failure> {
        let service = Service::loopback()?;
        let schematic = service.create(&self.schematic);
        let name = format!("{schematic}/{}/metal-{}.iso", self.version, self.arch);
        let expected = Expected { version: self.version, arch: self.arch, firmware, way, schematic };
        let machine = if firmware == "bios" { Machine::bios() } else { Machine::uefi(self.arch) };
        for attach in media {
            let boot = machine.clone().medium(attach.medium(&service, &name)).boot()?;
            expected.check(&boot);
            if way == Way::IsoByStub {
                let entry = format!("talos-{}.efi", self.version);
                assert_eq!(boot.facts["efi"]["loader_entry"], entry, "{}", boot.facts);
            }
        }
        Ok(())
    }
}

/// How the ISO gets into the machine.
#[derive(Clone, Copy)]
enum Attach {
    Cdrom,
    Disk,
    /// QEMU reads what it needs from the service, in ranges.
    Http,
}

impl Attach {
    fn medium(self, service: &Service, name: &str) -> Medium {
        match self {
            Self::Cdrom => Medium::Cdrom(service.download(name)),
            Self::Disk => Medium::Disk(service.download(name)),
            Self::Http => Medium::HttpCdrom(format!("{}/image/{name}", service.factory().url())),
        }
    }
}

#[test]
fn an_amd64_iso_boots_on_uefi_from_a_drive_and_as_a_disk() {
    Iso::plain(VERSION, Arch::Amd64).boots("uefi", Way::IsoByStub, &[Attach::Cdrom, Attach::Disk]);
}

#[test]
fn an_amd64_iso_boots_on_a_bios_from_a_drive_and_as_a_disk() {
    Iso::plain(VERSION, Arch::Amd64).boots("bios", Way::IsoByGrub, &[Attach::Cdrom, Attach::Disk]);
}

#[test]
fn an_arm64_iso_boots() {
    Iso::plain(VERSION, Arch::Arm64).boots("uefi", Way::IsoByStub, &[Attach::Cdrom]);
}

#[test]
fn a_grub_iso_boots_on_a_bios_and_on_uefi() {
    Iso::with("grub", Arch::Amd64).boots("bios", Way::IsoByGrub, &[Attach::Cdrom]);
    Iso::with("grub", Arch::Amd64).boots("uefi", Way::IsoByGrub, &[Attach::Disk]);
}

#[test]
fn an_arm64_grub_iso_boots() {
    // Debian has GRUB's modules for arm64 in a package for arm64 machines alone.
    if or_skip(tool::grub_modules("arm64-efi")).is_none() {
        return;
    }
    Iso::with("grub", Arch::Arm64).boots("uefi", Way::IsoByGrub, &[Attach::Cdrom]);
}

#[test]
fn an_iso_of_an_older_version_boots_by_its_own_gates() {
    Iso::plain("v1.12.0", Arch::Amd64).boots("bios", Way::IsoByGrub, &[Attach::Cdrom]);
}

#[test]
fn an_iso_boots_in_ranges_over_http() {
    let ranges = || {
        let service = Service::loopback()?;
        let metrics = service.factory().metrics();
        let ranges = metrics.lines().filter(|line| line.starts_with("http_request_duration_seconds_count"));
        Ok::<_, Failure>(
            ranges.filter(|line| line.contains("code=\"206\"")).map(str::to_owned).collect::<Vec<_>>(),
        )
    };
    Iso::with("sd-boot", Arch::Amd64).boots("uefi", Way::IsoByStub, &[Attach::Http]);
    // Metrics belong to the process: any factory in it tells them.
    let Some(ranges) = or_skip(ranges()) else { return };
    assert!(!ranges.is_empty(), "the service was not asked for ranges");
}
