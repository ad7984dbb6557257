use super::*;

#[test]
fn asset_names_survive_a_round_trip() {
    for name in [
        "kernel-amd64",
        "initramfs-arm64.xz",
        "cmdline-aws-arm64",
        "cmdline-metal-amd64-secureboot",
        "metal-amd64.iso",
        "metal-amd64-secureboot.iso",
        "nocloud-arm64-uki.efi",
        "metal-amd64-secureboot-uki.efi",
        "installer-amd64.tar",
        "installer-arm64-secureboot.tar",
        "digital-ocean-installer-amd64.tar",
        "aws-installer-arm64-secureboot.tar",
        "digital-ocean-amd64.raw.gz",
        "gcp-amd64.raw.tar.gz",
        "azure-amd64-secureboot.vhd.xz",
        "vmware-arm64.ova",
        "oracle-amd64.qcow2",
        "metal-arm64.raw.zst",
        "equinixMetal-amd64.iso",
        "metal-amd64-secureboot-uki.efi.pcrs.json",
        "metal-amd64-secureboot.iso.pcrs.json.p7s",
        "metal-arm64.iso.pcrlock",
        "metal-arm64-secureboot-uki.efi.pcrlock.p7s",
        "metal-amd64-secureboot.addon.efi",
        "metal-amd64-secureboot.addon.efi.pcrs.json",
    ] {
        assert_eq!(name.parse::<AssetName>().unwrap().to_string(), name);
    }
}

#[test]
fn aliases_print_their_one_spelling() {
    for (alias, name) in [
        ("kernel-x86_64", "kernel-amd64"),
        ("metal-i386.iso", "metal-amd64.iso"),
        ("metal-installer-amd64.tar", "installer-amd64.tar"),
        ("packet-amd64.iso", "equinixMetal-amd64.iso"),
    ] {
        assert_eq!(alias.parse::<AssetName>().unwrap().to_string(), name);
    }
}

#[test]
fn what_fits_no_rule_is_refused_with_the_known_text() {
    for (name, text) in [
        ("metal-amd64.ssd", r#"invalid profile path: "metal-amd64.ssd""#),
        ("metal-amd64.ssd.xz", r#"invalid profile path: "metal-amd64.ssd""#),
        ("initramfs-amd64", r#"invalid profile path: "initramfs-amd64""#),
        ("", r#"invalid profile path: """#),
        ("kernel-amd64.pcrs.json", r#"invalid profile path: "kernel-amd64.pcrs.json""#),
        ("metal-amd64.raw.pcrlock", r#"invalid profile path: "metal-amd64.raw.pcrlock""#),
        ("metal.iso", r#"invalid platform-arch: "metal""#),
        ("kernel-mips", r#"invalid architecture: "mips""#),
        ("metal-rpi_generic-arm64.raw.xz", r#"invalid architecture: "rpi_generic-arm64""#),
        ("metl-amd64.iso", "there is no platform `metl`; did you mean `metal`?"),
        ("iso-amd64.raw", "there is no platform `iso`"),
    ] {
        assert_eq!(name.parse::<AssetName>().unwrap_err().to_string(), text);
    }
}
