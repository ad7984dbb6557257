//! Why there is no index of modules.

use std::io;

use builder::format::squashfs_read::ReadError;
use builder::tree::TreeError;
use schematics::{Blame, Blamed};

use crate::cook::CookError;
use crate::initramfs::InitramfsError;

/// Why the modules of an image could not be indexed.
#[derive(Debug, thiserror::Error)]
pub enum ModulesError {
    /// An extension was built for another kernel.
    #[error(
        "extension `{extension}` has kernel modules for {}, but the kernel of this release is {kernel}",
        if found.is_empty() { "no kernel".to_owned() } else { found.join(", ") }
    )]
    Kernel {
        /// The extension.
        extension: String,
        /// The kernels it has modules for.
        found: Vec<String>,
        /// The kernel of the release.
        kernel: String,
    },
    /// The release has modules for none or for several kernels.
    #[error("the release has modules for {} kernels ({}); expected exactly one", found.len(), found.join(", "))]
    Kernels {
        /// The kernels there are modules for.
        found: Vec<String>,
    },
    /// The release's kernel has a name that is not taken for one.
    #[error("`{name}` is not the name of a kernel release")]
    Release {
        /// The name.
        name: String,
    },
    /// The release's initramfs cannot be read.
    #[error("could not find the root file system of the release")]
    Initramfs(#[source] InitramfsError),
    /// Modules could not be taken out of a squashfs image.
    #[error("could not take the kernel modules out of {place}")]
    Read {
        /// Which image.
        place: String,
        /// Why.
        #[source]
        source: ReadError,
    },
    /// depmod is not installed.
    #[error("`depmod` is not installed (package kmod); it is needed for extensions with kernel modules")]
    NoDepmod,
    /// depmod could not be run, or its files not be written or read.
    #[error("could not run `depmod` on the modules")]
    Run(#[source] io::Error),
    /// depmod said no.
    #[error("`depmod` failed: {message}")]
    Failed {
        /// The end of what it said.
        message: String,
    },
    /// depmod took too long.
    #[error("`depmod` took longer than {seconds} s")]
    Slow {
        /// How long it may take.
        seconds: u64,
    },
    /// An index file is too large.
    #[error("the index of modules has more than {limit} bytes")]
    TooLarge {
        /// How many it may have.
        limit: u64,
    },
    /// An index file has a name no tree takes.
    #[error("an index file has an impossible name")]
    Name(#[source] TreeError),
    /// The layer could not be cooked.
    #[error("could not cook the index of modules")]
    Cook(#[from] CookError),
    /// The process is stopping.
    #[error("the thread that was reading the release stopped")]
    Stopped,
}

impl Blamed for ModulesError {
    fn blame(&self) -> Blame {
        match self {
            Self::Kernel { .. } => Blame::Caller,
            Self::Kernels { .. } | Self::Release { .. } | Self::Initramfs(_) | Self::Name(_) => {
                Blame::Upstream
            }
            Self::Read { source, .. } => source.blame(),
            Self::Cook(error) => error.blame(),
            Self::Run(error) if error.kind() == io::ErrorKind::StorageFull => Blame::Full,
            Self::Failed { .. } | Self::TooLarge { .. } => Blame::Upstream,
            Self::NoDepmod => Blame::Unsupported,
            Self::Run(_) | Self::Slow { .. } | Self::Stopped => Blame::Ours,
        }
    }
}
