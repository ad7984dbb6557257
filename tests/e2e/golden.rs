//! The same bytes for ever: everything the factory makes has digests that are written down.
//!
//! What GRUB's and kmod's programs write depends on their versions, so images with GRUB or modules in them are only
//! compared among each other. `FACTORY_BLESS=1 cargo test -p tests golden` writes the file anew; do that only together with
//! a recipe revision, since every image that was ever made changes with it.

use std::collections::BTreeMap;
use std::path::Path;

use fs_err as fs;
use schematics::Digest;
use tempfile::TempDir;
use tests::release::{self, Order};
use tests::server::Factory;

use crate::site::{FIXED_URL, create};

const GOLDEN: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/e2e/golden.txt");
/// Nothing in it depends on a program outside the factory.
const PLAIN: &str = "customization:\n  extraKernelArgs: [quiet]\n  bootloader: sd-boot\n  systemExtensions:\n    officialExtensions: [siderolabs/gvisor, siderolabs/amd-ucode]\n";
const EMBEDDED: &str = "customization: {embeddedMachineConfiguration: 'machine: {}', bootloader: sd-boot}";
/// Kernel modules, and GRUB in the ISO.
const FOREIGN: &str = "customization:\n  systemExtensions:\n    officialExtensions: [siderolabs/nvidia-open-gpu-kernel-modules, siderolabs/gvisor]\n";

/// What is asked for of each schematic.
const ASSETS: [(&str, &[&str]); 3] = [
    (
        PLAIN,
        &[
            "v1.13.0/kernel-amd64",
            "v1.13.0/kernel-arm64",
            "v1.13.0/cmdline-metal-amd64",
            "v1.13.0/cmdline-aws-arm64",
            "v1.3.7/initramfs-amd64.xz",
            "v1.7.6/initramfs-arm64.xz",
            "v1.8.2/initramfs-amd64.xz",
            "v1.13.0/initramfs-amd64.xz",
            "v1.13.0/initramfs-arm64.xz",
            "v1.5.1/metal-amd64-uki.efi",
            "v1.13.0/metal-amd64-uki.efi",
            "v1.13.0/metal-arm64-uki.efi",
            "v1.13.0/metal-amd64.iso",
            "v1.13.0/metal-arm64.iso",
            "v1.3.7/installer-amd64.tar",
            "v1.9.4/aws-installer-arm64.tar",
            "v1.13.0/installer-amd64.tar",
        ],
    ),
    (EMBEDDED, &["v1.13.0/initramfs-amd64.xz", "v1.13.0/metal-arm64.iso"]),
    (
        FOREIGN,
        &[
            "v1.8.2/metal-amd64.iso",
            "v1.13.0/metal-amd64.iso",
            "v1.13.0/initramfs-amd64.xz",
            "v1.13.0/metal-amd64-uki.efi",
        ],
    ),
];

/// Plan, manifest digest, digest and length of an asset, by schematic and name.
type Facts = BTreeMap<(&'static str, &'static str), [String; 4]>;

/// A factory whose source was written in this order, with room for so many builds.
fn factory(order: Order, builds: &str) -> Factory {
    let dir = tempfile::tempdir().unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(release::write_ordered(&Factory::source_in(&dir), order)).unwrap();
    Factory::start_on(dir, &[FIXED_URL, ("max-builds", builds)]).unwrap()
}

/// Which plan turned into the image with this manifest: the index is a directory of records.
fn plan_of(data: &Path, manifest: &str) -> String {
    let digest: Digest = format!("sha256:{manifest}").parse().unwrap();
    let mut plans: Vec<String> = fs::read_dir(data.join("images"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| fs::read(path).unwrap().windows(32).any(|bytes| bytes == digest.as_bytes()))
        .map(|path| path.file_name().unwrap().to_string_lossy().into_owned())
        .collect();
    plans.sort();
    plans.join("+")
}

/// Asks for everything, from the last to the first when told so, and checks that HEAD and GET agree.
fn facts(factory: &Factory, backwards: bool) -> Facts {
    let mut wanted: Vec<(&str, &str)> = ASSETS
        .iter()
        .flat_map(|(schematic, assets)| assets.iter().map(|asset| (*schematic, *asset)))
        .collect();
    if backwards {
        wanted.reverse();
    }
    let mut facts = Facts::new();
    for (schematic, asset) in wanted {
        let path = format!("/image/{}/{asset}", create(factory, schematic));
        let head = factory.head(&path);
        let answer = factory.get(&path);
        assert_eq!((head.status, answer.status), (200, 200), "{asset}: {}", answer.text());
        let length = answer.body.len().to_string();
        for header in ["content-length", "etag", "content-type"] {
            assert_eq!(head.header(header), answer.header(header), "{asset} {header}");
        }
        assert_eq!(head.header("content-length"), Some(length.as_str()), "{asset}");
        let manifest = answer.header("etag").unwrap().trim_matches('"').to_owned();
        let plan = plan_of(factory.data(), &manifest);
        assert!(!plan.is_empty(), "{asset} is not in the index");
        facts.insert((schematic, asset), [plan, manifest, Digest::of(&answer.body).hex(), length]);
    }
    facts
}

fn restarted(factory: Factory, builds: &str) -> Factory {
    let dir: TempDir = factory.stop().unwrap();
    Factory::start_on(dir, &[FIXED_URL, ("max-builds", builds)]).unwrap()
}

/// Whether the plan has the version of depmod in it, as it may be needed wherever there are extensions.
fn names_depmod(name: &str, asset: &str) -> bool {
    name == "plain" && !asset.contains("/kernel-") && !asset.contains("/cmdline-")
}

/// The facts that depend on nothing but the factory, one line each.
fn golden(facts: &Facts) -> String {
    let mut text = String::from("# schematic asset plan manifest sha256 length\n");
    for (name, schematic) in [("plain", PLAIN), ("embedded", EMBEDDED)] {
        for ((of, asset), [plan, manifest, sha256, length]) in facts {
            if *of == schematic {
                let plan = if names_depmod(name, asset) { "-" } else { plan };
                text.push_str(&format!("{name} {asset} {plan} {manifest} {sha256} {length}\n"));
            }
        }
    }
    text
}

#[test]
fn everything_is_the_same_however_it_is_made() {
    let first = factory(Order::Usual, "1");
    let made = facts(&first, false);
    // Another server, two builds at a time, catalogues and requests in another order.
    let second = factory(Order::Reversed, "2");
    assert_eq!(facts(&second, true), made);
    // The same server again, with everything in its index.
    let first = restarted(first, "2");
    assert_eq!(facts(&first, false), made);
    // And without its index and its memory: everything cooked is found, everything else laid out again.
    let dir = first.stop().unwrap();
    fs::remove_dir_all(dir.path().join("data/images")).unwrap();
    let first = Factory::start_on(dir, &[FIXED_URL, ("max-builds", "1")]).unwrap();
    assert_eq!(facts(&first, true), made);

    let golden = golden(&made);
    if std::env::var_os("FACTORY_BLESS").is_some() {
        fs::write(GOLDEN, &golden).unwrap();
    }
    assert_eq!(golden, fs::read_to_string(GOLDEN).unwrap(), "other bytes than yesterday");
}

#[test]
fn what_differs_has_another_name() {
    let factory = factory(Order::Usual, "2");
    let all = facts(&factory, false);
    for (place, what) in [(0, "plan"), (1, "manifest"), (2, "bytes")] {
        let mut seen = BTreeMap::new();
        for ((schematic, asset), facts) in &all {
            if let Some(other) = seen.insert(facts[place].clone(), (*schematic, *asset)) {
                panic!("{asset} and {} have the same {what}", other.1);
            }
        }
    }
}
