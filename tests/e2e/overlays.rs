//! Schematics with an overlay: what its own program adds, and what an installer brings of it.

use crate::installers::{files, image};
use crate::site::{Site, create};
use crate::ukis::{COMMON, NEWEST, section, sections};

/// The overlay of the pretend release.
pub(crate) const BOARD: &str =
    "overlay: {name: rpi_generic, image: siderolabs/sbc-rpi-generic, options: {configTxt: a}}";

#[test]
fn an_overlay_is_a_layer_of_its_own() {
    let site = Site::new(BOARD);
    for version in ["v1.7.0", "v1.13.0"] {
        let (_, layers) = image(&site.factory, &format!("installer/{}", site.id), version, "arm64");
        assert_eq!(layers.len(), 3, "{version}");
        let overlay = files(&layers[2]);
        let listed: Vec<(&str, u32)> =
            overlay.iter().map(|(path, (mode, _))| (path.as_str(), *mode)).collect();
        assert_eq!(
            listed,
            [
                ("overlay/artifacts/", 0o755),
                ("overlay/artifacts/arm64/", 0o755),
                ("overlay/artifacts/arm64/firmware/", 0o755),
                ("overlay/artifacts/arm64/firmware/boot/", 0o755),
                ("overlay/artifacts/arm64/firmware/boot/fixup4.dat", 0o644),
                ("overlay/artifacts/arm64/u-boot/", 0o755),
                ("overlay/artifacts/arm64/u-boot/rpi_generic/", 0o755),
                ("overlay/artifacts/arm64/u-boot/rpi_generic/u-boot.bin", 0o640),
                ("overlay/extra-options", 0o644),
                ("overlay/installers/default", 0o755),
            ]
        );
        assert_eq!(overlay["overlay/extra-options"].1, b"configTxt: a\n");
        assert_eq!(overlay["overlay/artifacts/arm64/u-boot/rpi_generic/u-boot.bin"].1, b"u-boot");
    }
}

#[test]
fn the_arguments_of_its_program_are_on_the_command_line_of_images_alone() {
    let site = Site::new(BOARD);
    let asked = "console=tty0 console=ttyAMA0,115200 talos.dashboard.disabled=1";
    let line = format!("talos.platform=metal {asked} init_on_alloc=1 {COMMON} {NEWEST}");
    let Some(found) = sections(&site.download("v1.13.0/metal-arm64-uki.efi")) else { return };
    assert!(found.contains(&section(".cmdline", line.as_bytes())), "{found:?}");
    let (_, layers) = image(&site.factory, &format!("installer/{}", site.id), "v1.13.0", "arm64");
    assert!(
        files(&layers[1])["usr/install/arm64/vmlinuz.efi"].1 == site.bytes("v1.13.0/metal-arm64-uki.efi")
    );
    assert_eq!(site.get("v1.13.0/metal-arm64.iso").status, 200);
    let plain = String::from_utf8(site.bytes("v1.13.0/cmdline-metal-arm64")).unwrap();
    assert!(!plain.contains("talos.dashboard.disabled"), "{plain}");
}

#[test]
fn what_an_overlay_cannot_do_is_told() {
    let site = Site::new(BOARD);
    let unknown = create(&site.factory, "overlay: {name: none, image: siderolabs/none}");
    let refused = create(&site.factory, "overlay: {name: rpi_generic, image: x, options: {please: fail}}");
    for (id, version, text) in [
        (&unknown, "v1.7.0", "official overlay \"none\" is not available for Talos version v1.7.0"),
        (&site.id, "v1.6.0", "overlay is not supported for Talos version v1.6.0"),
        (&refused, "v1.13.0", "the overlay \"rpi_generic\" refuses its options: told to fail"),
    ] {
        let answer = site.factory.get(&format!("/v2/installer/{id}/manifests/{version}"));
        let message = answer.json()["errors"][0]["message"].as_str().unwrap_or_default().to_owned();
        assert!(answer.status == 400 && message.ends_with(text), "{} {message}", answer.status);
    }
    let uki = site.factory.get(&format!("/image/{refused}/v1.13.0/metal-arm64-uki.efi"));
    assert!(uki.status == 400 && uki.text().ends_with("told to fail\n"), "{}", uki.text());
}
