//! The command line of QEMU.

use std::{
    ffi::OsString,
    path::{Path, PathBuf},
};

use schematics::Arch;

use super::{Firmware, Machine, Medium, Network, firmware::Flash, task::Disks, tpm::Emulator};

/// The program for an architecture, and its package.
pub(super) fn program(arch: Arch) -> (&'static str, &'static str) {
    match arch {
        Arch::Amd64 => ("qemu-system-x86_64", "qemu-system-x86"),
        Arch::Arm64 => ("qemu-system-aarch64", "qemu-system-arm"),
    }
}

/// What was prepared for one run.
#[derive(Debug)]
pub(super) struct Parts<'a> {
    pub(super) flash: Option<&'a Flash>,
    pub(super) disks: &'a Disks,
    pub(super) tpm: Option<&'a Emulator<'a>>,
    /// Where the first serial port is logged.
    pub(super) serial: &'a Path,
}

/// All arguments of a machine.
pub(super) fn arguments(machine: &Machine, parts: &Parts<'_>) -> Vec<OsString> {
    let mut list = Arguments(Vec::new());
    list.machine(machine, parts.serial);
    if let Some(flash) = parts.flash {
        list.option("-drive", "if=pflash,format=raw,unit=0,readonly=on,file=", &flash.code);
        list.option("-drive", "if=pflash,format=raw,unit=1,file=", &flash.vars);
    }
    if let Some(direct) = &machine.kernel {
        list.option("-kernel", "", &direct.kernel);
        list.option("-initrd", "", &direct.initrd);
        list.pair("-append", &direct.cmdline);
    }
    for (index, medium) in machine.media.iter().enumerate() {
        list.medium(machine.arch, index, medium);
    }
    list.network(machine);
    list.disks(parts.disks);
    if let Some(tpm) = parts.tpm {
        list.tpm(machine.arch, tpm.socket());
    }
    list.0
}

struct Arguments(Vec<OsString>);

impl Arguments {
    fn pair(&mut self, option: &str, value: &str) {
        self.0.extend([option.into(), value.into()]);
    }

    /// An option whose value ends in a path; QEMU reads two commas as one.
    fn option(&mut self, option: &str, prefix: &str, path: &Path) {
        let path = path.display().to_string();
        let path = if prefix.is_empty() { path } else { path.replace(',', ",,") };
        self.pair(option, &format!("{prefix}{path}"));
    }

    fn machine(&mut self, machine: &Machine, serial: &Path) {
        let (board, cpu) = match (machine.arch, &machine.secure) {
            (Arch::Amd64, None) => ("q35", "max,-cx16"),
            (Arch::Amd64, Some(_)) => ("q35,smm=on", "max,-cx16"),
            (Arch::Arm64, _) => ("virt", "cortex-a57"),
        };
        self.pair("-machine", board);
        if machine.arch == Arch::Amd64 && machine.secure.is_some() {
            // Only system management mode writes the flash; that mode does not survive a suspend to RAM.
            self.pair("-global", "driver=cfi.pflash01,property=secure,value=on");
            self.pair("-global", "ICH9-LPC.disable_s3=1");
        }
        self.pair("-accel", "tcg");
        self.pair("-cpu", cpu);
        self.pair("-smp", "1");
        self.pair("-m", &machine.memory.to_string());
        self.pair("-display", "none");
        self.pair("-monitor", "none");
        self.0.push("-nodefaults".into());
        if !machine.reboots {
            self.0.push("-no-reboot".into());
        }
        self.option("-serial", "file:", serial);
        self.pair("-device", "virtio-rng-pci");
    }

    fn medium(&mut self, arch: Arch, index: usize, medium: &Medium) {
        let drive = format!("if=none,id=d{index},format=raw,readonly=on,file=");
        match medium {
            Medium::Cdrom(path) | Medium::Disk(path) => self.option("-drive", &drive, path),
            Medium::HttpCdrom(url) | Medium::HttpDisk(url) => {
                self.option("-drive", &drive, &PathBuf::from(url));
            }
        }
        match (medium, arch) {
            (Medium::Cdrom(_) | Medium::HttpCdrom(_), Arch::Amd64) => {
                self.pair("-device", &format!("ide-cd,drive=d{index},bus=ide.{index},bootindex={index}"));
            }
            (Medium::Cdrom(_) | Medium::HttpCdrom(_), Arch::Arm64) => {
                self.pair("-device", &format!("virtio-scsi-pci,id=s{index}"));
                self.pair("-device", &format!("scsi-cd,drive=d{index},bus=s{index}.0,bootindex={index}"));
            }
            (Medium::Disk(_) | Medium::HttpDisk(_), _) => {
                self.pair("-device", &format!("virtio-blk-pci,drive=d{index},bootindex={index}"));
            }
        }
    }

    /// Disks the firmware does not boot from; the guest knows them by their serial numbers.
    fn disks(&mut self, disks: &Disks) {
        for (serial, path) in disks.read_only() {
            self.option("-drive", &format!("if=none,id={serial},format=raw,readonly=on,file="), path);
            self.pair("-device", &format!("virtio-blk-pci,drive={serial},serial={serial}"));
        }
        if let Some((serial, path)) = disks.writable() {
            self.option("-drive", &format!("if=none,id={serial},format=raw,file="), path);
            self.pair("-device", &format!("virtio-blk-pci,drive={serial},serial={serial}"));
        }
    }

    fn tpm(&mut self, arch: Arch, socket: &Path) {
        let device = match arch {
            Arch::Amd64 => "tpm-tis",
            Arch::Arm64 => "tpm-tis-device",
        };
        self.option("-chardev", "socket,id=tpm,path=", socket);
        self.pair("-tpmdev", "emulator,id=tpm0,chardev=tpm");
        self.pair("-device", &format!("{device},tpmdev=tpm0"));
    }

    fn network(&mut self, machine: &Machine) {
        match &machine.network {
            Network::None => return self.pair("-nic", "none"),
            Network::User { bootfile, tftp } => {
                let tftp = tftp.as_ref().map_or(String::new(), |dir| {
                    format!(",tftp={}", dir.display().to_string().replace(',', ",,"))
                });
                let bootfile = bootfile.replace(',', ",,");
                self.pair("-netdev", &format!("user,id=n0,bootfile={bootfile}{tftp}"));
            }
            Network::Tap(_) => {
                self.pair("-netdev", "tap,id=n0,ifname=tap0,script=no,downscript=no");
                // Straight to HTTP boot: trying PXE first costs a minute.
                for knob in ["IPv4PXESupport", "IPv6PXESupport", "IPv6Support"] {
                    self.pair("-fw_cfg", &format!("name=opt/org.tianocore/{knob},string=no"));
                }
            }
        }
        let bootindex = machine.media.len();
        // The card's own iPXE is what BIOS boots from; UEFI has better, and would wait for it half a minute.
        let rom = if machine.firmware == Firmware::Uefi { ",romfile=" } else { "" };
        self.pair("-device", &format!("virtio-net-pci,netdev=n0,bootindex={bootindex}{rom}"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::qemu::Vars;

    fn joined(machine: &Machine) -> String {
        let disks = Disks::default();
        let serial = Path::new("/tmp/a,b/serial.log");
        let list = arguments(machine, &Parts { flash: None, disks: &disks, tpm: None, serial });
        list.iter().map(|part| part.to_string_lossy()).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn amd64_never_has_cmpxchg16b() {
        assert!(joined(&Machine::bios()).contains("-cpu max,-cx16"));
        assert!(joined(&Machine::uefi(Arch::Amd64)).contains("-no-reboot"));
    }

    #[test]
    fn only_secure_machines_have_system_management_mode() {
        let plain = joined(&Machine::uefi(Arch::Amd64));
        let secure = joined(&Machine::uefi(Arch::Amd64).secure(Vars::setup_mode()));
        for text in ["smm=on", "property=secure,value=on"] {
            assert!(!plain.contains(text) && secure.contains(text), "{secure}");
        }
        assert!(!joined(&Machine::uefi(Arch::Arm64).secure(Vars::setup_mode())).contains("smm"));
    }

    #[test]
    fn a_machine_that_may_reboot_is_not_ended_by_it() {
        assert!(!joined(&Machine::uefi(Arch::Amd64).may_reboot()).contains("-no-reboot"));
    }

    #[test]
    fn commas_in_paths_and_urls_are_doubled() {
        let text = joined(&Machine::bios().medium(Medium::HttpCdrom("http://h/a,b.iso".to_owned())));
        assert!(text.contains("file=http://h/a,,b.iso"), "{text}");
        assert!(text.contains("file:/tmp/a,,b/serial.log"), "{text}");
    }

    #[test]
    fn media_come_before_the_network() {
        let user = Network::User { bootfile: "http://10.0.2.2:80/x".to_owned(), tftp: None };
        let text = joined(&Machine::bios().medium(Medium::Disk("/d".into())).network(user));
        assert!(text.contains("virtio-blk-pci,drive=d0,bootindex=0"), "{text}");
        assert!(text.contains("virtio-net-pci,netdev=n0,bootindex=1"), "{text}");
    }
}
