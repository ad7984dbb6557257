//! ISOs: from a machine that knows no keys to one that enforces ours, and on both architectures.

use schematics::{Arch, Digest};
use tests::qemu::{Boot, Machine, Medium, Tpm, Vars};
use tests::{Failure, or_skip};

use super::{Site, VERSION, assert_as_told};
use crate::verdict::assert_booted;

const FORCED: &str = "  secureboot: {enrollKeys: force}\n";
const WELL_KNOWN: &str = "  secureboot: {enrollKeys: force, includeWellKnownCertificates: true}\n";

fn enrol(site: &Site, options: &str, medium: fn(std::path::PathBuf) -> Medium) -> Result<Boot, Failure> {
    let asset = format!("{VERSION}/metal-amd64-secureboot.iso");
    let (iso, told) = site.told("enrolled", options, &asset);
    let dir = tempfile::tempdir().unwrap();
    let machine = Machine::uefi(Arch::Amd64).secure(Vars::setup_mode()).tpm(&Tpm::new()?).may_reboot();
    let boot = machine.medium(medium(iso)).boot()?;
    assert_as_told(&boot, &told, &[4, 7, 12], dir.path())?;
    Ok(boot)
}

#[track_caller]
fn assert_enrolled(site: &Site, boot: &Boot, query: &str) {
    assert_booted(boot, "enrolled", 1);
    assert_eq!(boot.facts["efi"]["setup_mode"], 0);
    for name in ["PK", "KEK", "db"] {
        let served = site.service.factory().get(&format!("/secureboot/{name}.esl{query}"));
        let seen = boot.facts["efi"]["databases"][name].as_str();
        assert_eq!(seen, Some(Digest::of(&served.body).hex().as_str()), "{name}");
    }
}

#[test]
fn a_machine_without_keys_enrols_ours_from_a_cd_and_measures_what_was_told() {
    let Some(site) = or_skip(Site::new()) else { return };
    let Some(boot) = or_skip(enrol(&site, FORCED, Medium::Cdrom)) else { return };
    assert_enrolled(&site, &boot, "");
}

#[test]
fn a_machine_without_keys_enrols_microsofts_too_from_a_disk() {
    let Some(site) = or_skip(Site::new()) else { return };
    let Some(boot) = or_skip(enrol(&site, WELL_KNOWN, Medium::Disk)) else { return };
    assert_enrolled(&site, &boot, "?well-known=true");
}

#[test]
fn an_arm64_machine_that_enforces_starts_the_iso() {
    let result = Site::new().and_then(|site| {
        let asset = format!("{VERSION}/metal-arm64-secureboot.iso");
        let (iso, told) = site.told("arm", "", &asset);
        let machine = Machine::uefi(Arch::Arm64).secure(Vars::enrolled(&site.certificate()));
        let boot = machine.tpm(&Tpm::new()?).medium(Medium::Cdrom(iso)).boot()?;
        let dir = tempfile::tempdir().unwrap();
        assert_booted(&boot, "arm", 1);
        // Its PCR 7 has the variables this test enrolled, which have another owner.
        assert_as_told(&boot, &told, &[4, 12], dir.path())
    });
    or_skip(result);
}
