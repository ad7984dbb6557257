//! Arguments that come with the platform and with the version.

use crate::arch::Arch;
use crate::cmdline::KernelArgs;
use crate::platform::Arguments;
use crate::target::Target;
use crate::version::{Feature, TalosVersion};

const NVME_TIMEOUT: &str = "nvme_core.io_timeout=4294967295";
const CLOUD: [&str; 3] = ["console=tty1", "console=ttyS0", "net.ifnames=0"];

/// The platform's consoles and arguments.
pub(super) fn of_platform(target: Target, version: &TalosVersion) -> KernelArgs {
    match target.platform.arguments() {
        Arguments::Fixed(arguments) => KernelArgs::parse(arguments),
        Arguments::Metal => KernelArgs::parse(metal(target.arch, version)),
        Arguments::EquinixMetal => KernelArgs::parse(&[match target.arch {
            Arch::Amd64 => "console=ttyS1,115200n8",
            Arch::Arm64 => "console=ttyAMA0,115200",
        }]),
        Arguments::Vmware => KernelArgs::parse(vmware(target.arch)),
        Arguments::Aws => {
            let mut arguments = KernelArgs::parse(&CLOUD);
            if version.supports(Feature::NvmeTimeoutAwsOnly) {
                arguments.append_all(&KernelArgs::parse(&[NVME_TIMEOUT]), &[]);
            }
            arguments
        }
    }
}

fn metal(arch: Arch, version: &TalosVersion) -> &'static [&'static str] {
    match arch {
        Arch::Amd64 if version.supports(Feature::NoMetalSerialConsole) => &["console=tty0"],
        Arch::Amd64 => &["console=ttyS0", "console=tty0"],
        Arch::Arm64 => &["console=ttyAMA0", "console=tty0"],
    }
}

const fn vmware(arch: Arch) -> &'static [&'static str] {
    match arch {
        Arch::Amd64 => &[
            "talos.config=guestinfo",
            "console=tty0",
            "console=ttyS0",
            "earlyprintk=ttyS0,115200",
            "net.ifnames=0",
        ],
        Arch::Arm64 => &["talos.config=guestinfo", "console=tty0", "console=ttyAMA0", "net.ifnames=0"],
    }
}

/// The arguments every image of a version has.
pub(super) fn of_version(version: &TalosVersion) -> KernelArgs {
    let since = |feature| version.supports(feature);
    let table: [(&[&str], bool); 8] = [
        (&["init_on_alloc=1"], !since(Feature::NoInitOnAlloc)),
        (&["slab_nomerge", "pti=on", "consoleblank=0"], true),
        (&[NVME_TIMEOUT], !since(Feature::NvmeTimeoutAwsOnly)),
        (&["printk.devkmsg=on"], true),
        (&["ima_template=ima-ng", "ima_appraise=fix", "ima_hash=sha512"], !since(Feature::NoIma)),
        (&["selinux=1"], since(Feature::Selinux)),
        (&["module.sig_enforce=1"], since(Feature::ModuleSigEnforce)),
        (&["proc_mem.force_override=never"], since(Feature::ProcMemOverride)),
    ];
    let words: Vec<&str> =
        table.iter().filter(|(_, wanted)| *wanted).flat_map(|(args, _)| *args).copied().collect();
    KernelArgs::parse(&words)
}
