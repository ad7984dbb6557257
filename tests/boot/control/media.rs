//! Media of the raw inputs, made with mtools, grub-mkimage and xorriso.

use std::{
    fs,
    path::{Path, PathBuf},
};

use schematics::Arch;
use tests::{Failure, esp, iso, reference::Inputs, tool};

use crate::uki;

/// The version the media carry.
pub(crate) const VERSION: &str = "v1.13.0";

/// The kernel command line of every medium. The console is elsewhere, as it is on Talos' metal.
pub(crate) const CMDLINE: &str = "console=tty0 panic=-1 no_timer_check module.sig_enforce=1 control=yes";

const EARLY_CONFIG: &str =
    "search --no-floppy --set=root --file /boot/grub/grub.cfg\nset prefix=($root)/boot/grub\n";

/// What GRUB needs to read an ISO and start a kernel.
const GRUB_MODULES: [&str; 13] = [
    "biosdisk",
    "iso9660",
    "linux",
    "normal",
    "search",
    "search_fs_file",
    "part_msdos",
    "part_gpt",
    "echo",
    "configfile",
    "fat",
    "serial",
    "test",
];

/// Media of one architecture, made on demand below a directory.
pub(crate) struct Media<'a> {
    inputs: Inputs,
    arch: Arch,
    dir: &'a Path,
}

impl<'a> Media<'a> {
    pub(crate) fn find(arch: Arch, dir: &'a Path) -> Result<Self, Failure> {
        Ok(Self { inputs: Inputs::find()?, arch, dir })
    }

    pub(crate) fn kernel(&self) -> PathBuf {
        self.inputs.kernel(VERSION, self.arch)
    }

    pub(crate) fn initrd(&self) -> PathBuf {
        self.inputs.initramfs(VERSION, self.arch)
    }

    pub(crate) fn uki(&self) -> Result<PathBuf, Failure> {
        let path = self.dir.join("uki.efi");
        let sections = [
            (".osrel", b"ID=reference\nNAME=Reference\n".to_vec()),
            (".cmdline", CMDLINE.as_bytes().to_vec()),
            (".linux", read(&self.kernel())?),
            (".initrd", read(&self.initrd())?),
        ];
        let image = uki::append(&read(&self.inputs.stub(VERSION, self.arch))?, &sections);
        fs::write(&path, image).map_err(Failure::io("write", &path))?;
        Ok(path)
    }

    pub(crate) fn esp(&self) -> Result<PathBuf, Failure> {
        let path = self.dir.join("esp.img");
        let name = match self.arch {
            Arch::Amd64 => "EFI/BOOT/BOOTX64.EFI",
            Arch::Arm64 => "EFI/BOOT/BOOTAA64.EFI",
        };
        esp::write(&path, &[(name, self.uki()?)])?;
        Ok(path)
    }

    /// An ISO without BIOS boot: an EFI system partition that El Torito and the GPT both point at.
    pub(crate) fn uefi_iso(&self) -> Result<PathBuf, Failure> {
        let esp = self.esp()?;
        self.xorriso("uefi.iso", &[], &esp, &iso::UEFI)
    }

    /// A hybrid ISO with GRUB for BIOS.
    pub(crate) fn bios_iso(&self) -> Result<PathBuf, Failure> {
        let esp = self.esp()?;
        let grub = self.dir.join("iso/boot/grub");
        fs::create_dir_all(&grub).map_err(Failure::io("create", &grub))?;
        copy(&self.kernel(), &self.dir.join("iso/boot/vmlinuz"))?;
        copy(&self.initrd(), &self.dir.join("iso/boot/initramfs.xz"))?;
        let config =
            format!("set timeout=0\nlinux /boot/vmlinuz {CMDLINE}\ninitrd /boot/initramfs.xz\nboot\n");
        write(&grub.join("grub.cfg"), &config)?;
        let early = self.dir.join("early.cfg");
        write(&early, EARLY_CONFIG)?;
        let core = text(&grub.join("eltorito.img"));
        let early = text(&early);
        let args = ["-O", "i386-pc-eltorito", "-o", &core, "-p", "/boot/grub", "-c", &early];
        tool::run("grub-mkimage", "grub-common", args.into_iter().chain(GRUB_MODULES))?;
        let mbr = tool::file("/usr/lib/grub/i386-pc/boot_hybrid.img", "grub-pc-bin")?;
        self.xorriso(
            "bios.iso",
            &["--grub2-mbr", &text(&mbr)],
            &esp,
            &[
                "-b",
                "boot/grub/eltorito.img",
                "-no-emul-boot",
                "-boot-load-size",
                "4",
                "-boot-info-table",
                "--grub2-boot-info",
                "-eltorito-alt-boot",
                "-e",
                "--interval:appended_partition_2:all::",
                "-no-emul-boot",
            ],
        )
    }

    /// The root of the ISO, its name, and what boots it.
    fn xorriso(&self, name: &str, mbr: &[&str], esp: &Path, boot: &[&str]) -> Result<PathBuf, Failure> {
        let iso = self.dir.join(name);
        iso::write(&iso, &self.dir.join("iso"), esp, mbr, boot)?;
        Ok(iso)
    }
}

fn text(path: &Path) -> String {
    path.display().to_string()
}

fn read(path: &Path) -> Result<Vec<u8>, Failure> {
    fs::read(path).map_err(Failure::io("read", path))
}

fn write(path: &Path, text: &str) -> Result<(), Failure> {
    fs::write(path, text).map_err(Failure::io("write", path))
}

fn copy(from: &Path, to: &Path) -> Result<(), Failure> {
    fs::copy(from, to).map(drop).map_err(Failure::io("copy", from))
}
