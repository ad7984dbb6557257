//! Unified kernel images as systemd's own tool and binutils read them.

use std::path::Path;

use schematics::Digest;

use crate::site::{FULL, Site, judge, refuses, report};

pub(crate) const COMMON: &str =
    "slab_nomerge pti=on consoleblank=0 nvme_core.io_timeout=4294967295 printk.devkmsg=on";
pub(crate) const NEWEST: &str = "selinux=1 module.sig_enforce=1 proc_mem.force_override=never";

/// A section as `ukify inspect` tells it: name, size, digest.
type Section = (String, usize, String);

/// The sections systemd's tool finds, the stub's own left out.
pub(crate) fn sections(uki: &Path) -> Option<Vec<Section>> {
    let printed = report("ukify", "systemd-ukify, of Debian 13 or newer", &[&"inspect", &uki])?;
    let mut sections: Vec<Section> = Vec::new();
    for line in printed.lines() {
        if let Some(name) = line.strip_suffix(':').filter(|name| name.starts_with('.')) {
            sections.push((name.to_owned(), 0, String::new()));
        } else if let Some(last) = sections.last_mut() {
            if let Some(size) = line.strip_prefix("  size: ") {
                last.1 = size.split(' ').next().unwrap().parse().unwrap();
            } else if let Some(digest) = line.strip_prefix("  sha256: ") {
                last.2 = digest.to_owned();
            }
        }
    }
    sections.retain(|(name, ..)| !matches!(name.as_str(), ".text" | ".sdmagic"));
    Some(sections)
}

pub(crate) fn section(name: &str, bytes: &[u8]) -> Section {
    (name.to_owned(), bytes.len(), Digest::of(bytes).hex())
}

/// The names of all sections, in the order of their headers, as binutils read them.
fn names(uki: &Path) -> Option<Vec<String>> {
    let table = report("objdump", "binutils", &[&"-h", &uki])?;
    let rows = table.lines().filter_map(|line| line.split_whitespace().nth(1));
    Some(rows.filter(|word| word.starts_with('.')).map(str::to_owned).collect())
}

/// Version, architecture, platform, schematic, and the command line these make.
fn lines() -> [(&'static str, &'static str, &'static str, &'static str, String); 5] {
    [
        (
            "v1.5.1",
            "amd64",
            "metal",
            "{}",
            format!(
                "talos.platform=metal console=ttyS0 console=tty0 init_on_alloc=1 {COMMON} ima_template=ima-ng ima_appraise=fix ima_hash=sha512"
            ),
        ),
        (
            "v1.10.2",
            "arm64",
            "metal",
            "{}",
            format!(
                "talos.platform=metal console=ttyAMA0 console=tty0 init_on_alloc=1 {COMMON} ima_template=ima-ng ima_appraise=fix ima_hash=sha512 selinux=1"
            ),
        ),
        (
            "v1.13.0",
            "amd64",
            "nocloud",
            "{}",
            format!(
                "talos.platform=nocloud console=tty1 console=ttyS0 net.ifnames=0 init_on_alloc=1 {COMMON} {NEWEST}"
            ),
        ),
        (
            "v1.13.0",
            "amd64",
            "metal",
            "customization: {extraKernelArgs: [nolapic, nomodeset]}",
            format!("talos.platform=metal console=tty0 init_on_alloc=1 {COMMON} {NEWEST} nolapic nomodeset"),
        ),
        (
            "v1.13.0",
            "arm64",
            "metal",
            FULL,
            format!(
                "talos.platform=metal console=ttyAMA0 console=tty0 init_on_alloc=1 {} {NEWEST} quiet",
                COMMON.replace("consoleblank=0 ", "")
            ),
        ),
    ]
}

#[test]
fn every_section_is_exact() {
    for (version, arch, asset, schematic, line) in lines() {
        let site = Site::new(schematic);
        let uki = site.download(&format!("{version}/{asset}-{arch}-uki.efi"));
        let kernel = site.bytes(&format!("{version}/kernel-{arch}"));
        let initramfs = site.bytes(&format!("{version}/initramfs-{arch}.xz"));
        let Some(found) = sections(&uki) else { return };
        let osrel = format!(
            "NAME=\"Talos\"\nID=talos\nVERSION_ID={version}\nPRETTY_NAME=\"Talos ({version})\"\nHOME_URL=\"https://www.talos.dev/\"\nBUG_REPORT_URL=\"https://github.com/siderolabs/talos/issues\"\nVENDOR_NAME=\"Sidero Labs\"\nVENDOR_URL=\"https://www.siderolabs.com/\"\n"
        );
        let mut expected = vec![section(".osrel", osrel.as_bytes()), section(".cmdline", line.as_bytes())];
        if arch == "amd64" {
            expected.push(section(".uname", tests::release::KERNEL_RELEASE.as_bytes()));
        }
        let splash = found.iter().find(|(name, ..)| name == ".splash").unwrap().clone();
        expected.extend([splash, section(".linux", &kernel), section(".initrd", &initramfs)]);
        if version != "v1.5.1" {
            expected.push(section(".profile", b"ID=main"));
        }
        assert_eq!(found, expected, "{version} {arch} {asset}");
        if arch == "arm64" {
            // Binutils for amd64 do not know programs for others.
            continue;
        }
        let Some(names) = names(&uki) else { return };
        assert_eq!(names[..2], [".text", ".sdmagic"]);
        assert_eq!(names[2..], expected.into_iter().map(|(name, ..)| name).collect::<Vec<_>>());
    }
}

#[test]
fn it_is_a_program_for_its_machine() {
    let site = Site::new("{}");
    for (arch, format) in [("amd64", "pei-x86-64"), ("arm64", "pei-aarch64-little")] {
        let uki = site.download(&format!("v1.13.0/metal-{arch}-uki.efi"));
        // Binutils for one machine alone do not know the others.
        let Some(known) = report("objdump", "binutils", &[&"-i"]) else { return };
        if !known.lines().any(|line| line.trim() == format) {
            continue;
        }
        let Some(header) = report("objdump", "binutils", &[&"-f", &uki]) else { return };
        assert!(header.contains(&format!("file format {format}")), "{header}");
        let Some(private) = report("objdump", "binutils", &[&"-p", &uki]) else { return };
        assert!(private.contains("(EFI application)"), "{private}");
        assert!(
            private.lines().any(|line| line.starts_with("Time/Date") && line.contains("2019")),
            "{private}"
        );
    }
}

#[test]
fn the_splash_is_a_bitmap() {
    let site = Site::new("{}");
    let uki = site.download("v1.13.0/metal-amd64-uki.efi");
    let splash = site.dir.path().join("splash.bmp");
    let dump = format!("--dump-section=.splash={}", splash.display());
    let copy = site.dir.path().join("copy.efi");
    if judge("objcopy", "binutils", &[&dump, &uki, &copy]).is_some() {
        let bytes = fs_err::read(splash).unwrap();
        let size = u32::from_le_bytes(bytes[2..6].try_into().unwrap());
        assert!(bytes.starts_with(b"BM") && size as usize <= bytes.len(), "{:?}", &bytes[..6]);
    }
}

#[test]
fn systemd_notices_a_changed_kernel_and_a_cut_image() {
    let site = Site::new("{}");
    let kernel = site.bytes("v1.13.0/kernel-amd64");
    let mut uki = site.bytes("v1.13.0/metal-amd64-uki.efi");
    let at = uki.windows(64).position(|window| *window == kernel[1000..1064]).unwrap();
    uki[at] ^= 1;
    let Some(found) = sections(&site.save("changed.efi", &uki)) else { return };
    let linux = found.iter().find(|(name, ..)| name == ".linux").unwrap();
    assert_ne!(*linux, section(".linux", &kernel));
    let cut = site.save("cut.efi", &uki[..200]);
    assert_eq!(refuses("ukify", "systemd-ukify", &[&"inspect", &cut]), Some(true));
}
