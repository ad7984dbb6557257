//! Signed images that the firmware downloads, and one that iPXE scripts name.

use std::path::Path;
use std::sync::Arc as Shared;

use schematics::Arch;
use tests::keys::KeyFiles;
use tests::netns::Netns;
use tests::qemu::{Boot, Machine, Network, Vars};
use tests::service::{Service, id};
use tests::{Failure, or_skip};

use super::{Site, VERSION, schematic};
use crate::verdict::{assert_booted, assert_refused};

const ARCH: Arch = Arch::Amd64;
/// Firmware keeps what it downloads in memory.
const MEMORY: u32 = 2048;

/// The firmware's own HTTP client, straight from the service.
fn over_http(boot: &str) -> Result<Boot, Failure> {
    let netns = Shared::new(Netns::new()?);
    let keys = KeyFiles::generate().unwrap();
    let factory = Service::inside(&netns, &[("keys", keys.file().to_str().unwrap())])?;
    let schematic = id(&netns.run(|| factory.post_schematic(&schematic("fetched", ""))).unwrap());
    let path = format!("/image/{schematic}/{VERSION}/metal-amd64{boot}-uki.efi");
    // Firmware waits a few seconds for an answer; the first one is built before.
    assert_eq!(netns.run(|| factory.head(&path)).unwrap().status, 200);
    netns.offer(ARCH, &format!("http://{}{path}", Netns::HOST))?;
    let machine = Machine::uefi(ARCH).secure(Vars::enrolled(&keys.certificate("main"))).memory(MEMORY);
    machine.network(Network::Tap(Shared::clone(&netns))).boot()
}

fn over_tftp(image: &Path, site: &Site) -> Result<Boot, Failure> {
    let (dir, name) = (image.parent().unwrap(), image.file_name().unwrap());
    let network = Network::User { bootfile: name.display().to_string(), tftp: Some(dir.to_owned()) };
    let machine = Machine::uefi(ARCH).secure(Vars::enrolled(&site.certificate())).memory(MEMORY);
    machine.network(network).boot()
}

#[test]
fn over_http_a_signed_image_starts() {
    if let Some(boot) = or_skip(over_http("-secureboot")) {
        assert_booted(&boot, "fetched", 1);
    }
}

#[test]
fn over_http_an_unsigned_image_does_not() {
    assert_refused(over_http(""));
}

#[test]
fn over_pxe_a_signed_image_starts() {
    let result = Site::new().and_then(|site| {
        let uki = site.download("fetched", "", &format!("{VERSION}/metal-amd64-secureboot-uki.efi"));
        over_tftp(&uki, &site)
    });
    if let Some(boot) = or_skip(result) {
        assert_booted(&boot, "fetched", 1);
    }
}
