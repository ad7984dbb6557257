use super::*;
use crate::format::dump;
use crate::image::ImageLayout;
use crate::judge::{self, Blobs, block_on_io};
use bytes::Bytes;

fn version(text: &str) -> TalosVersion {
    text.parse().unwrap()
}

struct Release {
    store: Blobs,
    version: TalosVersion,
    kernel: VirtualImage,
    initramfs: VirtualImage,
    uki: VirtualImage,
    sd_boot: VirtualImage,
    grub: GrubImages,
    extra: Tree,
}

/// A release of noise with sizes like real ones.
fn release(text: &str) -> Release {
    let store = Blobs::default();
    let core = judge::noise(5, 60_000);
    let image = store.put(core.clone());
    let bootstrap = Bytes::from(judge::noise(6, 512));
    let bios = BiosBoot::new(grub::BIOS_PATH, image, &core, &bootstrap).unwrap();
    Release {
        version: version(text),
        kernel: store.put(judge::noise(1, 2 << 20)),
        initramfs: store.put(judge::noise(2, 5 << 20)),
        uki: store.put(judge::noise(3, (7 << 20) + 5)),
        sd_boot: store.put(judge::noise(4, 120_000)),
        grub: GrubImages { bios: Some(bios), efi: Some(store.put(judge::noise(7, 900_000))) },
        extra: Tree::default(),
        store,
    }
}

impl Release {
    fn inputs(&self, arch: Arch) -> IsoInputs<'_> {
        IsoInputs {
            version: &self.version,
            arch,
            cmdline: "talos.platform=metal console=tty0 x={a;b}",
            kernel: &self.kernel,
            initramfs: &self.initramfs,
            uki: Some(&self.uki),
            sd_boot: Some(&self.sd_boot),
            grub: Some(&self.grub),
            epoch: 1_700_000_000,
            enroll: Enroll::Off,
            extra_esp: &self.extra,
        }
    }
}

#[test]
fn every_version_gets_the_layout_it_always_had() {
    use Arch::{Amd64, Arm64};
    use IsoLayout::{Grub, Hybrid, UefiOnly};
    let cases = [
        ("1.3.7", Amd64, Bootloader::None, Grub),
        ("1.9.5", Arm64, Bootloader::SdBoot, Grub),
        ("1.10.0", Amd64, Bootloader::Grub, Hybrid),
        ("1.11.3", Arm64, Bootloader::None, Hybrid),
        ("1.12.0", Amd64, Bootloader::None, Hybrid),
        ("1.12.0", Arm64, Bootloader::None, UefiOnly),
        ("1.12.0", Amd64, Bootloader::SdBoot, UefiOnly),
        ("1.13.0", Arm64, Bootloader::DualBoot, Hybrid),
        ("1.13.0", Amd64, Bootloader::Grub, Grub),
        ("1.12.0-alpha.0", Arm64, Bootloader::Grub, Grub),
    ];
    for (text, arch, bootloader, expected) in cases {
        let layout = choose_layout(&version(text), arch, Boot::Plain, bootloader).unwrap();
        assert_eq!(layout, expected, "{text} {arch} {bootloader:?}");
        let secure = choose_layout(&version(text), arch, Boot::Secure, bootloader);
        if text == "1.3.7" {
            assert!(matches!(secure, Err(IsoError::NoSecureBoot { .. })));
        } else {
            assert_eq!(secure.unwrap(), UefiOnly, "{text}");
        }
    }
}

#[test]
fn volumes_are_named_after_the_version() {
    let cases = [
        ("1.7.6", "ISOIMAGE", ""),
        ("1.11.0", "TALOS_V1_11_0", "Talos-v1.11.0"),
        ("1.13.0-alpha.1", "TALOS_V1_13_0_ALPHA_1", "Talos-v1.13.0-alpha.1"),
        (
            "1.13.0-rc.1+build.of.a.very.long.name",
            "TALOS_V1_13_0_RC_1BUILD_OF_A_VER",
            "Talos-v1.13.0-rc.1+build.of.a.very.long.name",
        ),
    ];
    for (text, id, set) in cases {
        assert_eq!((volume_id(&version(text)).as_str(), volume_set(&version(text)).as_str()), (id, set));
    }
}

#[test]
fn grub_takes_a_command_line_literally() {
    let cases = [
        ("console=tty0 quiet", "console=tty0 quiet"),
        (r"a\b", r"a\\b"),
        (r#"x="{y}" & $z | ; <w>"#, r#"x=\"\{y\}\" \& \$z \| \; \<w\>"#),
    ];
    for (text, quoted) in cases {
        assert_eq!(grub_quote(text), quoted);
    }
    let release = release("1.13.0");
    let inputs = IsoInputs { cmdline: "a\nreboot", ..release.inputs(Arch::Amd64) };
    assert!(matches!(lay_out(IsoLayout::Grub, &inputs), Err(IsoError::Cmdline)));
}

#[test]
fn the_menu_offers_a_reset_since_1_4() {
    insta::assert_snapshot!(grub_cfg(&version("1.9.0"), "talos.platform=metal x=$y"));
    assert!(!grub_cfg(&version("1.3.7"), "").contains("Reset"));
    assert_eq!(
        loader_conf(Enroll::IfSafe),
        "# systemd-boot configuration\n\ntimeout 10\n\nsecure-boot-enroll if-safe\n"
    );
}

#[test]
fn enrolment_is_a_word_in_any_case() {
    for (word, mode) in [("off", Enroll::Off), ("Manual", Enroll::Manual), ("IF-SAFE", Enroll::IfSafe)] {
        assert_eq!(word.parse(), Ok(mode), "{word}");
    }
    for word in ["", "of", "if safe", "forced"] {
        assert!(word.parse::<Enroll>().unwrap_err().to_string().contains(&format!("{word:?}")), "{word}");
    }
}

#[test]
fn a_system_partition_has_ten_mib_beside_its_images() {
    let mut release = release("1.13.0");
    let mut uki = ImageLayout::default();
    uki.zeros((60 << 20) + 5);
    release.uki = uki.finish();
    let inputs = release.inputs(Arch::Arm64);
    let size = systemd_esp(&systemd_tree(&inputs, "UEFI").unwrap(), &inputs).unwrap().len();
    assert_eq!(size, (10 + 1 + 61) << 20, "boot loader and kernel image in whole MiB");
}

#[test]
fn the_three_layouts_are_the_known_ones() {
    let release = release("1.13.0");
    for (name, layout, arch) in [
        ("uefi", IsoLayout::UefiOnly, Arch::Arm64),
        ("hybrid", IsoLayout::Hybrid, Arch::Amd64),
        ("grub", IsoLayout::Grub, Arch::Amd64),
    ] {
        let image = lay_out(layout, &release.inputs(arch)).unwrap();
        insta::assert_snapshot!(name, dump::iso9660(&image).unwrap());
        let manifest = image.to_manifest().len();
        assert!(manifest < 24_000, "{name}: {manifest} bytes");
    }
}

#[test]
fn a_layout_says_what_it_lacks() {
    let release = release("1.13.0");
    let full = release.inputs(Arch::Amd64);
    let none = GrubImages::default();
    let cases = [
        (
            IsoLayout::UefiOnly,
            IsoInputs { uki: None, ..full.clone() },
            "an ISO for UEFI needs a unified kernel image",
        ),
        (
            IsoLayout::UefiOnly,
            IsoInputs { sd_boot: None, ..full.clone() },
            "an ISO for UEFI needs systemd-boot",
        ),
        (
            IsoLayout::Hybrid,
            IsoInputs { grub: None, ..full.clone() },
            "a hybrid ISO needs a GRUB image for a BIOS",
        ),
        (IsoLayout::Grub, IsoInputs { grub: Some(&none), ..full }, "a GRUB ISO needs a GRUB image for UEFI"),
    ];
    for (layout, inputs, expected) in cases {
        assert_eq!(lay_out(layout, &inputs).unwrap_err().to_string(), expected);
    }
}

/// The lines of xorriso's report that do not depend on where files happen to lie.
fn report(iso: &std::path::Path) -> Option<Vec<String>> {
    let args =
        ["-indev", iso.to_str().unwrap(), "-report_el_torito", "plain", "-report_system_area", "plain"];
    let report = judge::reports("xorriso", &args)?;
    let wanted = [
        "El Torito boot img",
        "El Torito img opts",
        "System area summary",
        "Partition offset",
        "MBR ",
        "Volume id",
    ];
    let lines = report.lines().filter(|line| wanted.iter().any(|wanted| line.starts_with(wanted)));
    // Numbers that are not 0 are addresses and sizes.
    Some(
        lines
            .map(|line| {
                line.split_whitespace()
                    .filter(|word| word.parse::<u32>().is_ok_and(|n| n < 300) || word.parse::<u32>().is_err())
                    .collect::<Vec<_>>()
                    .join(" ")
            })
            .collect(),
    )
}

#[test]
fn xorriso_makes_the_same_boot_records_for_a_uefi_iso() {
    let release = release("1.13.0");
    let dir = tempfile::tempdir().unwrap();
    let (ours, theirs, tree) =
        (dir.path().join("ours.iso"), dir.path().join("theirs.iso"), dir.path().join("tree"));
    let image = lay_out(IsoLayout::UefiOnly, &release.inputs(Arch::Amd64)).unwrap();
    release.store.write(&image, &ours);
    if judge::reports(
        "xorriso",
        &["-osirrox", "on", "-indev", ours.to_str().unwrap(), "-extract", "/", tree.to_str().unwrap()],
    )
    .is_none()
    {
        return;
    }
    let esp = dir.path().join("efiboot.img");
    let systemd = systemd_tree(&release.inputs(Arch::Amd64), "").unwrap();
    release.store.write(&systemd_esp(&systemd, &release.inputs(Arch::Amd64)).unwrap(), &esp);
    let args = [
        "-as",
        "mkisofs",
        "-e",
        "--interval:appended_partition_2:all::",
        "-append_partition",
        "2",
        "0xef",
        esp.to_str().unwrap(),
        "-partition_cyl_align",
        "all",
        "-partition_offset",
        "16",
        "-iso_mbr_part_type",
        "0x83",
        "-no-emul-boot",
        "-iso-level",
        "3",
        "-V",
        "TALOS_V1_13_0",
        "-o",
        theirs.to_str().unwrap(),
        tree.to_str().unwrap(),
    ];
    judge::reports("xorriso", &args).unwrap();
    let _ = judge::reports("chmod", &["-R", "u+w", tree.to_str().unwrap()]);
    let mut expected = report(&theirs).unwrap();
    // A remark xorriso leaves for itself in the system area.
    expected.iter_mut().for_each(|line| *line = line.replace(" cyl-align-on", " cyl-align-off"));
    let mut found = report(&ours).unwrap();
    found.iter_mut().for_each(|line| *line = line.replace(" cyl-align-on", " cyl-align-off"));
    assert_eq!(found, expected);
}

#[test]
fn xorriso_finds_what_a_bios_needs_in_a_hybrid_iso() {
    let mut release = release("1.13.0");
    let tools =
        grub::GrubTools { mkimage: "/usr/bin/grub-mkimage".into(), modules: vec!["/usr/lib/grub".into()] };
    let cooked =
        block_on_io(async { tools.cook_bios(&*release.store.0).await?.load(&*release.store.0).await });
    match cooked {
        Err(error @ (grub::GrubError::Modules { .. } | grub::GrubError::Program { .. })) => {
            println!("skipped: {error}");
            return;
        }
        cooked => release.grub.bios = Some(cooked.unwrap()),
    }
    let file = tempfile::NamedTempFile::new().unwrap();
    release.store.write(&lay_out(IsoLayout::Hybrid, &release.inputs(Arch::Amd64)).unwrap(), file.path());
    let Some(report) = report(file.path()) else { return };
    let expected = [
        "El Torito boot img : 1 BIOS y none 0x0000 0x00 4",
        "El Torito boot img : 2 UEFI y none 0x0000 0x00 0",
        "El Torito img opts : 1 boot-info-table grub2-boot-info",
        "System area summary: MBR protective-msdos-label grub2-mbr cyl-align-off GPT",
        "Partition offset : 16",
        "MBR heads per cyl : 64",
        "MBR secs per head : 32",
        "MBR partition table: N Status Type Start Blocks",
        "MBR partition : 1 0x00 0xee 1",
        "Volume id : 'TALOS_V1_13_0'",
    ];
    assert_eq!(report, expected);
}
