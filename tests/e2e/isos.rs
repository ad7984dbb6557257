//! ISOs as xorriso, sfdisk, sgdisk, dosfstools and mtools read them.

use std::path::{Path, PathBuf};

use fs_err as fs;
use tests::release::boot_loader;

use crate::site::{FULL, Site, files_below, judge, refuses, report};
use crate::ukis::{section, sections};

const SECTOR: usize = 512;
/// systemd-boot on an ISO without keys.
const LOADER_CONF: &[u8] = b"# systemd-boot configuration\n\ntimeout 10\n\nsecure-boot-enroll off\n";

/// An ISO with what its tools found in it.
struct Disc {
    site: Site,
    version: &'static str,
    arch: &'static str,
    iso: PathBuf,
    /// Files of the ISO 9660 tree.
    tree: Vec<(String, Vec<u8>)>,
    /// Files of the EFI system partition.
    esp: Vec<(String, Vec<u8>)>,
    /// Boot records and volume, as xorriso tells them.
    report: String,
}

impl Disc {
    /// Downloads an ISO and reads all of it; `None` without the tools.
    fn read(schematic: &str, version: &'static str, arch: &'static str) -> Option<Self> {
        let site = Site::new(schematic);
        let iso = site.download(&format!("{version}/metal-{arch}.iso"));
        let tree = site.dir.path().join("tree");
        judge("xorriso", "xorriso", &[&"-osirrox", &"on", &"-indev", &iso, &"-extract", &"/", &tree])?;
        let report = report(
            "xorriso",
            "xorriso",
            &[
                &"-indev",
                &iso,
                &"-report_el_torito",
                &"plain",
                &"-report_system_area",
                &"plain",
                &"-pvd_info",
            ],
        )?;
        let partition = esp_of(&site, &iso)?;
        let out = site.dir.path().join("esp");
        fs::create_dir(&out).unwrap();
        judge("fsck.fat", "dosfstools", &[&"-n", &"-v", &partition])?;
        judge("mcopy", "mtools", &[&"-s", &"-n", &"-m", &"-i", &partition, &"::/*", &out])?;
        let tree = files_below(&tree);
        Some(Self { version, arch, iso, tree, esp: files_below(&out), report, site })
    }

    fn part(&self, name: &str) -> Vec<u8> {
        self.site.bytes(&format!("{}/{name}", self.version))
    }

    /// What systemd-boot needs, by path.
    fn systemd_files(&self) -> Vec<(String, Vec<u8>)> {
        let (loader, arch) = if self.arch == "amd64" {
            ("EFI/BOOT/BOOTX64.EFI", schematics::Arch::Amd64)
        } else {
            ("EFI/BOOT/BOOTAA64.EFI", schematics::Arch::Arm64)
        };
        let uki = format!("EFI/Linux/Talos-{}.efi", self.version);
        let content = file(&self.tree, &uki).to_vec();
        vec![
            (loader.to_owned(), boot_loader(arch)),
            (uki, content),
            ("loader/loader.conf".to_owned(), LOADER_CONF.to_vec()),
            ("loader/random-seed".to_owned(), vec![0; 32]),
        ]
    }

    /// The UKI on the disc: kernel and initramfs are the downloads, and it can reset the machine.
    fn check_uki(&self, line: &str) {
        let name = format!("EFI/Linux/Talos-{}.efi", self.version);
        let uki = self.site.save("disc.efi", file(&self.tree, &name));
        let Some(found) = sections(&uki) else { return };
        let kernel = self.part(&format!("kernel-{}", self.arch));
        let initramfs = self.part(&format!("initramfs-{}.xz", self.arch));
        let behind: Vec<_> = found.iter().skip_while(|(name, ..)| name != ".linux").cloned().collect();
        let expected = [
            section(".linux", &kernel),
            section(".initrd", &initramfs),
            section(".profile", b"ID=main"),
            section(".profile", b"ID=reset\nTITLE=Reset system disk"),
            section(".cmdline", format!("{line} talos.experimental.wipe=system").as_bytes()),
        ];
        assert_eq!(behind, expected, "{} {}", self.version, self.arch);
        assert!(found.contains(&section(".cmdline", line.as_bytes())), "{found:?}");
    }

    /// Kernel, initramfs and menu of GRUB; the arguments are in the menu.
    fn check_grub(&self, line: &str, reset: bool) {
        assert_eq!(file(&self.tree, "boot/vmlinuz"), self.part(&format!("kernel-{}", self.arch)));
        assert_eq!(file(&self.tree, "boot/initramfs.xz"), self.part(&format!("initramfs-{}.xz", self.arch)));
        let menu = String::from_utf8(file(&self.tree, "boot/grub/grub.cfg").to_vec()).unwrap();
        assert!(menu.contains(&format!("  linux /boot/vmlinuz {line}\n")), "{menu}");
        assert_eq!(menu.contains(&format!("{line} talos.experimental.wipe=system\n")), reset, "{menu}");
        let script = self.site.save("grub.cfg", menu.as_bytes());
        let Some(refused) = refuses("grub-script-check", "grub-common", &[&script]) else { return };
        assert!(!refused, "{menu}");
    }
}

fn file<'a>(files: &'a [(String, Vec<u8>)], name: &str) -> &'a [u8] {
    let names = || files.iter().map(|(name, _)| name).collect::<Vec<_>>();
    let found = files.iter().find(|(path, _)| path == name);
    &found.unwrap_or_else(|| panic!("{name} is not among {:?}", names())).1
}

/// The EFI system partition as a file, cut out where sfdisk says it is.
fn esp_of(site: &Site, iso: &Path) -> Option<PathBuf> {
    let table = report("sfdisk", "fdisk", &[&"-d", &iso])?;
    let of_type = |kind: &str| {
        table.lines().find(|line| line.to_uppercase().contains(&format!("TYPE={kind}"))).map(str::to_owned)
    };
    let line = of_type("EF").or_else(|| of_type("C12A7328-F81F-11D2-BA4B-00A0C93EC93B"));
    let line = line.unwrap_or_else(|| panic!("no EFI system partition in {table}"));
    let number = |key: &str| -> usize {
        let behind = line.split_once(key).unwrap().1;
        behind.split(',').next().unwrap().trim().parse().unwrap()
    };
    let (start, size) = (number("start="), number("size="));
    let bytes = fs::read(iso).unwrap();
    Some(site.save("esp.img", &bytes[start * SECTOR..(start + size) * SECTOR]))
}

const NEW: &str =
    "init_on_alloc=1 slab_nomerge pti=on consoleblank=0 nvme_core.io_timeout=4294967295 printk.devkmsg=on";

#[test]
fn a_hybrid_iso_has_both_loaders_and_all_parts() {
    for (version, arch, line) in [
        (
            "v1.13.0",
            "amd64",
            format!(
                "talos.platform=metal console=tty0 talos.halt_if_installed=1 {NEW} selinux=1 module.sig_enforce=1 proc_mem.force_override=never"
            ),
        ),
        (
            "v1.11.0",
            "arm64",
            format!(
                "talos.platform=metal console=ttyAMA0 console=tty0 talos.halt_if_installed=1 {NEW} selinux=1"
            ),
        ),
    ] {
        let Some(disc) = Disc::read("{}", version, arch) else { return };
        disc.check_uki(&line);
        disc.check_grub(&line, true);
        assert_eq!(disc.esp, disc.systemd_files(), "{version} {arch}");
        for (name, content) in disc.systemd_files() {
            assert_eq!(file(&disc.tree, &name), content, "{name}");
        }
        let bios = disc.report.lines().any(|line| line.starts_with("El Torito boot img :   1  BIOS  y"));
        assert_eq!(bios, arch == "amd64", "{}", disc.report);
        assert!(disc.report.contains("  UEFI  y"), "{}", disc.report);
        assert!(
            disc.report.contains(&format!("TALOS_{}", version.to_uppercase().replace('.', "_"))),
            "{}",
            disc.report
        );
        let Some(verdict) = report("sgdisk", "gdisk", &[&"-v", &disc.iso]) else { return };
        assert!(verdict.contains("No problems found"), "{verdict}");
    }
}

#[test]
fn an_iso_for_uefi_has_systemd_boot_alone() {
    for (schematic, version, arch, line) in [
        (
            "{}",
            "v1.13.0",
            "arm64",
            format!(
                "talos.platform=metal console=ttyAMA0 console=tty0 talos.halt_if_installed=1 {NEW} selinux=1 module.sig_enforce=1 proc_mem.force_override=never"
            ),
        ),
        (
            "customization: {bootloader: sd-boot}",
            "v1.12.0",
            "amd64",
            format!(
                "talos.platform=metal console=tty0 talos.halt_if_installed=1 {NEW} selinux=1 module.sig_enforce=1"
            ),
        ),
    ] {
        let Some(disc) = Disc::read(schematic, version, arch) else { return };
        disc.check_uki(&line);
        assert_eq!(disc.esp, disc.systemd_files(), "{version} {arch}");
        assert_eq!(disc.tree, disc.systemd_files(), "{version} {arch}");
        assert!(!disc.report.contains("  BIOS  "), "{}", disc.report);
        assert!(disc.report.contains("  UEFI  y"), "{}", disc.report);
        // Firmware looks at partitions of both kinds; this one has the old table alone.
        assert!(!disc.report.contains("GPT"), "{}", disc.report);
    }
}

#[test]
fn a_grub_iso_has_grub_for_both_firmwares() {
    let ima = "ima_template=ima-ng ima_appraise=fix ima_hash=sha512";
    for (schematic, version, line, reset) in [
        ("{}", "v1.3.7", format!("talos.platform=metal console=ttyS0 console=tty0 {NEW} {ima}"), false),
        (
            "{}",
            "v1.8.2",
            format!("talos.platform=metal console=tty0 talos.halt_if_installed=1 {NEW} {ima}"),
            true,
        ),
        (
            "customization: {bootloader: grub}",
            "v1.13.0",
            format!(
                "talos.platform=metal console=tty0 talos.halt_if_installed=1 {NEW} selinux=1 module.sig_enforce=1 proc_mem.force_override=never"
            ),
            true,
        ),
    ] {
        let Some(disc) = Disc::read(schematic, version, "amd64") else { return };
        disc.check_grub(&line, reset);
        let program = file(&disc.esp, "EFI/BOOT/BOOTX64.EFI");
        assert!(program.starts_with(b"MZ") && program.len() > 100_000, "{} bytes", program.len());
        assert!(disc.report.contains("  BIOS  y") && disc.report.contains("  UEFI  y"), "{}", disc.report);
        let label = if version == "v1.3.7" {
            "ISOIMAGE".to_owned()
        } else {
            format!("TALOS_{}", version.to_uppercase().replace('.', "_"))
        };
        assert!(disc.report.contains(&label), "{}", disc.report);
        assert!(!disc.tree.iter().any(|(name, _)| name.starts_with("EFI/Linux")), "{version}");
    }
}

#[test]
fn extensions_arguments_and_meta_are_on_the_disc() {
    let Some(disc) = Disc::read(FULL, "v1.13.0", "amd64") else { return };
    let rest = NEW.replace("consoleblank=0 ", "");
    let line = format!(
        "talos.platform=metal console=tty0 talos.halt_if_installed=1 {rest} selinux=1 module.sig_enforce=1 proc_mem.force_override=never talos.environment=INSTALLER_META_BASE64=MHhhPW5ldHdvcms= quiet"
    );
    disc.check_uki(&line);
    disc.check_grub(&line, true);
    assert_ne!(file(&disc.tree, "boot/initramfs.xz"), Site::new("{}").bytes("v1.13.0/initramfs-amd64.xz"));
}

#[test]
fn tools_notice_a_broken_file_system() {
    let site = Site::new("{}");
    let iso = site.download("v1.13.0/metal-arm64.iso");
    let Some(partition) = esp_of(&site, &iso) else { return };
    let Some(refused) = refuses("fsck.fat", "dosfstools", &[&"-n", &partition]) else { return };
    assert!(!refused);
    let mut bytes = fs::read(&partition).unwrap();
    // An entry of the first allocation table that belongs to a file.
    let reserved = usize::from(u16::from_le_bytes([bytes[14], bytes[15]]));
    bytes[reserved * SECTOR + 40] ^= 0x55;
    let broken = site.save("broken.img", &bytes);
    assert_eq!(refuses("fsck.fat", "dosfstools", &[&"-n", &broken]), Some(true));
    let mut bytes = fs::read(&iso).unwrap();
    bytes[16 * 2048 + 1..16 * 2048 + 6].copy_from_slice(b"CD999");
    let broken = site.save("broken.iso", &bytes);
    let extracted = site.dir.path().join("nothing");
    let arguments: [&dyn AsRef<std::ffi::OsStr>; 7] =
        [&"-osirrox", &"on", &"-indev", &broken, &"-extract", &"/EFI", &extracted];
    assert_eq!(refuses("xorriso", "xorriso", &arguments), Some(true));
}
