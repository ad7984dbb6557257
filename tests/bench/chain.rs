//! The tool chain upstream runs for a new schematic: every step again, every time.

use std::path::Path;
use std::process::{Command, Stdio};

use crate::server::Asset;
use crate::usage::{Cost, of_children};
use crate::{EXTENSIONS, VERSION, median};

/// The median cost of `runs` runs.
pub fn median_of(runs: usize, asset: Asset, inputs: &Path) -> Cost {
    let costs: Vec<Cost> = (0..runs).map(|_| run(asset, inputs)).collect();
    Cost {
        wall: median(costs.iter().map(|cost| cost.wall).collect()),
        cpu: median(costs.iter().map(|cost| cost.cpu).collect()),
    }
}

fn run(asset: Asset, inputs: &Path) -> Cost {
    let work = tempfile::tempdir().unwrap();
    of_children(|| {
        initramfs(inputs, work.path());
        if asset != Asset::Initramfs {
            uki(inputs, work.path());
        }
        if asset == Asset::Iso {
            iso(inputs, work.path());
        }
    })
}

pub fn tool(program: &str, arguments: &[&str], directory: &Path) {
    let output = Command::new(program)
        .args(arguments)
        .current_dir(directory)
        .stdin(Stdio::null())
        .env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin")
        .output()
        .unwrap();
    assert!(output.status.success(), "{program}: {}", String::from_utf8_lossy(&output.stderr));
}

pub fn shell(script: &str, directory: &Path) {
    tool("sh", &["-euc", script], directory);
}

/// mksquashfs of every extension, one cpio of the layers, zstd 18 over it, appended to the base.
fn initramfs(inputs: &Path, work: &Path) {
    std::fs::create_dir(work.join("layers")).unwrap();
    for (index, name) in EXTENSIONS.iter().enumerate() {
        let short = name.trim_start_matches("siderolabs/");
        let root = inputs.join("extensions").join(short).join("amd64/rootfs");
        let target = work.join(format!("layers/{index}.sqsh"));
        squash(&root, &target, work);
    }
    std::fs::create_dir_all(work.join("schematic/usr/local/share/schematic")).unwrap();
    squash(&work.join("schematic"), &work.join("layers/3.sqsh"), work);
    shell(
        "cd layers && find . | LC_ALL=C sort | cpio --quiet -o -H newc | zstd -q -T0 -18 > ../layers.zst",
        work,
    );
    let base = base(inputs, "initramfs.xz");
    shell(&format!("cat '{base}' layers.zst > initramfs.xz"), work);
}

fn squash(root: &Path, target: &Path, work: &Path) {
    let (root, target) = (root.display().to_string(), target.display().to_string());
    let fixed =
        ["-all-root", "-noappend", "-no-progress", "-quiet", "-comp", "zstd", "-Xcompression-level", "18"];
    tool("mksquashfs", &[&[root.as_str(), target.as_str()], fixed.as_slice()].concat(), work);
}

fn base(inputs: &Path, file: &str) -> String {
    inputs.join("releases").join(VERSION).join("amd64").join(file).display().to_string()
}

fn uki(inputs: &Path, work: &Path) {
    let (stub, kernel) = (base(inputs, "systemd-stub.efi"), base(inputs, "vmlinuz"));
    // Addresses do not matter for the time it takes; nobody boots this one.
    let script = format!(
        "objcopy --add-section .linux='{kernel}' --change-section-vma .linux=0x150000000 \
         --add-section .initrd=initramfs.xz --change-section-vma .initrd=0x160000000 '{stub}' uki.efi"
    );
    shell(&script, work);
}

fn iso(inputs: &Path, work: &Path) {
    let (loader, kernel) = (base(inputs, "systemd-boot.efi"), base(inputs, "vmlinuz"));
    let script = format!(
        "mkdir -p iso/EFI/BOOT iso/EFI/Linux iso/boot/grub && cp uki.efi iso/EFI/Linux/ && cp '{loader}' iso/EFI/BOOT/BOOTX64.EFI \
         && cp '{kernel}' iso/boot/vmlinuz && cp initramfs.xz iso/boot/ && truncate -s 40M efiboot.img \
         && mkfs.vfat -F 32 --invariant efiboot.img >/dev/null && mcopy -s -i efiboot.img iso/EFI :: \
         && xorriso -as mkisofs -quiet -iso-level 3 -partition_offset 16 -append_partition 2 0xef efiboot.img \
            -eltorito-alt-boot -e --interval:appended_partition_2:all:: -no-emul-boot -o out.iso iso"
    );
    shell(&script, work);
}
