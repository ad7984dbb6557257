//! Images with a second profile: what is signed for one opens nothing for the other.

use std::path::Path;

use schematics::Arch;
use tests::pair::KeyPair;
use tests::qemu::{Boot, Machine, Medium, Tpm, Vars};
use tests::{Failure, or_skip};

use super::image::{Forge, Recipe, SECOND, Uki};
use super::{assert_measured, directory, with_boot_loader};
use crate::task::{assert_task, task};
use crate::verdict::assert_booted;

const STEPS: &str = r#"
seal seal "$KEY" secret
unseal own "$KEY" /tmp/second.json
unseal of-main "$KEY" "$SIGNATURE"
replay of-main "$KEY" "$SIGNATURE"
"#;

fn boot(dir: &Path) -> Result<(Boot, Uki), Failure> {
    let owner = KeyPair::make(dir, "owner")?;
    let forge = Forge::new(dir)?;
    let recipe =
        Recipe { secure: Some(&owner), pcr: Some(&owner), second: true, ..Recipe::unsigned("profiles") };
    let image = forge.build(&recipe, None)?;
    let config = format!("default reference.efi@{SECOND}");
    let disk = with_boot_loader(&forge, &owner, &image, &config, Vec::new())?;
    let own = image.second.as_ref().and_then(|profile| profile.signatures.as_deref()).unwrap();
    let steps = task(&[("second.json", own)], STEPS);
    let vars = Vars::enrolled(&owner.certificate);
    let machine = Machine::uefi(Arch::Amd64).secure(vars).tpm(&Tpm::new()?).medium(Medium::Disk(disk));
    Ok((machine.task(steps).boot()?, image))
}

#[test]
fn the_signature_of_one_profile_opens_nothing_for_another() {
    let dir = directory();
    let Some((boot, image)) = or_skip(boot(dir.path())) else { return };
    assert_booted(&boot, SECOND, 1);
    assert_eq!(boot.facts["efi"]["stub_profile"], "1");
    or_skip(assert_measured(&boot, image.second.as_ref().unwrap(), dir.path()));
    assert_ne!(boot.phase("sha256", "enter-machined"), image.main.predicted("sha256"));
    assert_task(
        &boot,
        &[
            "seal: sealed",
            "own: secret",
            "of-main: refused to find a signature",
            "of-main: refused to accept the policy",
        ],
    );
}
