//! Control boots: every boot path with media that reference tools made, none of ours.
//!
//! When a boot of our images fails, these tell whether the image or the machine is at fault:
//! `cargo test -p tests --features boot-control --test boot-control`.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::print_stderr,
    reason = "all of this crate is a test"
)]

mod media;
mod uki;

use std::{fs, path::Path, sync::Arc as Shared, time::Duration};

use media::{CMDLINE, Media, VERSION};
use schematics::Arch;
use tempfile::TempDir;
use tests::{
    Failure,
    file_server::FileServer,
    netns::Netns,
    or_skip,
    qemu::{Boot, Ending, Machine, Medium, Network},
};

/// Makes media in a fresh directory, boots, and checks what every control boot must report.
fn control(arch: Arch, boot: impl FnOnce(&Media, &Path) -> Result<Boot, Failure>) -> Option<Boot> {
    let dir = TempDir::new().unwrap();
    let result = Media::find(arch, dir.path()).and_then(|media| boot(&media, dir.path()));
    let boot = or_skip(result)?;
    eprintln!("{arch}: {:.1} s", boot.took.as_secs_f64());
    assert_eq!(boot.text("version"), VERSION);
    assert_eq!(boot.text("arch"), arch.to_string());
    assert!(boot.cmdline().contains(&"control=yes"), "{:?}", boot.cmdline());
    Some(boot)
}

/// The stub and not the firmware started the kernel, from a partition or not.
fn assert_stub(boot: &Boot, from_partition: bool) {
    assert_eq!(boot.text("boot"), "uefi");
    assert!(
        boot.facts["efi"]["stub_info"].as_str().unwrap().starts_with("systemd-stub 25"),
        "{}",
        boot.facts
    );
    assert_eq!(boot.facts["efi"]["loader_device_part_uuid"].is_string(), from_partition, "{}", boot.facts);
    assert_eq!(boot.facts["efi"]["secure_boot"], 0);
}

#[test]
fn uki_on_an_esp() {
    for arch in Arch::ALL {
        let boot = control(arch, |media, _| Machine::uefi(arch).medium(Medium::Disk(media.esp()?)).boot());
        if let Some(boot) = boot {
            assert_stub(&boot, false); // a bare file system has no partition table
        }
    }
}

#[test]
fn uefi_iso_as_cd_and_as_disk() {
    for arch in Arch::ALL {
        control(arch, |media, _| Machine::uefi(arch).medium(Medium::Cdrom(media.uefi_iso()?)).boot())
            .inspect(|boot| assert_stub(boot, false));
        control(arch, |media, _| Machine::uefi(arch).medium(Medium::Disk(media.uefi_iso()?)).boot())
            .inspect(|boot| assert_stub(boot, true));
    }
}

#[test]
fn bios_iso_as_cd_and_as_disk() {
    for medium in [Medium::Cdrom, Medium::Disk] {
        let boot = control(Arch::Amd64, |media, _| Machine::bios().medium(medium(media.bios_iso()?)).boot());
        if let Some(boot) = boot {
            assert_eq!(boot.text("boot"), "bios");
        }
    }
}

#[test]
fn iso_over_qemus_http_driver_is_read_in_ranges() {
    control(Arch::Amd64, |media, _| {
        let server = FileServer::loopback([("/control.iso", media.uefi_iso()?)]).unwrap();
        let url = format!("http://127.0.0.1:{}/control.iso", server.port());
        let boot = Machine::uefi(Arch::Amd64).medium(Medium::HttpCdrom(url)).boot()?;
        assert!(server.requests().iter().any(|request| request.range.is_some()), "{:?}", server.requests());
        Ok(boot)
    });
}

#[test]
fn ipxe_script_over_http() {
    control(Arch::Amd64, |media, dir| {
        let script = dir.join("boot.ipxe");
        let text =
            format!("#!ipxe\n\nimgfree\nkernel kernel-amd64 {CMDLINE}\ninitrd initramfs-amd64.xz\nboot\n");
        fs::write(&script, text).unwrap();
        let files = [
            ("/boot.ipxe", script),
            ("/kernel-amd64", media.kernel()),
            ("/initramfs-amd64.xz", media.initrd()),
        ];
        let server = FileServer::loopback(files).unwrap();
        let bootfile = format!("http://10.0.2.2:{}/boot.ipxe", server.port());
        Machine::bios().network(Network::User { bootfile, tftp: None }).boot()
    });
}

#[test]
fn native_uefi_http_boot() {
    for arch in Arch::ALL {
        let boot = control(arch, |media, _| {
            let netns = Shared::new(Netns::new()?);
            let listener = netns.listen(0).unwrap();
            let server = FileServer::start(listener, [("/uki.efi", media.uki()?)]).unwrap();
            netns.offer(arch, &format!("http://{}:{}/uki.efi", Netns::HOST, server.port()))?;
            let boot = Machine::uefi(arch).network(Network::Tap(Shared::clone(&netns))).memory(2048).boot();
            eprintln!("{arch}: {:?}", server.requests());
            boot
        });
        if let Some(boot) = boot {
            assert_stub(&boot, false);
        }
    }
}

#[test]
fn a_disk_without_a_boot_loader_does_not_boot() {
    let dir = TempDir::new().unwrap();
    let disk = dir.path().join("empty.img");
    fs::write(&disk, vec![0; 1 << 20]).unwrap();
    match Machine::uefi(Arch::Amd64).medium(Medium::Disk(disk)).boot() {
        Err(Failure::Guest { ending, .. }) => assert_eq!(ending, Ending::NothingToBoot),
        other => drop(or_skip(other.map(|boot| panic!("booted: {}", boot.facts)))),
    }
}

#[test]
fn a_guest_that_never_reports_is_stopped_in_time() {
    let dir = TempDir::new().unwrap();
    let limit = Duration::from_secs(5);
    let result = Media::find(Arch::Amd64, dir.path()).and_then(|media| {
        let iso = media.bios_iso()?;
        Machine::bios().medium(Medium::Cdrom(iso)).memory(64).limit(limit).boot()
    });
    match result {
        Err(Failure::Guest { ending, .. }) => assert_eq!(ending, Ending::TimedOut(limit)),
        other => drop(or_skip(other.map(|boot| panic!("booted: {}", boot.facts)))),
    }
}
