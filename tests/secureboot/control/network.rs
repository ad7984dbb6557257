//! Images that the firmware downloads.

use std::path::Path;
use std::sync::Arc as Shared;

use schematics::Arch;
use tests::file_server::FileServer;
use tests::netns::Netns;
use tests::pair::KeyPair;
use tests::qemu::{Boot, Machine, Network, Vars};
use tests::{Failure, or_skip};

use super::directory;
use super::image::{Forge, Recipe};
use crate::verdict::{assert_booted, assert_refused};

const ARCH: Arch = Arch::Amd64;
/// Firmware keeps what it downloads in memory.
const MEMORY: u32 = 2048;

/// Boots an image that is signed or not, by the way given, on a machine that enforces.
fn boot(signed: bool, by: impl FnOnce(&Path) -> Result<Network, Failure>) -> Result<Boot, Failure> {
    let dir = directory();
    let owner = KeyPair::make(dir.path(), "owner")?;
    let recipe = Recipe { secure: signed.then_some(&owner), ..Recipe::unsigned("fetched") };
    let image = Forge::new(dir.path())?.build(&recipe, None)?.path;
    let vars = Vars::enrolled(&owner.certificate);
    Machine::uefi(ARCH).secure(vars).network(by(&image)?).memory(MEMORY).boot()
}

fn tftp(image: &Path) -> Result<Network, Failure> {
    let (dir, name) = (image.parent().unwrap(), image.file_name().unwrap());
    Ok(Network::User { bootfile: name.display().to_string(), tftp: Some(dir.to_owned()) })
}

/// The server lives as long as the machine's network is in use: it is given back for that.
fn http(image: &Path) -> Result<(Network, FileServer), Failure> {
    let netns = Shared::new(Netns::new()?);
    let server = FileServer::start(netns.listen(0).unwrap(), [("/uki.efi", image.to_owned())]).unwrap();
    netns.offer(ARCH, &format!("http://{}:{}/uki.efi", Netns::HOST, server.port()))?;
    Ok((Network::Tap(netns), server))
}

#[test]
fn over_tftp_only_the_signed_image_starts() {
    if let Some(boot) = or_skip(boot(true, tftp)) {
        assert_booted(&boot, "fetched", 1);
    }
    assert_refused(boot(false, tftp));
}

#[test]
fn over_http_only_the_signed_image_starts() {
    let over_http = |signed| {
        let mut kept = None;
        boot(signed, |image| {
            let (network, server) = http(image)?;
            kept = Some(server);
            Ok(network)
        })
    };
    if let Some(boot) = or_skip(over_http(true)) {
        assert_booted(&boot, "fetched", 1);
    }
    assert_refused(over_http(false));
}
