#![doc = include_str!("../README.md")]

pub mod arch;
pub mod asset;
pub mod blame;
pub mod cmdline;
pub mod digest;
pub mod meta;
pub mod platform;
pub mod target;
pub mod version;

pub use arch::Arch;
pub use asset::{AssetName, AssetNameError, Compression, DiskFormat};
pub use blame::{Blame, Blamed};
pub use digest::{Digest, DigestError};
pub use meta::MetaValue;
pub use platform::{Platform, PlatformError};
pub use target::{Boot, Target};
pub use version::{Feature, TalosVersion, VersionError};
