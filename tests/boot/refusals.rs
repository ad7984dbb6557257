//! What must not boot, and what must not even be built, each beside its twin that does.

use std::path::{Path, PathBuf};

use extensions::{SourceSpec, source::RegistryOptions};
use factory::release::{self, Files, Target};
use fs_err as fs;
use schematics::Arch;
use signing::SigningKey;
use tests::qemu::{Ending, Kernel, Machine, Medium};
use tests::reference::Inputs;
use tests::{Failure, or_skip, tool};

use crate::expected::{SCHEMATIC, VERSION};
use tests::service::Service;

/// Where the first layer begins, and its length: squashfs' magic behind the name of the file in the archive.
fn first_layer(iso: &[u8]) -> (usize, usize) {
    let find = |needle: &[u8], from: usize| {
        let found = iso[from..].windows(needle.len()).position(|window| window == needle);
        from + found.unwrap_or_else(|| panic!("{} is not in the image", needle.escape_ascii()))
    };
    let begin = find(b"hsqs", find(b"0.sqsh\0", 0));
    // The field `bytes_used` of the superblock.
    let used = u64::from_le_bytes(iso[begin + 40..begin + 48].try_into().unwrap());
    (begin, usize::try_from(used).unwrap())
}

/// The GRUB ISO, which has the initramfs once, with one byte of the first layer changed.
fn with_one_byte_changed(service: &Service, at: impl FnOnce(usize, usize) -> usize) -> PathBuf {
    let schematic = service.create(&format!("{SCHEMATIC}  bootloader: grub\n"));
    let path = service.download(&format!("{schematic}/{VERSION}/metal-amd64.iso"));
    let mut iso = fs::read(&path).unwrap();
    let (begin, len) = first_layer(&iso);
    iso[at(begin, len)] ^= 1;
    fs::write(&path, iso).unwrap();
    path
}

#[test]
fn a_changed_byte_in_a_layers_head_stops_the_guest() {
    let booted = Service::loopback().and_then(|service| {
        let iso = with_one_byte_changed(&service, |begin, _| begin);
        Machine::bios().medium(Medium::Cdrom(iso)).boot()
    });
    match booted {
        Err(Failure::Guest { ending, .. }) => {
            assert_eq!(ending, Ending::Failed("cannot mount /0.sqsh".to_owned()));
        }
        other => drop(or_skip(other.map(|boot| panic!("booted: {}", boot.facts)))),
    }
}

#[test]
fn a_changed_byte_in_a_layers_content_costs_the_module() {
    let booted = Service::loopback().and_then(|service| {
        let iso = with_one_byte_changed(&service, |begin, len| begin + len / 2);
        Machine::bios().medium(Medium::Cdrom(iso)).boot()
    });
    let Some(boot) = or_skip(booted) else { return };
    assert!(!boot.module_loaded("wireguard"), "{}", boot.facts);
    assert_ne!(boot.facts["modules"]["wireguard"]["error"], "", "{}", boot.facts);
}

#[test]
fn the_initramfs_of_another_machine_ends_in_a_panic() {
    let booted = Service::loopback().and_then(|service| {
        let schematic = service.create(SCHEMATIC);
        let download = |name: &str| service.download(&format!("{schematic}/{VERSION}/{name}"));
        let kernel = Kernel {
            kernel: download("kernel-amd64"),
            initrd: download("initramfs-arm64.xz"),
            cmdline: "console=ttyS0 no_timer_check panic=-1".to_owned(),
        };
        Machine::direct(Arch::Amd64, kernel).boot()
    });
    match booted {
        Err(Failure::Guest { ending: Ending::Panic(line), .. }) => {
            assert!(line.starts_with("No working init found"), "{line}");
        }
        other => drop(or_skip(other.map(|boot| panic!("booted: {}", boot.facts)))),
    }
}

/// A release of the reference kernel with `hello`, and with the modules of the other architecture's kernel.
fn release_with_foreign_modules(dir: &Path) -> Result<(), Failure> {
    let inputs = Inputs::find()?;
    let foreign = dir.join("foreign");
    fs::create_dir(&foreign).unwrap();
    let modules = inputs.extension("wireguard", Arch::Arm64);
    tool::run("cp", "coreutils", [Path::new("-r"), &modules, &foreign.join("amd64")])?;
    let kernel = inputs.kernel(VERSION, Arch::Amd64);
    let hello = inputs.extension("hello", Arch::Amd64);
    let files = Files {
        version: VERSION.parse().unwrap(),
        artifacts: [(Arch::Amd64, kernel.parent().unwrap().to_owned())].into(),
        installer_base: [].into(),
        extensions: vec![
            ("siderolabs/hello".parse().unwrap(), hello.parent().unwrap().to_owned()),
            ("siderolabs/foreign".parse().unwrap(), foreign),
        ],
        overlays: Vec::new(),
        talosctl: None,
    };
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let place = SourceSpec::Layout(dir.join("layout"));
    let target = Target { place, options: RegistryOptions::default() };
    let key = SigningKey::generate().unwrap();
    fs::create_dir(dir.join("layout")).unwrap();
    // Where the harness looks for whom to trust.
    fs::write(dir.join("layout/cosign.pub"), key.public_key().to_pem()).unwrap();
    runtime.block_on(release::make(&files, target, Some(key))).unwrap();
    Ok(())
}

fn with_extension(name: &str) -> String {
    format!("customization: {{systemExtensions: {{officialExtensions: [siderolabs/{name}]}}}}")
}

#[test]
fn modules_for_another_kernel_are_refused_before_anything_is_built() {
    let dir = tempfile::tempdir().unwrap();
    let service =
        release_with_foreign_modules(dir.path()).and_then(|()| Service::on(&dir.path().join("layout")));
    let Some(service) = or_skip(service) else { return };
    for (extension, status) in [("hello", 200), ("foreign", 400)] {
        let schematic = service.create(&with_extension(extension));
        let answer = service.factory().get(&format!("/image/{schematic}/{VERSION}/initramfs-amd64.xz"));
        assert_eq!(answer.status, status, "{extension}: {:.300}", answer.text());
        if status == 400 {
            let text = answer.text();
            assert!(text.contains("-cloud-arm64") && text.contains("-cloud-amd64"), "{text}");
        }
    }
}

#[test]
fn an_extension_for_newer_versions_is_refused_for_an_older_one() {
    let Some(service) = or_skip(Service::loopback()) else { return };
    let schematic = service.create(&with_extension("hello-newer"));
    for (version, status) in [("v1.13.0", 200), ("v1.12.0", 400)] {
        let answer = service.factory().get(&format!("/image/{schematic}/{version}/metal-amd64.iso"));
        assert_eq!(answer.status, status, "{version}");
        if status == 400 {
            assert!(answer.text().contains("hello-newer"), "{}", answer.text());
        }
    }
}
