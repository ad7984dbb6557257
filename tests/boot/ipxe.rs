//! iPXE takes the script from the service, and with it kernel and initramfs.

use schematics::Arch;
use tests::qemu::{Machine, Network};
use tests::{Failure, or_skip};

use crate::expected::{Expected, SCHEMATIC, VERSION, Way};
use tests::service::Service;

#[test]
fn a_script_boots() {
    let booted = Service::loopback().and_then(|service| {
        let schematic = service.create(SCHEMATIC);
        let path = format!("/pxe/{schematic}/{VERSION}/metal-amd64");
        let bootfile = format!("http://10.0.2.2:{}{path}", service.port());
        // The whole machine has nothing but its network card.
        let boot = Machine::bios().network(Network::User { bootfile, tftp: None }).boot()?;
        Ok::<_, Failure>((schematic, boot))
    });
    let Some((schematic, boot)) = or_skip(booted) else { return };
    let expected =
        Expected { version: VERSION, arch: Arch::Amd64, firmware: "bios", way: Way::Pxe, schematic };
    expected.check(&boot);
}
