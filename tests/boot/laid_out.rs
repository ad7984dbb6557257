//! Initramfs and unified kernel images that `builder` lays out, booted without the service around them.

use std::{fs, path::Path, sync::Arc};

use builder::format::{cpio, crc32, pe};
use builder::recipe::initramfs::{self, Codec, InitramfsInputs};
use builder::recipe::uki::{self, UkiInputs};
use builder::store::MemoryStore;
use builder::tree::Tree;
use builder::{BlobStore, BlobStoreExt as _, VirtualImage};
use bytes::Bytes;
use schematics::Arch;
use tempfile::TempDir;
use tests::{
    Failure, esp, or_skip,
    qemu::{Boot, Kernel, Machine, Medium},
    reference::Inputs,
    tool,
};

const VERSION: &str = "v1.13.0";
const CMDLINE: &str = "console=tty0 panic=-1 no_timer_check";
/// Nothing here is larger.
const LIMIT: u64 = 1 << 30;

/// The store and the files of one test.
struct Bench {
    inputs: Inputs,
    store: Arc<dyn BlobStore>,
    dir: TempDir,
    runtime: tokio::runtime::Runtime,
}

impl Bench {
    fn new() -> Result<Self, Failure> {
        let inputs = Inputs::find()?;
        let runtime = tokio::runtime::Runtime::new().map_err(Failure::io("start", Path::new("tokio")))?;
        let dir = tempfile::tempdir().map_err(Failure::io("create", Path::new("a directory")))?;
        Ok(Self { inputs, store: Arc::new(MemoryStore::default()), dir, runtime })
    }

    fn put(&self, bytes: impl Into<Bytes>) -> VirtualImage {
        VirtualImage::from_blob(self.runtime.block_on(self.store.put(bytes.into())).unwrap())
    }

    fn put_file(&self, path: &Path) -> Result<VirtualImage, Failure> {
        Ok(self.put(fs::read(path).map_err(Failure::io("read", path))?))
    }

    fn bytes(&self, image: &VirtualImage) -> Bytes {
        self.runtime.block_on(image.read_all(&self.store, LIMIT)).unwrap()
    }

    fn write(&self, name: &str, image: &VirtualImage) -> std::path::PathBuf {
        let path = self.dir.path().join(name);
        fs::write(&path, self.bytes(image)).unwrap();
        path
    }

    /// An extension's files as squashfs, by the reference tool.
    fn squashfs(&self, extension: &str) -> Result<VirtualImage, Failure> {
        let root = self.inputs.extension(extension, Arch::Amd64).join("rootfs");
        let out = self.dir.path().join(format!("{extension}.sqsh"));
        let args = [root.as_path(), &out, Path::new("-quiet"), Path::new("-comp"), Path::new("xz")];
        tool::run("mksquashfs", "squashfs-tools", args)?;
        self.put_file(&out)
    }

    /// The early archive, a compressed firmware member and two layers behind the base.
    fn initramfs(&self, xz: bool) -> Result<VirtualImage, Failure> {
        let mut microcode = Tree::default();
        let path = "kernel/x86/microcode/AuthenticAMD.bin";
        microcode.insert_file(path, 0o644, self.put(vec![7; 1001])).unwrap();
        let layers = self.layers()?;
        let archive = initramfs::layers_archive(&layers, 9).unwrap();
        let codec = if xz {
            let crc32 = self.runtime.block_on(crc32::crc32(&archive, &self.store)).unwrap();
            Codec::Xz { crc32 }
        } else {
            Codec::Zstd
        };
        let image = initramfs::lay_out(&InitramfsInputs {
            base: &self.put_file(&self.inputs.initramfs(VERSION, Arch::Amd64))?,
            microcode: Some(&microcode),
            firmware: &[self.firmware()?],
            layers: &layers,
            codec,
            mtime: 9,
        });
        Ok(image.unwrap())
    }

    fn layers(&self) -> Result<Tree, Failure> {
        let mut layers = Tree::default();
        layers.insert_file("0.sqsh", 0o600, self.squashfs("hello")?).unwrap();
        layers.insert_file("1.sqsh", 0o600, self.squashfs("hello-again")?).unwrap();
        let list: String = ["hello", "hello-again"]
            .iter()
            .enumerate()
            .map(|(n, name)| format!("- image: {n}.sqsh\n  metadata:\n    name: {name}\n    version: v1\n"))
            .collect();
        layers
            .insert_file("extensions.yaml", 0o644, VirtualImage::from_bytes(format!("layers:\n{list}")))
            .unwrap();
        Ok(layers)
    }

    /// An archive that is really compressed, as an extension's firmware is.
    fn firmware(&self) -> Result<VirtualImage, Failure> {
        let mut tree = Tree::default();
        tree.insert_file("usr/lib/firmware/laid-out.bin", 0o644, self.put(vec![1; 333])).unwrap();
        let archive = self.write("firmware.cpio", &cpio::lay_out(&tree, 9).unwrap());
        tool::run("zstd", "zstd", [Path::new("-q"), &archive])?;
        self.put_file(&self.dir.path().join("firmware.cpio.zst"))
    }

    fn uki(&self) -> Result<VirtualImage, Failure> {
        let stub = self.put_file(&self.inputs.stub(VERSION, Arch::Amd64))?;
        let kernel = self.put_file(&self.inputs.kernel(VERSION, Arch::Amd64))?;
        let image = uki::lay_out(&UkiInputs {
            version: &VERSION.parse().unwrap(),
            cmdline: CMDLINE,
            profiles: &[],
            stub_head: &self.bytes(&stub.part(0..pe::HEAD)),
            stub: &stub,
            kernel_head: &self.bytes(&kernel.part(0..pe::HEAD)),
            kernel: &kernel,
            initramfs: &self.initramfs(false)?,
            timestamp: 0,
        });
        Ok(image.unwrap())
    }
}

fn every_member_arrived(boot: &Boot) {
    assert_eq!(boot.list("layers"), ["hello", "hello-again"]);
    let early = boot.list("early");
    assert_eq!(early.len(), 1, "{early:?}");
    assert!(early[0].ends_with("/kernel/x86/microcode/AuthenticAMD.bin"), "{early:?}");
    assert!(boot.list("firmware").contains(&"laid-out.bin"), "{:?}", boot.list("firmware"));
    assert!(boot.list("initramfs").contains(&"1.sqsh"), "{:?}", boot.list("initramfs"));
}

fn direct(xz: bool) -> Result<Boot, Failure> {
    let bench = Bench::new()?;
    let kernel = Kernel {
        kernel: bench.inputs.kernel(VERSION, Arch::Amd64),
        initrd: bench.write("initramfs", &bench.initramfs(xz)?),
        cmdline: CMDLINE.to_owned(),
    };
    Machine::direct(Arch::Amd64, kernel).boot()
}

#[test]
fn the_kernel_unpacks_every_member_with_zstd_layers() {
    if let Some(boot) = or_skip(direct(false)) {
        every_member_arrived(&boot);
    }
}

#[test]
fn the_kernel_unpacks_every_member_with_xz_layers() {
    if let Some(boot) = or_skip(direct(true)) {
        every_member_arrived(&boot);
    }
}

#[test]
fn a_unified_kernel_image_boots_from_an_esp() {
    let boot = Bench::new().and_then(|bench| {
        let uki = bench.write("uki.efi", &bench.uki()?);
        let disk = bench.dir.path().join("esp.img");
        esp::write(&disk, &[("EFI/BOOT/BOOTX64.EFI", uki)])?;
        Machine::uefi(Arch::Amd64).medium(Medium::Disk(disk)).boot()
    });
    let Some(boot) = or_skip(boot) else { return };
    every_member_arrived(&boot);
    assert_eq!(boot.text("boot"), "uefi");
    assert_eq!(boot.text("cmdline"), CMDLINE);
}

#[test]
fn the_kernel_notices_a_wrong_checksum() {
    let boot = Bench::new().and_then(|bench| {
        let layers = bench.layers()?;
        let base = bench.put_file(&bench.inputs.initramfs(VERSION, Arch::Amd64))?;
        let codec = Codec::Xz { crc32: 1 };
        let inputs =
            InitramfsInputs { base: &base, microcode: None, firmware: &[], layers: &layers, codec, mtime: 9 };
        let kernel = Kernel {
            kernel: bench.inputs.kernel(VERSION, Arch::Amd64),
            initrd: bench.write("initramfs", &initramfs::lay_out(&inputs).unwrap()),
            cmdline: format!("{CMDLINE} console=ttyS0"),
        };
        Machine::direct(Arch::Amd64, kernel).boot()
    });
    let Some(boot) = or_skip(boot) else { return };
    assert!(
        boot.log.contains("Initramfs unpacking failed: XZ-compressed data is corrupt"),
        "the kernel did not complain"
    );
}
