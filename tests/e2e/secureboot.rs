//! SecureBoot images as the tools that sign, check and enrol read them.

use std::path::{Path, PathBuf};

use fs_err as fs;
use tests::keys::KeyFiles;
use tests::server::Factory;

use crate::site::{FIXED_URL, FULL, Site, judge, refuses, report};
use crate::ukis::{section, sections};

/// A factory that signs, with a schematic in it.
pub(crate) fn signing(keys: &KeyFiles, schematic: &str) -> Site {
    let file = keys.file();
    let file = file.to_str().unwrap();
    Site::of(Factory::with_release(&[FIXED_URL, ("keys", file)]).unwrap(), schematic)
}

/// Whether a program is signed with the key of a certificate; `None` when nothing here can tell.
pub(crate) fn is_signed(certificate: &Path, program: &Path) -> Option<bool> {
    refuses("sbverify", "sbsigntool", &[&"--cert", &certificate, &program]).map(|refused| !refused)
}

/// A file of the EFI system partition of an ISO, which lies in the ISO as well.
fn file_of(site: &Site, iso: &Path, path: &str) -> Option<PathBuf> {
    let into = site.dir.path().join(path.replace('/', "-"));
    judge("xorriso", "xorriso", &[&"-osirrox", &"on", &"-indev", &iso, &"-extract", &path, &into])?;
    Some(into)
}

#[test]
fn a_signed_uki_has_every_section_in_talos_order() {
    let keys = KeyFiles::generate().unwrap();
    let site = signing(&keys, FULL);
    let uki = site.download("v1.13.0/metal-amd64-secureboot-uki.efi");
    let Some(found) = sections(&uki) else { return };
    let names: Vec<&str> = found.iter().map(|(name, ..)| name.as_str()).collect();
    let expected =
        [".osrel", ".cmdline", ".uname", ".splash", ".pcrpkey", ".linux", ".initrd", ".profile", ".pcrsig"];
    assert_eq!(names, expected);
    let public = fs::read(keys.pcr_public_key("main")).unwrap();
    assert!(found.contains(&section(".pcrpkey", &public)));
    let line = site.bytes("v1.13.0/cmdline-metal-amd64-secureboot");
    assert!(line.ends_with(
        b" lockdown=confidentiality talos.environment=INSTALLER_META_BASE64=MHhhPW5ldHdvcms= quiet"
    ));
    assert_eq!(is_signed(&keys.certificate("main"), &uki), Some(true));
}

#[test]
fn a_changed_byte_and_another_key_are_noticed() {
    let (keys, others) = (KeyFiles::generate().unwrap(), KeyFiles::generate().unwrap());
    let site = signing(&keys, "{}");
    let uki = site.bytes("v1.13.0/metal-amd64-secureboot-uki.efi");
    let kernel = site.bytes("v1.13.0/kernel-amd64");
    let at = uki.windows(64).position(|window| *window == kernel[1000..1064]).unwrap();
    for changed in [0x90, at, uki.len() - 300] {
        let mut bytes = uki.clone();
        bytes[changed] ^= 1;
        let file = site.save("changed.efi", &bytes);
        let Some(signed) = is_signed(&keys.certificate("main"), &file) else { return };
        assert!(!signed, "byte {changed}");
    }
    let file = site.save("whole.efi", &uki);
    assert_eq!(is_signed(&keys.certificate("main"), &file), Some(true));
    assert_eq!(is_signed(&others.certificate("main"), &file), Some(false));
}

#[test]
fn a_signed_iso_brings_signed_programs_and_the_keys_to_enrol() {
    let keys = KeyFiles::generate().unwrap();
    for (schematic, mode) in [
        ("{}", "if-safe"),
        ("customization: {secureboot: {enrollKeys: force, includeWellKnownCertificates: true}}", "force"),
    ] {
        let site = signing(&keys, schematic);
        let iso = site.download("v1.13.0/metal-amd64-secureboot.iso");
        for program in ["EFI/BOOT/BOOTX64.EFI", "EFI/Linux/Talos-v1.13.0.efi"] {
            let Some(program) = file_of(&site, &iso, program) else { return };
            assert_eq!(is_signed(&keys.certificate("main"), &program), Some(true), "{program:?}");
        }
        let conf = fs::read_to_string(file_of(&site, &iso, "loader/loader.conf").unwrap()).unwrap();
        assert!(conf.ends_with(&format!("\nsecure-boot-enroll {mode}\n")), "{conf}");
        let der = fs::read(file_of(&site, &iso, "EFI/keys/uki-signing-cert.der").unwrap()).unwrap();
        let certificate = keys.certificate("main");
        assert_eq!(
            judge("openssl", "openssl", &[&"x509", &"-in", &certificate, &"-outform", &"DER"]),
            Some(der)
        );
        for name in ["PK", "KEK", "db"] {
            let file = file_of(&site, &iso, &format!("loader/keys/auto/{name}.auth")).unwrap();
            let suffix = if mode == "force" { "?well-known=true" } else { "" };
            let served = site.factory.get(&format!("/secureboot/{name}.auth{suffix}"));
            assert_eq!(served.status, 200);
            assert_eq!(served.body, fs::read(file).unwrap(), "{name}");
        }
    }
}

#[test]
fn firmware_tools_read_the_keys_to_enrol() {
    let keys = KeyFiles::generate().unwrap();
    let site = signing(&keys, "{}");
    for (name, well_known) in [("PK", 0), ("KEK", 2), ("db", 3)] {
        for (query, certificates) in [("", 1), ("?well-known=true", 1 + well_known)] {
            let esl = site.factory.get(&format!("/secureboot/{name}.esl{query}"));
            assert_eq!(esl.status, 200, "{}", esl.text());
            let file = site.save("list.esl", &esl.body);
            let Some(listed) =
                report("virt-fw-sigdb", "virt-firmware, of PyPI", &[&"--input", &file, &"--print"])
            else {
                return;
            };
            let counts = listed.split("type=guid:EfiCertX509 count=").skip(1);
            let count = |text: &str| text.split_whitespace().next().unwrap().parse::<usize>().unwrap();
            assert_eq!(counts.map(count).sum::<usize>(), certificates, "{name} {query}: {listed}");
        }
    }
}

#[test]
fn what_is_for_enrolling_by_hand_can_be_downloaded() {
    let keys = KeyFiles::generate().unwrap();
    let site = signing(&keys, "{}");
    let pem = site.factory.get("/secureboot/signing-cert.pem");
    assert_eq!(pem.body, fs::read(keys.certificate("main")).unwrap());
    assert_eq!(pem.header("content-type"), Some("application/x-pem-file"));
    let public = site.factory.get("/secureboot/pcr-signing-key.pem");
    assert_eq!(public.body, fs::read(keys.pcr_public_key("main")).unwrap());
    assert_eq!(site.factory.get("/secureboot/signing-cert.der").status, 200);
    assert_eq!(site.factory.head("/secureboot/db.auth").status, 200);
    let unknown = site.factory.get("/secureboot/main.key");
    assert_eq!(unknown.status, 404);
    assert!(unknown.text().contains("PK.auth"), "{}", unknown.text());
}

#[test]
fn without_keys_there_are_no_secure_boot_images() {
    let site = Site::new("{}");
    for asset in [
        "metal-amd64-secureboot.iso",
        "metal-amd64-secureboot-uki.efi",
        "cmdline-metal-amd64-secureboot",
        "metal-amd64-secureboot.addon.efi",
        "metal-amd64-secureboot.iso.pcrs.json",
    ] {
        let answer = site.get(&format!("v1.13.0/{asset}"));
        assert_eq!(answer.status, 400, "{asset}");
        assert!(answer.text().contains("secure boot is disabled"), "{}", answer.text());
    }
    let script = site.factory.get(&format!("/pxe/{}/v1.13.0/metal-amd64-secureboot", site.id));
    assert_eq!(script.status, 400);
    assert_eq!(site.factory.get("/secureboot/signing-cert.pem").status, 404);
}

#[test]
fn what_cannot_be_enrolled_is_refused() {
    let keys = KeyFiles::generate().unwrap();
    let site = signing(&keys, "customization: {secureboot: {enrollKeys: sometimes}}");
    let answer = site.get("v1.13.0/metal-amd64-secureboot.iso");
    assert_eq!(answer.status, 400);
    assert!(answer.text().contains("invalid secureboot enrollKeys value \"sometimes\""), "{}", answer.text());
    assert_eq!(site.get("v1.13.0/metal-amd64.iso").status, 200);
    let old = site.get("v1.4.0/metal-amd64-secureboot.iso");
    assert_eq!(old.status, 400, "{}", old.text());
}

#[test]
fn each_host_has_its_own_keys() {
    let keys = KeyFiles::of_sets(&[("main", None), ("other", Some("http://other.example:8080"))]).unwrap();
    let site = signing(&keys, "{}");
    let path = site.path("v1.13.0/metal-amd64-secureboot-uki.efi");
    let ask = |host: &str, path: &str| site.factory.send("GET", path, &[("Host", host)], b"");
    let (main, other) = (site.factory.get(&path), ask("other.example:8080", &path));
    assert_ne!(main.header("etag"), other.header("etag"));
    let (main, other) = (site.save("main.efi", &main.body), site.save("other.efi", &other.body));
    for (set, program, fits) in
        [("main", &main, true), ("main", &other, false), ("other", &other, true), ("other", &main, false)]
    {
        let Some(signed) = is_signed(&keys.certificate(set), program) else { return };
        assert_eq!(signed, fits, "{set} {program:?}");
    }
    let script = ask("OTHER.example:8080", &format!("/pxe/{}/v1.13.0/metal-amd64-secureboot", site.id));
    assert!(script.text().contains("kernel http://other.example:8080/image/"), "{}", script.text());
    let cert = ask("other.example:8080", "/secureboot/signing-cert.pem");
    assert_eq!(cert.body, fs::read(keys.certificate("other")).unwrap());
}

#[test]
fn other_keys_make_other_images_and_the_same_keys_the_same() {
    let (keys, others) = (KeyFiles::generate().unwrap(), KeyFiles::generate().unwrap());
    let asset = "v1.13.0/metal-amd64-secureboot.iso";
    let first = signing(&keys, "{}").get(asset);
    let again = signing(&keys, "{}").get(asset);
    assert_eq!((first.header("etag"), &first.body), (again.header("etag"), &again.body));
    let rotated = signing(&others, "{}").get(asset);
    assert_ne!(first.header("etag"), rotated.header("etag"));
}
