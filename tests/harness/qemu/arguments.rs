//! The command line of QEMU.

use std::{
    ffi::OsString,
    path::{Path, PathBuf},
};

use schematics::Arch;

use super::{Firmware, Machine, Medium, Network, firmware::Flash};

/// The program for an architecture, and its package.
pub(super) fn program(arch: Arch) -> (&'static str, &'static str) {
    match arch {
        Arch::Amd64 => ("qemu-system-x86_64", "qemu-system-x86"),
        Arch::Arm64 => ("qemu-system-aarch64", "qemu-system-arm"),
    }
}

/// All arguments of a machine that logs its first serial port to `serial`.
pub(super) fn arguments(machine: &Machine, flash: Option<&Flash>, serial: &Path) -> Vec<OsString> {
    let mut list = Arguments(Vec::new());
    list.machine(machine, serial);
    if let Some(flash) = flash {
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
        let (board, cpu) = match machine.arch {
            Arch::Amd64 => ("q35", "max,-cx16"),
            Arch::Arm64 => ("virt", "cortex-a57"),
        };
        self.pair("-machine", board);
        self.pair("-accel", "tcg");
        self.pair("-cpu", cpu);
        self.pair("-smp", "1");
        self.pair("-m", &machine.memory.to_string());
        self.pair("-display", "none");
        self.pair("-monitor", "none");
        self.0.extend(["-nodefaults".into(), "-no-reboot".into()]);
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

    fn joined(machine: &Machine) -> String {
        let list = arguments(machine, None, Path::new("/tmp/a,b/serial.log"));
        list.iter().map(|part| part.to_string_lossy()).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn amd64_never_has_cmpxchg16b() {
        assert!(joined(&Machine::bios()).contains("-cpu max,-cx16"));
        assert!(joined(&Machine::uefi(Arch::Amd64)).contains("-no-reboot"));
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
