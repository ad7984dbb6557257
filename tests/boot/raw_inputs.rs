//! The inputs of the reference release boot as they are, before anything of ours has touched them.

use std::{fs, path::PathBuf};

use schematics::Arch;
use tempfile::TempDir;
use tests::{
    Failure, or_skip,
    qemu::{Ending, Kernel, Machine},
    reference::{Inputs, VERSIONS},
};

fn machine(version: &str, arch: Arch, initrd: impl FnOnce(PathBuf) -> PathBuf) -> Result<Machine, Failure> {
    let inputs = Inputs::find()?;
    let kernel = Kernel {
        kernel: inputs.kernel(version, arch),
        initrd: initrd(inputs.initramfs(version, arch)),
        // The console is elsewhere: the guest must find the serial port by itself.
        cmdline: "console=tty0 panic=-1 no_timer_check module.sig_enforce=1".to_owned(),
    };
    Ok(Machine::direct(arch, kernel))
}

fn reports_itself(version: &str, arch: Arch) {
    let boot = machine(version, arch, |initrd| initrd).and_then(|machine| machine.boot());
    let Some(boot) = or_skip(boot) else { return };
    assert_eq!(boot.text("version"), version);
    assert_eq!(boot.text("arch"), arch.to_string());
    assert!(boot.cmdline().contains(&"module.sig_enforce=1"));
    assert_eq!(boot.list("layers"), Vec::<&str>::new());
    assert_eq!(boot.list("firmware"), ["reference-base.txt"]);
}

#[test]
fn amd64_inputs_boot() {
    for version in VERSIONS {
        reports_itself(version, Arch::Amd64);
    }
}

#[test]
fn arm64_inputs_boot() {
    reports_itself(VERSIONS[1], Arch::Arm64);
}

/// One file of a `newc` archive, and its end.
fn archive(name: &str, data: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for (name, mode, data) in [(name, 0o100_644, data), ("TRAILER!!!", 0, &[][..])] {
        let fields = [0, mode, 0, 0, 1, 0, data.len(), 0, 0, 0, 0, name.len() + 1, 0];
        let fields: String = fields.iter().map(|field| format!("{field:08X}")).collect();
        bytes.extend_from_slice(format!("070701{fields}{name}\0").as_bytes());
        bytes.resize(bytes.len().next_multiple_of(4), 0);
        bytes.extend_from_slice(data);
        bytes.resize(bytes.len().next_multiple_of(4), 0);
    }
    bytes
}

#[test]
fn a_layer_that_is_missing_is_a_failure_of_the_guest() {
    let dir = TempDir::new().unwrap();
    let broken = machine(VERSIONS[1], Arch::Amd64, |initrd| {
        let path = dir.path().join("initramfs.xz");
        let mut bytes = fs::read(initrd).unwrap();
        bytes.resize(bytes.len().next_multiple_of(4), 0);
        bytes.extend(archive("extensions.yaml", b"layers:\n    - image: 7.sqsh\n"));
        fs::write(&path, bytes).unwrap();
        path
    });
    match broken.and_then(|machine| machine.boot()) {
        Err(Failure::Guest { ending, .. }) => {
            assert_eq!(ending, Ending::Failed("cannot mount /7.sqsh".to_owned()));
        }
        other => drop(or_skip(other.map(|boot| panic!("booted: {}", boot.facts)))),
    }
}
