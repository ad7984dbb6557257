//! Unified kernel images from the service: on an EFI system partition, and by the firmware's own HTTP client.

use std::sync::Arc as Shared;

use schematics::Arch;
use tests::netns::Netns;
use tests::qemu::{Boot, Machine, Medium, Network};
use tests::{Failure, esp, or_skip};

use crate::expected::{Expected, SCHEMATIC, VERSION, Way};
use tests::service::{Service, id};

/// The image boots with the boot loader's place empty: its stub is what the firmware starts.
fn check(arch: Arch, booted: Result<(String, Boot), Failure>) {
    let Some((schematic, boot)) = or_skip(booted) else { return };
    Expected { version: VERSION, arch, firmware: "uefi", way: Way::Uki, schematic }.check(&boot);
    let stub = boot.facts["efi"]["stub_info"].as_str().unwrap_or_default();
    assert!(stub.starts_with("systemd-stub "), "{}", boot.facts);
    assert_eq!(boot.facts["efi"]["loader_info"], serde_json::Value::Null, "{}", boot.facts);
}

fn from_a_partition(arch: Arch, name: &str) {
    let booted = Service::loopback().and_then(|service| {
        let schematic = service.create(SCHEMATIC);
        let uki = service.download(&format!("{schematic}/{VERSION}/metal-{arch}-uki.efi"));
        let disk = uki.with_extension("img");
        esp::write(&disk, &[(name, uki)])?;
        Ok((schematic, Machine::uefi(arch).medium(Medium::Disk(disk)).boot()?))
    });
    check(arch, booted);
}

fn over_http(arch: Arch) -> Result<(String, Boot), Failure> {
    let netns = Shared::new(Netns::new()?);
    let factory = Service::inside(&netns, &[])?;
    let schematic = id(&netns.run(|| factory.post_schematic(SCHEMATIC)).unwrap());
    let path = format!("/image/{schematic}/{VERSION}/metal-{arch}-uki.efi");
    // Firmware waits a few seconds for an answer; the first one is built before.
    assert_eq!(netns.run(|| factory.head(&path)).unwrap().status, 200);
    netns.offer(arch, &format!("http://{}{path}", Netns::HOST))?;
    let machine = Machine::uefi(arch).memory(2048).network(Network::Tap(Shared::clone(&netns)));
    Ok((schematic, machine.boot()?))
}

#[test]
fn a_uki_boots_from_an_amd64_partition() {
    from_a_partition(Arch::Amd64, "EFI/BOOT/BOOTX64.EFI");
}

#[test]
fn a_uki_boots_from_an_arm64_partition() {
    from_a_partition(Arch::Arm64, "EFI/BOOT/BOOTAA64.EFI");
}

#[test]
fn a_uki_boots_over_http_on_firmware_alone() {
    check(Arch::Amd64, over_http(Arch::Amd64));
}

#[test]
fn an_arm64_uki_boots_over_http_on_firmware_alone() {
    check(Arch::Arm64, over_http(Arch::Arm64));
}
