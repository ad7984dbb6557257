//! The initramfs as the kernel's and everybody's tools read it.

use std::path::{Path, PathBuf};

use fs_err as fs;
use tests::release::{GVISOR_LABEL, KERNEL_RELEASE, MICROCODE, MODULE, RUNSC, SETTINGS};

use crate::site::{FULL, Site, judge, refuses, report};

/// An initramfs, taken apart by the reference tools.
struct Parts {
    /// The early archive with microcode, unpacked.
    early: Option<PathBuf>,
    /// The archives behind it, unpacked, in their order.
    archives: Vec<PathBuf>,
    /// How many compressed streams they are in, as the decompressor counts.
    streams: usize,
    /// What they are compressed with: `zstd`, or `xz` and its check.
    format: String,
}

/// Where a newc archive ends, its trailer included and padding left out.
fn archive_end(bytes: &[u8]) -> usize {
    let mut at = 0;
    loop {
        assert!(bytes[at..].starts_with(b"070701"), "no entry at {at}");
        let field = |n: usize| {
            let digits = std::str::from_utf8(&bytes[at + 6 + 8 * n..at + 14 + 8 * n]).unwrap();
            usize::from_str_radix(digits, 16).unwrap()
        };
        let (size, name_size) = (field(6), field(11));
        let name = &bytes[at + 110..at + 109 + name_size];
        let content = (at + 110 + name_size).next_multiple_of(4);
        at = (content + size).next_multiple_of(4);
        if name == b"TRAILER!!!" {
            return at;
        }
    }
}

/// An archive without the zeros in front of it.
fn unpadded(bytes: &[u8]) -> &[u8] {
    &bytes[bytes.iter().position(|byte| *byte != 0).unwrap_or(bytes.len())..]
}

fn unpack(site: &Site, name: &str, archive: &[u8]) -> Option<PathBuf> {
    let file = site.save(&format!("{name}.cpio"), archive);
    let into = site.dir.path().join(name);
    fs::create_dir(&into).unwrap();
    judge("cpio", "cpio", &[&"-i", &"-d", &"-m", &"--quiet", &"-D", &into, &"-F", &file])?;
    Some(into)
}

/// Takes an initramfs apart as the compatibility suite does: a raw archive if there is one, then compressed streams with
/// archives in them, then the end.
fn take_apart(site: &Site, initramfs: &[u8]) -> Option<Parts> {
    let mut rest = initramfs;
    let mut early = None;
    if rest.starts_with(b"070701") {
        let (first, behind) = rest.split_at(archive_end(rest));
        early = Some(unpack(site, "early", first)?);
        rest = unpadded(behind);
    }
    let zstd = rest.starts_with(&[0x28, 0xb5, 0x2f, 0xfd]);
    assert!(zstd || rest.starts_with(b"\xfd7zXZ\0"), "neither zstd nor xz: {:?}", &rest[..8]);
    let (program, package) = if zstd { ("zstd", "zstd") } else { ("xz", "xz-utils") };
    let file = site.save(&format!("rest.{}", if zstd { "zst" } else { "xz" }), rest);
    let plain = judge(program, package, &[&"-d", &"-c", &"-q", &file])?;
    let (streams, format) = if zstd {
        let table = report("zstd", "zstd", &[&"-l", &file])?;
        let frames = table.lines().nth(1).and_then(|line| line.split_whitespace().next()).unwrap();
        (frames.parse().unwrap(), "zstd".to_owned())
    } else {
        let table = report("xz", "xz-utils", &[&"--robot", &"-l", &file])?;
        let line: Vec<&str> =
            table.lines().find(|line| line.starts_with("file")).unwrap().split('\t').collect();
        (line[1].parse().unwrap(), format!("xz {}", line[6]))
    };
    let mut archives = Vec::new();
    let mut plain = unpadded(&plain);
    while !plain.is_empty() {
        let (archive, behind) = plain.split_at(archive_end(plain));
        archives.push(unpack(site, &format!("archive-{}", archives.len()), archive)?);
        plain = unpadded(behind);
    }
    Some(Parts { early, archives, streams, format })
}

/// The layers of `extensions.yaml`: file and name of the extension, in their order.
fn layers(appended: &Path) -> Vec<(String, String)> {
    let text = fs::read_to_string(appended.join("extensions.yaml")).unwrap();
    let value = |line: &str| line.split_once(": ").unwrap().1.trim_matches('"').to_owned();
    let images = text.lines().filter(|line| line.trim_start().starts_with("- image: ")).map(value);
    let names = text.lines().filter(|line| line.starts_with("          name: ")).map(value);
    images.zip(names).collect()
}

fn names(dir: &Path) -> Vec<String> {
    let mut names: Vec<String> =
        fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

/// Unpacks a layer.
fn layer(site: &Site, squashfs: &Path) -> Option<PathBuf> {
    let into = site.dir.path().join(format!("layer-{}", squashfs.file_name().unwrap().display()));
    judge("unsquashfs", "squashfs-tools", &[&"-q", &"-n", &"-d", &into, &squashfs])?;
    Some(into)
}

#[test]
fn a_plain_initramfs_is_the_base_and_one_archive() {
    for (version, format, information) in [
        ("v1.3.7", "xz CRC32", false),
        ("v1.5.1", "xz CRC32", false),
        ("v1.7.6", "xz CRC32", true),
        ("v1.8.2", "zstd", true),
        ("v1.10.2", "zstd", true),
        ("v1.11.0", "zstd", true),
        ("v1.13.0", "zstd", true),
    ] {
        for arch in ["amd64", "arm64"] {
            let site = Site::new("{}");
            let bytes = site.bytes(&format!("{version}/initramfs-{arch}.xz"));
            let Some(parts) = take_apart(&site, &bytes) else { return };
            assert_eq!(parts.early, None, "{version}");
            assert_eq!(
                (parts.streams, parts.archives.len(), parts.format.as_str()),
                (2, 2, format),
                "{version}"
            );
            assert_eq!(names(&parts.archives[0]), ["init", "rootfs.sqsh"], "{version}");
            assert_eq!(
                fs::read(parts.archives[0].join("init")).unwrap(),
                format!("the init for {arch}\n").as_bytes()
            );
            let appended = &parts.archives[1];
            assert_eq!(names(appended), ["0.sqsh", "extensions.yaml"], "{version}");
            assert_eq!(layers(appended), [("0.sqsh".to_owned(), "schematic".to_owned())]);
            let text = fs::read_to_string(appended.join("extensions.yaml")).unwrap();
            assert!(text.contains(&site.id), "the schematic's layer has its id as its version: {text}");
            assert_eq!(text.contains("customization: {}"), information, "{version}: {text}");
            assert!(text.contains("Image Factory (http://factory.example)"), "{text}");
            let Some(schematic) = layer(&site, &appended.join("0.sqsh")) else { return };
            assert_eq!(fs::read(schematic.join("usr/local/share/schematic").join(&site.id)).unwrap(), b"");
        }
    }
}

#[test]
fn extensions_become_layers_and_microcode_comes_first() {
    for (version, lib, format) in
        [("v1.3.7", "lib", "xz CRC32"), ("v1.8.2", "lib", "zstd"), ("v1.13.0", "usr/lib", "zstd")]
    {
        let site = Site::new(FULL);
        let Some(parts) = take_apart(&site, &site.bytes(&format!("{version}/initramfs-amd64.xz"))) else {
            return;
        };
        let early = parts.early.expect("there is microcode");
        assert_eq!(fs::read(early.join("kernel/x86/microcode/AuthenticAMD.bin")).unwrap(), MICROCODE);
        assert_eq!((parts.archives.len(), parts.streams, parts.format.as_str()), (2, 2, format), "{version}");
        let appended = &parts.archives[1];
        let expected = [
            ("0.sqsh", "gvisor"),
            ("1.sqsh", "amd-ucode"),
            ("2.sqsh", "nvidia-open-gpu-kernel-modules"),
            ("3.sqsh", "schematic"),
            ("modules.dep.sqsh", "modules.dep"),
        ];
        let expected = expected.map(|(file, name)| (file.to_owned(), name.to_owned()));
        assert_eq!(layers(appended), expected, "{version}");
        let Some(modules) = layer(&site, &appended.join("2.sqsh")) else { return };
        assert!(modules.join(lib).join("modules").join(KERNEL_RELEASE).join(MODULE).is_file(), "{version}");
        let Some(index) = layer(&site, &appended.join("modules.dep.sqsh")) else { return };
        let index = index.join(lib).join("modules").join(KERNEL_RELEASE);
        let dep = fs::read_to_string(index.join("modules.dep")).unwrap();
        assert!(dep.contains(MODULE) && dep.contains("kernel/base.ko"), "{version}: {dep}");
        let alias = fs::read_to_string(index.join("modules.alias")).unwrap();
        assert!(alias.contains("alias pci:v000010DEd* nvidia"), "{version}: {alias}");
        let Some(ucode) = layer(&site, &appended.join("1.sqsh")) else { return };
        assert!(!ucode.join(lib).join("firmware/amd-ucode/microcode_amd_fam19h.bin").exists(), "{version}");
    }
}

#[test]
fn a_layer_has_the_bytes_modes_owners_and_labels_of_its_extension() {
    let site = Site::new(FULL);
    let Some(parts) = take_apart(&site, &site.bytes("v1.13.0/initramfs-arm64.xz")) else { return };
    let squashfs = parts.archives[1].join("0.sqsh");
    let Some(list) = report("unsquashfs", "squashfs-tools", &[&"-lln", &squashfs]) else { return };
    let line = |path: &str| {
        list.lines().find(|line| line.ends_with(path)).unwrap_or_else(|| panic!("{path}: {list}"))
    };
    assert!(line(RUNSC).starts_with("-rwxr-xr-x 0/0 "), "{list}");
    assert!(line(SETTINGS).starts_with("-rw------- 0/0 "), "{list}");
    assert!(line(RUNSC).contains("1970-01-01"), "{list}");
    let Some(gvisor) = layer(&site, &squashfs) else { return };
    assert_eq!(fs::read(gvisor.join(RUNSC)).unwrap(), "runsc for arm64 ".repeat(9000).as_bytes());
    assert_eq!(label(&gvisor.join(RUNSC)).as_deref(), Some(GVISOR_LABEL));
    assert_eq!(label(&gvisor.join(SETTINGS)), None);
    let Some(about) = report("unsquashfs", "squashfs-tools", &[&"-s", &squashfs]) else { return };
    assert!(about.contains("Compression zstd") && about.contains("compression-level 9"), "{about}");
}

fn label(path: &Path) -> Option<String> {
    let mut value = [0_u8; 256];
    let size = rustix::fs::lgetxattr(path, "security.selinux", &mut value[..]).ok()?;
    Some(String::from_utf8_lossy(&value[..size]).into_owned())
}

#[test]
fn an_embedded_configuration_is_a_layer_that_only_the_system_reads() {
    let site = Site::new("customization: {embeddedMachineConfiguration: 'machine: {}'}");
    let Some(parts) = take_apart(&site, &site.bytes("v1.13.0/initramfs-amd64.xz")) else { return };
    let appended = &parts.archives[1];
    let names: Vec<String> = layers(appended).into_iter().map(|(_, name)| name).collect();
    assert_eq!(names, ["schematic", "embedded-config"]);
    let squashfs = appended.join("1.sqsh");
    let Some(list) = report("unsquashfs", "squashfs-tools", &[&"-lln", &squashfs]) else { return };
    let file = "usr/local/etc/talos/config.yaml";
    assert!(list.lines().any(|line| line.starts_with("-r-------- 0/0 ") && line.ends_with(file)), "{list}");
    let Some(layer) = layer(&site, &squashfs) else { return };
    assert_eq!(fs::read(layer.join(file)).unwrap(), b"machine: {}");
    assert_eq!(label(&layer.join(file)).as_deref(), Some("system_u:object_r:system_state_t:s0"));
}

#[test]
fn layers_are_stacked_in_the_order_of_their_names_as_text() {
    let many = "    - siderolabs/gvisor\n".repeat(11);
    let site = Site::new(&format!("customization:\n  systemExtensions:\n    officialExtensions:\n{many}"));
    let Some(parts) = take_apart(&site, &site.bytes("v1.11.0/initramfs-amd64.xz")) else { return };
    let files: Vec<String> = layers(&parts.archives[1]).into_iter().map(|(file, _)| file).collect();
    let numbers = ["0", "1", "10", "11", "2", "3", "4", "5", "6", "7", "8", "9"];
    assert_eq!(files, numbers.map(|number| format!("{number}.sqsh")));
}

#[test]
fn tools_notice_what_is_damaged() {
    let site = Site::new("{}");
    for (version, program, package, name) in
        [("v1.7.6", "xz", "xz-utils", "damaged.xz"), ("v1.13.0", "zstd", "zstd", "damaged.zst")]
    {
        let intact = site.bytes(&format!("{version}/initramfs-arm64.xz"));
        let refused = |bytes: &[u8]| refuses(program, package, &[&"-t", &"-q", &site.save(name, bytes)]);
        let Some(verdict) = refused(&intact) else { continue };
        assert!(!verdict, "{version}");
        assert_eq!(refused(&intact[..intact.len() - 1]), Some(true), "{version}, cut");
        // The kernel wants no checksum in zstd frames; in xz streams one covers every byte.
        if program == "xz" {
            for at in [100, intact.len() - 200] {
                let mut changed = intact.clone();
                changed[at] ^= 1;
                assert_eq!(refused(&changed), Some(true), "{version}, byte {at}");
            }
        }
    }
}
