//! The three layouts of ISOs, booted on every kind of machine they are for, without the service around them.

use std::{fs, path::Path, path::PathBuf, sync::Arc};

use builder::format::grub::{GrubError, GrubTools};
use builder::format::pe;
use builder::recipe::iso::{self, Enroll, GrubImages, IsoInputs, IsoLayout};
use builder::recipe::uki::{self, UkiInputs};
use builder::store::MemoryStore;
use builder::tree::Tree;
use builder::{BlobStore, BlobStoreExt as _, VirtualImage};
use bytes::Bytes;
use schematics::Arch;
use tempfile::TempDir;
use tests::{
    Failure, or_skip,
    qemu::{Boot, Machine, Medium},
    reference::Inputs,
};

const VERSION: &str = "v1.13.0";
const CMDLINE: &str = "console=tty0 panic=-1 no_timer_check factory.quoted={a;b}";
/// Nothing here is larger.
const LIMIT: u64 = 1 << 30;

struct Bench {
    arch: Arch,
    inputs: Inputs,
    store: Arc<dyn BlobStore>,
    dir: TempDir,
    runtime: tokio::runtime::Runtime,
}

impl Bench {
    fn new(arch: Arch) -> Result<Self, Failure> {
        let inputs = Inputs::find()?;
        let runtime = tokio::runtime::Runtime::new().map_err(Failure::io("start", Path::new("tokio")))?;
        let dir = tempfile::tempdir().map_err(Failure::io("create", Path::new("a directory")))?;
        Ok(Self { arch, inputs, store: Arc::new(MemoryStore::default()), dir, runtime })
    }

    fn put(&self, path: &Path) -> Result<VirtualImage, Failure> {
        let bytes = fs::read(path).map_err(Failure::io("read", path))?;
        Ok(VirtualImage::from_blob(self.runtime.block_on(self.store.put(bytes.into())).unwrap()))
    }

    fn bytes(&self, image: &VirtualImage) -> Bytes {
        self.runtime.block_on(image.read_all(&self.store, LIMIT)).unwrap()
    }

    /// GRUB's images, as far as its modules are installed.
    fn grub(&self, layout: IsoLayout) -> Result<GrubImages, Failure> {
        let tools = GrubTools { mkimage: "/usr/bin/grub-mkimage".into(), modules: "/usr/lib/grub".into() };
        let cooked = self.runtime.block_on(async {
            let mut images = GrubImages::default();
            if self.arch == Arch::Amd64 && layout != IsoLayout::UefiOnly {
                images.bios = Some(tools.cook_bios(&*self.store).await?.load(&*self.store).await?);
            }
            if layout == IsoLayout::Grub {
                images.efi = Some(VirtualImage::from_blob(tools.cook_efi(self.arch, &*self.store).await?));
            }
            Ok(images)
        });
        cooked.map_err(|error: GrubError| match error {
            GrubError::Program { .. } | GrubError::Modules { .. } => {
                Failure::Missing { what: "GRUB".to_owned(), hint: error.to_string() }
            }
            other => panic!("{other}"),
        })
    }

    fn uki(&self, kernel: &VirtualImage, initramfs: &VirtualImage) -> Result<VirtualImage, Failure> {
        let stub = self.put(&self.inputs.stub(VERSION, self.arch))?;
        let image = uki::lay_out(&UkiInputs {
            version: &VERSION.parse().unwrap(),
            cmdline: CMDLINE,
            profiles: &[],
            stub_head: &self.bytes(&stub.part(0..pe::HEAD)),
            stub: &stub,
            kernel_head: &self.bytes(&kernel.part(0..pe::HEAD)),
            kernel,
            initramfs,
            timestamp: 0,
        });
        Ok(image.unwrap())
    }

    fn iso(&self, layout: IsoLayout) -> Result<PathBuf, Failure> {
        let kernel = self.put(&self.inputs.kernel(VERSION, self.arch))?;
        let initramfs = self.put(&self.inputs.initramfs(VERSION, self.arch))?;
        let image = iso::lay_out(
            layout,
            &IsoInputs {
                version: &VERSION.parse().unwrap(),
                arch: self.arch,
                cmdline: CMDLINE,
                uki: Some(&self.uki(&kernel, &initramfs)?),
                kernel: &kernel,
                initramfs: &initramfs,
                sd_boot: Some(&self.put(&self.inputs.boot_loader(VERSION, self.arch))?),
                grub: Some(&self.grub(layout)?),
                epoch: 1_700_000_000,
                enroll: Enroll::Off,
                extra_esp: &Tree::default(),
            },
        )
        .unwrap();
        let path = self.dir.path().join("talos.iso");
        fs::write(&path, self.bytes(&image)).map_err(Failure::io("write", &path))?;
        Ok(path)
    }
}

#[derive(Clone, Copy)]
enum As {
    Cdrom,
    Disk,
}

fn boot(arch: Arch, layout: IsoLayout, machine: &Machine, medium: As) -> Option<Boot> {
    let booted = Bench::new(arch).and_then(|bench| {
        let iso = bench.iso(layout)?;
        let medium = match medium {
            As::Cdrom => Medium::Cdrom(iso),
            As::Disk => Medium::Disk(iso),
        };
        machine.clone().medium(medium).boot()
    });
    or_skip(booted)
}

/// systemd-boot starts the unified kernel image of the ISO.
fn by_systemd_boot(arch: Arch, layout: IsoLayout, medium: As) {
    let Some(boot) = boot(arch, layout, &Machine::uefi(arch), medium) else { return };
    println!("{arch} {layout:?}: {:?}", boot.took);
    assert_eq!((boot.text("boot"), boot.text("version")), ("uefi", VERSION));
    assert_eq!(boot.text("cmdline"), CMDLINE);
    let loader = boot.facts["efi"]["loader_info"].as_str().unwrap_or_default();
    assert!(loader.starts_with("systemd-boot"), "{}", boot.facts);
    assert_eq!(boot.facts["efi"]["loader_entry"], "talos-v1.13.0.efi", "{}", boot.facts);
}

/// GRUB starts kernel and initramfs of the ISO.
fn by_grub(arch: Arch, layout: IsoLayout, machine: &Machine, medium: As) {
    let Some(boot) = boot(arch, layout, machine, medium) else { return };
    println!("{arch} {layout:?}: {:?}", boot.took);
    assert_eq!(boot.text("version"), VERSION);
    let cmdline = boot.text("cmdline");
    assert_eq!(cmdline.strip_prefix("BOOT_IMAGE=/boot/vmlinuz "), Some(CMDLINE), "{cmdline}");
}

#[test]
fn a_uefi_iso_boots_from_a_drive_and_as_a_disk() {
    by_systemd_boot(Arch::Amd64, IsoLayout::UefiOnly, As::Cdrom);
    by_systemd_boot(Arch::Amd64, IsoLayout::UefiOnly, As::Disk);
}

#[test]
fn a_uefi_iso_boots_on_arm64() {
    by_systemd_boot(Arch::Arm64, IsoLayout::UefiOnly, As::Cdrom);
}

#[test]
fn a_hybrid_iso_boots_on_uefi() {
    by_systemd_boot(Arch::Amd64, IsoLayout::Hybrid, As::Cdrom);
    by_systemd_boot(Arch::Amd64, IsoLayout::Hybrid, As::Disk);
}

#[test]
fn a_hybrid_iso_boots_on_a_bios() {
    by_grub(Arch::Amd64, IsoLayout::Hybrid, &Machine::bios(), As::Cdrom);
    by_grub(Arch::Amd64, IsoLayout::Hybrid, &Machine::bios(), As::Disk);
}

#[test]
fn a_grub_iso_boots_on_a_bios() {
    by_grub(Arch::Amd64, IsoLayout::Grub, &Machine::bios(), As::Cdrom);
    by_grub(Arch::Amd64, IsoLayout::Grub, &Machine::bios(), As::Disk);
}

#[test]
fn a_grub_iso_boots_on_uefi() {
    by_grub(Arch::Amd64, IsoLayout::Grub, &Machine::uefi(Arch::Amd64), As::Cdrom);
    by_grub(Arch::Amd64, IsoLayout::Grub, &Machine::uefi(Arch::Amd64), As::Disk);
}

#[test]
fn a_grub_iso_boots_on_arm64() {
    by_grub(Arch::Arm64, IsoLayout::Grub, &Machine::uefi(Arch::Arm64), As::Disk);
}
