//! Machines in setup mode that enrol keys by themselves.

use std::fs;
use std::path::{Path, PathBuf};

use schematics::Arch;
use serde_json::Value;
use tests::pair::KeyPair;
use tests::qemu::{Boot, Machine, Medium, Vars, vars};
use tests::{Failure, or_skip, tool};

use super::image::{Forge, Recipe};
use super::{directory, with_boot_loader};
use crate::verdict::assert_booted;

const ARCH: Arch = Arch::Amd64;
const OWNER: &str = "8f0c6d9e-0b5c-4a3e-9d5e-5d1f3c7a2b10";
const VARIABLES: [&str; 3] = ["PK", "KEK", "db"];

/// `<name>.auth`: the certificate as the content of a variable, signed by itself.
fn variable(dir: &Path, name: &str, owner: &KeyPair) -> Result<PathBuf, Failure> {
    let (list, signed) = (dir.join(format!("{name}.esl")), dir.join(format!("{name}.auth")));
    let text = |path: &Path| path.display().to_string();
    let (key, certificate) = (text(&owner.key), text(&owner.certificate));
    tool::run("cert-to-efi-sig-list", "efitools", ["-g", OWNER, &certificate, &text(&list)])?;
    let signer = ["-g", OWNER, "-k", &key, "-c", &certificate];
    let rest = [name, &text(&list), &text(&signed)];
    tool::run("sign-efi-sig-list", "efitools", signer.into_iter().chain(rest))?;
    Ok(signed)
}

fn disk(dir: &Path, enrol: &str) -> Result<PathBuf, Failure> {
    let owner = KeyPair::make(dir, "owner")?;
    let forge = Forge::new(dir)?;
    let image = forge.build(&Recipe { secure: Some(&owner), ..Recipe::unsigned("installed") }, None)?;
    let variables = VARIABLES
        .into_iter()
        .map(|name| Ok((format!("loader/keys/auto/{name}.auth"), variable(dir, name, &owner)?)));
    let config = format!("secure-boot-enroll {enrol}");
    with_boot_loader(&forge, &owner, &image, &config, variables.collect::<Result<_, Failure>>()?)
}

fn boot(dir: &Path, enrol: &str, store: &Path) -> Result<(Boot, Value), Failure> {
    let medium = Medium::Disk(disk(dir, enrol)?);
    let machine = Machine::uefi(ARCH).secure(Vars::setup_mode()).medium(medium).may_reboot();
    let boot = machine.keep_variables(store.to_owned()).boot()?;
    Ok((boot, vars::read(store)?))
}

/// Which of the variables there are in a store.
fn enrolled(store: &Value) -> Vec<&str> {
    let names: Vec<&str> = store["variables"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|variable| variable["name"].as_str())
        .collect();
    VARIABLES.into_iter().filter(|name| names.contains(name)).collect()
}

#[test]
fn setup_mode_ends_with_our_keys_and_then_enforces() {
    let dir = directory();
    let result = boot(dir.path(), "force", &dir.path().join("vars.fd"));
    let Some((boot, store)) = or_skip(result) else { return };
    assert_booted(&boot, "installed", 1);
    assert_eq!(boot.facts["efi"]["setup_mode"], 0);
    assert_eq!(enrolled(&store), VARIABLES);
    for name in VARIABLES {
        let list = fs::read(dir.path().join(format!("{name}.esl"))).unwrap();
        let path = dir.path().join("expected");
        fs::write(&path, list).unwrap();
        let digest = String::from_utf8(tool::run("sha256sum", "coreutils", [&path]).unwrap()).unwrap();
        let seen = boot.facts["efi"]["databases"][name].as_str().unwrap();
        assert_eq!(digest.split_whitespace().next(), Some(seen), "{name}");
    }
}

#[test]
fn setup_mode_stays_when_enrolment_is_off() {
    let dir = directory();
    let result = boot(dir.path(), "off", &dir.path().join("vars.fd"));
    let Some((boot, store)) = or_skip(result) else { return };
    assert_booted(&boot, "installed", 0);
    assert_eq!(boot.facts["efi"]["setup_mode"], 1);
    assert_eq!(enrolled(&store), Vec::<&str>::new());
}
