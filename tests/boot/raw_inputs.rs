//! The inputs of the reference release boot as they are, before anything of ours has touched them.

use schematics::Arch;
use tests::{
    Failure, or_skip,
    qemu::{Boot, Kernel, Machine},
    reference::{Inputs, VERSIONS},
};

fn boot(version: &str, arch: Arch) -> Result<Boot, Failure> {
    let inputs = Inputs::find()?;
    let kernel = Kernel {
        kernel: inputs.kernel(version, arch),
        initrd: inputs.initramfs(version, arch),
        // The console is elsewhere: the guest must find the serial port by itself.
        cmdline: "console=tty0 panic=-1 no_timer_check module.sig_enforce=1".to_owned(),
    };
    Machine::direct(arch, kernel).boot()
}

fn reports_itself(version: &str, arch: Arch) {
    let Some(boot) = or_skip(boot(version, arch)) else { return };
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
