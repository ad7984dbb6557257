//! What every version has, and what it refuses.

use schematics::Arch;
use tests::http::Answer;
use tests::server::Factory;
use tests::tool;

use crate::site::Site;

/// How an asset is answered: with an image, or with a refusal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Expect {
    Image,
    TooOld,
    /// GRUB's modules are missing: those for arm64 where `make setup` could not fetch them.
    NeedsGrub,
}

/// The kind of boot records of an ISO.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Layout {
    Grub,
    Hybrid,
    Uefi,
}

/// The sum of what the reference says about a version.
struct Row {
    version: &'static str,
    uki: Expect,
    iso: [Layout; 2],
}

const fn row(version: &'static str, uki: Expect, amd64: Layout, arm64: Layout) -> Row {
    Row { version, uki, iso: [amd64, arm64] }
}

const ROWS: [Row; 8] = [
    row("v1.3.7", Expect::TooOld, Layout::Grub, Layout::Grub),
    row("v1.5.1", Expect::Image, Layout::Grub, Layout::Grub),
    row("v1.7.6", Expect::Image, Layout::Grub, Layout::Grub),
    row("v1.8.2", Expect::Image, Layout::Grub, Layout::Grub),
    row("v1.10.2", Expect::Image, Layout::Hybrid, Layout::Hybrid),
    row("v1.11.0", Expect::Image, Layout::Hybrid, Layout::Hybrid),
    row("v1.12.0", Expect::Image, Layout::Hybrid, Layout::Uefi),
    row("v1.13.0", Expect::Image, Layout::Hybrid, Layout::Uefi),
];

fn check(answer: &Answer, expected: Expect, what: &str) {
    let text = || String::from_utf8_lossy(&answer.body[..answer.body.len().min(300)]).into_owned();
    match expected {
        Expect::Image => assert_eq!(answer.status, 200, "{what}: {}", text()),
        Expect::TooOld => {
            assert_eq!(answer.status, 400, "{what}: {}", text());
            assert!(text().contains("is not supported for Talos version v"), "{what}: {}", text());
        }
        Expect::NeedsGrub => {
            assert_eq!(answer.status, 501, "{what}: {}", text());
            assert!(text().contains("GRUB"), "{what}: {}", text());
        }
    }
}

/// What lies on an ISO 9660 volume, by where its records are.
fn layout(iso: &[u8]) -> Layout {
    let has = |name: &[u8]| iso.windows(name.len()).any(|window| window == name);
    match (has(b"menuentry \"Talos ISO\""), has(b"secure-boot-enroll off")) {
        (true, true) => Layout::Hybrid,
        (true, false) => Layout::Grub,
        (false, true) => Layout::Uefi,
        (false, false) => panic!("neither loader"),
    }
}

#[test]
fn every_version_has_its_assets_and_no_others() {
    let site = Site::new("{}");
    let no_grub = tool::grub_modules("arm64-efi").is_err();
    for Row { version, uki, iso } in ROWS {
        for (arch, iso) in Arch::ALL.into_iter().zip(iso) {
            let missing = no_grub && iso == Layout::Grub && arch == Arch::Arm64;
            let cases = [
                (format!("kernel-{arch}"), Expect::Image),
                (format!("initramfs-{arch}.xz"), Expect::Image),
                (format!("cmdline-metal-{arch}"), Expect::Image),
                (format!("metal-{arch}-uki.efi"), uki),
                (format!("metal-{arch}.iso"), if missing { Expect::NeedsGrub } else { Expect::Image }),
            ];
            for (asset, expected) in cases {
                let asset = format!("{version}/{asset}");
                let answer = site.get(&asset);
                check(&answer, expected, &asset);
                let head = site.factory.head(&site.path(&asset));
                assert_eq!(head.status, answer.status, "{asset}");
                if answer.status != 200 {
                    continue;
                }
                assert_eq!(
                    head.header("content-length"),
                    Some(answer.body.len().to_string().as_str()),
                    "{asset}"
                );
                assert_eq!(head.header("etag"), answer.header("etag"), "{asset}");
                if asset.ends_with(".iso") {
                    assert_eq!(layout(&answer.body), iso, "{asset}");
                }
            }
        }
    }
}

#[test]
fn a_machine_without_grubs_modules_says_so_and_makes_the_rest() {
    let factory = Factory::with_release(&[("grub-modules", "/no/such/directory")]).unwrap();
    let id = factory.post_schematic("{}").json()["id"].as_str().unwrap().to_owned();
    for arch in Arch::ALL {
        let answer = factory.get(&format!("/image/{id}/v1.8.2/metal-{arch}.iso"));
        check(&answer, Expect::NeedsGrub, "v1.8.2");
        assert_eq!(factory.get(&format!("/image/{id}/v1.13.0/metal-{arch}-uki.efi")).status, 200, "{arch}");
    }
}

#[test]
fn initramfs_are_compressed_as_their_kernels_read_them() {
    let site = Site::new("{}");
    for (version, magic) in [
        ("v1.3.7", &b"\xfd7zXZ\0"[..]),
        ("v1.7.6", b"\xfd7zXZ\0"),
        ("v1.8.2", b"\x28\xb5\x2f\xfd"),
        ("v1.14.0-alpha.1", b"\x28\xb5\x2f\xfd"),
    ] {
        for arch in Arch::ALL {
            let bytes = site.bytes(&format!("{version}/initramfs-{arch}.xz"));
            assert!(bytes.starts_with(magic), "{version} {arch}");
        }
    }
}

/// A schematic, the versions that refuse it with these words, and those that take it.
struct Gate {
    schematic: &'static str,
    refused: &'static str,
    before: &'static [&'static str],
    from: &'static [&'static str],
    assets: &'static [&'static str],
}

const GATES: [Gate; 2] = [
    Gate {
        schematic: "customization: {embeddedMachineConfiguration: 'machine: {}'}",
        refused: "error enhancing profile from schematic: embedding configuration is not supported for Talos version",
        before: &["v1.3.7", "v1.5.1", "v1.7.6", "v1.8.2", "v1.10.2", "v1.11.0"],
        from: &["v1.12.0", "v1.13.0", "v1.14.0-alpha.1"],
        assets: &["initramfs-amd64.xz", "initramfs-arm64.xz", "metal-amd64.iso", "metal-arm64-uki.efi"],
    },
    Gate {
        schematic: "overlay: {name: rpi_generic, image: siderolabs/sbc-rpi-generic}",
        refused: "error enhancing profile from schematic: overlay is not supported for Talos version",
        before: &["v1.3.7", "v1.5.1", "v1.6.0"],
        from: &["v1.7.6", "v1.13.0"],
        assets: &["initramfs-arm64.xz", "metal-arm64.iso"],
    },
];

#[test]
fn what_came_later_is_refused_before_with_the_words_clients_know() {
    for gate in GATES {
        let site = Site::new(gate.schematic);
        for version in gate.before {
            for asset in gate.assets {
                let asset = format!("{version}/{asset}");
                if asset == "v1.3.7/metal-arm64-uki.efi" {
                    // Two reasons; the version has no such image at all.
                    assert_eq!(site.get(&asset).status, 400);
                    continue;
                }
                let answer = site.get(&asset);
                assert_eq!(answer.text(), format!("{} {version}\n", gate.refused), "{asset}");
                assert_eq!(answer.status, 400, "{asset}");
            }
            // What nothing is put into does not depend on it.
            for asset in ["kernel-arm64", "cmdline-metal-arm64"] {
                assert_eq!(site.get(&format!("{version}/{asset}")).status, 200, "{version} {asset}");
            }
        }
        for version in gate.from {
            for asset in gate.assets {
                let answer = site.get(&format!("{version}/{asset}"));
                assert_ne!(answer.status, 400, "{version} {asset}: {}", answer.text());
                assert_ne!(answer.status, 500, "{version} {asset}: {}", answer.text());
            }
        }
    }
}

#[test]
fn a_boot_loader_can_be_chosen_from_1_12() {
    for (loader, chosen) in [
        ("sd-boot", Layout::Uefi),
        ("grub", Layout::Grub),
        ("dual-boot", Layout::Hybrid),
        ("auto", Layout::Hybrid),
    ] {
        let schematic = if loader == "auto" {
            "{}".to_owned()
        } else {
            format!("customization: {{bootloader: {loader}}}")
        };
        let site = Site::new(&schematic);
        for (version, expected) in [
            ("v1.9.4", Layout::Grub),
            ("v1.10.2", Layout::Hybrid),
            ("v1.11.0", Layout::Hybrid),
            ("v1.12.0", chosen),
            ("v1.13.0", chosen),
        ] {
            let iso = site.bytes(&format!("{version}/metal-amd64.iso"));
            assert_eq!(layout(&iso), expected, "{loader} {version}");
        }
    }
}

#[test]
fn versions_that_are_not_there_have_nothing() {
    let site = Site::new("{}");
    for (version, status) in
        [("v1.1.0", 404), ("v1.2.0", 404), ("v1.13.2", 404), ("v2.0.0", 404), ("v1.13", 400)]
    {
        for asset in ["kernel-amd64", "initramfs-arm64.xz", "metal-amd64.iso"] {
            let answer = site.get(&format!("{version}/{asset}"));
            assert_eq!(answer.status, status, "{version} {asset}: {}", answer.text());
        }
    }
}
