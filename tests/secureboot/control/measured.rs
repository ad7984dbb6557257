//! What is measured, and what a policy for it opens: one TPM and one locked disk through the images of an upgrade.

use std::fs::File;
use std::path::{Path, PathBuf};

use schematics::Arch;
use tempfile::TempDir;
use tests::pair::KeyPair;
use tests::qemu::{Boot, Machine, Medium, Tpm, Vars};
use tests::{Failure, esp, iso, or_skip};

use super::image::{Forge, Recipe, Uki};
use super::{assert_measured, bootable, default_path, directory};
use crate::task::{assert_task, task};
use crate::verdict::assert_booted;

const ARCH: Arch = Arch::Amd64;
/// Room for the header of LUKS2 and a little more.
const DISK: u64 = 32 << 20;

/// A machine with its disk, and the keys of two factories.
struct Site {
    dir: TempDir,
    forge: Forge,
    tpm: Tpm,
    disk: PathBuf,
    owner: KeyPair,
    stranger: KeyPair,
}

impl Site {
    fn new() -> Result<Self, Failure> {
        let dir = directory();
        let disk = dir.path().join("state.img");
        File::create(&disk).and_then(|file| file.set_len(DISK)).map_err(Failure::io("create", &disk))?;
        Ok(Self {
            forge: Forge::new(dir.path())?,
            tpm: Tpm::new()?,
            disk,
            owner: KeyPair::make(dir.path(), "owner")?,
            stranger: KeyPair::make(dir.path(), "stranger")?,
            dir,
        })
    }

    fn image(&self, word: &str, pcr: &KeyPair) -> Result<Uki, Failure> {
        let recipe = Recipe { secure: Some(&self.owner), pcr: Some(pcr), ..Recipe::unsigned(word) };
        self.forge.build(&recipe, None)
    }

    fn boot(&self, medium: Medium, vars: Vars, task: String) -> Result<Boot, Failure> {
        let machine = Machine::uefi(ARCH).secure(vars).tpm(&self.tpm).medium(medium);
        machine.task(task).state(self.disk.clone()).boot()
    }

    fn enforced(&self, medium: Medium, task: String) -> Result<Boot, Failure> {
        self.boot(medium, Vars::enrolled(&self.owner.certificate), task)
    }

    /// An ISO with the ESP in it.
    fn iso(&self, esp: &Path) -> Result<PathBuf, Failure> {
        let path = esp.with_extension("iso");
        iso::write(&path, &self.dir.path().join("root"), esp, &[], &iso::UEFI)?;
        Ok(path)
    }

    fn dir(&self) -> &Path {
        self.dir.path()
    }
}

/// The first image: what its own policy opens and what none does.
const FIRST: &str = r#"
seal seal "$KEY" secret
unseal own "$KEY" "$SIGNATURE"
unseal of-another-image "$KEY" /tmp/next.json
replay of-another-image "$KEY" /tmp/next.json
unseal anothers-key /tmp/stranger.pub "$SIGNATURE"
SECRET_AT=0x81000011
seal seal-for-another /tmp/stranger.pub theirs
unseal for-another "$KEY" "$SIGNATURE"
SECRET_AT=0x81000010
lock disk "$KEY"
write disk "$SIGNATURE" kept
show of-another-image /tmp/next.json
show own "$SIGNATURE"
extend more
unseal extended "$KEY" "$SIGNATURE"
replay extended "$KEY" "$SIGNATURE"
show extended "$SIGNATURE"
"#;

fn first(site: &Site, image: &Uki, next: &Uki) -> Result<(), Failure> {
    let files =
        [("next.json", next.main.signatures.as_deref().unwrap()), ("stranger.pub", &site.stranger.public)];
    let boot = site.enforced(Medium::Disk(bootable(ARCH, &image.path)?), task(&files, FIRST))?;
    assert_booted(&boot, "first", 1);
    assert_eq!(boot.pcr("sha256", 12), "0".repeat(64));
    assert_measured(&boot, &image.main, site.dir())?;
    assert_task(
        &boot,
        &[
            "seal: sealed",
            "own: secret",
            "of-another-image: refused to find a signature",
            "of-another-image: refused to accept the policy",
            "anothers-key: refused to verify the signature",
            "seal-for-another: sealed",
            "for-another: refused to unseal",
            "disk: locked",
            "disk: written",
            "of-another-image: refused",
            "own: kept",
            "extend: more",
            "extended: refused to find a signature",
            "extended: refused to accept the policy",
            "extended: refused",
        ],
    );
    Ok(())
}

/// What every later image tries, without enrolling anything again.
const LATER: &str = r#"
unseal own "$KEY" "$SIGNATURE"
replay own "$KEY" "$SIGNATURE"
show own "$SIGNATURE"
"#;

/// From a CD, with two add-ons beside the image, of which the firmware accepts one.
fn next_opens_it(site: &Site, image: &Uki) -> Result<(), Failure> {
    let esp = image.path.with_extension("esp");
    let place = |name: &str| format!("{}.extra.d/{name}", default_path(ARCH));
    let (signed, unsigned) = (place("signed.addon.efi"), place("unsigned.addon.efi"));
    let files = [
        (default_path(ARCH), image.path.clone()),
        (&signed, site.forge.addon("from-the-signed-addon", Some(&site.owner))?),
        (&unsigned, site.forge.addon("from-the-unsigned-addon", None)?),
    ];
    esp::write(&esp, &files)?;
    let boot = site.enforced(Medium::Cdrom(site.iso(&esp)?), task(&[], LATER))?;
    assert_booted(&boot, "next", 1);
    assert!(boot.cmdline().contains(&"from-the-signed-addon"), "{:?}", boot.cmdline());
    assert!(!boot.cmdline().contains(&"from-the-unsigned-addon"), "{:?}", boot.cmdline());
    assert_ne!(boot.pcr("sha256", 12), "0".repeat(64));
    assert_measured(&boot, &image.main, site.dir())?;
    assert_task(&boot, &["own: secret", "own: secret", "own: kept"]);
    Ok(())
}

/// The first image with another command line, as somebody would make it who cannot sign.
fn changed_cmdline_does_not(site: &Site, first: &Uki) -> Result<(), Failure> {
    let recipe = Recipe { pcr: Some(&site.owner), ..Recipe::unsigned("changed") };
    let image = site.forge.build(&recipe, first.main.signatures.as_deref())?;
    let medium = Medium::Disk(bootable(ARCH, &image.path)?);
    let boot = site.boot(medium, Vars::enrolled(&site.owner.certificate).off(), task(&[], LATER))?;
    assert_booted(&boot, "changed", 0);
    assert_measured(&boot, &image.main, site.dir())?;
    assert_task(
        &boot,
        &["own: refused to find a signature", "own: refused to accept the policy", "own: refused"],
    );
    Ok(())
}

/// A valid image whose policy another factory signed, from an ISO on a disk.
fn anothers_policy_does_not(site: &Site) -> Result<(), Failure> {
    let image = site.image("another", &site.stranger)?;
    let files = [("owner.pub", site.owner.public.as_path())];
    let steps = format!("{LATER}unseal our-key /tmp/owner.pub \"$SIGNATURE\"\n");
    let boot = site.enforced(Medium::Disk(site.iso(&bootable(ARCH, &image.path)?)?), task(&files, &steps))?;
    assert_booted(&boot, "another", 1);
    assert_measured(&boot, &image.main, site.dir())?;
    assert_task(
        &boot,
        &[
            "own: refused to unseal",
            "own: refused to unseal",
            "own: refused",
            "our-key: refused to verify the signature",
        ],
    );
    Ok(())
}

#[test]
fn a_signed_policy_opens_for_the_images_it_was_signed_for_and_no_other() {
    let result = Site::new().and_then(|site| {
        let (image, next) = (site.image("first", &site.owner)?, site.image("next", &site.owner)?);
        first(&site, &image, &next)?;
        next_opens_it(&site, &next)?;
        changed_cmdline_does_not(&site, &image)?;
        anothers_policy_does_not(&site)
    });
    or_skip(result);
}
