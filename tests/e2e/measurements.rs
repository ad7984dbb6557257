//! What is told of measurements, against what inspecting the very bytes says.

use factory::inspect::{Depth, inspect};
use fs_err as fs;
use serde_json::{Value, json};
use tests::keys::KeyFiles;

use crate::secureboot::signing;
use crate::site::{Site, judge, refuses};

const ADDED: &str = "customization:\n  extraKernelArgs: [quiet, a=b]\n  systemExtensions: {officialExtensions: [siderolabs/amd-ucode]}\n";

/// Register, profile, and the digests of events and values: what decides, without what is for people.
fn essence(predictions: &Value) -> Vec<Value> {
    let digests = |item: &Value| json!([item["sha256"], item["sha384"], item["sha512"], item["phase"]]);
    let events = |item: &Value| digests(&item["digests"]);
    let all = |list: &Value, of: &dyn Fn(&Value) -> Value| -> Vec<Value> {
        list.as_array().unwrap().iter().map(of).collect()
    };
    all(predictions, &|one| {
        json!([one["pcr"], one["profile"], all(&one["events"], &events), all(&one["values"], &digests)])
    })
}

fn document(site: &Site, asset: &str) -> Value {
    serde_json::from_slice(&site.bytes(&format!("{asset}.pcrs.json"))).unwrap()
}

/// What inspecting an asset predicts.
fn inspected(site: &Site, asset: &str) -> Value {
    let file = site.download(asset);
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let report = runtime.block_on(inspect(file.to_str().unwrap(), Depth::Contents)).unwrap();
    assert_eq!(report.measurements.len(), 1, "{asset}");
    serde_json::to_value(report.measurements[0].predictions()).unwrap()
}

#[test]
fn the_document_of_an_image_is_what_its_bytes_say() {
    let keys = KeyFiles::generate().unwrap();
    let site = signing(&keys, ADDED);
    for (asset, registers) in [
        ("v1.13.0/metal-amd64-secureboot.iso", &[4, 7, 11, 11, 12][..]),
        ("v1.13.0/metal-arm64-secureboot.iso", &[4, 7, 11, 11, 12]),
        ("v1.13.0/metal-amd64.iso", &[4, 11, 11, 12]),
        ("v1.13.0/metal-amd64-secureboot.addon.efi", &[12]),
    ] {
        let told = document(&site, asset);
        assert_eq!(told["schema"], 1);
        assert_eq!(told["asset"].as_str(), asset.strip_prefix("v1.13.0/"));
        let found: Vec<u64> =
            told["predictions"].as_array().unwrap().iter().map(|one| one["pcr"].as_u64().unwrap()).collect();
        assert_eq!(found, registers, "{asset}");
        let (told, seen) = (essence(&told["predictions"]), essence(&inspected(&site, asset)));
        assert_eq!(told.len(), seen.len(), "{asset}");
        for (told, seen) in told.iter().zip(&seen) {
            assert_eq!(told, seen, "{asset}");
        }
    }
}

#[test]
fn a_uki_is_told_with_the_keys_to_enrol_which_it_does_not_bring() {
    let keys = KeyFiles::generate().unwrap();
    let site = signing(&keys, "{}");
    for asset in ["v1.13.0/metal-amd64-secureboot-uki.efi", "v1.5.1/metal-amd64-secureboot-uki.efi"] {
        let told = essence(&document(&site, asset)["predictions"]);
        let seen = essence(&inspected(&site, asset));
        let without: Vec<Value> = told.iter().filter(|one| one[0] != 7).cloned().collect();
        assert_eq!(without, seen, "{asset}");
        assert_eq!(told.len(), seen.len() + 1, "{asset}");
    }
    // The same keys are measured the same way, whatever medium starts.
    let seven =
        |asset: &str| essence(&document(&site, asset)["predictions"]).into_iter().find(|one| one[0] == 7);
    assert_eq!(seven("v1.13.0/metal-amd64-secureboot-uki.efi"), seven("v1.13.0/metal-amd64-secureboot.iso"));
}

#[test]
fn other_inputs_are_measured_otherwise() {
    let keys = KeyFiles::generate().unwrap();
    let register = |site: &Site, asset: &str, pcr: u64| {
        let all = essence(&document(site, asset)["predictions"]);
        all.into_iter().find(|one| one[0] == pcr).unwrap()
    };
    let uki = "v1.13.0/metal-amd64-secureboot-uki.efi";
    let (plain, other) = (signing(&keys, "{}"), signing(&keys, "customization: {extraKernelArgs: [a]}"));
    assert_ne!(register(&plain, uki, 11), register(&other, uki, 11));
    assert_ne!(register(&plain, uki, 4), register(&other, uki, 4));
    assert_eq!(register(&plain, uki, 7), register(&other, uki, 7));
    let rotated = signing(&KeyFiles::generate().unwrap(), "{}");
    assert_ne!(register(&plain, uki, 7), register(&rotated, uki, 7));
    assert_ne!(register(&plain, uki, 11), register(&rotated, uki, 11));
}

#[test]
fn documents_are_signed_with_the_secure_boot_key() {
    let (keys, others) = (KeyFiles::generate().unwrap(), KeyFiles::generate().unwrap());
    let site = signing(&keys, "{}");
    for form in ["pcrs.json", "pcrlock"] {
        let asset = format!("v1.13.0/metal-amd64-secureboot.iso.{form}");
        let (content, signature) = (site.download(&asset), site.download(&format!("{asset}.p7s")));
        let verify = |certificate: &std::path::Path, content: &std::path::Path| {
            let flags = [
                "cms",
                "-verify",
                "-binary",
                "-inform",
                "DER",
                "-purpose",
                "any",
                "-nointern",
                "-out",
                "/dev/null",
            ];
            let mut arguments: Vec<&dyn AsRef<std::ffi::OsStr>> =
                flags.iter().map(|flag| flag as &dyn AsRef<std::ffi::OsStr>).collect();
            let (certfile, cafile): (&dyn AsRef<std::ffi::OsStr>, _) = (&certificate, &certificate);
            arguments.extend([&"-certfile" as _, certfile, &"-CAfile" as _, cafile as _]);
            arguments.extend([&"-in" as _, &signature as _, &"-content" as _, &content as &dyn AsRef<_>]);
            refuses("openssl", "openssl", &arguments).map(|refused| !refused)
        };
        let own = keys.certificate("main");
        let Some(good) = verify(&own, &content) else { return };
        assert!(good, "{form}");
        let mut changed = fs::read(&content).unwrap();
        changed[30] ^= 1;
        assert_eq!(verify(&own, &site.save("changed", &changed)), Some(false), "{form}");
        assert_eq!(verify(&others.certificate("main"), &content), Some(false), "{form}");
    }
    let unsigned = site.get("v1.13.0/metal-amd64.iso.pcrs.json.p7s");
    assert_eq!(unsigned.status, 400, "{}", unsigned.text());
}

#[test]
fn documents_are_small_typed_and_the_same_each_time() {
    let keys = KeyFiles::generate().unwrap();
    let path = "v1.13.0/metal-amd64-secureboot.iso";
    let (first, again) = (signing(&keys, "{}"), signing(&keys, "{}"));
    for (form, kind) in [
        ("pcrs.json", "application/json"),
        ("pcrlock", "application/json"),
        ("pcrs.json.p7s", "application/pkcs7-signature"),
    ] {
        let asset = format!("{path}.{form}");
        let (one, other) = (first.get(&asset), again.get(&asset));
        assert_eq!((one.status, one.header("content-type")), (200, Some(kind)), "{}", one.text());
        assert!(one.body == other.body, "{form}");
        assert_eq!(first.factory.head(&first.path(&asset)).header("etag"), one.header("etag"));
    }
    let pcrlock: Value = serde_json::from_slice(&first.bytes(&format!("{path}.pcrlock"))).unwrap();
    assert!(!pcrlock["records"].as_array().unwrap().is_empty());
}

#[test]
fn only_what_starts_a_unified_kernel_image_is_told() {
    let site = Site::new("customization: {bootloader: grub}");
    let grub = site.get("v1.13.0/metal-amd64.iso.pcrs.json");
    assert_eq!(grub.status, 400);
    assert!(grub.text().contains("starts GRUB"), "{}", grub.text());
    assert_eq!(site.get("v1.13.0/kernel-amd64.pcrs.json").status, 400);
    assert_eq!(site.get("v1.13.0/metal-amd64-uki.efi.pcrs.json").status, 200);
}

#[test]
fn an_add_on_carries_what_the_schematic_adds() {
    let keys = KeyFiles::generate().unwrap();
    let site = signing(&keys, ADDED);
    let addon = site.download("v1.13.0/metal-amd64-secureboot.addon.efi");
    let certificate = keys.certificate("main");
    if let Some(refused) = refuses("sbverify", "sbsigntool", &[&"--cert", &certificate, &addon]) {
        assert!(!refused);
    }
    if let Some(printed) = judge("ukify", "systemd-ukify", &[&"inspect", &addon]) {
        let printed = String::from_utf8(printed).unwrap();
        for expected in [".cmdline:", "quiet a=b", ".ucode:", ".sbat:"] {
            assert!(printed.contains(expected), "{printed}");
        }
        assert!(!printed.contains(".linux:"), "{printed}");
    }
    for (schematic, text) in [
        ("{}", "needs kernel arguments or microcode"),
        ("customization: {extraKernelArgs: [-quiet]}", "can only add kernel arguments"),
    ] {
        let refused = signing(&keys, schematic).get("v1.13.0/metal-amd64-secureboot.addon.efi");
        assert_eq!(refused.status, 400);
        assert!(refused.text().contains(text), "{}", refused.text());
    }
}
