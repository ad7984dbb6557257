//! QEMU machines that boot an image and report the facts of the guest.
//!
//! Always software emulation (TCG): it is the same everywhere. `cmpxchg16b` is masked on amd64, since QEMU 7.2 gets it
//! wrong and crashes newer kernels.

mod arguments;
mod ending;
mod firmware;
mod permit;
mod refusals;
mod run;
mod task;
mod tpm;
pub mod vars;

use std::{path::PathBuf, sync::Arc, time::Duration};

use schematics::Arch;

pub use ending::{Boot, Ending};
pub use firmware::Firmware;
pub use refusals::Refusal;
pub use tpm::Tpm;
pub use vars::Vars;

use crate::{Failure, netns::Netns};

/// How long a machine may take when nothing else is said; an idle host needs 5 to 30 s.
const LIMIT: Duration = Duration::from_secs(300);

/// Memory in MiB when nothing else is said. Firmware that downloads an image keeps it in memory.
const MEMORY: u32 = 1024;

/// Something the machine can boot from, in the order given.
#[derive(Debug, Clone)]
pub enum Medium {
    /// A file in a CD drive (AHCI on amd64, virtio-scsi on arm64).
    Cdrom(PathBuf),
    /// A file as a read-only virtio disk.
    Disk(PathBuf),
    /// A URL in a CD drive: QEMU reads it with HTTP ranges.
    HttpCdrom(String),
    /// A URL as a read-only virtio disk.
    HttpDisk(String),
}

/// What the machine's network card is attached to.
#[derive(Debug, Clone, Default)]
pub enum Network {
    /// No network card.
    #[default]
    None,
    /// QEMU's own network: 10.0.2.2 is the host's loopback. The boot file goes into the DHCP answer.
    User {
        /// A URL for iPXE, or a file name below `tftp`.
        bootfile: String,
        /// Directory of the built-in TFTP server.
        tftp: Option<PathBuf>,
    },
    /// The tap device of a network name space, whose DHCP server decides.
    Tap(Arc<Netns>),
}

/// A kernel that QEMU loads itself.
#[derive(Debug, Clone)]
pub struct Kernel {
    /// The kernel.
    pub kernel: PathBuf,
    /// The initramfs.
    pub initrd: PathBuf,
    /// The command line.
    pub cmdline: String,
}

/// A machine to be booted once.
#[derive(Debug, Clone)]
pub struct Machine {
    arch: Arch,
    firmware: Firmware,
    media: Vec<Medium>,
    network: Network,
    kernel: Option<Kernel>,
    memory: u32,
    limit: Duration,
    stops: Vec<String>,
    secure: Option<Vars>,
    kept: Option<PathBuf>,
    tpm: Option<Tpm>,
    task: Option<String>,
    state: Option<PathBuf>,
    reboots: bool,
}

impl Machine {
    /// A machine with UEFI firmware and fresh variables.
    #[must_use]
    pub fn uefi(arch: Arch) -> Self {
        Self::new(arch, Firmware::Uefi)
    }

    /// An amd64 machine with SeaBIOS.
    #[must_use]
    pub fn bios() -> Self {
        Self::new(Arch::Amd64, Firmware::Bios)
    }

    /// A machine whose kernel QEMU loads itself, without UEFI.
    #[must_use]
    pub fn direct(arch: Arch, kernel: Kernel) -> Self {
        Self { kernel: Some(kernel), ..Self::new(arch, Firmware::Bios) }
    }

    fn new(arch: Arch, firmware: Firmware) -> Self {
        Self {
            arch,
            firmware,
            media: Vec::new(),
            network: Network::None,
            kernel: None,
            memory: MEMORY,
            limit: LIMIT,
            stops: Vec::new(),
            secure: None,
            kept: None,
            tpm: None,
            task: None,
            state: None,
            reboots: false,
        }
    }

    /// Adds a medium; earlier ones are tried first.
    #[must_use]
    pub fn medium(mut self, medium: Medium) -> Self {
        self.media.push(medium);
        self
    }

    /// Attaches the network card and boots from it when no medium boots.
    #[must_use]
    pub fn network(mut self, network: Network) -> Self {
        self.network = network;
        self
    }

    /// Sets the memory in MiB.
    #[must_use]
    pub fn memory(mut self, mib: u32) -> Self {
        self.memory = mib;
        self
    }

    /// Sets the time after which the machine is killed.
    #[must_use]
    pub fn limit(mut self, limit: Duration) -> Self {
        self.limit = limit;
        self
    }

    /// Ends the run as soon as this text is in the log, as [`Ending::Stopped`]: for boots that must be refused.
    #[must_use]
    pub fn stop_on(mut self, text: impl Into<String>) -> Self {
        self.stops.push(text.into());
        self
    }

    /// Firmware that knows SecureBoot, with these variables; on amd64 only system management mode may write them.
    #[must_use]
    pub fn secure(mut self, vars: Vars) -> Self {
        self.firmware = Firmware::Uefi;
        self.secure = Some(vars);
        self
    }

    /// Copies the variable store to `path` when the machine has ended, for [`vars::read`].
    #[must_use]
    pub fn keep_variables(mut self, path: PathBuf) -> Self {
        self.kept = Some(path);
        self
    }

    /// Gives the machine a TPM, which firmware measures into.
    #[must_use]
    pub fn tpm(mut self, tpm: &Tpm) -> Self {
        self.tpm = Some(tpm.clone());
        self
    }

    /// A shell script the guest runs with the programs of `tests/tools/tpm-tools.sh` before it reports; see
    /// `tests/reference/README.md`. It comes on a disk, so nothing of it is measured. [`Boot::task`] is what it prints.
    #[must_use]
    pub fn task(mut self, script: impl Into<String>) -> Self {
        self.task = Some(script.into());
        self
    }

    /// A file as a writable disk that the task finds as `$STATE`.
    #[must_use]
    pub fn state(mut self, disk: PathBuf) -> Self {
        self.state = Some(disk);
        self
    }

    /// Lets the guest restart the machine, as enrolment does, instead of ending it there.
    #[must_use]
    pub fn may_reboot(mut self) -> Self {
        self.reboots = true;
        self
    }

    /// How many things the firmware may try to boot.
    fn options(&self) -> usize {
        self.media.len() + usize::from(!matches!(self.network, Network::None))
    }

    /// Boots the machine and waits for its facts.
    ///
    /// At most one machine per processor runs at a time in this process. A guest that dies of the timer panic TCG is
    /// known for is started again, twice at most. What the firmware refused before something booted is in
    /// [`Boot::refusals`]; when it refuses everything, the run ends as [`Ending::Refused`].
    ///
    /// # Errors
    /// [`Failure::Missing`] when QEMU or the firmware is not installed, [`Failure::Guest`] when the machine ends, fails or
    /// takes too long before it reports.
    pub fn boot(&self) -> Result<Boot, Failure> {
        run::boot(self)
    }
}
