//! A secret and a disk bound to the PCR key: what opens them, through an upgrade and against others.

use std::path::{Path, PathBuf};

use builder::format::pe;
use fs_err as fs;
use schematics::Arch;
use tests::keys::KeyFiles;
use tests::qemu::{Boot, Machine, Medium, Tpm, Vars};
use tests::service::Service;
use tests::{Failure, esp, or_skip};

use super::{Site, assert_as_told, bootable};
use crate::task::{assert_task, task};
use crate::verdict::assert_booted;

const ARCH: Arch = Arch::Amd64;
const OLD: &str = "v1.12.0/metal-amd64-secureboot-uki.efi";
const NEW: &str = "v1.13.0/metal-amd64-secureboot-uki.efi";
/// Room for the header of LUKS2 and a little more.
const DISK: u64 = 32 << 20;

/// The machine that is upgraded: its TPM and its locked disk stay.
struct Host {
    tpm: Tpm,
    disk: PathBuf,
    dir: tempfile::TempDir,
}

impl Host {
    fn new() -> Result<Self, Failure> {
        let dir = tempfile::tempdir().unwrap();
        let disk = dir.path().join("state.img");
        fs::File::create(&disk).and_then(|file| file.set_len(DISK)).unwrap();
        Ok(Self { tpm: Tpm::new()?, disk, dir })
    }

    fn boot(&self, image: &Path, vars: Vars, steps: String) -> Result<Boot, Failure> {
        self.boot_from(Medium::Disk(bootable(ARCH, image)?), vars, steps)
    }

    fn boot_from(&self, medium: Medium, vars: Vars, steps: String) -> Result<Boot, Failure> {
        let machine = Machine::uefi(ARCH).secure(vars).tpm(&self.tpm).medium(medium);
        machine.task(steps).state(self.disk.clone()).boot()
    }
}

/// The signatures of each profile, as files beside the image.
fn signatures(image: &Path) -> Vec<PathBuf> {
    let bytes = fs::read(image).unwrap();
    let sections = pe::sections(&bytes).unwrap();
    let found = sections.iter().filter(|section| section.name.as_bytes() == b".pcrsig").enumerate();
    let write = |(number, section): (usize, &pe::SectionHeader)| {
        let range = section.content();
        let content = &bytes[usize::try_from(range.start).unwrap()..usize::try_from(range.end).unwrap()];
        let path = image.with_extension(format!("pcrsig-{number}"));
        fs::write(&path, content).unwrap();
        path
    };
    found.map(write).collect()
}

const FIRST: &str = r#"
seal seal "$KEY" secret
unseal own "$KEY" "$SIGNATURE"
lock disk "$KEY"
write disk "$SIGNATURE" kept
replay of-the-next "$KEY" /tmp/next.json
extend more
unseal extended "$KEY" "$SIGNATURE"
show extended "$SIGNATURE"
"#;

/// What every later image tries, without enrolling anything again.
const LATER: &str = r#"
unseal own "$KEY" "$SIGNATURE"
show own "$SIGNATURE"
"#;

fn binds(host: &Host, site: &Site, next: &Path) -> Result<(), Failure> {
    let (old, told) = site.told("old", "", OLD);
    let next = signatures(next);
    let steps = task(&[("next.json", next[0].as_path())], FIRST);
    let boot = host.boot(&old, Vars::enrolled(&site.certificate()), steps)?;
    assert_booted(&boot, "old", 1);
    assert_as_told(&boot, &told, &[4, 12], host.dir.path())?;
    let results = [
        "seal: sealed",
        "own: secret",
        "disk: locked",
        "disk: written",
        "of-the-next: refused to accept the policy",
        "extend: more",
        "extended: refused to find a signature",
        "extended: refused",
    ];
    assert_task(&boot, &results);
    Ok(())
}

fn the_next_version_opens(host: &Host, site: &Site, next: &Path) -> Result<(), Failure> {
    let boot = host.boot(next, Vars::enrolled(&site.certificate()), task(&[], LATER))?;
    assert_booted(&boot, "new", 1);
    assert_eq!(boot.facts["version"], "v1.13.0");
    assert_task(&boot, &["own: secret", "own: kept"]);
    Ok(())
}

/// As somebody would change it who cannot sign, on a machine that does not enforce.
fn a_changed_command_line_does_not(host: &Host, site: &Site, next: &Path) -> Result<(), Failure> {
    let mut bytes = fs::read(next).unwrap();
    let at = bytes.windows(4).position(|window| window == b" new").unwrap();
    bytes[at + 1..at + 4].copy_from_slice(b"bad");
    let changed = next.with_file_name("changed.efi");
    fs::write(&changed, bytes).unwrap();
    let boot = host.boot(&changed, Vars::enrolled(&site.certificate()).off(), task(&[], LATER))?;
    assert_booted(&boot, "bad", 0);
    assert_task(&boot, &["own: refused to find a signature", "own: refused"]);
    Ok(())
}

/// The ISO's image has two profiles, each with signatures of its own.
fn each_profile_opens_with_its_own(host: &Host, site: &Site) -> Result<(), Failure> {
    let iso = site.download("iso", "", "v1.13.0/metal-amd64-secureboot.iso");
    let (image, loader) = (iso.with_extension("efi"), iso.with_extension("loader"));
    for (from, to) in [("EFI/Linux/Talos-v1.13.0.efi", &image), ("EFI/BOOT/BOOTX64.EFI", &loader)] {
        let arguments = ["-osirrox", "on", "-indev", iso.to_str().unwrap(), "-extract", from];
        tests::tool::run("xorriso", "xorriso", arguments.into_iter().chain([to.to_str().unwrap()]))?;
    }
    let own = signatures(&image);
    assert_eq!(own.len(), 2);
    let config = iso.with_extension("conf");
    fs::write(&config, "timeout 0\ndefault Talos-v1.13.0.efi@reset\n").unwrap();
    let disk = iso.with_extension("img");
    let files = [
        ("EFI/BOOT/BOOTX64.EFI", loader),
        ("EFI/Linux/Talos-v1.13.0.efi", image),
        ("loader/loader.conf", config),
    ];
    esp::write(&disk, &files)?;
    let steps = "unseal own \"$KEY\" \"$SIGNATURE\"\nreplay of-main \"$KEY\" /tmp/main.json\n";
    let steps = task(&[("main.json", own[0].as_path())], steps);
    let boot = host.boot_from(Medium::Disk(disk), Vars::enrolled(&site.certificate()), steps)?;
    assert_booted(&boot, "talos.experimental.wipe=system", 1);
    assert_eq!(boot.facts["efi"]["stub_profile"], "1");
    assert_task(&boot, &["own: secret", "of-main: refused to accept the policy"]);
    Ok(())
}

/// A machine that starts the images of two factories: each has its own PCR key.
fn another_factory_does_not(host: &Host, site: &Site) -> Result<(), Failure> {
    let keys = KeyFiles::generate().unwrap();
    let other = Service::with(&[("keys", keys.file().to_str().unwrap())])?;
    let id = other.create(&super::schematic("other", ""));
    let image = other.download(&format!("{id}/{NEW}"));
    let vars = Vars::enrolled(&site.certificate()).and_allowed(&keys.certificate("main"));
    let boot = host.boot(&image, vars, task(&[], LATER))?;
    assert_booted(&boot, "other", 1);
    assert_task(&boot, &["own: refused to unseal", "own: refused"]);
    Ok(())
}

#[test]
fn what_is_bound_to_the_key_opens_after_an_upgrade_and_for_nobody_else() {
    let result = Site::new().and_then(|site| {
        let host = Host::new()?;
        let next = site.download("new", "", NEW);
        binds(&host, &site, &next)?;
        the_next_version_opens(&host, &site, &next)?;
        a_changed_command_line_does_not(&host, &site, &next)?;
        each_profile_opens_with_its_own(&host, &site)?;
        another_factory_does_not(&host, &site)
    });
    or_skip(result);
}
