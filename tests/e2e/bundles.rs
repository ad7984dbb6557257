//! Bundles: what certain versions and schematics need, served where there is no network.

use std::collections::BTreeSet;
use std::path::Path;

use fs_err as fs;
use schematics::{Arch, Digest};
use tests::bundle::{export, order};
use tests::netns::Netns;
use tests::or_skip;
use tests::server::Factory;

use crate::site::{FIXED_URL, FULL, create};

/// A schematic with an overlay.
const BOARD: &str = "overlay: {image: siderolabs/sbc-rpi-generic, name: rpi_generic}\n";
const VERSION: &str = "v1.13.0";

/// All that can be asked for of a schematic.
const ASSETS: [&str; 11] = [
    "kernel-amd64",
    "initramfs-amd64.xz",
    "cmdline-metal-amd64",
    "metal-amd64-uki.efi",
    "metal-amd64.iso",
    "installer-amd64.tar",
    "kernel-arm64",
    "initramfs-arm64.xz",
    "metal-arm64-uki.efi",
    "metal-arm64.iso",
    "installer-arm64.tar",
];

fn source_of(factory: &Factory) -> String {
    format!("oci:{}", factory.data().parent().unwrap().join("source").display())
}

/// A factory on a bundle, in a network it cannot leave.
fn offline(netns: &Netns, bundle: &Path) -> Factory {
    let source = format!("oci:{}", bundle.display());
    netns.run(|| Factory::start(&[FIXED_URL, ("source", &source)]).unwrap()).unwrap()
}

#[test]
fn everything_in_a_bundle_can_be_made_without_a_network() {
    let Some(netns) = or_skip(Netns::new()) else { return };
    let (whole, dir) = (Factory::with_release(&[FIXED_URL]).unwrap(), tempfile::tempdir().unwrap());
    let ids = [create(&whole, FULL), create(&whole, BOARD)];
    let wanted = order(&[VERSION, "v1.12.0"], &[FULL, BOARD]).unwrap();
    for name in ["bundle", "bundle.tar"] {
        let path = dir.path().join(name);
        export(&source_of(&whole), &wanted, &path).unwrap();
        let factory = offline(&netns, &path);
        let get = |target: &str| netns.run(|| factory.get(target)).unwrap();
        assert_eq!(get("/versions").json(), serde_json::json!(["v1.12.0", VERSION]));
        for id in &ids {
            // Nobody posted them here.
            assert_eq!(get(&format!("/schematics/{id}")).body, whole.get(&format!("/schematics/{id}")).body);
            for asset in ASSETS {
                let target = format!("/image/{id}/{VERSION}/{asset}");
                let (made, expected) = (get(&target), whole.get(&target));
                assert_eq!(made.status, expected.status, "{target}: {}", made.text());
                assert_eq!(Digest::of(&made.body), Digest::of(&expected.body), "{target}");
            }
            let target = format!("/v2/installer/{id}/manifests/{VERSION}");
            assert_eq!(get(&target).body, whole.get(&target).body);
        }
    }
}

#[test]
fn what_a_bundle_leaves_out_is_named() {
    let (whole, dir) = (Factory::with_release(&[FIXED_URL]).unwrap(), tempfile::tempdir().unwrap());
    let gvisor = "customization: {systemExtensions: {officialExtensions: [siderolabs/gvisor]}}";
    let mut wanted = order(&[VERSION], &[gvisor]).unwrap();
    wanted.arches = Some(BTreeSet::from([Arch::Amd64]));
    let path = dir.path().join("bundle.tar");
    export(&source_of(&whole), &wanted, &path).unwrap();
    let source = format!("oci:{}", path.display());
    let factory = Factory::start(&[FIXED_URL, ("source", &source)]).unwrap();
    let (gvisor, other, board) = (create(&factory, gvisor), create(&factory, FULL), create(&factory, BOARD));
    let made = factory.get(&format!("/image/{gvisor}/{VERSION}/initramfs-amd64.xz"));
    assert_eq!(made.status, 200, "{}", made.text());
    let bundle = format!("is missing at the bundle {source}");
    for (target, image) in [
        (format!("/image/{other}/{VERSION}/initramfs-amd64.xz"), "siderolabs/amd-ucode"),
        (format!("/image/{gvisor}/{VERSION}/initramfs-arm64.xz"), "siderolabs/gvisor"),
        (format!("/image/{board}/{VERSION}/metal-arm64.iso"), "siderolabs/sbc-rpi-generic"),
        (format!("/v2/installer/{other}/manifests/{VERSION}"), "siderolabs/amd-ucode"),
    ] {
        let answer = factory.get(&target);
        assert_eq!(answer.status, 404, "{target}: {}", answer.text());
        assert!(answer.text().contains(image) && answer.text().contains(&bundle), "{}", answer.text());
    }
    // An installer for what is there can be pulled.
    let index = factory.get(&format!("/v2/installer/{gvisor}/manifests/{VERSION}")).json();
    let entries = index["manifests"].as_array().unwrap();
    assert_eq!(
        (entries.len(), entries[0]["platform"]["architecture"].as_str()),
        (1, Some("amd64")),
        "{index}"
    );
    for target in [format!("/talosctl/{VERSION}"), format!("/v2/siderolabs/talosctl-all/manifests/{VERSION}")]
    {
        let answer = factory.get(&target);
        assert_eq!(answer.status, 404, "{target}: {}", answer.text());
        let named = answer.text().contains("siderolabs/talosctl-all at the bundle");
        assert!(named, "{}", answer.text());
    }
    let version = factory.get(&format!("/image/{gvisor}/v1.12.0/kernel-amd64"));
    assert_eq!(version.status, 404, "{}", version.text());
    // An ordinary source that lost something is at fault itself.
    let lost = whole.data().parent().unwrap().join("source/blobs");
    fs::remove_dir_all(&lost).unwrap();
    let answer = whole.get(&format!("/image/{}/{VERSION}/kernel-amd64", create(&whole, "{}")));
    assert_eq!(answer.status, 502, "{}", answer.text());
}

#[test]
fn what_cannot_be_had_is_not_exported() {
    let (whole, dir) = (Factory::with_release(&[]).unwrap(), tempfile::tempdir().unwrap());
    let path = dir.path().join("bundle");
    for (version, schematic, message) in [
        ("v9.9.9", "{}", "version 9.9.9 is not available"),
        (VERSION, "customisation: {}", "field customisation not found"),
        (
            VERSION,
            "customization: {systemExtensions: {officialExtensions: [siderolabs/none]}}",
            "official extension \"siderolabs/none\" is not available",
        ),
        (VERSION, "overlay: {image: siderolabs/x, name: none}", "wants the overlay \"none\""),
    ] {
        let failed =
            export(&source_of(&whole), &order(&[version], &[schematic]).unwrap(), &path).unwrap_err();
        let mut text = failed.to_string();
        let mut source = failed.source();
        while let Some(error) = source {
            text = format!("{text}: {error}");
            source = error.source();
        }
        assert!(text.contains(message), "{text}");
        assert!(!fs::exists(&path).unwrap());
    }
}

#[test]
fn the_names_in_a_bundle_are_those_of_the_source() {
    let (whole, dir) = (Factory::with_release(&[]).unwrap(), tempfile::tempdir().unwrap());
    let mut wanted =
        order(&[VERSION], &["customization: {systemExtensions: {officialExtensions: [siderolabs/gvisor]}}"])
            .unwrap();
    wanted.talosctl = true;
    let names = export(&source_of(&whole), &wanted, &dir.path().join("bundle")).unwrap();
    let (signatures, images): (Vec<&String>, _) = names.iter().partition(|name| name.ends_with(".sig"));
    let repositories = |names: &[&String]| -> Vec<String> {
        names.iter().map(|name| name.split([':', '@']).next().unwrap().to_owned()).collect()
    };
    let signed = repositories(&signatures);
    let images = repositories(&images);
    let unsigned = ["siderolabs/image-factory/schematics"];
    assert!(
        images.iter().all(|image| signed.contains(image) != unsigned.contains(&image.as_str())),
        "{signed:?}"
    );
    assert_eq!(
        images,
        [
            "siderolabs/extensions",
            "siderolabs/gvisor",
            "siderolabs/image-factory/schematics",
            "siderolabs/imager",
            "siderolabs/installer-base",
            "siderolabs/overlays",
            "siderolabs/talosctl-all",
        ]
    );
}
