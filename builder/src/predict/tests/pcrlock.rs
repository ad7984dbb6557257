//! What systemd-pcrlock says to our components.

use schematics::Arch;
use serde_json::Value;

use super::super::*;
use crate::format::pe::{self, Section, SectionName};
use crate::image::VirtualImage;
use crate::judge::{Blobs, block_on_io, noise, passes};
use crate::measure::{BankDigests, Meter, Prediction};
use crate::recipe::addon::program::program;

/// A kernel image with one profile, and its sections: of an image with more systemd-pcrlock makes no component.
fn image(cmdline: &str) -> (VirtualImage, Vec<(SectionName, BankDigests)>) {
    let stub = program(Arch::Amd64);
    let contents = [
        (".osrel", b"ID=talos\n".to_vec()),
        (".cmdline", cmdline.as_bytes().to_vec()),
        (".linux", noise(1, 70_001)),
        (".initrd", noise(2, 9000)),
        (".profile", b"ID=main".to_vec()),
    ];
    let section = |(name, content): &(&str, Vec<u8>)| Section {
        name: SectionName::new(name).unwrap(),
        content: VirtualImage::from_bytes(content.clone()),
    };
    let sections: Vec<Section> = contents.iter().map(section).collect();
    let image = pe::append_sections(&VirtualImage::from_bytes(stub.clone()), &stub, &sections, 0).unwrap();
    let digests =
        |(name, content): &(&str, Vec<u8>)| (SectionName::new(name).unwrap(), BankDigests::of(content));
    let mut measured: Vec<_> = contents.iter().map(digests).collect();
    let table = pe::sections(&stub).unwrap();
    let sbat = VirtualImage::from_bytes(stub).part(table[1].content());
    measured.push(digests(&(".sbat", Blobs::default().flatten(&sbat))));
    (image, measured)
}

/// Our component for an image.
fn component(image: &VirtualImage, measured: &[(SectionName, BankDigests)]) -> Value {
    let blobs = Blobs::default();
    let head = blobs.flatten(image);
    let meter = Meter::new(blobs.0);
    let program = Program::measure(Role::KernelImage, "x.efi", (image, &head), &meter);
    let programs = [block_on_io(program).unwrap()];
    let registers = [
        boot_loader_code(&programs),
        kernel_boot(Some("main"), &Prediction::of(measured)),
        kernel_config(&[]),
    ];
    let text = pcrlock(&registers.iter().collect::<Vec<_>>()).unwrap();
    assert!(text.ends_with('\n'));
    serde_json::from_str(&text).unwrap()
}

/// What systemd-pcrlock makes of an image itself, without the digests of SHA-1.
fn theirs(image: &VirtualImage) -> Option<Value> {
    let dir = tempfile::tempdir().unwrap();
    fs_err::write(dir.path().join("x.efi"), Blobs::default().flatten(image)).unwrap();
    let printed = passes("systemd-pcrlock", &["lock-uki", "x.efi", "--pcrlock=-"], dir.path(), b"")?;
    let mut component: Value = serde_json::from_slice(&printed).unwrap();
    for record in component["records"].as_array_mut().unwrap() {
        record["digests"].as_array_mut().unwrap().retain(|digest| digest["hashAlg"] != "sha1");
    }
    Some(component)
}

#[test]
fn the_component_is_the_one_pcrlock_makes_itself() {
    let (image_one, measured) = image("console=ttyS0");
    let Some(theirs_one) = theirs(&image_one) else { return };
    assert_eq!(component(&image_one, &measured), theirs_one);
    let (image_two, _) = image("console=ttyS1");
    assert_ne!(component(&image_one, &measured), theirs(&image_two).unwrap());
}

#[test]
fn pcrlock_reads_the_component() {
    let dir = tempfile::tempdir().unwrap();
    let components = dir.path().join("components");
    fs_err::create_dir(&components).unwrap();
    let (image, measured) = image("console=ttyS0");
    let text = component(&image, &measured).to_string();
    fs_err::write(components.join("650-uki.pcrlock"), text).unwrap();
    let option = format!("--components={}", components.display());
    let list = ["list-components", "--json=short", &option];
    let Some(printed) = passes("systemd-pcrlock", &list, dir.path(), b"") else { return };
    assert!(String::from_utf8_lossy(&printed).contains("650-uki"));
}
