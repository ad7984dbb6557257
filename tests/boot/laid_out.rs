//! What no version of the reference release makes: layers compressed with xz, and damage. And what other tools see in a
//! unified kernel image of the real stub and kernel.

use std::{fs, path::Path, sync::Arc};

use builder::format::{cpio, crc32, pe};
use builder::recipe::initramfs::{self, Codec, InitramfsInputs};
use builder::recipe::uki::{self, UkiInputs};
use builder::store::MemoryStore;
use builder::tree::Tree;
use builder::{BlobStore, BlobStoreExt as _, VirtualImage};
use bytes::Bytes;
use schematics::cmdline::Profile;
use schematics::{Arch, Digest};
use tempfile::TempDir;
use tests::{
    Failure, or_skip,
    qemu::{Boot, Kernel, Machine},
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

    fn uki(&self, arch: Arch, initramfs: &VirtualImage) -> Result<VirtualImage, Failure> {
        let stub = self.put_file(&self.inputs.stub(VERSION, arch))?;
        let kernel = self.put_file(&self.inputs.kernel(VERSION, arch))?;
        let cmdline = format!("{CMDLINE} wipe");
        let image = uki::lay_out(&UkiInputs {
            version: &VERSION.parse().unwrap(),
            cmdline: CMDLINE,
            profiles: &[Profile { id: "reset", title: "Reset", cmdline }],
            stub_head: &self.bytes(&stub.part(0..pe::HEAD)),
            stub: &stub,
            kernel_head: &self.bytes(&kernel.part(0..pe::HEAD)),
            kernel: &kernel,
            initramfs,
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
fn the_kernel_unpacks_every_member_with_xz_layers() {
    if let Some(boot) = or_skip(direct(true)) {
        every_member_arrived(&boot);
    }
}

/// Checks the sections other tools see in an image made of the real stub and kernel.
fn sections_seen_by(program: &str, package: &str, args: &[&str]) -> Result<(String, Bench), Failure> {
    let bench = Bench::new()?;
    let uki = bench.uki(Arch::Amd64, &bench.initramfs(false)?)?;
    let path = bench.write("uki.efi", &uki).display().to_string();
    let seen = tool::run(program, package, args.iter().copied().chain([path.as_str()]))?;
    Ok((String::from_utf8(seen).unwrap(), bench))
}

#[test]
fn ukify_sees_the_kernel_in_the_image() {
    let seen = sections_seen_by("ukify", "systemd-ukify, of Debian 13 or newer", &["inspect"]);
    let Some((seen, bench)) = or_skip(seen) else { return };
    let kernel = fs::read(bench.inputs.kernel(VERSION, Arch::Amd64)).unwrap();
    let release = bench.inputs.kernel_release(Arch::Amd64).unwrap();
    for part in [Digest::of(&kernel).hex(), release, "ID=main".to_owned(), "ID=reset".to_owned()] {
        assert!(seen.contains(&part), "{part} is not in:\n{seen}");
    }
}

#[test]
fn objdump_sees_the_stubs_sections_and_ours() {
    let Some((seen, _)) = or_skip(sections_seen_by("objdump", "binutils", &["-h"])) else { return };
    let names: Vec<&str> = seen
        .lines()
        .filter_map(|line| line.split_whitespace().nth(1).filter(|word| word.starts_with('.')))
        .collect();
    let ours =
        [".osrel", ".cmdline", ".uname", ".splash", ".linux", ".initrd", ".profile", ".profile", ".cmdline"];
    assert!(names.ends_with(&ours), "{names:?}");
    assert!(names.starts_with(&[".text"]), "{names:?}");
    assert!(names.contains(&".sbat"), "{names:?}");
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
