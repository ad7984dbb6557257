use std::io::Read as _;

use base64::Engine as _;

use super::{Composition, KernelArgs, Medium, profiles};
use crate::asset::parse_target;
use crate::meta::MetaValue;
use crate::version::TalosVersion;

fn line(version: &str, target: &str, medium: Medium, extra: &[&str]) -> String {
    composed(version, target, medium, extra, &[]).to_string()
}

fn composed(version: &str, target: &str, medium: Medium, extra: &[&str], meta: &[MetaValue]) -> KernelArgs {
    let version: TalosVersion = version.parse().unwrap();
    let extra: Vec<String> = extra.iter().map(ToString::to_string).collect();
    let target = parse_target(target).unwrap();
    let lockdown = false;
    Composition { version: &version, target, medium, overlay: &[], extra: &extra, meta, lockdown }.compose()
}

const COMMON: &str =
    "init_on_alloc=1 slab_nomerge pti=on consoleblank=0 nvme_core.io_timeout=4294967295 printk.devkmsg=on";
const IMA: &str = "ima_template=ima-ng ima_appraise=fix ima_hash=sha512";

#[test]
fn bare_metal_has_the_golden_line_of_its_version() {
    let metal = |version| line(version, "metal-amd64", Medium::Text, &[]);
    let serial = "talos.platform=metal console=ttyS0 console=tty0";
    let screen = "talos.platform=metal console=tty0";
    for version in ["1.3.7", "1.5.0", "1.7.6"] {
        assert_eq!(metal(version), format!("{serial} {COMMON} {IMA}"));
    }
    for version in ["1.8.0", "1.9.4"] {
        assert_eq!(metal(version), format!("{screen} {COMMON} {IMA}"));
    }
    assert_eq!(metal("1.10.0"), format!("{screen} {COMMON} {IMA} selinux=1"));
    assert_eq!(metal("1.11.0"), format!("{screen} {COMMON} selinux=1"));
    assert_eq!(metal("1.12.0"), format!("{screen} {COMMON} selinux=1 module.sig_enforce=1"));
    assert_eq!(
        metal("1.13.0"),
        format!("{screen} {COMMON} selinux=1 module.sig_enforce=1 proc_mem.force_override=never")
    );
    assert_eq!(
        metal("1.14.0"),
        "talos.platform=metal console=tty0 slab_nomerge pti=on consoleblank=0 printk.devkmsg=on selinux=1 \
         module.sig_enforce=1 proc_mem.force_override=never"
    );
}

#[test]
fn every_platform_brings_its_own() {
    let since = "slab_nomerge pti=on consoleblank=0 printk.devkmsg=on selinux=1 module.sig_enforce=1 \
                 proc_mem.force_override=never";
    for (target, platform) in [
        ("aws-amd64", "aws console=tty1 console=ttyS0 net.ifnames=0 nvme_core.io_timeout=4294967295"),
        ("nocloud-arm64", "nocloud console=tty1 console=ttyS0 net.ifnames=0"),
        ("digital-ocean-amd64", "digital-ocean console=ttyS0 console=tty0 console=tty1 net.ifnames=0"),
        ("equinixMetal-arm64", "equinixMetal console=ttyAMA0,115200"),
        ("metal-arm64", "metal console=ttyAMA0 console=tty0"),
        ("upcloud-amd64", "upcloud net.ifnames=0"),
        (
            "vmware-amd64",
            "vmware talos.config=guestinfo console=tty0 console=ttyS0 earlyprintk=ttyS0,115200 net.ifnames=0",
        ),
    ] {
        assert_eq!(line("1.14.0", target, Medium::Text, &[]), format!("talos.platform={platform} {since}"));
    }
}

#[test]
fn each_medium_takes_what_it_can() {
    let meta = [MetaValue { key: 10, value: r#"{"externalIPs":["1.2.3.4"]}"#.to_owned() }];
    let environment =
        "talos.environment=INSTALLER_META_BASE64=MHhhPXsiZXh0ZXJuYWxJUHMiOlsiMS4yLjMuNCJdfQ== nolapic";
    for (medium, version, tail) in [
        (Medium::Text, "1.9.0", environment),
        (Medium::Iso, "1.9.0", environment),
        (Medium::Disk, "1.9.0", "nolapic"),
        (Medium::Uki, "1.10.0", "nolapic"),
        (Medium::Uki, "1.9.0", "ima_hash=sha512"),
    ] {
        let text = composed(version, "metal-amd64", medium, &["nolapic"], &meta).to_string();
        assert!(text.ends_with(tail), "{text}");
        let halts = text.contains(" talos.halt_if_installed=1 ");
        assert_eq!(halts, medium == Medium::Iso, "{text}");
        assert_eq!(text.contains("META"), matches!(medium, Medium::Text | Medium::Iso), "{text}");
    }
    assert!(!line("1.7.0", "metal-amd64", Medium::Iso, &[]).contains("halt_if_installed"));
}

#[test]
fn long_meta_is_compressed_where_it_can_be_read() {
    let decoded = |version, length| {
        let meta = [MetaValue { key: 10, value: "x".repeat(length) }];
        let text = composed(version, "metal-amd64", Medium::Text, &[], &meta).to_string();
        let encoded = text.split("INSTALLER_META_BASE64=").nth(1).unwrap().to_owned();
        base64::engine::general_purpose::STANDARD.decode(encoded).unwrap()
    };
    let plain = |length| format!("0xa={}", "x".repeat(length)).into_bytes();
    assert_eq!(decoded("1.6.2", 300), plain(300));
    // 256 bytes with the key are not long yet.
    assert_eq!(decoded("1.6.3", 252), plain(252));
    assert_ne!(decoded("1.6.3", 253), plain(253));
    let packed = decoded("1.6.3", 300);
    let mut text = String::new();
    flate2::read::GzDecoder::new(packed.as_slice()).read_to_string(&mut text).unwrap();
    assert_eq!(text, format!("0xa={}", "x".repeat(300)));
}

#[test]
fn extra_arguments_add_overwrite_and_remove() {
    let edited = |extra: &[&str]| line("1.14.0", "metal-amd64", Medium::Text, extra);
    let rest = "selinux=1 module.sig_enforce=1 proc_mem.force_override=never";
    for (extra, expected) in [
        (
            vec!["a=1 b", "a=2"],
            format!("console=tty0 slab_nomerge pti=on consoleblank=0 printk.devkmsg=on {rest} a=1 a=2 b"),
        ),
        (
            vec!["console=ttyS1"],
            format!("console=ttyS1 slab_nomerge pti=on consoleblank=0 printk.devkmsg=on {rest}"),
        ),
        (vec!["-console", "-pti"], format!("slab_nomerge consoleblank=0 printk.devkmsg=on {rest}")),
        (
            vec!["-pti=off", "-consoleblank=0"],
            format!("console=tty0 slab_nomerge pti=on printk.devkmsg=on {rest}"),
        ),
        (vec!["-"], format!("console=tty0 slab_nomerge pti=on consoleblank=0 printk.devkmsg=on {rest} -")),
        (
            vec!["-pti", "-pti=off"],
            format!("console=tty0 slab_nomerge consoleblank=0 printk.devkmsg=on {rest}"),
        ),
    ] {
        assert_eq!(edited(&extra), format!("talos.platform=metal {expected}"), "{extra:?}");
    }
}

#[test]
fn secure_boot_locks_the_kernel_down_before_1_14() {
    let locked = |version| line(version, "metal-amd64-secureboot", Medium::Text, &["x"]);
    assert!(locked("1.13.0").ends_with("proc_mem.force_override=never lockdown=confidentiality x"));
    assert!(!locked("1.14.0").contains("lockdown"));
}

#[test]
fn from_1_14_on_the_lockdown_is_a_choice_of_secure_boot_alone() {
    for (version, target, chosen, locked) in [
        ("1.14.0", "metal-amd64-secureboot", true, true),
        ("1.14.0", "metal-amd64-secureboot", false, false),
        ("1.14.0", "metal-amd64", true, false),
        ("1.13.0", "metal-amd64", true, false),
    ] {
        let (version, target) = (version.parse().unwrap(), parse_target(target).unwrap());
        let composition = Composition {
            version: &version,
            target,
            medium: Medium::Uki,
            overlay: &[],
            extra: &[],
            meta: &[],
            lockdown: chosen,
        };
        let line = composition.compose().to_string();
        assert_eq!(line.contains("lockdown=confidentiality"), locked, "{version} {target} {chosen}");
    }
}

#[test]
fn profiles_say_what_they_wipe() {
    let version: TalosVersion = "1.13.0".parse().unwrap();
    let main = KernelArgs::parse(&["a=b"]);
    let iso = profiles(&version, true, &main);
    assert_eq!(iso[0].id, "reset");
    assert_eq!(iso[0].cmdline, "a=b talos.experimental.wipe=system");
    assert_eq!(
        profiles(&version, false, &main)[0].cmdline,
        "a=b talos.experimental.wipe=system:EPHEMERAL,STATE"
    );
    assert!(profiles(&"1.9.0".parse().unwrap(), true, &main).is_empty());
}
